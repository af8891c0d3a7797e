"""LeCam regularization: the discriminator's logits are held near where they have been."""

import tensorflow as tf

from tfgans import distribute, penalties
from tfgans.config import Natural, NotNegative, Within, configurable
from tfgans.gan import GAN


@configurable
class LeCamPenaltyGAN(GAN):
    """Squared distances of D's logits from moving averages of their means (LeCam; Tseng et al. 2021).

    Real logits are drawn to the average on fakes, those of fakes to that on real images. The paper has plain squares;
    the authors' two codes (BigGAN on CIFAR-10, StyleGAN2) and StudioGAN have those of max(0, .), and with them a
    logit beyond the other side's average costs nothing. It costs no pass through a network. The logs have the means,
    `d/lecam_penalty_real` and `d/lecam_penalty_fake`, beside the term `d/lecam_penalty`.

    Departures from the codes: an update sees the averages of the updates before, there its own batch's means are
    mixed in, too, a hundredth of them. Counted are generator updates, as in their BigGAN, and until the first
    averages are copies of the last means; StyleGAN2's code starts at once, without the bias of a beginning at 0,
    which a start of 0 has here.

    Args:
        lecam_penalty_weight: lambda; 0 is the base. The codes have 0.3 (BigGAN, CIFAR-10) and 3e-7 (StyleGAN2).
        lecam_penalty_decay: gamma, of the averages in an update of the discriminator.
        lecam_penalty_start: generator updates before the penalty and the averages begin.
        lecam_penalty_one_sided: True as in the codes, False as in the paper.
    """

    def __init__(
        self,
        generator,
        discriminator,
        lecam_penalty_weight: NotNegative = 0.3,
        lecam_penalty_decay: Within("[0, 1)") = 0.99,
        lecam_penalty_start: Natural = 1000,
        lecam_penalty_one_sided: bool = True,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.lecam_penalty_weight, self.lecam_penalty_decay = lecam_penalty_weight, lecam_penalty_decay
        self.lecam_penalty_start, self.lecam_penalty_one_sided = lecam_penalty_start, lecam_penalty_one_sided
        options = dict(shape=(), dtype="float32", initializer="zeros", trainable=False, autocast=False)
        names = ("real", "fake") if lecam_penalty_weight else ()
        self.lecam_penalty_averages = [
            self.add_weight(name=f"lecam_penalty_{name}", **options) for name in names
        ]

    def discriminator_losses(self, real, fake):
        real, fake = self.with_outputs(real, fake)
        terms = super().discriminator_losses(real, fake)
        if not self.lecam_penalty_weight:
            return terms
        penalty = penalties.lecam_penalty(
            real["outputs"]["adversarial"],
            fake["outputs"]["adversarial"],
            *(average.value for average in self.lecam_penalty_averages),
            one_sided=self.lecam_penalty_one_sided,
        )
        weight = tf.where(self._lecam_penalty_begun(), self.lecam_penalty_weight, 0.0)
        return terms | {"d/lecam_penalty": tf.cast(weight, penalty.dtype) * penalty}

    def discriminator_measures(self, real, fake):
        measures = super().discriminator_measures(real, fake)
        if not self.lecam_penalty_weight:
            return measures
        means = {name: batch["outputs"]["adversarial"] for name, batch in (("real", real), ("fake", fake))}
        means = {f"d/lecam_penalty_{name}": tf.cast(logits, tf.float32) for name, logits in means.items()}
        return measures | {name: tf.reduce_mean(logits) for name, logits in means.items()}

    def discriminator_step(self, real):
        logs = super().discriminator_step(real)
        if not self.lecam_penalty_weight:
            return logs
        means = distribute.mean([logs["d/lecam_penalty_real"], logs["d/lecam_penalty_fake"]])
        decay = tf.where(self._lecam_penalty_begun(), self.lecam_penalty_decay, 0.0)
        for average, mean in zip(self.lecam_penalty_averages, means, strict=True):
            average.assign(decay * average.value + (1.0 - decay) * mean)
        return logs

    def _lecam_penalty_begun(self):
        return self.step.value >= self.lecam_penalty_start
