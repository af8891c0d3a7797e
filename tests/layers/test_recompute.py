"""Blocks whose activations are computed again. Their derivatives of three orders are in `test_derivatives`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.blocks import ResidualDownBlock, ResidualUpBlock
from tfgans.layers.embedding import mixed_classes
from tfgans.layers.gates import gated
from tfgans.layers.recompute import recomputed
from tfgans.layers.spectral import SpectralDense
from tfgans.layers.state import frozen_state


def pair(block, *shapes, **arguments):
    """A block that keeps its activations and one that does not, of the same weights, and inputs for them."""
    random = np.random.default_rng(0)
    inputs = [tf.constant(random.normal(size=shape), "float32") for shape in shapes]
    blocks = [block(spectral_normalization=True, recompute=again, **arguments) for again in (False, True)]
    for each in blocks:
        each(*inputs)
    blocks[1].set_weights(blocks[0].get_weights())
    return blocks, inputs


def up_blocks():
    return pair(ResidualUpBlock, (2, 4, 4, 3), (2, 3), filters=2, projected=True)


def gradients(block, inputs, between=lambda: None, forward=None, backward=None):
    """Of a training call by inputs and weights, after something has happened in between."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        if forward is None:
            outputs = block(*inputs, training=True)
        else:
            with forward:
                outputs = block(*inputs, training=True)
        total = tf.reduce_sum(tf.nn.softplus(outputs))
    between()
    if backward is None:
        return tape.gradient(total, [*inputs, *block.trainable_variables])
    with backward:
        return tape.gradient(total, [*inputs, *block.trainable_variables])


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_state_moves_once_and_is_seen_as_it_was_at_the_call():
    blocks, inputs = up_blocks()
    before = [value.copy() for value in blocks[0].get_weights()]
    # another training call moves u and the statistics before the backward pass comes
    found = [gradients(b, inputs, lambda b=b: b(*(2.0 * x for x in inputs), training=True)) for b in blocks]
    assert_same(*found)
    assert_same(*(b.get_weights() for b in blocks))
    moved = [np.array_equal(*both) for both in zip(before, blocks[1].get_weights(), strict=True)]
    assert moved.count(False) == len(blocks[1].non_trainable_variables)


def test_a_frozen_call_is_computed_again_frozen():
    blocks, inputs = up_blocks()
    before = blocks[1].get_weights()
    found = [gradients(b, inputs, forward=frozen_state()) for b in blocks]
    assert_same(*found)
    assert_same(before, blocks[1].get_weights())
    moving = [gradients(b, inputs, backward=frozen_state()) for b in blocks]
    assert_same(*moving)
    assert not np.array_equal(found[0][0], moving[0][0])  # that it is frozen makes a difference


def test_what_the_call_assigns_goes_to_the_scope_around_it():
    (_, block), inputs = up_blocks()
    before = block.get_weights()
    with keras.StatelessScope() as scope:
        block(*inputs, training=True)
    assert_same(before, block.get_weights())
    assert all(scope.get_current_value(variable) is not None for variable in block.non_trainable_variables)


def test_mixed_classes_are_mixed_again():
    labels, shares = tf.constant([2, 0]), tf.constant([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]])
    blocks = [ResidualUpBlock(2, num_classes=3, recompute=again) for again in (False, True)]
    images = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 4, 3)), "float32")
    found = []
    for block in blocks:
        block(images, labels)
        weights = [0.1 * np.arange(v.numpy().size).reshape(v.shape) % 1.0 for v in block.variables]
        block.set_weights(weights)
        with tf.GradientTape() as tape:
            with mixed_classes(shares):
                outputs = block(images, labels, training=True)
            total = tf.reduce_sum(tf.square(outputs))
        found.append(tape.gradient(total, block.trainable_variables))
    assert_same(*found)


def test_kernels_that_go_through_gates_are_refused():
    (_, block), inputs = pair(ResidualDownBlock, (2, 4, 4, 2), filters=3)
    with gated(block, {0: lambda kernel: 0.5 * kernel}):
        with pytest.raises(ConfigError, match="recompute: it does not go with kernels that are masked"):
            block(*inputs, training=True)
        block(*inputs)  # nothing is computed again outside training


def test_there_are_no_gradients_where_there_were_none():
    dense, other = SpectralDense(2), SpectralDense(2)
    inputs = tf.constant([[1.0, 2.0, 3.0]])
    dense(inputs), other(inputs)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = recomputed([dense, other], lambda x: dense(x, training=True), inputs)
            total = tf.reduce_sum(tf.square(outputs))
        slope = tape.gradient(total, [inputs, *dense.trainable_variables, *other.trainable_variables])
        square = tf.reduce_sum(slope[0])
    assert [gradient is None for gradient in slope] == [False, False, False, True, True]
    second = outer.gradient(square, [*dense.trainable_variables, *other.trainable_variables])
    assert [gradient is None for gradient in second] == [False, False, True, True]


@pytest.mark.slow
def test_within_a_loop_of_a_graph():
    """As AdvAs does over pairs of images: the gradients inside are differentiated outside."""
    blocks, (inputs,) = pair(ResidualDownBlock, (2, 4, 4, 2), filters=3)

    @tf.function(autograph=False)
    def slopes(which):
        block = blocks[which]

        def of_one(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                with frozen_state():
                    total = tf.reduce_sum(tf.nn.softplus(block(x[None], training=True)))
            return tape.gradient(total, x)

        with tf.GradientTape() as outer:
            square = tf.reduce_sum(tf.square(tf.map_fn(of_one, inputs)))
        return outer.gradient(square, block.trainable_variables, unconnected_gradients="zero")

    for one, other in zip(slopes(0), slopes(1), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert max(np.abs(each).max() for each in slopes(1)) > 0.1


def test_xla_does_not_take_both_computations_for_one():
    blocks, inputs = pair(ResidualDownBlock, (2, 4, 4, 2), filters=3)
    counts = [_convolutions(block, inputs) for block in blocks]
    assert counts[1] >= counts[0] + 1


def _convolutions(block, inputs):
    """How many there are in the compiled gradient."""

    @tf.function(jit_compile=True, autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.square(block(x, training=True)))
        return tape.gradient(total, block.trainable_variables)

    return step.experimental_get_compiler_ir(*inputs)(stage="optimized_hlo").count(" convolution(")


def test_the_library_has_no_second_derivative_yet():
    """`keras.remat` would do for blocks without state if it had one."""
    x = tf.constant(2.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.square(keras.remat(lambda x: x**3)(x))
        slope = tape.gradient(y, x)
    with pytest.raises(NotImplementedError):
        outer.gradient(slope, x)
