"""BEGAN's networks (Berthelot, Schumm, Metz 2017, section 3.5): a generator, and an autoencoder that judges.

The discriminator's output is how badly it reproduces an image, low for real ones. Departures from the paper: latents
are normal, as everywhere in this house, where the paper draws them uniformly from [-1, 1]; there are no skip
connections, which the paper has as an option.
"""

import keras

from tfgans.config import ConfigError, Count, Side, configurable
from tfgans.layers.resampled import Conv2D
from tfgans.networks.parts import float_dtype, generator_inputs, is_power_of_two


@configurable
def began_generator(
    resolution: Side = 64, channels: Count = 3, latent_dim: Count = 64, base_channels: Count = 64
):
    """Dense to 8x8; at each size two 3x3 convolutions with ELU, then repeated pixels; a last convolution.

    Args:
        resolution: of the square images, a power of two of at least 16.
        base_channels: of every map (the paper's n, 64 or 128).
    Returns: model latents [N, latent_dim] -> images [N, resolution, resolution, channels], float32, meant for [-1, 1]
        but not bounded, as in the paper.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "began_generator"
    doublings = _doublings(name, resolution)
    latents, _ = generator_inputs(latent_dim, None)
    images = _decoder(latents, doublings, channels, base_channels, "images")
    return keras.Model(latents, images, name=name)


@configurable
def began_discriminator(
    resolution: Side = 64, channels: Count = 3, base_channels: Count = 64, code_dim: Count = 64
):
    """An autoencoder: to 8x8 maps whose channels grow by n with every halving, a code, and back.

    Args:
        resolution: of the square images, a power of two of at least 16.
        base_channels: the paper's n.
        code_dim: size of the code between its halves (the paper's N_h).
    Returns: model images [N, resolution, resolution, channels] -> {"adversarial": [N, 1]}, float32: the mean over an
        image's numbers of |image - its reproduction|, Eq. 1 with eta = 1.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "began_discriminator"
    halvings = _doublings(name, resolution)
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    x = _convolution(base_channels)(images)
    for step in range(1, halvings + 2):
        width = step * base_channels
        x = _convolution(width)(_convolution(width)(x))
        if step <= halvings:
            x = _convolution(width + base_channels, strides=2)(x)
    code = keras.layers.Dense(code_dim, name="code")(keras.layers.Flatten()(x))
    copies = _decoder(code, halvings, channels, base_channels, "reproduction")
    errors = keras.ops.mean(keras.ops.abs(images - copies), axis=(1, 2, 3))
    return keras.Model(images, {"adversarial": keras.ops.expand_dims(errors, 1)}, name=name)


def _decoder(codes, doublings, channels, width, name):
    x = keras.layers.Dense(64 * width)(codes)
    x = keras.layers.Reshape((8, 8, width))(x)
    for step in range(doublings + 1):
        x = _convolution(width)(_convolution(width, upsampling=2 if step else 1)(x))
    return keras.layers.Conv2D(channels, 3, padding="same", dtype=float_dtype(), name=name)(x)


def _convolution(filters, strides=1, upsampling=1):
    return Conv2D(filters, 3, strides, padding="same", activation="elu", upsampling=upsampling)


def _doublings(network, resolution):
    """How often 8 doubles to the resolution."""
    if not is_power_of_two(resolution) or resolution < 16:
        raise ConfigError(f"{network}: resolution is a power of two of at least 16. Received: {resolution}")
    return resolution.bit_length() - 4
