"""R3GAN's layers against golden files, in both precisions, and what they are by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from r3gan_weights import BLOCK, channels_last, ours

from tfgans.config import ConfigError
from tfgans.layers.grouped import GroupedResidualBlock, LearnedMap, TemplateReadout, biased_leaky_relu
from tfgans.layers.resample import FIRDownsampling2D, FIRUpsampling2D

BASIS = {"templates": "Basis", "kernel": "LinearLayer.weight"}
READOUT = {"templates": "Basis.weight", "kernel": "LinearLayer.weight"}
WIDTH = {"kernel": "LinearLayer.Layer.weight"}


def pointwise(filters, dtype):
    return keras.layers.Conv2D(filters, 1, use_bias=False, dtype=dtype)


# tag: (layers in turn, our names of the weights and theirs)
CASES = {
    "block_g": (lambda d: [GroupedResidualBlock(4, dtype=d)], BLOCK),
    "block_d": (lambda d: [GroupedResidualBlock(4, dtype=d)], BLOCK),
    "up_conv": (lambda d: [pointwise(4, d), FIRUpsampling2D(dtype=d)], WIDTH),
    "up_same": (lambda d: [FIRUpsampling2D(dtype=d)], {}),
    "down_conv": (lambda d: [FIRDownsampling2D(dtype=d), pointwise(6, d)], WIDTH),
    "down_same": (lambda d: [FIRDownsampling2D(dtype=d)], {}),
    "gbasis": (lambda d: [LearnedMap(6, dtype=d)], BASIS),
    "dbasis1": (lambda d: [TemplateReadout(1, dtype=d)], READOUT),
    "dbasis5": (lambda d: [TemplateReadout(5, dtype=d)], READOUT),
}


def maps(array):
    return channels_last(array) if array.ndim == 4 else array


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tag", CASES)
def test_values_and_gradients(tag, dtype, golden):
    make, names = CASES[tag]
    arrays = golden("r3gan_blocks")
    network = keras.Sequential(make(dtype))
    x, coefficients = (tf.constant(maps(arrays[f"{tag}/{name}"]), dtype) for name in ("x", "coef"))
    network(x)
    weights = {v.path.split("/")[-1]: v for v in network.trainable_variables}
    assert weights.keys() == names.keys()
    for name, theirs in names.items():
        weights[name].assign(ours(arrays[f"{tag}/w/{theirs}"]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = network(x)
        value = tf.reduce_sum(y * coefficients)
    # the files hold float32
    close = dict(rtol=1e-5, atol=1e-5) if dtype == "float32" else dict(rtol=2e-7, atol=2e-7)
    np.testing.assert_allclose(y, maps(arrays[f"{tag}/y"]), **close)
    gradients = tape.gradient(value, [x, *(weights[name].value for name in names)])
    np.testing.assert_allclose(gradients[0], maps(arrays[f"{tag}/grad_x"]), **close)
    for gradient, theirs in zip(gradients[1:], names.values(), strict=True):
        np.testing.assert_allclose(gradient, ours(arrays[f"{tag}/grad/{theirs}"]), **close)


def test_the_activation(golden):
    arrays = golden("r3gan_blocks")
    x, bias = tf.constant(channels_last(arrays["act/x"])), tf.constant(arrays["act/w/Bias"])
    with tf.GradientTape() as tape:
        tape.watch((x, bias))
        y = biased_leaky_relu(x, bias)
        value = tf.reduce_sum(y * channels_last(arrays["act/coef"]))
    by_x, by_bias = tape.gradient(value, (x, bias))
    np.testing.assert_allclose(y, channels_last(arrays["act/y"]), rtol=1e-6)
    np.testing.assert_allclose(by_x, channels_last(arrays["act/grad_x"]), rtol=1e-6)
    np.testing.assert_allclose(by_bias, arrays["act/grad/Bias"], rtol=1e-5)


def test_the_low_pass_is_the_authors(golden):
    taps = np.array(FIRUpsampling2D().taps) / 8
    np.testing.assert_allclose(np.outer(taps, taps), golden("r3gan_blocks")["fir_kernel"], rtol=1e-6)


def test_a_block_begins_as_the_identity_and_its_deviations():
    """CIFAR-10's: 768 channels, 8 blocks, groups of 16: 0.029754 and 0.068714, by the authors' code."""
    keras.utils.set_random_seed(0)
    block = GroupedResidualBlock(gain=8**-0.25)
    x = tf.random.stateless_normal((1, 2, 2, 768), (0, 1))
    np.testing.assert_array_equal(block(x), x)
    assert np.std(block.kernel1) == pytest.approx(0.029754, rel=3e-3)
    assert np.std(block.kernel2) == pytest.approx(0.068714, rel=5e-3)
    assert block.kernel2.shape == (3, 3, 16, 1536) and not np.any(block.kernel3)
    assert not np.any(block.bias1) and not np.any(block.bias2)


def test_groups_do_not_mix():
    """In float64 and by hand: a kernel of ones in groups of two adds up nine pixels of two channels."""
    block = GroupedResidualBlock(2, expansion=1, dtype="float64")
    x = tf.constant(np.arange(36.0).reshape(1, 3, 3, 4) + 1.0)
    block(x)
    eye = np.eye(4)[None, None]
    block.set_weights([eye, np.zeros(4), np.ones((3, 3, 2, 4)), np.zeros(4), eye])
    sums = np.sum(x[0], (0, 1)).reshape(2, 2).sum(1)
    np.testing.assert_allclose(block(x)[0, 1, 1] - x[0, 1, 1], np.repeat(sums, 2))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"group_width": 0}, "group_width is above 0. Received: 0"),
        ({"kernel_size": 2}, "kernel_size is odd. Received: 2"),
        ({"group_width": 3}, "8 channels are no multiple of group_width. Received: 3"),
    ],
)
def test_what_is_refused(arguments, said):
    with pytest.raises(ConfigError, match=said):
        GroupedResidualBlock(**arguments)(tf.zeros((1, 2, 2, 4)))
