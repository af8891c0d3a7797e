"""Copies of networks."""

import keras

from tfgans import keras_internals
from tfgans.config import ConfigError


def clone(network, refusal):
    """A network of the same layers and values with weights and seeds of its own, which Keras draws.

    What is frozen is frozen in it, too: `keras.models.clone_model` frees the layers within a layer, and weights. A
    layer that models nested in a functional one share stays one.

    Raises: ConfigError, saying `refusal`, if Keras cannot copy it, or what it copies has other weights.
    """
    copy = _cloned(network, refusal)
    if _shapes(copy) != _shapes(network) and keras_internals.is_functional(network):
        copy = _cloned(network, refusal, recursive=True)  # a layer that nested models share stays one
    if _shapes(copy) != _shapes(network):
        raise ConfigError(f"{refusal}: Keras's copy has other weights")
    copy.set_weights(network.get_weights())
    freeze_as(network, copy)
    return copy


def _cloned(network, refusal, **options):
    try:
        return keras.models.clone_model(network, **options)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ConfigError(f"{refusal}: give it a get_config") from error


def _shapes(network):
    return [tuple(v.shape) for v in network.weights]


def freeze_as(network, copy):
    """Makes the layers and weights of a copy train where those of the network do."""
    layers = zip(keras_internals.layers_of(copy), keras_internals.layers_of(network), strict=True)
    for new, old in layers:  # a layer before those in it, which it sets, too
        if new.trainable != old.trainable:
            new.trainable = old.trainable
    for new, old in zip(copy.variables, network.variables, strict=True):
        new.trainable = old.trainable


def shared_inside(network):
    """The first layer that two layers of a functional model hold, in words, or None.

    What Keras makes of such a model's configuration has two of it, or cannot be made.
    """
    holders = {}
    for layer in network.layers if keras_internals.is_functional(network) else ():
        for inner in keras_internals.layers_of(layer):
            holder = holders.setdefault(id(inner), layer)
            if holder is not layer:
                return f"{holder.name} and {layer.name} share {inner.name}"
    return None
