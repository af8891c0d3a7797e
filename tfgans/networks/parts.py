"""What the networks share: inputs, checks and the discriminators' heads."""

import keras

from tfgans.config import ConfigError, sides
from tfgans.layers.embedding import ClassEmbedding
from tfgans.layers.initializers import bias_initializer as initializer_of_bias
from tfgans.layers.initializers import glorot_uniform
from tfgans.layers.spectral import SpectralConv2D, SpectralDense, SpectralEmbedding

CONDITIONINGS = ("projection", "class", "both", "class_features", "contrastive")


def float_dtype():
    """float32 for what a network takes and returns, also under mixed precision; float64 in that policy."""
    wide = keras.config.dtype_policy().variable_dtype == "float64"
    return "float64" if wide else "float32"


def is_power_of_two(number):
    return isinstance(number, int) and number > 0 and number & (number - 1) == 0


def smallest_map(network, resolution):
    """((height, width) of a network's smallest map, how often it doubles) for images that are no squares.

    Both sides are halved, at least once, as long as they stay whole and the shorter one at least 3. Where that ends,
    the shorter one is 9 at most: 64x128 ends at 4x8, 48x96 at 3x6, 144x256 at 9x16.

    Raises: ConfigError, naming the network, for other sizes.
    """
    height, width = start = sides(resolution)
    doublings = 0
    while not (height % 2 or width % 2) and min(height, width) >= 6:
        height, width, doublings = height // 2, width // 2, doublings + 1
    if not doublings or not 3 <= min(height, width) <= 9:
        raise ConfigError(
            f"{network}: (height, width) halve to whole sides, the shorter one from 3 to 9, as (64, 128) to (4, 8) "
            f"and (48, 96) to (3, 6). Received: {start}"
        )
    return (height, width), doublings


def generator_inputs(latent_dim, num_classes):
    """The inputs `latents` [N, latent_dim] and `labels` [N] (None if there are no classes)."""
    latents = keras.Input((latent_dim,), dtype=float_dtype(), name="latents")
    return latents, None if num_classes is None else keras.Input((), dtype="int32", name="labels")


def generator_model(latents, labels, outputs, name):
    """Called with latents, or with [latents, labels]."""
    return keras.Model(latents if labels is None else [latents, labels], outputs, name=name)


def dense(units, spectral_normalization, **options):
    layer = SpectralDense if spectral_normalization else keras.layers.Dense
    return layer(units, **options)


def convolution(filters, kernel_size, spectral_normalization, **options):
    layer = SpectralConv2D if spectral_normalization else keras.layers.Conv2D
    return layer(filters, kernel_size, **options)


def discriminator_model(
    images,
    features,
    name,
    num_classes=None,
    conditioning="projection",
    contrast_dim=512,
    spectral_normalization=False,
    head_bias=True,
    bias_initializer="zeros",
    kernel_initializer=None,
    embeddings_initializer=None,
):
    """Puts the heads on [N, C] features.

    Args:
        conditioning: how classes enter when there are any: `projection` adds <embedding(y), features>
            to the logit (Miyato and Koyama, 2018), `class` adds a head of class logits (Odena et al., 2017)
            and takes no labels, `both` does both, `class_features` gives the features beside the class logits, too
            (for `MultiHingeGAN`), `contrastive` gives an embedding of the features and one of the label (Kang and
            Park, 2020; for `ContrastiveGAN`).
        contrast_dim: D, the size of those two embeddings.
        head_bias: whether the adversarial head has a bias; the class head always has.
        kernel_initializer, embeddings_initializer: of the heads and of the projection; None: Glorot uniform.
    Returns: a model images -> {"adversarial": [N, 1], "class": [N, num_classes], "features": [N, C],
        "embedding": [N, D], "proxy": [N, D] if asked for}, called with [images, labels] if it takes labels.
    """
    if conditioning not in CONDITIONINGS:
        allowed = ", ".join(CONDITIONINGS)
        raise ConfigError(f"{name}: conditioning is one of {allowed}. Received: {conditioning}")

    def head(units, head_name, use_bias):
        return dense(
            units,
            spectral_normalization,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer or glorot_uniform(),
            bias_initializer=initializer_of_bias(bias_initializer, features.shape[-1]),
            dtype=float_dtype(),
            name=head_name,
        )(features)

    entering = None if num_classes is None else conditioning
    logits, labels = head(1, "adversarial_head", head_bias), None
    if entering in ("projection", "both", "contrastive"):
        labels = keras.Input((), dtype="int32", name="labels")
    if entering in ("projection", "both"):
        logits = _add_projection(
            logits, features, labels, num_classes, spectral_normalization, embeddings_initializer
        )
    outputs = {"adversarial": logits}
    if entering in ("class", "both", "class_features"):
        outputs["class"] = head(num_classes, "class_head", True)
    if entering == "class_features":
        outputs["features"] = features
    if entering == "contrastive":
        outputs["embedding"] = head(contrast_dim, "embedding_head", True)
        outputs["proxy"] = _class_embedding(
            labels, num_classes, contrast_dim, spectral_normalization, embeddings_initializer
        )
    return keras.Model(images if labels is None else [images, labels], outputs, name=name)


def _class_embedding(labels, num_classes, size, spectral_normalization, initializer):
    """[N, size] for labels [N]."""
    layer = SpectralEmbedding if spectral_normalization else ClassEmbedding
    options = dict(embeddings_initializer=initializer or glorot_uniform(), dtype=float_dtype())
    return layer(num_classes, size, **options, name="class_embedding")(labels)


def _add_projection(logits, features, labels, num_classes, spectral_normalization, initializer):
    embedding = _class_embedding(labels, num_classes, features.shape[-1], spectral_normalization, initializer)
    projection = keras.layers.Dot(1, dtype=float_dtype(), name="projection")([embedding, features])
    return keras.layers.Add(dtype=float_dtype(), name="adversarial")([logits, projection])
