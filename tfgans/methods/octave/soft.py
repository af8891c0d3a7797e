"""Soft octave convolutions: octave convolutions whose high and low maps are weighed by betas."""

import keras
import tensorflow as tf

from tfgans import keras_internals
from tfgans.layers.spectral import SpectralKernel
from tfgans.methods.octave.conv import OctaveConv2D, OctaveConv2DTranspose


class _Soft:
    """Scales the high and the low input maps by beta_H and beta_L; comes before an octave layer in the bases.

    The weight `betas` [2, 2] holds (beta_H, beta_L) of training in its first row and of inference in its second.
    The optimizer leaves it alone: `OctaveGAN` sets it, or `set_betas`. It starts at 1. One tensor (the image, the
    latent's map) is not scaled. The factors go into the kernel, which is smaller than the maps.
    """

    copied_state = scheduled_state = ("betas",)

    def build(self, maps_shape):
        super().build(maps_shape)
        self.betas = self.add_weight(
            name="betas", shape=(2, 2), initializer="ones", trainable=False, autocast=False
        )

    def applied_kernel(self, training):
        kernel = self.own_kernel(training)
        if len(self.input_channels) == 1:
            return kernel
        betas = tf.cast(tf.convert_to_tensor(self.betas.value)[0 if training else 1], kernel.dtype)
        scale = tf.repeat(betas, self.input_channels)
        return kernel * (scale[:, None] if self._input_axis == 2 else scale)


@keras.saving.register_keras_serializable(package="tfgans")
class SoftOctaveConv2D(_Soft, OctaveConv2D):
    """`OctaveConv2D` whose high and low input maps are scaled by beta_H and beta_L (Durall et al. 2019, Fig. 3).

    Its weight `betas` [2, 2] is (beta_H, beta_L) of training, and of inference; both start at 1, which is
    `OctaveConv2D`.
    """


@keras.saving.register_keras_serializable(package="tfgans")
class SoftOctaveConv2DTranspose(_Soft, OctaveConv2DTranspose):
    """`OctaveConv2DTranspose` with betas; see `SoftOctaveConv2D`."""


@keras.saving.register_keras_serializable(package="tfgans")
class SpectralSoftOctaveConv2D(SpectralKernel, SoftOctaveConv2D):
    """`SoftOctaveConv2D` whose kernel, all four blocks as one matrix, is spectrally normalized before the betas."""

    def own_kernel(self, training):
        return self.normalized_kernel(training)


def soft_layers(network):
    """The layers of a network, at any depth, that have betas."""
    return [layer for layer in keras_internals.layers_of(network) if isinstance(layer, _Soft)]


def set_betas(network, high, low, evaluation=None):
    """Sets beta_H and beta_L in every soft octave layer of a network.

    Args:
        high, low: numbers or scalar tensors.
        evaluation: (beta_H, beta_L) for inference; None takes the same.
    """
    training = tf.stack([tf.cast(high, tf.float32), tf.cast(low, tf.float32)])
    rows = tf.stack([training, training if evaluation is None else tf.constant(evaluation, tf.float32)])
    for layer in soft_layers(network):
        layer.betas.assign(tf.cast(rows, layer.betas.dtype))
