"""Forward passes of the two networks: latents to fakes, and images to the discriminator's outputs."""

import contextlib

import tensorflow as tf

from tfgans.gan.fitting import compatibility
from tfgans.gan.hooks import hook
from tfgans.gan.label_draws import takes_labels
from tfgans.layers.state import frozen_state
from tfgans.layers.statistics import differentiable_moments


class Forwards:
    """The part of `GAN` that draws latents and runs the networks on batches."""

    @hook
    def generator_latents(self, count):
        """The latents and labels of a generator step, in the form of `draw_latents`."""
        return self.draw_latents(count)

    @hook
    def draw_latents(self, count, again=False):
        """{"latents": [count, latent_dim], "labels": [count] or None}, fresh at every call.

        Args: again: gives those of the call before once more; of fewer places, the first of them.
        """
        if not again:
            self.draws.assign_add(1)
        latents = self.random_normal(count, (self.latent_dim,), "latents")
        return {"latents": latents, "labels": self.draw_labels(count)}

    def sample_beside(self, real):
        """The fakes of a discriminator step on a real batch: as many, of its classes where losses are of pairs."""
        return self.sample(batch_size(real), self.labels_of_pairs(real))

    def labels_of_pairs(self, real):
        """{"labels": those of a real batch} where losses are of pairs, both of one class; {} elsewhere."""
        return {"labels": real["labels"]} if self.of_pairs else {}

    @hook
    def sample(self, count, given=None):
        """`count` fakes, {"images" in [-1, 1], "latents", "labels"}, from the model's own seeded stream.

        Args: given: entries in place of drawn ones, such as {"labels": [count]}.
        """
        latents = self.draw_latents(count) | (given or {})
        return latents | self.in_micro_batches(self.fake_images, latents, rows=1)

    @hook
    def fake_images(self, latents):
        """{"images": what the generator in training makes of what `draw_latents` gave}; methods may add others."""
        return {"images": self.synthesize(latents, training=True)}

    @hook
    def synthesize(self, latents, training=False, generator=None):
        """The generator's images for what `draw_latents` gave."""
        network = generator or self.generator
        inputs = latents["latents"]
        if takes_labels(network, self.num_classes):
            inputs = [inputs, latents["labels"]]
        with self.generator_forward(training, generator):
            return network(inputs, training=training, **self.call_options(network, latents))

    @hook
    @contextlib.contextmanager
    def generator_forward(self, training=False, generator=None):
        """What surrounds a forward of the generator, or of layers of it that a method calls by themselves.

        Methods in whose forwards the generator is another than it is by itself, such as masked, extend this.
        """
        with _forward_of(generator or self.generator, training):
            yield

    @hook
    def discriminate(self, batch, training=False):
        """The discriminator's outputs for {"images", "labels"}, as a dictionary with `adversarial`."""
        inputs = batch["images"]
        if takes_labels(self.discriminator, self.num_classes):
            inputs = [inputs, batch["labels"]]
        options = self.call_options(self.discriminator, batch)
        with _forward_of(self.discriminator, training):
            outputs = self.discriminator(inputs, training=training, **options)
        return outputs if isinstance(outputs, dict) else {"adversarial": outputs}

    @hook
    def call_options(self, network, batch):
        """Keyword arguments of a network's call for a batch, apart from `training`; methods extend this."""
        return {}

    @hook
    def with_outputs(self, real, fake):
        """Both batches with "outputs", what the discriminator in training says of their images; known ones stay."""
        if "outputs" not in real and "outputs" not in fake:
            outputs = self.discriminate_both(real, fake)
            return tuple(batch | {"outputs": o} for batch, o in zip((real, fake), outputs, strict=True))
        return tuple(
            batch if "outputs" in batch else batch | {"outputs": self.discriminate(batch, training=True)}
            for batch in (real, fake)
        )

    @hook
    def with_fake_outputs(self, fake):
        """The fakes of a generator step, or its real images, with "outputs"; known ones stay. D stays as it is."""
        if "outputs" in fake:
            return fake
        with frozen_state() if self.freeze_discriminator_state else contextlib.nullcontext():
            return fake | {"outputs": self.discriminate(fake, training=True)}

    @hook
    def discriminate_both(self, real, fake):
        """The outputs for real and fake images, in one batch or two (`joint_batch`).

        What all images of a batch share (`shared_entries`), such as noise, one batch has from the real images'.
        """
        if not self.joint_batch:
            return self.discriminate(real, training=True), self.discriminate(fake, training=True)
        images = [tf.cast(batch["images"], real["images"].dtype) for batch in (real, fake)]
        both = {"images": tf.concat(images, 0), "labels": None}
        both |= {name: x for name, x in real.items() if name.partition("/")[0] in self.shared_entries()}
        if real["labels"] is not None and fake["labels"] is not None:
            both["labels"] = tf.concat([real["labels"], fake["labels"]], 0)
        outputs = self.discriminate(both, training=True)
        sizes = [batch_size(real), batch_size(fake)]
        halves = {name: tf.split(value, sizes) for name, value in outputs.items()}
        return tuple({name: parts[i] for name, parts in halves.items()} for i in range(2))


@contextlib.contextmanager
def _forward_of(network, training):
    """Around a forward whose gradients have right gradients. Raises: ConfigError if the network adds losses in it."""
    with differentiable_moments():
        yield
    if training:
        compatibility.check_added(network)


def batch_size(batch):
    """The number of images in a batch: an integer where it is known before running."""
    images = batch["images"]
    return images.shape[0] or tf.shape(images)[0]
