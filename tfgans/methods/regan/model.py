"""ReGAN: any GAN, with weights pruned and grown again while it trains."""

import contextlib
import math
import re

import tensorflow as tf

from tfgans import checkpoint, distribute, philox, pruning, schedules
from tfgans.config import ConfigError, Count, Natural, NotNegative, OneOf, Within, configurable
from tfgans.gan import GAN
from tfgans.gan.fitting.compatibility import checked_optimizers
from tfgans.methods.regan.mask import pruned_count, pruned_entries
from tfgans.methods.regan.pair import Pair
from tfgans.methods.regan.schedule import DENSE, SPARSE, WARM_UP, PhaseSchedule, Present
from tfgans.pruning import zeroed

PHASES = (WARM_UP, SPARSE, DENSE)  # in the logs a phase is its place here
_NETWORKS = {
    "generator": ("generator",),
    "discriminator": ("discriminator",),
    "both": ("generator", "discriminator"),
}
_TENSORS, _REGROW = ("all", "kernels"), ("zero", "initializer")


@configurable
class ReGAN(Pair, GAN):
    """Prunes the generator for a while, lets it grow again, and so on (Re-GAN; Saxena et al., CVPR 2023).

    After a dense warm-up, sparse and dense phases take turns (`PhaseSchedule`). Through a sparse phase the share
    `sparsity` of each weight tensor that is least in magnitude is set to 0, and so is its gradient, right before each
    update by the optimizer; nothing is set to 0 after it. So, as in the authors' code: the first step of a sparse
    phase still makes its images with the dense weights; with momentum (Adam's beta_1 above 0) pruned weights leave 0
    in between, for which there is `mask_after_update`; the optimizer's moments stay; and pruned weights start to
    grow from 0. Masks are found anew at the start of every sparse phase, and see `rederive_masks`.

    Training ends with a pair of generators, a `sparse` and a `dense` one (`part`): that of the present phase, and
    that of the phase before as it left it, of which the model keeps a copy.

    The phase follows from the number of updates done, and masks are weights of the model: a run goes on exactly,
    also within a sparse phase. All replicas have the same masks. Each update has the learning rate that schedules and
    callbacks set, times its phase's factor: factors of successive phases do not multiply up. The rate that the
    optimizer shows between updates is without the factor.

    The logs have `regan/phase` (0 warm-up, 1 sparse, 2 dense), `regan/learning_rate_factor`, and `regan/density`,
    the share of the pruned networks' trainable weights that is not masked. Cost: in a sparse step a pass over the
    weights, and a sort of each where masks are found; pruned weights are computed with like others.

    The paper's text and its code differ: its Algorithm 1 prunes in single steps, lets the learning rate fall for
    good, and has both networks; here is what the code does. The paper prunes 10 %, and 30 % on FFHQ.

    Args:
        sparsity: share of each tensor that is pruned, in [0, 1); 0 is the base.
        warm_up_length, sparse_length, dense_length: units before the first sparse phase, and in each phase; None
            takes the sparse phase's length for the dense one, 0 never grows.
        length_unit: generator updates in a unit: 1 for iterations, the updates of an epoch for epochs.
        late_start: the first sparse phase has a unit more, at the warm-up's rate (the code's StyleGAN2).
        rederive_masks: find the masks anew at every unit of a sparse phase, as the code does; False only when it
            begins. It makes a difference where pruned weights have left 0.
        sparse_rate, dense_rate: factors on the learning rate. The code's StyleGAN2 leaves lazy regularization
            (`lazy_adam` with an interval of 4) out of it after the warm-up: 1.25 and 0.125. A dense rate of 1 is
            Re-SNGAN-lr.
        pruned_networks: `generator`, `discriminator` or `both`. It is pruned networks whose rates change. Of a
            spectrally normalised layer the raw weight is masked.
        pruned_tensors: `all` takes every trainable tensor, biases, norms' scales and constants too, as the code does;
            `kernels` only kernels.
        include_tensors, exclude_tensors: regular expressions searched in a tensor's path, such as
            "synthesis/up8/noise/strength"; None takes all and leaves out none. StyleGAN2 excludes "to_rgb".
        regrow: `zero` grows pruned weights from 0; `initializer` gives them, as a dense phase begins, values drawn
            from their tensor's entries when the model was made, that is from its initializer's distribution
            (Re-SNGAN-RI). It keeps a copy of those entries in the model.
        mask_after_update: set pruned weights to 0 after the optimizer's update as well.
        mask_regularizer_steps: mask the generator's updates that regularize it by themselves too, such as
            `PathLengthGAN`'s; the code does not, so that pruned weights leave 0 there. All updates of a pruned
            discriminator are masked.
        mask_average: set masked entries of the averaged generator to 0 together with the generator's, as the code
            does: it then grows slowly.
    Raises: ConfigError if a value leaves its range, no tensor is left to prune, or an optimizer has a learning-rate
        schedule of its own.
    """

    def __init__(
        self,
        generator,
        discriminator,
        sparsity: Within("[0, 1)") = 0.1,
        warm_up_length: Natural = 100,
        sparse_length: Count = 100,
        dense_length: Natural | None = None,
        length_unit: Count = 1,
        late_start: bool = False,
        rederive_masks: bool = True,
        sparse_rate: NotNegative = 1.0,
        dense_rate: NotNegative = 0.1,
        pruned_networks: OneOf(*_NETWORKS) = "generator",
        pruned_tensors: OneOf(*_TENSORS) = "all",
        include_tensors: str | None = None,
        exclude_tensors: str | None = None,
        regrow: OneOf(*_REGROW) = "zero",
        mask_after_update: bool = False,
        mask_regularizer_steps: bool = False,
        mask_average: bool = True,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        dense_length = sparse_length if dense_length is None else dense_length
        lengths = warm_up_length, sparse_length, dense_length, length_unit
        self.sparsity, self.pruning_schedule = sparsity, PhaseSchedule(*lengths, late_start)
        self.rederive_masks, self.regrow = rederive_masks, regrow
        self.rates = {WARM_UP: 1.0, SPARSE: float(sparse_rate), DENSE: float(dense_rate)}
        self.mask_after_update, self.mask_regularizer_steps = mask_after_update, mask_regularizer_steps
        self.mask_average, self._expected_kept = mask_average, {}
        self.pruned_networks = _NETWORKS[pruned_networks] if sparsity else ()
        self.pruned = {
            name: _chosen(getattr(self, name), pruned_tensors, include_tensors, exclude_tensors)
            for name in self.pruned_networks
        }
        if sparsity:
            self._add_masks()

    def _add_masks(self):
        """Weights of the model: a mask for each pruned tensor, True where pruned, and first entries if needed."""
        if not any(self.pruned.values()):
            raise ConfigError(
                "ReGAN: pruned_tensors, include_tensors and exclude_tensors leave nothing to prune"
            )
        self.masks, self.first_entries = {}, {}
        for name in self.pruned_networks:
            weights = self.pruned_weights(name)
            self.masks[name] = [self.add_like(w, f"{name}_mask", "bool") for w in weights]
            if self.regrow == "initializer":
                self.first_entries[name] = [
                    self.add_like(w, f"{name}_first_entries", value=w) for w in weights
                ]
        if "generator" in self.pruned_networks:
            self._add_kept()

    def kept_by_place(self):
        return super().kept_by_place() + (("ReGAN.sparsity",) if self.sparsity else ())

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        optimizer, discriminator_optimizer = checked_optimizers(optimizer, discriminator_optimizer)
        given = {"generator": optimizer, "discriminator": discriminator_optimizer}
        if set(self.rates.values()) != {1.0}:
            schedules.check_settable("ReGAN", {name: given[name] for name in self.pruned_networks})
        super().compile(optimizer, discriminator_optimizer, **options)

    # Phases

    def extra_updates(self, step):
        extras = super().extra_updates(step)
        if not self.sparsity:
            return extras
        schedule = self.pruning_schedule
        phase, begins = schedule.phase(step), schedule.begins(step)
        present = Present(
            phase,
            rate_factor=self.rates[schedule.rate_phase(step)],
            ended=schedule.phase(step - 1) if step and begins else None,
            derives=phase == SPARSE and (begins or (self.rederive_masks and schedule.begins_unit(step))),
            regrows=phase == DENSE and begins and self.regrow == "initializer",
        )
        return (*extras, present)

    def unreached(self, steps):
        lines, first = super().unreached(steps), self.pruning_schedule.first_sparse
        if not self.sparsity or steps > first:
            return lines
        line = f"ReGAN prunes from update {first + 1:,} on, after ReGAN.warm_up_length, and the run has {steps:,}"
        return (*lines, line)

    @property
    def present(self):
        """What pruning does in the step that is compiled or runs; the warm-up before there is one."""
        return next((extra for extra in self.extras if isinstance(extra, Present)), Present(WARM_UP))

    def train_step(self, data):
        if not self.sparsity:
            return super().train_step(data)
        present = self.present
        if present.ended and "generator" in self.pruned_networks:
            self.keep_generator(was_sparse=present.ended == SPARSE)
        if present.derives:
            self.derive_masks()
        if present.regrows:
            self.regrow_entries()
        return super().train_step(data) | {
            "regan/phase": tf.constant(float(PHASES.index(present.phase))),
            "regan/learning_rate_factor": tf.constant(present.rate_factor),
            **self.density_logs(),
        }

    # Weights

    def pruned_weights(self, name, average=False):
        """The tensors of the `generator` or `discriminator` that have masks; those of the averaged generator."""
        network = self.ema_generator if average else getattr(self, name)
        return [network.trainable_variables[index] for index in self.pruned[name]]

    def derive_masks(self):
        """Finds the masks by the present weights, which stay as they are."""
        for name in self.pruned_networks:
            distribute.update_each(
                self.masks[name], self.pruned_weights(name), lambda mask, w: pruned_entries(w, self.sparsity)
            )

    def regrow_entries(self):
        """Gives masked entries values drawn from the first ones of their tensor."""
        for name in self.pruned_networks:
            parts = self.pruned_weights(name), self.masks[name], self.first_entries[name]
            for index, (weight, mask, first) in enumerate(zip(*parts, strict=True)):
                first = tf.reshape(tf.convert_to_tensor(first.value), [-1])
                seed = self.stream(f"regan/regrow/{name}/{index}")
                chosen = philox.uniform(weight.shape, seed, first.shape[0], tf.int32)
                value = tf.convert_to_tensor(weight.value)
                weight.assign(tf.where(tf.convert_to_tensor(mask.value), tf.gather(first, chosen), value))

    def prune(self, name):
        """Sets masked entries of a network to 0, and with the generator's those of its average."""
        distribute.update_each(self.pruned_weights(name), self.masks[name], zeroed)
        if name == "generator" and self.mask_average and self.ema_generator is not None:
            distribute.update_each(self.pruned_weights(name, average=True), self.masks[name], zeroed)

    def masked_gradients(self, name, gradients):
        """Gradients, one for each trainable tensor of a network, with 0 in masked entries; None counts as 0."""
        variables = getattr(self, name).trainable_variables
        return pruning.masked_gradients(variables, gradients, self.pruned[name], self.masks[name])

    def update_generator(self, gradients, regularizer=False):
        masked = not regularizer or self.mask_regularizer_steps
        with self._masked_update("generator", gradients, masked) as given:
            super().update_generator(given, regularizer)

    def update_discriminator(self, gradients, regularizer=False):
        with self._masked_update("discriminator", gradients) as given:
            super().update_discriminator(given, regularizer)

    @contextlib.contextmanager
    def _masked_update(self, name, gradients, masked=True):
        """What surrounds an update: the masks in a sparse phase, and the phase's learning rate."""
        if name not in self.pruned_networks:
            yield gradients
            return
        masked = masked and self.present.phase == SPARSE
        if masked:
            self.prune(name)
            gradients = self.masked_gradients(name, gradients)
        with _scaled_rate(self.optimizers()[name], self.present.rate_factor):
            yield gradients
        if masked and self.mask_after_update:
            self.prune(name)

    # What is left

    def density_logs(self):
        """Shares of the pruned networks' trainable weights, and of their MACs if the step is sparse, with no mask."""
        if self.present.phase != SPARSE:
            return {"regan/density": tf.constant(1.0)}
        shares = {name: pruning.pruned_shares(self.masks[name]) for name in self.pruned_networks}
        sizes, places, logs = [], [], {}
        for name in self.pruned_networks:
            places += [len(sizes) + place for place in self.pruned[name]]
            sizes += [math.prod(v.shape) for v in getattr(self, name).trainable_variables]
            kept = pruning.weighted_density(self.macs_of(name), self.pruned[name], shares[name])
            logs[f"regan/{name}_macs_kept"] = kept
        return logs | {"regan/density": pruning.weighted_density(sizes, places, sum(shares.values(), []))}

    def kept_share(self, name, step, logs=None):
        share = super().kept_share(name, step, logs)
        if name not in self.pruned_networks or self.pruning_schedule.phase(step) != SPARSE:
            return share
        if logs is not None:
            return share * logs[f"regan/{name}_macs_kept"]
        key = name, self.variant
        if key not in self._expected_kept:
            macs, variables = self.macs_of(name), getattr(self, name).trainable_variables
            sizes = {i: math.prod(variables[i].shape) for i in self.pruned[name]}
            lost = sum(macs[i] * pruned_count(size, self.sparsity) / size for i, size in sizes.items())
            self._expected_kept[key] = 1.0 - lost / (sum(macs) or 1)
        return share * self._expected_kept[key]

    def densities(self):
        """{"<network>/<path>": share of a masked tensor's entries that its mask keeps}, for the masks found last."""
        return super().densities() | {
            f"{name}/{weight.path}": 1.0 - float(checkpoint.as_array(mask).mean())
            for name in self.pruned_networks
            for weight, mask in zip(self.pruned_weights(name), self.masks[name], strict=True)
        }


def _chosen(network, tensors, include, exclude):
    """The places, among a network's trainable tensors, of those to prune."""
    patterns = {}
    for name, pattern in (("include_tensors", include or ""), ("exclude_tensors", exclude or "$^")):
        try:
            patterns[name] = re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"ReGAN.{name} is a regular expression. Received: {pattern!r}") from error
    return [
        index
        for index, variable in enumerate(network.trainable_variables)
        if (tensors == "all" or variable.path.rsplit("/", 1)[-1].endswith("kernel"))
        and patterns["include_tensors"].search(variable.path)
        and not patterns["exclude_tensors"].search(variable.path)
    ]


@contextlib.contextmanager
def _scaled_rate(optimizer, factor):
    """Inside it the optimizer's learning rate is `factor` times what it is outside."""
    if factor == 1.0:
        yield
        return
    before = tf.identity(optimizer.learning_rate.value)
    optimizer.learning_rate.assign(before * factor)
    try:
        yield
    finally:
        optimizer.learning_rate.assign(before)
