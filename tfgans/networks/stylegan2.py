"""StyleGAN2 (Karras et al., 2020): skip generator driven by styles, residual discriminator.

The defaults are config-f. The channels of a map of r pixels a side (the shorter one, where they differ) are 16384 *
channel_multiplier / r, at most `max_channels`; `base_channels` says instead how many the largest map has, doubled
each time it halves: 128 is Re-GAN's and DiffAugment's setting for CIFAR-10 and Tiny ImageNet. StyleGAN2-ADA's
`cifar` has `mapping_layers=2`, and `residual=False` and `minibatch_group=32` in the discriminator; its `auto`
`mapping_layers=2, channel_multiplier=1`; DiffAugment's low-shot setting `mapping_layers=2`. With `num_classes` in
both they are its conditional networks.

The generator is a plain model latents -> images of two layers, reached by name and kept by cloning and saving:

    mapping, synthesis = generator.get_layer("mapping"), generator.get_layer("synthesis")
    styles = mapping(latents, training=True)                  # [N, slots, style_dim]; moves `mean_w`
    styles = mapping(latents, truncation=0.7)                 # towards `mean_w`
    styles = mix_styles(styles, mapping(others), crossover)   # style mixing; a slot a layer, as one likes
    images = synthesis(styles, noise)                         # noise: one array for each `synthesis.noise_shapes`
    styles = mapping(latents, labels)                         # of a conditional generator
    first, *_, last = mapping.intermediates(latents)          # W_1 .. W_L

Nothing is drawn inside: a training method passes second latents, crossovers and noise that it has drawn. The plain
model uses each layer's fixed noise.
"""

import keras

from tfgans.config import ConfigError, Count, Natural, Positive, Several, Size, Within, configurable, sides
from tfgans.layers.equalized import (
    EqualizedConv2D,
    EqualizedDense,
    EqualizedResidualBlock,
    scaled_leaky_relu,
)
from tfgans.layers.minibatch import MinibatchStandardDeviation
from tfgans.networks.parts import (
    float_dtype,
    generator_inputs,
    generator_model,
    is_power_of_two,
    smallest_map,
)
from tfgans.networks.stylegan2_labels import LabelProjection
from tfgans.networks.stylegan2_parts import StyleMapping, StyleSynthesis


@configurable
def stylegan2_generator(
    resolution: Size = 256,
    channels: Count = 3,
    latent_dim: Count = 512,
    style_dim: Count = 512,
    mapping_layers: Count = 8,
    channel_multiplier: Positive = 2,
    max_channels: Count = 512,
    base_channels: Count | None = None,
    kernel_size: Count | Several(Count) = 3,
    style_layers: Several(Count) | None = None,
    mean_decay: Within("[0, 1)") = 0.995,
    stored_noise: bool = False,
    num_classes: Count | None = None,
    recompute: bool = False,
):
    """StyleGAN2's generator.

    Args:
        resolution: of square images, a power of two of at least 4; or (height, width), see `parts.smallest_map`: the
            learned map, 4x4, is then the smallest.
        style_dim, mapping_layers: width and number of the mapping's dense layers, which run in float32.
        channel_multiplier, max_channels, base_channels: channels of each map, see the module.
        kernel_size: of the convolutions that keep their map's size, odd: one number, or one for each map from
            the smallest on (AlphaGAN's search). Those that double the map have 3x3, to-RGB 1x1.
        style_layers: for each of the style slots, two for each map (2 log2(resolution) - 2 in all), which of
            W_1 .. W_mapping_layers it takes (AlphaGAN's dynamic W); None: the last.
        mean_decay: of the tracked mean of w, for each training forward.
        stored_noise: whether each layer's fixed noise is one of its weights, as in NVIDIA's networks, which can then
            be taken over whole. It is the same noise at first, and it does not train.
        num_classes: of a conditional generator, whose mapping takes labels, too (StyleGAN2-ADA).
        recompute: training keeps of the maps of one size what goes in alone, and computes the others again in the
            backward pass: less memory, more time, the same gradients.
    Returns: model latents [N, latent_dim] -> images [N, H, W, channels], not bounded,
        float32; with classes called with [latents, labels]. Its layers `mapping` (`StyleMapping`) and `synthesis`
        (`StyleSynthesis`) can be called alone.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "stylegan2_generator"
    widths = map_widths(name, resolution, channel_multiplier, max_channels, base_channels)
    slots, first_size = 2 * len(widths), map_sizes(name, resolution)[0]
    style_layers = (mapping_layers,) * slots if style_layers is None else tuple(style_layers)
    if len(style_layers) != slots:
        raise ConfigError(f"{name}: style_layers has {slots} entries. Received: {style_layers}")
    latents, labels = generator_inputs(latent_dim, num_classes)
    options = {"num_classes": num_classes, "dtype": float_dtype(), "name": "mapping"}
    mapping = StyleMapping(style_dim, mapping_layers, style_layers, mean_decay, **options)
    kernel_sizes = _kernel_sizes(name, kernel_size, len(widths))
    synthesis = StyleSynthesis(
        channels, widths, kernel_sizes, stored_noise, first_size, recompute, name="synthesis"
    )
    styles = mapping(latents) if labels is None else mapping(latents, labels)
    return generator_model(latents, labels, synthesis(styles), name)


@configurable
def stylegan2_discriminator(
    resolution: Size = 256,
    channels: Count = 3,
    channel_multiplier: Positive = 2,
    max_channels: Count = 512,
    base_channels: Count | None = None,
    residual: bool = True,
    minibatch_group: Count | None = 4,
    minibatch_features: Count = 1,
    kernel_sizes: Several(Several(Count, 2)) | None = None,
    num_classes: Count | None = None,
    label_layers: Natural = 8,
    recompute: bool = False,
):
    """StyleGAN2's discriminator: from-RGB, blocks that halve the map to 4x4, minibatch deviation, two dense layers.

    Args:
        resolution: of square images, a power of two of at least 4; or (height, width), see `parts.smallest_map`: the
            learned map, 4x4, is then the smallest.
        channel_multiplier, max_channels, base_channels: channels of each map, see the module.
        residual: whether blocks have a shortcut, whose sum is divided by sqrt(2).
        minibatch_group, minibatch_features: see `MinibatchStandardDeviation`.
        kernel_sizes: for each map from 8x8 (or the second smallest) on, those of its block's two convolutions, of
            which the second halves the map (AdversarialNAS's search); None: all 3x3.
        num_classes, label_layers: of a conditional discriminator, whose logit is a product with the class's embedding
            after a mapping of so many layers (StyleGAN2-ADA): 8, or 0 in its first code, in TensorFlow.
        recompute: as in `stylegan2_generator`, of each block; they are residual.
    Returns: model images [N, H, W, channels] -> {"adversarial": [N, 1]}, float32; with classes
        called with [images, labels].
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "stylegan2_discriminator"
    widths = map_widths(name, resolution, channel_multiplier, max_channels, base_channels)
    sizes = map_sizes(name, resolution)
    kernel_sizes = _block_kernel_sizes(name, kernel_sizes, len(widths) - 1)
    if recompute and not residual:
        raise ConfigError(f"{name}: recompute is of residual blocks. Received: residual = {residual}")
    images = keras.Input((*sides(resolution), channels), dtype=float_dtype(), name="images")
    x = EqualizedConv2D(widths[-1], 1, activation=scaled_leaky_relu, name="from_rgb")(images)
    for level in reversed(range(1, len(widths))):
        side = min(sizes[level])
        x = _down_block(x, widths[level - 1], kernel_sizes[level - 1], residual, recompute, side)
    x = MinibatchStandardDeviation(minibatch_group, minibatch_features)(x)
    x = EqualizedConv2D(widths[0], activation=scaled_leaky_relu, name="last_convolution")(x)
    x = EqualizedDense(widths[0], activation=scaled_leaky_relu, name="dense")(keras.layers.Flatten()(x))
    outputs = 1 if num_classes is None else widths[0]
    logits, inputs = EqualizedDense(outputs, dtype=float_dtype(), name="adversarial_head")(x), images
    if num_classes is not None:
        labels = keras.Input((), dtype="int32", name="labels")
        project = LabelProjection(num_classes, label_layers, dtype=float_dtype(), name="label_projection")
        logits, inputs = project(logits, labels), [images, labels]
    return keras.Model(inputs, {"adversarial": logits}, name=name)


def _down_block(x, width, kernel_sizes, residual, recompute, side):
    if residual:
        return EqualizedResidualBlock(width, kernel_sizes, recompute, name=f"block{side}")(x)
    (first, second), options = kernel_sizes, {"activation": scaled_leaky_relu}
    x = EqualizedConv2D(x.shape[-1], first, name=f"convolution{side}", **options)(x)
    return EqualizedConv2D(width, second, downsample=True, name=f"down{side}", **options)(x)


def map_sizes(name, resolution):
    """(height, width) of every map, from the smallest, 4x4 of squares, to the images'.

    Raises: ConfigError if there are none.
    """
    height, width = sides(resolution)
    if height != width:
        smallest, doublings = smallest_map(name, resolution)
    elif is_power_of_two(height) and height >= 4:
        smallest, doublings = (4, 4), height.bit_length() - 3
    else:
        raise ConfigError(f"{name}: resolution is a power of two of at least 4. Received: {height}")
    return [tuple(side * 2**level for side in smallest) for level in range(doublings + 1)]


def map_widths(name, resolution, channel_multiplier, max_channels, base_channels):
    """Channels of the maps of `map_sizes`; see the module.

    Raises: ConfigError if an argument is outside its range.
    """
    shorter = [min(size) for size in map_sizes(name, resolution)]
    product = 16384 * channel_multiplier if base_channels is None else base_channels * shorter[-1]
    return tuple(min(max_channels, max(1, int(product / side))) for side in shorter)


def _kernel_sizes(name, kernel_size, count):
    sizes = (kernel_size,) * count if isinstance(kernel_size, int) else tuple(kernel_size)
    if len(sizes) != count:
        raise ConfigError(f"{name}: kernel_size is one number, or {count}. Received: {kernel_size}")
    for size in sizes:
        _check_odd(name, size)
    return sizes


def _block_kernel_sizes(name, kernel_sizes, count):
    pairs = ((3, 3),) * count if kernel_sizes is None else tuple(kernel_sizes)
    if len(pairs) != count:
        raise ConfigError(f"{name}: kernel_sizes has {count} pairs. Received: {kernel_sizes}")
    for pair in pairs:
        for size in pair:
            _check_odd(name, size)
    return pairs


def _check_odd(name, size):
    if size % 2 == 0:
        raise ConfigError(f"{name}: kernel_size is odd. Received: {size}")
