"""Derivatives of resized images, maxima and softsign, of every order that penalties and AdvAs take, by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from slopes import gradient

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


def squared_slope(function):
    return lambda x: tf.reduce_sum(tf.square(gradient(function, x)))


def check_three_orders(operation, product, x, weights, compiled):
    """Of sum of weights * operation(x)^3, an operation that is `product` around x [N, H, W, 1], side by side."""

    def cubes(images):
        outputs = tf.cast(operation(images), tf.float32)
        return tf.reduce_sum(tf.reshape(outputs, [-1]) ** 3 * tf.constant(weights, tf.float32))

    def slopes(images):
        second = squared_slope(cubes)
        return gradient(cubes, images), gradient(second, images), gradient(squared_slope(second), images)

    run = slopes if compiled is None else tf.function(slopes, **compiled)
    found = [np.asarray(each, np.float64).reshape(-1) for each in run(tf.constant(x, tf.float32))]
    x, step = x.reshape(-1), 1e-6
    ahead = [
        np.sum(exact(product, weights, x + sign * step * one)[1] ** 2)
        for one in np.eye(x.size)
        for sign in (1, -1)
    ]
    wanted = [*exact(product, weights, x), (np.array(ahead[::2]) - ahead[1::2]) / (2 * step)]
    for mine, other in zip(found, wanted, strict=True):
        assert np.linalg.norm(other) > 1.0
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize(("method", "compiled"), CASES)
def test_resized_images_have_right_derivatives_of_three_orders(method, compiled):
    random = np.random.default_rng(0)
    x, weights = random.normal(size=(1, SIZE, SIZE, 1)), random.normal(size=LARGER**2)
    check_three_orders(lambda images: resized(images, method), matrix(method), x, weights, compiled)


ROWS = {  # of a row of seven numbers: (side, step, padding), and the windows that these make
    "same, step 1": ((3, 1, "SAME"), [(0, 2), (0, 3), (1, 4), (2, 5), (3, 6), (4, 7), (5, 7)]),
    "same, step 2": ((3, 2, "SAME"), [(0, 2), (1, 4), (3, 6), (5, 7)]),
    "valid": ((2, 1, "VALID"), [(0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)]),
    "every second": ((1, 2, "VALID"), [(0, 1), (2, 3), (4, 5), (6, 7)]),
}
MAXIMA = [
    (rank, row, compiled) for rank in (2, 3) for row in ROWS for compiled in (None, {}, {"jit_compile": True})
]


@pytest.mark.parametrize(("rank", "row", "compiled"), MAXIMA)
def test_maxima_have_right_derivatives_of_three_orders(rank, row, compiled):
    """Of a row: an image of a single row and channel, or a volume."""
    (side, step, padding), windows = ROWS[row]
    x = 2.0 * np.random.default_rng(1).normal(size=7)
    picked = np.eye(7)[[first + np.argmax(x[first:end]) for first, end in windows]]
    ones, weights = (1,) * (rank - 1), np.linspace(1.0, 2.0, len(windows))
    operation = tf.nn.max_pool2d if rank == 2 else tf.nn.max_pool3d
    pooled = lambda images: operation(images, (*ones, side), (*ones, step), padding)  # noqa: E731
    check_three_orders(pooled, picked, x.reshape(1, *ones, 7, 1), weights, compiled)


@pytest.mark.parametrize(
    ("margins", "compiled"),
    [("SAME", {}), ("SAME", {"jit_compile": True}), ([[0, 0], [1, 2], [2, 1], [0, 0]], {})],
)
def test_maxima_in_bfloat16_and_of_given_margins_have_second_derivatives(margins, compiled):
    """Of the sum of maxima^2 / 2 of an image with one pixel of 2 within 0, which 9 windows see.

    There the gradient is 18, and that of its square 2 * 9 * 18.
    """
    image = np.zeros((1, 5, 5, 1), "float32")
    image[0, 2, 2] = 2.0

    def halves(x):
        return (
            tf.reduce_sum(tf.cast(tf.nn.max_pool2d(tf.cast(x, tf.bfloat16), 3, 1, margins), tf.float32) ** 2)
            / 2
        )

    slopes = tf.function(lambda x: gradient(squared_slope(halves), x), **compiled)(tf.constant(image))
    assert slopes[0, 2, 2, 0] == 2 * 9 * 18


@pytest.mark.parametrize("compiled", [None, {}, {"jit_compile": True}])
def test_softsign_has_right_derivatives_of_three_orders(compiled):
    """f = sum of x / (1 + |x|): with s = 1 + |x|, g = s^-2, and |g|^2 has the gradient h = -4 s^-5 sign x."""
    x = np.array([-2.0, -0.5, 0.25, 3.0])

    def slopes(points):
        total = lambda x: tf.reduce_sum(tf.nn.softsign(x))  # noqa: E731
        second = squared_slope(total)
        return gradient(total, points), gradient(second, points), gradient(squared_slope(second), points)

    run = slopes if compiled is None else tf.function(slopes, **compiled)
    size, sign = 1.0 + np.abs(x), np.sign(x)
    wanted = (size**-2.0, -4.0 * size**-5.0 * sign, -160.0 * size**-11.0 * sign)
    for mine, other in zip(run(tf.constant(x)), wanted, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12)


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
