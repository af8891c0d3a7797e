"""Residual blocks of generators and discriminators (Gulrajani et al., 2017; Miyato et al., 2018)."""

import functools

import keras
import tensorflow as tf

from tfgans.config import ConfigError, sides
from tfgans.layers.initializers import bias_initializer, check_bias_initializer, kernel_initializer
from tfgans.layers.norms import (
    BatchNormalization,
    ConditionalBatchNormalization,
    ProjectedBatchNormalization,
)
from tfgans.layers.recompute import recomputed
from tfgans.layers.resample import average_pool, upsample_bilinear
from tfgans.layers.resampled import doubled, halved
from tfgans.layers.spectral import SpectralConv2D


def channel_major_reshape(features, channels, size):
    """[N, channels * H * W], channels slowest as PyTorch has them -> [N, H, W, channels]; size: a side or (H, W)."""
    maps = keras.layers.Reshape((channels, *sides(size)))(features)
    return keras.layers.Permute((2, 3, 1))(maps)


class _ResidualBlock(keras.layers.Layer):
    """What the blocks share: their convolutions, and whether their activations are kept.

    Args:
        filters: output channels.
        spectral_normalization: of every convolution, the shortcut's too.
        residual_gain: of the kernels on the residual path; the shortcut's gain is 1.
        bias_initializer: `zeros` or `fan_in_uniform` (PyTorch's default).
        kernel_initializer: `glorot_uniform` or `orthogonal`.
        recompute: in training the activations are computed again in the backward pass, see `layers.recompute`.
    """

    def __init__(
        self,
        filters,
        spectral_normalization=False,
        residual_gain=2.0**0.5,
        bias_initializer="zeros",
        kernel_initializer="glorot_uniform",
        recompute=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if filters < 1:
            raise ConfigError(f"{type(self).__name__}: filters is at least 1. Received: {filters}")
        check_bias_initializer(bias_initializer)
        self.filters = filters
        self.spectral_normalization = spectral_normalization
        self.residual_gain = residual_gain
        self.bias_initializer = bias_initializer
        self.kernel_initializer = kernel_initializer
        self.recompute = recompute

    def _run(self, *inputs, training):
        outputs = functools.partial(self._outputs, training=training)
        return recomputed([self], outputs, *inputs) if training and self.recompute else outputs(*inputs)

    def _convolution(self, name, channels, filters, kernel_size=3):
        layer = SpectralConv2D if self.spectral_normalization else keras.layers.Conv2D
        gain = self.residual_gain if kernel_size > 1 else 1.0
        convolution = layer(
            filters,
            kernel_size,
            padding="same",
            kernel_initializer=kernel_initializer(self.kernel_initializer, gain),
            bias_initializer=bias_initializer(self.bias_initializer, kernel_size**2 * channels),
            name=name,
            dtype=self.dtype_policy,
        )
        convolution.build((None, None, None, channels))
        return convolution

    def _convolve(self, convolution, inputs, training):
        return convolution(inputs, training=training) if self.spectral_normalization else convolution(inputs)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "spectral_normalization": self.spectral_normalization,
            "residual_gain": self.residual_gain,
            "bias_initializer": self.bias_initializer,
            "kernel_initializer": self.kernel_initializer,
            "recompute": self.recompute,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class ResidualUpBlock(_ResidualBlock):
    """Generator block: norm, ReLU, up x2, conv3x3, norm, ReLU, conv3x3, plus up x2, conv1x1 of the input.

    Args:
        filters, spectral_normalization, residual_gain, bias_initializer, kernel_initializer, recompute: see
            `ResidualDownBlock`.
        num_classes: None for batch norm, else conditional batch norm with that many classes.
        projected: the norms' gamma and beta are projections of a vector, spectrally normalized if the
            convolutions are; without `num_classes`.
        upsampling: `nearest` or `bilinear`.
        epsilon: of the norms.
    Input: [N, H, W, C], and labels [N] with `num_classes`, vectors [N, D] if `projected`.
    Output: [N, 2H, 2W, filters].
    """

    def __init__(
        self, filters, num_classes=None, projected=False, upsampling="nearest", epsilon=1e-5, **kwargs
    ):
        super().__init__(filters, **kwargs)
        if upsampling not in ("nearest", "bilinear"):
            raise ConfigError(f"upsampling is nearest or bilinear. Received: {upsampling}")
        if projected and num_classes is not None:
            raise ConfigError(
                f"{type(self).__name__}: num_classes is None if projected. Received: {num_classes}"
            )
        self.num_classes = num_classes
        self.projected = projected
        self.upsampling = upsampling
        self.epsilon = epsilon

    def build(self, inputs_shape, condition_shape=None):
        self._check_condition(condition_shape)
        channels = inputs_shape[-1]
        self.normalization1 = self._normalization("normalization1", channels, condition_shape)
        self.convolution1 = self._convolution("convolution1", channels, self.filters)
        self.normalization2 = self._normalization("normalization2", self.filters, condition_shape)
        self.convolution2 = self._convolution("convolution2", self.filters, self.filters)
        self.shortcut = self._convolution("shortcut", channels, self.filters, kernel_size=1)

    def _normalization(self, name, channels, condition_shape):
        options = {"epsilon": self.epsilon, "name": name, "dtype": self.dtype_policy}
        if self.projected:
            options |= {
                "spectral_normalization": self.spectral_normalization,
                "kernel_initializer": self.kernel_initializer,
            }
            layer = ProjectedBatchNormalization(**options)
        elif self.num_classes is None:
            layer = BatchNormalization(**options)
        else:
            layer = ConditionalBatchNormalization(self.num_classes, **options)
        condition = () if condition_shape is None else (condition_shape,)
        layer.build((None, None, None, channels), *condition)
        return layer

    def _check_condition(self, condition):
        if (condition is None) == (self.projected or self.num_classes is not None):
            raise ConfigError(
                f"{self.name}: labels are given if and only if num_classes is, vectors if projected"
            )

    def call(self, inputs, condition=None, training=False):
        self._check_condition(condition)
        return self._run(inputs, condition, training=training)

    def _outputs(self, inputs, condition, training):
        condition = () if condition is None else (condition,)
        x = tf.nn.relu(self.normalization1(inputs, *condition, training=training))
        x = self._convolve_larger(self.convolution1, x, training)
        x = tf.nn.relu(self.normalization2(x, *condition, training=training))
        x = self._convolve(self.convolution2, x, training)
        return x + self._convolve_larger(self.shortcut, inputs, training)

    def _convolve_larger(self, convolution, maps, training):
        if self.upsampling == "nearest":
            return doubled(convolution, maps, training)
        return self._convolve(convolution, upsample_bilinear(maps), training)

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes,
            "projected": self.projected,
            "upsampling": self.upsampling,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class ResidualInputBlock(_ResidualBlock):
    """First discriminator block: conv3x3, ReLU, conv3x3, pool, plus pool, conv1x1 of the input.

    It has no ReLU before its first convolution: that would drop half of the image.

    Args: see `ResidualDownBlock`.
    Input: [N, H, W, C], H and W even. Output: [N, H / 2, W / 2, filters].
    """

    def build(self, inputs_shape):
        channels = inputs_shape[-1]
        self.convolution1 = self._convolution("convolution1", channels, self.filters)
        self.convolution2 = self._convolution("convolution2", self.filters, self.filters)
        self.shortcut = self._convolution("shortcut", channels, self.filters, kernel_size=1)

    def call(self, inputs, training=False):
        return self._run(inputs, training=training)

    def _outputs(self, inputs, training):
        x = tf.nn.relu(self._convolve(self.convolution1, inputs, training))
        x = halved(self.convolution2, x, training)
        return x + self._convolve(self.shortcut, average_pool(inputs), training)


@keras.saving.register_keras_serializable(package="tfgans")
class ResidualDownBlock(_ResidualBlock):
    """Discriminator block: ReLU, conv3x3, ReLU, conv3x3, [pool], plus conv1x1, [pool] of the input.

    Without pooling and with as many channels out as in, the shortcut is the input itself.

    Args:
        filters: output channels.
        downsample: whether the maps are halved.
        wide: the middle has `filters` channels (SAGAN), otherwise as many as the input (SNGAN).
        spectral_normalization: of every convolution, the shortcut's too.
        residual_gain: of the kernels on the residual path; the shortcut's gain is 1.
        bias_initializer: `zeros` or `fan_in_uniform` (PyTorch's default).
        kernel_initializer: `glorot_uniform` or `orthogonal`.
        recompute: in training the activations are computed again in the backward pass, see `layers.recompute`.
    Input: [N, H, W, C], H and W even if down-sampling.
    Output: [N, H / 2, W / 2, filters], or [N, H, W, filters] without down-sampling.
    """

    def __init__(self, filters, downsample=True, wide=False, **kwargs):
        super().__init__(filters, **kwargs)
        self.downsample = downsample
        self.wide = wide

    def build(self, inputs_shape):
        channels = inputs_shape[-1]
        middle = self.filters if self.wide else channels
        self.convolution1 = self._convolution("convolution1", channels, middle)
        self.convolution2 = self._convolution("convolution2", middle, self.filters)
        self.shortcut = None
        if self.downsample or channels != self.filters:
            self.shortcut = self._convolution("shortcut", channels, self.filters, kernel_size=1)

    def call(self, inputs, training=False):
        return self._run(inputs, training=training)

    def _outputs(self, inputs, training):
        x = tf.nn.relu(self._convolve(self.convolution1, tf.nn.relu(inputs), training))
        convolve = halved if self.downsample else self._convolve
        shortcut = inputs if self.shortcut is None else convolve(self.shortcut, inputs, training)
        return convolve(self.convolution2, x, training) + shortcut

    def get_config(self):
        return super().get_config() | {"downsample": self.downsample, "wide": self.wide}
