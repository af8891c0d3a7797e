"""The balance of generator and discriminator, and the discriminator's density that follows it."""

import dataclasses

import tensorflow as tf

from tfgans.methods.adapt import masks

LEAST = 0.05  # density


def balance_ratio(measurements):
    """The mean of (b - a) / (c - a), near 1 where the discriminator is too weak: a scalar.

    A gap c - a of exactly 0, of a discriminator that says the same of everything, counts as closed: as 1.

    Args:
        measurements: [n, 3] of (b, a, c): the discriminator's mean output for the same latents after and before an
            update of the generator, and for real images.
    """
    b, a, c = tf.unstack(measurements, axis=1)
    gap, one = c - a, tf.ones_like(a)
    return tf.reduce_mean(tf.where(gap != 0.0, (b - a) / tf.where(gap != 0.0, gap, one), one))


@dataclasses.dataclass(frozen=True)
class DensityRule:
    """How a density moves: up by `step` where the ratio is `upper` or more, down where `lower` or less.

    Attributes:
        lower, upper, step: see above; the density stays within [0.05, `cap`].
        explores: at the cap, entries are exchanged where the density would grow.
    """

    lower: float
    upper: float
    step: float = 0.05
    cap: float = 1.0
    explores: bool = False

    def target(self, density, ratio):
        """The density that is next, of the dtype of the present one."""
        up = tf.minimum(density + self.step, tf.constant(self.cap, density.dtype))
        down = tf.maximum(density - self.step, tf.constant(LEAST, density.dtype))
        moved = tf.where(ratio <= self.lower, tf.minimum(down, density), density)
        return tf.where(ratio >= self.upper, tf.maximum(up, density), moved)

    def apply(self, kernels, density, ratio, share):
        """`(masks, density)` after the rule.

        Args:
            kernels: (weights, masks, gradients), lists of tensors.
            density, ratio: scalars of float64. share: of an exchange, see `masks.exchanged_share`.
        """
        weights, found, gradients = kernels
        target = self.target(density, ratio)
        total = sum(mask.shape.num_elements() for mask in found)
        count, wanted = masks.present(found), target * total
        more = tf.cast(tf.floor(wanted - tf.cast(count, tf.float64)), tf.int64)
        fewer = tf.cast(tf.floor(tf.cast(count, tf.float64) - wanted), tf.int64)
        branches = {
            "grow": lambda: masks.grown(found, gradients, more),
            "prune": lambda: masks.pruned_to(weights, found, count - tf.maximum(fewer, 0)),
            "exchange": lambda: masks.exchanged(weights, found, gradients, share),
            "keep": lambda: [tf.identity(mask) for mask in found],
        }
        explores = (ratio >= self.upper) & (density >= self.cap) & self.explores
        which = tf.where(explores, 2, 3)
        which = tf.where((ratio >= self.upper) & (density < self.cap), 0, which)
        which = tf.where((ratio <= self.lower) & (density > LEAST), 1, which)
        return tf.switch_case(which, list(branches.values())), target
