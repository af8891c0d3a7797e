"""Bytes that replicas exchange for a generator update, and what that takes on 8 GPUs.

    python benchmarks/communication.py [--experiment=advas/digits ...] [--gin_param=...] [--steps=16] [--gpus=8]

Experiments are those of docs/configurations.md; others are --configuration=F.gin or
--configuration='--gin_file=A.gin --gin_file=B.gin'.

Each configuration is built on two logical CPU devices and its steps are traced, not run; every mean over replicas
is counted where TensorFlow hands it to what exchanges it: gradients of the updates, gradients that AdvAs and other
methods take means of inside the tape, the gradients of those, statistics of batch norms. The logs, some twenty
numbers, are not. What is done every few steps counts by its share of the first `--steps` updates, and what a loop in
TensorFlow exchanges counts once (only AdvAs's estimator "unbiased" has one).

The seconds are those of a ring: each GPU sends and receives 2 (n - 1) / n times the bytes, at 300 GB/s (NVLink of an
A100, one direction) or 1.25 GB/s (10 gigabit Ethernet, one GPU a machine). Latency, of which the exchanges tell
something, and what overlaps with computation are left out. Prints a table, then one JSON object.
"""

import argparse
import json
import math
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import gin
import numpy as np
import tensorflow as tf
from gpu_configurations import flags

from tfgans.compare import plan
from tfgans.run import build

EXPERIMENTS = [
    "base/cifar10",
    "advas/mnist_wgan_gp_baseline",
    "advas/mnist_wgan_gp",
    "advas/cifar10_autogan",
    "fastgan/cifar10",
    "regan/cifar10_sngan",
    "regan/cifar10_rggan",
    "r3gan/cifar10",
    "stylegan2/cifar10_ada",
    "stylegan2/photos64",
    "octave/digits_combi",
    "progan/digits32",
    "alphagan/digits32_search",
]
BYTES_PER_SECOND = {"nvlink": 300e9, "ethernet": 1.25e9}


class Counting(tf.distribute.ReductionToOneDevice):
    """Exchanges between replicas, whose bytes and number are counted as a step is traced."""

    bytes = exchanges = 0

    def reduce_implementation(self, reduce_op, per_replica_value, destinations, options):
        mine = getattr(per_replica_value, "values", [per_replica_value])[0]
        self.bytes += mine.dtype.size * math.prod(mine.shape)
        self.exchanges += 1
        return super().reduce_implementation(reduce_op, per_replica_value, destinations, options)

    def counted(self, function):
        """`(bytes, exchanges)` of what is traced in a call."""
        self.bytes = self.exchanges = 0
        function()
        return self.bytes, self.exchanges


def built(strategy, configuration, gin_params):
    """`(model, batch size over all replicas)` of a configuration; data sets need not be there."""
    files, own = plan.parts(configuration)
    build.prepare(files, [*own, *gin_params])
    batch_size = gin.get_bindings("Dataset").get("batch_size", 64)
    with strategy.scope():
        model = build.build(seed=build.numerics())
        model.expect_batch(batch_size)
    return model, batch_size


def shares_of_batch(strategy, model, batch_size):
    """What each replica takes of a batch of zeros."""
    shape = (model.batches_per_step, batch_size // strategy.num_replicas_in_sync)
    batch = {"images": np.zeros((*shape, *model.sample_shape), "float32")}
    if model.num_classes:
        batch["labels"] = np.zeros(shape, "int32")
    return strategy.experimental_distribute_values_from_function(
        lambda context: {name: tf.constant(value) for name, value in batch.items()}
    )


def parts_of(model, step):
    """Makes ready each part of generator update `step`; gives its kind and whether it takes data."""
    if not hasattr(model, "phases"):
        yield model.choose_step(step), True
        return
    for phase, number in model.phases(step):
        yield model.choose_phase(phase, number), phase not in ("copy", "end")


def exchanged(strategy, counting, model, batch, steps):
    """`(bytes, exchanges)` of a generator update, the mean over the first `steps`."""
    found, total = {}, np.zeros(2)
    for step in range(steps):
        for kind, takes_data in parts_of(model, step):
            if kind not in found:
                given = (batch,) if takes_data else ((),)
                traced = tf.function(lambda *data: strategy.run(model.train_step, data), autograph=False)
                found[kind] = counting.counted(lambda: traced.get_concrete_function(*given))  # noqa: B023
            total += found[kind]
    return (total / steps).tolist()


def row_of(name, configuration, options, strategy, counting):
    """What the table says of a configuration."""
    model, batch_size = built(strategy, configuration, options.gin_param)
    batch = shares_of_batch(strategy, model, batch_size)
    sent, exchanges = exchanged(strategy, counting, model, batch, options.steps)
    weights = {
        name: sum(v.dtype.size * math.prod(v.shape) for v in map(as_tensor, network.trainable_variables))
        for name, network in (("generator", model.generator), ("discriminator", model.discriminator))
    }
    of_ring = 2 * (options.gpus - 1) / options.gpus * sent
    seconds = {f"{name}_seconds": of_ring / rate for name, rate in BYTES_PER_SECOND.items()}
    about = {"name": name, "bytes": round(sent), "exchanges": round(exchanges, 1)}
    return about | {f"{name}_bytes": size for name, size in weights.items()} | seconds


def as_tensor(variable):
    """The first replica's value."""
    return tf.convert_to_tensor(variable.value)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiment", action="append", default=[], help="may be given several times")
    parser.add_argument("--configuration", "--gin_file", action="append", default=[], help="as --experiment")
    parser.add_argument("--gin_param", action="append", default=[], help="for every configuration")
    parser.add_argument("--steps", type=int, default=16, help="generator updates to take the mean of")
    parser.add_argument("--gpus", type=int, default=8)
    options = parser.parse_args()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    counting = Counting()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], counting)
    experiments = options.experiment or ([] if options.configuration else EXPERIMENTS)
    asked = {name: flags(name) for name in experiments} | {each: each for each in options.configuration}
    form = "{:<46} {:>8} {:>8} {:>10} {:>9} {:>10} {:>12}"
    print(form.format("", "G, MB", "D, MB", "MB/update", "exchanges", "NVLink, ms", "Ethernet, ms"))
    rows = []
    for name, configuration in asked.items():
        rows.append(row_of(name, configuration, options, strategy, counting))
        values = rows[-1]
        sizes = [f"{values[key] / 1e6:.2f}" for key in ("generator_bytes", "discriminator_bytes", "bytes")]
        times = [f"{values[f'{key}_seconds'] * 1e3:.3g}" for key in BYTES_PER_SECOND]
        print(form.format(name[-46:], *sizes, f"{values['exchanges']:.0f}", *times), flush=True)
    print(json.dumps({"steps": options.steps, "gpus": options.gpus, "results": rows}))


if __name__ == "__main__":
    main()
