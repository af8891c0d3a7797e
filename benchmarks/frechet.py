"""Frechet distance: seconds against TF-GAN's and scipy's, and the memory of a streamed evaluation.

    python benchmarks/frechet.py [--features=2048] [--samples=10000] [--rounds=1] [--stream=50000]

Prints a table, then one JSON object. The contenders take turns within each round on the same random
features (a spectrum that falls as Inception's does). `--stream=0` leaves the memory part out.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from absl import app, flags

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
    return np.maximum((random.standard_normal((samples, width)).astype(np.float32) * scale) @ mix + 0.1 * seed, 0)


def ours(real, fake):
    from tfgans.evaluate.frechet import Moments, frechet_distance

    width = real.shape[1]
    return frechet_distance(Moments(width).update(real), Moments(width).update(fake))


def tfgan_own(real, fake):
    from tfgans.evaluate import tfgan

    return float(tfgan.frechet_classifier_distance_from_activations(real, fake))


def scipy_sqrtm(real, fake):
    from scipy.linalg import sqrtm

    first, second = (np.cov(x.astype(np.float64), rowvar=False) for x in (real, fake))
    means = np.sum((real.mean(0, np.float64) - fake.mean(0, np.float64)) ** 2)
    return float(means + np.trace(first) + np.trace(second) - 2 * np.trace(sqrtm(first @ second).real))


def distance_alone(real, fake):
    """Seconds of our distance once the moments are there."""
    from tfgans.evaluate.frechet import Moments, frechet_distance

    moments = [Moments(x.shape[1]).update(x) for x in (real, fake)]
    start = time.perf_counter()
    frechet_distance(*moments)
    return time.perf_counter() - start


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
    result = {
        name: {"seconds": medians[name], "distance": values[name], "times_ours": medians[name] / medians["tfgans"]}
        for name in contenders
    }
    result["tfgans"]["seconds_without_moments"] = distance_alone(real, fake)
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


def peak_megabytes():
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


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
    result["distance"] = race()
    print(f"{FLAGS.samples} x {FLAGS.features}, median of {FLAGS.rounds}")
    print(f"{'':14}{'seconds':>10}{'x ours':>10}{'distance':>14}")
    for name, row in result["distance"].items():
        print(f"{name:14}{row['seconds']:10.2f}{row['times_ours']:10.1f}{row['distance']:14.5f}")
    alone = result["distance"]["tfgans"]["seconds_without_moments"]
    print(f"ours, moments given: {alone:.2f} s")
    if FLAGS.stream:
        result["stream"] = {"vectors": FLAGS.stream, **stream()}
        row = result["stream"]
        print(
            f"evaluation streaming 2 x {FLAGS.stream} x {FLAGS.features}, all metrics: {row['seconds']:.1f} s, "
            f"peak {row['peak_megabytes']:.0f} MB ({row['megabytes_before']:.0f} MB of it before it began)"
        )
    print(json.dumps(result))


if __name__ == "__main__":
    app.run(main)
