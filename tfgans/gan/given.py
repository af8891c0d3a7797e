"""What a user gives to be made pictures of: numbers and classes that are some, refused where they are none."""

import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError


def checked_floats(given, what, shape):
    """Numbers [N, *shape] as float32.

    Raises: ConfigError, one line, if they have another shape, are of another kind, or float32 does not hold them.
    """
    sizes = ", ".join(["N", *map(str, shape)])
    try:
        numbers = tf.convert_to_tensor(given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what} are numbers [{sizes}]. Received: {given!r:.80}") from error
    if numbers.shape.rank != 1 + len(shape) or tuple(numbers.shape[1:]) != tuple(shape):
        raise ConfigError(f"{what} are [{sizes}]. Received: {list(numbers.shape)}")
    if not (numbers.dtype.is_floating or numbers.dtype.is_integer):
        raise ConfigError(f"{what} are numbers [{sizes}]. Received: {numbers.dtype.name}")
    found = tf.cast(numbers, tf.float32)
    if not np.all(np.isfinite(found)):
        raise ConfigError(f"{what} are finite in float32. Received: {_first_wrong(numbers, found)}")
    return found


def _first_wrong(numbers, found):
    """The first of some numbers that is not finite as it was `found`, as a text."""
    return f"{tf.boolean_mask(numbers, ~tf.math.is_finite(found))[0].numpy()}"


def checked_labels(model, labels, count):
    """Classes of `count` pictures, by index or name, as int32 [count].

    Raises: ConfigError, one line, for what is no class of the model, another number of them, or if it has none.
    """
    try:
        shape = np.shape(labels)
    except ValueError as error:  # lists of different lengths
        raise ConfigError(f"labels are [{count}], one for each picture. Received: {labels!r:.80}") from error
    if shape != (count,):
        raise ConfigError(f"labels are [{count}], one for each picture. Received: {list(shape)}")
    return model.class_indices(labels) if count else np.zeros(0, np.int32)
