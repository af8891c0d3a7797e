"""BigGAN's orthogonal regularization of the generator."""

import keras
import tensorflow as tf

from tfgans import keras_internals, penalties
from tfgans.config import NotNegative, configurable
from tfgans.gan import GAN


@configurable
class OrthogonalGAN(GAN):
    """Penalty on products of different columns of the generator's kernels (Brock et al. 2019, section 3.1).

    It takes the raw kernels of all dense and convolution layers, also below spectral normalisation, but no
    embeddings, as the published code does. Cost of a generator step: for each kernel [in, out] the product of
    its columns, in * out^2, and twice that backwards; nothing that grows with the batch.

    Args:
        orthogonal_weight: factor beta of the penalty; 0 is the base. The published code's 1e-4 is 5e-5 here: it
            adds half of the penalty's gradient.
    """

    def __init__(self, generator, discriminator, orthogonal_weight: NotNegative = 1e-4, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.orthogonal_weight = orthogonal_weight

    def generator_losses(self, real, fake):
        terms = super().generator_losses(real, fake)
        if not self.orthogonal_weight:
            return terms
        penalty = penalties.orthogonal_penalty(kernel_matrices(self.generator))
        return terms | {"g/orthogonal": self.orthogonal_weight * penalty}


def kernel_matrices(network):
    """The kernels of a network as matrices [in, out], once each; a class table is no kernel."""
    matrices = {}
    for layer in keras_internals.layers_of(network):
        kernel = getattr(layer, "kernel", None)
        if isinstance(kernel, keras.Variable) and not isinstance(layer, keras.layers.Embedding):
            matrices[id(kernel)] = _matrix(layer, tf.convert_to_tensor(kernel.value))
    return list(matrices.values())


def _matrix(layer, kernel):
    if hasattr(layer, "kernel_matrix"):  # our spectral layers know how
        return layer.kernel_matrix(kernel)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        kernel = tf.transpose(kernel, (0, 1, 3, 2))  # [height, width, out, in]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return tf.reshape(kernel, (kernel.shape[0] * kernel.shape[1], -1))
    return tf.reshape(kernel, (-1, kernel.shape[-1]))
