"""R3GAN (Huang et al., 2024): two residual networks that mirror each other, without norms, styles or skips.

Resolutions double from 4x4 on. At each there are residual blocks with a grouped convolution; between two a map is
doubled or halved with the low-pass 1, 3, 3, 1 (zeros outside) and a 1x1 convolution changes its channels where they
differ. Published:

- CIFAR-10 and StackedMNIST: resolution 32, width 768 (the default); ImageNet 32 and 64: width 1536, group_width 32.
- FFHQ 64: width (768, 768, 768, 768, 384); FFHQ 256: (768, 768, 768, 768, 384, 192, 96).

Groups have 16 channels, so that there are as many as an eighth of the width. Published runs compute the largest maps
in bfloat16: all but 4x4 at 32x32, the four largest at 64x64 and 256x256.
"""

import keras

from tfgans.config import ConfigError, Count, Several, Side, configurable
from tfgans.layers.embedding import ClassEmbedding
from tfgans.layers.grouped import GroupedResidualBlock, LearnedMap, TemplateReadout, normal
from tfgans.layers.resample import FIRDownsampling2D, FIRUpsampling2D
from tfgans.networks.parts import float_dtype, generator_inputs, generator_model, is_power_of_two


@configurable
def r3gan_generator(
    resolution: Side = 32,
    channels: Count = 3,
    latent_dim: Count = 64,
    num_classes: Count | None = None,
    width: Count | Several(Count) = 768,
    blocks: Count | Several(Count) = 2,
    group_width: Count | Several(Count) = 16,
    expansion: Count = 2,
    class_dim: Count = 64,
    bfloat16_resolutions: Several(Count) = (),
):
    """R3GAN's generator.

    Args:
        resolution: of the square images, a power of two of at least 4.
        num_classes: number of classes; None takes no labels.
        width, blocks, group_width: channels of the maps, residual blocks, and channels of a group in them: one
            number, or one for each of the resolutions 4, 8, ...
        expansion: channels inside a block for each one outside.
        class_dim: size of the embedding of a class, which is appended to the latent.
        bfloat16_resolutions: those whose layers compute in bfloat16; their weights stay float32.
    Returns: model latents [N, latent_dim] (and labels [N]) -> images [N, resolution, resolution, channels], not
        bounded, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "r3gan_generator"
    stages = _stages(name, resolution, width, blocks, group_width, bfloat16_resolutions)
    latents, labels = generator_inputs(latent_dim, num_classes)
    x = latents
    if labels is not None:
        embedding = _embedding(num_classes, class_dim, num_classes)(labels)
        x = keras.layers.Concatenate(dtype=float_dtype(), name="latents_and_class")([latents, embedding])
    for index, stage in enumerate(stages):
        if not index:
            x = LearnedMap(stage["width"], name="learned_map", dtype=stage["dtype"])(x)
        else:
            x = _changed_width(x, stage["width"], stage)
            x = FIRUpsampling2D(name=f"up{stage['side']}", dtype=stage["dtype"])(x)
        x = _blocks(x, stage, stages, expansion)
    x = _pointwise(x.shape[-1], channels, "to_rgb", stages[-1]["dtype"])(x)
    images = keras.layers.Activation("linear", dtype=float_dtype(), name="images")(x)
    return generator_model(latents, labels, images, name)


@configurable
def r3gan_discriminator(
    resolution: Side = 32,
    channels: Count = 3,
    num_classes: Count | None = None,
    width: Count | Several(Count) = 768,
    blocks: Count | Several(Count) = 2,
    group_width: Count | Several(Count) = 16,
    expansion: Count = 2,
    class_dim: Count | None = None,
    bfloat16_resolutions: Several(Count) = (),
):
    """R3GAN's discriminator: the generator's stages in reverse, each with its blocks before its map is halved.

    With classes the logit is the product of the image's features and the class's embedding, and no other term.

    Args:
        resolution, num_classes, width, blocks, group_width, expansion, bfloat16_resolutions: as in the generator,
            from 4x4 on.
        class_dim: size of features and embedding where there are classes; None is the width at 4x4.
    Returns: model images [N, resolution, resolution, channels] (and labels [N]) -> {"adversarial": [N, 1]}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "r3gan_discriminator"
    stages = _stages(name, resolution, width, blocks, group_width, bfloat16_resolutions)
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    x = _pointwise(channels, stages[-1]["width"], "from_rgb", stages[-1]["dtype"])(images)
    for stage, smaller in zip(stages[:0:-1], stages[-2::-1], strict=True):
        x = _blocks(x, stage, stages, expansion)
        x = FIRDownsampling2D(name=f"down{stage['side']}", dtype=stage["dtype"])(x)
        x = _changed_width(x, smaller["width"], stage)
    x = _blocks(x, stages[0], stages, expansion)
    units = 1 if num_classes is None else class_dim or stages[0]["width"]
    logits = TemplateReadout(units, name="readout", dtype=float_dtype())(x)
    if num_classes is None:
        return keras.Model(images, {"adversarial": logits}, name=name)
    labels = keras.Input((), dtype="int32", name="labels")
    embedding = _embedding(num_classes, units, units * num_classes)(labels)
    logits = keras.layers.Dot(1, dtype=float_dtype(), name="projection")([embedding, logits])
    return keras.Model([images, labels], {"adversarial": logits}, name=name)


def _stages(name, resolution, width, blocks, group_width, bfloat16_resolutions):
    """[{"side", "width", "blocks", "group_width", "dtype"}] from 4x4 on."""
    if not is_power_of_two(resolution) or resolution < 4:
        raise ConfigError(f"{name}: resolution is a power of two of at least 4. Received: {resolution}")
    sides = [2**level for level in range(2, resolution.bit_length())]
    columns = dict(width=width, blocks=blocks, group_width=group_width)
    for option, value in columns.items():
        columns[option] = [value] * len(sides) if isinstance(value, int) else list(value)
        if len(columns[option]) != len(sides):
            raise ConfigError(f"{name}: {option} is one number, or {len(sides)}. Received: {value}")
    unknown = sorted(set(bfloat16_resolutions) - set(sides))
    if unknown:
        raise ConfigError(f"{name}: bfloat16_resolutions are some of {sides}. Received: {unknown[0]}")
    policies = ["mixed_bfloat16" if side in bfloat16_resolutions else None for side in sides]
    rows = zip(sides, *columns.values(), policies, strict=True)
    return [dict(zip(("side", *columns, "dtype"), row, strict=True)) for row in rows]


def _blocks(x, stage, stages, expansion):
    """The residual blocks of a stage."""
    total = sum(each["blocks"] for each in stages)
    for number in range(1, stage["blocks"] + 1):
        x = GroupedResidualBlock(
            stage["group_width"],
            expansion,
            gain=total**-0.25,
            name=f"block{stage['side']}_{number}",
            dtype=stage["dtype"],
        )(x)
    return x


def _changed_width(x, width, stage):
    if x.shape[-1] == width:
        return x
    return _pointwise(x.shape[-1], width, f"width{stage['side']}", stage["dtype"])(x)


def _pointwise(inputs, outputs, name, dtype):
    return keras.layers.Conv2D(
        outputs, 1, use_bias=False, kernel_initializer=normal(inputs), name=name, dtype=dtype
    )


def _embedding(num_classes, units, fan_in):
    return ClassEmbedding(
        num_classes, units, embeddings_initializer=normal(fan_in), name="class_embedding", dtype=float_dtype()
    )
