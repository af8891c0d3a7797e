"""How many of a run's samples the embedded classifier of glyphs takes for the class that they were asked to be.

    python benchmarks/glyphs_accuracy.py runs/glyphs [--count=3600] [--weights=raw]

Of the newest checkpoint, as many of each class. Prints one JSON object: `accuracy`, and the `worst` five classes.
"""

import argparse
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import numpy as np

from tfgans.data.glyphs import CHARACTERS
from tfgans.evaluate.classifier_features import GlyphsFeatures
from tfgans.run import build


def accuracy(model, count):
    """`(accuracy, {class: its own})` of `count` samples."""
    labels = np.arange(count) % len(CHARACTERS)
    images = model.generate(count, labels=range(len(CHARACTERS)), seed=0)
    right = GlyphsFeatures()(images)["logits"].argmax(axis=1) == labels
    return float(right.mean()), {name: float(right[labels == k].mean()) for k, name in enumerate(CHARACTERS)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--count", type=int, default=3600)
    parser.add_argument("--weights", choices=("average", "raw"))
    options = parser.parse_args()
    model, step = build.load(options.run, weights=options.weights)
    of_all, of_each = accuracy(model, options.count)
    worst = dict(sorted(of_each.items(), key=lambda item: item[1])[:5])
    print(json.dumps({"step": step, "accuracy": of_all, "worst": worst}))


if __name__ == "__main__":
    main()
