"""Writes one HTML file that shows a run: curves, samples over time, metrics, costs, configuration."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from tfgans.commands import command_line

if __name__ == "__main__":
    command_line.run("report")
