"""Serves a page that shows what a run's generator makes, as sliders are moved."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from tfgans.commands import command_line

if __name__ == "__main__":
    command_line.run("explore")
