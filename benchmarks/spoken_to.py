"""Processes that are spoken to: lines in, JSON objects out, a line each. Imports neither framework."""

import json
import subprocess
import tempfile


def say(**row):
    print(json.dumps(row), flush=True)


class SpokenTo:
    """A process that works when it is told to and waits otherwise.

    Args: command, options: of `subprocess.Popen`.
    """

    def __init__(self, command, **options):
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the process
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors}
        self.process = subprocess.Popen(command, text=True, **pipes, **options)

    def objects(self):
        """What it says until it ends; what else there is on its standard output is left out."""
        for line in self.process.stdout:
            if line.startswith("{"):
                yield json.loads(line)

    def tell(self, line):
        """Whether it could be told: False if it has ended."""
        try:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def last_words(self, word=""):
        """The last line on standard error that has a word in it, or how the process ended."""
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors if line.strip() and word in line]
        return lines[-1] if lines else f"ended with {self.process.poll()}"

    def end(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()
