"""Milliseconds of a batch norm and its gradient on one thread, by channels, in float32 and in bfloat16.

    python benchmarks/narrow_norms.py [--channels=8,20,32,100,128] [--batch_size=64] [--side=32] [--rounds=5]

bfloat16 is timed by TensorFlow's kernel for it and as `tfgans.layers.batch_norm` does it. On processors that kernel
is slow where channels are no multiple of 16. The ways take turns; each figure is the fastest of its rounds.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import tensorflow as tf

from tfgans.layers import batch_norm

EPSILON = 1e-5
# name: the dtype of the maps, and what normalizes them
WAYS = {
    "float32": (tf.float32, batch_norm.batch_normalized),
    "bfloat16, kernel": (tf.bfloat16, batch_norm.by_kernel),
    "bfloat16, ours": (tf.bfloat16, batch_norm.batch_normalized),
}


def norm_with_gradient(normalized, maps):
    """A compiled call that normalizes maps and takes the gradient by them."""
    gamma, beta = tf.ones(maps.shape[-1]), tf.zeros(maps.shape[-1])

    @tf.function
    def call():
        with tf.GradientTape() as tape:
            tape.watch(maps)
            outputs, *_ = normalized(maps, gamma, beta, EPSILON)
        return tape.gradient(outputs, maps, maps)

    return call


def milliseconds(shape, rounds):
    """{way: milliseconds} for maps of a shape."""
    maps = tf.random.stateless_normal(shape, (0, 0))
    calls = {
        name: norm_with_gradient(normalized, tf.cast(maps, dtype))
        for name, (dtype, normalized) in WAYS.items()
    }
    found = {name: [] for name in calls}
    for _ in range(rounds + 1):  # the first compiles
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            found[name].append(time.perf_counter() - began)
    return {name: 1e3 * min(seconds[1:]) for name, seconds in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", default="8,20,32,100,128", help="joined by commas")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--side", type=int, default=32, help="of the maps, in pixels")
    parser.add_argument("--rounds", type=int, default=5, help="counted turns of each way")
    options = parser.parse_args()
    print("channels  " + "  ".join(WAYS))
    for channels in map(int, options.channels.split(",")):
        times = milliseconds((options.batch_size, options.side, options.side, channels), options.rounds)
        print(f"{channels:8d}  " + "  ".join(f"{times[name]:{len(name)}.2f}" for name in WAYS))


if __name__ == "__main__":
    main()
