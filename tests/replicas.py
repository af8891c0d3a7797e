"""Scripts that train on two logical devices, each in a process of its own: TensorFlow splits the CPU but once."""

import functools
import multiprocessing
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent


@functools.cache
def _processes():
    """Forks of one process that has imported TensorFlow: that takes as long as a small script."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras"])
    return context


def _run(script, said):
    """In the other process: runs a script, and notes in a file what it says."""
    file = os.open(said, os.O_WRONLY | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "methods")]
    exec(compile(script, "<script>", "exec"), {"__name__": "__main__"})
    sys.stdout.flush()


def run_alone(script, timeout=300):
    """Runs a script, which may import the tests' modules, in a process of its own; its exit code and what it said."""
    with tempfile.NamedTemporaryFile() as said:
        process = _processes().Process(target=_run, args=(script, said.name))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode, pathlib.Path(said.name).read_text()


def assert_replicas_agree(script, timeout=300):
    """Runs a script that must print "replicas agree" last."""
    code, said = run_alone(script, timeout)
    assert code == 0 and said.endswith("replicas agree\n"), said[-3000:]
