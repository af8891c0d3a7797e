import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers.blocks import ResidualInputBlock
from tfgans.layers.norms import BatchNormalization, InstanceNormalization
from tfgans.layers.state import depends_on_batch, frozen_state, mixes_samples, state_is_frozen

POINTS = np.random.default_rng(0).normal(2.0, 3.0, (6, 4)).astype("float32")


def test_frozen_only_inside_also_after_an_error():
    assert not state_is_frozen()
    with pytest.raises(KeyError), frozen_state():
        assert state_is_frozen()
        with frozen_state():
            assert state_is_frozen()
        assert state_is_frozen()
        raise KeyError
    assert not state_is_frozen()


def test_frozen_in_one_thread_only():
    seen = []
    with frozen_state():
        thread = threading.Thread(target=lambda: seen.append(state_is_frozen()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_stock_layers_keep_their_state_too():
    network = keras.Sequential(
        [keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    )
    before = [v.numpy() for v in network.variables]
    with frozen_state():
        frozen = network(POINTS, training=True)
    assert all(np.array_equal(old, v) for old, v in zip(before, network.variables, strict=True))
    # the dropout seed did not move either, so the next call draws what the frozen one drew
    np.testing.assert_array_equal(frozen, network(POINTS, training=True))
    assert not np.array_equal(before[2], network.variables[2])


def test_weights_given_by_an_outer_scope_are_used_inside():
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    layer.build((None, 4))
    with (
        keras.StatelessScope(state_mapping=[(layer.kernel, np.full((4, 1), 2.0, "float32"))]),
        frozen_state(),
    ):
        doubled = layer(POINTS)
    np.testing.assert_allclose(doubled[:, 0], 2.0 * POINTS.sum(1), rtol=1e-5)


def test_depends_on_batch_looks_inside_layers():
    def network(*layers):
        return keras.Sequential([keras.Input((8, 8, 3)), *layers])

    inner = keras.Sequential([BatchNormalization()])
    assert depends_on_batch(network(inner))
    assert depends_on_batch(network(ResidualInputBlock(4, spectral_normalization=True)))
    assert depends_on_batch(network(keras.layers.BatchNormalization()))
    assert not depends_on_batch(network(ResidualInputBlock(4), InstanceNormalization(), keras.layers.ReLU()))


class Deviation(keras.layers.Layer):
    """Of each number its deviation from the batch's mean."""

    def call(self, inputs):
        return inputs - tf.reduce_mean(inputs, 0)


class Doubled(keras.layers.Layer):
    depends_on_batch = False

    def call(self, inputs):
        return 2.0 * inputs


def of_operations(operations):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, operations(inputs))


UNKNOWN = {
    "a layer": (lambda: keras.Sequential([keras.Input((3,)), Deviation()]), True),
    "a layer that says no": (lambda: keras.Sequential([keras.Input((3,)), Doubled()]), False),
    "a function": (
        lambda: keras.Sequential(
            [keras.Input((3,)), keras.layers.Lambda(lambda x: x - tf.reduce_mean(x, 0))]
        ),
        True,
    ),
    "along the batch": (lambda: of_operations(lambda x: x - keras.ops.std(x, axis=0, keepdims=True)), True),
    "along the batch, counted from behind": (
        lambda: of_operations(lambda x: x - keras.ops.mean(x, axis=-4)),
        True,
    ),
    "along all axes": (lambda: of_operations(lambda x: x / keras.ops.max(x)), True),
    "along others": (
        lambda: of_operations(lambda x: keras.ops.relu(x) - keras.ops.mean(x, axis=[1, -1], keepdims=True)),
        False,
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_unknown_may_depend_on_the_batch(case):
    make, expected = UNKNOWN[case]
    assert depends_on_batch(make()) is expected
    nested = keras.Sequential([make(), keras.layers.Flatten(), keras.layers.Dense(1)])
    assert depends_on_batch(nested) is expected


@pytest.mark.parametrize("case", [case for case in UNKNOWN if case.startswith("along")])
def test_operations_along_the_batch_mix_its_samples(case):
    make, expected = UNKNOWN[case]
    assert mixes_samples(make()) is expected
    assert mixes_samples(keras.Sequential([make(), keras.layers.Flatten()])) is expected
