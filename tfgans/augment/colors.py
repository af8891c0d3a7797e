"""Colours changed by affine maps of (red, green, blue), as in ADA's pipeline (Karras et al., 2020, appendix B).

A map is [N, 4, 4] and acts on (red, green, blue, 1) of images in [-1, 1]; nothing is clipped. Maps are multiplied
without `tf.matmul`, see `augment.geometric`.
"""

import numpy as np
import tensorflow as tf

_ONE = np.diag([0.0, 0.0, 0.0, 1.0])
_COLORS = np.eye(4) - _ONE
_GRAY = np.pad(np.full((3, 3), 1.0 / 3.0), (0, 1))  # projects on the axis of grays
_TURN = np.pad(np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]), (0, 1)) / 3.0**0.5
_OFFSET = np.array([[0.0, 0.0, 0.0, 1.0]] * 3 + [[0.0] * 4])


def brightness(offsets):
    """Adds [N] to all colours."""
    return _sum(offsets, (1.0, np.eye(4)), (offsets, _OFFSET))


def contrast(factors):
    """Multiplies all colours by [N]."""
    return _sum(factors, (factors, _COLORS), (1.0, _ONE))


def luma_flip(flags):
    """Light and dark exchanged, the colour kept, where a flag, [N], is 1."""
    return _sum(flags, (1.0, np.eye(4)), (-2.0 * flags, _GRAY))


def hue(angles):
    """Colours turned around the axis of grays by angles [N] in radians."""
    return _sum(
        angles, (tf.cos(angles), _COLORS), (1.0 - tf.cos(angles), _GRAY), (tf.sin(angles), _TURN), (1.0, _ONE)
    )


def saturation(factors):
    """Multiplies the distance from the axis of grays by [N]."""
    return _sum(factors, (1.0, _GRAY), (factors, _COLORS - _GRAY), (1.0, _ONE))


def _sum(like, *terms):
    """[N, 4, 4]: the sum of numbers, [N] or one for all, times matrices."""
    matrices = [
        (number * tf.ones_like(like))[:, None, None] * tf.constant(matrix, like.dtype)
        for number, matrix in terms
    ]
    return tf.add_n(matrices)


def recolor(images, maps):
    """The images [N, H, W, C] after maps [N, 4, 4]; C: 1 (gray), 3, or 2 and 4, whose last channel stays.

    Of a gray image all three colours are the same, and the result is their mean.
    """
    height, width, channels = images.shape[1:]
    count = 1 if channels < 3 else 3
    maps = tf.cast(maps, images.dtype)[:, :3]
    linear, offset = maps[:, :, :3], maps[:, :, 3]
    if count == 1:
        linear = tf.reduce_mean(tf.reduce_sum(linear, 2), 1)[:, None, None]
        offset = tf.reduce_mean(offset, 1, keepdims=True)
    colors, rest = tf.split(images, [count, channels - count], 3) if channels > count else (images, None)
    colors = tf.matmul(tf.reshape(colors, [-1, height * width, count]), linear, transpose_b=True)
    colors = tf.reshape(colors + offset[:, None], [-1, height, width, count])
    return colors if rest is None else tf.concat([colors, rest], 3)
