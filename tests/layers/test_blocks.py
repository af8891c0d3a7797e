"""The blocks against the authors' code; weights of torch files are [out, in, height, width], images NCHW."""

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.layers.blocks import (
    ResidualDownBlock,
    ResidualInputBlock,
    ResidualUpBlock,
    channel_major_reshape,
)

CONVOLUTIONS = {"c1": "convolution1", "c2": "convolution2", "c_sc": "shortcut"}


def nhwc(images):
    return images.transpose(0, 2, 3, 1)


def load_fastgan(block, data, prefix):
    for short, name in CONVOLUTIONS.items():
        convolution = getattr(block, name)
        if convolution is None:
            continue
        convolution.kernel.assign(data[f"{prefix}_{short}_kernel_hwio"])
        convolution.bias.assign(data[f"{prefix}_{short}_bias"])
        if f"{prefix}_{short}_u0" in data:
            convolution.u.assign(data[f"{prefix}_{short}_u0"])


def test_golden_conditional_spectral_up_block(golden):
    data = golden("fastgan_blocks")
    block = ResidualUpBlock(4, num_classes=3, spectral_normalization=True, epsilon=2e-5, dtype="float64")
    inputs = (data["g_x_nhwc"], data["g_y"])
    block(*inputs)
    load_fastgan(block, data, "g")
    norms = {"b1": block.normalization1, "b2": block.normalization2}
    for short, norm in norms.items():
        norm.gamma.assign(data[f"g_{short}_gammas"])
        norm.beta.assign(data[f"g_{short}_betas"])
    np.testing.assert_allclose(block(*inputs, training=True), data["g_out_train_nhwc"], atol=1e-12)
    for short, norm in norms.items():
        np.testing.assert_allclose(norm.moving_mean, data[f"g_{short}_avg_mean1"], atol=1e-12)
        np.testing.assert_allclose(norm.moving_variance, data[f"g_{short}_avg_var1"], atol=1e-12)
    for short, name in CONVOLUTIONS.items():
        convolution = getattr(block, name)
        np.testing.assert_allclose(convolution.u, data[f"g_{short}_u1"], atol=1e-12)
        sigma = convolution.kernel.numpy() / convolution.normalized_kernel(training=False)
        np.testing.assert_allclose(sigma, data[f"g_{short}_sigma1"], atol=1e-12)
    np.testing.assert_allclose(block(*inputs, training=False), data["g_out_eval_nhwc"], atol=1e-12)


def test_golden_down_block_over_two_training_calls(golden):
    data = golden("fastgan_blocks")
    block = ResidualDownBlock(8, spectral_normalization=True, dtype="float64")
    images = data["d_x_nhwc"]
    block(images)
    load_fastgan(block, data, "d")
    np.testing.assert_allclose(block(images, training=True), data["d_out_train_nhwc"], atol=1e-12)
    np.testing.assert_allclose(block.convolution2.u, data["d_c2_u1"], atol=1e-12)
    np.testing.assert_allclose(block(images, training=True), data["d_out_train2_nhwc"], atol=1e-12)
    np.testing.assert_allclose(block(images, training=False), data["d_out_eval_nhwc"], atol=1e-12)


def test_golden_input_block(golden):
    data = golden("fastgan_blocks")
    block = ResidualInputBlock(8, spectral_normalization=True, dtype="float64")
    block(data["o_x_nhwc"])
    load_fastgan(block, data, "o")
    outputs = block(data["o_x_nhwc"], training=True)
    np.testing.assert_allclose(outputs, data["o_out_train_nhwc"], atol=1e-12)


def test_golden_identity_block(golden):
    data = golden("fastgan_blocks")
    block = ResidualDownBlock(6, downsample=False, dtype="float64")
    block(data["p_x_nhwc"])
    load_fastgan(block, data, "p")
    assert block.shortcut is None
    np.testing.assert_allclose(block(data["p_x_nhwc"]), data["p_out_nhwc"], atol=1e-12)


def test_golden_regan_up_block(golden):
    data = golden("regan_x_sngan_blocks")
    block = ResidualUpBlock(4)
    images = nhwc(data["gen/x"])
    block(images)
    layers = {
        "residual.0": block.normalization1,
        "residual.3": block.convolution1,
        "residual.4": block.normalization2,
        "residual.6": block.convolution2,
        "shortcut.1": block.shortcut,
    }
    for name, layer in layers.items():
        weight, bias = data[f"gen/{name}.weight"], data[f"gen/{name}.bias"]
        if weight.ndim == 4:
            layer.kernel.assign(weight.transpose(2, 3, 1, 0))
            layer.bias.assign(bias)
        else:
            layer.gamma.assign(weight)
            layer.beta.assign(bias)
    np.testing.assert_allclose(block(images, training=True), nhwc(data["gen/out_train"]), atol=1e-5)
    for name in ("residual.0", "residual.4"):
        after = f"gen_buf_after/{name}.running"
        np.testing.assert_allclose(layers[name].moving_mean, data[f"{after}_mean"], atol=1e-6)
        np.testing.assert_allclose(layers[name].moving_variance, data[f"{after}_var"], atol=1e-6)
    np.testing.assert_allclose(block(images, training=False), nhwc(data["gen/out_eval"]), atol=1e-5)


@pytest.mark.parametrize(
    ("prefix", "block", "names"),
    [
        ("opt", ResidualInputBlock, ("residual.0", "residual.2", "shortcut.1")),
        ("down", ResidualDownBlock, ("residual.1", "residual.3", "shortcut.0")),
        ("same", lambda *a, **k: ResidualDownBlock(*a, downsample=False, **k), ("residual.1", "residual.3")),
    ],
)
def test_golden_regan_discriminator_blocks(golden, prefix, block, names):
    data = golden("regan_x_sngan_blocks")
    block = block(4, spectral_normalization=True)
    images = nhwc(data[f"{prefix}/x"])
    block(images)
    layers = dict(zip(names, (block.convolution1, block.convolution2, block.shortcut), strict=False))
    for name, layer in layers.items():
        before = f"{prefix}/before/{name}"
        layer.kernel.assign(data[f"{before}.weight_orig"].transpose(2, 3, 1, 0))
        layer.bias.assign(data[f"{before}.bias"])
        layer.u.assign(data[f"{before}.weight_u"])
    np.testing.assert_allclose(block(images, training=True), nhwc(data[f"{prefix}/out_train1"]), atol=1e-5)
    for name, layer in layers.items():
        np.testing.assert_allclose(layer.u, data[f"{prefix}/after/{name}.weight_u"], atol=1e-5)
    np.testing.assert_allclose(block(images, training=False), nhwc(data[f"{prefix}/out_eval"]), atol=1e-5)


def test_wide_block_has_its_output_channels_in_the_middle():
    narrow, wide = ResidualDownBlock(128), ResidualDownBlock(128, wide=True)
    for block, count in ((narrow, 119_104), (wide, 229_760)):
        block.build((None, 64, 64, 64))
        assert block.count_params() == count


def test_initial_spread_of_kernels_and_biases():
    block = ResidualDownBlock(64, bias_initializer="fan_in_uniform")
    block.build((None, 8, 8, 64))
    limit = np.float32(np.sqrt(2.0) * np.sqrt(6.0 / (9 * 64 + 9 * 64)) * (1 + 1e-6))  # but for rounding
    assert 0.99 * limit < np.abs(block.convolution1.kernel).max() <= limit
    limit = np.float32(np.sqrt(6.0 / (64 + 64)) * (1 + 1e-6))  # gain 1 on the shortcut
    assert 0.97 * limit < np.abs(block.shortcut.kernel).max() <= limit
    assert 0.9 / 24.0 < np.abs(block.convolution1.bias).max() <= (1 + 1e-6) / 24.0  # 9 * 64 inputs
    assert 0.9 / 8.0 < np.abs(block.shortcut.bias).max() <= (1 + 1e-6) / 8.0
    assert not np.allclose(block.convolution1.kernel, block.convolution2.kernel)
    zeros = ResidualDownBlock(64)
    zeros.build((None, 8, 8, 64))
    assert not np.any(zeros.convolution1.bias)


def test_channel_major_reshape():
    maps = channel_major_reshape(np.arange(12.0, dtype="float32")[None], channels=3, size=2)
    np.testing.assert_array_equal(maps[0, :, :, 1], [[4.0, 5.0], [6.0, 7.0]])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ResidualDownBlock(0), "filters is at least 1. Received: 0"),
        (lambda: ResidualDownBlock(4, bias_initializer="ones"), "zeros, fan_in_uniform. Received: ones"),
        (lambda: ResidualUpBlock(4, upsampling="cubic"), "nearest or bilinear. Received: cubic"),
        (lambda: ResidualUpBlock(4, num_classes=2)(np.ones((1, 2, 2, 2))), "if and only if num_classes is"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ConfigError) as refusal:
        make()
    assert words in str(refusal.value)
