"""Statistics of maps, which are computed in float32 whatever the networks are computed in."""

import tensorflow as tf

from tfgans import keras_internals
from tfgans.layers.scopes import inside, local


def widen(tensor):
    """The tensor in float32, or in float64 if it is that."""
    return tensor if tensor.dtype == tf.float64 else tf.cast(tensor, tf.float32)


def moments(inputs, axes, keepdims=False):
    """Mean and biased variance over `axes`, in two passes."""
    mean = tf.reduce_mean(inputs, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(inputs - mean), axes, keepdims=keepdims)
    return (mean if keepdims else tf.squeeze(mean, axes)), variance


def differentiable_moments():
    """Inside it, the norms of Keras, and `keras.ops.moments`, have right gradients of gradients.

    Keras (3.15) takes moments with `tf.nn.moments`, which stops a gradient inside the variance: the numbers and their
    gradients are right, but what differentiates a gradient is wrong, silently.
    """
    return inside(differentiable_moments=True)


def _as_the_scope_says(own):
    def moments_of(x, axes, keepdims=False):
        return (moments if getattr(local, "differentiable_moments", False) else own)(x, axes, keepdims)

    return moments_of


keras_internals.take_moments_by(_as_the_scope_says)


def channel_size(inputs, dtype):
    """How many numbers each channel of [N, ..., C] has: one of Python's where the shape is known, else a scalar."""
    channels = inputs.shape[-1]
    if inputs.shape.is_fully_defined():
        return float(inputs.shape.num_elements() // channels)
    return tf.cast(tf.size(inputs) // channels, dtype)


def at_least_one(count):
    """The larger of `count`, as `channel_size` gives it, and 1."""
    return tf.maximum(count, 1.0) if tf.is_tensor(count) else max(count, 1.0)
