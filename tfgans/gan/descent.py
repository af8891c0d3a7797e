"""Moves codes of a generator so that their images come near to a target: the inner loop of `projection`."""

import math

import keras
import numpy as np
import tensorflow as tf

from tfgans import philox
from tfgans.gan.codes import Codes
from tfgans.gan.styles import mapped, style_layers

_RISE, _FALL, _NOISY = 0.05, 0.25, 0.75  # shares of the steps
_SMALLEST_NOISE = 8  # pixels a side


class Descent:
    """Several codes on their way to one target, each for itself.

    Compiled once, it serves target after target.

    Args:
        projector: a `Projector`, whose model, options, space and distance it takes.
        generator: network that images come from.
        count: codes at a time.
        spread: of codes, what the noise on them is in proportion to.
    """

    def __init__(self, projector, generator, count, spread):
        self.model, self.options, self.space = projector.model, projector.options, projector.space
        self.distance, self.generator, self.spread = projector.distance, generator, spread
        self.parts = style_layers(generator)
        slots, size = projector.code_shape
        shape = (count, size) if self.space == "z" else (count, slots, size)
        self.code = keras.Variable(np.zeros(shape, np.float32))
        self.labels = tf.Variable(np.zeros(count, np.int32)) if self.model.num_classes else None
        shapes = self.parts[1].noise_shapes if self.parts and self.options.noise else []
        self.noise = [keras.Variable(np.zeros((count, *shape), np.float32)) for shape in shapes]
        self.optimizer = keras.optimizers.Adam(0.0)
        self.optimizer.build([self.code, *self.noise])
        self._step = tf.function(self._move, autograph=False)
        self._judged = tf.function(self._losses, autograph=False, reduce_retracing=True)

    def begin(self, start):
        """Takes its place at `Codes`, as many as it has; noise begins with the layers' own."""
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable.value))
        wanted = start.values[:, : self.code.shape[1]] if self.space != "z" else start.values
        self.code.assign(wanted)
        if self.labels is not None:
            self.labels.assign(start.labels)
        for index, variable in enumerate(self.noise):
            given = start.noise[index] if start.noise else self.parts[1].convolutions[index].noise.own_noise
            variable.assign(np.broadcast_to(given, variable.shape))

    def run(self, target, steps, every, stepped):
        """Goes steps [from, to) of the whole way; returns the `Codes` before each step that `every` divides.

        Args: target: [1, H, W, C] in [-1, 1].
        """
        history, total = [], self.options.steps
        features = self._features(target, self._labels())
        for step in range(*steps):
            if step % every == 0:
                history.append(self.codes(noise=False))
            rate, noise = schedules(step / total)
            noise *= self.options.code_noise * self.spread
            self.optimizer.learning_rate.assign(self.options.learning_rate * rate)
            key = tf.constant([self.options.seed, step], tf.int64)
            self._step(target, features, tf.constant(noise, tf.float32), key)
            stepped()
        return history

    def codes(self, noise=True):
        """Where the codes are now, as `Codes`; styles have their class in them."""
        values = self.code.numpy()
        labels = None if self.labels is None or self.space != "z" else self.labels.numpy()
        maps = tuple(variable.numpy() for variable in self.noise) if noise else ()
        if self.space == "w":
            values = np.repeat(values, self.model.style_slots, 1)
        return Codes("z" if self.space == "z" else "w", values, labels, maps)

    def judge(self, target):
        """{name: float [count]} of the codes as they are: see `Projected.losses`."""
        noise = [variable.value for variable in self.noise]
        return self._judgement(target, self.code.value, self._labels(), noise)

    def judge_others(self, codes, target):
        """`judge` of other `Codes`, without noise, any number of them; of styles as many slots as are free."""
        labels = None if codes.labels is None else tf.constant(codes.labels)
        return self._judgement(target, tf.constant(codes.values), labels, [])

    def _judgement(self, target, code, labels, noise):
        found = self._judged(code, labels, noise, target, self._features(target, labels))
        return {name: value.numpy() for name, value in found.items()}

    def _features(self, target, labels):
        """Those of the target; one for each label, where a discriminator has the class in its maps."""
        if not self.distance.layers:
            return []
        images = tf.repeat(target, len(labels), 0) if self.distance.labelled else target
        return self.distance.features(images, labels)

    def _labels(self):
        return None if self.labels is None else tf.convert_to_tensor(self.labels)

    def _images(self, code, labels, noise):
        if self.parts is None:
            return self.model.synthesize({"latents": code, "labels": labels}, generator=self.generator)
        mapping, synthesis = self.parts
        styles = mapped(mapping, code, labels, training=False) if self.space == "z" else code
        if self.space == "w":
            styles = tf.tile(code, (1, self.model.style_slots, 1))
        return synthesis(styles, list(noise) or None)

    def _losses(self, code, labels, noise, target, features):
        images = _clipped(tf.cast(self._images(code, labels, noise), tf.float32))
        losses = {"pixels": tf.reduce_mean(tf.math.squared_difference(images, target), (1, 2, 3))}
        total = self.options.pixel_weight * losses["pixels"]
        if features:
            losses["features"] = self.distance.of(self.distance.features(images, labels), features)
            total += self.options.feature_weight * losses["features"]
        return losses | {"all": total}

    def _move(self, target, features, code_noise, key):
        variables = [v.value for v in (self.code, *self.noise)]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            code, *noise = (tf.convert_to_tensor(v) for v in variables)
            drawn = philox.normal(code.shape, key)
            losses = self._losses(code + code_noise * drawn, self._labels(), noise, target, features)
            total = tf.reduce_sum(losses["all"] + self._held_back(code))
            total += self.options.noise_weight * tf.add_n([structure(part) for part in noise] or [0.0])
        self.optimizer.apply(tape.gradient(total, variables, unconnected_gradients="zero"))
        for variable in self.noise:
            variable.assign(normalized(tf.convert_to_tensor(variable.value)))

    def _held_back(self, code):
        """What latents cost that are longer than nearly all drawn ones, [count]; styles cost nothing."""
        if self.space != "z":
            return tf.zeros(code.shape[0])
        longest = 1.0 + 3.0 * math.sqrt(2.0 / code.shape[1])
        return tf.square(tf.nn.relu(tf.reduce_mean(tf.square(code), 1) - longest))


def _clipped(images):
    """Images as they are shown, within [-1, 1]; gradients pass where they were beyond, to bring them back."""
    return images + tf.stop_gradient(tf.clip_by_value(images, -1.0, 1.0) - images)


def schedules(done):
    """`(rate, noise)` at a share `done` of the steps: of the highest learning rate, and of the noise on the code."""
    falling = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1.0 - done) / _FALL))
    return falling * min(1.0, done / _RISE), max(0.0, 1.0 - done / _NOISY) ** 2


def structure(noise):
    """The structure in noise maps [N, H, W, 1], a scalar summed over N (Karras et al. 2020, appendix D).

    The squared means of the products of each pixel and its neighbour, in x and in y and round the edges, summed over
    scales: each is half the one before, down to 8 x 8, or to 8 pixels of the shorter side.
    """
    total = tf.constant(0.0)
    while True:
        for axis in (1, 2):
            product = tf.reduce_mean(noise * tf.roll(noise, 1, axis), (1, 2, 3))
            total += tf.reduce_sum(tf.square(product))
        if min(noise.shape[1:3]) <= _SMALLEST_NOISE:
            return total
        noise = tf.nn.avg_pool2d(noise, 2, 2, "VALID") * 2.0  # the variance stays


def normalized(noise):
    """Noise maps [N, H, W, 1], each brought to mean 0 and variance 1."""
    noise = noise - tf.reduce_mean(noise, (1, 2, 3), keepdims=True)
    return noise * tf.math.rsqrt(tf.reduce_mean(tf.square(noise), (1, 2, 3), keepdims=True) + 1e-12)
