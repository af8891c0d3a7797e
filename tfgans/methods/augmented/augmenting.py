"""Where images are transformed, and how the random numbers for it come there.

Every random number comes with the batch it is for, as one more entry of its dictionary: real images get theirs in
`split_batch`, latents in `draw_latents`, both outside what XLA compiles. Images are transformed just before the
discriminator sees them, so the other methods, in any order of composition, find them as they were.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.gan import batch_size

_PREFIX = "augment/"  # of the entries of a batch that say how to transform its images


class Augmenting:
    """Transforms real and fake images where the discriminator sees them; a part of methods, none itself.

    A method extends `augmentation_draws` and `augment_images`.

    Args:
        augment_penalties: False takes penalties of other methods at images that are not augmented (as Re-GAN's
            code does). True takes the slopes by images before the transform of what the discriminator says after
            it (as ADA does, and DiffAugment's code for few images).
    """

    augment_penalties = False  # while the networks are built

    def __init__(self, generator, discriminator, augment_penalties: bool = False, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.augment_penalties = augment_penalties

    def augmentation_draws(self, count, which):
        """{name: [count, ...]}, the random numbers for a batch; `which` tells those of one step apart."""
        return {}

    def augment_images(self, images, draws):
        """The images [N, H, W, C] transformed; draws: what `augmentation_draws` gave for them."""
        return images

    def split_batch(self, data):
        batches = super().split_batch(data)
        return [
            batch | _named(self.augmentation_draws(batch_size(batch), f"real {index}"))
            for index, batch in enumerate(batches)
        ]

    def draw_latents(self, count, again=False):
        latents = super().draw_latents(count, again)  # moves on the stream of random numbers
        return latents | _named(self.augmentation_draws(count, "fake"))

    def discriminate(self, batch, training=False):
        plain = "for_penalty" in batch and not self.augment_penalties
        return super().discriminate(batch if plain else self.augmented(batch), training)

    def discriminate_both(self, real, fake):
        return super().discriminate_both(self.augmented(real), self.augmented(fake))

    def augmented(self, batch):
        """The batch with its images transformed and without its draws; one that has none stays as it is."""
        draws = {name.removeprefix(_PREFIX): x for name, x in batch.items() if name.startswith(_PREFIX)}
        images = batch["images"]
        if not draws or isinstance(images, keras.KerasTensor):  # which only stands for a shape
            return batch
        rest = {name: value for name, value in batch.items() if not name.startswith(_PREFIX)}
        pictures = [name for name in rest if name.partition("/")[0] == "images"]  # all by the same draws
        return rest | {name: self._augmented_picture(rest[name], draws) for name in pictures}

    def _augmented_picture(self, images, draws):
        wide = tf.cast(images, tf.float32) if images.dtype.size < 4 else images  # means overflow in float16
        return tf.cast(self.augment_images(wide, draws), images.dtype)


def _named(draws):
    return {_PREFIX + name: value for name, value in draws.items()}


def check_images(owner, shape):
    if len(shape) != 3:
        raise ConfigError(f"{owner} augments images [H, W, C], not items of shape {tuple(shape)}")
