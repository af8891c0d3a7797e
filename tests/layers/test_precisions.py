"""Derivatives of every layer, of three orders, in float32 and in bfloat16 beside those in float64.

`test_derivatives.py` has those in float64 beside finite differences. In lower precision other kernels run, some of
them with derivatives of our own.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import CASES, all_cases, given, make, scalar
from test_derivatives import derivatives

# The largest relative error of a gradient of first, second and third order. bfloat16 has 8 bits, 0.004.
LIMITS = {"float32": (1e-5, 3e-5, 3e-4), "mixed_bfloat16": (0.03, 0.07, 0.2)}


def rounded(values):
    """The values as bfloat16 has them, in float64."""
    return tf.cast(tf.cast(values, tf.bfloat16), tf.float64)


def in_both(name, policy):
    """`(layer, inputs)` in float64 and under a policy, of the same weights and inputs."""
    exact, inputs = make(name, "float64")
    for weight in exact.weights:
        if weight.dtype == "float64":
            weight.assign(rounded(weight))
    inputs = [rounded(x) if x.dtype.is_floating else x for x in inputs]
    layer_class, arguments, _ = CASES[name]
    layer = layer_class(dtype=policy, **arguments)
    narrow = [tf.cast(x, tf.float32) if x.dtype.is_floating else x for x in inputs]
    layer(*given(layer, narrow))
    layer.set_weights(exact.get_weights())
    return (exact, inputs), (layer, narrow)


def gradients(layer, inputs):
    """[orders] of [n]: by inputs and weights, of `scalar` and of what `derivatives` makes of it."""
    floats = [x for x in inputs if x.dtype.is_floating]
    labels, variables = inputs[len(floats) :], layer.trainable_variables
    points = [*floats, *map(tf.convert_to_tensor, variables)]
    random = np.random.default_rng(5)
    direction = [tf.constant(random.normal(size=p.shape), p.dtype) for p in points]

    def function(points):
        values = points[len(floats) :]
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return scalar(layer, [*points[: len(floats)], *labels])

    tape = tf.GradientTape(persistent=True)
    values = derivatives(function, points, direction, tape)
    found = [tape.gradient(value, points, unconnected_gradients="zero") for value in values]
    return [np.concatenate([np.ravel(each).astype(float) for each in order]) for order in found]


@pytest.mark.parametrize("policy", LIMITS)
@all_cases
def test_three_orders_of_derivatives(name, policy):
    exact, narrow = (gradients(*each) for each in in_both(name, policy))
    for order, limit in enumerate(LIMITS[policy]):
        size = np.linalg.norm(exact[order])
        assert size > 1e-3, f"order {order + 1} does not vary: nothing is tested"
        error = np.linalg.norm(narrow[order] - exact[order]) / size
        assert error < limit, f"order {order + 1}: {error:.2g} of it"
