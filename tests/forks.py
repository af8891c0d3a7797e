"""Processes that find TensorFlow loaded: forks of one that has loaded it and never used it.

As a script, it is that process. It reads lines from stdin, each a JSON object: {"fork": {"code", "arguments",
"variables", "said"}} is answered by the number of a new process, {"ended": number} by its exit code, that of
`subprocess`, or null while it runs.
"""

import atexit
import json
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
from subprocess import PIPE, Popen  # which tests may replace in its module

ROOT = pathlib.Path(__file__).parent.parent
LAUNCH = "from tfgans.commands import command_line\ncommand_line.run({command!r})"


class Fork:
    """A process that runs Python code in the root of the repository; what it says goes to files.

    Args:
        code: the text of a script.
        arguments: its `sys.argv`, the first its own name.
        said: a file that gets all it says at its end; in place of those of `said()`.
        variables: of the environment, besides those of this process.
    """

    def __init__(self, code, *arguments, said=None, **variables):
        self._folder = tempfile.TemporaryDirectory()
        self._files = [str(said or f"{self._folder.name}/{name}") for name in ("out", "err")]
        asked = {"code": code, "arguments": list(map(str, arguments)), "variables": variables}
        for name in self._files:
            pathlib.Path(name).touch()
        self.pid = _ask({"fork": asked | {"said": self._files}})
        self.returncode = None

    def said(self):
        """`(stdout, stderr)` so far."""
        return tuple(pathlib.Path(name).read_text() for name in self._files)

    def poll(self):
        """The exit code, or None while it runs."""
        if self.returncode is None:
            self.returncode = _ask({"ended": self.pid})
        return self.returncode

    def wait_for(self, words, timeout=120):
        """Waits until it has said something; returns what it has said on that stream."""
        end = time.monotonic() + timeout
        while not (found := [text for text in self.said() if words in text]):
            assert self.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.01)
        return found[0]

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout=240):
        """Its exit code, at its end."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError(f"not done in {timeout} s: {self.said()}")
            time.sleep(0.01)
        return self.returncode

    def finish(self, timeout=240):
        """`(exit code, stdout, stderr)` at its end."""
        return self.wait(timeout), *self.said()


def command(name, *flags, said=None, **variables):
    """A command, as `launch/NAME.py` runs it."""
    return Fork(LAUNCH.format(command=name), f"launch/{name}.py", *flags, said=said, **variables)


def tfgans(*arguments, said=None):
    """`python -m tfgans`."""
    return Fork(
        "import runpy; runpy.run_module('tfgans', run_name='__main__')", "tfgans", *arguments, said=said
    )


def run(code, *arguments, timeout=240, **variables):
    """`(exit code, stdout, stderr)` of Python code in a process of its own."""
    return Fork(code, "-c", *arguments, **variables).finish(timeout)


_loaded = []  # the process, once one was asked for
_one_at_a_time = threading.Lock()


def _ask(question):
    with _one_at_a_time:
        if not _loaded:
            variables = os.environ | {"PYTHONPATH": str(ROOT)}
            pipes = dict(stdin=PIPE, stdout=PIPE, text=True)
            _loaded.append(Popen([sys.executable, __file__], cwd=ROOT, env=variables, **pipes))
            atexit.register(_end)
        _loaded[0].stdin.write(json.dumps(question) + "\n")
        _loaded[0].stdin.flush()
        return json.loads(_loaded[0].stdout.readline())


def _end():
    _loaded[0].stdin.close()
    _loaded[0].wait()


def _serve():
    import gc

    import sklearn.datasets  # noqa: F401
    import tensorboard.summary  # noqa: F401
    import tensorflow  # noqa: F401
    from PIL import Image

    from tfgans import config

    config.import_rooms()
    Image.init()
    gc.freeze()
    sys.path = [path for path in sys.path if path != str(ROOT / "tests")]
    for line in sys.stdin:
        question = json.loads(line)
        if "ended" in question:
            ended, status = os.waitpid(question["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = os.fork()
            if not answer:
                return _in_child(**question["fork"])
        print(json.dumps(answer), flush=True)


def _in_child(code, arguments, variables, said):
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in enumerate(said, 1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
    os.environ.update(variables)
    sys.argv = arguments
    return code


if __name__ == "__main__":
    _code = _serve()
    if _code is not None:
        exec(compile(_code, "<fork>", "exec"), {"__name__": "__main__"})
