"""Networks found by evolution in AdversarialNAS's space: EAGAN's (Ying et al. 2022) and EWSGAN's (2024) on CIFAR-10.

A generator's cell makes two larger maps of its input, nodes 0 and 1, by up-sampling operations; node 2 is the sum of
operations on these two, and of the earlier cells' node 2 through 1x1 convolutions; node 3, the output, that of
operations on all three. As in the published code, what a cell hands to later cells as its node 2 has the skips that
it takes itself already added, and a node that no operation takes (node 0 of EAGAN's last cell) is there, for nothing:
its weights are in the published count. Weights start as AutoGAN's do. Departure: the kernels of transposed
convolutions are mirrored, which makes no difference to training.
"""

from dataclasses import dataclass

import keras

from tfgans.config import ConfigError, Count, Side, configurable
from tfgans.layers.blocks import ResidualInputBlock, channel_major_reshape
from tfgans.layers.initializers import bias_initializer, glorot_uniform
from tfgans.layers.resample import (
    AverageDownsampling2D,
    BilinearUpsampling2D,
    GlobalSumPooling2D,
    NearestUpsampling2D,
)
from tfgans.layers.spectral import SpectralConv2D
from tfgans.networks.autogan import convolution, normalized
from tfgans.networks.parts import discriminator_model, float_dtype, generator_inputs


@dataclass(frozen=True)
class UpCell:
    """What was found for a cell of a generator.

    Attributes:
        ups: of nodes 0 and 1: `nearest` or `bilinear`, with a 1x1 convolution, or `deconv`.
        edges: of 0->2, 1->2, 0->3, 1->3 and 2->3, in one string: `none`, `id`, `c3` (a convolution of 3x3), `d3` (one
            of dilation 2).
    """

    ups: tuple
    edges: str


GENERATORS = {
    "EAGAN": (
        UpCell(("bilinear", "bilinear"), "id none c1 c3 id"),
        UpCell(("bilinear", "bilinear"), "none id c3 none d3"),
        UpCell(("nearest", "bilinear"), "none c3 none none c3"),
    ),
    "EWSGAN": (
        UpCell(("nearest", "deconv"), "c5 d3 d3 c1 d3"),
        UpCell(("deconv", "nearest"), "id none c1 id none"),
        UpCell(("deconv", "bilinear"), "c1 d3 none none c5"),
    ),
    "EWSGAN_sampled": (
        UpCell(("nearest", "bilinear"), "c5 d3 c3 c5 id"),
        UpCell(("nearest", "deconv"), "c1 d3 c1 id none"),
        UpCell(("deconv", "bilinear"), "d3 d3 c5 none c5"),
    ),
}
_SKIPS = ("nearest", "bilinear", "nearest")  # how a cell enlarges what it takes from earlier ones
# 0->1, 0->2, 1->2, 1->3 and 0->3 of EAGAN's discriminator, whose first cell halves its map.
_DISCRIMINATOR = ("c3 none c3 none c1", "id none c3 none id", "c3 none c3 none id")


@configurable
def evolved_generator(
    resolution: Side = 32,
    channels: Count = 3,
    latent_dim: Count = 120,
    base_channels: Count = 256,
    architecture: str = "EAGAN",
):
    """Three cells that double their map, a third of the latent entering each; norm, ReLU, conv, tanh.

    Args:
        resolution: of the square images, a multiple of 8.
        latent_dim: a multiple of 3.
        base_channels: of every map.
        architecture: `EAGAN`; `EWSGAN`, which its training script has; or `EWSGAN_sampled`, a second one that its
            sampling script has. Which of the two the paper reports is not said.
    Returns: model latents [N, latent_dim] -> images [N, resolution, resolution, channels] in [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "evolved_generator"
    if resolution % 8 or latent_dim % 3:
        raise ConfigError(
            f"{name}: resolution is a multiple of 8, latent_dim of 3. Received: {resolution} and {latent_dim}"
        )
    if architecture not in GENERATORS:
        allowed = ", ".join(GENERATORS)
        raise ConfigError(f"{name}: architecture is one of {allowed}. Received: {architecture}")
    latents, _ = generator_inputs(latent_dim, None)
    x, taps = None, []
    for number, part in enumerate(keras.ops.split(latents, 3, axis=1)):
        entering = _projected(part, base_channels, resolution // 8 * 2**number)
        x = entering if x is None else keras.layers.Add()([x, entering])
        x = _up_cell(x, GENERATORS[architecture][number], taps, _SKIPS[number])
    x = convolution(keras.layers.ReLU()(normalized(x)), channels, 3)
    images = keras.layers.Activation("tanh", dtype=float_dtype(), name="images")(x)
    return keras.Model(latents, images, name=name)


@configurable
def evolved_discriminator(resolution: Side = 32, channels: Count = 3, base_channels: Count = 128):
    """EAGAN's: SNGAN's first block and three cells, all spectrally normalised; ReLU, sum over the map, dense.

    Args:
        resolution: of the square images, a multiple of 4.
        base_channels: of every map.
    Returns: model images [N, resolution, resolution, channels] -> {"adversarial": [N, 1]}, float32.
    Raises: ConfigError if the resolution is none.
    """
    name = "evolved_discriminator"
    if resolution % 4:
        raise ConfigError(f"{name}: resolution is a multiple of 4. Received: {resolution}")
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    block = dict(
        spectral_normalization=True, residual_gain=1.0, bias_initializer="fan_in_uniform",
        kernel_initializer="glorot_uniform",
    )  # fmt: skip
    x = ResidualInputBlock(base_channels, **block)(images)
    for number, edges in enumerate(_DISCRIMINATOR):
        x = _cell(x, edges.split(), halves=number == 0)
    features = GlobalSumPooling2D(dtype=float_dtype(), name="features")(keras.layers.ReLU()(x))
    return discriminator_model(
        images,
        features,
        name,
        spectral_normalization=True,
        head_bias=False,
        kernel_initializer=bias_initializer("fan_in_uniform", base_channels),
    )


def _projected(latents, channels, size):
    start = bias_initializer("fan_in_uniform", latents.shape[-1])
    dense = keras.layers.Dense(size**2 * channels, kernel_initializer=start, bias_initializer=start)
    return channel_major_reshape(dense(latents), channels, size)


def _up_cell(inputs, cell, taps, skips):
    """The cell's output; adds what it hands on to `taps`, the earlier cells' node 2."""
    nodes = [_up(inputs, name) for name in cell.ups]
    edges = cell.edges.split()
    node2 = _sum([_operation(x, edge) for x, edge in zip(nodes, edges[:2], strict=True)])
    size, channels = node2.shape[1:3], node2.shape[-1]
    node2 = _sum([node2, *(convolution(_enlarged(tap, skips, size[0]), channels, 1) for tap in taps)])
    taps.append(node2)
    unseen = [x for x, *seen in zip(nodes, edges[:2], edges[2:4], strict=True) if seen == ["none", "none"]]
    ends = [_operation(x, edge) for x, edge in zip([*nodes, node2], edges[2:], strict=True)]
    return _sum([*ends, *(keras.layers.Rescaling(0.0)(x) for x in unseen)])


def _up(x, name):
    channels = x.shape[-1]
    if name != "deconv":
        larger = _enlarged(x, name, 2 * x.shape[1])
        return convolution(keras.layers.ReLU()(larger), channels, 1)
    return convolution(_deconvolved(keras.layers.ReLU()(x)), channels, 1, use_bias=False)


def _deconvolved(x):
    """A transposed depthwise convolution of 3x3 and stride 2, as a plain one of the map with zeros in between."""
    size, channels = x.shape[1], x.shape[-1]
    for shape in (
        (size**2, 1, channels),
        (size, 1, 2 * size * channels),
    ):  # zeros after each column, each row
        x = keras.layers.ZeroPadding2D(((0, 0), (0, 1)))(keras.layers.Reshape(shape)(x))
    x = keras.layers.Reshape((2 * size, 2 * size, channels))(x)
    start = glorot_uniform()
    return keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, depthwise_initializer=start)(x)


def _enlarged(x, name, size):
    if name == "bilinear":  # by 2: no cell takes such a skip from further away
        return BilinearUpsampling2D()(x)
    return NearestUpsampling2D(size // x.shape[1])(x)


def _operation(x, name):
    """An operation on an edge of a generator's cell, or None for `none`."""
    if name in ("none", "id"):
        return x if name == "id" else None
    dilation = 2 if name[0] == "d" else 1
    return convolution(keras.layers.ReLU()(x), x.shape[-1], int(name[1]), dilation)


def _cell(x, edges, halves):
    """A cell of the discriminator: the sum of its nodes 2 and 3, after pooling if it halves the map."""
    node1 = _spectral(x, edges[0])
    node2 = _sum([_spectral(x, edges[1]), _spectral(node1, edges[2])])
    node3 = _sum([_spectral(node1, edges[3]), _spectral(x, edges[4], activated=False)])
    ends = [AverageDownsampling2D(2)(node) for node in (node2, node3)] if halves else [node2, node3]
    return _sum(ends)


def _spectral(x, name, activated=True):
    if name in ("none", "id"):
        return x if name == "id" else None
    size, channels = int(name[1]), x.shape[-1]
    layer = SpectralConv2D(
        channels,
        size,
        padding="same",
        kernel_initializer=glorot_uniform(),
        bias_initializer=bias_initializer("fan_in_uniform", size**2 * channels),
    )
    return layer(keras.layers.ReLU()(x) if activated else x)


def _sum(maps):
    maps = [x for x in maps if x is not None]
    return keras.layers.Add()(maps) if len(maps) > 1 else maps[0]
