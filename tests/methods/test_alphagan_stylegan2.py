"""AlphaGAN on StyleGAN2: operations, generators and discriminators of genotypes."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from stylegan2_searches import MIXED, SMALL, WIDTHS, shake, tiny
from supernets import batch, output

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.layers.modulated import StyledConv2D
from tfgans.layers.resample import upsample_bilinear, upsample_nearest
from tfgans.methods.alphagan.spaces.stylegan2.genotype import micro_genotype
from tfgans.methods.alphagan.spaces.stylegan2.networks import (
    alphagan_stylegan2_discriminator,
    alphagan_stylegan2_generator,
)
from tfgans.methods.alphagan.spaces.stylegan2.operations import SeparableStyledConv2D, make_operation
from tfgans.methods.style import StyleMixingGAN
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator

# Operations


@pytest.mark.parametrize(
    ("name", "upsample"), [("nearest_conv", upsample_nearest), ("bilinear_conv", upsample_bilinear)]
)
def test_interpolated_convolutions(name, upsample):
    maps, styles, noise = batch((4, 5, 3)), batch((6,)), batch((8, 10, 1))
    layer, plain = make_operation(name, 2, seed=3), StyledConv2D(2, 3, seed=3)
    assert layer.compute_output_shape((None, 4, 5, 3)) == (None, 8, 10, 2)
    layer(maps, styles), plain(upsample(maps), styles)
    shake(layer)
    plain.set_weights(layer.get_weights())
    for given in (None, noise):
        np.testing.assert_array_equal(layer(maps, styles, given), plain(upsample(maps), styles, given))


@pytest.mark.parametrize("modulated", ["depthwise", "pointwise"])
def test_separable_convolution_is_one_with_its_whole_kernel(modulated):
    """Against a plain convolution, sample by sample, with the kernel W_kio = w_ki p_io s_i d_o."""
    layer, maps, styles = SeparableStyledConv2D(2, 5, modulated), batch((6, 7, 3)), batch((4,))
    layer(maps, styles)
    shake(layer)
    inner = layer.convolution
    depthwise, pointwise = inner.depthwise_kernel.numpy() / 5, inner.kernel.numpy()[0, 0] / np.sqrt(3)
    scales = inner.modulation(styles).numpy()
    outputs = []
    for image, scale in zip(maps, scales, strict=True):
        kernel = depthwise * (scale[:, None] * pointwise)  # [5, 5, 3, 2]
        counted = kernel if modulated == "depthwise" else scale[:, None] * pointwise
        norms = np.sqrt((counted**2).sum(tuple(range(counted.ndim - 1))))
        outputs.append(tf.nn.conv2d(image[None], kernel / norms, 1, "SAME")[0])
    found = np.stack(outputs) + layer.noise.strength.numpy() * layer.noise.own_noise + layer.bias.numpy()
    found = np.maximum(found, 0.2 * found) * np.sqrt(2)
    np.testing.assert_allclose(layer(maps, styles), found, rtol=1e-4, atol=1e-5)


# Generators and discriminators


def test_the_baseline_is_stylegan2_bit_for_bit():
    genotype = micro_genotype("conv_3x3", "deconv", 16)
    mine, theirs = alphagan_stylegan2_generator(genotype, **SMALL), stylegan2_generator(16, **SMALL)
    assert [w.path for w in mine.weights] == [w.path for w in theirs.weights]
    shake(theirs)
    mine.set_weights(theirs.get_weights())
    latents = batch((3,))
    np.testing.assert_array_equal(mine(latents, training=True), theirs(latents, training=True))
    np.testing.assert_array_equal(mine.get_layer("mapping").mean_w, theirs.get_layer("mapping").mean_w)
    styles = batch((6, 4))
    noise = [tf.constant(batch(shape)) for shape in theirs.get_layer("synthesis").noise_shapes]
    synthesis = [network.get_layer("synthesis")(styles, noise) for network in (mine, theirs)]
    np.testing.assert_array_equal(*synthesis)
    assert cost.macs(mine) == cost.macs(theirs)


def test_latents_go_where_the_genotype_says():
    generator = shake(alphagan_stylegan2_generator(MIXED, **SMALL))
    mapping, latents = generator.get_layer("mapping"), batch((3,))
    outputs = mapping.intermediates(latents)
    np.testing.assert_array_equal(mapping(latents), np.stack([outputs[i - 1] for i in (3, 1, 7, 5)], 1))


def test_discriminator_of_a_genotype():
    sizes = ((3, 1), (5, 3))
    genotype = replace(
        micro_genotype("conv_3x3", "deconv", 16),
        discriminator_normal=("conv_3x3", "conv_5x5"),
        discriminator_down=("conv_1x1", "conv_3x3"),
    )
    network = alphagan_stylegan2_discriminator(genotype, **WIDTHS)
    kernels = {
        (w.path.split("/")[-3], w.path.split("/")[-2]): w.shape[0]
        for w in network.weights
        if "block" in w.path and w.path.endswith("kernel")
    }
    assert kernels == {
        (f"block{side}", f"convolution{i + 1}"): sizes[level][i]
        for level, side in enumerate((8, 16))
        for i in (0, 1)
    } | {("block8", "shortcut"): 1, ("block16", "shortcut"): 1}
    plain = alphagan_stylegan2_discriminator(micro_genotype("conv_1x1", "deconv", 16), **WIDTHS)
    theirs = stylegan2_discriminator(16, **WIDTHS)
    theirs.set_weights(plain.get_weights())
    images = batch((16, 16, 3))
    np.testing.assert_array_equal(output(plain, images), output(theirs, images))


def test_discriminator_kernel_sizes_are_refused():
    for sizes, message in [
        (((3, 3),), "has 2 pairs"),
        ((3, 3), "is a list .* Received"),
        (((3, 3), (3, 2)), "is odd"),
    ]:
        with pytest.raises(ConfigError, match=f"stylegan2_discriminator.*kernel_size.* {message}"):
            stylegan2_discriminator(16, kernel_sizes=sizes, **WIDTHS)


@pytest.mark.slow
def test_a_generator_is_used_as_stylegan2s():
    """Style mixing, fresh noise, truncation, moving averages; the supernet has no styles and says so."""
    model = StyleMixingGAN(
        alphagan_stylegan2_generator(MIXED, **SMALL),
        stylegan2_discriminator(8, **WIDTHS),
        mixing_probability=1.0,
        ema_decay=0.5,
    )
    assert model.style_slots == 4
    model.compile("sgd", "sgd")
    shake(model.generator)
    latents = model.draw_latents(3)
    images = model.synthesize(latents)
    unmixed = model.synthesize({"latents": latents["latents"]})
    assert np.abs(images - unmixed).max() > 1e-3
    styles = model.styles(latents["latents"], weights="raw", truncation=0.0)
    means = model.generator.get_layer("mapping").mean_w.numpy()
    np.testing.assert_allclose(styles, np.tile(means[[2, 0, 6, 4]], (3, 1, 1)), rtol=1e-6)
    with pytest.raises(ConfigError, match="the generator has no styles"):
        StyleMixingGAN(tiny(), stylegan2_discriminator(8, **WIDTHS))
