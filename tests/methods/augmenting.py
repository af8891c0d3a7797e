"""Models with the augmenting methods, trained for a few steps."""

import functools

import keras
import numpy as np
import tensorflow as tf
import toys

from tfgans.augment.pipe import AugmentPipe
from tfgans.gan import GAN

ALWAYS = {"ada_target": -1.0, "ada_interval": 1, "ada_speed": 0.016}  # p goes up by 1/2 at each step of 8
SOME = {"apa_target": -1.0, "apa_interval": 1, "apa_speed": 0.016, "pseudo_batch_size": 8}
INFINITE = float("inf")


def make(cls, seed=0, compiled=False, xla=False, **options):
    """Steps run eagerly, in a fifth of the time that it takes to trace them, unless they are to be compiled."""
    networks = toys.image_networks(batch_norm=False)
    if options.pop("conditional", False):
        networks, options = toys.image_networks(3, batch_norm=False), options | {"num_classes": 3}
    model = cls(*networks, seed=seed, **options)
    sgd = (keras.optimizers.SGD(0.1, momentum=0.5) for _ in range(2))
    model.compile(*sgd, run_eagerly=not compiled, jit_compile=xla)
    return model


def train(model, steps=3, seed=0):
    count = 8 * steps * model.batches_per_step
    data = (toys.images(count, seed), np.arange(count, dtype="int32") % 3)
    model.fit(*data[: 2 if model.num_classes else 1], batch_size=count // steps, shuffle=False, verbose=0)
    return model


def weights(model):
    return model.generator.get_weights() + model.discriminator.get_weights()


def assert_equal(first, second, **tolerance):
    for a, b in zip(weights(first), weights(second), strict=True):
        np.testing.assert_allclose(a, b, **({"atol": 0, "rtol": 0} | tolerance))


@functools.cache
def base_values():
    return toys.values(train(make(GAN)))


def batches(model):
    """A real and a fake batch as the discriminator's losses get them."""
    model.split_batch(tf.constant(toys.images(8)))
    return model.split_batch(tf.constant(toys.images(8)))[0], model.sample(8)


PIPE = {"ada_pipe": AugmentPipe("blit,geom,color,noise,cutout")}  # the filter wants larger images
