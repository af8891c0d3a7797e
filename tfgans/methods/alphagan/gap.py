"""The duality gap of a generator and a discriminator, and its gradient by architecture weights."""

import tensorflow as tf

from tfgans.layers.state import frozen_state


class Gap:
    """The part of `AlphaGAN` about V(G, D) = Adv(G, D-bar) - Adv(G-bar, D) (Tian et al. 2021, Eq. 3).

    Adv is minus the discriminator's adversarial loss. Only its part on fakes depends on a generator, so the gradient
    by alpha takes one forward of the generator and one of D-bar, and nothing of G-bar and D.
    """

    def architecture_gradients(self, real, latents):
        """The part of the gap that alpha changes, to a constant, and its gradients, one for each architecture weight.

        With the hinge loss it is -mean relu(1 + D-bar(G(z))). The loss must be a sum of a real and a fake part.
        """
        variables = [v.value for v in self.generator.architecture_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            fake = latents | self.fake_images(latents)
            with self.playing(**self.test_players("discriminator")):
                logits = self.discriminate(fake, training=True)["adversarial"]
            value = -self.discriminator_loss(tf.zeros_like(logits), logits)
        return value, tape.gradient(value, variables, unconnected_gradients="zero")

    def discriminator_architecture_gradients(self, real, latents):
        """D's loss on real images and G-bar's, which its own architecture minimises, and the gradients."""
        variables = [v.value for v in self.discriminator.architecture_variables]
        with self.playing(**self.test_players("generator")), frozen_state():
            fake = latents | self.fake_images(latents)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            value = self._adversarial_loss(real, fake)
        return value, tape.gradient(value, variables, unconnected_gradients="zero")

    def measured_gap(self, real, latents, other_latents):
        """{"search/minmax", "search/maxmin", "search/duality_gap"} on one batch; nothing moves.

        Args:
            latents, other_latents: what G and G-bar make images of, as `draw_latents` gives it.
        """
        with frozen_state():
            fake = latents | self.fake_images(latents)
            with self.playing(**self.test_players("discriminator")):
                minmax = -self._adversarial_loss(real, fake)
            with self.playing(**self.test_players("generator")):
                fake = other_latents | self.fake_images(other_latents)
            maxmin = -self._adversarial_loss(real, fake)
        return {"search/minmax": minmax, "search/maxmin": maxmin, "search/duality_gap": minmax - maxmin}

    def _adversarial_loss(self, real, fake):
        outputs = [self.discriminate(batch, training=True)["adversarial"] for batch in (real, fake)]
        return self.discriminator_loss(*outputs)


def entropy(mixing):
    """Mean entropy of the rows of a mixing, in nats: a scalar."""
    rows = tf.concat([-tf.reduce_sum(p * tf.math.log(tf.maximum(p, 1e-30)), -1) for p in mixing], 0)
    return tf.reduce_mean(rows)
