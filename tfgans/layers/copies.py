"""Copies of networks."""

import keras

from tfgans.config import ConfigError


def clone(network, refusal):
    """A network of the same layers with weights and seeds of its own, which Keras draws.

    Raises: ConfigError, saying `refusal`, if Keras cannot copy it.
    """
    try:
        return keras.models.clone_model(network)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ConfigError(f"{refusal}: give it a get_config") from error
