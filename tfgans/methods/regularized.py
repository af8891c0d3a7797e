"""Penalties and constraints on the discriminator, each a method that adds one to any GAN."""

import tensorflow as tf

from tfgans import penalties
from tfgans.config import Count, NotNegative, Within, configurable
from tfgans.gan import GAN, batch_size
from tfgans.layers.state import frozen_state


@configurable
class GradientPenaltyGAN(GAN):
    """Penalty on the slope of the discriminator between real and fake images (WGAN-GP; Gulrajani et al. 2017).

    Cost of a discriminator step: one more forward and a second-order backward on as many images as are real. Where
    there are k times as many fakes (AdvAs with `generator_batch_ratio`), real image n meets fake k * n, so that it is
    the same pair however many replicas share the batch.

    Args:
        gradient_penalty_weight: factor of the penalty; 0 is the base.
        gradient_penalty_target: slope that is not penalised.
        one_sided: penalise only slopes above the target.
    """

    def __init__(
        self,
        generator,
        discriminator,
        gradient_penalty_weight: NotNegative = 10.0,
        gradient_penalty_target: NotNegative = 1.0,
        one_sided: bool = False,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.gradient_penalty_weight = gradient_penalty_weight
        self.gradient_penalty_target, self.one_sided = gradient_penalty_target, one_sided

    def penalty_passes(self, by_fakes=False):
        own = (14 if by_fakes else 6) if self.gradient_penalty_weight else 0
        return super().penalty_passes(by_fakes) + own

    def draw_latents(self, count, again=False):
        ones = (1,) * len(self.sample_shape)
        mix = self.random_uniform(count, ones, "gradient_penalty")
        return super().draw_latents(count, again) | {"gradient_penalty_mix": mix}

    def discriminator_losses(self, real, fake):
        terms = super().discriminator_losses(real, fake)
        if not self.gradient_penalty_weight:
            return terms
        count = batch_size(real)
        penalty = penalties.gradient_penalty(
            critic(self, real),
            real["images"],
            _first_of_each(fake["images"], count),
            _first_of_each(fake["gradient_penalty_mix"], count),
            target=self.gradient_penalty_target,
            one_sided=self.one_sided,
        )
        return terms | {"d/gradient_penalty": self.gradient_penalty_weight * penalty}


@configurable
class R1GAN(GAN):
    """Penalty on the squared slope at real images, R1, and at fakes, R2 (Mescheder et al. 2018, Eq. 9, 10).

    The weights are the paper's gamma: each term is gamma / 2 times the mean squared gradient norm. Cost of a
    discriminator step: one more forward and a second-order backward for each of the two that is on.

    Lazy regularization (StyleGAN2; Karras et al. 2020, appendix B) takes R1 out of the loss: it is a step of the
    optimizer by itself, with `r1_interval` times its weight, after discriminator updates 0, k, 2k, ... of the run,
    at their real images, and costs nothing after the others. Optimizer: `lazy_adam` with the same interval. AdvAs's r
    then has no R1 in it, and images that other methods perturb are not perturbed here.

    Args:
        r1_weight, r2_weight: gamma at real images and at fakes; 0 is the base.
        r1_interval: k; 1 adds R1 to the loss of every update. R2 is always added to it. The log `d/r1` is the
            term without the interval, a mean over the updates that have it.
    """

    def __init__(
        self,
        generator,
        discriminator,
        r1_weight: NotNegative = 10.0,
        r2_weight: NotNegative = 0.0,
        r1_interval: Count = 1,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.r1_weight, self.r2_weight = r1_weight, r2_weight
        self.r1_interval = r1_interval

    def extra_updates(self, step):
        extras = super().extra_updates(step)
        if self.r1_interval == 1 or not self.r1_weight:
            return extras
        first = step * self.discriminator_steps
        due = [i for i in range(self.discriminator_steps) if (first + i) % self.r1_interval == 0]
        return (*extras, *(f"r1/{index}" for index in due))

    def extras_of(self, network, extras):
        extras = super().extras_of(network, extras)
        foreign = () if network == "discriminator" else [f"r1/{i}" for i in range(self.discriminator_steps)]
        return tuple(extra for extra in extras if extra not in foreign)

    def penalty_passes(self, by_fakes=False):
        in_loss = 6 if self.r1_weight and self.r1_interval == 1 else 0  # fakes do not change it
        at_fakes = (14 if by_fakes else 6) if self.r2_weight else 0
        return super().penalty_passes(by_fakes) + in_loss + at_fakes

    def training_passes(self):
        passes = super().training_passes()
        due = [index for index in range(self.discriminator_steps) if f"r1/{index}" in self.extras]
        return passes | {"discriminator": passes["discriminator"] + 6 * len(due)}

    def discriminator_update(self, index, real):
        logs = super().discriminator_update(index, real)
        return logs | self.r1_step(real) if f"r1/{index}" in self.extras else logs

    def r1_step(self, real):
        """One optimizer step on R1 alone, `r1_interval` times as strong."""
        value, gradients = self.in_micro_batches(self.r1_gradients, real)
        self.update_discriminator(gradients, regularizer=True)
        return {"d/r1": value}

    def r1_gradients(self, real):
        """The term R1, and the gradients of `r1_interval` times it, a variable of the discriminator each."""
        variables = [v.value for v in self.discriminator.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            value = self.r1_term(real)
            total = self.r1_interval * value
        return value, tape.gradient(total, variables, unconnected_gradients="zero")

    def r1_term(self, real):
        """gamma / 2 times the mean squared slope at real images."""
        return 0.5 * self.r1_weight * penalties.r1_penalty(critic(self, real), real["images"])

    def discriminator_losses(self, real, fake):
        terms = super().discriminator_losses(real, fake)
        if self.r1_weight and self.r1_interval == 1:
            terms["d/r1"] = self.r1_term(real)
        if self.r2_weight:
            penalty = penalties.r2_penalty(critic(self, fake), fake["images"])
            terms["d/r2"] = 0.5 * self.r2_weight * penalty
        return terms


@configurable
class WeightClippedGAN(GAN):
    """Clips every discriminator weight after each of its updates (WGAN; Arjovsky et al. 2017, Algorithm 1).

    Args:
        clip_limit: largest absolute value of a weight; infinity is the base.
    """

    def __init__(self, generator, discriminator, clip_limit: Within("(0, inf]") = 0.01, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.clip_limit = clip_limit

    def update_discriminator(self, gradients, regularizer=False):
        super().update_discriminator(gradients, regularizer)
        penalties.clip_weights(self.discriminator.trainable_variables, self.clip_limit)


def critic(gan, batch):
    """The discriminator as a function of images alone: what else `batch` has, training mode, nothing moves."""

    def score(images):
        with frozen_state():
            seen = batch | {"images": images, "for_penalty": True}
            return gan.discriminate(seen, training=True)["adversarial"]

    return score


def _first_of_each(fakes, count):
    """[count * k, ...] -> [count, ...]: every k-th, from the first; not by slices, for their third derivatives."""
    groups = tf.reshape(fakes, [count, -1, *fakes.shape[1:]])
    return tf.reshape(tf.split(groups, [1, -1], axis=1)[0], [count, *fakes.shape[1:]])
