"""The adversary's assistant (AdvAs; Munk, Harvey, Wood, 2020): a generator that keeps its discriminator optimal.

Departures from the paper: its Eq. 15 adds a variance that belongs subtracted, so `unbiased` here is mean(g^2) less
the variance; its Algorithm 1 names the discriminator's weights where the generator's are meant.
"""

import inspect

import keras
import tensorflow as tf

from tfgans import distribute, losses
from tfgans.config import ConfigError, Function, NotNegative, configurable
from tfgans.gan import GAN, batch_size
from tfgans.layers.state import frozen_state, mixes_samples

_ESTIMATORS = ("biased", "unbiased", "split_half")
_OWN_TERMS = ("g/adversarial", "g/class")  # the generator's loss itself; methods add regularisers to it
_SMALLEST_NORM = 1e-12


@configurable
class AdvAsGAN(GAN):
    """Adds lambda * r to the generator's loss: r is the squared gradient norm of the discriminator's (Eq. 8).

    That gradient is by all of the discriminator's weights, of its whole loss: class terms and the penalties of other
    methods are a part of it. r is of the global batch, and one discriminator forward on the fakes serves the
    generator's loss as well. The discriminator's weights, statistics, spectral vectors and optimizer stay as they
    are. The step's logs have `g/advas_r`, `g/advas_lambda`, and the norms of the generator's gradients of its own
    loss (`g/adversarial_gradient_norm`) and of r (`g/advas_gradient_norm`).

    Cost of a generator step, in forwards of either network, which cost the same: 16 (30 with a gradient penalty)
    where the base's is 5; with a fixed weight and `advas_norms=False` 13 (27). `unbiased` makes them one pair at a
    time. In micro-batches (`accumulation_steps`) r is of the whole batch, too: the discriminator's gradients are then
    taken once more before, 7 forwards (13). XLA does not compile the generator's step on several replicas, which
    exchange gradients in it, unless it is in micro-batches, nor with `unbiased`.

    Args:
        advas_weight: lambda; None is min(1, |g_loss| / |g_r|), with gradients by all of the generator's weights
            (Eq. 11), which leaves out what other methods add to the generator's loss; 0 is the base.
        advas_alone: minimise r and nothing else of the generator's loss (appendix C.3); None then stands for 1.
        advas_estimator: `biased` is the squared norm of the batch's mean gradient (Eq. 19), as in all published
            runs; `unbiased` takes the gradient of each pair of a real and a fake image; `split_half` is the product
            of the gradients of the even and of the odd pairs, unbiased too. The last two may be negative, and
            refuse a discriminator that mixes the samples of its batch, or whose loss does.
        advas_loss: function of logits in place of the discriminator's loss within r; None is that loss, but for
            the hinge loss without its truncation, as published.
        detach_penalties: penalties count in r, but as if the fakes they are taken at were given. Saves third
            derivatives; for piecewise linear discriminators without norms it changes nothing.
        fresh_real_batch: r has a real batch of its own, one more each step; False takes the last one of the
            discriminator. Losses of pairs bring such a batch in any case.
        advas_norms: False leaves the norms out of the logs where lambda does not need them.
    Raises: ConfigError if a value leaves its range; in `compile`, if the loss mixes samples and must not.
    """

    replaces = ("generator_gradients",)

    def __init__(
        self,
        generator,
        discriminator,
        advas_weight: NotNegative | None = None,
        advas_alone: bool = False,
        advas_estimator: str = "biased",
        advas_loss: Function("@hinge_discriminator") | None = None,
        detach_penalties: bool = False,
        fresh_real_batch: bool = False,
        advas_norms: bool = True,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        if advas_weight is not None and not 0.0 <= advas_weight < float("inf"):
            raise ConfigError(f"AdvAsGAN.advas_weight is None or at least 0. Received: {advas_weight}")
        if advas_weight == 0 and advas_alone:
            raise ConfigError("AdvAsGAN.advas_alone needs an advas_weight other than 0")
        if advas_estimator not in _ESTIMATORS:
            raise ConfigError(
                f"AdvAsGAN.advas_estimator is one of {', '.join(_ESTIMATORS)}. Received: {advas_estimator!r}"
            )
        if advas_estimator != "biased" and mixes_samples(discriminator):
            raise ConfigError(
                f"AdvAsGAN.advas_estimator = {advas_estimator!r} needs a discriminator that does not mix its samples"
            )
        self.advas_weight = 1.0 if advas_alone and advas_weight is None else advas_weight
        self.advas_alone, self.advas_estimator, self.advas_norms = advas_alone, advas_estimator, advas_norms
        self.advas_loss = advas_loss or untruncated(self.discriminator_loss)
        self.detach_penalties, self.fresh_real_batch = detach_penalties, fresh_real_batch

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        mixing = self.whole_batch_options("discriminator") if self.advas_weight != 0 else ()
        if self.advas_estimator != "biased" and mixing:
            raise ConfigError(
                f"AdvAsGAN.advas_estimator = {self.advas_estimator!r} needs a discriminator's loss that is a mean "
                f"over pairs of images, which it is not by {mixing[0]}"
            )
        if self.advas_weight != 0 and not self.discriminator.trainable_variables:
            raise ConfigError(f"AdvAsGAN needs weights that train in {self.discriminator.name}: it has none")
        super().compile(optimizer, discriminator_optimizer, **options)

    def check_batch(self, count):
        super().check_batch(count)
        shares = self.distribute_strategy.num_replicas_in_sync * self.accumulation_steps
        if self.advas_weight != 0 and self.advas_estimator != "biased":
            self._check_groups(count // shares, shares)

    def _check_groups(self, count, shares):
        """Refuses `count` images on each replica and in each micro-batch that the estimator cannot take."""
        if self.advas_estimator == "split_half":
            taken, wanted = count % 2 == 0, "an even number of images of each replica and micro-batch"
        else:
            taken, wanted = count * shares >= 2, "2 images or more"
        if not taken:
            raise ConfigError(
                f"AdvAsGAN.advas_estimator = {self.advas_estimator!r} takes {wanted}. Received: {count}"
            )

    @property
    def batches_per_step(self):
        own = self.fresh_real_batch and self.advas_weight != 0 and not self.of_pairs
        return super().batches_per_step + own

    def training_passes(self):
        passes = super().training_passes()
        if self.advas_weight == 0:
            return passes
        ratio, both = self.generator_batch_ratio, self.advas_weight is None or self.advas_norms
        penalties = self.penalty_passes(by_fakes=not self.detach_penalties)
        first = 0 if self.accumulation_steps == 1 else 6 + self.penalty_passes()  # of `r_statistics`
        return {
            "generator": passes["generator"] + ratio * (2 * both + bool(first)),
            "discriminator": passes["discriminator"] + ratio * (8 + both + penalties + first),
        }

    def xla(self, function):
        # XLA can compile neither what replicas exchange, nor gradients of a loop's gradients.
        exchanges = distribute.num_replicas() > 1 and function == self.generator_gradients
        loops = self.advas_estimator == "unbiased" and function in (
            self.generator_gradients,
            self.r_statistics,
            self.parts_of_gradients,
        )
        return function if exchanges or loops else super().xla(function)

    def generator_gradients(self, real, latents):
        """Losses and measures by name, and lambda * dr + dL by each variable of the generator."""
        if self.advas_weight == 0:
            return GAN.generator_gradients(self, real, latents)
        return self.weighed(*self._parts_of_gradients(real, latents, self.outputs_and_r))

    def batch_generator_gradients(self, real, latents):
        if self.advas_weight == 0 or self.accumulation_steps == 1:
            return super().batch_generator_gradients(real, latents)
        # r is no mean over images, but a function of such means: what it changes by with each is found first.
        means = distribute.mean(self.in_micro_batches(self.r_statistics, real, latents, moves=False))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(means))
            r = self.r_of(means, batch_size(real))
        slopes = tape.gradient(r, list(means))
        values, parts = self.in_micro_batches(self.parts_of_gradients, real, latents, slopes)
        return self.weighed(values | {"g/advas_r": r}, parts)

    def r_statistics(self, real, latents):
        """The means over images that r is a function of, see `r_of`."""
        return self.outputs_and_statistics(real, latents | self.fake_images(latents))[1]

    def parts_of_gradients(self, real, latents, slopes):
        """As `weighed` takes it, of one of several micro-batches; `slopes`: dr by each of `r_statistics` of all."""

        def outputs_and_r(real, fake):
            outputs, found = self.outputs_and_statistics(real, fake)
            return outputs, _product(slopes, found)

        return self._parts_of_gradients(real, latents, outputs_and_r)

    def _parts_of_gradients(self, real, latents, outputs_and_r):
        variables = [v.value for v in self.step_variables("generator")]
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(variables)
            fake = latents | self.fake_images(latents)
            outputs, r = outputs_and_r(real, fake)
            fake = fake | {"outputs": outputs}
            terms = self.generator_losses(real, fake)
            own = losses.total([terms[name] for name in _OWN_TERMS if name in terms])
            others = [value for name, value in terms.items() if name not in _OWN_TERMS]
            added = [losses.total(others)] if others else []
            given = [(self.advas_weight or 0.0) * r, *([] if self.advas_alone else [own]), *added]
            given = tf.add_n([tf.cast(value, r.dtype) for value in given])
        values = terms | self.generator_measures(real, fake) | {"g/advas_r": r}
        alone = self.advas_weight is not None and not self.advas_norms
        minimised = [given] if alone else [own, r, *added]
        return values, [_dense(tape.gradient(loss, variables, None, "zero")) for loss in minimised]

    def weighed(self, values, parts):
        """The logs and the update's gradients.

        Args:
            values: losses and measures.
            parts: gradients by the generator's variables of what is minimised, where lambda and its norms need not be
                known; else of its own loss, of r, and of what other methods add, if they do.
        """
        parts = [distribute.mean(part) for part in parts]
        if self.advas_weight is not None and not self.advas_norms:
            return values | {"g/advas_lambda": tf.constant(self.advas_weight)}, parts[0]
        weight, norms = self.balance(*parts[:2])
        total = _combined(parts, [0.0 if self.advas_alone else 1.0, weight, 1.0])
        return values | norms | {"g/advas_lambda": weight}, total

    def balance(self, loss_gradients, r_gradients):
        """Lambda, a scalar, and both norms by the names of their logs."""
        loss_norm, r_norm = tf.linalg.global_norm(loss_gradients), tf.linalg.global_norm(r_gradients)
        if self.advas_weight is None:
            ratio = loss_norm / tf.maximum(r_norm, tf.cast(_SMALLEST_NORM, r_norm.dtype))
            weight = tf.minimum(ratio, tf.ones_like(ratio))
        else:
            weight = tf.cast(self.advas_weight, r_norm.dtype)
        return weight, {"g/adversarial_gradient_norm": loss_norm, "g/advas_gradient_norm": r_norm}

    def outputs_and_r(self, real, fake):
        """The discriminator's outputs for the fakes, and r of the global batch, a scalar."""
        outputs, found = self.outputs_and_statistics(real, fake)
        return outputs, self.r_of(distribute.mean(found), batch_size(real))

    def outputs_and_statistics(self, real, fake):
        """The discriminator's outputs for the fakes, and means over images that r is a function of.

        These are the gradients of the discriminator's loss, one a variable of it; with `split_half` [2, ...] of both
        halves; with `unbiased` there is the mean squared norm of a pair's gradient besides, the last.
        """
        if self.advas_estimator == "biased":
            return self.adversary_gradients(real, fake, self.freeze_discriminator_state)
        count = batch_size(real)
        split = self.advas_estimator == "split_half"
        groups = 2 if split else count
        if isinstance(count, int):
            self._check_groups(count, distribute.num_replicas() * self.accumulation_steps)
        outputs, gradients = self.group_gradients(
            *(self._batch_in_groups(batch, count, groups) for batch in (real, fake))
        )
        outputs = {name: _from_groups(value, count) for name, value in outputs.items()}
        if split:
            return outputs, gradients
        squares = tf.add_n([tf.reduce_sum(tf.square(g)) for g in gradients])
        return outputs, [*(tf.reduce_mean(g, 0) for g in gradients), squares / tf.cast(count, squares.dtype)]

    def _batch_in_groups(self, batch, count, groups):
        """A batch's values as `_in_groups` has them; each group has what all images share."""
        shared = self.shared_entries()
        return {
            name: tf.repeat(x[None], groups, 0)
            if name.partition("/")[0] in shared
            else _in_groups(x, count, groups)
            for name, x in batch.items()
            if x is not None
        }

    def r_of(self, means, count):
        """r, a scalar, of means over the global batch, of which this replica has `count` real images."""
        if self.advas_estimator == "biased":
            return _product(means, means)
        if self.advas_estimator == "split_half":
            return _product(*zip(*[tf.unstack(g, 2) for g in means], strict=True))
        *mean, squares = means
        total = tf.cast(count, squares.dtype) * distribute.num_replicas()
        return (total * _product(mean, mean) - squares) / (total - 1.0)

    def group_gradients(self, real, fake):
        """`adversary_gradients` of each group, for batches whose values are [groups, n, ...]; [groups, ...]."""
        unlabelled = {"labels": None}  # unless there are some

        def of_group(batches):
            return self.adversary_gradients(*(unlabelled | batch for batch in batches))

        if self.advas_estimator == "split_half":  # not by a loop, so that XLA compiles it
            halves = [of_group((_group(real, index), _group(fake, index))) for index in range(2)]
            return tf.nest.map_structure(lambda *both: tf.stack(both), *halves)
        one = {name: keras.KerasTensor(x.shape[1:], x.dtype.name) for name, x in fake.items()}
        outputs = self.discriminate(unlabelled | one)
        weights = self.discriminator.trainable_variables
        return tf.map_fn(
            of_group,
            (real, fake),
            fn_output_signature=(
                {name: tf.TensorSpec(x.shape, x.dtype) for name, x in outputs.items()},
                [tf.TensorSpec(v.shape, v.dtype) for v in weights],
            ),
        )

    def adversary_gradients(self, real, fake, frozen=True):
        """The outputs for the fakes, and the gradients of the discriminator's loss, one a variable of it.

        Args: frozen: False lets the forward of the fakes move the discriminator's state.
        """
        variables = [v.value for v in self.discriminator.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            outputs = None if frozen else self.discriminate(fake, training=True)
            with frozen_state():
                outputs = self.discriminate(fake, training=True) if frozen else outputs
                real = real | {"outputs": self.discriminate(real, training=True)}
                images = tf.stop_gradient(fake["images"]) if self.detach_penalties else fake["images"]
                terms = self.discriminator_losses(real, fake | {"outputs": outputs, "images": images})
            logits = real["outputs"]["adversarial"], outputs["adversarial"]
            terms |= {"d/adversarial": self.advas_loss(*logits)}
            total = losses.total(list(terms.values()))
        return outputs, _dense(tape.gradient(total, variables, unconnected_gradients="zero"))


def untruncated(loss):
    """A discriminator's loss as it is within r: for the hinge loss the one without truncation."""
    hinge = inspect.unwrap(loss) is inspect.unwrap(losses.hinge_discriminator)
    return losses.untruncated_hinge_discriminator if hinge else loss


def _dense(gradients):
    return [tf.convert_to_tensor(gradient) for gradient in gradients]  # an embedding's is sparse


def _product(first, second):
    """The inner product of two lists of tensors."""
    return tf.add_n([tf.reduce_sum(a * b) for a, b in zip(first, second, strict=True)])


def _combined(parts, weights):
    """The weighted sum of lists of tensors, of their kind."""
    rows = zip(*parts, strict=True)
    return type(parts[0])(
        tf.add_n([tf.cast(w, x.dtype) * x for w, x in zip(weights, row)])  # noqa: B905
        for row in rows
    )


def _group(batch, index):
    """One of two groups of a batch whose values are [2, n, ...]."""
    return {name: tf.unstack(value, 2)[index] for name, value in batch.items()}


def _in_groups(tensor, count, groups):
    """[count * k, ...] -> [groups, count / groups * k, ...]; pair n, k rows of it, goes to group n mod groups."""
    shape = tf.shape(tensor)[1:]
    tensor = tf.reshape(tensor, tf.concat([[count // groups, groups, -1], shape], 0))
    tensor = tf.experimental.numpy.swapaxes(tensor, 0, 1)
    return tf.reshape(tensor, tf.concat([[groups, -1], shape], 0))


def _from_groups(tensor, count):
    """The inverse of `_in_groups`."""
    groups, shape = tensor.shape[0] or tf.shape(tensor)[0], tf.shape(tensor)[2:]
    tensor = tf.reshape(tensor, tf.concat([[groups, count // groups, -1], shape], 0))
    tensor = tf.experimental.numpy.swapaxes(tensor, 0, 1)
    return tf.reshape(tensor, tf.concat([[-1], shape], 0))
