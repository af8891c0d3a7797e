import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.norms import (
    BatchNormalization,
    ConditionalBatchNormalization,
    InstanceNormalization,
    LayerNormalization,
    PixelNormalization,
)

COLUMN = np.array([[1.0], [3.0]], "float32")  # mean 2, biased variance 1, unbiased variance 2
IMAGES = np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 6, 3)).astype("float32")


def test_batch_norm_by_hand():
    layer = BatchNormalization()
    np.testing.assert_allclose(layer(COLUMN, training=True), [[-1.0], [1.0]], rtol=1e-5)
    assert float(layer.moving_mean[0]) == pytest.approx(0.1 * 2.0)
    assert float(layer.moving_variance[0]) == pytest.approx(0.9 * 1.0 + 0.1 * 2.0)
    expected = (COLUMN - 0.2) / np.sqrt(1.1 + 1e-5)
    np.testing.assert_allclose(layer(COLUMN, training=False), expected, rtol=1e-6)


def test_batch_norm_momentum_weighs_the_past():
    layer = BatchNormalization(momentum=0.0)
    layer(COLUMN, training=True)
    assert (float(layer.moving_mean[0]), float(layer.moving_variance[0])) == (2.0, 2.0)


def test_batch_norm_of_one_sample_stays_finite():
    layer = BatchNormalization()
    np.testing.assert_array_equal(layer(COLUMN[:1], training=True), [[0.0]])
    assert float(layer.moving_variance[0]) == pytest.approx(0.9)


def test_batch_norm_affine_part():
    layer = BatchNormalization(epsilon=3.0)
    layer.build((None, 1))
    layer.gamma.assign([5.0])
    layer.beta.assign([7.0])
    # The moving mean and variance are 0 and 1 yet, whose root with epsilon is 2.
    np.testing.assert_allclose(layer(COLUMN, training=False), [[7.0 + 2.5], [7.0 + 7.5]], rtol=1e-6)
    np.testing.assert_allclose(layer(COLUMN, training=True), [[7.0 - 2.5], [7.0 + 2.5]], rtol=1e-6)
    assert len(BatchNormalization(center=False, scale=False).weights) == 0


def test_conditional_batch_norm_takes_each_labels_row():
    layer = ConditionalBatchNormalization(3)
    layer(IMAGES, np.zeros(4, "int32"))
    assert layer.gamma.shape == layer.beta.shape == (3, 3)
    np.testing.assert_array_equal(layer.gamma, np.ones((3, 3)))
    np.testing.assert_array_equal(layer.beta, np.zeros((3, 3)))
    tables = np.arange(18, dtype="float32").reshape(2, 3, 3)
    layer.gamma.assign(tables[0])
    layer.beta.assign(tables[1])
    labels = np.array([2, 0, 1, 2])
    plain = BatchNormalization(center=False, scale=False)(IMAGES, training=True)
    expected = plain * tables[0][labels][:, None, None] + tables[1][labels][:, None, None]
    np.testing.assert_allclose(layer(IMAGES, labels, training=True), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "axes"),
    [(BatchNormalization(), (0, 1, 2)), (InstanceNormalization(), (1, 2)), (LayerNormalization(), (1, 2, 3))],
)
def test_moments_after_norm_are_zero_and_one(layer, axes):
    outputs = layer(IMAGES, training=True).numpy().astype("float64")
    np.testing.assert_allclose(outputs.mean(axes), 0.0, atol=1e-6)
    np.testing.assert_allclose(outputs.var(axes), 1.0, rtol=1e-4)
    assert np.abs(outputs.mean(axes[1:])).max() > 1e-3  # over these axes, not fewer


@pytest.mark.parametrize("layer", [InstanceNormalization(epsilon=3.0), LayerNormalization(epsilon=3.0)])
def test_epsilon_is_added_to_the_variance(layer):
    """1 and 3 have mean 2 and variance 1, whose root with 3 is 2; beta is 7 and gamma 5."""
    maps = COLUMN.reshape(1, 1, 2, 1)
    layer.build(maps.shape)
    for weight, value in ((layer.gamma, 5.0), (layer.beta, 7.0)):
        weight.assign(np.full(weight.shape, value))
    np.testing.assert_allclose(np.ravel(layer(maps)), [7.0 - 2.5, 7.0 + 2.5], rtol=1e-6)


def test_pixel_norm_by_hand():
    outputs = PixelNormalization()(np.array([[3.0, 4.0], [0.0, 0.0]], "float32"))
    np.testing.assert_allclose(outputs, [[3.0 / 12.5**0.5, 4.0 / 12.5**0.5], [0.0, 0.0]], rtol=1e-6)


def test_statistics_are_float32_under_mixed_precision():
    """In bfloat16 257 is 256: the mean of 256 and 258 there would have no fraction left to see."""
    inputs = tf.constant([[256.0], [258.0]], tf.bfloat16)
    layer = BatchNormalization(dtype="mixed_bfloat16", momentum=0.0)
    np.testing.assert_allclose(tf.cast(layer(inputs, training=True), tf.float32), [[-1.0], [1.0]], rtol=1e-2)
    assert float(layer.moving_mean[0]) == 257.0
    assert layer.moving_variance.dtype == "float32"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BatchNormalization(momentum=1.0), "momentum is in [0, 1). Received: 1.0"),
        (lambda: BatchNormalization(momentum=-0.1), "momentum is in [0, 1). Received: -0.1"),
        (lambda: LayerNormalization(epsilon=0.0), "epsilon is positive. Received: 0.0"),
        (lambda: PixelNormalization(epsilon=-1.0), "epsilon is positive. Received: -1.0"),
        (lambda: ConditionalBatchNormalization(0), "num_classes is at least 1. Received: 0"),
        (lambda: InstanceNormalization().build((None, 4)), "takes [N, ..., C]. Received: (None, 4)"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ConfigError) as refusal:
        make()
    assert words in str(refusal.value)
