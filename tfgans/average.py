"""The moving average of the generator's weights, which samples, metrics and what is handed over are made with."""

import keras
import tensorflow as tf

from tfgans import distribute
from tfgans.config import ConfigError, check_count


class GeneratorAverage:
    """The part of `GAN` that keeps `ema_generator`, the average of its generator, and moves it."""

    def _add_average(self, ema_decay, ema_start):
        """Checks the options of the average, and makes the averaged generator if there is to be one."""
        check_count("GAN.ema_start", ema_start, least=0)
        if not 0.0 <= ema_decay < 1.0:
            raise ConfigError(f"GAN.ema_decay is in [0, 1). Received: {ema_decay}")
        self.ema_decay, self.ema_start = ema_decay, ema_start
        self.ema_generator = clone(self.generator) if ema_decay else None

    def update_average(self):
        """Moves the averaged generator: parameters by `ema_decay`, everything else copied."""
        started = tf.cast(self.step.value > self.ema_start, tf.float32)
        keep = self.ema_decay * started
        distribute.update_each(
            self.ema_generator.trainable_variables,
            self.generator.trainable_variables,
            lambda average, new: new + tf.cast(keep, new.dtype) * (average - new),
        )
        distribute.update_each(
            self.ema_generator.non_trainable_variables,
            self.generator.non_trainable_variables,
            lambda average, new: tf.convert_to_tensor(new),
        )


def clone(network):
    """A copy of a network with weights of its own."""
    try:
        copy = keras.models.clone_model(network)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ConfigError(
            f"{network.name} cannot be copied for GAN.ema_decay: give it a get_config"
        ) from error
    copy.set_weights(network.get_weights())
    return copy
