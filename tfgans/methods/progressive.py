"""Progressive growing (Karras et al., 2018), on the schedule of Re-GAN's code: networks that start at 4x4 pixels."""

import functools

import tensorflow as tf

from tfgans.config import ConfigError, Natural, Several, Share, configurable
from tfgans.data.scaling import to_float
from tfgans.distribute import apply_means
from tfgans.gan import GAN
from tfgans.gan.fitting.compatibility import checked_optimizers
from tfgans.layers.resample import average_pool
from tfgans.networks.progan_parts import at_stage, given_stage, growing_layers, side_of


@configurable
class ProgressiveGAN(GAN):
    """Trains `progan` networks stage by stage, from 4x4 images on, new layers fading in.

    Stage s has images of 4 * 2^s pixels a side. In its update t of n both networks mix what the stage before would
    do, times 1 - alpha, with what the new layers do, times alpha, and alpha goes in a straight line from `fade_start`
    at t = 0 to 1 at t = fade_share * n. Re-GAN's code, (batch + epoch * L) / (E * L) with epochs counted from 1, is
    fade_share = 1 - 1 / E and n = E * L. Stage and alpha follow from the number of updates done, so that a run goes
    on in the middle of a fade. The logs have `progressive/resolution` and `progressive/alpha`.

    Inside a step everything has the stage's size: real images are means of squares of pixels (not faded, as in that
    code), other methods see them and fakes of that size, and no layer of a later stage is computed or updated.
    Outside, images have the last stage's size: those of an earlier one are enlarged by repeating pixels, so that
    evaluations of all stages compare with the same real images.

    As in that code (PyTorch 1.13), the optimizer's moments of a weight start with the first stage that uses it and
    count from there, and decay by gradients of 0 where a later one uses it no more. Each stage's weights therefore
    have an optimizer of their own, a copy of the given one that follows its learning rate.

    Departures from that code: one batch size for all stages, where it has 128 up to 16x16 and 64 at 32x32. It makes
    small real images by Pillow's bilinear filter, rounded to 8 bits, not by means. On several replicas the
    discriminator's minibatch deviation is that of each replica's share. An optimizer's `global_clipnorm` takes each
    stage's weights by themselves.

    Cost of a step: what networks that end at the stage cost, and one to-RGB and from-RGB of the stage before.

    Args:
        stage_steps: generator updates of each stage, the same for all or one number for each; 0 leaves a stage out.
            The last goes on beyond.
        fade_share: share of its updates in which a stage fades in, in [0, 1]: one number or one for each stage; 0
            does not fade.
        fade_start: alpha of a stage's first update, in [0, 1]; None is 1 - fade_share, as above, 0 the paper's.
        same_latents: the generator step takes the latents (and all else drawn with them) of the discriminator's
            last one, as that code does; False draws new ones, as the base.
    Without same_latents, and with stage_steps of 0 up to the last stage and no fade, it is the base.
    Raises: ConfigError if a value leaves its range, the networks do not grow or do not have the same stages; in
        `compile`, if another method keeps images between steps.
    """

    replaces = ("update_discriminator", "update_generator")

    def __init__(
        self,
        generator,
        discriminator,
        stage_steps: Natural | Several(Natural) = 782,
        fade_share: Share | Several(Share) = 0.5,
        fade_start: Share | None = None,
        same_latents: bool = True,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.stages = self._check_networks()
        self.stage_steps = self._per_stage("stage_steps", stage_steps)
        self.fade_share = self._per_stage("fade_share", fade_share)
        self.fade_start, self.same_latents = fade_start, same_latents
        self._later_optimizers = {}
        self.show_stage(self.stage, self.alpha_at(self.stage))

    def _check_networks(self):
        """The number of stages of both networks."""
        found = [growing_layers(network) for network in (self.generator, self.discriminator)]
        if [len(layers) for layers in found] != [1, 1]:
            raise ConfigError(
                "ProgressiveGAN needs networks that grow: progan_generator, progan_discriminator"
            )
        stages = {layers[0].stages for layers in found}
        if len(stages) > 1:
            raise ConfigError(f"ProgressiveGAN needs networks of as many stages. Received: {sorted(stages)}")
        return stages.pop()

    def _per_stage(self, name, value):
        values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.stages
        if len(values) != self.stages:
            raise ConfigError(
                f"ProgressiveGAN.{name} has one number for each of {self.stages} stages. Received: {value}"
            )
        return values

    # The schedule

    def stage_at(self, step):
        """The stage after `step` updates."""
        return sum(step >= sum(self.stage_steps[:stage]) for stage in range(1, self.stages))

    def unreached(self, steps):
        lines, stage = super().unreached(steps), self.stage_at(max(steps - 1, 0))
        if stage == self.stages - 1:
            return lines
        side, whole = side_of(stage), sum(self.stage_steps[:-1]) + 1
        line = (
            f"ProgressiveGAN shows whole images from update {whole:,} on, by ProgressiveGAN.stage_steps, and the run "
            f"has {steps:,}: it ends with {side}x{side} pixels"
        )
        return (*lines, line)

    def alpha_at(self, stage):
        """Alpha at the present step, which is in `stage`: a scalar."""
        share, steps = self.fade_share[stage], self.stage_steps[stage]
        if not share * steps:
            return tf.constant(1.0)
        start = 1.0 - share if self.fade_start is None else self.fade_start
        done = tf.cast(self.step.value - sum(self.stage_steps[:stage]), tf.float32)
        return tf.minimum(start + (1.0 - start) * done / (share * steps), 1.0)

    def show_stage(self, stage, alpha):
        """Sets what the networks show outside of steps, and alpha for both."""
        networks = [self.generator, self.discriminator]
        for network in networks + ([self.ema_generator] if self.ema_generator is not None else []):
            for layer in growing_layers(network):
                layer.alpha.assign(tf.cast(alpha, layer.alpha.dtype))
                if hasattr(layer, "stage"):
                    layer.stage.assign(stage)

    @property
    def sample_shape(self):
        """The shape of an image: the last stage's, and the present stage's inside a step."""
        stage = given_stage()
        return self._last_shape if stage is None else (side_of(stage),) * 2 + self._last_shape[2:]

    @sample_shape.setter
    def sample_shape(self, shape):
        self._last_shape = tuple(shape)

    # The step

    def first_shape(self):
        with at_stage(self.stage_at(0)):
            return super().first_shape()

    def step_variant(self, step):
        return (*super().step_variant(step), ("stage", self.stage_at(step)))

    def measured(self, name, measure, inputs=None):
        with at_stage(self.stage):
            if name == "discriminator":
                images = tf.TensorSpec((1, *self.sample_shape), self.discriminator.compute_dtype)
                inputs = tf.nest.pack_sequence_as(
                    self.discriminator.input, [images, *tf.nest.flatten(self.discriminator.input)[1:]]
                )
            return super().measured(name, measure, inputs)

    @property
    def stage(self):
        """The stage of the step that is compiled or runs; the first before there is one."""
        chosen = [kind[1] for kind in self.variant if isinstance(kind, tuple) and kind[0] == "stage"]
        return chosen[0] if chosen else self.stage_at(0)

    def train_step(self, data):
        alpha = self.alpha_at(self.stage)
        self.show_stage(self.stage, alpha)
        data = self.at_stage_size(data)
        with at_stage(self.stage):
            logs = super().train_step(data)
        resolution = tf.constant(float(side_of(self.stage)))
        return logs | {"progressive/resolution": resolution, "progressive/alpha": alpha}

    def at_stage_size(self, data):
        """The data of a step, as `train_step` takes it, with images [..., H, W, C] of the stage's size."""
        if isinstance(data, dict):
            return data | {"images": self._smaller(data["images"])}
        if isinstance(data, (tuple, list)):
            return (self._smaller(data[0]), *data[1:])
        return self._smaller(data)

    def _smaller(self, images):
        if tuple(images.shape[-3:]) != self.sample_shape:
            raise ConfigError(
                f"the data's items are {tuple(images.shape[-3:])}, the generator makes {self.sample_shape}"
            )
        factor = 2 ** (self.stages - 1 - self.stage)
        if factor == 1:
            return images
        images = to_float(images) if images.dtype == tf.uint8 else images
        leading = tf.shape(images)[:-3]
        means = average_pool(tf.reshape(images, (-1, *self.sample_shape)), factor)
        smaller = tf.reshape(means, tf.concat([leading, means.shape[1:]], 0))
        smaller.set_shape(images.shape[:-3] + means.shape[1:])
        return smaller

    def generator_latents(self, count):
        return self.draw_latents(count, again=True) if self.same_latents else super().generator_latents(count)

    # The optimizers

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        if self.images_kept() and self.stages > 1:
            raise ConfigError(
                f"ProgressiveGAN changes the images' size: {self.images_kept()[0]} keeps images between steps"
            )
        optimizer, discriminator_optimizer = checked_optimizers(optimizer, discriminator_optimizer)
        self._later_optimizers = {}
        with self.distribute_strategy.scope():
            for name, first in (("generator", optimizer), ("discriminator", discriminator_optimizer)):
                self._build_optimizers(name, first)
        super().compile(optimizer, discriminator_optimizer, **options)

    def _build_optimizers(self, name, first):
        first.build(self.variables_of(name, 0))  # once and for all: the base's build then changes nothing
        for stage in range(1, self.stages):
            rate = functools.partial(getattr, first, "learning_rate")
            settings = first.get_config() | {"learning_rate": rate}
            later = type(first).from_config(settings)
            later.build(self.variables_of(name, stage))
            self._later_optimizers[f"{name}_{side_of(stage)}"] = later

    def optimizers(self):
        """The given ones, for the first stage's weights, and `generator_8`, `discriminator_8`, ... for the others."""
        return super().optimizers() | self._later_optimizers

    def moved_by_own(self, name):
        first = {id(v) for v in self.variables_of(name, 0)}
        return [v for v in super().moved_by_own(name) if id(v) in first]

    def variables_of(self, name, stage):
        """The weights of the `generator` or `discriminator` that train from a stage on."""
        network = getattr(self, name)
        (layer,) = growing_layers(network)
        stages = {id(v): number for number in range(self.stages) for v in layer.variables_of(number)}
        return [v for v in network.trainable_variables if stages.get(id(v), 0) == stage]

    def update_discriminator(self, gradients, regularizer=False):
        """Applies gradients to the weights of the stages so far, as `GAN` does."""
        self._update("discriminator", gradients)

    def update_generator(self, gradients, regularizer=False):
        """Applies gradients to the weights of the stages so far, as `GAN` does."""
        self._update("generator", gradients)

    def _update(self, name, gradients):
        variables = getattr(self, name).trainable_variables
        given = {id(v): gradient for v, gradient in zip(variables, gradients, strict=True)}
        for stage in reversed(range(self.stage + 1)):  # the first one's count moves last: all follow its rate
            optimizer = self.optimizers()[f"{name}_{side_of(stage)}" if stage else name]
            own = self.variables_of(name, stage)
            apply_means(optimizer, type(gradients)(given[id(v)] for v in own), own)
