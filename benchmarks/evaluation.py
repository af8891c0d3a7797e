"""Seconds and peak memory of evaluations on random features, each in a process of its own.

    python benchmarks/evaluation.py [--case=mind] [--case=evaluation] [--samples=50000] [--features=2048] [--rounds=3]

Cases:
- `mind`: MIND of 2 x 5,000. Goal: below 1 s.
- `neighbours`: precision, recall, density and coverage of 2 x 10,000. Goal: below 1 GB besides the imports.
- `evaluation`: a whole evaluation of 2 x 50,000 with the default metrics. Goal: below 1 GB besides the imports.
- `every_metric`: the same with every metric that is of features or logits.

Seconds of the clock and of the processor, medians over rounds of the first two cases; with OPENBLAS_NUM_THREADS=1 in
the environment waiting threads are not among the latter. Peak memory, in megabytes, with all that was imported, and
without. Prints a table, then one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tfgans.memory import peak_bytes


class RandomFeatures:
    """Stands in for Inception: features and 1008 logits an image, from nothing."""

    name = "random"

    def __init__(self, width):
        import numpy as np

        self.width, self.random = width, np.random.default_rng(0)

    def check(self):
        """Nothing to load."""

    def fingerprint(self):
        return "random"

    def __call__(self, images):
        return {"features": self.draw(len(images), self.width), "logits": self.draw(len(images), 1008)}

    def draw(self, count, width):
        return self.random.standard_normal((count, width), "float32")


class BlankImages:
    """A data set of blank pictures."""

    def __init__(self, size):
        self.size = size

    def reference_size(self):
        return self.size

    def reference(self):
        for start in range(0, self.size, 256):
            yield blank(min(256, self.size - start)), None

    def fingerprint(self):
        return "blank"


def blank(count):
    import numpy as np

    return np.zeros((count, 8, 8, 3), np.uint8)


def mind(options):
    """A function to time, which gives numbers that must be finite."""
    from tfgans.evaluate import projections

    draw = RandomFeatures(options.features).draw
    real, fake = draw(5000, options.features), draw(5000, options.features)
    return lambda: [projections.mind(real, fake)]


def neighbours(options):
    from tfgans.evaluate import scores

    draw = RandomFeatures(options.features).draw
    real, fake = draw(10000, options.features), draw(10000, options.features)
    return lambda: [*scores.precision_recall(real, fake, 3), *scores.density_coverage(real, fake, 5)]


def whole(metrics):
    def case(options):
        import tfgans.evaluate.features  # noqa: F401  (brings TensorFlow in)
        from tfgans.evaluate.evaluator import Evaluator

        chosen = {} if metrics is None else {"metrics": metrics}

        def run():
            with tempfile.TemporaryDirectory() as cache:
                features = RandomFeatures(options.features)
                evaluator = Evaluator(features, options.samples, cache_dir=cache, **chosen)
                return [evaluator(blank, BlankImages(options.samples))["fid"]]

        return run

    return case


CASES = {
    "mind": mind,
    "neighbours": neighbours,
    "evaluation": whole(None),
    "every_metric": whole(
        ["fid", "fid_infinity", "inception_score", "kid", "kid_subsets", "cmmd", "mind", "precision_recall"]
        + ["density_coverage", "memorization", "class_coverage"]
    ),
}


def measure(options):
    """What the child prints: a dictionary of numbers."""
    import numpy as np

    run = CASES[options.case[0]](options)
    before, spent = peak_bytes() / 1e6, []
    for _ in range(options.rounds if options.case[0] in ("mind", "neighbours") else 1):
        start = time.perf_counter(), time.process_time()
        assert np.isfinite(run()).all()
        spent.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    clock, processor = np.median(spent, axis=0)
    peak = peak_bytes() / 1e6
    return {
        "seconds": round(clock, 2),
        "processor_seconds": round(processor, 2),
        "peak_megabytes": round(peak),
        "megabytes_besides": round(peak - before),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=CASES, help="all by default")
    parser.add_argument("--samples", type=int, default=50000, help="a side, of whole evaluations")
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return
    rows = {}
    for case in options.case or CASES:
        # A fork's peak counts its parent's memory: the parent stays small.
        command = [sys.executable, __file__, "--child", f"--case={case}", f"--samples={options.samples}"]
        command += [f"--features={options.features}", f"--rounds={options.rounds}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows[case] = json.loads(done.stdout.splitlines()[-1])
    print(f"{'seconds':>9} {'processor':>10} {'peak MB':>8} {'besides':>8}  case")
    for case, row in rows.items():
        seconds = f"{row['seconds']:9.2f} {row['processor_seconds']:10.2f}"
        print(f"{seconds} {row['peak_megabytes']:8,} {row['megabytes_besides']:8,}  {case}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
