"""`python -m tfgans COMMAND ...`, the same as the installed command `tfgans`."""

import sys

from tfgans.commands import command_line

if __name__ == "__main__":
    sys.argv[0] = "tfgans"
    command_line.console()
