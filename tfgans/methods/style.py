"""StyleGAN2's training of its generator: style mixing, fresh noise, path length regularization.

Both methods need a generator of the layers `mapping` and `synthesis`, such as `stylegan2_generator`.
"""

import math

import tensorflow as tf

from tfgans import distribute, keras_internals, philox
from tfgans.config import Count, NotNegative, Share, Within, configurable
from tfgans.gan import GAN, batch_size
from tfgans.gan.styles import mapped
from tfgans.networks.stylegan2_parts import mix_styles

_NOISE = "noise/"  # of the entries of latents that are the noise of a layer each
_SMALLEST_SQUARE = (
    1e-12  # keeps the derivative of the root finite where an image does not depend on its style
)


class Styled:
    """Makes images by way of styles from what `draw_latents` gave; a part of methods, none itself."""

    def style_codes(self, latents, training=False, generator=None):
        """Styles [N, slots, style_dim], mixed if the latents have `mixing_latents`. Moves the mean of w once."""
        mapping = (generator or self.generator).get_layer("mapping")
        labels = latents.get("labels")
        with self.generator_forward(training, generator):
            codes = mapped(mapping, latents["latents"], labels, training=training)
            if "mixing_latents" not in latents:
                return codes
            others = mapped(mapping, latents["mixing_latents"], labels)
        return mix_styles(codes, others, latents["crossover"])

    def style_images(self, codes, latents, training=False, generator=None):
        """Images of styles, with the latents' noise, or the layers' fixed noise if they have none."""
        synthesis = (generator or self.generator).get_layer("synthesis")
        names = [f"{_NOISE}{index}" for index in range(len(synthesis.noise_shapes))]
        noise = [latents[name] for name in names if name in latents]
        options = {"training": training} if keras_internals.takes_training(synthesis) else {}
        with self.generator_forward(training, generator):
            return synthesis(codes, noise or None, **options)

    def synthesize(self, latents, training=False, generator=None):
        if "mixing_latents" not in latents and f"{_NOISE}0" not in latents:
            return super().synthesize(latents, training, generator)
        return self.style_images(self.style_codes(latents, training, generator), latents, training, generator)


@configurable
class StyleMixingGAN(Styled, GAN):
    """Style mixing, and noise of its own for every image, while a StyleGAN trains (Karras et al. 2019, 2020).

    A batch of latents comes with second latents, whose styles take over from a slot on that is uniform among all but
    the first, in a `mixing_probability` of the batches: whether and where is decided once for each batch. The tracked
    mean of w follows the first latents. It holds for the fakes of both networks' steps and for path lengths. Images
    made outside training are not mixed and have each layer's fixed noise, so that they are functions of the
    latent; the authors' PyTorch codes draw noise for the images they evaluate.

    Args:
        mixing_probability: in [0, 1]; 0 does not mix.
        fresh_noise: whether the noise is drawn for every image; False takes each layer's fixed noise, which with a
            probability of 0 is the base.
    Raises: ConfigError if the probability leaves its range or the generator has no styles.
    """

    def __init__(
        self, generator, discriminator, mixing_probability: Share = 0.9, fresh_noise: bool = True, **kwargs
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.mixing_probability, self.fresh_noise = mixing_probability, fresh_noise
        if mixing_probability or fresh_noise:
            self.require_styles("StyleMixingGAN")

    def draw_latents(self, count, again=False):
        latents = super().draw_latents(count, again)  # moves on the stream of random numbers
        if self.mixing_probability:
            second = self.random_normal(count, (self.latent_dim,), "style_mixing")
            latents |= {"mixing_latents": second, "crossover": tf.fill([count], self._crossover())}
        shapes = self.generator.get_layer("synthesis").noise_shapes if self.fresh_noise else []
        for index, shape in enumerate(shapes):
            name = f"{_NOISE}{index}"
            latents[name] = self.random_normal(count, shape, f"style_{name}")
        return latents

    def _crossover(self):
        """The first slot of the second latents in this batch, on every replica the same; all slots: none."""
        slots = self.style_slots
        chance = philox.uniform([], self.stream("style_mixing/whether"))
        slot = 1 + philox.uniform([], self.stream("style_mixing/crossover"), slots - 1, tf.int32)
        return tf.where(chance < self.mixing_probability, slot, slots)


@configurable
class PathLengthGAN(Styled, GAN):
    """Path length regularization of a generator with styles (StyleGAN2; Karras et al. 2020, section 3.2).

    The length of an image x is |J^T y|, by its style in each slot, as a root mean square over slots; y is normal
    noise of the image's shape, divided by sqrt(height * width). The penalty is the mean of (length - a)^2, where a,
    a weight of the model, moves towards the mean length of the global batch, from 0: the new a counts, and the
    gradient passes through what this batch adds to it. It is a step of the generator's optimizer by itself, with
    `path_length_interval` times its weight, after generator updates 0, k, 2k, ... of the run, on latents of its own,
    and costs nothing after the others: then one generator forward and a second-order backward on the smaller
    batch. Optimizer: `lazy_adam` with the same interval. What AdvAs weighs against r does not include it.
    In micro-batches (`accumulation_steps`) their lengths are found twice, first for a.

    The logs have, in such steps, `g/path_length`, the penalty times its weight without the interval, and
    `g/path_length_mean`, a. Departure: a squared length under 1e-12 counts as that and has no gradient.

    Args:
        path_length_weight: 0 is the base.
        path_length_interval: k, generator updates between two of its steps.
        path_length_decay: share of a batch in a, in (0, 1].
        path_length_batch_shrink: the generator's batch is divided by it, rounded down, at least 1; each replica
            divides its own share.
    Raises: ConfigError if a value leaves its range or the generator has no styles.
    """

    def __init__(
        self,
        generator,
        discriminator,
        path_length_weight: NotNegative = 2.0,
        path_length_interval: Count = 4,
        path_length_decay: Within("(0, 1]") = 0.01,
        path_length_batch_shrink: Count = 2,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.path_length_weight, self.path_length_interval = path_length_weight, path_length_interval
        self.path_length_decay, self.path_length_batch_shrink = path_length_decay, path_length_batch_shrink
        if not path_length_weight:
            return
        self.require_styles("PathLengthGAN")
        self.path_length_mean = self.add_weight(
            name="path_length_mean",
            shape=(),
            dtype="float32",
            initializer="zeros",
            trainable=False,
            autocast=False,
        )

    def extra_updates(self, step):
        due = self.path_length_weight and step % self.path_length_interval == 0
        return (*super().extra_updates(step), *(("path_length",) if due else ()))

    def extras_of(self, network, extras):
        extras = super().extras_of(network, extras)
        return extras if network == "generator" else tuple(e for e in extras if e != "path_length")

    def training_passes(self):
        passes = super().training_passes()
        images = self.generator_batch_ratio / self.path_length_batch_shrink
        own = 6 if self.accumulation_steps == 1 else 8
        more = own * images if "path_length" in self.extras else 0
        return passes | {"generator": passes["generator"] + more}

    def generator_step(self, real):
        logs = super().generator_step(real)
        if "path_length" not in self.extras:
            return logs
        count = batch_size(real) * self.generator_batch_ratio // self.path_length_batch_shrink
        return logs | self.path_length_step(max(1, count) if isinstance(count, int) else tf.maximum(1, count))

    def path_length_step(self, count):
        """One optimizer step on the path lengths of `count` images alone."""
        latents = self.draw_latents(count)
        height, width = self.sample_shape[:2]
        directions = self.random_normal(count, self.sample_shape, "path_length") / math.sqrt(height * width)
        gradients_of = self.path_length_gradients
        if self.accumulation_steps > 1:
            gradients_of = self.accumulated_path_length_gradients
        elif distribute.num_replicas() == 1:  # XLA cannot compile what replicas exchange
            gradients_of = self.xla(gradients_of)
        mean = tf.convert_to_tensor(self.path_length_mean.value)
        penalty, mean, gradients = gradients_of(latents, directions, mean)
        self.path_length_mean.assign(mean)
        self.update_generator(gradients, regularizer=True)
        return {"g/path_length": self.path_length_weight * penalty, "g/path_length_mean": mean}

    def path_length_gradients(self, latents, directions, mean):
        """The penalty, the new mean, and the gradients of the weighted penalty, a variable of the generator each.

        Args:
            directions: y [N, H, W, C].
            mean: a so far, a scalar.
        """
        variables = [v.value for v in self.generator.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            lengths = self.path_lengths(latents, directions)
            mean = tf.cast(mean, lengths.dtype)
            (batch_mean,) = distribute.mean([tf.reduce_mean(lengths)])
            mean = mean + self.path_length_decay * (batch_mean - mean)
            penalty = tf.reduce_mean(tf.square(lengths - mean))
            total = self.path_length_weight * self.path_length_interval * penalty
        return penalty, mean, tape.gradient(total, variables, unconnected_gradients="zero")

    def accumulated_path_length_gradients(self, latents, directions, mean):
        """`path_length_gradients` in micro-batches, as many as divide the images: first the mean length of all."""
        count = directions.shape[0]
        count = 1 if count is None else math.gcd(count, self.accumulation_steps)
        given = latents, directions
        length = self.in_micro_batches(self.mean_path_length, *given, moves=False, count=count)
        (length,) = distribute.mean([length])
        mean = tf.cast(mean, length.dtype)
        mean = mean + self.path_length_decay * (length - mean)
        parts = self.in_micro_batches(self.path_length_parts, *given, mean, length - mean, count=count)
        return parts[0], mean, parts[1]

    def mean_path_length(self, latents, directions):
        """The mean of `path_lengths`, a scalar."""
        return tf.reduce_mean(self.path_lengths(latents, directions))

    def path_length_parts(self, latents, directions, mean, excess):
        """What are means over images of the penalty and of its weighted gradients, a variable of the generator each.

        The gradient of mean (length - a)^2 is that for a constant a, less 2 * excess times that of a, which is
        `path_length_decay` times that of the mean length.

        Args: mean: a, of the whole batch. excess: its mean length less a.
        """
        variables = [v.value for v in self.generator.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            lengths = self.path_lengths(latents, directions)
            penalty = tf.reduce_mean(tf.square(lengths - mean))
            moved = 2.0 * excess * self.path_length_decay * tf.reduce_mean(lengths)
            total = self.path_length_weight * self.path_length_interval * (penalty - moved)
        return penalty, tape.gradient(total, variables, unconnected_gradients="zero")

    def path_lengths(self, latents, directions):
        """|J^T y| of each image, [N], in float32 or wider."""
        codes = self.style_codes(latents, training=True)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(codes)
            images = self.style_images(codes, latents, training=True)
            projected = tf.reduce_sum(images * tf.cast(directions, images.dtype))
        squares = tf.reduce_sum(tf.square(tape.gradient(projected, codes)), 2)
        return tf.sqrt(tf.maximum(tf.reduce_mean(squares, 1), _SMALLEST_SQUARE))
