"""Gradients of gradients through Keras's own norms, in a user's networks, against finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfgans import losses
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN

NORMS = {
    "batch": layers.BatchNormalization,
    "layer": layers.LayerNormalization,
    "group": lambda: layers.GroupNormalization(2),
    "own": lambda: layers.Lambda(
        lambda x: x / keras.ops.sqrt(1.0 + keras.ops.moments(x, [1, 2, 3], True)[1])
    ),
}
STEP = 1e-5


def made(cls, norm, **options):
    keras.utils.set_random_seed(1)
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(32, activation="tanh"), layers.Reshape((4, 4, 2))], name="generator"
    )
    conv = layers.Conv2D(4, 3, activation="softplus")
    discriminator = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            conv,
            NORMS[norm](),
            layers.Activation("softplus"),
            layers.Flatten(),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    wasserstein = dict(
        discriminator_loss=losses.wasserstein_discriminator, generator_loss=losses.wasserstein_generator
    )
    model = cls(generator, discriminator, **wasserstein, **options)
    model.compile("sgd", "sgd", run_eagerly=True)
    return model


def assert_slope(value, gradients, weights):
    """Of the function `value` of weights, which has these gradients, along a random direction."""
    random = np.random.default_rng(0)
    directions = [random.normal(size=weight.shape) for weight in weights]
    start, found = [weight.numpy() for weight in weights], []
    for sign in (1.0, -1.0):
        for weight, at, direction in zip(weights, start, directions, strict=True):
            weight.assign(at + sign * STEP * direction)
        found.append(float(value()))
    exact = sum(np.sum(g.numpy() * d) for g, d in zip(gradients, directions, strict=True))
    assert abs(exact) > 1e-3
    assert exact == pytest.approx((found[0] - found[1]) / (2.0 * STEP), rel=1e-5)


@pytest.fixture(autouse=True)
def float64():
    keras.config.set_floatx("float64")  # of inputs
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def real_images():
    return {"images": tf.constant(np.random.default_rng(2).uniform(-1, 1, (4, 4, 4, 2))), "labels": None}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("cls", [GradientPenaltyGAN, R1GAN])
def test_penalties(cls, norm):
    model, real = made(cls, norm), real_images()
    fake = model.sample(4)
    _, gradients = model.discriminator_gradients(real, fake)

    def total():
        return sum(model.discriminator_losses(real, fake).values())

    assert_slope(total, gradients, model.discriminator.trainable_variables)


@pytest.mark.parametrize("norm", NORMS)
def test_the_adversarys_gradient(norm):
    model, real = made(AdvAsGAN, norm, advas_alone=True), real_images()
    latents = model.draw_latents(4)
    _, gradients = model.generator_gradients(real, latents)
    value = lambda: model.generator_gradients(real, latents)[0]["g/advas_r"]  # noqa: E731
    assert_slope(value, gradients, model.generator.trainable_variables)


@pytest.mark.parametrize("norm", NORMS)
def test_the_numbers_are_keras_own(norm):
    model, images = made(R1GAN, norm), real_images()
    found = model.discriminate(images, training=True)["adversarial"]
    np.testing.assert_allclose(found, model.discriminator(images["images"], training=True), rtol=1e-12)
