"""Convolutions of doubled maps and of halved ones are the convolution and the resampling, with all derivatives."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers import resampled
from tfgans.layers.equalized import EqualizedConv2D
from tfgans.layers.resample import average_pool, upsample_nearest
from tfgans.layers.resampled import as_written, convolve_doubled, convolve_halved, doubled, halved
from tfgans.layers.spectral import SpectralConv2D

LAYERS = (keras.layers.Conv2D, SpectralConv2D)


def test_by_hand():
    """A map of one channel, [[1, 2], [3, 4]], and the kernel whose weight at (row, column) is 10^(3 row + column)."""
    maps = tf.constant([[1.0, 2.0], [3.0, 4.0]], tf.float64)[None, :, :, None]
    kernel = tf.constant(10.0 ** np.arange(9).reshape(3, 3), tf.float64)[..., None, None]
    large = np.pad(np.kron([[1, 2], [3, 4]], np.ones((2, 2))), 1)
    places = itertools.product(range(4), repeat=2)
    expected = [np.sum(large[i : i + 3, j : j + 3] * kernel[..., 0, 0]) for i, j in places]
    np.testing.assert_array_equal(tf.reshape(convolve_doubled(maps, kernel), -1), expected)
    means = np.reshape(expected, (2, 2, 2, 2)).mean((1, 3)).ravel()
    large = tf.constant(large[None, 1:-1, 1:-1, None])
    np.testing.assert_allclose(tf.reshape(convolve_halved(large, kernel), -1), means, rtol=1e-15)


def made(kind, size, filters=3):
    """In float64, with a bias that is not 0."""
    layer = kind(filters, size, padding="same", bias_initializer="normal", dtype="float64")
    layer.build((None, None, None, 2))
    return layer


def by_itself(operation, layer, maps, training=False):
    with as_written():
        return operation(layer, maps, training)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("operation", [doubled, halved])
@pytest.mark.parametrize("shape", [(8, 8), (10, 16), (2, 6)])
def test_it_is_the_layer_and_the_resampling(kind, size, operation, shape, monkeypatch):
    monkeypatch.setattr(resampled, "_LEAST", 1)
    layer = made(kind, size)
    maps = tf.constant(np.random.default_rng(0).normal(size=(2, *shape, 2)))
    expected = layer(upsample_nearest(maps)) if operation is doubled else average_pool(layer(maps))
    np.testing.assert_allclose(operation(layer, maps), expected, atol=1e-12)
    np.testing.assert_allclose(by_itself(operation, layer, maps), expected, atol=1e-12)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("operation", [doubled, halved])
def test_all_derivatives_are_those_of_the_layer_and_the_resampling(kind, operation, monkeypatch):
    """Three orders, by maps and weights, as penalties and AdvAs take two and a search of theirs three."""
    monkeypatch.setattr(resampled, "_LEAST", 1)
    layer = made(kind, 3)
    maps = tf.constant(np.random.default_rng(1).normal(size=(2, 4, 4, 2)))
    found, expected = (derivatives(run, layer, maps, operation) for run in (lambda f, *x: f(*x), by_itself))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)
        assert np.any(np.abs(theirs) > 1e-3)


def derivatives(run, layer, maps, operation):
    """By maps and kernel, of the outputs' cubes, of the squared norm of that, and of that's."""
    sources = [maps, layer.kernel.value]
    with tf.GradientTape() as third:
        third.watch(maps)
        with tf.GradientTape() as second:
            second.watch(maps)
            with tf.GradientTape() as first:
                first.watch(maps)
                total = tf.reduce_sum(run(operation, layer, maps) ** 3)
            slopes = first.gradient(total, sources)
            norm = sum(tf.reduce_sum(tf.square(slope)) for slope in slopes)
        curves = second.gradient(norm, sources)
        norm = sum(tf.reduce_sum(tf.square(curve)) for curve in curves)
    return [*slopes, *curves, *third.gradient(norm, sources)]


@pytest.mark.parametrize("operation", [doubled, halved])
def test_training_moves_the_spectral_vectors_once(operation):
    layers = [made(SpectralConv2D, 3) for _ in range(2)]
    layers[1].set_weights(layers[0].get_weights())
    maps = tf.constant(np.random.default_rng(2).normal(size=(2, 16, 16, 2)))
    ours, theirs = operation(layers[0], maps, True), by_itself(operation, layers[1], maps, True)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    np.testing.assert_array_equal(layers[0].u, layers[1].u)
    assert not np.allclose(layers[0].u, made(SpectralConv2D, 3).u)


def operations_of(operation, layer, maps):
    function = tf.function(lambda x: operation(layer, x)).get_concrete_function(maps)
    return [each.type for each in function.graph.get_operations()]


@pytest.mark.parametrize("operation, mark", [(doubled, "Conv2DBackpropInput"), (halved, "AvgPool")])
def test_small_maps_and_counted_ones_are_resampled_by_themselves(operation, mark):
    """The smaller map has at least 64 pixels, or the larger kernel costs more than it saves."""
    layer, factor = made(keras.layers.Conv2D, 3), 1 if operation is doubled else 2
    large, small = (tf.TensorSpec((None, factor * side, factor * 8, 2), tf.float64) for side in (8, 7))
    fused = lambda types: (mark in types) == (operation is doubled)  # noqa: E731
    assert fused(operations_of(operation, layer, large))
    assert not fused(operations_of(operation, layer, small))
    with as_written():
        assert not fused(operations_of(operation, layer, large))


@pytest.mark.parametrize("operation", [doubled, halved])
def test_bfloat16_rounds_the_kernel_as_often(operation):
    """The summed kernel is rounded once more: no further off than a few units of bfloat16."""
    layer = made(keras.layers.Conv2D, 3)
    maps = np.random.default_rng(3).normal(size=(2, 16, 16, 2))
    narrow = keras.layers.Conv2D.from_config(layer.get_config() | {"dtype": "mixed_bfloat16"})
    narrow.build((None, None, None, 2))
    narrow.set_weights(layer.get_weights())
    with tf.device("CPU"):
        found = keras.layers.Lambda(lambda x: operation(narrow, x), dtype="mixed_bfloat16")(
            maps.astype("float32")
        )
    assert found.dtype == tf.bfloat16
    expected = operation(layer, tf.constant(maps))
    assert np.max(np.abs(tf.cast(found, tf.float64) - expected)) < 2**-6 * np.max(np.abs(expected))


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("kind", [resampled.Conv2D, SpectralConv2D, EqualizedConv2D])
def test_layers_that_enlarge_their_maps_first(kind, size, factor):
    """They have the weights of the plain one; `tests/layers/test_harness.py` has all else."""
    options = {"activation": "tanh", "dtype": "float64"} | (
        {} if kind is EqualizedConv2D else {"padding": "same"}
    )
    layer, plain = (kind(3, size, **options, **more) for more in ({"upsampling": factor}, {}))
    maps = tf.constant(np.random.default_rng(4).normal(size=(2, 8, 10, 2)))
    found = layer(maps)
    large = upsample_nearest(maps, factor)
    plain(large)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(found, plain(large), atol=1e-12)
    with as_written():
        np.testing.assert_allclose(layer(maps), plain(large), atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "valid"},
        {"strides": 2},
        {"dilation_rate": 2},
        {"groups": 2},
        {"kernel_size": 2},
        {"upsampling": 0},
    ],
)
def test_what_cannot_be_enlarged_is_refused(options):
    options = {"kernel_size": 3, "padding": "same", "upsampling": 2, "name": "larger"} | options
    with pytest.raises(
        ConfigError, match="^larger: upsampling is at least 1, above 1 for square kernels.* Received"
    ):
        resampled.Conv2D(4, **options)
