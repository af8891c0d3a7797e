"""Tiny networks of AlphaGAN on StyleGAN2 for the tests."""

import numpy as np

from tfgans.methods.alphagan.spaces.stylegan2 import space
from tfgans.methods.alphagan.spaces.stylegan2.genotype import StyleGAN2Genotype
from tfgans.methods.alphagan.spaces.stylegan2.search_discriminator import (
    alphagan_stylegan2_search_discriminator,
)
from tfgans.methods.alphagan.spaces.stylegan2.supernet import alphagan_stylegan2_supernet

WIDTHS = {"base_channels": 2, "max_channels": 4}
SMALL = WIDTHS | {"latent_dim": 3, "style_dim": 4}
MIXED = StyleGAN2Genotype(("conv_5x5", "sep_conv_3x3"), ("bilinear_conv",), (3, 1, 7, 5))


def tiny(paradigm="macro_w", resolution=8, **options):
    return alphagan_stylegan2_supernet(resolution, paradigm, **SMALL, **options)


def tiny_discriminator(resolution=16):
    return alphagan_stylegan2_search_discriminator(resolution, **WIDTHS)


def shake(network, seed=1):
    """Moves every weight, so that noise, biases, style affines and the architecture all count."""
    generator = np.random.default_rng(seed)
    for variable in network.weights:
        variable.assign(variable.numpy() + 0.5 * generator.normal(size=variable.shape))
    return network


def parameters(genotype):
    """Of a genotype's generator with config-f's channels: the mapping, the constant, L_1 .. L_m, the to-RGBs."""
    total, inputs = 8 * (512**2 + 512) + 16 * 512, 512
    for name, side, operation, _ in genotype.layers:
        width = min(512, 32768 // side)
        if operation != "to_rgb":
            k = 3 if operation in space.UP_OPERATIONS else int(operation[-1])
            separable = operation.startswith("sep_")
            kernels = k**2 * inputs + inputs * width if separable else k**2 * inputs * width
            total += kernels + width + 513 * inputs + 1
            inputs = width
        if operation == "to_rgb" or int(name[1:]) % 2 == 0:  # that of the map before
            before = width if operation == "to_rgb" else min(512, 32768 // (side // 2))
            total += 3 * before + 3 + 513 * before
    return total
