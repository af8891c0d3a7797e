"""AlphaGAN with a single level: weights and architecture descend on one objective (Tian et al. 2021, Eq. 11)."""

import tensorflow as tf

from tfgans.gan import batch_size


class SingleLevel:
    """The part of `AlphaGAN` that is for `single_level_weight`, and for updates of G-bar's architecture."""

    def single_level_update(self, real, latents, gap_gradients):
        """Alpha, the weights of G, and those of D, each by the gap and `single_level_weight` times Adv (Eq. 11)."""
        values, by_gap, by_loss, alpha = self.in_micro_batches(self.single_level_gradients, real, latents)
        weight = self.single_level_weight
        total = [a + weight * b for a, b in zip(gap_gradients, alpha, strict=True)]
        self.move_architecture("architecture", total)
        self.update_generator([a + weight * b for a, b in zip(by_gap, by_loss, strict=True)])
        with self.playing(**self.test_players("generator")):
            other = self.sample(batch_size(real))
        fake = latents | self.in_micro_batches(self.fake_images, latents, rows=1)
        losses = []
        for batch in (other, fake):
            value, gradients = self.in_micro_batches(self.discriminator_gradients, real, batch)
            losses.append((value, gradients))
        both = zip(losses[0][1], losses[1][1], strict=True)
        self.update_discriminator(
            [tf.convert_to_tensor(a) + weight * tf.convert_to_tensor(b) for a, b in both]
        )
        return values | losses[1][0]

    def generator_functions(self):
        return (*super().generator_functions(), self.single_level_gradients, self.joint_gradients)

    def single_level_gradients(self, real, latents):
        """G's losses, and the gradients by its weights of the gap and of the losses, and by alpha of the losses."""
        with self.playing(**self.test_players("discriminator")):
            _, by_gap, _ = self.joint_gradients(real, latents)
        values, by_loss, alpha = self.joint_gradients(real, latents)
        return values, by_gap, by_loss, alpha

    def joint_gradients(self, real, latents):
        """The generator's losses, and their gradients by its weights and by its architecture weights."""
        weights, alpha = self.generator.trainable_variables, self.generator.architecture_variables
        values, found = self.gradients_of(weights + alpha, lambda: self.generator_terms(real, latents))
        return values, found[: len(weights)], found[len(weights) :]
