"""Numbers by a seed against TensorFlow's functions of the same generator, bit for bit."""

import numpy as np
import pytest
import tensorflow as tf

from tfgans import philox

SEEDS = [(3, 5), (0, 0), (-7, 2**62), (2**63 - 1, -(2**63))]


def both(ours, theirs, seed):
    for function in (ours, tf.function(ours, autograph=False)):
        found = function(tf.constant(seed, tf.int64))
        expected = theirs(tf.constant(seed, tf.int64))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(), (5,), (4, 3, 2), (0, 3)])
def test_normal_numbers(seed, shape):
    both(
        lambda key: philox.normal(shape, key),
        lambda key: tf.random.stateless_normal(shape, key, alg="philox"),
        seed,
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("maxval", "dtype"),
    [(1, tf.float32), (1.0, tf.float64), (0.3, tf.float32), (7.0, tf.float64), (5, tf.int32), (2, tf.int64)],
)
def test_uniform_numbers(seed, maxval, dtype):
    both(
        lambda key: philox.uniform((100,), key, maxval, dtype),
        lambda key: tf.random.stateless_uniform((100,), key, 0, maxval, dtype=dtype, alg="philox"),
        seed,
    )


def test_a_shape_may_be_known_late():
    @tf.function(autograph=False)
    def drawn(like, key):
        return philox.normal([tf.shape(like)[0], 3], key)

    key = tf.constant([1, 2], tf.int64)
    expected = tf.random.stateless_normal((4, 3), key, alg="philox")
    found = drawn.get_concrete_function(tf.TensorSpec((None,)), tf.TensorSpec((2,), tf.int64))(
        tf.zeros(4), key
    )
    np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_a_draw_is_few_operations():
    """They were some forty, as the key was made of the seed by arithmetic."""
    drawn = tf.function(lambda key: philox.uniform((4, 2), key), autograph=False)
    graph = drawn.get_concrete_function(tf.TensorSpec((2,), tf.int64)).graph
    assert len(graph.get_operations()) <= 8
