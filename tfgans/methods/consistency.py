"""Consistency regularization: the discriminator is to say of a transformed image what it says of the image."""

import tensorflow as tf

from tfgans.augment.geometric import pick
from tfgans.config import ConfigError, NotNegative, configurable
from tfgans.gan import GAN, batch_size
from tfgans.layers.state import frozen_state
from tfgans.layers.statistics import widen

_LARGEST_SHIFT = 8  # as a part of the side: 4 pixels of 32


@configurable
class ConsistencyGAN(GAN):
    """Mean squared differences of D's outputs for images and for the same ones mirrored and shifted.

    CR (Zhang et al. 2020) takes real images alone, balanced CR, bCR (Zhao et al. 2021), fakes as well. Half of the
    images are mirrored, left to right; then each is shifted by whole pixels, up to an eighth of its side (4 of 32, as
    in both papers), and what comes in is reflected at the border, as in StudioGAN; the papers do not say. With
    `LatentConsistencyGAN` it is ICR. Cost of a discriminator step: a forward and a backward on as many images more as
    are real, or fake.

    The differences are those of the logits, as in the papers, and of class logits and embeddings if there are any,
    as in StudioGAN; both sides have a gradient. Departures: the second forward moves no statistics and spectral
    vectors; an augmentation of another method is done to the transformed image, too, with the same draws, where
    StudioGAN leaves it out. Where FastGAN holds a batch's outputs fixed, its term gives no gradient.

    Args:
        real_consistency_weight: lambda of real images. Both papers have 10.
        fake_consistency_weight: lambda of fakes; 0 is CR. The paper has 10.
    With both 0 it is the base.
    Raises: ConfigError if a value leaves its range or the items are no images.
    """

    def __init__(
        self,
        generator,
        discriminator,
        real_consistency_weight: NotNegative = 10.0,
        fake_consistency_weight: NotNegative = 10.0,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.consistency_weights = {"real": real_consistency_weight, "fake": fake_consistency_weight}
        if any(self.consistency_weights.values()) and len(self.sample_shape) != 3:
            raise ConfigError(
                f"ConsistencyGAN transforms images [H, W, C], not items of shape {tuple(self.sample_shape)}"
            )

    def penalty_passes(self, by_fakes=False):
        real, fake = (bool(weight) for weight in self.consistency_weights.values())
        return super().penalty_passes(by_fakes) + 3 * real + (7 if by_fakes else 3) * fake

    def split_batch(self, data):
        batches = super().split_batch(data)
        return [
            batch | self._consistency_draws(batch_size(batch), "real", f"real {index}")
            for index, batch in enumerate(batches)
        ]

    def draw_latents(self, count, again=False):
        latents = super().draw_latents(count, again)  # moves on the stream of random numbers
        return latents | self._consistency_draws(count, "fake", "fake")

    def _consistency_draws(self, count, kind, which):
        if not getattr(self, "consistency_weights", {}).get(
            kind
        ):  # there are none while the networks are built
            return {}
        draw = lambda name, high: self.random_uniform(  # noqa: E731
            count, (), f"consistency/{which}/{name}", high, tf.int32
        )
        draws = {"mirrored": draw("mirrored", 2)}
        for name, side in zip(("rows", "columns"), self.sample_shape, strict=False):
            shift = side // _LARGEST_SHIFT
            draws[name] = draw(name, 2 * shift + 1) - shift
        return {f"consistency/{name}": value for name, value in draws.items()}

    def discriminator_losses(self, real, fake):
        real, fake = self.with_outputs(real, fake)
        terms = super().discriminator_losses(real, fake)
        for name, batch in (("real", real), ("fake", fake)):
            weight = self.consistency_weights[name]
            if weight:
                terms[f"d/consistency_{name}"] = weight * self._inconsistency(batch)
        return terms

    def _inconsistency(self, batch):
        changed = transformed(
            batch["images"], *(batch[f"consistency/{name}"] for name in ("mirrored", "rows", "columns"))
        )
        with frozen_state():
            outputs = self.discriminate(batch | {"images": changed}, training=True)
        if "fixed" in batch:
            outputs = tf.nest.map_structure(tf.stop_gradient, outputs)
        return squared_difference(batch["outputs"], outputs)


def squared_difference(outputs, others):
    """The mean squared differences of two batches' logits, class logits and embeddings, as there are, summed."""
    pairs = [
        (outputs[name], others[name]) for name in ("adversarial", "class", "embedding") if name in outputs
    ]
    pairs = [[widen(x) for x in pair] for pair in pairs]
    return tf.add_n([tf.reduce_mean(tf.square(one - other)) for one, other in pairs])


def transformed(images, mirrored, rows, columns):
    """Images [N, H, W, C], some mirrored left to right, then moved up and left; beyond the border a mirror.

    Args:
        mirrored: int32 [N], 1 where an image is mirrored, else 0.
        rows, columns: int32 [N], pixels, in size less than a side.
    """
    height, width = images.shape[1:3]
    down = _reflected(tf.range(height) + rows[:, None], height)
    across = _reflected(tf.range(width) + columns[:, None], width)
    across = tf.where(mirrored[:, None] > 0, width - 1 - across, across)
    zeros = tf.zeros((1, height, width), tf.int32)
    return pick(images, down[:, :, None] + zeros, across[:, None, :] + zeros)


def _reflected(places, size):
    last = size - 1
    return last - tf.abs(last - tf.abs(places))
