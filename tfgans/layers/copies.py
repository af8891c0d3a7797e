"""Copies of networks."""

import keras

from tfgans import keras_internals
from tfgans.config import ConfigError


def clone(network, refusal):
    """A network of the same layers and values with weights and seeds of its own, which Keras draws.

    What is frozen is frozen in it, too: `keras.models.clone_model` frees the layers within a layer, and weights.

    Raises: ConfigError, saying `refusal`, if Keras cannot copy it, or what it copies has other weights.
    """
    try:
        copy = keras.models.clone_model(network)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ConfigError(f"{refusal}: give it a get_config") from error
    if [v.shape for v in copy.weights] != [v.shape for v in network.weights]:
        raise ConfigError(
            f"{refusal}: Keras's copy has other weights. It makes two of a layer that several nested models hold"
        )
    copy.set_weights(network.get_weights())
    freeze_as(network, copy)
    return copy


def freeze_as(network, copy):
    """Makes the layers and weights of a copy train where those of the network do."""
    layers = zip(keras_internals.layers_of(copy), keras_internals.layers_of(network), strict=True)
    for new, old in layers:  # a layer before those in it, which it sets, too
        if new.trainable != old.trainable:
            new.trainable = old.trainable
    for new, old in zip(copy.variables, network.variables, strict=True):
        new.trainable = old.trainable
