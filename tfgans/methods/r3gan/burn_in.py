"""Settings that move while the discriminator sees its first images, and the count of those."""

import tensorflow as tf

from tfgans import distribute
from tfgans.config import Positive
from tfgans.schedules import half_cosine


class BurnIn:
    """Moves settings from a first to a last value along half a cosine; a part of methods, none itself.

    What counts are real images of the discriminator's updates, of all replicas, before the present training step:
    all of a step has the same values. The count is a weight of the model. Where learning rates start anew
    (`TicketGAN`) it does, too.

    Args:
        burn_in: images after which settings have their last values; None leaves them at their first.
    """

    def __init__(self, generator, discriminator, burn_in: Positive | None = None, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.burn_in = burn_in
        if burn_in is not None:
            self.images_seen = self.add_weight(
                name="images_seen", shape=(), dtype="int64", initializer="zeros", trainable=False
            )

    def moved(self, first, last):
        """The present value of a setting, a float64 scalar; `first` itself if nothing moves or `last` is None."""
        if self.burn_in is None or last is None:
            return first
        return half_cosine(self.seen_so_far(), self.burn_in, first, last)

    def seen_so_far(self):
        """The images that count, int64."""
        seen = tf.convert_to_tensor(self.images_seen.value)
        return tf.where(tf.equal(self.schedule_step(), 0), tf.zeros_like(seen), seen)

    def update_average(self, count):
        super().update_average(count)
        if self.burn_in is None:
            return
        # The generator's update has as many images as the discriminator's, times the ratio.
        images = count // self.generator_batch_ratio * self.discriminator_steps * distribute.num_replicas()
        self.images_seen.assign(self.seen_so_far() + tf.cast(images, tf.int64))
