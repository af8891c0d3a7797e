"""Gradients, and derivatives of an augmentation to third order, against finite differences."""

import numpy as np
import tensorflow as tf


def gradient(function, x):
    """Of a function's value, a scalar, by x."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x)


def assert_derivatives_of(augment, images, random):
    """Of the loss's slope along its own gradient, as penalties and AdvAs on top of them need.

    Args:
        augment: function of images, float64 [N, H, W, C], to such.
        random: a generator of numpy's, for the loss and the direction of the differences.
    """
    direction, weights = random.normal(size=(2, *images.shape))

    def first(x):
        return tf.reduce_sum(weights * tf.sin(augment(x)))

    def second(x):
        return tf.reduce_sum(gradient(first, x) ** 2)

    def third(x):
        return tf.reduce_sum(gradient(second, x) ** 2)

    for function in (first, second, third):
        found = tf.reduce_sum(gradient(function, images) * direction)
        expected = (function(images + 1e-6 * direction) - function(images - 1e-6 * direction)) / 2e-6
        np.testing.assert_allclose(found, expected, rtol=1e-6)
