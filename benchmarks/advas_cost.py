"""Seconds per generator update of AdvAs over those without, beside its cost model.

    python benchmarks/advas_cost.py [--width=32] [--layers=10] [--batch_size=32] [--jit] [--rounds=5] [--updates=4]

A generator and a discriminator of as many 3x3 convolutions each, whose forwards cost the same, on random images; at
one, two and five discriminator steps, with and without a gradient penalty. With and without AdvAs take turns. The
model counts passes: a forward, a gradient of weights and one of inputs cost the same; to reverse a gradient of
weights costs two. Prints a table, then one JSON object.
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

from tfgans import losses
from tfgans.evaluate import cost
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.regularized import GradientPenaltyGAN

# Passes by (generator, discriminator) of one discriminator step, and of the generator's without and with AdvAs.
PASSES = {
    False: {"discriminator": (1, 6), "generator": (3, 2), "advas": (5, 11)},
    True: {"discriminator": (1, 12), "generator": (3, 2), "advas": (5, 25)},
}
SIZE, LATENT = 16, 16


def networks(width, layers):
    """Two stacks of `layers` convolutions on 16x16 maps, LeakyReLU between them, no norms."""

    def stack(x):
        for _ in range(layers):
            x = keras.layers.Conv2D(width, 3, padding="same", kernel_initializer="he_normal")(x)
            x = keras.layers.LeakyReLU(0.2)(x)
        return x

    latents, images = keras.Input((LATENT,)), keras.Input((SIZE, SIZE, width))
    x = keras.layers.Reshape((SIZE, SIZE, 1))(keras.layers.Dense(SIZE**2)(latents))
    generator = keras.Model(latents, keras.layers.Activation("tanh")(stack(x)))
    return generator, keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(stack(images))))


class Update(Contender):
    """One model of the comparison."""

    def __init__(self, steps, penalty, advas, options):
        self.name = f"{steps} {'penalty' if penalty else ''} {'AdvAs' if advas else ''}"
        methods = [GradientPenaltyGAN] * penalty + [AdvAsGAN] * advas
        self.model = compose(*methods)(
            *networks(options.width, options.layers),
            discriminator_steps=steps,
            discriminator_loss=losses.wasserstein_discriminator,
            generator_loss=losses.wasserstein_generator,
        )
        self.model.compile(keras.optimizers.SGD(1e-6), keras.optimizers.SGD(1e-6), jit_compile=options.jit)
        self.start(options.batch_size)


def predicted(steps, penalty, generator=1.0, discriminator=1.0):
    """The model's overhead of an update, for forwards of the two networks that cost these."""
    price = {
        part: passes[0] * generator + passes[1] * discriminator for part, passes in PASSES[penalty].items()
    }
    before = steps * price["discriminator"]
    return (before + price["advas"]) / (before + price["generator"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=32, help="channels of every map")
    parser.add_argument("--layers", type=int, default=10, help="convolutions of each network")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument(
        "--steps", type=int, action="append", help="discriminator steps; 1, 2 and 5 if not given"
    )
    parser.add_argument("--jit", action="store_true", help="compile with XLA")
    parser.add_argument("--rounds", type=int, default=5, help="counted turns of each model")
    parser.add_argument("--updates", type=int, default=4, help="generator updates a turn")
    options = parser.parse_args()
    rows = []
    print("steps  penalty  s/update  with AdvAs  overhead  model (G as D)  measured / model")
    for penalty in (False, True):
        for steps in options.steps or (1, 2, 5):
            pair = [Update(steps, penalty, advas, options) for advas in (False, True)]
            measure(pair, options.rounds, options.updates)
            overhead = statistics.median(b / a for a, b in zip(pair[0].seconds, pair[1].seconds, strict=True))
            both = [cost.macs(network) for network in (pair[0].model.generator, pair[0].model.discriminator)]
            model, ideal = predicted(steps, penalty, *both), predicted(steps, penalty)
            medians = [statistics.median(one.seconds) for one in pair]
            print(
                f"{steps:<5}  {'yes' if penalty else 'no':<7}  {medians[0]:8.4f}  {medians[1]:10.4f}  "
                f"{overhead:8.2f}  {model:5.2f} ({ideal:.2f})    {overhead / model:16.2f}"
            )
            rows.append(
                {"discriminator_steps": steps, "gradient_penalty": penalty, "seconds": medians}
                | {"overhead": round(overhead, 3), "model": round(model, 3), "model_equal": round(ideal, 3)}
            )
    print(json.dumps({**vars(options), "results": rows}))


if __name__ == "__main__":
    main()
