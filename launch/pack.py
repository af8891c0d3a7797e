"""Reads images of any source once, and writes a data set that opens at once, or a zip as StyleGAN's."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from tfgans.commands import command_line

if __name__ == "__main__":
    command_line.run("pack")
