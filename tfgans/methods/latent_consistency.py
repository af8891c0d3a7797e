"""Latent consistency regularization: latents that hardly differ give fakes that do, and that D finds alike."""

import tensorflow as tf

from tfgans.config import NotNegative, configurable
from tfgans.gan import GAN
from tfgans.layers.state import frozen_state
from tfgans.layers.statistics import widen


@configurable
class LatentConsistencyGAN(GAN):
    """Fakes of latents and of latents with a little noise (zCR; Zhao et al. 2021).

    The discriminator's loss has lambda_dis (D(G(z)) - D(G(z + dz)))^2 added, the generator's has
    lambda_gen (G(z) - G(z + dz))^2 taken off; dz is normal with a deviation of sigma. With `ConsistencyGAN` it is
    ICR. Cost: of a discriminator step a forward of each network and a backward of D on as many images as are fake; of
    a generator step a forward and a backward of G.

    The square is the mean over pixels and over logits (class logits and embeddings in terms of their own), as in
    StudioGAN; the paper writes a norm. Departures: labels, noise and second latents of other methods are the same for
    both fakes; the second forwards move no statistics and spectral vectors.

    Args:
        latent_discriminator_weight: lambda_dis; StudioGAN has 20 for ICR on CIFAR-10.
        latent_generator_weight: lambda_gen; there 0.5.
        latent_noise: sigma; there 0.05, for zCR alone 0.07.
    With both weights 0 it is the base.
    """

    def __init__(
        self,
        generator,
        discriminator,
        latent_discriminator_weight: NotNegative = 20.0,
        latent_generator_weight: NotNegative = 0.5,
        latent_noise: NotNegative = 0.05,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.latent_discriminator_weight = latent_discriminator_weight
        self.latent_generator_weight = latent_generator_weight
        self.latent_noise = latent_noise

    def penalty_passes(self, by_fakes=False):
        own = (7 if by_fakes else 3) if self.latent_discriminator_weight else 0
        return super().penalty_passes(by_fakes) + own

    def training_passes(self):
        passes = super().training_passes()
        of_losses = self.discriminator_loss_count() * bool(self.latent_discriminator_weight)
        own = of_losses + 3 * self.generator_batch_ratio * bool(self.latent_generator_weight)
        return passes | {"generator": passes["generator"] + own}

    def draw_latents(self, count, again=False):
        latents = super().draw_latents(count, again)  # moves on the stream of random numbers
        if not (self.latent_discriminator_weight or self.latent_generator_weight):
            return latents
        noise = self.random_normal(count, (self.latent_dim,), "latent_consistency")
        return latents | {"latent_consistency_noise": noise}

    def discriminator_losses(self, real, fake):
        real, fake = self.with_outputs(real, fake)
        terms = super().discriminator_losses(real, fake)
        if not self.latent_discriminator_weight:
            return terms
        with frozen_state():
            outputs = self.discriminate(fake | {"images": self._near_images(fake)}, training=True)
        if "fixed" in fake:
            outputs = tf.nest.map_structure(tf.stop_gradient, outputs)
        heads = [name for name in ("adversarial", "class", "embedding") if name in outputs]
        for name in heads:
            suffix = "" if name == "adversarial" else f"_{name}"
            difference = _mean_square(fake["outputs"][name], outputs[name])
            terms[f"d/latent_consistency{suffix}"] = self.latent_discriminator_weight * difference
        return terms

    def generator_losses(self, real, fake):
        terms = super().generator_losses(real, fake)
        if not self.latent_generator_weight:
            return terms
        difference = _mean_square(fake["images"], self._near_images(fake))
        return terms | {"g/latent_consistency": -self.latent_generator_weight * difference}

    def _near_images(self, fake):
        """G(z + dz) for fakes G(z), [N, H, W, C]; nothing moves."""
        noise = self.latent_noise * tf.cast(fake["latent_consistency_noise"], fake["latents"].dtype)
        with frozen_state():
            return self.synthesize(fake | {"latents": fake["latents"] + noise}, training=True)


def _mean_square(one, other):
    one, other = (widen(x) for x in (one, other))
    return tf.reduce_mean(tf.square(one - other))
