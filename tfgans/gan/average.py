"""The moving average of the generator, which makes samples, evaluations and the generator that is handed over."""

import math

import numpy as np
import tensorflow as tf

from tfgans import distribute
from tfgans.config import ConfigError
from tfgans.gan.hooks import hook
from tfgans.layers import copies
from tfgans.layers.state import copied_state

WEIGHTS = ("average", "raw")
MUCH = 0.1  # of `average_difference`
_MOST_RAW = 10_000  # samples


class GeneratorAverage:
    """The part of `GAN` that keeps `ema_generator`, the moving average of its generator, and moves it.

    With each update of the generator a weight w moves its average a to w + d (a - w). The decay d is `ema_decay`, or
    0.5^(n / `ema_half_life`) in the n images of the update, the generator's over all replicas, but no more than the
    ramp `ema_ramp` allows:

    - "updates": (1 + t) / (10 + t) after t updates. The average then spans about the last ninth of a young run, and
      the first weights, which draw nothing, are soon forgotten.
    - a number r: 0.5^(n / (r s)) after s images, that is a half-life of at most the share r of what was seen, which
      StyleGAN2-ADA has with r = 0.05 (Karras et al. 2020; NVlabs count real images, of which an update has as many).
    - "constant": 1, no ramp, as most published codes have it.

    Before update number `ema_start` the average is a copy; t and s count from there.

    Statistics of layers, such as the moving means and variances of batch norms and the mean of w, are those of the
    live weights: an average of weights that took them over ("copy", as codes do that copy buffers) is normalized by
    numbers that are not its own. With "average" they move by the same rule, as in BigGAN's code. With "own" they do,
    too, and batch norms get statistics found with the averaged weights whenever the average is shown
    (`OwnStatistics`). State that is no average is always copied: integers, and what `copied_state` finds. Spectral
    vectors are such: they are of length 1, which their average is not, and sigma would come out too small.
    """

    def _add_average(self, ema_decay, ema_half_life, ema_ramp, ema_start, ema_statistics):
        """Makes the averaged generator if there is to be one."""
        self.ema_decay, self.ema_half_life = ema_decay, ema_half_life
        self.ema_ramp, self.ema_start, self.ema_statistics = ema_ramp, ema_start, ema_statistics
        if ema_decay and ema_half_life is not None:
            raise ConfigError(
                "GAN.ema_decay and GAN.ema_half_life both say how fast the average moves: leave one at 0 or "
                f"None. Received: {ema_decay} and {ema_half_life}"
            )
        self.ema_generator = None
        if not ema_decay and ema_half_life is None:
            return
        self.ema_generator = clone(self.generator)
        self.average_updates, self.average_images = (
            self.add_weight(name=name, shape=(), dtype="int64", initializer="zeros", trainable=False)
            for name in ("average_updates", "average_images")
        )

    def average_decay(self, images):
        """The decay of the present update, made with `images` images over all replicas: a scalar in [0, 1)."""
        done = tf.cast(self.average_updates.value - self.ema_start, tf.float32)
        images = tf.cast(images, tf.float32)
        decay = self.ema_decay if self.ema_half_life is None else _halved(images, self.average_half_life())
        if self.ema_ramp == "updates":
            decay = tf.minimum(decay, (1.0 + done) / (10.0 + done))
        elif self.ema_ramp != "constant":
            seen = tf.cast(self.average_images.value, tf.float32)
            decay = tf.minimum(decay, _halved(images, tf.maximum(self.ema_ramp * seen, 1e-8)))
        return tf.where(done < 0.0, 0.0, decay)

    @hook
    def average_half_life(self):
        """`ema_half_life`, or what a method makes of it: images, a number or a scalar."""
        return self.ema_half_life

    @hook
    def update_average(self, count):
        """Moves the average, if there is one, after an update of the generator with `count` images a replica."""
        if self.ema_generator is None:
            return
        images = tf.cast(count * distribute.num_replicas(), tf.int64)
        keep = self.average_decay(images)
        self._move_average(lambda old, new: new + tf.cast(keep, new.dtype) * (old - new))
        distribute.average(self.ema_generator.non_trainable_variables)
        counts = tf.cast(self.average_updates.value >= self.ema_start, tf.int64)
        self.average_updates.assign_add(1)
        self.average_images.assign_add(counts * images)

    def begin_average(self):
        """Makes the average, if there is one, a copy of the generator, and begins its count anew."""
        if self.ema_generator is None:
            return
        self._move_average(lambda _, new: tf.identity(new))
        self.average_updates.assign(0)
        self.average_images.assign(0)

    def copy_state(self):
        """Copies what is never averaged to the averaged generator, if there is one."""
        if self.ema_generator is not None:
            pairs = self._state_pairs()[1]
            distribute.update_each(*pairs, lambda _, new: tf.identity(new))

    def _move_average(self, rule):
        """Sets what is averaged to `rule(average, new)`, and copies what is not."""
        averaged, _ = self._state_pairs()
        distribute.update_each(*averaged, rule)
        self.copy_state()

    def _state_pairs(self):
        """Two pairs of lists, (of the average, of the generator): weights that are averaged, and that are copied."""
        averaged, copied = ([], []), ([], [])
        state = {id(weight) for weight in copied_state(self.generator)}
        for pair in zip(self.ema_generator.weights, self.generator.weights, strict=True):
            new = pair[1]
            is_statistic = new.dtype.startswith(("float", "bfloat")) and id(new) not in state
            moves = new.trainable or (is_statistic and self.ema_statistics != "copy")
            for part, weight in zip(averaged if moves else copied, pair, strict=True):
                part.append(weight)
        return averaged, copied

    # Which weights images are made with

    def chosen_weights(self, weights=None):
        """ "average" or "raw": what is asked for, or the average, if there is one, for None.

        Raises: ConfigError for another name, or for an average that the model does not keep.
        """
        there = WEIGHTS if self.ema_generator is not None else ("raw",)
        if weights is None:
            return there[0]
        if weights not in WEIGHTS:
            raise ConfigError(f"weights are 'average' or 'raw'. Received: {weights!r}")
        if weights not in there:
            raise ConfigError(
                "the generator has no average (GAN.ema_decay = 0): weights are 'raw'. Received: 'average'"
            )
        return weights

    def average_difference(self):
        """How much it matters which weights make images: 0 if both make the same; None without an average.

        The mean squared difference of the images of fixed latents made with either, as a share of the variance of
        the raw ones over latents; two unrelated generators come to about 2. Of 64 images; of large ones as many as
        have 4,194,304 pixels, at least 16.
        """
        if self.ema_generator is None:
            return None
        images = len(self.sample_shape) == 3
        count = min(64, max(16, 2**22 // math.prod(self.sample_shape[:2]))) if images else 64
        pair = [self.generate(count, weights=w, seed=self.seed).astype(np.float64) for w in WEIGHTS]
        change, spread = np.mean(np.square(pair[0] - pair[1])), np.mean(np.var(pair[1], axis=0))
        return float(change / max(spread, 1e-6))

    def shows_both(self):
        """Whether average and raw weights differ so much that both are shown: `average_difference` above 0.1."""
        return (self.average_difference() or 0.0) > MUCH

    def row_of_weights(self, evaluator=None, check=lambda: None):
        """The entries of a row of metrics about weights: which made the images, and the others' if they differ much.

        Args:
            evaluator: an `Evaluator` that has just measured; None measures nothing.
            check: called before each batch of images.
        Returns: `weights`, "average" or "raw"; with an average `average_difference`; and while that is above 0.1
            `fid_raw`, the Frechet distance of the raw weights' images, of `fid_raw_samples`, at most 10,000.
        """
        row, difference = {"weights": self.chosen_weights(self._weights)}, self.average_difference()
        if difference is None:
            return row
        row["average_difference"] = difference if math.isfinite(difference) else None
        if evaluator is None or not difference > MUCH:
            return row
        stream = self.stream_of(self.seed, weights="raw")

        def generate(count):
            check()
            return stream(count)

        row["fid_raw"], row["fid_raw_samples"] = evaluator.distance_of(generate, _MOST_RAW)
        return row


def _halved(images, half_life):
    """0.5^(images / half_life): what is left after `images` images."""
    return 0.5 ** (images / half_life)


def clone(network):
    """A copy of a network with weights of its own."""
    return copies.clone(network, f"{network.name} cannot be copied")
