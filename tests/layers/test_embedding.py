"""Rows of class tables, whose gradient is a dense product."""

import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers.embedding import class_rows

TABLE = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize("labels", [[2, 0, 2], [[2], [3]], 1], ids=["twice", "of any shape", "a scalar"])
@pytest.mark.parametrize("run", ["eager", "graph", "xla"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_and_derivatives_of_three_orders(labels, run, dtype):
    """The sum of rows^3 weighted: each order is by hand, a class that comes twice counts twice."""
    labels = np.array(labels, "int32")
    weights = 1.0 + np.arange(labels.size * 3).reshape(*labels.shape, 3)

    def derivatives(table):
        found = []
        with tf.GradientTape() as third, tf.GradientTape() as second, tf.GradientTape() as first:
            for tape in (third, second, first):
                tape.watch(table)
            rows = class_rows(table, tf.constant(labels))
            found.append(first.gradient(tf.reduce_sum(weights.astype(dtype) * rows**3), table))
            found.append(second.gradient(found[0], table))
            found.append(third.gradient(found[1], table))
        return rows, found

    call = derivatives if run == "eager" else tf.function(derivatives, jit_compile=run == "xla")
    rows, found = call(tf.constant(TABLE, dtype))
    np.testing.assert_array_equal(rows, TABLE[labels])
    shares = np.zeros_like(TABLE)
    np.add.at(shares, labels, weights)
    for slope, wanted in zip(found, (3.0 * TABLE**2, 6.0 * TABLE, 6.0 + 0.0 * TABLE), strict=True):
        assert isinstance(slope, tf.Tensor) and slope.dtype == dtype
        np.testing.assert_allclose(slope, shares * wanted, rtol=1e-6)
