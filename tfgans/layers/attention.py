"""Self-attention over the pixels of a feature map (SAGAN; Zhang et al., 2019)."""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.initializers import kernel_initializer
from tfgans.layers.spectral import SpectralConv2D
from tfgans.layers.statistics import widen


@keras.saving.register_keras_serializable(package="tfgans")
class SelfAttention(keras.layers.Layer):
    """x + gamma * o(attention(theta(x), phi(x), g(x))), with gamma a scalar that starts at 0.

    theta and phi have C/8 channels, g has C/2, o has C; all are 1x1 without bias. phi and g are max-pooled
    2x2, so each pixel attends to a quarter of them; the softmax is over those, without a 1/sqrt(d).
    Departure from the paper: it neither pools nor halves g; every published implementation does both.

    Args:
        spectral_normalization: normalize the four convolutions (not gamma).
        kernel_initializer: of the convolutions, `glorot_uniform` or `orthogonal`.
    Input: [N, H, W, C], H and W at least 2 and even, C at least 8.
    """

    def __init__(self, spectral_normalization=False, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.spectral_normalization = spectral_normalization
        self.kernel_initializer = kernel_initializer

    def build(self, inputs_shape):
        channels = inputs_shape[-1]
        if any(side is not None and (side < 2 or side % 2) for side in inputs_shape[1:3]):
            raise ConfigError(
                f"SelfAttention needs maps of an even height and width. Received: {tuple(inputs_shape[1:3])}"
            )
        if channels < 8:
            raise ConfigError(f"SelfAttention needs at least 8 channels. Received: {channels}")
        self.theta = self._projection("theta", channels // 8, inputs_shape)
        self.phi = self._projection("phi", channels // 8, inputs_shape)
        self.g = self._projection("g", channels // 2, inputs_shape)
        self.o = self._projection("o", channels, (*inputs_shape[:-1], channels // 2))
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros")

    def _projection(self, name, filters, inputs_shape):
        layer = SpectralConv2D if self.spectral_normalization else keras.layers.Conv2D
        projection = layer(
            filters,
            1,
            use_bias=False,
            kernel_initializer=kernel_initializer(self.kernel_initializer),
            name=name,
            dtype=self.dtype_policy,
        )
        projection.build(inputs_shape)
        return projection

    def call(self, inputs, training=False):
        options = {"training": training} if self.spectral_normalization else {}
        height, width = inputs.shape[1:3]
        queries = _pixels(self.theta(inputs, **options))
        keys = _pixels(_max_pool(self.phi(inputs, **options)))
        values = _pixels(_max_pool(self.g(inputs, **options)))
        scores = widen(tf.matmul(queries, keys, transpose_b=True))  # [N, H*W, H*W/4]
        weights = tf.cast(tf.nn.softmax(scores), self.compute_dtype)
        attended = tf.reshape(tf.matmul(weights, values), (-1, height, width, values.shape[-1]))
        return inputs + tf.convert_to_tensor(self.gamma) * self.o(attended, **options)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

    def get_config(self):
        return super().get_config() | {
            "spectral_normalization": self.spectral_normalization,
            "kernel_initializer": self.kernel_initializer,
        }


def _pixels(maps):
    return tf.reshape(maps, (-1, maps.shape[1] * maps.shape[2], maps.shape[3]))


def _max_pool(maps):
    """The maximum of each 2x2 window, the first of equals as in `tf.nn.max_pool2d`.

    That function's gradient has no deterministic XLA kernel; this one's has, at any order.
    """
    height, width, channels = maps.shape[1:]
    windows = tf.reshape(maps, (-1, height // 2, 2, width // 2, 2, channels))
    upper = tf.maximum(windows[:, :, 0, :, 0], windows[:, :, 0, :, 1])
    return tf.maximum(upper, tf.maximum(windows[:, :, 1, :, 0], windows[:, :, 1, :, 1]))
