"""Milliseconds of a forward and backward pass of StyleGAN2's networks, and of ADA's transforms.

    python benchmarks/stylegan2_cost.py [--resolution=64] [--batch_size=8] [--max_channels=128] [--profile]
        [--pipes=bgc,bgcfnc]

The sum of a network's outputs, differentiated by all of its weights and by its input, in graph mode or with --jit.
Transforms are differentiated by the images. All take turns. Prints a table, with --profile the operations that take
longest, then one JSON object. The same in PyTorch: `loss = net(x).sum(); loss.backward()` in eager mode.
"""

import argparse
import json
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import tensorflow as tf
from op_profile import operation_times

from tfgans.augment.pipe import AugmentPipe
from tfgans.evaluate import cost
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator


def forward_backward(network, inputs, jit):
    """A function that runs one pass, and compiled already."""

    @tf.function(jit_compile=jit)
    def run():
        variables = [v.value for v in network.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = network(inputs, training=True)
            outputs = outputs["adversarial"] if isinstance(outputs, dict) else outputs
            total = tf.reduce_sum(outputs)
        return tape.gradient(total, [*variables, inputs])

    run()
    return lambda: run()[-1].numpy()


def augmenting(operations, images, jit):
    """The same of a pipeline at a probability of 1/2, whose random numbers are drawn outside of what XLA compiles."""
    pipe, shape, count = AugmentPipe(operations), tuple(images.shape[1:]), images.shape[0]

    def draw(name, sizes):
        return (tf.random.normal if name.endswith("_n") else tf.random.uniform)([count, *sizes])

    @tf.function(jit_compile=jit)
    def change(transforms):
        with tf.GradientTape() as tape:
            tape.watch(images)
            total = tf.reduce_sum(pipe(images, transforms))
        return tape.gradient(total, images)

    @tf.function
    def run():
        draws = {name: draw(name, sizes) for name, sizes in pipe.draw_shapes(shape).items()}
        return change(pipe.transforms(draws, 0.5, shape))

    run()
    return lambda: run().numpy()


def measured(runs, rounds):
    """`{name: {"milliseconds", "fastest"}}` of functions that take turns; the first round does not count."""
    seconds = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return {
        name: {
            "milliseconds": round(1e3 * statistics.median(taken[1:]), 1),
            "fastest": round(1e3 * min(taken[1:]), 1),
        }
        for name, taken in seconds.items()
    }


def print_profiles(runs):
    for name, run in runs.items():
        times = operation_times(run)
        print(f"\n{name}: ms of operations, summed over threads")
        for kind, milliseconds in list(times.items())[:12]:
            print(f"  {milliseconds:8.1f}  {kind}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--channel_multiplier", type=int, default=1)
    parser.add_argument("--max_channels", type=int, default=128)
    parser.add_argument("--pipes", default="bgc", help="parts of ADA's pipeline, joined by commas")
    parser.add_argument("--jit", action="store_true", help="with XLA")
    parser.add_argument("--profile", action="store_true", help="the operations that take longest")
    parser.add_argument("--rounds", type=int, default=20, help="counted passes of each")
    options = parser.parse_args()
    sizes = {name: getattr(options, name) for name in ("resolution", "channel_multiplier", "max_channels")}
    generator, discriminator = stylegan2_generator(**sizes), stylegan2_discriminator(**sizes)
    latents = tf.random.normal((options.batch_size, generator.inputs[0].shape[-1]))
    images = tf.random.normal((options.batch_size, options.resolution, options.resolution, 3))
    runs = {
        "generator": forward_backward(generator, latents, options.jit),
        "discriminator": forward_backward(discriminator, images, options.jit),
    }
    pipes = [name for name in options.pipes.split(",") if name]
    runs |= {name: augmenting(name, images, options.jit) for name in pipes}
    results = measured(runs, options.rounds)
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        results[name]["macs"] = options.batch_size * cost.macs(network)
    print(f"{'network':<14} {'ms':>8} {'fastest':>8} {'forward GMACs':>14}")
    for name, row in results.items():
        print(f"{name:<14} {row['milliseconds']:8.1f} {row['fastest']:8.1f} {row.get('macs', 0) / 1e9:14.2f}")
    if options.profile:
        print_profiles(runs)
    print(json.dumps({**vars(options), "results": results}))


if __name__ == "__main__":
    main()
