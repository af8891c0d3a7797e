"""Up- and down-sampling of [N, H, W, C] by plain reshapes, sums and convolutions.

TensorFlow's nearest-neighbour resize has no second derivative; everything here has all of them.
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.statistics import widen

_LARGEST_PRODUCT = 160  # pixels along a side: a matrix costs more the larger the map, a filter does not


def upsample_nearest(images, factor=2):
    """Repeats each pixel `factor` times in both directions."""
    height, width, channels = images.shape[1:]
    # Two concatenations: three times as fast on a CPU as tiling or broadcasting over six dimensions.
    wide = tf.concat([images] * factor, 3)
    return tf.reshape(tf.concat([wide] * factor, 2), (-1, height * factor, width * factor, channels))


def upsample_bilinear(images):
    """Doubles height and width; half-pixel centres, edges repeated (`align_corners=False`)."""
    return _double(_double(images, 1), 2)


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
    """Mean of each `factor` x `factor` square; height and width must be multiples of it."""
    height, width, channels = images.shape[1:]
    if height % factor or width % factor:
        raise ConfigError(f"average pooling by {factor} takes multiples of it. Received: {height} x {width}")
    return tf.cast(tf.nn.avg_pool2d(widen(images), factor, factor, "VALID"), images.dtype)


def upfirdn2d(images, kernel, up=1, down=1, padding=(0, 0)):
    """Zero-insertion, padding, FIR filter, decimation, the same in both directions.

    Args:
        images: [N, H, W, C].
        kernel: [k, k] array; convolved (flipped), as `scipy.signal.upfirdn` does.
        up: `up - 1` zeros follow each sample.
        down: every `down`-th sample is kept, from the first.
        padding: zeros before and after, on the up-sampled grid; negative crops.
    Returns: [N, H', W', C] with H' = (H * up + sum(padding) - k) // down + 1.
    """
    height, width, channels = images.shape[1:]
    if up > 1:
        images = tf.reshape(images, (-1, height, 1, width, 1, channels))
        images = tf.pad(images, ((0, 0), (0, 0), (0, up - 1), (0, 0), (0, up - 1), (0, 0)))
        images = tf.reshape(images, (-1, height * up, width * up, channels))
    before, after = padding
    added = (max(before, 0), max(after, 0))
    images = tf.pad(images, ((0, 0), added, added, (0, 0)))
    rows, columns = (slice(max(-before, 0), n - max(-after, 0)) for n in images.shape[1:3])
    images = images[:, rows, columns]
    taps = tf.constant(np.asarray(kernel)[::-1, ::-1, None, None], images.dtype)
    filters = tf.tile(taps, (1, 1, channels, 1))
    return tf.nn.depthwise_conv2d(images, filters, (1, down, down, 1), "VALID")


def separable_upfirdn2d(images, taps, up=1, down=1, padding=(0, 0)):
    """`upfirdn2d` with the kernel outer(taps, taps), by a product with a constant matrix along each side.

    On a CPU the products take about as long as the depthwise convolution in graph mode, and a twentieth of
    its time under XLA, which has no fast kernel for it. Maps of more than 160 pixels a side are convolved.

    Args: as `upfirdn2d`, with `taps` [k] of both directions.
    """
    height, width = images.shape[1:3]
    if max(height, width) > _LARGEST_PRODUCT:
        return upfirdn2d(images, np.outer(taps, taps), up, down, padding)
    rows, columns = (fir_matrix(size, tuple(taps), up, down, tuple(padding)) for size in (height, width))
    return along_sides(images, tf.constant(rows, images.dtype), tf.constant(columns, images.dtype))


def along_sides(images, rows, columns):
    """Products with matrices along both sides of [N, H, W, C]: [N, H', W', C].

    Args: rows, columns: [H', H] and [W', W], or one for each image, [N, H', H] and [N, W', W].
    """
    height, width, channels = images.shape[1:]
    tall = tf.matmul(rows, tf.reshape(images, (-1, height, width * channels)))
    if columns.shape.rank == 3:
        tall = tf.reshape(tall, (-1, rows.shape[-2], width, channels))
        return tf.matmul(columns[:, None], tall)
    outputs = tf.matmul(columns, tf.reshape(tall, (-1, width, channels)))
    return tf.reshape(outputs, (-1, rows.shape[-2], columns.shape[-2], channels))


@functools.lru_cache
def fir_matrix(size, taps, up, down, padding):
    """What `upfirdn2d` does along one side, as a matrix [outputs, size]."""
    outputs = (size * up + sum(padding) - len(taps)) // down + 1
    reads = np.arange(size) * up + padding[0] - np.arange(outputs)[:, None] * down  # place in the window
    inside = (reads >= 0) & (reads < len(taps))
    return np.where(inside, np.asarray(taps)[::-1][np.clip(reads, 0, len(taps) - 1)], 0.0)


class _Parameterless(keras.layers.Layer):
    """Resampling by a whole factor, at least 1."""

    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        if factor < 1:
            raise ConfigError(f"{type(self).__name__}: factor is at least 1. Received: {factor}")
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
