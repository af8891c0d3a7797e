"""Derivatives of resized images, of every order that penalties and AdvAs take, against the resizing's matrix."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfgans.methods.advas import AdvAsGAN

SIZE, LARGER = 3, 7
CASES = [(method, compiled) for method in ("bilinear", "bicubic", "nearest") for compiled in (None, {})]
CASES.append(("bilinear", {"jit_compile": True}))  # XLA compiles no others, or none of their gradients


def resized(images, method):
    return tf.image.resize(images, (LARGER, LARGER), method=method)


def matrix(method):
    """What resizing does, as a matrix [49, 9] of its own outputs for images with one pixel of 1."""
    pixels = np.eye(SIZE**2, dtype="float32").reshape(SIZE**2, SIZE, SIZE, 1)
    return np.asarray(resized(pixels, method), np.float64).reshape(SIZE**2, LARGER**2).T


def exact(product, weights, x):
    """Of f = sum of weights * (M x)^3 by hand: f's gradient g, and that of |g|^2."""
    first = product.T @ (3.0 * weights * (product @ x) ** 2)
    second = product.T * (6.0 * weights * (product @ x)) @ product
    return first, 2.0 * second @ first


def slope_of(function, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x)


def squared_slope(function):
    return lambda x: tf.reduce_sum(tf.square(slope_of(function, x)))


@pytest.mark.parametrize(("method", "compiled"), CASES)
def test_resized_images_have_right_derivatives_of_three_orders(method, compiled):
    random = np.random.default_rng(0)
    x, weights = random.normal(size=SIZE**2), random.normal(size=LARGER**2)

    def cubes(images):
        outputs = tf.cast(resized(images, method), tf.float32)
        return tf.reduce_sum(tf.reshape(outputs, [-1]) ** 3 * tf.constant(weights, tf.float32))

    def slopes(images):
        second = squared_slope(cubes)
        return slope_of(cubes, images), slope_of(second, images), slope_of(squared_slope(second), images)

    run = slopes if compiled is None else tf.function(slopes, **compiled)
    images = tf.constant(x.reshape(1, SIZE, SIZE, 1), tf.float32)
    found = [np.asarray(each, np.float64).reshape(-1) for each in run(images)]
    product = matrix(method)
    wanted, step = [*exact(product, weights, x)], 1e-6
    ahead = [
        np.sum(exact(product, weights, x + sign * step * one)[1] ** 2)
        for one in np.eye(SIZE**2)
        for sign in (1, -1)
    ]
    wanted.append((np.array(ahead[::2]) - ahead[1::2]) / (2 * step))
    for mine, other in zip(found, wanted, strict=True):
        assert np.linalg.norm(other) > 1.0
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4 * np.abs(other).max())


def test_the_adversarys_gradient_through_a_users_bilinear_up_sampling():
    """Against central differences, in float32, which the resizing gives whatever it is given."""
    keras.utils.set_random_seed(1)
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(16, activation="tanh"), layers.Reshape((4, 4, 1))]
    )
    parts = [layers.Conv2D(4, 3, activation="softplus"), layers.UpSampling2D(interpolation="bilinear")]
    parts += [layers.Conv2D(4, 3, activation="softplus"), layers.Flatten(), layers.Dense(1)]
    model = AdvAsGAN(
        generator, keras.Sequential([keras.Input((4, 4, 1)), *parts]), advas_weight=1.0, advas_alone=True
    )
    model.compile("sgd", "sgd", run_eagerly=True)
    real = {"images": tf.random.stateless_uniform((8, 4, 4, 1), (1, 2), -1.0, 1.0), "labels": None}
    latents = model.draw_latents(8)
    values = lambda: model.generator_gradients(real, latents)  # noqa: E731
    kernel, slope = generator.trainable_variables[0], values()[1][0].numpy()
    direction, start, found = slope / np.linalg.norm(slope), kernel.numpy(), []
    for sign in (1.0, -1.0):
        kernel.assign(start + sign * 1e-2 * direction)
        found.append(float(values()[0]["g/advas_r"]))
    assert np.linalg.norm(slope) == pytest.approx((found[0] - found[1]) / 2e-2, rel=1e-3)
