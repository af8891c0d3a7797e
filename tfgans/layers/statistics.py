"""Statistics of maps, which are computed in float32 whatever the networks are computed in."""

import tensorflow as tf


def widen(tensor):
    """The tensor in float32, or in float64 if it is that."""
    return tensor if tensor.dtype == tf.float64 else tf.cast(tensor, tf.float32)


def moments(inputs, axes, keepdims=False):
    """Mean and biased variance over `axes`, in two passes."""
    mean = tf.reduce_mean(inputs, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(inputs - mean), axes, keepdims=keepdims)
    return (mean if keepdims else tf.squeeze(mean, axes)), variance
