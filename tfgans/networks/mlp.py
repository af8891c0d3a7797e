"""Multi-layer perceptrons for points in the plane (mixtures of Gaussians and other toys)."""

import keras

from tfgans.config import Count, configurable
from tfgans.layers.embedding import ClassEmbedding
from tfgans.networks.parts import (
    dense,
    discriminator_model,
    float_dtype,
    generator_inputs,
    generator_model,
)


@configurable
def mlp_generator(
    latent_dim: Count = 16,
    output_dim: Count = 2,
    hidden_units: Count = 128,
    layers: Count = 3,
    num_classes: Count | None = None,
):
    """Generator of points: `layers` hidden ReLU layers and a linear one.

    Args:
        output_dim: numbers in a point.
        hidden_units: width of each hidden layer.
        num_classes: None, or the number of classes; an embedding of the label is then joined to the latents.
    Returns: model latents [N, latent_dim] (and labels [N]) -> points [N, output_dim], float32.
    Raises: ConfigError if a size is not a positive whole number.
    """
    latents, labels = generator_inputs(latent_dim, num_classes)
    x = latents
    if labels is not None:
        x = keras.layers.Concatenate()([x, ClassEmbedding(num_classes, latent_dim)(labels)])
    for _ in range(layers):
        x = keras.layers.Dense(hidden_units, activation="relu", kernel_initializer="he_normal")(x)
    points = keras.layers.Dense(output_dim, dtype=float_dtype(), name="points")(x)
    return generator_model(latents, labels, points, "mlp_generator")


@configurable
def mlp_discriminator(
    input_dim: Count = 2,
    hidden_units: Count = 128,
    layers: Count = 3,
    num_classes: Count | None = None,
    conditioning: str = "projection",
    contrast_dim: Count = 512,
    spectral_normalization: bool = False,
):
    """Discriminator of points: `layers` hidden LeakyReLU(0.2) layers and the heads.

    Args:
        input_dim: numbers in a point.
        hidden_units: width of each hidden layer.
        num_classes, conditioning, contrast_dim: how classes enter, see `parts.discriminator_model`.
        spectral_normalization: of every layer, the heads too.
    Returns: model images [N, input_dim] (and labels [N]) -> {"adversarial": [N, 1], "class": [N, K] if asked
        for}, float32. The input is named `images` as everywhere.
    Raises: ConfigError if a size is not a positive whole number, or conditioning is another word.
    """
    points = keras.Input((input_dim,), dtype=float_dtype(), name="images")
    x = points
    for _ in range(layers):
        x = dense(hidden_units, spectral_normalization, kernel_initializer="he_normal")(x)
        x = keras.layers.LeakyReLU(0.2)(x)
    x = keras.layers.Activation("linear", dtype=float_dtype(), name="features")(x)
    return discriminator_model(
        points,
        x,
        "mlp_discriminator",
        num_classes=num_classes,
        conditioning=conditioning,
        contrast_dim=contrast_dim,
        spectral_normalization=spectral_normalization,
    )
