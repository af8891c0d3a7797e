"""Frechet distance: seconds against torch-fidelity's algorithm, TF-GAN's and scipy's square root of a matrix.

    python benchmarks/frechet.py [--features=2048] [--samples=10000] [--rounds=2] [--rivals=torch-fidelity,scipy]

The contenders take turns within each round on the same random features (a spectrum that falls as Inception's does),
from features to means and covariances, then from these to the distance. Prints a table, then one JSON object.
Processor seconds stand beside those of the clock: on a machine that others use, too, they are what says something,
and OPENBLAS_NUM_THREADS=1 in the environment keeps waiting threads out of them.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from absl import app, flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def make_features(samples, width, seed):
    random = np.random.RandomState(seed)
    scale = np.exp(-np.arange(width) * 6 / width).astype(np.float32)
    mix = np.random.RandomState(0).normal(size=(width, width)).astype(np.float32) / np.sqrt(width)
    draws = random.standard_normal((samples, width)).astype(np.float32) * scale
    return np.maximum(draws @ mix + 0.1 * seed, 0)


def our_moments(features):
    from tfgans.evaluate.frechet import Moments

    return Moments(features.shape[1]).update(features)


def our_distance(first, second):
    from tfgans.evaluate.frechet import frechet_distance

    return frechet_distance(first, second)


def mean_and_covariance(features):
    """As torch-fidelity, pytorch-fid and clean-fid have them."""
    return features.mean(axis=0), np.cov(features, rowvar=False)


def with_trace(trace_of_root):
    """The distance of `(mean, covariance)` twice by a function that gives tr (S1 S2)^1/2."""

    def distance(first, second):
        means = np.sum((first[0] - second[0]) ** 2, dtype=np.float64)
        traces = np.trace(first[1]) + np.trace(second[1])
        return float(means + traces - 2.0 * trace_of_root(first[1], second[1]))

    return distance


def by_eigenvalues(first, second):
    """torch-fidelity 0.4: eigenvalues of the product, which is not symmetric, without vectors."""
    return np.sqrt(np.linalg.eigvals(first @ second).astype(np.complex128)).real.sum()


def by_tfgan(first, second):
    from tfgans.evaluate import tensorflow_gan

    return float(tensorflow_gan.module("classifier_metrics").trace_sqrt_product(first, second))


def by_scipy(first, second):
    from scipy.linalg import sqrtm

    return np.trace(sqrtm(first @ second).real)


RIVALS = {"torch-fidelity": by_eigenvalues, "tf-gan": by_tfgan, "scipy": by_scipy}

flags.DEFINE_integer("features", 2048, "Width of a feature vector.", lower_bound=1)
flags.DEFINE_integer("samples", 10000, "Vectors in each set.", lower_bound=2)
flags.DEFINE_integer("rounds", 2, "Measurements of each contender.", lower_bound=1)
flags.DEFINE_list("rivals", list(RIVALS), f"Of {', '.join(RIVALS)}.")
FLAGS = flags.FLAGS


def clocks():
    return np.array([time.perf_counter(), time.process_time()])


def timed(contender, real, fake):
    """`(distance, seconds)`, of which [statistics or distance, clock or processor]."""
    statistics, distance = contender
    start = clocks()
    pair = statistics(real), statistics(fake)
    middle = clocks()
    value = distance(*pair)
    return value, np.array([middle - start, clocks() - middle])


def race():
    real, fake = (make_features(FLAGS.samples, FLAGS.features, seed) for seed in (1, 2))
    contenders = {"tfgans": (our_moments, our_distance)}
    contenders |= {name: (mean_and_covariance, with_trace(RIVALS[name])) for name in FLAGS.rivals}
    small = make_features(50, 10, 1)
    for contender in contenders.values():  # imports and traces are not what is measured
        timed(contender, small, small)
    seconds, values = {name: [] for name in contenders}, {}
    for _ in range(FLAGS.rounds):
        for name, contender in contenders.items():
            values[name], spent = timed(contender, real, fake)
            seconds[name].append([*spent, spent.sum(axis=0)])
    medians = {name: np.median(times, axis=0) for name, times in seconds.items()}
    parts, units = ("statistics", "distance", "whole"), ("seconds", "processor_seconds")
    result = {}
    for name, times in medians.items():
        row, ratios = {"value": values[name]}, times / medians["tfgans"]
        for i, part in enumerate(parts):
            row[part] = dict(zip(units, times[i].tolist(), strict=True))
            row[part] |= {f"{unit}_times_ours": ratios[i, j] for j, unit in enumerate(units)}
        result[name] = row
    return result


def main(_):
    strange = [name for name in FLAGS.rivals if name not in RIVALS]
    if strange:
        raise app.UsageError(f"--rivals are of {', '.join(RIVALS)}. Received: {strange[0]}")
    result = {"features": FLAGS.features, "samples": FLAGS.samples, "rounds": FLAGS.rounds}
    result["contenders"] = race()
    print(f"2 x {FLAGS.samples} x {FLAGS.features}, medians of {FLAGS.rounds}: seconds and times ours")
    print(f"{'':34}{'of the clock':>16}{'of processors':>16}")
    for part in ("statistics", "distance", "whole"):
        for name, row in result["contenders"].items():
            numbers = "".join(f"{value:8.2f}" for value in _ordered(row[part]))
            print(f"{part:12}{name:16}{row['value']:12.6f}{numbers}")
    print(json.dumps(result))


def _ordered(part):
    return [part[f"{unit}{end}"] for unit in ("seconds", "processor_seconds") for end in ("", "_times_ours")]


if __name__ == "__main__":
    app.run(main)
