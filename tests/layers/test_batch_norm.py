"""Batch norms by kernels beside the formula in float64: values, statistics, and gradients of three orders."""

import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers.batch_norm import batch_normalized

EPSILON = 1e-3
# Processors have a quick kernel for bfloat16 where channels are a multiple of 16.
SHAPES = [(6, 4), (3, 5, 4), (2, 3, 2, 4), (2, 3, 1, 2, 4), (2, 2, 3, 16)]
TOLERANCE = {tf.float32: 2e-5, tf.bfloat16: 0.05, tf.float16: 0.01}


def given(shape, dtype, level=0.0):
    """Maps, gamma, beta, and weights of the outputs; all of them values that bfloat16 has."""
    random = np.random.default_rng(len(shape))
    shapes = shape, shape[-1:], shape[-1:], shape
    maps, *rest = (tf.cast(tf.constant(random.normal(size=each)), tf.bfloat16) for each in shapes)
    wide = tf.float64 if dtype == tf.float64 else tf.float32
    return [tf.cast(maps, dtype) + tf.cast(level, dtype), *(tf.cast(each, wide) for each in rest)]


def gradients(maps, gamma, beta, weights):
    """Gradients by all three of a scalar, of the square of its gradient, and of the square of that one's."""
    points, found = [maps, gamma, beta], []
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(points)
        with tf.GradientTape(persistent=True) as middle:
            middle.watch(points)
            with tf.GradientTape() as inner:
                inner.watch(points)
                outputs, *_ = batch_normalized(maps, gamma, beta, EPSILON)
                value = tf.reduce_sum(tf.nn.softplus(tf.cast(outputs, weights.dtype)) * weights)
            found.append(inner.gradient(value, points))
            second = squares(found[0], weights.dtype)
        found.append(middle.gradient(second, points))
        third = squares(found[1], weights.dtype)
    return [*found, outer.gradient(third, points)]


def flat(orders):
    return [np.concatenate([np.ravel(tf.cast(each, tf.float64)) for each in order]) for order in orders]


def squares(tensors, dtype):
    return tf.add_n([tf.reduce_sum(tf.square(tf.cast(each, dtype))) for each in tensors])


def error(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_and_statistics_are_those_of_the_formula(shape, dtype):
    maps, gamma, beta, _ = given(shape, dtype)
    outputs, mean, variance = batch_normalized(maps, gamma, beta, EPSILON)
    values = np.array(maps).astype(float).reshape(-1, shape[-1])
    wanted = (values - values.mean(0)) / np.sqrt(values.var(0) + EPSILON) * gamma + beta
    assert outputs.dtype == dtype and outputs.shape == shape and mean.dtype == variance.dtype == tf.float32
    np.testing.assert_allclose(
        np.array(outputs).astype(float).reshape(values.shape), wanted, atol=TOLERANCE[dtype]
    )
    np.testing.assert_allclose(mean, values.mean(0), atol=1e-6)
    np.testing.assert_allclose(variance, values.var(0, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("run", ["eager", "graph", "xla"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_of_three_orders(shape, dtype, run):
    call = gradients if run == "eager" else tf.function(gradients, jit_compile=run == "xla")
    found, exact = flat(call(*given(shape, dtype))), flat(gradients(*given(shape, tf.float64)))
    for order, (ours, theirs) in enumerate(zip(found, exact, strict=True)):
        assert error(ours, theirs) < TOLERANCE[dtype] * 3**order, f"order {order + 1}"


@pytest.mark.parametrize("channels", [8, 16, 20, 48])
def test_the_kernel_that_is_quick(channels):
    has_gpu = bool(tf.config.list_physical_devices("GPU"))  # whose kernel is one for all
    kernels = "bfloat16" if has_gpu or channels % 16 == 0 else "float32"

    def both_ways(maps, gamma, beta, weights):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            outputs, *_ = batch_normalized(maps, gamma, beta, EPSILON)
        return tape.gradient(outputs, maps, tf.cast(weights, maps.dtype))

    graph = tf.function(both_ways).get_concrete_function(*given((2, 3, 2, channels), tf.bfloat16)).graph
    found = {
        each.type: each.get_attr("T").name for each in graph.get_operations() if "BatchNorm" in each.type
    }
    assert found == {"FusedBatchNormV3": kernels, "FusedBatchNormGradV3": kernels}


def test_a_level_far_above_the_deviation_costs_no_precision():
    maps, gamma, beta, _ = given((2, 16, 16, 4), tf.float32, level=1000.0)
    outputs, _, variance = batch_normalized(maps, gamma, beta, EPSILON)
    exact, _, wanted = batch_normalized(*(tf.cast(each, tf.float64) for each in (maps, gamma, beta)), EPSILON)
    np.testing.assert_allclose(variance, wanted, rtol=1e-4)
    np.testing.assert_allclose(outputs, exact, atol=1e-3)


def test_statistics_are_no_way_for_gradients():
    for dtype in (tf.float32, tf.float64):
        maps, gamma, beta, _ = given((6, 4), dtype)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            _, mean, variance = batch_normalized(maps, gamma, beta, EPSILON)
            value = tf.reduce_sum(mean) + tf.reduce_sum(variance)
        slope = tape.gradient(value, maps)
        assert slope is None or not np.any(slope)


def test_a_loop_on_the_device_has_its_gradients():
    maps, gamma, beta, weights = given((2, 3, 2, 4), tf.float32)

    def repeated(maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            value = maps
            for _ in tf.range(3):
                value = batch_normalized(value, gamma, beta, EPSILON)[0]
            value = tf.reduce_sum(value * weights)
        return tape.gradient(value, maps)

    np.testing.assert_allclose(tf.function(repeated)(maps), repeated(maps), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("xla", [False, True])
def test_first_derivatives_within_a_map_have_second_ones_outside(xla):
    """As AdvAs takes them of micro-batches; float64 has single operations."""

    def second(maps, gamma, beta, weights):
        def slope(part):
            with tf.GradientTape() as tape:
                tape.watch(part)
                outputs, *_ = batch_normalized(part, gamma, beta, EPSILON)
                value = tf.reduce_sum(tf.nn.softplus(outputs) * weights[0])
            return tape.gradient(value, part)

        with tf.GradientTape() as tape:
            tape.watch([maps, gamma])
            square = tf.reduce_sum(tf.square(tf.map_fn(slope, maps)))
        return tape.gradient(square, [maps, gamma])

    compiled = tf.function(second, jit_compile=xla, autograph=False)
    found, exact = (flat([compiled(*given((2, 5, 4, 3, 4), dtype))]) for dtype in (tf.float32, tf.float64))
    assert error(found[0], exact[0]) < 2e-5
