"""The lines that commands write to stderr, and how a command is written in a shell."""

import os
import shlex
import sys


def program():
    """The name that this program was called by."""
    return os.path.basename(sys.argv[0])


def complain(line):
    """Writes a line that says what is wrong."""
    print(f"{program()}: {line}", file=sys.stderr)


def call(command):
    """How to call a command in a shell, as this one was."""
    if not sys.argv[0].endswith(".py"):
        return f"{program()} {command}"
    python = os.path.relpath(sys.executable)
    script = os.path.join(os.path.dirname(sys.argv[0]), f"{command}.py")
    return shlex.join([sys.executable if python.startswith("..") else python, script])
