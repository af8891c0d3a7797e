"""Seconds per generator update of octave networks over those of the same networks without an octave.

    python benchmarks/octave_cost.py [--alpha=0.5] [--resolution=64] [--channels=64] [--batch_size=32] [--jit]

The octave DCGAN beside itself with alpha = 0, and the residual SNGAN beside its conversion by `to_octave`, one
discriminator step each, on random images, in turns. Beside the ratio of times stands that of multiply-adds, of both
networks' forwards. Prints a table, then one JSON object.
"""

import argparse
import json
import os
import statistics
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import keras
from step_time import Contender, measure

from tfgans.evaluate import cost
from tfgans.gan import GAN
from tfgans.methods.octave.convert import to_octave
from tfgans.methods.octave.networks import octave_discriminator, octave_generator
from tfgans.networks.resnet import resnet_discriminator, resnet_generator


class Pair(Contender):
    """A generator and a discriminator as a compiled GAN."""

    def __init__(self, name, generator, discriminator, batch_size, jit):
        self.name = name
        self.macs = cost.macs(generator) + cost.macs(discriminator)
        self.model = GAN(generator, discriminator)
        self.model.compile(keras.optimizers.Adam(2e-4), keras.optimizers.Adam(2e-4), jit_compile=jit)
        self.start(batch_size)


def pairs(options):
    """(vanilla, octave) of the DCGAN and of the SNGAN."""

    def dcgan(alpha):
        sizes = {"resolution": options.resolution, "base_channels": options.channels, "alpha": alpha}
        return octave_generator(**sizes), octave_discriminator(**sizes)

    sizes = {"resolution": options.resolution, "base_channels": options.channels}
    residual = resnet_generator(**sizes), resnet_discriminator(**sizes)
    octave = tuple(to_octave(network, options.alpha) for network in residual)
    make = lambda name, networks: Pair(name, *networks, options.batch_size, options.jit)  # noqa: E731
    return [
        (make("DCGAN", dcgan(0.0)), make("octave DCGAN", dcgan(options.alpha))),
        (make("SNGAN", residual), make("octave SNGAN", octave)),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alpha", type=float, default=0.5, help="share of low channels")
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--channels", type=int, default=64, help="of the widest maps' resolution")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--jit", action="store_true", help="with XLA")
    parser.add_argument("--rounds", type=int, default=5, help="counted turns of each")
    parser.add_argument("--updates", type=int, default=3, help="generator updates a turn")
    options = parser.parse_args()
    rows = []
    for vanilla, octave in pairs(options):
        measure([vanilla, octave], options.rounds, options.updates)
        ratios = [a / b for a, b in zip(octave.seconds, vanilla.seconds, strict=True)]
        rows.append(
            {
                "network": vanilla.name,
                "vanilla_seconds": round(statistics.median(vanilla.seconds), 4),
                "octave_seconds": round(statistics.median(octave.seconds), 4),
                "ratio": round(statistics.median(ratios), 3),
                "macs_ratio": round(octave.macs / vanilla.macs, 3),
            }
        )
    print(f"{'network':<10} {'vanilla s':>10} {'octave s':>10} {'ratio':>7} {'of MACs':>8}")
    for row in rows:
        print(
            "{network:<10} {vanilla_seconds:10.4f} {octave_seconds:10.4f} {ratio:7.3f} {macs_ratio:8.3f}".format(
                **row
            )
        )
    print(json.dumps({**vars(options), "results": rows}))


if __name__ == "__main__":
    main()
