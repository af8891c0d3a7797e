"""What the updates of both networks minimise: named losses, and their gradients."""

import tensorflow as tf

from tfgans import losses
from tfgans.gan.hooks import hook
from tfgans.layers.statistics import widen


class Objectives:
    """The part of `GAN` that computes losses, measures and gradients of one update."""

    @hook
    def discriminator_gradients(self, real, fake):
        """Losses and measures by name, and the gradients of the losses' sum by `step_variables`."""
        variables = self.step_variables("discriminator")
        return self.gradients_of(variables, lambda: self.discriminator_terms(real, fake))

    @hook
    def generator_gradients(self, real, latents):
        """Losses and measures by name, and the gradients of the losses' sum by `step_variables`."""
        variables = self.step_variables("generator")
        return self.gradients_of(variables, lambda: self.generator_terms(real, latents))

    @hook
    def generator_functions(self):
        """The functions given to `xla` that compute the generator's losses; methods that have more extend this."""
        return (self.generator_gradients,)

    @hook
    def batch_generator_gradients(self, real, latents):
        """`generator_gradients` of a step's batch, in micro-batches; methods whose terms are no means extend this."""
        return self.in_micro_batches(self.generator_gradients, real, latents)

    @hook
    def step_variables(self, name):
        """The variables by which an update differentiates: trainable ones of the "generator" or "discriminator".

        Methods that train more of a network than its weights add that at the end.
        """
        return getattr(self, name).trainable_variables

    def gradients_of(self, variables, terms):
        """What `terms` returns, as one dictionary, and the gradients of its losses' sum.

        Args:
            variables: Keras variables; the gradients come in their order, zeros where nothing depends on them.
            terms: a function without arguments that returns (losses, measures).
        """
        values = [v.value for v in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            minimised, measures = terms()
            total = losses.total(list(minimised.values()))
        return minimised | measures, tape.gradient(total, values, unconnected_gradients="zero")

    def discriminator_terms(self, real, fake):
        """(losses, measures) of the discriminator."""
        real, fake = self.with_outputs(real, fake)
        return self.discriminator_losses(real, fake), self.discriminator_measures(real, fake)

    def generator_terms(self, real, latents):
        """(losses, measures) of the generator, for the images that it makes of latents."""
        fake = self.with_fake_outputs(latents | self.fake_images(latents))
        return self.generator_losses(real, fake), self.generator_measures(real, fake)

    @hook
    def discriminator_losses(self, real, fake):
        """The discriminator's named terms, {"d/<term>": scalar}; the sum is minimised.

        In a step both batches have the discriminator's "outputs" when a method is asked, see `with_outputs`. What
        replaces this hook adds `regularizers`.
        """
        real, fake = self.with_outputs(real, fake)
        real_outputs, fake_outputs = real["outputs"], fake["outputs"]
        terms = {
            "d/adversarial": self.discriminator_loss(real_outputs["adversarial"], fake_outputs["adversarial"])
        }
        if "class" in real_outputs:
            real_class = losses.class_cross_entropy(real_outputs["class"], real["labels"])
            fake_class = self.fake_class_loss(fake_outputs["class"], fake["labels"])
            terms["d/class_real"] = self.real_class_weight * real_class
            terms["d/class_fake"] = self.fake_class_weight * fake_class
        return terms | self.regularizers("discriminator", terms)

    @hook
    def generator_losses(self, real, fake):
        """The generator's named terms, {"g/<term>": scalar}; the sum is minimised.

        In a step the fakes have the discriminator's "outputs" when a method is asked. `real` is for losses of pairs
        and for methods.
        """
        outputs = self.with_fake_outputs(fake)["outputs"]
        logits = [outputs["adversarial"]]
        if self.of_pairs:
            logits.insert(0, self.with_fake_outputs(real)["outputs"]["adversarial"])
        terms = {"g/adversarial": self.generator_loss(*logits)}
        if "class" in outputs:
            fake_class = losses.class_cross_entropy(outputs["class"], fake["labels"])
            terms["g/class"] = self.generator_class_weight * fake_class
        return terms | self.regularizers("generator", terms)

    def regularizers(self, name, terms):
        """{"d/regularizers": scalar}, or "g/": what the weights of a network cost by regularizers of Keras's.

        Args:
            name: `generator` or `discriminator`.
            terms: the network's other terms, of whose dtype it is.
        Returns: {} where no weight that trains has one.
        """
        weights = [v for v in getattr(self, name).trainable_variables if v.regularizer is not None]
        if not weights:
            return {}
        costs = [v.regularizer(widen(tf.convert_to_tensor(v.value))) for v in weights]
        dtype = next(iter(terms.values())).dtype
        return {f"{name[0]}/regularizers": tf.add_n([tf.cast(cost, dtype) for cost in costs])}

    @hook
    def discriminator_measures(self, real, fake):
        """{"d/<name>": scalar} that is logged and not minimised, of batches with the discriminator's "outputs"."""
        return {}

    @hook
    def generator_measures(self, real, fake):
        """{"g/<name>": scalar} that is logged and not minimised; `fake` has the discriminator's "outputs"."""
        return {}
