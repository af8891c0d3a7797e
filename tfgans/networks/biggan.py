"""BigGAN (Brock et al., 2019, appendix B): residual networks conditioned on a class embedding all blocks share.

The latent is cut into equal chunks. The first makes the 4x4 map; each block's norms see the next chunk beside
the embedding of the class. The channels are, at base width b, multiples of it from the tables below, whose rows
for 64 and more are the paper's and whose row for 32 is that of the published code. StudioGAN's CIFAR networks
have `base_channels=96, latent_dim=80, attention_resolutions=(16,), epsilon=1e-4, last_epsilon=1e-4` and in the
discriminator `block_channels=(192,) * 4`; FastGAN's code has four times b in both and `repeat_attention=True`.
"""

import keras

from tfgans.config import ConfigError, Count, Positive, Several, Side, configurable
from tfgans.layers.embedding import ClassEmbedding
from tfgans.layers.initializers import kernel_initializer as initializer_of_kernel
from tfgans.networks.parts import (
    discriminator_model,
    float_dtype,
    generator_inputs,
    generator_model,
)
from tfgans.networks.resnet import residual_features, residual_generator

GENERATOR_WIDTHS = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
DISCRIMINATOR_WIDTHS = {
    32: (4, 4, 4, 4),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
}


@configurable
def biggan_generator(
    resolution: Side = 128,
    channels: Count = 3,
    latent_dim: Count = 120,
    base_channels: Count = 96,
    block_channels: Several(Count) | None = None,
    num_classes: Count | None = None,
    embedding_dim: Count = 128,
    attention_resolutions: Several(Count) = (64,),
    spectral_normalization: bool = True,
    kernel_initializer: str = "orthogonal",
    epsilon: Positive = 1e-5,
    last_epsilon: Positive = 1e-5,
    recompute: bool = False,
):
    """BigGAN's generator.

    Args:
        resolution: of the square images: 32, 64, 128, 256, or what `block_channels` fits.
        latent_dim: a multiple of the number of chunks, one more than blocks (6 at resolution 128).
        base_channels: width b of `GENERATOR_WIDTHS`.
        block_channels: instead of that, the channels of the first map and of each block's output; the first
            map's side is then resolution / 2^blocks.
        num_classes: None, or the number of classes; without them the norms see the latent's chunks alone.
        embedding_dim: size of the class embedding, which is not spectrally normalized.
        attention_resolutions: sides of the maps after whose block self-attention comes.
        spectral_normalization: of every convolution, the dense layer and the norms' projections.
        kernel_initializer: `orthogonal` (gain 1) or `glorot_uniform`.
        epsilon, last_epsilon: of the blocks' batch norms and of the last one.
        recompute: training keeps of each block what goes in alone, and computes its activations again in the
            backward pass: less memory, more time, the same gradients.
    Returns: model latents [N, latent_dim] (and labels [N]) -> images [N, resolution, resolution, channels] in
        [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "biggan_generator"
    block_channels = _channels(name, resolution, base_channels, block_channels, GENERATOR_WIDTHS)
    chunks = len(block_channels)
    if chunks == 0 or latent_dim % chunks:
        raise ConfigError(
            f"{name}: latent_dim is a multiple of the {chunks} chunks, one for the first map and one a block. "
            f"Received: {latent_dim}"
        )
    latents, labels = generator_inputs(latent_dim, num_classes)
    first, *conditions = keras.ops.split(latents, chunks, axis=1)
    if labels is not None:
        shared = ClassEmbedding(
            num_classes,
            embedding_dim,
            embeddings_initializer=initializer_of_kernel(kernel_initializer),
            name="class_embedding",
        )(labels)
        conditions = [keras.layers.Concatenate()([shared, chunk]) for chunk in conditions]
    images = residual_generator(
        name,
        first,
        conditions,
        resolution,
        channels,
        block_channels,
        attention_resolutions,
        last_epsilon,
        projected=True,
        epsilon=epsilon,
        spectral_normalization=spectral_normalization,
        residual_gain=1.0,
        bias_initializer="zeros",
        kernel_initializer=kernel_initializer,
        recompute=recompute,
    )
    return generator_model(latents, labels, images, name)


@configurable
def biggan_discriminator(
    resolution: Side = 128,
    channels: Count = 3,
    base_channels: Count = 96,
    block_channels: Several(Count) | None = None,
    downsample: Several(bool) | None = None,
    num_classes: Count | None = None,
    conditioning: str = "projection",
    contrast_dim: Count = 512,
    attention_resolutions: Several(Count) = (64,),
    repeat_attention: bool = False,
    spectral_normalization: bool = True,
    kernel_initializer: str = "orthogonal",
    recompute: bool = False,
):
    """BigGAN's discriminator: wide residual blocks, ReLU, sum over space, heads.

    Args:
        resolution: of the square images: 32, 64, 128, 256, or what `block_channels` and `downsample` fit.
        base_channels: width b of `DISCRIMINATOR_WIDTHS`.
        block_channels: instead of that, the output channels of each block.
        downsample: whether each block halves the map; the first one does. By default the first two at 32, all
            but the last otherwise.
        num_classes, conditioning, contrast_dim: how classes enter, see `parts.discriminator_model`.
        attention_resolutions: sides of the maps after whose first block self-attention comes.
        repeat_attention: after every block of such a size, not just the first.
        spectral_normalization: of every convolution, head and embedding.
        kernel_initializer: `orthogonal` (gain 1) or `glorot_uniform`.
        recompute: as in `biggan_generator`.
    Returns: model images [N, resolution, resolution, channels] (and labels [N]) -> {"adversarial": [N, 1],
        "class": [N, num_classes] if asked for}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "biggan_discriminator"
    block_channels = _channels(name, resolution, base_channels, block_channels, DISCRIMINATOR_WIDTHS)
    if downsample is None:
        last = 2 if resolution == 32 else len(block_channels) - 1
        downsample = [i < last for i in range(len(block_channels))]
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    features = residual_features(
        name,
        images,
        block_channels,
        tuple(bool(halve) for halve in downsample),
        attention_resolutions,
        "sum",
        wide=True,
        repeat_attention=repeat_attention,
        spectral_normalization=spectral_normalization,
        residual_gain=1.0,
        bias_initializer="zeros",
        kernel_initializer=kernel_initializer,
        recompute=recompute,
    )
    return discriminator_model(
        images,
        features,
        name,
        num_classes=num_classes,
        conditioning=conditioning,
        contrast_dim=contrast_dim,
        spectral_normalization=spectral_normalization,
        kernel_initializer=initializer_of_kernel(kernel_initializer),
        embeddings_initializer=initializer_of_kernel(kernel_initializer),
    )


def _channels(name, resolution, base_channels, block_channels, widths):
    if block_channels is not None:
        return block_channels
    if resolution not in widths:
        allowed = ", ".join(map(str, widths))
        raise ConfigError(
            f"{name}: resolution is one of {allowed}, unless block_channels is given. Received: {resolution}"
        )
    return [multiple * base_channels for multiple in widths[resolution]]
