"""Derivatives of every layer the package ships, of three orders, against finite differences."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import all_cases, make, scalar


def derivatives(function, points, first_direction, tape=None):
    """f, |grad f|^2 and <grad |grad f|^2, d> at points; `tape` will be asked for their gradients."""
    with tape or contextlib.nullcontext():
        if tape:
            tape.watch(points)
        with tf.GradientTape() as middle:
            middle.watch(points)
            with tf.GradientTape() as inner:
                inner.watch(points)
                value = function(points)
            square = tf.add_n([tf.reduce_sum(tf.square(g)) for g in inner.gradient(value, points)])
        slopes = middle.gradient(square, points)
        third = tf.add_n([tf.reduce_sum(s * d) for s, d in zip(slopes, first_direction, strict=True)])
    return value, square, third


def check_three_orders(function, points, seed):
    random = np.random.default_rng(seed)
    first, second = ([tf.constant(random.normal(size=p.shape)) for p in points] for _ in range(2))
    step = 1e-6
    ahead, behind = (
        derivatives(function, [p + sign * step * d for p, d in zip(points, second, strict=True)], first)
        for sign in (1.0, -1.0)
    )
    tape = tf.GradientTape(persistent=True)
    values = derivatives(function, points, first, tape)
    gradients = [tape.gradient(v, points, unconnected_gradients="zero") for v in values]
    for order in range(3):
        pairs = zip(gradients[order], second, strict=True)
        exact = float(tf.add_n([tf.reduce_sum(g * d) for g, d in pairs]))
        difference = float(ahead[order] - behind[order]) / (2.0 * step)
        assert abs(exact) > 1e-6, f"order {order + 1} does not vary: nothing is tested"
        assert exact == pytest.approx(difference, rel=1e-5, abs=1e-6), f"order {order + 1}"


@all_cases
def test_derivatives_by_inputs(name):
    layer, inputs = make(name, "float64")
    points = [x for x in inputs if x.dtype.is_floating]
    rest = inputs[len(points) :]  # labels come last
    if not points:
        assert inputs[0].shape.rank == 1  # labels, one a sample: there is no derivative to check
        return
    check_three_orders(lambda x: scalar(layer, [*x, *rest]), points, seed=2)


@all_cases
def test_derivatives_by_weights(name):
    layer, inputs = make(name, "float64")
    variables = layer.trainable_variables
    if not variables:
        assert not layer.weights
        return

    def function(values):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return scalar(layer, inputs)

    check_three_orders(function, [tf.convert_to_tensor(v) for v in variables], seed=3)


@all_cases
def test_gradients_reach_every_weight_densely(name):
    layer, inputs = make(name, "float64")
    with tf.GradientTape() as tape:
        value = scalar(layer, inputs)
    gradients = tape.gradient(value, layer.trainable_variables)
    for weight, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert isinstance(gradient, tf.Tensor), weight.path
        # a bias in front of a batch norm has none but rounding
        before_norm = name.startswith("up_block") and weight.path.endswith("convolution1/bias")
        assert (np.abs(gradient).max() > 1e-9) != before_norm, weight.path
