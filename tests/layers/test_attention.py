import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.attention import SelfAttention, _max_pool


def loaded(data, prefix):
    layer = SelfAttention(spectral_normalization=prefix == "sn", dtype="float64")
    layer.build(data[f"{prefix}_x_nhwc"].shape)
    layer.gamma.assign(data[f"{prefix}_gamma"])
    for name in ("theta", "phi", "g", "o"):
        projection = getattr(layer, name)
        projection.kernel.assign(data[f"{prefix}_{name}_kernel_hwio"])
        if prefix == "sn":
            projection.u.assign(data[f"sn_{name}_u0"])
    return layer


@pytest.mark.parametrize("prefix", ["plain", "sn"])
def test_golden(golden, prefix):
    data = golden("fastgan_attention")
    layer = loaded(data, prefix)
    outputs = layer(data[f"{prefix}_x_nhwc"], training=True)
    np.testing.assert_allclose(outputs, data[f"{prefix}_out_nhwc"], atol=1e-12)
    if prefix == "sn":
        for name in ("theta", "phi", "g", "o"):
            np.testing.assert_allclose(getattr(layer, name).u, data[f"sn_{name}_u1"], atol=1e-12)


def test_starts_as_the_identity():
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32")
    np.testing.assert_array_equal(SelfAttention()(inputs), inputs)


def test_parameter_count():
    layer = SelfAttention()
    layer.build((None, 16, 16, 128))
    assert layer.count_params() == 128 * (16 + 16 + 64) + 64 * 128 + 1 == 20_481


def test_too_few_channels():
    with pytest.raises(ConfigError, match="at least 8 channels. Received: 7"):
        SelfAttention().build((None, 4, 4, 7))


def test_max_pool_is_tensorflows_with_equals_too():
    maps = tf.constant(np.random.default_rng(0).integers(0, 3, (2, 6, 4, 3)).astype("float32"))
    results = []
    for pool in (_max_pool, lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID")):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            pooled = pool(maps)
            value = tf.reduce_sum(pooled * tf.reshape(tf.range(36.0), pooled.shape))
        results.append((pooled, tape.gradient(value, maps)))
    for ours, tensorflows in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, tensorflows)


def test_trains_deterministically_under_xla():
    tf.config.experimental.enable_op_determinism()
    layer = SelfAttention()
    layer.build((None, 4, 4, 8))

    @tf.function(jit_compile=True)
    def gradient(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = tf.reduce_sum(layer(inputs) ** 2)
        return tape.gradient(value, inputs)

    inputs = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32"))
    np.testing.assert_allclose(gradient(inputs), 2 * inputs, rtol=1e-6)  # gamma is 0: the identity
