"""RGGAN: any GAN, both of whose networks are masked by thresholds while evaluations get better."""

import contextlib

import tensorflow as tf

from tfgans import distribute, keras_internals, optimizers, pruning
from tfgans.config import ConfigError, NotNegative, Share, configurable
from tfgans.gan import GAN
from tfgans.gan.average import clone
from tfgans.gan.fitting.compatibility import checked_optimizers
from tfgans.layers.gates import gated
from tfgans.methods.rggan.switch import Switch
from tfgans.methods.rggan.thresholds import Thresholds, guarded, masked, penalty

_NETWORKS = ("generator", "discriminator")
_DENSE = "rggan/dense"


@configurable
class RGGAN(GAN):
    """Masks kernels below thresholds that rise, in both networks, and lets all come back when FID rises (RG-GAN).

    After the published code (IntellicentAI-Lab, 2024). Each output channel or unit of a dense or convolution layer
    has a threshold t, 0 at first. In a sparse step a forward sees w where |w| > t, and 0 elsewhere; the gradients of
    masked entries are 0; biases and norms are never masked. Of a spectrally normalised kernel it is w / sigma that is
    compared and masked, sigma being that of the whole w. Masked entries keep their values, and have them when they
    come back. A layer of which no more than `collapse_guard` is kept has its thresholds set to 0 for good.

    Thresholds move by an optimizer of the same kind as their network's, by the gradient of the regulariser
    `threshold_weight` * sum exp(-t), which is added to the losses of sparse steps. Through Adam's epsilon that is
    slow: 2e-8 a step with the defaults, a learning rate of 2e-4 and an epsilon of 1e-8.

    After each evaluation both networks are sparse or dense until the next: dense if the last FID is above the mean of
    the last five with weights 0.1, 0.1, 0.2, 0.2 and 0.4; sparse before there are five. The row at step 0 does not
    count. A run tells the model its rows; else call `evaluated(step, {"fid": ...})`.

    The averaged generator has averages of the thresholds, and is masked by them while the run is sparse. A run ends
    with a `sparse` and a `dense` generator besides. The logs have `rggan/dense` (1 in a dense step) and each
    network's `rggan/<network>_density`, the share of its trainable weights that is not masked. Cost: a few passes
    over the weights; masked weights are computed with like others.

    The paper and its code differ: the paper's thresholds are trained by the losses and weights come back when they
    become important; in the code the mask cuts the graph, so that thresholds only rise, by the same amount in all
    channels, and weights come back only in dense phases or by the guard. `straight_through` is the paper's way, with
    the code's derivative of a step (`soft_step`), which never acts there.

    Args:
        threshold_weight: lambda; 0 is the base. The code's default is 1e-12, its example has 1e-13.
        collapse_guard: share of a layer's entries at or below which its thresholds are set to 0.
        straight_through: let the losses move the thresholds.
    Raises: ConfigError if a value leaves its range, a network has no kernels, the generator has spectral
        normalisation (what is masked could not be handed over), or the discriminator has it and recomputes; in
        `compile`, with several workers, as one alone evaluates.
    """

    thresholds = ()  # none while the base looks at the networks

    def __init__(
        self,
        generator,
        discriminator,
        threshold_weight: NotNegative = 1e-12,
        collapse_guard: Share = 0.01,
        straight_through: bool = False,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.threshold_weight, self.collapse_guard = threshold_weight, collapse_guard
        self.straight_through, self.thresholds = straight_through, {}
        if not threshold_weight:
            return
        for layer in keras_internals.layers_of(self.generator):
            if hasattr(layer, "normalized_kernel"):
                raise ConfigError(f"RGGAN: the generator has spectral normalisation, in {layer.name}")
        _refuse_recomputed(self.discriminator)
        self.thresholds = {name: Thresholds(self, name) for name in _NETWORKS}
        self.mode_switch = Switch(self, "rggan")
        self.was_dense = self.add_weight(
            name="rggan_was_dense", shape=(), dtype="bool", initializer="zeros", trainable=False
        )
        self.average_thresholds = []
        if self.ema_generator is not None:
            values = self.thresholds["generator"].values
            self.average_thresholds = [self.add_like(t, "rggan_average_threshold") for t in values]

    def kept_by_place(self):
        return super().kept_by_place() + (("RGGAN.threshold_weight",) if self.thresholds else ())

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        if self.thresholds and distribute.workers() > 1:
            raise ConfigError("RGGAN is for one worker: the others would not know the evaluations")
        optimizer, discriminator_optimizer = checked_optimizers(optimizer, discriminator_optimizer)
        self._threshold_optimizers = {}
        own = {"generator": optimizer, "discriminator": discriminator_optimizer}
        with self.distribute_strategy.scope():
            for name, thresholds in self.thresholds.items():
                copy = optimizers.same_kind(own[name], thresholds.values, self.initial_rate(own[name]))
                self._threshold_optimizers[f"{name}_thresholds"] = copy
        super().compile(optimizer, discriminator_optimizer, **options)

    def optimizers(self):
        return super().optimizers() | self._threshold_optimizers

    # Sparse and dense

    def step_variant(self, step):
        variant = super().step_variant(step)
        return variant if not self.thresholds or self.mode_switch.is_sparse() else (*variant, _DENSE)

    def evaluated(self, step, metrics):
        super().evaluated(step, metrics)
        if self.thresholds and step and "fid" in metrics:
            self.mode_switch.record(step, metrics["fid"])

    def _is_sparse(self):
        return bool(self.thresholds) and _DENSE not in self.variant

    def train_step(self, data):
        if not self.thresholds:
            return super().train_step(data)
        self.was_dense.assign(not self._is_sparse())
        logs = super().train_step(data)
        for name in _NETWORKS:
            logs |= self._density_logs(name)
        return logs | {"rggan/dense": tf.constant(0.0 if self._is_sparse() else 1.0)}

    # Forwards

    def _masked(self, name, applies=True):
        if not (applies and self._is_sparse()):
            return contextlib.nullcontext()
        return gated(getattr(self, name), self.thresholds[name].gates(self.straight_through))

    @contextlib.contextmanager
    def generator_forward(self, training=False, generator=None):
        trains = training and (generator is None or generator is self.generator)
        # Others are masked in place, see `presented`.
        with super().generator_forward(training, generator), self._masked("generator", trains):
            yield

    def discriminate(self, batch, training=False):
        with self._masked("discriminator"):
            return super().discriminate(batch, training)

    @contextlib.contextmanager
    def presented(self, network):
        with super().presented(network) as network:
            found = self._thresholds_of(network)
            if not found or bool(self.was_dense.numpy()):
                yield network
                return
            kernels = [network.trainable_variables[place] for place in self.thresholds["generator"].places]
            kept = [tf.identity(kernel.value) for kernel in kernels]
            try:
                self._mask(network, found)
                yield network
            finally:
                for kernel, value in zip(kernels, kept, strict=True):
                    kernel.assign(value)

    def _thresholds_of(self, network):
        if not self.thresholds or network not in (self.generator, self.ema_generator):
            return []
        return self.thresholds["generator"].values if network is self.generator else self.average_thresholds

    def _mask(self, network, values):
        """Sets a generator's masked entries to 0."""
        for place, threshold in zip(self.thresholds["generator"].places, values, strict=True):
            kernel = network.trainable_variables[place]
            value, t = tf.convert_to_tensor(kernel.value), tf.convert_to_tensor(threshold.value)
            kernel.assign(masked(value, guarded(value, t, self.collapse_guard)))

    # Updates

    def step_variables(self, name):
        own = self.thresholds[name].values if self.straight_through and self._is_sparse() else []
        return super().step_variables(name) + own

    def discriminator_losses(self, real, fake):
        return super().discriminator_losses(real, fake) | self._regularizer("discriminator")

    def generator_losses(self, real, fake):
        return super().generator_losses(real, fake) | self._regularizer("generator")

    def _regularizer(self, name):
        if not self._is_sparse():
            return {}
        return {f"{name[0]}/thresholds": self.threshold_weight * penalty(self.thresholds[name].values)}

    def update_discriminator(self, gradients, regularizer=False):
        given = self._before_update("discriminator", gradients, not regularizer)
        super().update_discriminator(given, regularizer)
        self._guard("discriminator")

    def update_generator(self, gradients, regularizer=False):
        given = self._before_update("generator", gradients, not regularizer)
        super().update_generator(given, regularizer)
        self._guard("generator")

    def _before_update(self, name, gradients, moves=True):
        """Moves the thresholds; the gradients of the weights, masked in a sparse step."""
        if not self.thresholds:
            return gradients
        thresholds, kind = self.thresholds[name], type(gradients)
        variables = getattr(self, name).trainable_variables
        own = kind()
        if len(gradients) > len(variables):  # of `step_variables`
            count = len(gradients) - len(thresholds.values)
            gradients, own = kind(gradients[:count]), kind(gradients[count:])
        if self._is_sparse():
            gradients = pruning.masked_gradients(variables, gradients, thresholds.places, thresholds.pruned())
        if moves:
            weight = self.threshold_weight if self._is_sparse() else 0.0
            slopes = [-weight * tf.exp(-tf.convert_to_tensor(t.value)) for t in thresholds.values]
            distribute.apply_means(
                self._threshold_optimizers[f"{name}_thresholds"], own or kind(slopes), thresholds.values
            )
        return gradients

    def _guard(self, name):
        if self._is_sparse():
            self.thresholds[name].guard(self.collapse_guard)

    def update_average(self, count):
        if self.thresholds and self.average_thresholds:
            keep = self.average_decay(count * distribute.num_replicas())
            distribute.update_each(
                self.average_thresholds,
                self.thresholds["generator"].values,
                lambda old, new: new + tf.cast(keep, new.dtype) * (old - new),
            )
        super().update_average(count)

    # What is left

    def _density_logs(self, name):
        if not self._is_sparse():
            one = tf.constant(1.0)
            return {f"rggan/{name}_density": one, f"rggan/{name}_macs_kept": one}
        places = self.thresholds[name].places
        sizes, shares, macs = pruning.mask_logs(self, name, places, self.thresholds[name].pruned())
        density = pruning.weighted_density(sizes, places, shares)
        return {f"rggan/{name}_density": density, f"rggan/{name}_macs_kept": macs}

    def kept_share(self, name, step, logs=None):
        share = super().kept_share(name, step, logs)
        return share if not self.thresholds or logs is None else share * logs[f"rggan/{name}_macs_kept"]

    def densities(self):
        """{"<network>/<path>": share of a kernel's entries that are above their thresholds} of the live networks."""
        return super().densities() | {
            f"{name}/{layer.kernel.path}": 1.0 - float(tf.reduce_mean(tf.cast(pruned, tf.float64)))
            for name, thresholds in self.thresholds.items()
            for layer, pruned in zip(thresholds.layers, thresholds.pruned(), strict=True)
        }

    def part_names(self):
        trained = self.thresholds and int(self.step.numpy()) > 0
        return (*super().part_names(), *(("sparse", "dense") if trained else ()))

    def part(self, name):
        if name not in ("sparse", "dense") or not self.thresholds:
            return super().part(name)
        shown = self._shown()
        network = clone(shown)
        if name == "sparse":
            self._mask(network, self._thresholds_of(shown))
        return self.settled(network)

    def part_report(self, name, network):
        if name != "sparse" or not self.thresholds:
            return super().part_report(name, network)
        places, variables = self.thresholds["generator"].places, network.trainable_variables
        shares = {
            f"generator/{variables[i].path}": float(
                tf.reduce_mean(tf.cast(variables[i].value != 0, tf.float64))
            )
            for i in places
        }
        return pruning.density_report(network, shares)


def _refuse_recomputed(network):
    """Now, what `layers.recompute` would refuse in the first step: kernels that are masked after their sigma."""
    layers = keras_internals.layers_of(network)
    recomputed = [layer.name for layer in layers if getattr(layer, "recompute", False)]
    if recomputed and any(hasattr(layer, "normalized_kernel") for layer in layers):
        raise ConfigError(
            "RGGAN: a discriminator with spectral normalisation goes without recompute, which it has in "
            f"{recomputed[0]}"
        )
