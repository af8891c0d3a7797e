"""Residual networks of SNGAN (Miyato et al., 2018), of 48x48 and of any power-of-two resolution.

The defaults are those of the published PyTorch code: Glorot uniform kernels, with gain sqrt(2) on residual
paths. FastGAN's CIFAR networks are `base_channels=128, residual_gain=1.0, bias_initializer="fan_in_uniform"`,
`epsilon=2e-5` in the generator and `downsample=(True, True, True, True)` in the discriminator.
"""

import keras

from tfgans.config import ConfigError, configurable
from tfgans.layers.attention import SelfAttention
from tfgans.layers.blocks import ResidualDownBlock, ResidualInputBlock, ResidualUpBlock, channel_major_reshape
from tfgans.layers.initializers import bias_initializer as initializer_of_bias
from tfgans.layers.initializers import check_bias_initializer, glorot_uniform
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.resample import GlobalSumPooling2D
from tfgans.networks.parts import (
    check_classes,
    check_positive,
    convolution,
    dense,
    discriminator_model,
    float_dtype,
    generator_inputs,
    generator_model,
    is_power_of_two,
)


@configurable
def resnet_generator(
    resolution=32,
    channels=3,
    latent_dim=128,
    base_channels=256,
    block_channels=None,
    num_classes=None,
    upsampling="nearest",
    spectral_normalization=False,
    attention_resolutions=(),
    residual_gain=2.0**0.5,
    bias_initializer="zeros",
    epsilon=1e-5,
):
    """Residual generator: dense to a small map, residual blocks that double it, norm, ReLU, conv3x3, tanh.

    Args:
        resolution: of the square images: 48, a power of two of at least 8, or what `block_channels` fits.
        base_channels: width b. By default every map has b channels, from 4x4 on; at 48, from 6x6 on, the
            maps have 2b, b, b/2 and b/4 (mimicry's SNGAN-48 with b = 256).
        block_channels: instead of that, the channels of the first map and of each block's output; the first
            map's side is then resolution / 2^blocks.
        num_classes: None, or the number of classes; the blocks' batch norms are then conditional.
        upsampling: `nearest` or `bilinear`.
        spectral_normalization: of every convolution and the dense layer.
        attention_resolutions: sides of the maps after whose block self-attention comes.
        residual_gain: of the Glorot uniform kernels on residual paths, the last convolution's gain is 1.
        bias_initializer: `zeros` or `fan_in_uniform` (PyTorch's default).
        epsilon: of the blocks' batch norms; the last norm's is 1e-5.
    Returns: model latents [N, latent_dim] (and labels [N]) -> images [N, resolution, resolution, channels] in
        [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "resnet_generator"
    check_positive(name, resolution=resolution, channels=channels, latent_dim=latent_dim)
    check_classes(name, num_classes)
    check_bias_initializer(bias_initializer)
    size, (first, *widths) = _generator_plan(resolution, base_channels, block_channels)
    _check_attention(name, attention_resolutions, [size * 2 ** (i + 1) for i in range(len(widths))])
    options = {
        "num_classes": num_classes,
        "upsampling": upsampling,
        "epsilon": epsilon,
        "spectral_normalization": spectral_normalization,
        "residual_gain": residual_gain,
        "bias_initializer": bias_initializer,
    }
    latents, labels = generator_inputs(latent_dim, num_classes)
    condition = () if labels is None else (labels,)
    x = dense(first * size**2, spectral_normalization, **_initializers(bias_initializer, latent_dim))(latents)
    x = channel_major_reshape(x, first, size)
    for width in widths:
        x = ResidualUpBlock(width, **options)(x, *condition)
        size *= 2
        if size in attention_resolutions:
            x = SelfAttention(spectral_normalization)(x)
    x = keras.layers.ReLU()(BatchNormalization()(x))
    initializers = _initializers(bias_initializer, 9 * x.shape[-1])
    x = convolution(channels, 3, spectral_normalization, padding="same", **initializers)(x)
    images = keras.layers.Activation("tanh", dtype=float_dtype(), name="images")(x)
    return generator_model(latents, labels, images, name)


@configurable
def resnet_discriminator(
    resolution=32,
    channels=3,
    base_channels=128,
    block_channels=None,
    downsample=None,
    num_classes=None,
    conditioning="projection",
    spectral_normalization=True,
    wide=False,
    attention_resolutions=(),
    pooling="sum",
    head_bias=True,
    residual_gain=2.0**0.5,
    bias_initializer="zeros",
):
    """Residual discriminator: blocks that halve the map, then blocks that keep it, ReLU, pooling, heads.

    Args:
        resolution: of the square images: 48, a power of two of at least 8, or what `downsample` fits.
        base_channels: width b. By default every block has b channels; at 48 the five blocks have b/2, b, 2b,
            4b and 8b (mimicry's SNGAN-48 with b = 128).
        block_channels: instead of that, the output channels of each block.
        downsample: whether each block halves the map; the first one does. By default all but the last at 48;
            otherwise blocks halve down to 8x8 (4x4 at resolution 8) and two more keep that size; with
            `block_channels`, all halve.
        num_classes, conditioning: `projection`, `class` or `both`; see `parts.discriminator_model`.
        spectral_normalization: of every convolution, head and embedding.
        wide: the blocks' middle has as many channels as their output, not as their input.
        attention_resolutions: sides of the maps after whose first block self-attention comes.
        pooling: over the last map: `sum` or `mean`.
        head_bias: whether the adversarial head has a bias.
        residual_gain, bias_initializer: as in `resnet_generator`.
    Returns: model images [N, resolution, resolution, channels] (and labels [N]) -> {"adversarial": [N, 1],
        "class": [N, num_classes] if asked for}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "resnet_discriminator"
    check_positive(name, resolution=resolution, channels=channels)
    if pooling not in ("sum", "mean"):
        raise ConfigError(f"{name}: pooling is sum or mean. Received: {pooling}")
    widths, halves = _discriminator_plan(resolution, base_channels, block_channels, downsample)
    sizes = [resolution // 2 ** sum(halves[: i + 1]) for i in range(len(halves))]
    _check_attention(name, attention_resolutions, sizes)
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    options = {
        "spectral_normalization": spectral_normalization,
        "residual_gain": residual_gain,
        "bias_initializer": bias_initializer,
    }
    x = ResidualInputBlock(widths[0], **options)(images)
    for i, width in enumerate(widths):
        if i > 0:
            x = ResidualDownBlock(width, downsample=halves[i], wide=wide, **options)(x)
        if sizes[i] in attention_resolutions and sizes[i] not in sizes[:i]:
            x = SelfAttention(spectral_normalization)(x)
    pool = GlobalSumPooling2D if pooling == "sum" else keras.layers.GlobalAveragePooling2D
    features = pool(dtype=float_dtype(), name="features")(keras.layers.ReLU()(x))
    return discriminator_model(
        images,
        features,
        name,
        num_classes=num_classes,
        conditioning=conditioning,
        spectral_normalization=spectral_normalization,
        head_bias=head_bias,
        bias_initializer=bias_initializer,
    )


def _initializers(bias_initializer, fan_in):
    """Of a layer outside the residual paths: gain 1."""
    bias = initializer_of_bias(bias_initializer, fan_in)
    return {"kernel_initializer": glorot_uniform(), "bias_initializer": bias}


def _generator_plan(resolution, base_channels, block_channels):
    """Side of the first map, and the channels of it and of every block."""
    if block_channels is None:
        check_positive("resnet_generator", base_channels=base_channels)
        if resolution == 48:
            _check_width_at_48("resnet_generator", base_channels, 4)
            block_channels = [2 * base_channels // 2**i for i in range(4)]
        else:
            _check_resolution("resnet_generator", resolution)
            block_channels = [base_channels] * (resolution.bit_length() - 2)
    for width in block_channels:
        check_positive("resnet_generator", block_channels=width)
    size, rest = divmod(resolution, 2 ** (len(block_channels) - 1))
    if len(block_channels) < 2 or rest or size < 1:
        raise ConfigError(
            "resnet_generator: block_channels are those of the first map and of each block, resolution a "
            f"multiple of 2^blocks. Received: {block_channels}, resolution {resolution}"
        )
    return size, block_channels


def _discriminator_plan(resolution, base_channels, block_channels, downsample):
    """The channels of every block, and whether it halves the map."""
    name = "resnet_discriminator"
    if downsample is not None:
        halves = tuple(bool(halve) for halve in downsample)
    elif block_channels is not None:
        halves = (True,) * len(block_channels)
    elif resolution == 48:
        halves = (True, True, True, True, False)
    else:
        _check_resolution(name, resolution)
        halves = (True,) * max(1, resolution.bit_length() - 4) + (False, False)
    if block_channels is None:
        check_positive(name, base_channels=base_channels)
        block_channels = [base_channels] * len(halves)
        if resolution == 48:
            _check_width_at_48(name, base_channels, 2)
            block_channels = [base_channels * 2**i // 2 for i in range(len(halves))]
    for width in block_channels:
        check_positive(name, block_channels=width)
    if len(halves) != len(block_channels) or halves[:1] != (True,) or resolution % 2 ** sum(halves):
        raise ConfigError(
            f"{name}: downsample has one entry a block, the first true, and resolution is a multiple of "
            f"2^halvings. Received: {halves} for {len(block_channels)} blocks, resolution {resolution}"
        )
    return block_channels, halves


def _check_resolution(name, resolution):
    if not is_power_of_two(resolution) or resolution < 8:
        raise ConfigError(
            f"{name}: resolution is 48 or a power of two of at least 8, unless block_channels is given. "
            f"Received: {resolution}"
        )


def _check_width_at_48(name, base_channels, factor):
    if base_channels % factor:
        raise ConfigError(f"{name}: base_channels at 48 is a multiple of {factor}. Received: {base_channels}")


def _check_attention(name, attention_resolutions, sizes):
    for resolution in attention_resolutions:
        if resolution not in sizes:
            allowed = ", ".join(map(str, sorted(set(sizes))))
            raise ConfigError(f"{name}: attention_resolutions are among {allowed}. Received: {resolution}")
