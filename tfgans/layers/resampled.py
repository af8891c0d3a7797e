"""Convolutions of doubled maps, and means of convolutions' outputs, in four ninths of the products.

A 3x3 convolution after nearest-neighbour up-sampling meets each pixel of the small map several times. Adding up the
weights that meet the same pixel makes it a transposed convolution of the small map, with a 4x4 kernel and stride 2.
Likewise the 2x2 means of a 3x3 convolution's outputs are one convolution with such a kernel and stride 2. Both are
the same functions with sums in another order, equal to rounding, and the map of four times the size is never made.
"""

import keras
import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.resample import average_pool, upsample_nearest
from tfgans.layers.scopes import inside, local

_LEAST = 64  # pixels of the smaller map; of fewer the larger kernel costs more than it saves


def as_written():
    """Inside it maps are resampled by themselves, as papers write it and published counts of products have it."""
    return inside(as_written=True)


@keras.saving.register_keras_serializable(package="tfgans")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` of maps that are first enlarged by repeating each pixel.

    Args:
        upsampling: the factor of both directions.
        Others as there.
    Input: [N, H, W, C]. Output: [N, H * upsampling, W * upsampling, filters].
    Raises: ConfigError for a factor below 1, or one above with an even kernel, strides, dilation, groups, `valid`
        padding or channels first.
    """

    def __init__(self, *args, upsampling=1, **kwargs):
        super().__init__(*args, **kwargs)
        if upsampling < 1 or (upsampling > 1 and not fits(self)):
            raise ConfigError(
                f"{self.name}: upsampling is at least 1, above 1 for square kernels of odd sides, strides, dilation "
                f"and groups of 1, padding same, channels last. Received: {upsampling}"
            )
        self.upsampling = upsampling

    def convolution_op(self, inputs, kernel):
        if self.upsampling == 1:
            return super().convolution_op(inputs, kernel)
        return enlarged(super().convolution_op, inputs, tf.convert_to_tensor(kernel), self.upsampling)

    def compute_output_shape(self, input_shape):
        batch, *size, channels = input_shape
        size = [None if side is None else side * self.upsampling for side in size]
        return super().compute_output_shape((batch, *size, channels))

    def get_config(self):
        return super().get_config() | ({"upsampling": self.upsampling} if self.upsampling > 1 else {})


def fits(layer):
    """Whether a convolution's kernel is a square of odd sides that keeps the size of maps, with zeros around them."""
    odd = len(set(layer.kernel_size)) == 1 and layer.kernel_size[0] % 2 == 1
    steps = {*layer.strides, *layer.dilation_rate, layer.groups}
    return odd and steps == {1} and (layer.padding, layer.data_format) == ("same", "channels_last")


def doubled(layer, maps, training=False):
    """`layer(upsample_nearest(maps))`.

    Args:
        layer: a built `keras.layers.Conv2D` or `SpectralConv2D` that `fits`.
        maps: [N, H, W, C].
    Returns: [N, 2H, 2W, filters].
    """
    if _is_written_out():
        return _called(layer, upsample_nearest(maps), training)
    return _applied(layer, lambda plain, kernel: enlarged(plain, maps, kernel), training)


def halved(layer, maps, training=False):
    """`average_pool(layer(maps))`, of a layer as in `doubled`, without an activation.

    Args: maps: [N, H, W, C], H and W even.
    Returns: [N, H / 2, W / 2, filters].
    """
    if _is_written_out():
        return average_pool(_called(layer, maps, training))
    return _applied(layer, lambda plain, kernel: shrunk(plain, maps, kernel), training)


def enlarged(convolve, maps, kernel, factor=2):
    """`convolve(upsample_nearest(maps, factor), kernel)`, of the convolution of a layer that `fits`."""
    if kernel.shape[:2] == (1, 1) and not _is_written_out():  # each pixel by itself
        return upsample_nearest(convolve(maps, kernel), factor)
    if factor == 2 and _is_worth_it(maps.shape[1:3]):
        return convolve_doubled(maps, kernel)
    return convolve(upsample_nearest(maps, factor), kernel)


def shrunk(convolve, maps, kernel):
    """`average_pool(convolve(maps, kernel))`, of the convolution of a layer that `fits`."""
    if kernel.shape[:2] == (1, 1):
        return convolve(average_pool(maps), kernel)
    if _is_worth_it([side // 2 for side in maps.shape[1:3]]):
        return convolve_halved(maps, kernel)
    return average_pool(convolve(maps, kernel))


def convolve_doubled(maps, kernel):
    """[N, H, W, C] doubled and convolved with [k, k, C, D], k odd, zeros around: [N, 2H, 2W, D]."""
    height, width = maps.shape[1:3]
    outputs = (tf.shape(maps)[0], 2 * height, 2 * width, kernel.shape[-1])
    kernel = tf.transpose(_spread(kernel, backwards=True), (0, 1, 3, 2))
    return tf.nn.conv2d_transpose(maps, kernel, outputs, 2, "SAME")


def convolve_halved(maps, kernel):
    """2x2 means of [N, H, W, C] convolved with [k, k, C, D], k odd, zeros around: [N, H / 2, W / 2, D]."""
    return tf.nn.conv2d(maps, _spread(kernel, 0.25), 2, "SAME")


def _spread(kernel, factor=1.0, backwards=False):
    """[k, k, C, D] -> [k + 1, k + 1, C, D]: the sum of the kernel's copies at four places, in a square."""
    size, channels = kernel.shape[0], kernel.shape[2:]
    side = np.eye(size + 1, size) + np.eye(size + 1, size, -1)
    matrix = factor * np.kron(side, side)[:: -1 if backwards else 1]
    wide = tf.float32 if kernel.dtype.size < 4 else kernel.dtype
    flat = tf.cast(tf.reshape(kernel, (size**2, -1)), wide)
    spread = tf.matmul(tf.constant(matrix, wide), flat)
    return tf.cast(tf.reshape(spread, (size + 1, size + 1, *channels)), kernel.dtype)


def _is_written_out():
    return getattr(local, "as_written", False)


def _is_worth_it(small):
    return small[0] * small[1] >= _LEAST and not _is_written_out()


def _is_spectral(layer):
    return hasattr(layer, "normalized_kernel")


def _called(layer, maps, training):
    return layer(maps, training=training) if _is_spectral(layer) else layer(maps)


def _applied(layer, operation, training):
    """A layer's call, with another operation in the place of its convolution."""
    if _is_spectral(layer):
        return layer.finish(operation(layer.convolution_op, layer.normalized_kernel(training)))
    outputs = operation(layer.convolution_op, tf.convert_to_tensor(layer.kernel))
    if layer.use_bias:
        outputs = outputs + tf.convert_to_tensor(layer.bias)  # twice as fast as `bias_add` in bfloat16
    return layer.activation(outputs)
