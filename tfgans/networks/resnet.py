"""Residual networks of SNGAN (Miyato et al., 2018), of 48x48, of any power-of-two resolution and no squares.

The defaults are those of the published PyTorch code: Glorot uniform kernels, with gain sqrt(2) on residual
paths. FastGAN's CIFAR networks are `base_channels=128, residual_gain=1.0, bias_initializer="fan_in_uniform"`,
`epsilon=2e-5` in the generator and `downsample=(True, True, True, True)` in the discriminator. StudioGAN's are
`kernel_initializer="orthogonal", residual_gain=1.0`, in the generator `class_norms="projected"` and both
epsilons 1e-4, in the discriminator `wide=True`. FastGAN's larger networks, SAGAN's and WGAN-GP's are in
`gin_configs/networks`.
"""

import keras

from tfgans.config import ConfigError, Count, Number, Positive, Several, Size, configurable, sides
from tfgans.layers.attention import SelfAttention
from tfgans.layers.blocks import ResidualDownBlock, ResidualInputBlock, ResidualUpBlock, channel_major_reshape
from tfgans.layers.initializers import bias_initializer as initializer_of_bias
from tfgans.layers.initializers import check_bias_initializer
from tfgans.layers.initializers import kernel_initializer as initializer_of_kernel
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.resample import GlobalSumPooling2D
from tfgans.networks.parts import (
    convolution,
    dense,
    discriminator_model,
    float_dtype,
    generator_inputs,
    generator_model,
    is_power_of_two,
    smallest_map,
)


@configurable
def resnet_generator(
    resolution: Size = 32,
    channels: Count = 3,
    latent_dim: Count = 128,
    base_channels: Count = 256,
    block_channels: Several(Count) | None = None,
    num_classes: Count | None = None,
    upsampling: str = "nearest",
    spectral_normalization: bool = False,
    attention_resolutions: Several(Count) = (),
    residual_gain: Number = 2.0**0.5,
    bias_initializer: str = "zeros",
    kernel_initializer: str = "glorot_uniform",
    class_norms: str = "table",
    epsilon: Positive = 1e-5,
    last_epsilon: Positive = 1e-5,
):
    """Residual generator: dense to a small map, residual blocks that double it, norm, ReLU, conv3x3, tanh.

    Args:
        resolution: of square images: 48, a power of two of at least 8, or what `block_channels` fits. Or
            (height, width), see `parts.smallest_map`, or what `block_channels` fits.
        base_channels: width b. By default every map has b channels, from the smallest, 4x4 of squares, on; at 48,
            from 6x6 on, the maps have 2b, b, b/2 and b/4 (mimicry's SNGAN-48 with b = 256).
        block_channels: instead of that, the channels of the first map and of each block's output; the first
            map's sides are then those of the images / 2^blocks.
        num_classes: None, or the number of classes; the blocks' batch norms are then conditional.
        upsampling: `nearest` or `bilinear`.
        spectral_normalization: of every convolution, the dense layer and projections of class norms.
        attention_resolutions: (shorter) sides of the maps after whose block self-attention comes.
        residual_gain: of the kernels on residual paths; all others' gain is 1.
        bias_initializer: `zeros` or `fan_in_uniform` (PyTorch's default).
        kernel_initializer: `glorot_uniform` or `orthogonal`.
        class_norms: how classes enter batch norms: `table` has rows of gamma and beta that start at 1 and 0;
            `projected` (StudioGAN) has kernels on the one-hot label, which start as any, gamma one more.
        epsilon, last_epsilon: of the blocks' batch norms and of the last one.
    Returns: model latents [N, latent_dim] (and labels [N]) -> images [N, H, W, channels] in [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "resnet_generator"
    check_bias_initializer(bias_initializer)
    if class_norms not in ("table", "projected"):
        raise ConfigError(f"{name}: class_norms is table or projected. Received: {class_norms}")
    if block_channels is None:
        block_channels = _generator_channels(resolution, base_channels)
    projected = class_norms == "projected" and num_classes is not None
    latents, labels = generator_inputs(latent_dim, num_classes)
    condition = labels
    if projected:
        condition = keras.ops.one_hot(labels, num_classes, dtype=float_dtype())
    images = residual_generator(
        name,
        latents,
        [condition] * (len(block_channels) - 1),
        resolution,
        channels,
        block_channels,
        attention_resolutions,
        last_epsilon,
        num_classes=None if projected else num_classes,
        projected=projected,
        upsampling=upsampling,
        epsilon=epsilon,
        spectral_normalization=spectral_normalization,
        residual_gain=residual_gain,
        bias_initializer=bias_initializer,
        kernel_initializer=kernel_initializer,
    )
    return generator_model(latents, labels, images, name)


def residual_generator(
    name,
    latents,
    conditions,
    resolution,
    channels,
    block_channels,
    attention_resolutions,
    last_epsilon,
    **block_options,
):
    """From latents [N, D] and what each block is conditioned on (or None) to images; see `resnet_generator`.

    Args:
        name: of the network, for messages.
        block_options: of every `ResidualUpBlock`; initializers and spectral normalization go for all layers.
    """
    height, width = _first_size(name, resolution, block_channels)
    first, *widths = block_channels
    side = min(height, width)
    _check_attention(name, attention_resolutions, [side * 2 ** (i + 1) for i in range(len(widths))])
    spectral = block_options["spectral_normalization"]
    kernel, bias = block_options["kernel_initializer"], block_options["bias_initializer"]
    x = dense(first * height * width, spectral, **_initializers(kernel, bias, latents.shape[-1]))(latents)
    x = channel_major_reshape(x, first, (height, width))
    for filters, condition in zip(widths, conditions, strict=True):
        x = ResidualUpBlock(filters, **block_options)(x, *(() if condition is None else (condition,)))
        side *= 2
        if side in attention_resolutions:
            x = SelfAttention(spectral, kernel)(x)
    x = keras.layers.ReLU()(BatchNormalization(epsilon=last_epsilon)(x))
    initializers = _initializers(kernel, bias, 9 * x.shape[-1])
    x = convolution(channels, 3, spectral, padding="same", **initializers)(x)
    return keras.layers.Activation("tanh", dtype=float_dtype(), name="images")(x)


@configurable
def resnet_discriminator(
    resolution: Size = 32,
    channels: Count = 3,
    base_channels: Count = 128,
    block_channels: Several(Count) | None = None,
    downsample: Several(bool) | None = None,
    num_classes: Count | None = None,
    conditioning: str = "projection",
    contrast_dim: Count = 512,
    spectral_normalization: bool = True,
    wide: bool = False,
    attention_resolutions: Several(Count) = (),
    pooling: str = "sum",
    head_bias: bool = True,
    residual_gain: Number = 2.0**0.5,
    bias_initializer: str = "zeros",
    kernel_initializer: str = "glorot_uniform",
):
    """Residual discriminator: blocks that halve the map, then blocks that keep it, ReLU, pooling, heads.

    Args:
        resolution: of square images: 48, a power of two of at least 8, or what `downsample` fits. Or
            (height, width), see `parts.smallest_map`, or what `downsample` fits.
        base_channels: width b. By default every block has b channels; at 48 the five blocks have b/2, b, 2b,
            4b and 8b (mimicry's SNGAN-48 with b = 128).
        block_channels: instead of that, the output channels of each block.
        downsample: whether each block halves the map; the first one does. By default all but the last at 48;
            otherwise blocks halve down to 8x8 (4x4 at resolution 8), or twice the smallest map, and two more keep
            that size; with `block_channels`, all halve.
        num_classes, conditioning, contrast_dim: how classes enter, see `parts.discriminator_model`.
        spectral_normalization: of every convolution, head and embedding.
        wide: the blocks' middle has as many channels as their output, not as their input.
        attention_resolutions: (shorter) sides of the maps after whose first block self-attention comes.
        pooling: over the last map: `sum` or `mean`.
        head_bias: whether the adversarial head has a bias.
        residual_gain, bias_initializer, kernel_initializer: as in `resnet_generator`.
    Returns: model images [N, H, W, channels] (and labels [N]) -> {"adversarial": [N, 1],
        "class": [N, num_classes] if asked for}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "resnet_discriminator"
    if pooling not in ("sum", "mean"):
        raise ConfigError(f"{name}: pooling is sum or mean. Received: {pooling}")
    widths, halves = _discriminator_plan(name, resolution, base_channels, block_channels, downsample)
    images = keras.Input((*sides(resolution), channels), dtype=float_dtype(), name="images")
    features = residual_features(
        name,
        images,
        widths,
        halves,
        attention_resolutions,
        pooling,
        wide=wide,
        spectral_normalization=spectral_normalization,
        residual_gain=residual_gain,
        bias_initializer=bias_initializer,
        kernel_initializer=kernel_initializer,
    )
    return discriminator_model(
        images,
        features,
        name,
        num_classes=num_classes,
        conditioning=conditioning,
        contrast_dim=contrast_dim,
        spectral_normalization=spectral_normalization,
        head_bias=head_bias,
        bias_initializer=bias_initializer,
        kernel_initializer=initializer_of_kernel(kernel_initializer),
        embeddings_initializer=initializer_of_kernel(kernel_initializer),
    )


def residual_features(
    name,
    images,
    widths,
    halves,
    attention_resolutions,
    pooling,
    wide,
    repeat_attention=False,
    **block_options,
):
    """From images to what the heads see, [N, C]; see `resnet_discriminator`.

    Args:
        name: of the network, for messages.
        widths, halves: of every block, its channels and whether it halves the map; the first one does.
        repeat_attention: attention comes after every block of the sizes asked for, not just the first.
        block_options: of every block; spectral normalization and the kernels' initializer go for attention too.
    """
    resolution, factor = images.shape[1:3], 2 ** sum(halves)
    whole = not any(side % factor for side in resolution)
    if len(halves) != len(widths) or tuple(halves[:1]) != (True,) or not whole:
        raise ConfigError(
            f"{name}: downsample has one entry a block, the first true, and resolution is a multiple of "
            f"2^halvings. Received: {halves} for {len(widths)} blocks, resolution {_shown(resolution)}"
        )
    sizes = [min(resolution) // 2 ** sum(halves[: i + 1]) for i in range(len(halves))]
    _check_attention(name, attention_resolutions, sizes)
    x = ResidualInputBlock(widths[0], **block_options)(images)
    for i, width in enumerate(widths):
        if i > 0:
            x = ResidualDownBlock(width, downsample=halves[i], wide=wide, **block_options)(x)
        if sizes[i] in attention_resolutions and (repeat_attention or sizes[i] not in sizes[:i]):
            x = SelfAttention(block_options["spectral_normalization"], block_options["kernel_initializer"])(x)
    pool = GlobalSumPooling2D if pooling == "sum" else keras.layers.GlobalAveragePooling2D
    return pool(dtype=float_dtype(), name="features")(keras.layers.ReLU()(x))


def _initializers(kernel_initializer, bias_initializer, fan_in):
    """Of a layer outside the residual paths: gain 1."""
    return {
        "kernel_initializer": initializer_of_kernel(kernel_initializer),
        "bias_initializer": initializer_of_bias(bias_initializer, fan_in),
    }


def _generator_channels(resolution, base_channels):
    """The default channels of the first map and of every block."""
    height, width = sides(resolution)
    if height != width:
        return [base_channels] * (1 + smallest_map("resnet_generator", resolution)[1])
    if height == 48:
        _check_width_at_48("resnet_generator", base_channels, 4)
        return [2 * base_channels // 2**i for i in range(4)]
    _check_resolution("resnet_generator", height)
    return [base_channels] * (height.bit_length() - 2)


def _first_size(name, resolution, block_channels):
    """(height, width) of the first map."""
    factor = 2 ** max(len(block_channels) - 1, 0)
    if len(block_channels) < 2 or any(side % factor for side in sides(resolution)):
        raise ConfigError(
            f"{name}: block_channels are those of the first map and of each block, resolution a "
            f"multiple of 2^blocks. Received: {block_channels}, resolution {_shown(sides(resolution))}"
        )
    return tuple(side // factor for side in sides(resolution))


def _discriminator_plan(name, resolution, base_channels, block_channels, downsample):
    """The channels of every block, and whether it halves the map."""
    height, width = sides(resolution)
    if downsample is not None:
        halves = tuple(bool(halve) for halve in downsample)
    elif block_channels is not None:
        halves = (True,) * len(block_channels)
    elif height != width:
        halves = (True,) * max(1, smallest_map(name, resolution)[1] - 1) + (False, False)
    elif height == 48:
        halves = (True, True, True, True, False)
    else:
        _check_resolution(name, height)
        halves = (True,) * max(1, height.bit_length() - 4) + (False, False)
    if block_channels is None:
        block_channels = [base_channels] * len(halves)
        if height == width == 48:
            _check_width_at_48(name, base_channels, 2)
            block_channels = [base_channels * 2**i // 2 for i in range(len(halves))]
    return block_channels, halves


def _shown(size):
    """The side of a square, or both sides, for messages."""
    return size[0] if size[0] == size[1] else tuple(size)


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
