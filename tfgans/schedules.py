"""Schedules: functions of the number of generator updates done, giving a factor of learning rates, or a strength.

Both networks follow the generator's count, as the published codes do, however many updates the discriminator
makes in between.
"""

import math

import keras
import tensorflow as tf

from tfgans import keras_internals
from tfgans.config import ConfigError, NotNegative, Positive, Within, configurable


@configurable
class ExponentialDecay:
    """`decay_rate ** (step / decay_steps)`, smooth (FastGAN, Zhong et al. 2020, Table 5: rate 0.5).

    Args:
        decay_steps: generator updates in which the rate falls by `decay_rate`.
    """

    def __init__(self, decay_steps: Positive, decay_rate: Within("(0, 1]") = 0.5):
        self.decay_steps, self.decay_rate = decay_steps, decay_rate

    def __call__(self, step):
        return self.decay_rate ** (tf.cast(step, tf.float32) / self.decay_steps)


@configurable
class LinearDecay:
    """1 until `start`, then in a straight line to 0 at `end`, and 0 from there on.

    Args:
        end: generator update at which the rate reaches 0.
        start: generator update at which it leaves 1.
    """

    def __init__(self, end: Positive, start: NotNegative = 0):
        if not start < end:
            raise ConfigError(f"LinearDecay needs start < end. Received: {start}, {end}")
        self.start, self.end = start, end

    def __call__(self, step):
        left = (self.end - tf.cast(step, tf.float32)) / (self.end - self.start)
        return tf.clip_by_value(left, 0.0, 1.0)


@configurable
class CosineAnnealing:
    """From 1 to `floor` at step `end` along half a cosine, and `floor` from there on (Loshchilov, Hutter 2017).

    AlphaGAN's code has it for the generator while it searches, with a floor of 5 above the start, surely unintended:
    end 100, start 1 for its epochs, which count from 1.

    Args:
        end: generator update at which the rate reaches `floor`.
        floor: factor at the end, at least 0.
        start: added to the number of updates.
    """

    def __init__(self, end: Positive, floor: NotNegative = 0.0, start: NotNegative = 0):
        if not start < end:
            raise ConfigError(f"CosineAnnealing needs start < end. Received: {start}, {end}")
        self.end, self.floor, self.start = end, floor, start

    def __call__(self, step):
        share = tf.minimum((tf.cast(step, tf.float32) + self.start) / self.end, 1.0)
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + tf.cos(math.pi * share))


@configurable
class StepDecay:
    """1 before `boundary` generator updates, `factor` from there on."""

    def __init__(self, boundary: NotNegative, factor: NotNegative = 0.5):
        self.boundary, self.factor = boundary, factor

    def __call__(self, step):
        return tf.where(step < self.boundary, 1.0, self.factor)


@configurable
class CosineRamp:
    """From `first` at update 0 to `last` at `end` along half a cosine, and `last` from there on.

    The strength of R3GAN's augmentation moves so (Huang et al. 2024), by images: `end` is their number over the
    batch's, which need not be whole. Like the others it may be a learning rate's factor.

    Args:
        end: generator updates.
        last, first: at least 0.
    """

    def __init__(self, end: Positive, last: NotNegative, first: NotNegative = 0.0):
        self.end, self.last, self.first = end, last, first

    def __call__(self, step):
        return tf.cast(half_cosine(step, self.end, self.first, self.last), tf.float32)


def half_cosine(done, end, first, last):
    """first + (last - first) (1 - cos(pi done / end)) / 2, and `last` from `end` on: a float64 scalar.

    Args:
        done: scalar tensor of at least 0, of whatever `end` counts.
        end, first, last: numbers, end above 0; a tensor made of one would be float32.
    """
    done = tf.cast(done, tf.float64)
    moved = first + (last - first) * 0.5 * (1.0 - tf.cos(math.pi * done / end))
    return tf.where(done < end, moved, tf.constant(last, tf.float64))


def check_settable(method, optimizers):
    """Refuses optimizers, by name, whose learning rate follows a schedule of their own: `method` is to set it.

    Raises: ConfigError naming the method and the optimizer.
    """
    for name, optimizer in optimizers.items():
        if isinstance(
            keras_internals.learning_rate_of(optimizer), keras.optimizers.schedules.LearningRateSchedule
        ):
            raise ConfigError(
                f"{method} sets learning rates: the {name}'s optimizer has a schedule of its own, give it a number"
            )
