"""Writes a run's generator as a SavedModel, ONNX, LiteRT or TensorFlow.js, each compared with Keras."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from tfgans.commands import command_line

if __name__ == "__main__":
    command_line.run("export")
