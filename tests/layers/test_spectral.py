import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers.spectral import (
    SpectralConv2D,
    SpectralConv2DTranspose,
    SpectralDense,
    SpectralDepthwiseConv2D,
    SpectralEmbedding,
)
from tfgans.layers.state import frozen_state

ONE = np.ones((1, 1), "float32")


def sigma_of(kernel, steps=20):
    """The singular value a dense layer of this kernel [in, out] divides by."""
    layer = SpectralDense(kernel.shape[1], use_bias=False)
    layer.build((None, kernel.shape[0]))
    layer.kernel.assign(kernel)
    for _ in range(steps):
        layer(np.ones((1, kernel.shape[0])), training=True)
    return float(kernel[0, 0] / layer.normalized_kernel(training=False)[0, 0])


def test_sigma_of_ones_is_the_side():
    assert sigma_of(np.ones((2, 2), "float32"), steps=1) == pytest.approx(2.0, abs=1e-6)
    assert sigma_of(np.ones((3, 12), "float32"), steps=1) == pytest.approx(6.0, abs=1e-5)


def test_sigma_of_a_diagonal_is_the_largest_entry():
    assert sigma_of(np.diag([3.0, 1.0, 0.5]).astype("float32")) == pytest.approx(3.0, abs=1e-4)


def test_sigma_is_negated_by_nothing():
    assert sigma_of(-np.ones((2, 2), "float32")) == pytest.approx(2.0, abs=1e-6)


def step_of(layer, inputs, **options):
    """Number of power iterations a call makes, counted by redoing them in numpy."""
    matrix = layer.kernel_matrix(tf.convert_to_tensor(layer.kernel)).numpy()
    u, v, before = layer.u.numpy(), layer.v.numpy(), layer.u.numpy()
    layer(inputs, **options)
    for count in range(4):
        if np.allclose(layer.u.numpy(), u, atol=1e-6):
            np.testing.assert_allclose(layer.v, v, atol=1e-6)
            return count
        v = matrix @ u
        v = v / np.linalg.norm(v)
        u = matrix.T @ v
        u = u / np.linalg.norm(u)
    raise AssertionError(f"u moved elsewhere: {before} -> {layer.u.numpy()}")


@pytest.mark.parametrize(
    ("layer", "shape", "outputs"),
    [
        (SpectralDense(5), (2, 4), 5),
        (SpectralConv2D(5, 3), (2, 4, 4, 3), 5),
        (SpectralConv2DTranspose(5, 3), (2, 4, 4, 3), 5),
        (SpectralDepthwiseConv2D(3, depth_multiplier=2), (2, 4, 4, 3), 6),
        (SpectralEmbedding(5, 3), (2,), 5),
    ],
)
def test_one_power_iteration_for_each_training_call_and_none_else(layer, shape, outputs):
    inputs = np.ones(shape, "int32" if isinstance(layer, SpectralEmbedding) else "float32")
    layer.build(shape)
    assert layer.u.shape == (outputs,)
    kernel = layer.kernel.numpy()
    assert not layer.u.trainable and not layer.v.trainable and layer.kernel.trainable
    assert np.linalg.norm(layer.u) == pytest.approx(1.0, abs=1e-6)
    assert step_of(layer, inputs) == 0
    assert step_of(layer, inputs, training=True) == 1
    assert step_of(layer, inputs, training=True) == 1
    assert step_of(layer, inputs, training=False) == 0
    with frozen_state():
        assert step_of(layer, inputs, training=True) == 0
        frozen = layer(inputs, training=True)  # with the vectors as they are, too
    np.testing.assert_array_equal(frozen, layer(inputs, training=False))
    np.testing.assert_array_equal(layer.kernel, kernel)


def test_sigma_of_convolution_is_that_of_the_flattened_kernel():
    layer = SpectralConv2DTranspose(2, 3)
    layer.build((None, 4, 4, 3))
    for _ in range(200):
        layer.normalized_kernel(training=True)
    matrix = layer.kernel.numpy().transpose(2, 0, 1, 3).reshape(2, -1)
    expected = layer.kernel.numpy() / np.linalg.svd(matrix, compute_uv=False)[0]
    np.testing.assert_allclose(layer.normalized_kernel(training=False), expected, rtol=1e-4)


def test_gradient_is_orthogonal_to_the_kernel():
    """W / sigma(W) does not change with the length of W, so its derivative along W is zero; Keras's is not."""
    layer = SpectralDense(3)
    inputs = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    layer(inputs, training=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(inputs, training=True)))
    gradient = tape.gradient(loss, layer.kernel.value)
    assert np.linalg.norm(gradient) > 0.1
    assert abs(np.sum(gradient * layer.kernel)) < 1e-4


def test_u_and_v_are_constants_in_a_training_call_too():
    """Its gradient is that of the forward without an iteration that has the same pair."""
    layer = SpectralDense(3)
    inputs = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    layer(inputs)
    gradients = []
    for training in (True, False):  # the second takes the pair that the first one stored
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(inputs, training=training)))
        gradients.append(tape.gradient(loss, layer.kernel.value).numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-5, atol=1e-6)
    u, v = layer.u.numpy(), layer.v.numpy()
    assert abs(np.dot(layer.kernel.numpy().T @ v, u) / np.linalg.norm(layer.kernel.numpy(), 2) - 1) > 1e-3


def test_training_call_is_the_same_under_xla():
    inputs = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    layer = SpectralConv2D(4, 3)
    layer(inputs)
    start = layer.get_weights()
    eager, u = layer(inputs, training=True), layer.u.numpy()
    layer.set_weights(start)
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True)(inputs)
    np.testing.assert_allclose(compiled, eager, atol=1e-5)
    np.testing.assert_allclose(layer.u, u, atol=1e-6)
    assert not np.allclose(u, start[2])


@keras.saving.register_keras_serializable(package="tests")
class Mask(keras.constraints.Constraint):
    def __init__(self, keep):
        self.keep = keep

    def __call__(self, weight):
        return weight * self.keep


def test_mask_on_the_raw_kernel_holds_through_updates():
    layer = SpectralConv2D(4, 3)
    inputs = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    layer(inputs)
    keep = (np.random.default_rng(1).random((3, 3, 3, 4)) > 0.3).astype("float32")
    layer.kernel.constraint = Mask(keep)
    before = layer.kernel.numpy()
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(inputs, training=True) - 1.0))
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
    assert np.all(layer.kernel.numpy()[keep == 0.0] == 0.0)
    assert np.all(layer.normalized_kernel(training=False).numpy()[keep == 0.0] == 0.0)
    assert np.abs(layer.kernel.numpy() - before)[keep == 1.0].min() > 1e-3


def test_sigma_is_float32_under_mixed_precision():
    """In bfloat16 the sum of 4096 equal products would stop growing long before 64."""
    layer = SpectralDense(1, use_bias=False, kernel_initializer="ones", dtype="mixed_bfloat16")
    layer.build((None, 4096))
    normalized = layer.normalized_kernel(training=True)
    assert normalized.dtype == tf.bfloat16
    np.testing.assert_array_equal(normalized, tf.fill((4096, 1), tf.constant(1.0 / 64.0, tf.bfloat16)))


def test_golden_embedding(golden):
    data = golden("fastgan_blocks")
    layer = SpectralEmbedding(5, 6, dtype="float64")
    layer.build()
    layer.kernel.assign(data["e_table"])
    layer.u.assign(data["e_u0"])
    rows = layer(data["e_y"], training=True)
    np.testing.assert_allclose(np.sum(rows * data["e_h"], 1, keepdims=True), data["e_proj"], atol=1e-12)
    np.testing.assert_allclose(layer.u, data["e_u1"], atol=1e-12)


def test_a_kernel_of_zeros_is_left_as_it_is_and_normalised_when_it_is_not_zero():
    layer, inputs = SpectralDense(2, kernel_initializer="zeros"), tf.constant([[1.0, 2.0, 3.0]])
    with tf.GradientTape() as tape:
        outputs = layer(inputs, training=True)
    np.testing.assert_array_equal(outputs, [[0.0, 0.0]])
    # as if sigma were 1, a constant: x_i for each output
    np.testing.assert_array_equal(tape.gradient(outputs, layer.kernel), [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    np.testing.assert_array_equal(layer(inputs), [[0.0, 0.0]])
    # one entry, where the vectors of the kernel before had nothing
    for kernel in ([[4.0, 0.0], [0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0], [0.0, -5.0]]):
        layer.kernel.assign(kernel)
        for _ in range(2):
            outputs = layer(inputs, training=True)
        np.testing.assert_allclose(outputs, [[1.0, 0.0]] if kernel[0][0] else [[0.0, -3.0]], rtol=1e-6)
