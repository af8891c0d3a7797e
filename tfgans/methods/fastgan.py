"""Free adversarial training of the discriminator (FastGAN; Zhong, Liu, Hsieh, 2020).

The name is theirs; the network called FastGAN by Liu, Zhu, Song and Elgammal (2021) is another thing.

The defaults follow the authors' code where it departs from their Algorithm 1: real images alone are perturbed,
the gradients of the real and of the fake terms are added and make one optimizer step, and perturbed images are
clipped to [-1, 1]. Departures from that code: the perturbations are weights of the model, saved and restored,
and a class-conditional model of any kind may be used.
"""

import tensorflow as tf

from tfgans import checkpoint, distribute, losses, philox
from tfgans.config import Count, NotNegative, OneOf, configurable
from tfgans.gan import GAN, batch_size
from tfgans.gan.places import check_room, of_replica

_SMALLEST_NORM = 1e-8


@configurable
class FastGAN(GAN):
    """Trains the discriminator on perturbed images; the perturbation's gradient comes with the weights' own.

    One discriminator step takes one real and one fake batch and makes `adversarial_steps` updates on them, each
    from a single backward pass that also moves the perturbation uphill on the discriminator's loss. The
    perturbation belongs to a place in the batch, not to an image: it goes on from batch to batch and is never
    reset. The ascended loss is the whole one: with a penalty at real images, its slope is a part of it.

    Cost of a discriminator step: one generator forward; `adversarial_steps` times two discriminator forwards and
    backwards, of which those of perturbed images reach down to the image; as many optimizer steps.
    `separate_updates` adds two forwards and an optimizer step to each.

    Args:
        adversarial_steps: updates of the discriminator on the same two batches.
        perturbation_radius: bound c of the perturbation, in units of images in [-1, 1]; 0 perturbs nothing
            (the paper's ablation; together with one adversarial step it is the base).
        perturbation_step: length of one step uphill, in the same units; None is the radius, as published.
        perturbation_norm: `linf` bounds every number and steps by the sign of its slope, `l2` bounds the
            norm of each image's perturbation and steps along its slope.
        perturbation_batch_size: images of a discriminator step, over all replicas; None takes the data's: in a run
            `Dataset.batch_size`, in `fit` the size of the first batch. A smaller batch, such as the last of an
            epoch, uses the first rows of each replica.
        separate_updates: one optimizer step on the real terms, then one on the fake terms, as in the paper's
            Algorithm 1. Penalties are a part of both.
        perturb_fakes: fakes have a perturbation of their own, as in the paper's Eq. 4.
    Raises: ConfigError if a value leaves its range or the batch does not divide among the replicas.
    """

    replaces = ("discriminator_step",)

    def __init__(
        self,
        generator,
        discriminator,
        adversarial_steps: Count = 2,
        perturbation_radius: NotNegative = 6e-3,
        perturbation_step: NotNegative | None = None,
        perturbation_norm: OneOf("linf", "l2") = "linf",
        perturbation_batch_size: Count | None = None,
        separate_updates: bool = False,
        perturb_fakes: bool = False,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.adversarial_steps, self.perturbation_radius = adversarial_steps, perturbation_radius
        self.perturbation_step = perturbation_radius if perturbation_step is None else perturbation_step
        self.perturbation_norm, self.perturbation_batch_size = perturbation_norm, perturbation_batch_size
        self.separate_updates, self.perturb_fakes = separate_updates, perturb_fakes
        self.perturbations = {}
        if perturbation_batch_size is not None:
            self._add_perturbations()

    def awaited_batch_sizes(self):
        awaits = self.perturbation_radius and self.perturbation_batch_size is None
        return super().awaited_batch_sizes() + (("FastGAN.perturbation_batch_size",) if awaits else ())

    def images_kept(self):
        return super().images_kept() + (("perturbation",) if self.perturbation_radius else ())

    def expect_batch(self, count):
        super().expect_batch(count)
        if self.perturbation_batch_size is None:
            self.perturbation_batch_size = count
            self._add_perturbations()

    def check_batch(self, count):
        super().check_batch(count)
        if self.perturbation_radius:
            check_room("FastGAN.perturbation_batch_size", self.perturbation_batch_size, count)

    def _add_perturbations(self):
        """The weights that hold the perturbations, if there are any."""
        if self.perturbation_radius:
            names = ("real", "fake") if self.perturb_fakes else ("real",)
            with self.distribute_strategy.scope():
                self.perturbations = {name: self._new_perturbation(name) for name in names}

    def _new_perturbation(self, name):
        """A weight [N / replicas, H, W, C], different on every replica: normal numbers brought within bounds."""
        replicas = distribute.num_replicas()
        count = of_replica("FastGAN.perturbation_batch_size", self.perturbation_batch_size)
        shape = (count, *self.sample_shape)
        variable = self.add_weight(
            name=f"perturbation_{name}", shape=shape, initializer="zeros", trainable=False, autocast=False
        )
        start = philox.normal(
            [self.perturbation_batch_size, *self.sample_shape], self.stream(f"perturbation/{name}")
        )
        start = tf.reshape(self.within_bounds(start), [replicas, *shape])
        checkpoint.scatter(variable, tf.cast(start, variable.dtype).numpy())
        return variable

    def per_replica_variables(self):
        return [*super().per_replica_variables(), *self.perturbations.values()]

    def discriminator_loss_count(self):
        return super().discriminator_loss_count() * self.adversarial_steps

    def training_passes(self):
        passes = super().training_passes()
        # The forward of the batch that is fixed, and penalties, come twice.
        again = (2 + self.penalty_passes()) * self.discriminator_loss_count() if self.separate_updates else 0
        return passes | {"discriminator": passes["discriminator"] + again}

    def discriminator_step(self, real):
        batches = {"real": real, "fake": self.sample_beside(real)}
        perturbations = self._read(batch_size(real))
        phases = [("real",), ("fake",)] if self.separate_updates else [("real", "fake")]
        logs = []
        for phase in phases * self.adversarial_steps:
            inputs = [_prepared(batches[name], perturbations.get(name), name in phase) for name in batches]
            values, gradients, slopes = self.in_micro_batches(self.perturbed_gradients, *inputs, rows=1)
            perturbations |= {name: self.uphill(perturbations[name], slopes[name]) for name in slopes}
            gradients = distribute.mean(gradients)
            self.update_discriminator(gradients)
            logs.append(values | {"d/gradient_norm": tf.linalg.global_norm(gradients)})
        self._write(perturbations)
        return {name: sum(log[name] for log in logs) / len(logs) for name in logs[0]}

    def perturbed_gradients(self, real, fake):
        """As `discriminator_gradients`, of a batch's images with its "perturbation" on, if it has one; and slopes.

        The slopes, {"real": [N, H, W, C], "fake": ...} as far as there are perturbations, are the gradients at the
        perturbed images, which are taken after they are clipped to [-1, 1]. A batch that is "fixed" gives no
        gradient.
        """
        batches = {"real": _perturbed(real), "fake": _perturbed(fake)}
        images = {
            name: batch["images"]
            for name, batch in batches.items()
            if "perturbation" in batch and "fixed" not in batch
        }
        variables = [v.value for v in self.step_variables("discriminator")]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([*variables, *images.values()])
            values, measures = self.discriminator_terms(*batches.values())
            total = losses.total(list(values.values()))
        gradients, slopes = tape.gradient(total, (variables, images), unconnected_gradients="zero")
        return values | measures, gradients, slopes

    def with_outputs(self, real, fake):
        batches = super().with_outputs(real, fake)
        return tuple(
            batch | {"outputs": tf.nest.map_structure(tf.stop_gradient, batch["outputs"])}
            if "fixed" in batch
            else batch
            for batch in batches
        )

    def uphill(self, perturbation, slope):
        """The perturbation [N, ...] after one step up the slope [N, ...] of the loss, and back within bounds."""
        if self.perturbation_norm == "linf":
            direction = tf.sign(slope)
        else:
            direction = tf.math.divide_no_nan(slope, _norms(slope))
        direction = tf.cast(direction, perturbation.dtype)  # images may be float64
        return self.within_bounds(perturbation + self.perturbation_step * direction)

    def within_bounds(self, perturbation):
        """The nearest perturbation [N, ...] within the radius."""
        if self.perturbation_norm == "linf":
            return tf.clip_by_value(perturbation, -self.perturbation_radius, self.perturbation_radius)
        return perturbation * tf.minimum(
            1.0, self.perturbation_radius / (_norms(perturbation) + _SMALLEST_NORM)
        )

    def _read(self, count):
        """This replica's perturbations of the first `count` places of the batch."""
        self.require_places()
        if isinstance(count, int):
            self.check_batch(count * distribute.num_replicas())
        return {name: tf.convert_to_tensor(v.value)[:count] for name, v in self.perturbations.items()}

    def _write(self, perturbations):
        for name, value in perturbations.items():
            variable = self.perturbations[name]
            rest = tf.convert_to_tensor(variable.value)[tf.shape(value)[0] :]
            variable.assign(tf.ensure_shape(tf.concat([value, rest], 0), variable.shape))


def _prepared(batch, perturbation, counts):
    """A batch as `perturbed_gradients` takes it."""
    batch = batch if perturbation is None else batch | {"perturbation": perturbation}
    return batch if counts else batch | {"fixed": True}


def _perturbed(batch):
    """The batch with its perturbation added; images [N, H, W, C] stay in [-1, 1], points may lie anywhere."""
    if "perturbation" not in batch:
        return batch
    images = batch["images"] + tf.cast(batch["perturbation"], batch["images"].dtype)
    return batch | {"images": tf.clip_by_value(images, -1.0, 1.0) if images.shape.rank == 4 else images}


def _norms(images):
    """The L2 norm of each image, [N, 1, ...]."""
    return tf.sqrt(tf.reduce_sum(tf.square(images), list(range(1, images.shape.rank)), keepdims=True))
