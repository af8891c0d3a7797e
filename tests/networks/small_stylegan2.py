"""A small StyleGAN2 and its parts."""

import numpy as np

from tfgans.networks.stylegan2 import stylegan2_generator

SMALL = {"base_channels": 4, "max_channels": 8}
SMALL_G = SMALL | {"resolution": 8, "latent_dim": 6, "style_dim": 5, "mapping_layers": 2}


RANDOM = np.random.default_rng(0)
LATENTS = RANDOM.normal(size=(4, 6)).astype("float32")


def parts(**arguments):
    generator = stylegan2_generator(**SMALL_G | arguments)
    return generator, generator.get_layer("mapping"), generator.get_layer("synthesis")
