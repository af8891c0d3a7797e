"""The lightweight GAN's training: a discriminator that learns to reproduce what it sees (Liu et al., 2021)."""

import tensorflow as tf

from tfgans import philox
from tfgans.config import ConfigError, Function, NotNegative, configurable
from tfgans.gan import GAN, batch_size
from tfgans.layers.resample import upsample_nearest
from tfgans.networks.lightweight_parts import DECODED, looking, noise_shapes, patch_count

_NOISE = "self_supervised_noise/"  # of the entries of latents that are the noise of a layer each
_SMALL = "images/small"


@configurable
def pixel_distance(images, copies):
    """mean |image - copy| over the numbers of an image: [N, H, W, C] twice, in [-1, 1] -> [N]."""
    return tf.reduce_mean(tf.abs(images - copies), (1, 2, 3))


@configurable
class SelfSupervisedGAN(GAN):
    """Trains `lightweight_generator` and `lightweight_discriminator` as their authors do ("FastGAN" by Liu et al.).

    - Losses are means over patches, of the image and of a small one: 50 logits an image. What other methods see of
      the discriminator, its `adversarial` [N, 1], is the mean of them.
    - In the discriminator's loss each logit of a real image is raised, and each of a fake lowered, by `margin_noise`
      times a number of its own that is uniform in [0, 1). With `hinge_discriminator` that is the code's
      relu(m - D(x)) + relu(m + D(G(z))) with random margins m from 0.8 to 1.
    - Decoders reproduce real images from the discriminator's maps: the whole image, the small one, and a quarter, the
      same for a batch, drawn anew. `d/reconstruction` is `reconstruction_weight` times the mean over images of the
      sum of the three distances.
    - The discriminator sees the generator's own small images of fakes, and of real ones every second, fourth or
      eighth pixel. Every image has fresh noise in the generator's layers.

    Images are compared as the discriminator saw them, after other methods' transforms. Not counted in the cost of a
    step are the decoders, three forwards and backwards of real images.

    Departures from the authors' code: `reconstruction_distance` is of pixels, theirs is LPIPS (VGG16, trained on what
    people find alike), whose weights are not here: a function of images and copies takes its place. Their sum over a
    batch of 8 is a mean times 8. The generator's step has latents of its own, theirs the discriminator step's. Both
    sizes of a fake go through one transform, as a real image's do; theirs through two. With penalties of other
    methods, small images of fakes are constants.

    Args:
        reconstruction_weight: of the distances; 0 decodes nothing.
        reconstruction_distance: function of images and their copies, both [N, s, s, C] in [-1, 1] -> distances [N].
        margin_noise: largest change of a logit; 0 changes none.
    With both numbers 0, and networks without small images and patches, it is the base.
    Raises: ConfigError if a value leaves its range, or the discriminator has no decoders but they weigh, or
        `joint_batch` is True with such a discriminator.
    """

    replaces = ("discriminate",)

    def __init__(
        self,
        generator,
        discriminator,
        reconstruction_weight: NotNegative = 8.0,
        reconstruction_distance: Function("@pixel_distance") = pixel_distance,
        margin_noise: NotNegative = 0.2,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.reconstruction_weight, self.margin_noise = reconstruction_weight, margin_noise
        self.reconstruction_distance = reconstruction_distance
        self.judged_patches, self.given_noise = patch_count(discriminator), noise_shapes(generator)
        if reconstruction_weight and not self.judged_patches:
            raise ConfigError(
                f"SelfSupervisedGAN: {discriminator.name} has no decoders, as lightweight_discriminator has: set "
                "SelfSupervisedGAN.reconstruction_weight to 0"
            )
        if self.judged_patches and self.joint_batch:
            raise ConfigError("SelfSupervisedGAN sends real and fake images apart: leave GAN.joint_batch out")

    def split_batch(self, data):
        batches = super().split_batch(data)
        for index, batch in enumerate(batches):
            count = batch_size(batch)
            batch |= self._margins(count, f"real {index}")
            if self.reconstruction_weight:
                part = philox.uniform([], self.stream(f"self_supervised/part {index}"), 4, tf.int32)
                batch["self_supervised_part"] = tf.fill([count], part)
        return batches

    def draw_latents(self, count, again=False):
        latents = super().draw_latents(count, again) | self._margins(count, "fake")
        for name, shape in self.given_noise.items():
            latents[_NOISE + name] = self.random_normal(count, shape, f"self_supervised/{name}")
        return latents

    def _margins(self, count, which):
        """{"self_supervised_margin": [count, P]}, what changes the logits of a batch; {} if nothing does."""
        if not self.margin_noise:
            return {}
        shape = (self.judged_patches or 1,)
        drawn = self.random_uniform(count, shape, f"self_supervised/margin {which}")
        return {"self_supervised_margin": self.margin_noise * drawn}

    def fake_images(self, latents):
        noise = {name: latents[_NOISE + name] for name in self.given_noise if _NOISE + name in latents}
        with looking(noise=noise) as found:
            fakes = super().fake_images(latents)
        if "small" not in found:
            return fakes
        factor = self.sample_shape[0] // found["small"].shape[1]
        return fakes | {_SMALL: upsample_nearest(found["small"], factor)}

    def discriminate(self, batch, training=False):
        decoded = training and "for_penalty" not in batch
        part = batch.get("self_supervised_part") if decoded else None
        with looking(small=batch.get(_SMALL), part=part) as found:
            return GAN.discriminate(self, batch, training) | found  # what others extend has been done

    def discriminator_losses(self, real, fake):
        real, fake = self.with_outputs(real, fake)
        terms = super().discriminator_losses(real, fake)
        if self.judged_patches or self.margin_noise:
            terms["d/adversarial"] = self.discriminator_loss(_logits(real, 1.0), _logits(fake, -1.0))
        outputs = real["outputs"]
        if "whole_copy" in outputs:
            pairs = [(outputs[f"{name}_image"], outputs[f"{name}_copy"]) for name in DECODED]
            distances = tf.add_n([self.reconstruction_distance(*pair) for pair in pairs])
            terms["d/reconstruction"] = self.reconstruction_weight * tf.reduce_mean(distances)
        return terms

    def generator_losses(self, real, fake):
        fake = self.with_fake_outputs(fake)
        real = self.with_fake_outputs(real) if self.of_pairs else real
        terms = super().generator_losses(real, fake)
        if self.judged_patches:
            batches = (real, fake) if self.of_pairs else (fake,)
            terms["g/adversarial"] = self.generator_loss(*[_logits(batch) for batch in batches])
        return terms


def _logits(batch, sign=0.0):
    """The logits of a batch's patches, [N * P, 1], moved by `sign` times the margins' noise."""
    logits = batch["outputs"].get("patches", batch["outputs"]["adversarial"])
    if sign and "self_supervised_margin" in batch:
        logits += sign * tf.cast(batch["self_supervised_margin"], logits.dtype)
    return tf.reshape(logits, (-1, 1))
