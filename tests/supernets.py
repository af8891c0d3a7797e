"""What the tests of all supernets do with one: inputs, outputs, architecture weights and their gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf


def batch(shape, count=3, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(keras.config.floatx())


def output(network, inputs, **options):
    return tf.nest.flatten(network(inputs, **options))[0]


def set_architecture(network, scale=1.0, seed=1):
    generator = np.random.default_rng(seed)
    for variable in network.architecture_variables:
        variable.assign(scale * generator.normal(size=variable.shape))


def settle_vectors(network):
    """Puts the singular vectors into spectral layers, so that a training call does not move them."""
    for layer in network._flatten_layers():
        if hasattr(layer, "normalized_kernel"):
            left, _, right = np.linalg.svd(layer.kernel_matrix(layer.kernel.numpy()), full_matrices=False)
            layer.u.assign(right[0])
            layer.v.assign(left[:, 0])


def architecture_gradient(network, evaluate):
    """Of a function without arguments, by all architecture weights, one after another."""
    variables = [v.value for v in network.architecture_variables]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        loss = evaluate()
    return np.concatenate([np.ravel(g) for g in tape.gradient(loss, variables)])


def assert_slopes(network, gradient, evaluate, step=1e-5, directions=2):
    """A gradient by all architecture weights against differences of a function to both sides, in float64.

    Args:
        step: to either side, times a direction of standard normals.
        directions: how many are tried.
    """
    start, generator = [v.numpy() for v in network.architecture_variables], np.random.default_rng(3)
    for _ in range(directions):
        direction, sides = [generator.normal(size=s.shape) for s in start], []
        for sign in (1.0, -1.0):
            for variable, s, d in zip(network.architecture_variables, start, direction, strict=True):
                variable.assign(s + sign * step * d)
            sides.append(float(evaluate()))
        along = gradient @ np.concatenate([np.ravel(d) for d in direction])
        assert along == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-6)
