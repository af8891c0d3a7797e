"""DCGAN: strided 4x4 convolutions, down to and up from 4x4 maps (Radford et al., 2016).

Departures from the paper: any power-of-two resolution, where the widest maps have `max_channels`; images that are
no squares; classes.
"""

import keras

from tfgans.config import ConfigError, Count, Size, configurable, sides
from tfgans.layers.norms import (
    BatchNormalization,
    ConditionalBatchNormalization,
    InstanceNormalization,
    LayerNormalization,
    PixelNormalization,
)
from tfgans.networks.parts import (
    convolution,
    discriminator_model,
    float_dtype,
    generator_inputs,
    generator_model,
    is_power_of_two,
    smallest_map,
)

NORMALIZATIONS = {
    "batch": BatchNormalization,
    "instance": InstanceNormalization,
    "layer": LayerNormalization,
    "pixel": PixelNormalization,
    "none": None,
}


@configurable
def dcgan_generator(
    resolution: Size = 32,
    channels: Count = 3,
    latent_dim: Count = 128,
    base_channels: Count = 64,
    max_channels: Count = 512,
    num_classes: Count | None = None,
    normalization: str = "batch",
):
    """DCGAN generator: dense to 4x4, then norm, ReLU, transposed convolution (4x4, stride 2), ...; tanh.

    Args:
        resolution: of square images, a power of two of at least 8; or (height, width), see `parts.smallest_map`.
        base_channels: of the last hidden maps; they double with every halving, up to `max_channels`.
        num_classes: None, or the number of classes; the batch norms are then conditional.
        normalization: `batch`, `instance`, `layer`, `pixel` or `none`; with classes, `batch`.
    Returns: model latents [N, latent_dim] (and labels [N]) -> images [N, H, W, channels] in [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    (height, width), doublings = _smallest("dcgan_generator", resolution)
    widths = _widths(doublings, base_channels, max_channels)[::-1]
    _check_normalization("dcgan_generator", normalization)
    if num_classes is not None and normalization != "batch":
        raise ConfigError(
            f"dcgan_generator: with num_classes, normalization is batch. Received: {normalization}"
        )
    latents, labels = generator_inputs(latent_dim, num_classes)
    use_bias = normalization in ("none", "pixel")
    x = keras.layers.Dense(height * width * widths[0], use_bias=use_bias, kernel_initializer=_normal())(
        latents
    )
    x = keras.layers.Reshape((height, width, widths[0]))(x)
    for width in widths[1:]:
        x = keras.layers.ReLU()(_normalize(x, normalization, labels, num_classes))
        x = _upconvolution(width, use_bias)(x)
    x = keras.layers.ReLU()(_normalize(x, normalization, labels, num_classes))
    x = _upconvolution(channels, True)(x)
    images = keras.layers.Activation("tanh", dtype=float_dtype(), name="images")(x)
    return generator_model(latents, labels, images, "dcgan_generator")


@configurable
def dcgan_discriminator(
    resolution: Size = 32,
    channels: Count = 3,
    base_channels: Count = 64,
    max_channels: Count = 512,
    num_classes: Count | None = None,
    conditioning: str = "projection",
    contrast_dim: Count = 512,
    normalization: str = "batch",
    spectral_normalization: bool = False,
):
    """DCGAN discriminator: convolution (4x4, stride 2), norm but not at first, LeakyReLU(0.2), ...; heads.

    Args:
        resolution: of square images, a power of two of at least 8; or (height, width), see `parts.smallest_map`.
        base_channels: of the first maps; they double with every halving, up to `max_channels`.
        num_classes, conditioning, contrast_dim: how classes enter, see `parts.discriminator_model`.
        normalization: `batch`, `instance`, `layer`, `pixel` or `none`.
        spectral_normalization: of every convolution and head.
    Returns: model images [N, H, W, channels] (and labels [N]) -> {"adversarial": [N, 1],
        "class": [N, num_classes] if asked for}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    _, halvings = _smallest("dcgan_discriminator", resolution)
    widths = _widths(halvings, base_channels, max_channels)
    _check_normalization("dcgan_discriminator", normalization)
    images = keras.Input((*sides(resolution), channels), dtype=float_dtype(), name="images")
    x = images
    for index, width in enumerate(widths):
        normalized = index > 0 and normalization != "none"
        x = convolution(
            width,
            4,
            spectral_normalization,
            strides=2,
            padding="same",
            use_bias=not normalized or normalization == "pixel",
            kernel_initializer=_normal(),
        )(x)
        x = _normalize(x, normalization) if normalized else x
        x = keras.layers.LeakyReLU(0.2)(x)
    features = keras.layers.Flatten(dtype=float_dtype(), name="features")(x)
    return discriminator_model(
        images,
        features,
        "dcgan_discriminator",
        num_classes=num_classes,
        conditioning=conditioning,
        contrast_dim=contrast_dim,
        spectral_normalization=spectral_normalization,
        kernel_initializer=_normal(),
    )


def _smallest(network, resolution):
    """((height, width) of the smallest map, how often it doubles)."""
    height, width = sides(resolution)
    if height != width:
        return smallest_map(network, resolution)
    if not is_power_of_two(height) or height < 8:
        raise ConfigError(f"{network}: resolution is a power of two of at least 8. Received: {height}")
    return (4, 4), height.bit_length() - 3


def _widths(halvings, base_channels, max_channels):
    """Channels of the maps of half the resolution, a quarter, ... down to the smallest."""
    return [min(base_channels * 2**index, max_channels) for index in range(halvings)]


def _check_normalization(network, normalization):
    if normalization not in NORMALIZATIONS:
        raise ConfigError(
            f"{network}: normalization is one of {', '.join(NORMALIZATIONS)}. Received: {normalization}"
        )


def _normalize(x, normalization, labels=None, num_classes=None):
    if labels is not None:
        return ConditionalBatchNormalization(num_classes)(x, labels)
    layer = NORMALIZATIONS[normalization]
    return x if layer is None else layer()(x)


def _normal():
    return keras.initializers.RandomNormal(stddev=0.02)


def _upconvolution(filters, use_bias):
    return keras.layers.Conv2DTranspose(
        filters, 4, strides=2, padding="same", use_bias=use_bias, kernel_initializer=_normal()
    )
