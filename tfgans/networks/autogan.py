"""AutoGAN: the generators A, B and C found by architecture search, and their discriminator (Gong et al., 2019).

As in the published code: what a cell hands to later cells is its first convolution's output with the skips that the
cell itself takes already added; a batch norm's gamma starts at N(1, 0.02); kernels of convolutions are Glorot
uniform, all the rest uniform on +-1 / sqrt(inputs), PyTorch's default. The 5.192 million parameters in the
literature count three deconvolutions that the cells hold and never call.
"""

from dataclasses import dataclass

import keras

from tfgans.config import ConfigError, Count, Side, configurable
from tfgans.layers.blocks import channel_major_reshape
from tfgans.layers.initializers import bias_initializer, glorot_uniform
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.resample import BilinearUpsampling2D
from tfgans.layers.resampled import Conv2D
from tfgans.networks.parts import discriminator_model, float_dtype, generator_inputs
from tfgans.networks.resnet import residual_features


@dataclass(frozen=True)
class Cell:
    """What the search chose for a cell: how it doubles its map, whether it has a shortcut and batch norms."""

    upsampling: str = "nearest"
    shortcut: bool = True
    normalization: bool = False


CELLS = {
    "A": (Cell(), Cell("bilinear"), Cell(shortcut=False)),
    "B": (Cell(), Cell(), Cell()),
    "C": (Cell(normalization=True), Cell("bilinear"), Cell(shortcut=False)),
}


@configurable
def autogan_generator(
    resolution: Side = 32,
    channels: Count = 3,
    latent_dim: Count = 128,
    base_channels: Count = 256,
    architecture: str = "A",
):
    """Dense to an eighth of the size; three cells that double it, each fed by all before it; norm, ReLU, conv, tanh.

    Args:
        resolution: of the square images, a multiple of 8.
        base_channels: of every map.
        architecture: `A`, the published best on CIFAR-10, `B` or `C`.
    Returns: model latents [N, latent_dim] -> images [N, resolution, resolution, channels] in [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "autogan_generator"
    if resolution % 8:
        raise ConfigError(f"{name}: resolution is a multiple of 8. Received: {resolution}")
    if architecture not in CELLS:
        raise ConfigError(f"{name}: architecture is one of {', '.join(CELLS)}. Received: {architecture}")
    latents, _ = generator_inputs(latent_dim, None)
    size = resolution // 8
    x = keras.layers.Dense(
        size**2 * base_channels,
        kernel_initializer=bias_initializer("fan_in_uniform", latent_dim),
        bias_initializer=bias_initializer("fan_in_uniform", latent_dim),
    )(latents)
    x = channel_major_reshape(x, base_channels, size)
    taps = []
    for cell in CELLS[architecture]:
        x = _cell(x, cell, taps)
    x = convolution(keras.layers.ReLU()(normalized(x)), channels, 3)
    images = keras.layers.Activation("tanh", dtype=float_dtype(), name="images")(x)
    return keras.Model(latents, images, name=name)


@configurable
def autogan_discriminator(
    resolution: Side = 32,
    channels: Count = 3,
    base_channels: Count = 128,
    spectral_normalization: bool = True,
):
    """Four residual blocks, of which the first two halve the map; ReLU, sum over the map, dense without a bias.

    Args:
        resolution: of the square images, a multiple of 4; also at 48 there are two halvings.
        base_channels: of every map.
        spectral_normalization: of every convolution and the head.
    Returns: model images [N, resolution, resolution, channels] -> {"adversarial": [N, 1]}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "autogan_discriminator"
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    features = residual_features(
        name,
        images,
        (base_channels,) * 4,
        (True, True, False, False),
        (),
        "sum",
        wide=False,
        spectral_normalization=spectral_normalization,
        residual_gain=1.0,
        bias_initializer="fan_in_uniform",
        kernel_initializer="glorot_uniform",
    )
    return discriminator_model(
        images,
        features,
        name,
        spectral_normalization=spectral_normalization,
        head_bias=False,
        kernel_initializer=bias_initializer("fan_in_uniform", base_channels),
    )


def _cell(inputs, cell, taps):
    """The cell's output; adds what it hands on to `taps`, the earlier cells' at sizes of their own."""
    channels, size = inputs.shape[-1], 2 * inputs.shape[1]
    x = normalized(inputs) if cell.normalization else inputs
    x = _convolved_larger(keras.layers.ReLU()(x), cell.upsampling, size, 3)
    skips = [_convolved_larger(tap, cell.upsampling, size, 1) for tap in taps]
    x = keras.layers.Add()([x, *skips]) if skips else x
    taps.append(x)
    x = normalized(x) if cell.normalization else x
    x = convolution(keras.layers.ReLU()(x), channels, 3)
    if cell.shortcut:
        x = keras.layers.Add()([x, _convolved_larger(inputs, cell.upsampling, size, 1)])
    return x


def _convolved_larger(x, upsampling, size, kernel_size):
    """A convolution of a map that is first enlarged to a side of `size`, with as many channels."""
    if upsampling == "bilinear":  # by 2: no published cell takes such a skip from further away
        return convolution(BilinearUpsampling2D()(x), x.shape[-1], kernel_size)
    return convolution(x, x.shape[-1], kernel_size, upsampling=size // x.shape[1])


def convolution(x, filters, kernel_size, dilation=1, use_bias=True, upsampling=1):
    """A convolution that keeps the size, of Glorot uniform kernels and PyTorch's biases."""
    return Conv2D(
        filters,
        kernel_size,
        padding="same",
        dilation_rate=dilation,
        use_bias=use_bias,
        upsampling=upsampling,
        kernel_initializer=glorot_uniform(),
        bias_initializer=bias_initializer("fan_in_uniform", kernel_size**2 * x.shape[-1]),
    )(x)


def normalized(x):
    """A batch norm whose gamma starts at N(1, 0.02)."""
    layer = BatchNormalization()
    outputs = layer(x)
    layer.gamma.assign(keras.initializers.RandomNormal(1.0, 0.02)(layer.gamma.shape, layer.gamma.dtype))
    return outputs
