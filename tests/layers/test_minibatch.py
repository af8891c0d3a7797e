import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.minibatch import MinibatchStandardDeviation
from tfgans.layers.norms import InstanceNormalization
from tfgans.layers.spectral import SpectralDense
from tfgans.layers.state import depends_on_batch, mixes_samples


def channels_last(images):
    return np.transpose(images, (0, 2, 3, 1))


@pytest.mark.parametrize(
    ("name", "arguments", "count"),
    [
        ("group4_out", {}, 8),
        ("batch2_out", {}, 2),
        ("group4_feat2_out", {"num_features": 2}, 8),
        ("progan_wholebatch_out", {"group_size": None}, 8),
    ],
)
def test_against_golden(golden, name, arguments, count):
    arrays = golden("regan_c_layers")
    inputs = channels_last(arrays["mbstd/x"])[:count]
    outputs = MinibatchStandardDeviation(**arguments)(inputs)
    np.testing.assert_allclose(outputs, channels_last(arrays[f"mbstd/{name}"]), rtol=1e-5, atol=1e-6)


def test_groups_by_hand():
    """Four samples in groups of two: 0 with 2 and 1 with 3."""
    values = np.array([0.0, 10.0, 4.0, 16.0], "float32")
    inputs = np.broadcast_to(values[:, None, None, None], (4, 2, 3, 2))
    outputs = MinibatchStandardDeviation(2)(inputs).numpy()
    assert outputs.shape == (4, 2, 3, 3)
    np.testing.assert_array_equal(outputs[..., :2], inputs)
    np.testing.assert_allclose(outputs[:, 0, 0, 2], [2.0, 3.0, 2.0, 3.0], rtol=1e-6)
    assert np.ptp(outputs[..., 2], axis=(1, 2)).max() == 0


@pytest.mark.parametrize(("count", "group"), [(1, 1), (3, 3), (6, 3), (7, 1), (8, 4), (10, 2)])
def test_group_is_the_largest_divisor(count, group):
    inputs = np.random.default_rng(0).normal(size=(count, 2, 2, 2)).astype("float32")
    expected = MinibatchStandardDeviation(group)(inputs)
    layer = MinibatchStandardDeviation(4)
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-6)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec((None, 2, 2, 2))], autograph=False)
    np.testing.assert_allclose(unknown(inputs), expected, rtol=1e-6)
    compiled = tf.function(
        layer, input_signature=[tf.TensorSpec((None, 2, 2, 2))], autograph=False, jit_compile=True
    )
    np.testing.assert_allclose(compiled(inputs), expected, rtol=1e-6)


def test_statistics_are_float32_under_mixed_precision():
    inputs = np.random.default_rng(0).normal(size=(4, 4, 4, 8)).astype("float32") + 300.0
    exact = MinibatchStandardDeviation()(tf.cast(tf.cast(inputs, tf.float16), tf.float32))
    half = MinibatchStandardDeviation(dtype="mixed_float16")(inputs)  # a mean of squares is above 65504
    assert half.dtype == tf.float16
    np.testing.assert_allclose(half[..., -1], exact[..., -1], rtol=1e-3)


def network(*layers):
    return keras.Sequential([keras.Input((4, 4, 2)), *layers])


def test_a_network_with_it_mixes_samples():
    assert mixes_samples(network(MinibatchStandardDeviation()))
    assert mixes_samples(network(keras.Sequential([MinibatchStandardDeviation()])))
    assert depends_on_batch(network(MinibatchStandardDeviation()))
    assert mixes_samples(network(keras.layers.BatchNormalization()))
    assert not mixes_samples(network(InstanceNormalization(), SpectralDense(3)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MinibatchStandardDeviation(num_features=0), "num_features is at least 1. Received: 0"),
        (lambda: MinibatchStandardDeviation(-2), "group_size is at least 1. Received: -2"),
        (
            lambda: MinibatchStandardDeviation(num_features=3)(np.ones((1, 2, 2, 4))),
            "num_features divides the channels. Received: 3 of 4",
        ),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ConfigError) as refusal:
        make()
    assert words in str(refusal.value)
