"""R3GAN (Huang, Gokaslan, Kuleshov, Tompkin 2024): R1 and R2 in every step, and settings that move with the images.

The loss of pairs that goes with it is `relativistic_discriminator` and `relativistic_generator` in `tfgans.losses`.
"""

import tensorflow as tf

from tfgans import penalties
from tfgans.config import ConfigError, NotNegative, Positive, Within, configurable
from tfgans.gan import GAN
from tfgans.layers.state import frozen_state
from tfgans.methods.r3gan.burn_in import BurnIn
from tfgans.optimizers import MovingAdam
from tfgans.schedules import check_settable

_SMALLEST_HALF_LIFE = 1e-8  # images; the authors' bound


@configurable
class R3GAN(BurnIn, GAN):
    """Penalties on the squared slopes at real images and at fakes, with a weight that moves as other settings do.

    The discriminator's loss has gamma / 2 (mean |grad D(x)|^2 + mean |grad D(G(z))|^2), by images before any
    augmentation, whatever `augment_penalties` says; the logs have both as `d/real_slope` and `d/fake_slope`. They
    come from the discriminator's own forward, so a discriminator step costs one backward of second order and no
    forward more; within AdvAs's r, a forward each. Along half a cosine (see `BurnIn`) gamma, the learning rates, the
    optimizers' beta_2 and the half-life of the generator's average go to their last values.

    Departures from the authors' code: the squares of R2 are summed in float32, there in the fakes' dtype, bfloat16.
    A batch whose outputs FastGAN holds fixed has no penalty.

    Args:
        gamma: weight of the penalties, first; 0 adds none.
        last_gamma: None leaves it as it is.
        last_rate_share: share of the optimizers' own learning rates that is left at the end; None leaves them.
        last_beta_2: of both optimizers, which are then `MovingAdam`; their own is the first. None leaves it.
        first_half_life: images, of the average, whose last is `GAN.ema_half_life`; None keeps it at that from the
            start.
        burn_in: real images in which all of that moves; None moves nothing.
    With a gamma of 0 and without a burn-in it is the base.
    Raises: ConfigError if a value leaves its range, one that moves comes without a burn-in, or an optimizer does not
        fit.
    """

    def __init__(
        self,
        generator,
        discriminator,
        gamma: NotNegative = 1.0,
        last_gamma: NotNegative | None = None,
        last_rate_share: NotNegative | None = None,
        last_beta_2: Within("[0, 1)") | None = None,
        first_half_life: NotNegative | None = None,
        burn_in: Positive | None = None,
        **kwargs,
    ):
        super().__init__(generator, discriminator, burn_in=burn_in, **kwargs)
        self.gamma, self.last_gamma, self.last_rate_share = gamma, last_gamma, last_rate_share
        self.last_beta_2, self.first_half_life = last_beta_2, first_half_life
        moving = dict(last_gamma=last_gamma, last_rate_share=last_rate_share, last_beta_2=last_beta_2)
        for name, value in (moving | {"first_half_life": first_half_life}).items():
            if value is not None and self.burn_in is None:
                raise ConfigError(f"R3GAN.{name} needs R3GAN.burn_in, in images. Received: {name} = {value}")
        if first_half_life is not None and self.ema_half_life is None:
            raise ConfigError(
                f"R3GAN.first_half_life needs GAN.ema_half_life, the last. Received: {first_half_life}"
            )

    # The penalties

    def penalty_passes(self, by_fakes=False):
        at_each = (20 if by_fakes else 6) if self._penalised() else 0
        return super().penalty_passes(by_fakes) + at_each

    def _penalised(self):
        return bool(self.gamma or self.last_gamma)

    def with_outputs(self, real, fake):
        if not self._penalised() or "outputs" in real or "outputs" in fake:
            return super().with_outputs(real, fake)
        images = [real["images"], fake["images"]]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            batches = super().with_outputs(real, fake)
            logits = [tf.reduce_sum(batch["outputs"]["adversarial"]) for batch in batches]
        slopes = tape.gradient(logits, images, unconnected_gradients="zero")
        return tuple(
            batch | {"r3gan_slope": penalties.squared_norms(slope)}
            for batch, slope in zip(batches, slopes, strict=True)
        )

    def discriminator_losses(self, real, fake):
        real, fake = self.with_outputs(real, fake)
        terms = super().discriminator_losses(real, fake)
        if not self._penalised():
            return terms
        weight = 0.5 * self.moved(self.gamma, self.last_gamma)
        for name, batch in (("d/real_slope", real), ("d/fake_slope", fake)):
            known = "r3gan_slope" in batch
            penalty = tf.reduce_mean(batch["r3gan_slope"] if known else self.squared_slopes(batch))
            terms[name] = tf.cast(weight, penalty.dtype) * penalty
        return terms

    def squared_slopes(self, batch):
        """|grad D(x)|^2 of a batch's images, [N], by a forward of its own that moves nothing."""
        with tf.GradientTape(watch_accessed_variables=False) as tape, frozen_state():
            tape.watch(batch["images"])
            logits = tf.reduce_sum(self.discriminate(batch, training=True)["adversarial"])
        return penalties.squared_norms(tape.gradient(logits, batch["images"]))

    # What moves

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        super().compile(optimizer, discriminator_optimizer, **options)
        if self.last_rate_share is not None:
            check_settable("R3GAN.last_rate_share", self.optimizers())
        for name, each in self.optimizers().items() if self.last_beta_2 is not None else ():
            if not isinstance(each, MovingAdam):
                raise ConfigError(
                    f"R3GAN.last_beta_2 needs MovingAdam as the {name}'s optimizer. Received: {type(each).__name__}"
                )

    @property
    def sets_learning_rates(self):
        return super().sets_learning_rates or self.last_rate_share is not None

    def learning_rate_factor(self):
        factor = super().learning_rate_factor()
        if self.last_rate_share is None:
            return factor
        own = tf.cast(self.moved(1.0, self.last_rate_share), tf.float32)
        return own if factor is None else factor * own

    def set_learning_rates(self):
        super().set_learning_rates()
        for optimizer in self.optimizers().values() if self.last_beta_2 is not None else ():
            optimizer.moving_beta_2.assign(self.moved(optimizer.beta_2, self.last_beta_2))

    def average_half_life(self):
        half_life = super().average_half_life()
        if self.first_half_life is None:
            return half_life
        return tf.cast(
            tf.maximum(self.moved(self.first_half_life, half_life), _SMALLEST_HALF_LIFE), tf.float32
        )
