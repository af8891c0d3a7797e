"""Adversarial training of the discriminator by projected gradient ascent (RobGAN; Liu, Hsieh, 2019).

As in the code of FastGAN's authors, whose baseline it is: the attack is made anew for each discriminator update,
on real images alone, with the discriminator in inference mode.
"""

import tensorflow as tf

from tfgans import losses
from tfgans.config import ConfigError, Natural, NotNegative, configurable
from tfgans.gan import GAN, batch_size


@configurable
class RobGAN(GAN):
    """Attacks the real images before each discriminator update, and trains on what comes out.

    The attack starts at a uniform random place in the box of `attack_radius` around each image and steps by the
    sign of the slope of the discriminator's loss on real images, adversarial and class terms, staying in the box
    and in [-1, 1]. The adversarial term is `discriminator_loss` with the fakes' logits held at 0, so it must be a
    sum of a real and a fake part.

    Cost: each attack step is one discriminator forward and a backward down to the image, without gradients of
    weights, for every discriminator update.

    Departure from the published code, which also computes and throws away the attack's gradients of weights.

    Args:
        attack_steps: steps of projected gradient ascent; 0 attacks nothing and is the base.
        attack_radius: largest change of a pixel, in units of images in [-1, 1]; 0 is the base.
        attack_step_size: change of a pixel in one step, in the same units.
    Raises: ConfigError if a value leaves its range, or the discriminator's loss is no such sum.
    """

    def __init__(
        self,
        generator,
        discriminator,
        attack_steps: Natural = 3,
        attack_radius: NotNegative = 6e-3,
        attack_step_size: NotNegative = 2e-3,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.attack_steps, self.attack_radius = attack_steps, attack_radius
        self.attack_step_size = attack_step_size
        if self.of_pairs and attack_steps and attack_radius:
            raise ConfigError(
                "RobGAN attacks the real part of the discriminator's loss: GAN.generator_loss is of pairs, which "
                "have no such part"
            )
        if attack_steps and attack_radius and not losses.is_sum(self.discriminator_loss):
            raise ConfigError(
                "RobGAN attacks the real part of the discriminator's loss, which is to be a sum of a real and a fake "
                "part: GAN.discriminator_loss is none"
            )

    def training_passes(self):
        passes = super().training_passes()
        attack = 2 * self.attack_steps * self.discriminator_steps if self.attack_radius else 0
        return passes | {"discriminator": passes["discriminator"] + attack}

    def discriminator_step(self, real):
        if self.attack_steps and self.attack_radius:
            # Outside what XLA compiles, and at a draw that no other update shares.
            noise = self.random_uniform(batch_size(real), self.sample_shape, "attack")
            real = real | {"images": self.in_micro_batches(self.attacked, real, noise, rows=1)}
        return super().discriminator_step(real)

    def attacked(self, real, noise):
        """The real images after the attack; noise: [N, H, W, C], uniform in [0, 1)."""
        clean = real["images"]
        low, high = clean - self.attack_radius, clean + self.attack_radius
        if clean.shape.rank == 4:  # images; points may lie anywhere
            low, high = tf.maximum(low, -1.0), tf.minimum(high, 1.0)
        images = clean + self.attack_radius * (2.0 * tf.cast(noise, clean.dtype) - 1.0)
        images = tf.clip_by_value(images, low, high)
        for _ in range(self.attack_steps):
            slope = self.slope_at(real | {"images": images})
            images = tf.clip_by_value(images + self.attack_step_size * tf.sign(slope), low, high)
        return images

    def slope_at(self, real):
        """The gradient of the real terms of the discriminator's loss at the images of a batch."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(real["images"])
            outputs = self.discriminate(real)
            loss = self.discriminator_loss(outputs["adversarial"], tf.zeros_like(outputs["adversarial"]))
            if "class" in outputs:
                loss += self.real_class_weight * losses.class_cross_entropy(outputs["class"], real["labels"])
        return tape.gradient(loss, real["images"])
