"""A tiny AlphaGAN search for the tests, and its phases one by one."""

import keras
import numpy as np
import tensorflow as tf
import toys

from tfgans import losses
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.spaces.autogan.supernet import alphagan_supernet

HINGE = {"discriminator_loss": losses.hinge_discriminator, "generator_loss": losses.hinge_generator}
SMALL = {"weight_steps": 3, "test_steps": 2, "architecture_steps": 2}
BATCH = 4


def supernet(seed=0):
    keras.utils.set_random_seed(seed)
    return alphagan_supernet(
        resolution=8,
        channels=1,
        latent_dim=4,
        base_channels=2,
        normal_operations=("conv_1x1", "conv_3x3"),  # run as one convolution
        up_operations=("deconv", "nearest"),
    )


def critic():
    images = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, 2, activation="softplus")(images)
    return keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(x)))


def make(cls=AlphaGAN, seed=0, discriminator=None, compiled=(), **options):
    options = (SMALL if cls is AlphaGAN else {}) | HINGE | options
    generator = supernet(seed)
    model = cls(generator, discriminator or critic(), **options)
    sgd = lambda: keras.optimizers.SGD(1e-2, momentum=0.5)  # noqa: E731, a third of Adam's time
    model.compile(sgd(), sgd(), **{"run_eagerly": True} | dict(compiled))
    return model


def data(model, first, last):
    """The batches of outer steps `first` to `last`: a function of their place alone."""
    taken = [sum(model.batches_of(step)) for step in range(last)]
    begin, end = sum(taken[:first]), sum(taken)
    draw = lambda i: np.random.default_rng(i).uniform(-1, 1, (1, BATCH, 8, 8, 1))  # noqa: E731
    images = np.stack([draw(i) for i in range(begin, end)]).astype("float32")
    return tf.data.Dataset.from_tensor_slices({"images": images})


def fit(model, first, last):
    return toys.fitted(model, data(model, first, last), steps_per_epoch=last - first)


def run_phase(model, phase, seed=0):
    """One phase, as the loop runs it, outside of it."""
    model.choose_phase(phase, 0)
    images = np.random.default_rng(seed).uniform(-1, 1, (1, BATCH, 8, 8, 1)).astype("float32")
    return model.train_step(() if phase in ("copy", "end") else {"images": tf.constant(images)})


def weights(network):
    return [v.numpy() for v in network.weights]


def changed(before, network):
    return [not np.array_equal(a, b) for a, b in zip(before, weights(network), strict=True)]
