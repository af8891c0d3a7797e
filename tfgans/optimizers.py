"""Optimizers that begin again within a run, and copies of optimizers."""

import keras
import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError


def same_kind(optimizer, variables):
    """A new optimizer with the settings of another, built for `variables`."""
    copy = type(optimizer).from_config(optimizer.get_config())
    copy.build(variables)
    return copy


def beginnings(method, optimizers):
    """What `begin_again` needs of new optimizers, by name: the number that each of their variables is filled with.

    Raises: ConfigError naming the method and the variable, if one does not begin filled with a number.
    """
    return {name: [_constant(method, name, v) for v in _state(o)] for name, o in optimizers.items()}


def begin_again(optimizer, numbers):
    """Makes an optimizer's state new, all but its learning rate; inside a step, too."""
    for variable, number in zip(_state(optimizer), numbers, strict=True):
        variable.assign(tf.fill(variable.shape, tf.cast(number, variable.dtype)))


def _state(optimizer):
    return [v for v in optimizer.variables if v is not optimizer.learning_rate]


def _constant(method, name, variable):
    values = np.unique(keras.ops.convert_to_numpy(variable))
    if len(values) != 1:
        raise ConfigError(
            f"{method} starts optimizers anew, but {variable.path} of the {name}'s does not begin with one number"
        )
    return values[0]
