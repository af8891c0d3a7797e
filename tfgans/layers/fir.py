"""Finite impulse response filters of [N, H, W, C], with zeros inserted before and values left out after."""

import functools

import numpy as np
import tensorflow as tf

from tfgans import keras_internals
from tfgans.layers.custom import custom_gradient

LARGEST_PRODUCT = 160  # pixels along a side: a matrix costs more the larger the map, a filter does not


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
    return tf.nn.depthwise_conv2d(images, _filters(kernel, images), (1, down, down, 1), "VALID")


def _filters(kernel, images):
    """[k, k, C, 1]: what convolves each channel of images with the kernel, flipped."""
    kernel = np.asarray(kernel)[::-1, ::-1, None, None]
    return tf.constant(np.tile(kernel, (1, 1, images.shape[-1], 1)), images.dtype)


def separable_upfirdn2d(images, taps, up=1, down=1, padding=(0, 0)):
    """`upfirdn2d` with the kernel outer(taps, taps), by what is fastest.

    That is a depthwise convolution on a CPU. Where zeros are inserted, or XLA compiles, which has no fast kernel for
    these convolutions, it is a product with a constant matrix along each side, but for large maps.

    Args: as `upfirdn2d`, with `taps` [k] of both directions.
    """
    taps, padding, large = tuple(taps), tuple(padding), max(images.shape[1:3]) > LARGEST_PRODUCT
    if up == 1 and not (large and down > 1) and _is_quick(len(taps), padding):
        return _filtered(images, taps, down, padding)
    if large:
        return upfirdn2d(images, np.outer(taps, taps), up, down, padding)
    return along_sides(images, *_matrices(images, taps, up, down, padding))


def _is_quick(length, padding):
    inside = all(0 <= each < length for each in padding)
    for_xla = keras_internals.is_for_xla(tf.compat.v1.get_default_graph())
    return inside and not (for_xla or tf.config.list_physical_devices("GPU"))


def _filtered(images, taps, down, padding):
    """The low-pass as a depthwise convolution.

    Its gradient is one, too, or a product with matrices: TensorFlow's own takes up to ten times as long.
    """

    @custom_gradient
    def forward(images):
        outputs = tf.raw_ops.DepthwiseConv2dNative(
            input=images,
            filter=_filters(np.outer(taps, taps), images),
            strides=(1, down, down, 1),
            padding="EXPLICIT",
            explicit_paddings=(0, 0, *padding, *padding, 0, 0),
        )

        def gradient(upstream):
            if down == 1:
                around = tuple(len(taps) - 1 - each for each in padding)
                return _filtered(upstream, taps[::-1], 1, around)
            return along_sides(upstream, *(matrix.T for matrix in _matrices(images, taps, 1, down, padding)))

        return outputs, gradient

    return forward(images)


def _matrices(images, taps, up, down, padding):
    return [fir_matrix(size, taps, up, down, padding) for size in images.shape[1:3]]


def along_sides(images, rows, columns):
    """Products with matrices along both sides of [N, H, W, C]: [N, H', W', C].

    Args: rows, columns: arrays [H', H] and [W', W], or tensors, also one for each image, [N, H', H] and [N, W', W].
    """
    if not isinstance(rows, np.ndarray):
        return _products(images, rows, columns)

    @custom_gradient  # TensorFlow's would have one for the matrices, too
    def forward(images):
        constants = (tf.constant(matrix, images.dtype) for matrix in (rows, columns))
        return _products(images, *constants), lambda upstream: along_sides(upstream, rows.T, columns.T)

    return forward(images)


def _products(images, rows, columns):
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
