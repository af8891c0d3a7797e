"""What images and labels `GAN.fit` takes: the rules, as functions of arrays on the host.

Images go into [-1, 1], where generators make them. uint8 and every other integer type hold pixels in [0, 255] and are
scaled by `images / 127.5 - 1`; floats of any precision are taken as they are. Points and other items that are no
[H, W, C] may have any range, and are floats. Labels are integers in [0, num_classes), of any type that holds them
exactly, [N] or [N, 1].
"""

import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError

ROUNDING = 0.01  # how far beyond [-1, 1] half precision and filters may bring a pixel


def check_kind(dtype, shape, sample_shape):
    """Refuses images whose type or shape cannot be what the generator makes.

    Args:
        dtype: as TensorFlow or NumPy has it. shape: of one item, None where unknown; or None.
        sample_shape: of what the generator makes.
    Raises: ConfigError.
    """
    name = tf.as_dtype(dtype).name
    if not (tf.as_dtype(dtype).is_floating or tf.as_dtype(dtype).is_integer):
        write = "; write images * 2.0 - 1.0" if name == "bool" else ""
        raise ConfigError(f"images are uint8, or floats in [-1, 1]. Received: {name}{write}")
    if tf.as_dtype(dtype).is_integer and len(sample_shape) != 3:
        raise ConfigError(f"items {sample_shape} that are no images are floats. Received: {name}")
    if shape is None or tf.TensorShape(shape).is_compatible_with(sample_shape):
        return
    shape = tuple(shape)
    message = f"the data's items are {shape}, the generator makes {sample_shape}"
    if shape == sample_shape[:-1] and sample_shape[-1:] == (1,):
        message += "; write images[..., None]"
    elif shape == (*sample_shape[-1:], *sample_shape[:-1]):
        message += ": channels come last"
    raise ConfigError(message)


def check_pixels(images, sample_shape):
    """Refuses images [N, ...] of values that are not finite or leave their range; returns (lowest, highest)."""
    if images.size == 0:
        return np.inf, -np.inf
    name = images.dtype.name
    images = (
        images if images.dtype.kind in "iuf" else images.astype(np.float32)
    )  # bfloat16 is no type of NumPy's
    low, high = float(images.min()), float(images.max())
    if not (np.isfinite(low) and np.isfinite(high)):  # NaN is the lowest and the highest of all
        what = "NaN" if np.isnan(low) or np.isnan(high) else "infinite values"
        raise ConfigError(f"the data holds {what}")
    if len(sample_shape) != 3:
        return low, high
    received = f"Received: {name} in [{low:.4g}, {high:.4g}]"
    if tf.as_dtype(images.dtype).is_integer:
        if low < 0 or high > 255:
            raise ConfigError(f"integer images are pixels in [0, 255]. {received}")
    elif low < -1 - ROUNDING or high > 1 + ROUNDING:
        raise ConfigError(
            f"float images are in [-1, 1]. {received}; pixels in [0, 255] become that by images / 127.5 - 1"
        )
    return low, high


def doubt(dtype, low, high, sample_shape):
    """What looks wrong about images of a range that is allowed, in one line, or None."""
    if len(sample_shape) != 3 or low > high:
        return None
    if tf.as_dtype(dtype).is_integer and high <= 1:
        return f"the integer images are all {low:.0f} to {high:.0f} of 255, nearly black: write images * 255"
    if tf.as_dtype(dtype).is_floating and low >= 0:
        return (
            f"the first images are in [{low:.4g}, {high:.4g}], with nothing below 0, and the generator makes "
            "[-1, 1]: if they are in [0, 1], write images * 2 - 1"
        )
    return None


def check_label_kind(dtype, shape, num_classes):
    """Refuses labels of a type or shape that cannot be classes: `shape` [N] or [N, 1], None if unknown."""
    dtype = tf.as_dtype(dtype)
    if not (dtype.is_integer or dtype.is_floating or dtype.is_bool):
        raise ConfigError(f"labels are integers in [0, {num_classes}). Received: {dtype.name}")
    shape = tf.TensorShape(shape)
    if shape.rank in (None, 1) or (shape.rank == 2 and shape[1] in (None, 1)):
        return
    one_hot = "; write labels.argmax(-1)" if shape.rank == 2 and shape[1] == num_classes else ""
    raise ConfigError(f"labels are integers [N]. Received: {tuple(shape)}{one_hot}")
