"""Frechet distance: seconds against TF-GAN's and scipy's, and the memory of a streamed evaluation.

    python benchmarks/frechet.py [--features=2048] [--samples=10000] [--rounds=1] [--stream=50000]

Prints a table, then one JSON object. The contenders take turns within each round on the same random
features (a spectrum that falls as Inception's does). `--stream=0` leaves the memory part out.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from absl import app, flags
from memory import peak_megabytes

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

flags.DEFINE_integer("features", 2048, "Width of a feature vector.", lower_bound=1)
flags.DEFINE_integer("samples", 10000, "Vectors in each set.", lower_bound=2)
flags.DEFINE_integer("rounds", 1, "Measurements of each contender.", lower_bound=1)
flags.DEFINE_boolean("scipy", True, "Whether to time scipy.linalg.sqrtm, the slowest.")
flags.DEFINE_integer("stream", 50000, "Vectors a side of the memory measurement; 0 for none.")
flags.DEFINE_boolean("stream_child", False, "Internal: be the measured process.")
FLAGS = flags.FLAGS


def make_features(samples, width, seed):
    random = np.random.RandomState(seed)
    scale = np.exp(-np.arange(width) * 6 / width).astype(np.float32)
    mix = np.random.RandomState(0).normal(size=(width, width)).astype(np.float32) / np.sqrt(width)
    draws = random.standard_normal((samples, width)).astype(np.float32) * scale
    return np.maximum(draws @ mix + 0.1 * seed, 0)


def ours(real, fake):
    from tfgans.evaluate.frechet import Moments, frechet_distance

    width = real.shape[1]
    return frechet_distance(Moments(width).update(real), Moments(width).update(fake))


def tfgan_own(real, fake):
    from tfgans.evaluate import tensorflow_gan

    return float(tensorflow_gan.frechet_classifier_distance_from_activations(real, fake))


def scipy_sqrtm(real, fake):
    from scipy.linalg import sqrtm

    first, second = (np.cov(x.astype(np.float64), rowvar=False) for x in (real, fake))
    means = np.sum((real.mean(0, np.float64) - fake.mean(0, np.float64)) ** 2)
    return float(means + np.trace(first) + np.trace(second) - 2 * np.trace(sqrtm(first @ second).real))


def moments_given(real, fake):
    """Seconds of our distance and of TF-GAN's once the moments are there, as in a streamed evaluation."""
    from tfgans.evaluate import tensorflow_gan
    from tfgans.evaluate.frechet import Moments, frechet_distance

    moments = [Moments(x.shape[1]).update(x) for x in (real, fake)]
    trace = tensorflow_gan.module("classifier_metrics").trace_sqrt_product
    covariances = [each.covariance for each in moments]
    start = time.perf_counter()
    frechet_distance(*moments)
    middle = time.perf_counter()
    float(trace(*covariances))
    return {"tfgans": middle - start, "tf-gan": time.perf_counter() - middle}


def race():
    real, fake = (make_features(FLAGS.samples, FLAGS.features, seed) for seed in (1, 2))
    contenders = {"tfgans": ours, "tf-gan": tfgan_own}
    if FLAGS.scipy:
        contenders["scipy sqrtm"] = scipy_sqrtm
    small = make_features(50, 10, 1)
    for function in contenders.values():  # imports and traces are not what is measured
        function(small, small)
    seconds, values = {name: [] for name in contenders}, {}
    for _ in range(FLAGS.rounds):
        for name, function in contenders.items():
            start = time.perf_counter()
            values[name] = function(real, fake)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    given = [moments_given(real, fake) for _ in range(FLAGS.rounds)]
    result = {}
    for name in contenders:
        ratio = medians[name] / medians["tfgans"]
        result[name] = {"seconds": medians[name], "times_ours": ratio, "distance": values[name]}
        if name in given[0]:
            result[name]["seconds_moments_given"] = float(np.median([times[name] for times in given]))
    return result


class RandomFeatures:
    """Stands in for Inception: 2048 features and 1008 logits an image, from nothing."""

    name = "random"

    def __init__(self, width):
        self.width, self.random = width, np.random.default_rng(0)

    def fingerprint(self):
        return "random"

    def __call__(self, images):
        count = len(images)
        features = self.random.standard_normal((count, self.width), np.float32)
        return {"features": features, "logits": self.random.standard_normal((count, 1008), np.float32)}


class BlankImages:
    def reference_size(self):
        return FLAGS.stream

    def reference(self):
        for start in range(0, FLAGS.stream, 256):
            yield np.zeros((min(256, FLAGS.stream - start), 8, 8, 3), np.uint8), None

    def fingerprint(self):
        return "blank"


def stream_child():
    """A whole evaluation with every default metric on; its peak memory includes TensorFlow's own."""
    import tempfile

    from tfgans.evaluate.evaluator import Evaluator
    from tfgans.evaluate.features import InceptionFeatures  # noqa: F401  (brings TensorFlow in)

    before = peak_megabytes()
    with tempfile.TemporaryDirectory() as cache:
        evaluator = Evaluator(RandomFeatures(FLAGS.features), FLAGS.stream, cache_dir=cache)
        start = time.perf_counter()
        result = evaluator(lambda count: np.zeros((count, 8, 8, 3), np.uint8), BlankImages())
    assert np.isfinite(result["fid"])
    report = {"seconds": time.perf_counter() - start, "peak_megabytes": peak_megabytes()}
    print(json.dumps(report | {"megabytes_before": before}))


def stream():
    command = [sys.executable, __file__, f"--features={FLAGS.features}", f"--stream={FLAGS.stream}"]
    child = subprocess.run([*command, "--stream_child"], capture_output=True, text=True)
    if child.returncode:
        raise RuntimeError(f"the streaming process failed: {child.stderr[-2000:]}")
    return json.loads(child.stdout.splitlines()[-1])


def main(_):
    if FLAGS.stream_child:
        stream_child()
        return
    result = {"features": FLAGS.features, "samples": FLAGS.samples, "rounds": FLAGS.rounds}
    if FLAGS.stream:  # first: a child's peak counts its parent's memory at the fork
        result["stream"] = {"vectors": FLAGS.stream, **stream()}
        row = result["stream"]
        print(
            f"streamed evaluation, 2 x {FLAGS.stream} x {FLAGS.features}, default metrics: "
            f"{row['seconds']:.1f} s, peak {row['peak_megabytes']:.0f} MB, of which "
            f"{row['megabytes_before']:.0f} MB before it began"
        )
    result["distance"] = race()
    print(f"{FLAGS.samples} x {FLAGS.features}, median of {FLAGS.rounds}")
    print(f"{'':14}{'seconds':>10}{'x ours':>10}{'moments given':>16}{'distance':>14}")
    for name, row in result["distance"].items():
        given = f"{row['seconds_moments_given']:.2f}" if "seconds_moments_given" in row else "-"
        print(f"{name:14}{row['seconds']:10.2f}{row['times_ours']:10.1f}{given:>16}{row['distance']:14.5f}")
    print(json.dumps(result))


if __name__ == "__main__":
    app.run(main)
