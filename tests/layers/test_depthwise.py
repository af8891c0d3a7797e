"""Depthwise convolutions beside TensorFlow's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers.depthwise import DepthwiseConv2D, depthwise_convolution


def theirs(maps, kernel):
    return tf.nn.depthwise_conv2d(maps, kernel, (1, 1, 1, 1), "SAME")


def given(shape, side, multiplier=1):
    random = np.random.default_rng(side)
    kernel = side, side, shape[-1], multiplier
    return [tf.constant(random.normal(size=each)) for each in (shape, kernel)]


def slopes(convolution, maps, kernel):
    """Gradients by maps and kernel of a scalar, and of the square of its gradient."""
    points = [maps, kernel]
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(points)
        with tf.GradientTape() as inner:
            inner.watch(points)
            value = tf.reduce_sum(tf.nn.softplus(convolution(maps, kernel)))
        first = inner.gradient(value, points)
        square = tf.add_n([tf.reduce_sum(tf.square(each)) for each in first])
    return [*first, *outer.gradient(square, points)]


@pytest.mark.parametrize("sizes", [(2, 8, 8, 3), (3, 5, 9, 2), (1, 2, 2, 4), (2, 1, 3, 1)])
@pytest.mark.parametrize(("side", "multiplier"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (5, 2), (7, 1)])
def test_values_and_gradients_are_theirs(sizes, side, multiplier):
    maps, kernel = given(sizes, side, multiplier)
    np.testing.assert_array_equal(depthwise_convolution(maps, kernel), theirs(maps, kernel))
    pairs = zip(slopes(depthwise_convolution, maps, kernel), slopes(theirs, maps, kernel), strict=True)
    for ours, wanted in pairs:
        np.testing.assert_allclose(ours, wanted, rtol=1e-10, atol=1e-12)


def test_a_graph_needs_not_know_the_sizes():
    maps, kernel = given((3, 6, 4, 2), 5)
    signature = [tf.TensorSpec((None, None, None, 2), tf.float64), tf.TensorSpec((5, 5, 2, 1), tf.float64)]
    traced = tf.function(lambda *given: slopes(depthwise_convolution, *given)[:2], input_signature=signature)
    for count in (3, 1):
        pairs = zip(traced(maps[:count], kernel), slopes(theirs, maps[:count], kernel), strict=False)
        for ours, wanted in pairs:
            np.testing.assert_allclose(ours, wanted, rtol=1e-10, atol=1e-12)
    by_maps, by_kernel = traced(maps[:0], kernel)
    assert by_maps.shape == (0, 6, 4, 2)
    np.testing.assert_array_equal(by_kernel, np.zeros((5, 5, 2, 1)))  # TensorFlow's own is anything


def test_sums_over_many_samples_are_not_those_of_bfloat16():
    """512 samples give 1 each: in bfloat16 256 + 1 is 256."""
    maps, kernel = tf.ones((512, 1, 1, 1), tf.bfloat16), tf.ones((5, 5, 1, 1), tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        value = tf.reduce_sum(tf.cast(depthwise_convolution(maps, kernel), tf.float32))
    assert float(tape.gradient(value, kernel)[2, 2, 0, 0]) == 512.0


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same"},
        {"padding": "valid", "activation": "relu"},
        {"padding": "same", "strides": 2, "use_bias": False},
        {"padding": "same", "dilation_rate": 2, "depth_multiplier": 2},
    ],
)
def test_the_layer_is_keras_s(options):
    maps = tf.cast(given((2, 9, 9, 3), 5)[0], tf.float32)
    ours, keras_own = (kind(5, **options) for kind in (DepthwiseConv2D, keras.layers.DepthwiseConv2D))
    wanted = keras_own(maps)
    ours.build(maps.shape)
    ours.set_weights(keras_own.get_weights())
    if ours.use_bias:
        for layer in (ours, keras_own):
            layer.bias.assign(np.arange(layer.bias.shape[0]))
        wanted = keras_own(maps)
    np.testing.assert_allclose(ours(maps), wanted, rtol=1e-6, atol=1e-6)
    assert ours.compute_output_shape(maps.shape) == wanted.shape
