"""BigGAN's generator of a genotype, and its layers (AlphaGAN; Tian et al., 2021, section 12).

BigGAN's own parts (class embedding, chunks of the latent, projected batch norms, spectral normalization) are as in
`networks.biggan`, without attention. The operations are the six of conventional GANs, which begin with a ReLU, after
BigGAN's norm. Plain convolutions are spectrally normalized as BigGAN's; separable ones have a batch norm after
every stage, which undoes any scale of their kernels, and are not.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError, Count, Made, Positive, Side, configurable
from tfgans.layers.embedding import ClassEmbedding
from tfgans.layers.initializers import kernel_initializer as initializer_of_kernel
from tfgans.layers.norms import BatchNormalization
from tfgans.methods.alphagan.spaces.biggan.genotype import load_biggan_genotype
from tfgans.methods.alphagan.spaces.biggan.operations import GenotypeUpBlock
from tfgans.methods.alphagan.spaces.biggan.space import BLOCKS
from tfgans.networks.parts import (
    convolution,
    dense,
    float_dtype,
    generator_inputs,
    generator_model,
)

_CHUNKS = len(BLOCKS) + 1  # of the latent: one for the first map, one a block


@configurable
def alphagan_biggan_generator(
    genotype: str | Made("a genotype") = "biggan",
    resolution: Side = 32,
    channels: Count = 3,
    latent_dim: Count = 128,
    base_channels: Count = 256,
    num_classes: Count | None = None,
    embedding_dim: Count = 128,
    spectral_normalization: bool = True,
    kernel_initializer: str = "orthogonal",
    epsilon: Positive = 1e-5,
):
    """BigGAN's generator of three blocks with the operations of a genotype.

    With the genotype `biggan` it is `biggan_generator` without attention.

    Args:
        genotype: a `BigGANGenotype`, `biggan`, or the path of a JSON file.
        resolution: of the square images, a multiple of 8.
        latent_dim: a multiple of 4.
        base_channels: of every map (four times the width b of `biggan_generator`).
        num_classes: None, or the number of classes; without them the norms see the latent's chunks alone.
        embedding_dim: size of the class embedding.
        spectral_normalization: of every convolution that is not separable, the dense layer, the norms' projections.
        kernel_initializer: of all but the operations, which start as AlphaGAN's: `orthogonal` (gain 1) or
            `glorot_uniform`.
        epsilon: of BigGAN's batch norms.
    Returns: model latents [N, latent_dim] (and labels [N]) -> images [N, resolution, resolution, channels] in
        [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed or the genotype is wrong.
    """
    name = "alphagan_biggan_generator"
    size = first_size(name, resolution, latent_dim)
    genotype = load_biggan_genotype(genotype)
    options = {"spectral_normalization": spectral_normalization, "kernel_initializer": kernel_initializer}
    latents, labels = generator_inputs(latent_dim, num_classes)
    first = FirstMaps(base_channels, size, **options, name="first_maps")
    embedding = class_embedding(num_classes, embedding_dim, kernel_initializer)
    blocks = [
        GenotypeUpBlock(base_channels, normal, up, epsilon=epsilon, **options, name=f"block_{number}")
        for number, normal, up in zip(BLOCKS, genotype.normal, genotype.up, strict=True)
    ]
    last = LastImages(channels, epsilon=epsilon, **options, name="images")
    images = wire(latents, labels, first, embedding, blocks, last)
    return generator_model(latents, labels, images, name)


def first_size(name, resolution, latent_dim):
    """Side of the first map. Raises ConfigError for sizes that no generator has."""
    factor = 2 ** len(BLOCKS)
    if resolution % factor:
        raise ConfigError(f"{name}: resolution is a multiple of {factor}. Received: {resolution}")
    if latent_dim % _CHUNKS:
        raise ConfigError(f"{name}: latent_dim is a multiple of the {_CHUNKS} chunks. Received: {latent_dim}")
    return resolution // factor


def class_embedding(num_classes, embedding_dim, kernel_initializer, **options):
    if num_classes is None:
        return None
    initializer = initializer_of_kernel(kernel_initializer)
    return ClassEmbedding(
        num_classes, embedding_dim, embeddings_initializer=initializer, name="class_embedding", **options
    )


def wire(latents, labels, first, embedding, blocks, last):
    """Images of latents and labels (or None), by layers or functions: blocks take (map, condition)."""
    chunk, *conditions = keras.ops.split(latents, _CHUNKS, axis=1)
    if labels is not None:
        shared = embedding(labels)
        conditions = [keras.ops.concatenate([shared, condition], axis=1) for condition in conditions]
    x = first(chunk)
    for block, condition in zip(blocks, conditions, strict=True):
        x = block(x, condition)
    return last(x)


@keras.saving.register_keras_serializable(package="tfgans")
class FirstMaps(keras.layers.Layer):
    """Dense layer to the first map, channels slowest.

    Args:
        filters, size: of the map.
        spectral_normalization, kernel_initializer: of the dense layer.
    Input: [N, D]. Output: [N, size, size, filters].
    """

    def __init__(self, filters, size, spectral_normalization, kernel_initializer, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.size = filters, size
        self.spectral_normalization, self.kernel_initializer = spectral_normalization, kernel_initializer

    def build(self, inputs_shape):
        self.dense = dense(
            self.filters * self.size**2,
            self.spectral_normalization,
            kernel_initializer=initializer_of_kernel(self.kernel_initializer),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build(inputs_shape)

    def call(self, inputs, training=False):
        features = self.dense(inputs, **({"training": training} if self.spectral_normalization else {}))
        return tf.transpose(tf.reshape(features, (-1, self.filters, self.size, self.size)), (0, 2, 3, 1))

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "size": self.size,
            "spectral_normalization": self.spectral_normalization,
            "kernel_initializer": self.kernel_initializer,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class LastImages(keras.layers.Layer):
    """Batch norm, ReLU, 3x3 convolution, tanh.

    Args:
        channels: of the images.
        spectral_normalization, kernel_initializer: of the convolution.
        epsilon: of the norm.
    Input: [N, H, W, C]. Output: [N, H, W, channels] in [-1, 1], float32.
    """

    def __init__(self, channels, spectral_normalization, kernel_initializer, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.epsilon = channels, epsilon
        self.spectral_normalization, self.kernel_initializer = spectral_normalization, kernel_initializer

    def build(self, inputs_shape):
        options = {"dtype": self.dtype_policy}
        self.normalization = BatchNormalization(epsilon=self.epsilon, name="normalization", **options)
        self.convolution = convolution(
            self.channels,
            3,
            self.spectral_normalization,
            padding="same",
            kernel_initializer=initializer_of_kernel(self.kernel_initializer),
            name="convolution",
            **options,
        )
        for layer in (self.normalization, self.convolution):
            layer.build(inputs_shape)

    def call(self, inputs, training=False):
        x = tf.nn.relu(self.normalization(inputs, training=training))
        x = self.convolution(x, **({"training": training} if self.spectral_normalization else {}))
        return tf.tanh(tf.cast(x, float_dtype()))

    def get_config(self):
        return super().get_config() | {
            "channels": self.channels,
            "epsilon": self.epsilon,
            "spectral_normalization": self.spectral_normalization,
            "kernel_initializer": self.kernel_initializer,
        }
