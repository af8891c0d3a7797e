"""How `race_torch.py` and the two sides of a race speak: numbers in, JSON objects out, a line each.

Imports neither framework.
"""

import json
import subprocess
import sys
import tempfile
import time


def say(**row):
    print(json.dumps(row), flush=True)


def answer(run, lines=None):
    """Answers each line that is a number by the seconds an update took of so many, by the clock and of the processor.

    Args:
        run: a function of the number of updates, which ends when they are done.
        lines: standard input, unless others are given. Anything but a number ends it.
    """
    for line in lines or sys.stdin:
        if not line.strip().isdigit():
            break
        updates = int(line)
        began, used = time.perf_counter(), time.process_time()
        run(updates)
        seconds, processor = time.perf_counter() - began, time.process_time() - used
        say(seconds=seconds / updates, processor_seconds=processor / updates)


class Side:
    """One side of a race, a process that works when it is told to and waits otherwise.

    Args: command, options: of `subprocess.Popen`.
    Raises: RuntimeError with the last line of what it said on standard error, from the methods, if it has ended.
    """

    def __init__(self, command, **options):
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the process
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors}
        self.process = subprocess.Popen(command, text=True, **pipes, **options)

    def hear(self):
        """The next object that it says; what else there is on its standard output is left out."""
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        last = [line.strip() for line in self.errors if line.strip()]
        raise RuntimeError(last[-1] if last else f"ended with {self.process.returncode}")

    def run(self, updates):
        """{"seconds", "processor_seconds"} of an update, of so many."""
        try:
            self.process.stdin.write(f"{updates}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # which `hear` explains
        return self.hear()

    def end(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            stream.close()
