"""The lightweight GAN for few images (Liu, Zhu, Song, Elgammal, 2021, who call it FastGAN).

Its generator scales large maps by what small ones say (skip-layer excitation); its discriminator sees an image and a
small version of it, judges patches of both, and has decoders, which `SelfSupervisedGAN` teaches to reproduce images.
All convolutions are without biases and spectrally normalised, in both networks, as in the authors' code. Channels
are `base_channels` times 16 at 4x4, 8, 4, 2, 2, 1, 1/2, 1/4 and 1/8 at 1024x1024 in the generator; in the
discriminator times 8 at 8x8, 4, 2, 1, 1/2 and 1/4 at 256x256, where larger images begin, and half of that in the
small version's part. The small image has 128 pixels a side.

Departures from the code: images end in tanh at every resolution, there at 1024x1024 alone; norms' scales start at 1,
there normal around it with deviation 0.02. Below 256x256, which it does not have: small images have half the
resolution, and layers of larger maps are left out.
"""

import keras

from tfgans.config import ConfigError, Count, Side, configurable
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.resample import AverageDownsampling2D
from tfgans.layers.spectral import SpectralConv2D, SpectralConv2DTranspose
from tfgans.networks.lightweight_parts import Decoders, GivenNoise, SmallImage, WithSmallImage, normal
from tfgans.networks.parts import float_dtype, generator_inputs, is_power_of_two

_UP = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 1 / 2, 512: 1 / 4, 1024: 1 / 8}
_DOWN = {8: 8, 16: 4, 32: 2, 64: 1, 128: 1 / 2, 256: 1 / 4, 512: 1 / 8}


@configurable
def lightweight_generator(
    resolution: Side = 256, channels: Count = 3, latent_dim: Count = 256, base_channels: Count = 64
):
    """Latents to a 4x4 map, doubled to the resolution; every second doubling has two convolutions, with noise.

    Maps of 64 to 512 pixels are scaled, channel by channel, by a gate of the map of a 16th of the size.

    Args:
        resolution: of the square images, a power of two from 32 to 1024.
        base_channels: of the maps of 128x128, a multiple of 8.
    Returns: model latents [N, latent_dim] -> images [N, resolution, resolution, channels] in [-1, 1], float32. Its
        noise is the same for every image unless a method gives other; a method also gets its small images.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "lightweight_generator"
    small = _small_side(name, resolution, base_channels)
    width = {side: int(base_channels * factor) for side, factor in _UP.items()}
    latents, _ = generator_inputs(latent_dim, None)
    x = keras.layers.Reshape((1, 1, latent_dim))(latents)
    x = SpectralConv2DTranspose(2 * width[4], 4, use_bias=False, kernel_initializer=normal(), name="init")(x)
    maps = {4: _gated(_norm()(x))}
    for side in (side for side in _UP if 4 < side <= resolution):
        x = _convolution(2 * width[side], 3, f"up{side}", upsampling=2)(maps[side // 2])
        if side in (8, 32, 128, 512):
            x = _gated(_norm()(GivenNoise(seed=2 * side, name=f"noise{side}_1")(x)))
            x = _convolution(2 * width[side], 3, f"up{side}_2")(x)
            x = GivenNoise(seed=2 * side + 1, name=f"noise{side}_2")(x)
        x = _gated(_norm()(x))
        maps[side] = _excited(x, maps[side // 16], side) if 64 <= side <= 512 else x
    images = _convolution(channels, 3, "to_images")(maps[resolution])
    smaller = _convolution(channels, 1, "to_small")(maps[small])
    images, smaller = (
        keras.layers.Activation("tanh", dtype=float_dtype())(each) for each in (images, smaller)
    )
    images = WithSmallImage(name="images", dtype=float_dtype())(images, smaller)
    return keras.Model(latents, images, name=name)


@configurable
def lightweight_discriminator(resolution: Side = 256, channels: Count = 3, base_channels: Count = 64):
    """Residual halvings of the image to 8x8, plain ones of the small image, patches of 4x4 of both maps.

    Maps of 32, 16 and 8 pixels are scaled by a gate of the map of 8 times the size.

    Args:
        resolution: of the square images, a power of two from 32 to 1024.
        base_channels: of the maps of 64x64, a multiple of 8.
    Returns: model images [N, resolution, resolution, channels] -> {"adversarial": [N, 1]}, float32: the mean of the
        logits of 5x5 patches of the image and as many of the small one, which a method can ask for one by one.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "lightweight_discriminator"
    small = _small_side(name, resolution, base_channels)
    width = {side: int(base_channels * factor) for side, factor in _DOWN.items()}
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    maps = _first_maps(images, resolution, width)
    for side in (side for side in (128, 64, 32, 16, 8) if side < min(resolution, 256)):
        x = _halved(maps[2 * side], width[side], side)
        maps[side] = _excited(x, maps[8 * side], side) if 8 * side in maps else x
    x = keras.layers.LeakyReLU(0.2)(_norm()(_convolution(2 * width[8], 1, "patches_1")(maps[8])))
    logits = [_convolution(1, 4, "patches_2", padding="valid")(x)]
    x = SmallImage(small, name="small_image", dtype=float_dtype())(images)
    for side in (side for side in (64, 32, 16, 8) if side < small):
        x = _convolution(width[side] // 2, 4, f"small{side}", strides=2)(x)
        x = keras.layers.LeakyReLU(0.2)(x if 2 * side == small else _norm()(x))
    logits.append(_convolution(1, 4, "small_patches", padding="valid")(x))
    patches = keras.layers.Concatenate()([keras.layers.Flatten()(each) for each in logits])
    logits = Decoders(small, name="decoders", dtype=float_dtype())(patches, images, x, maps[16], maps[8])
    return keras.Model(images, {"adversarial": logits}, name=name)


def _small_side(name, resolution, base_channels):
    """The small image's side."""
    if not is_power_of_two(resolution) or not 32 <= resolution <= 1024:
        raise ConfigError(f"{name}: resolution is a power of two from 32 to 1024. Received: {resolution}")
    if base_channels % 8:
        raise ConfigError(f"{name}: base_channels is a multiple of 8. Received: {base_channels}")
    return min(resolution // 2, 128)


def _first_maps(images, resolution, width):
    """{side: map}, of 256 pixels, or of the resolution where that is less."""
    first = min(resolution, 256)
    if resolution <= 256:
        x = _convolution(width[first], 3, "from_images")(images)
    else:
        x = _convolution(width[resolution // 2], 4, "from_images", strides=2)(images)
    if resolution == 1024:
        x = _convolution(width[256], 4, "from_images_2", strides=2)(keras.layers.LeakyReLU(0.2)(x))
        x = _norm()(x)
    return {first: keras.layers.LeakyReLU(0.2)(x)}


def _halved(x, width, side):
    """The mean of two ways to half the size: two convolutions, and pooling with one."""
    activate = keras.layers.LeakyReLU(0.2)
    main = activate(_norm()(_convolution(width, 4, f"down{side}_1", strides=2)(x)))
    main = activate(_norm()(_convolution(width, 3, f"down{side}_2")(main)))
    direct = _convolution(width, 1, f"direct{side}")(AverageDownsampling2D()(x))
    return keras.layers.Average()([main, activate(_norm()(direct))])


def _excited(x, source, side):
    """Maps times a gate in (0, 1) for each channel: skip-layer excitation by another map (Liu et al., 2021)."""
    width, factor = x.shape[-1], source.shape[1] // 4
    gate = AverageDownsampling2D(factor)(source) if factor > 1 else source
    gate = _convolution(width, 4, f"gate{side}_1", padding="valid")(gate)
    gate = _convolution(width, 1, f"gate{side}_2")(gate * keras.ops.sigmoid(gate))
    return x * keras.ops.sigmoid(gate)


def _gated(x):
    """Gated linear unit: half of the channels times the sigmoid of the other half."""
    values, gates = keras.ops.split(x, 2, axis=-1)
    return values * keras.ops.sigmoid(gates)


def _norm():
    return BatchNormalization()


def _convolution(filters, kernel_size, name, padding="same", strides=1, upsampling=1):
    options = {"use_bias": False, "kernel_initializer": normal(), "upsampling": upsampling, "name": name}
    return SpectralConv2D(filters, kernel_size, strides, padding, **options)
