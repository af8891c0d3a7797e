"""Up- and down-sampling of [N, H, W, C] by plain reshapes, sums and convolutions.

TensorFlow's nearest-neighbour resize has no second derivative; everything here has all of them.
"""

import keras
import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.norms import widen


def upsample_nearest(images, factor=2):
    """Repeats each pixel `factor` times in both directions."""
    height, width, channels = images.shape[1:]
    images = images[:, :, None, :, None, :]
    images = tf.tile(images, (1, 1, factor, 1, factor, 1))
    return tf.reshape(images, (-1, height * factor, width * factor, channels))


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
    squares = tf.reshape(images, (-1, height // factor, factor, width // factor, factor, channels))
    return tf.cast(tf.reduce_mean(widen(squares), (2, 4)), images.dtype)


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

    def _kernel(self, gain):
        taps = np.asarray(self.taps, "float64") / sum(self.taps)
        return gain * np.outer(taps, taps)

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
        return upfirdn2d(inputs, self._kernel(self.factor**2), up=self.factor, padding=padding)


@keras.saving.register_keras_serializable(package="tfgans")
class FIRDownsampling2D(_Filtered):
    """FIR low-pass and decimation (StyleGAN2): [N, H, W, C] -> [N, H / factor, W / factor, C].

    Args: as `FIRUpsampling2D`.
    """

    def call(self, inputs):
        excess = len(self.taps) - self.factor
        padding = ((excess + 1) // 2, excess // 2)
        return upfirdn2d(inputs, self._kernel(1.0), down=self.factor, padding=padding)
