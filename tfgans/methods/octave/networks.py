"""The networks of soft octave convolutions (Durall et al. 2019, code), and the same ones without an octave.

Halving is a 2x2 average before a 3x3 convolution, doubling a repetition of pixels before it; there is no strided
and no transposed convolution. With alpha = 0 all maps are single tensors: the vanilla networks of the same style. The
networks of the released code are `resolution=128, base_channels=32`; the classic DCGAN with 4x4 convolutions of
stride 2 is `tfgans.networks.dcgan`.
"""

import keras

from tfgans.config import ConfigError, Count, Side, Within, configurable
from tfgans.layers.blocks import channel_major_reshape
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.resample import AverageDownsampling2D
from tfgans.methods.octave.conv import PathUniform, is_pair, on_each
from tfgans.methods.octave.soft import SoftOctaveConv2D
from tfgans.networks.parts import float_dtype, generator_inputs, is_power_of_two


@configurable
def octave_generator(
    resolution: Side = 128,
    channels: Count = 3,
    latent_dim: Count = 100,
    base_channels: Count = 32,
    max_channels: Count = 512,
    alpha: Within("[0, 1)") = 0.5,
):
    """Dense to 4x4, norm, ReLU; then, for each doubling, repeat pixels, octave convolution, norm, ReLU; last tanh.

    Args:
        resolution: of the square images, a power of two of at least 16.
        base_channels: of the last hidden maps; they double with every halving, up to `max_channels`.
        alpha: share of the channels that are low, in [0, 1); 0 is the vanilla network, 0.99 the paper's LOW.
    Returns: model latents [N, latent_dim] -> images [N, resolution, resolution, channels] in [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "octave_generator"
    doublings = _halvings(name, resolution)
    widths = [min(base_channels * 2**index, max_channels) for index in range(doublings)][::-1]
    latents, _ = generator_inputs(latent_dim, None)
    x = keras.layers.Dense(16 * widths[0], use_bias=False, kernel_initializer=_uniform(latent_dim))(latents)
    x = keras.layers.ReLU()(BatchNormalization()(x))
    maps = channel_major_reshape(x, widths[0], 4)
    for width in widths[1:]:
        maps = on_each(BatchNormalization, _convolve(maps, width, alpha, upsampling=2))
        maps = on_each(keras.layers.ReLU, maps)
    x = _convolve(maps, channels, 0.0, upsampling=2)
    images = keras.layers.Activation("tanh", dtype=float_dtype(), name="images")(x)
    return keras.Model(latents, images, name=name)


@configurable
def octave_discriminator(
    resolution: Side = 128,
    channels: Count = 3,
    base_channels: Count = 32,
    max_channels: Count = 512,
    alpha: Within("[0, 1)") = 0.5,
):
    """For each halving down to 4x4 maps: average, octave convolution, norm, LeakyReLU(0.2); last one to a logit.

    The last convolution leaves the high maps at 2x2 and pools them to the low maps' 1x1.

    Args: as `octave_generator`; `base_channels` are those of the first maps.
    Returns: model images [N, resolution, resolution, channels] -> {"adversarial": [N, 1]}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "octave_discriminator"
    halvings = _halvings(name, resolution)
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    maps = images
    for index in range(halvings):
        maps = on_each(AverageDownsampling2D, maps)
        width = min(base_channels * 2**index, max_channels)
        maps = on_each(BatchNormalization, _convolve(maps, width, alpha))
        maps = on_each(lambda: keras.layers.LeakyReLU(0.2), maps)
    maps = on_each(AverageDownsampling2D, maps)
    x = _convolve(maps, 1, 0.0, low_resolution=is_pair(maps))
    x = x if is_pair(maps) else AverageDownsampling2D()(x)
    logits = keras.layers.Flatten(dtype=float_dtype(), name="adversarial")(x)
    return keras.Model(images, {"adversarial": logits}, name=name)


def _convolve(maps, filters, alpha, **options):
    """A 3x3 soft octave convolution without bias, initialised as PyTorch does each of the authors' four."""
    initializer = PathUniform(maps[1].shape[-1] if is_pair(maps) else 0)
    return SoftOctaveConv2D(
        filters, 3, alpha=alpha, use_bias=False, kernel_initializer=initializer, **options
    )(maps)


def _uniform(fan_in):
    return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)


def _halvings(network, resolution):
    """How often the resolution halves down to 4."""
    if not is_power_of_two(resolution) or resolution < 16:
        raise ConfigError(f"{network}: resolution is a power of two of at least 16. Received: {resolution}")
    return resolution.bit_length() - 3
