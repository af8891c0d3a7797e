"""DiffAugment: the same kind of transform for every image the discriminator sees."""

import tensorflow as tf

from tfgans.augment import diffaugment
from tfgans.config import configurable
from tfgans.gan import GAN
from tfgans.methods.augmented.augmenting import Augmenting, check_images


@configurable
class DiffAugmentGAN(Augmenting, GAN):
    """Random colours, shifts and holes in all images the discriminator sees (DiffAugment; Zhao et al. 2020).

    Real images, fakes of the discriminator step and those of the generator step have draws of their own, and
    the generator's gradient goes through the transform. It costs no pass through a network.

    Args:
        diffaugment_policy: some of `color`, `translation`, `cutout`, joined by commas, in the order they are
            done; the empty string is the base.
        augment_penalties: whether penalties of other methods go through the transform.
    Raises: ConfigError if the policy has an unknown name or the items are no images.
    """

    def __init__(
        self, generator, discriminator, diffaugment_policy: str = "color,translation,cutout", **kwargs
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.diffaugment_operations = diffaugment.operations(diffaugment_policy)
        if self.diffaugment_operations:
            check_images("DiffAugmentGAN", self.sample_shape)

    def augmentation_draws(self, count, which):
        draws = super().augmentation_draws(count, which)
        ranges = diffaugment.draw_ranges(self.diffaugment_operations, *self.sample_shape[:2])
        for name, (low, high) in ranges.items():
            dtype = tf.int32 if isinstance(low, int) else tf.float32
            purpose = f"diffaugment/{which}/{name}"
            draws[name] = low + self.random_uniform(count, (), purpose, high - low, dtype)
        return draws

    def augment_images(self, images, draws):
        images = super().augment_images(images, draws)
        return diffaugment.augment(images, draws, self.diffaugment_operations)
