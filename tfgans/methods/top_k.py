"""Top-k training: the generator learns from the best of its fakes."""

import tensorflow as tf

from tfgans import distribute
from tfgans.config import Count, Share, Within, configurable
from tfgans.gan import GAN, batch_size


@configurable
class TopKGAN(GAN):
    """The generator's adversarial loss is the mean over the k best fakes of the batch (Sinha et al. 2020).

    Of a batch of B fakes, over all replicas, k = max(floor(gamma^e B), floor(nu B)) and at least 1, where e goes up
    by one every `top_k_interval` generator updates. The class term and the terms of other methods are those of all
    fakes. It costs no pass through a network. The logs have k / B as `g/top_k_share`.

    The best are those of the smallest loss. Departures: the paper and StudioGAN take those of the largest logits,
    which are the same for every loss that falls with the logit, but not for least squares beyond a logit of 1. Their
    e counts epochs, which a model does not know; k is rounded down, as in StudioGAN.

    Args:
        top_k_decay: gamma, in (0, 1]; 1 is the base.
        top_k_floor: nu, the share of fakes that is left at the end; 1 is the base.
        top_k_interval: generator updates of one e; an epoch has images / (batch * discriminator_steps) of them.
    Raises: ConfigError, in `compile`, if updates are accumulated: the best of the batch are not those of its parts.
    """

    def __init__(
        self,
        generator,
        discriminator,
        top_k_decay: Within("(0, 1]") = 0.99,
        top_k_floor: Share = 0.5,
        top_k_interval: Count = 1000,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.top_k_decay, self.top_k_floor, self.top_k_interval = top_k_decay, top_k_floor, top_k_interval

    def xla(self, function):
        # XLA cannot compile what replicas exchange.
        exchanges = self._top_k_is_on() and distribute.num_replicas() > 1
        return function if exchanges and function in self.generator_functions() else super().xla(function)

    def whole_batch_options(self, name):
        own = ("TopKGAN.top_k_decay",) if name == "generator" and self._top_k_is_on() else ()
        return super().whole_batch_options(name) + own

    def generator_losses(self, real, fake):
        if not self._top_k_is_on():
            return super().generator_losses(real, fake)
        fake = self.with_fake_outputs(fake)
        logits = [fake["outputs"]["adversarial"]]
        if self.of_pairs:
            real = self.with_fake_outputs(real)
            logits.insert(0, real["outputs"]["adversarial"])
        terms = super().generator_losses(real, fake)
        each = tf.vectorized_map(lambda rows: self.generator_loss(*(row[None] for row in rows)), logits)
        return terms | {"g/adversarial": tf.reduce_sum(self._top_k_weights(each) * each)}

    def generator_measures(self, real, fake):
        measures = super().generator_measures(real, fake)
        if not self._top_k_is_on():
            return measures
        total = distribute.num_replicas() * batch_size(fake)
        return measures | {"g/top_k_share": tf.cast(self.top_k(total) / total, tf.float32)}

    def top_k(self, total):
        """k of a batch of `total` fakes, int32."""
        gamma = tf.constant(self.top_k_decay, tf.float64)
        left = gamma ** tf.cast(self.step.value // self.top_k_interval, tf.float64)
        left = tf.maximum(left, tf.constant(self.top_k_floor, tf.float64))
        return tf.maximum(tf.cast(tf.floor(left * tf.cast(total, tf.float64)), tf.int32), 1)

    def _top_k_weights(self, each):
        """Of this replica's losses [n], so that the mean over replicas of their sum is the mean over the best k."""
        replicas, count = distribute.num_replicas(), tf.shape(each)[0]
        (everything,) = distribute.gathered([tf.stop_gradient(each)])
        places = tf.range(replicas * count)
        chosen = ranks(everything, places) < self.top_k(replicas * count)
        own = tf.cast(self.own_rows(chosen, count), each.dtype)
        return own * replicas / tf.cast(self.top_k(replicas * count), each.dtype)

    def _top_k_is_on(self):
        return self.top_k_decay < 1.0 and self.top_k_floor < 1.0


def ranks(values, places):
    """How many of the values [n] come before each, int32 [n]: smaller ones, and equal ones of a smaller place."""
    smaller = values[None, :] < values[:, None]
    equal = (values[None, :] == values[:, None]) & (places[None, :] < places[:, None])
    return tf.reduce_sum(tf.cast(smaller | equal, tf.int32), 1)
