"""Up- and down-sampling of [N, H, W, C] by plain reshapes, sums, products and convolutions.

TensorFlow's nearest-neighbour resize has no second derivative; everything here has all of them.
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError, Count
from tfgans.layers.custom import custom_gradient
from tfgans.layers.fir import LARGEST_PRODUCT, along_sides, separable_upfirdn2d
from tfgans.layers.statistics import widen


def upsample_nearest(images, factor=2):
    """Repeats each pixel `factor` times in both directions.

    Raises: ConfigError if `factor` is no integer of at least 1.
    """
    Count.check("upsample_nearest: factor", factor)

    @custom_gradient
    def forward(images):
        height, width, channels = images.shape[1:]
        # Two concatenations: three times as fast on a CPU as tiling or broadcasting over six dimensions.
        wide = tf.concat([images] * factor, 3)
        tall = tf.reshape(tf.concat([wide] * factor, 2), (-1, height * factor, width * factor, channels))
        # The sum of each square: TensorFlow's own gradient, by slices, takes four times as long as the pooling.
        return tall, lambda upstream: average_pool(upstream, factor) * factor**2

    return forward(images)


def upsample_bilinear(images):
    """Doubles height and width; half-pixel centres, edges repeated (`align_corners=False`)."""
    height, width = images.shape[1:3]
    if max(height, width) > LARGEST_PRODUCT:
        return _double(_double(images, 1), 2)
    return along_sides(images, bilinear_matrix(height), bilinear_matrix(width))


@functools.lru_cache
def bilinear_matrix(size):
    """What bilinear up-sampling by 2 does along one side, as a matrix [2 * size, size]."""
    places = (np.arange(2 * size) + 0.5) / 2 - 0.5
    first = np.floor(places).astype(int)
    matrix = np.zeros((2 * size, size))
    for neighbour, share in ((first, first + 1 - places), (first + 1, places - first)):
        np.add.at(matrix, (np.arange(2 * size), np.clip(neighbour, 0, size - 1)), share)
    return matrix


def _double(images, axis):
    size = images.shape[axis]
    first, last = tf.split(images, (1, size - 1), axis), tf.split(images, (size - 1, 1), axis)
    before = tf.concat((first[0], last[0]), axis)
    after = tf.concat((first[1], last[1]), axis)
    pairs = tf.stack((0.25 * before + 0.75 * images, 0.75 * images + 0.25 * after), axis + 1)
    shape = [-1, *images.shape[1:]]
    shape[axis] *= 2
    return tf.reshape(pairs, shape)


def average_pool(images, factor=2):
    """Mean of each `factor` x `factor` square.

    Raises: ConfigError if `factor` is no integer of at least 1, or height or width is no multiple of it.
    """
    Count.check("average_pool: factor", factor)
    height, width, _ = images.shape[1:]
    if height % factor or width % factor:
        raise ConfigError(f"average pooling by {factor} takes multiples of it. Received: {height} x {width}")

    @custom_gradient
    def forward(images):
        means = tf.nn.avg_pool2d(images, factor, factor, "VALID")
        return means, lambda upstream: upsample_nearest(upstream * (1 / factor**2), factor)

    return forward(images)


class _Parameterless(keras.layers.Layer):
    """Resampling by a whole factor, at least 1."""

    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        Count.check(f"{type(self).__name__}: factor", factor)
        self.factor = factor

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable(package="tfgans")
class NearestUpsampling2D(_Parameterless):
    """Nearest-neighbour up-sampling: [N, H, W, C] -> [N, H * factor, W * factor, C]."""

    def call(self, inputs):
        return upsample_nearest(inputs, self.factor)


@keras.saving.register_keras_serializable(package="tfgans")
class BilinearUpsampling2D(keras.layers.Layer):
    """Bilinear up-sampling with half-pixel centres: [N, H, W, C] -> [N, 2H, 2W, C]."""

    def call(self, inputs):
        return upsample_bilinear(inputs)


@keras.saving.register_keras_serializable(package="tfgans")
class AverageDownsampling2D(_Parameterless):
    """Average pooling: [N, H, W, C] -> [N, H / factor, W / factor, C]; H and W multiples of factor."""

    def call(self, inputs):
        return average_pool(inputs, self.factor)


@keras.saving.register_keras_serializable(package="tfgans")
class GlobalSumPooling2D(keras.layers.Layer):
    """Sum over height and width: [N, H, W, C] -> [N, C]."""

    def call(self, inputs):
        return tf.cast(tf.reduce_sum(widen(inputs), (1, 2)), self.compute_dtype)


class _Filtered(_Parameterless):
    """Resampling with a separable FIR filter, given by its taps in one direction."""

    def __init__(self, factor=2, taps=(1, 3, 3, 1), **kwargs):
        super().__init__(factor=factor, **kwargs)
        if len(taps) < factor or sum(taps) == 0:
            raise ConfigError(
                f"{type(self).__name__}: at least {factor} taps with a sum other than 0. Received: {taps}"
            )
        self.taps = tuple(taps)

    def _scaled_taps(self, gain):
        return gain * np.asarray(self.taps, "float64") / sum(self.taps)

    def get_config(self):
        return super().get_config() | {"taps": self.taps}


@keras.saving.register_keras_serializable(package="tfgans")
class FIRUpsampling2D(_Filtered):
    """Zero-insertion and FIR low-pass (StyleGAN2): [N, H, W, C] -> [N, H * factor, W * factor, C].

    Args:
        factor: of both directions.
        taps: of the separable filter, scaled here to keep the mean of the image.
    """

    def call(self, inputs):
        excess = len(self.taps) - self.factor
        padding = ((excess + 1) // 2 + self.factor - 1, excess // 2)
        return separable_upfirdn2d(inputs, self._scaled_taps(self.factor), up=self.factor, padding=padding)


@keras.saving.register_keras_serializable(package="tfgans")
class FIRDownsampling2D(_Filtered):
    """FIR low-pass and decimation (StyleGAN2): [N, H, W, C] -> [N, H / factor, W / factor, C].

    Args: as `FIRUpsampling2D`.
    """

    def call(self, inputs):
        excess = len(self.taps) - self.factor
        padding = ((excess + 1) // 2, excess // 2)
        return separable_upfirdn2d(inputs, self._scaled_taps(1.0), down=self.factor, padding=padding)
