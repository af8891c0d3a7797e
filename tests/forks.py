"""Processes that find TensorFlow loaded: forks of one that has loaded it and never used it.

As a script, it is that process. It reads lines from stdin, each a JSON object: {"fork": {"code", "arguments",
"variables", "said"}} is answered by the number of a new process, {"wait": number, "seconds"} by its exit code, that
of `subprocess`, or null if it has not ended by then.
"""

import atexit
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

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
        self.pid = _ask({"fork": asked | {"said": self._files}})
        self.returncode = None

    def said(self):
        """`(stdout, stderr)` so far."""
        return tuple(pathlib.Path(name).read_text() for name in self._files)

    def poll(self):
        """The exit code, or None while it runs."""
        return self._ended(0)

    def wait_for(self, words, timeout=120):
        """Waits until it has said something; returns what it has said on that stream."""
        end = time.monotonic() + timeout
        while not (found := [text for text in self.said() if words in text]):
            assert self.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.01)
        return found[0]

    def kill(self, number=signal.SIGKILL):
        """Sends it a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout=240):
        """Its exit code, at its end."""
        if self._ended(timeout) is None:
            self.kill()
            self._ended(timeout)
            raise TimeoutError(f"not done in {timeout} s: {self.said()}")
        return self.returncode

    def finish(self, timeout=240):
        """`(exit code, stdout, stderr)` at its end."""
        return self.wait(timeout), *self.said()

    def _ended(self, seconds):
        if self.returncode is None:
            self.returncode = _ask({"wait": self.pid, "seconds": seconds})
        return self.returncode


def command(name, *flags, said=None, **variables):
    """A command, as `launch/NAME.py` runs it."""
    return Fork(LAUNCH.format(command=name), f"launch/{name}.py", *flags, said=said, **variables)


def run(code, *arguments, timeout=240, **variables):
    """`(exit code, stdout, stderr)` of Python code in a process of its own."""
    return Fork(code, "-c", *arguments, **variables).finish(timeout)


_loaded = []  # the process, once one was asked for


def _ask(question):
    if not _loaded:
        variables = os.environ | {"PYTHONPATH": str(ROOT)}
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _loaded.append(subprocess.Popen([sys.executable, __file__], cwd=ROOT, env=variables, **pipes))
        atexit.register(_end)
    _loaded[0].stdin.write(json.dumps(question) + "\n")
    _loaded[0].stdin.flush()
    return json.loads(_loaded[0].stdout.readline())


def _end():
    _loaded[0].stdin.close()
    _loaded[0].wait()


def _serve():
    import gc

    import tensorflow  # noqa: F401

    from tfgans import config

    config.import_rooms()
    gc.freeze()
    sys.path = [path for path in sys.path if path != str(ROOT / "tests")]
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            answer = _wait(question["wait"], time.monotonic() + question["seconds"])
        else:
            answer = os.fork()
            if not answer:
                return _in_child(**question["fork"])
        print(json.dumps(answer), flush=True)


def _wait(pid, end):
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(0.01)


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
