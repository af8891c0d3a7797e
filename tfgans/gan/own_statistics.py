"""Moving statistics that belong to a network's weights: found anew from forwards of its own."""

import contextlib
import types
import zlib

import keras
import numpy as np
import tensorflow as tf

from tfgans import keras_internals
from tfgans.config import ConfigError
from tfgans.gan.hooks import hook

FORWARDS, BATCH = 8, 64


class OwnStatistics:
    """The part of `GAN` that gives its averaged generator batch norm statistics of its own (`ema_statistics="own"`).

    The statistics that training moves are those of other weights: of the live ones, some updates ago. Whenever the
    average makes images or is handed over, its batch norms take instead the means, over 8 forwards in training mode
    of 64 images each, of their batches' means and variances (Brock et al. 2019 call these standing statistics).
    They are a function of the averaged weights and the model's seed, are found once for each state of the weights,
    and stay out of training and of checkpoints. Up to update number `ema_start` the average is a copy of the
    generator, and has what that has. `use_standing_statistics` has every generator take such ones.
    """

    _settled, _standing = False, False

    def use_standing_statistics(self):
        """From now on makes images with statistics found anew for whatever weights are shown, raw ones, too.

        These are the standing statistics of BigGAN (Brock et al. 2019). Departure: BigGAN's code and StudioGAN
        take more and other batches, StudioGAN of random sizes.
        Raises: ConfigError if the generator has no batch norm.
        """
        if not moving_statistics(self.generator):
            raise ConfigError(
                f"standing statistics are those of batch norms, and {self.generator.name} has none"
            )
        self._standing = True

    @contextlib.contextmanager
    def shown(self, weights=None):
        """The generator that images come from; inside, an averaged one has statistics of its own."""
        with self.presented(self._shown(weights)) as generator, self._with_own_statistics(generator):
            yield generator

    @hook
    @contextlib.contextmanager
    def presented(self, network):
        """Inside it, a generator is as images are made with it; methods that mask its weights extend this."""
        yield network

    @contextlib.contextmanager
    def _with_own_statistics(self, generator):
        own = self._standing or (generator is self.ema_generator and self._finds_statistics())
        if self._settled or not own:
            yield
            return
        variables, found = moving_statistics(generator), self._found_statistics(generator)
        kept = [tf.convert_to_tensor(variable.value) for variable in variables]
        self._settled = True
        try:
            _assign(variables, found)
            yield
        finally:
            _assign(variables, kept)
            self._settled = False

    def settled(self, network):
        """A copy of the averaged generator, or of what is pruned of it, with statistics of its own from now on."""
        if self._finds_statistics():
            _assign(moving_statistics(network), self._estimated(_estimator(self, network)))
        return network

    def _finds_statistics(self):
        return (
            self.ema_generator is not None
            and self.ema_statistics == "own"
            and int(self.average_updates.numpy()) > self.ema_start
            and bool(moving_statistics(self.ema_generator))
        )

    def _found_statistics(self, generator):
        """Those of a generator, from the last time if its weights have not changed since."""
        key, which = 0, "plain" if generator is self.generator else "averaged"
        for variable in generator.weights:
            key = zlib.crc32(np.ascontiguousarray(keras.ops.convert_to_numpy(variable.value)), key)
        found = self._once(f"statistics/{which}", lambda: types.SimpleNamespace(key=None))
        if found.key != key:
            estimate = self._once(f"estimator/{which}", lambda: _estimator(self, generator))
            found.key, found.values = key, self._estimated(estimate)
        return found.values

    def _estimated(self, estimate):
        """What `_estimator` gives, as means over batches of latents that are always the same."""
        sums = None
        for first in range(0, FORWARDS * BATCH, BATCH):
            latents = self.latents_at(first, BATCH, self.seed)
            labels = self.labels_at(0, BATCH, None, first, self.seed)
            values = estimate(
                tf.constant(latents, tf.float32), None if labels is None else tf.constant(labels)
            )
            values = [np.asarray(value, np.float64) for value in values]
            sums = values if sums is None else [a + b for a, b in zip(sums, values, strict=True)]
        return [value / FORWARDS for value in sums]


def moving_statistics(network):
    """The moving means and variances of a network's batch norms, ours and Keras's, at any depth."""
    layers = _batch_norms(network)
    return [weight for layer in layers for weight in (layer.moving_mean, layer.moving_variance)]


def _batch_norms(network):
    return [layer for layer in keras_internals.layers_of(network) if hasattr(layer, "moving_variance")]


def _estimator(gan, network):
    """A graph (latents, labels) -> means and variances of one batch, as `moving_statistics` orders them."""
    layers, variables = _batch_norms(network), moving_statistics(network)

    def estimate(latents, labels):
        momenta = [layer.momentum for layer in layers]
        try:
            for layer in layers:
                layer.momentum = 0.0  # what is then assigned is the batch's alone
            with keras.StatelessScope() as scope:  # and not really assigned
                batch = {"latents": latents, "labels": labels}
                gan.synthesize(batch, training=True, generator=network)
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
        return [tf.convert_to_tensor(scope.get_current_value(variable)) for variable in variables]

    return tf.function(estimate, reduce_retracing=True, autograph=False)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.cast(value, variable.dtype))
