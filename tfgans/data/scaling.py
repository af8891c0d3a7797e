"""The one place where pixels change scale: uint8 [0, 255] <-> float [-1, 1]."""

import numpy as np
import tensorflow as tf


def to_float(images):
    """Pixels for a network.

    Args:
        images: uint8, any shape, NumPy array or tensor.
    Returns: float32 in [-1, 1], `images / 127.5 - 1`, of the same kind and shape.
    Raises: ValueError if `images` are not uint8, since other types leave the range open.
    """
    if tf.is_tensor(images):
        _require_uint8(images.dtype.name)
        return tf.cast(images, tf.float32) / 127.5 - 1.0
    images = np.asarray(images)
    _require_uint8(images.dtype.name)
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def to_uint8(images):
    """Pixels for a file or a reader; the inverse of `to_float` on its range.

    Args:
        images: float (any precision) in [-1, 1]; values outside are clipped. NumPy array or tensor.
    Returns: uint8, the nearest integer to `(images + 1) * 127.5`, halves rounded up.
    """
    # Half precision has too few digits for 256 levels plus a half.
    if tf.is_tensor(images):
        levels = tf.floor(tf.cast(images, tf.float32) * 127.5 + 128.0)
        return tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)
    levels = np.floor(np.asarray(images, np.float32) * np.float32(127.5) + np.float32(128.0))
    return np.clip(levels, 0.0, 255.0).astype(np.uint8)


def _require_uint8(name):
    if name != "uint8":
        raise ValueError(f"to_float takes uint8 pixels in [0, 255]. Received: {name}")
