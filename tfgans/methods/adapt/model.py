"""AdaptGAN: any GAN, sparse from the first step; masks move, the discriminator's density keeps a balance."""

import threading

import tensorflow as tf

from tfgans import distribute, philox, pruning
from tfgans.config import ConfigError, Count, Natural, Number, Positive, Share, Within, configurable
from tfgans.gan import GAN
from tfgans.gan.average import clone
from tfgans.gan.driver import stream_hash
from tfgans.layers.kernels import kernel_layers
from tfgans.layers.statistics import widen
from tfgans.methods.adapt import masks
from tfgans.methods.adapt.balance import DensityRule, balance_ratio

_local = threading.local()  # what a step remembers; MirroredStrategy runs each replica in a thread of its own
_MEASURE, _EXCHANGE, _ADJUST = "adapt/measure", "adapt/exchange", "adapt/adjust"


@configurable
class AdaptGAN(GAN):
    """Trains with few weights all along, which ones being found on the way (ADAPT; Wang et al., NeurIPS 2023).

    Kernels of dense and convolution layers are masked, never biases, norms or embeddings; of a spectrally normalised
    layer the raw kernel. Masks begin at random, small layers denser (`masks.erk_densities`), and each entry is
    drawn by itself, so that counts are nearly what the density says. Masked weights are set to 0 after every update;
    their gradients are not masked, so that the optimizer's moments go on.

    Every `exchange_every` updates the generator's least weights are pruned, over all kernels together, and as many
    are grown where the last gradient of its losses is greatest, also of those just pruned; the share falls from
    `first_exchange` to `last_exchange` as a cosine over `adapt_steps`. Grown weights start at 0; one that was pruned
    in the same event keeps its value. Updates of a regularizer alone (lazy R1, path lengths) have no part in it.

    Every `balance_every` updates a ratio is measured: how much of the gap between the discriminator's mean outputs
    for fakes and for real images an update of the generator closes, (b - a) / (c - a). By its mean over the last
    `balance_window` the discriminator's density goes up or down by `density_step` every `adjust_every` updates
    (`balance.DensityRule`). In the paper's terms: `adjust_every` 0 is SDST, `exchange_every` 0 is DDA, both are
    ADAPT_relax; a cap of 0.5 with `explore_at_cap` is ADAPT_strict; neither is static sparse training.

    The averaged generator is masked as the generator whenever masks move. A run ends with a `sparse` generator as
    well. The logs have `adapt/<network>_density`, the share of its trainable weights that is left, and
    `adapt/balance_ratio` of the updates that measure it. Cost: masked weights are computed with like others; a
    measurement takes a forward of the generator and two of the discriminator, an event sorts the weights. Nothing
    moves from `adapt_steps` on.

    The paper and its code differ, and this is as the code: an exchange counts the present entries, which Bernoulli
    draws and ties leave a little off the density. Departures: a density below what the draws gave grows nothing,
    where the code fails; entries whose gradient is exactly 0 are not grown; a gap of exactly 0 counts as closed, by a
    discriminator that is too weak, where the code has 0 / 0 and adjusts nothing while that is in its mean.

    Args:
        generator_density, discriminator_density: share of the kernels' entries at the beginning; 1 masks nothing,
            and both at 1 are the base. Of the discriminator it is the density that is adjusted.
        adapt_steps: generator updates in all.
        exchange_every, adjust_every: generator updates between two events; 0 for none.
        first_exchange, last_exchange: shares that are exchanged, of the discriminator with `explore_at_cap`, too.
        balance_lower, balance_upper: ratios at or beyond which the discriminator is too strong, or too weak.
        balance_every, balance_window: updates between two measurements, and how many count; before there are as many
            nothing is adjusted.
        density_step, density_cap: of the discriminator's density, which stays at 0.05 or above.
        explore_at_cap: exchange entries where the density would go beyond the cap.
    Raises: ConfigError if a value leaves its range, the bounds are out of order, or a network has no kernels.
    """

    adapt_places = ()  # none while the base looks at the networks

    def __init__(
        self,
        generator,
        discriminator,
        generator_density: Within("(0, 1]") = 0.1,
        discriminator_density: Within("(0, 1]") = 0.1,
        adapt_steps: Count = 100_000,
        exchange_every: Natural = 500,
        adjust_every: Natural = 1000,
        first_exchange: Share = 0.5,
        last_exchange: Share = 0.005,
        balance_lower: Number = 0.45,
        balance_upper: Number = 0.55,
        balance_every: Count = 10,
        balance_window: Count = 100,
        density_step: Positive = 0.05,
        density_cap: Within("(0, 1]") = 1.0,
        explore_at_cap: bool = False,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        if not balance_lower < balance_upper:
            raise ConfigError(
                f"AdaptGAN.balance_lower is below balance_upper. Received: {balance_lower} and {balance_upper}"
            )
        self.adapt_steps, self.exchange_every = adapt_steps, exchange_every
        self.exchanges = dict(total=adapt_steps, first=first_exchange, last=last_exchange)
        self.density_rule = DensityRule(
            balance_lower, balance_upper, density_step, density_cap, explore_at_cap
        )
        self.balance_every, self.balance_window = balance_every, balance_window
        densities = {"generator": generator_density, "discriminator": discriminator_density}
        densities = {name: density for name, density in densities.items() if density < 1.0}
        self.adjust_every = adjust_every if "discriminator" in densities else 0
        self.adapt_places, self.adapt_masks, self.adapt_begins = {}, {}, {}
        for name, density in densities.items():
            self._add_adapt_masks(name, density)
        if self.adjust_every:
            self._add_balance(discriminator_density)

    def kept_by_place(self):
        return super().kept_by_place() + (("AdaptGAN.generator_density",) if self.adapt_places else ())

    def _add_adapt_masks(self, name, density):
        network = getattr(self, name)
        self.adapt_places[name] = list(kernel_layers(network))
        kernels = self._kernels(name)
        if not kernels:
            raise ConfigError(f"AdaptGAN: the {name} has no dense or convolution layers to prune")
        self.adapt_begins[name] = masks.erk_densities([tuple(k.shape) for k in kernels], density)
        self.adapt_masks[name] = [self.add_like(k, f"adapt_{name}_mask", "bool") for k in kernels]
        for index, mask in enumerate(self.adapt_masks[name]):
            seed = [stream_hash(self.seed, f"adapt/{name}/{index}"), 0]
            drawn = philox.uniform(mask.shape, tf.constant(seed, tf.int64))
            mask.assign(drawn >= self.adapt_begins[name][index])
        self._prune(name, average=True)

    def _add_balance(self, density):
        options = dict(trainable=False, autocast=False, initializer="zeros")
        self.adapt_density = self.add_weight(name="adapt_density", shape=(), dtype="float64", **options)
        self.adapt_density.assign(density)
        self.balance_queue = self.add_weight(
            name="adapt_balance", shape=(self.balance_window, 3), dtype="float64", **options
        )
        self.balance_count = self.add_weight(
            name="adapt_measurements", shape=(), dtype="int64", trainable=False
        )

    def extra_updates(self, step):
        done, extras = step + 1, super().extra_updates(step)
        if done >= self.adapt_steps or not self.adapt_places:
            return extras
        exchanges = self.exchange_every if "generator" in self.adapt_places else 0
        every = {_EXCHANGE: exchanges, _ADJUST: self.adjust_every}
        every[_MEASURE] = self.balance_every if self.adjust_every else 0
        return (*extras, *(name for name, interval in every.items() if interval and done % interval == 0))

    # Weights

    def _kernels(self, name, network=None):
        variables = (network or getattr(self, name)).trainable_variables
        return [variables[place] for place in self.adapt_places[name]]

    def _prune(self, name, average=False):
        """Sets masked weights to 0; with `average` those of the averaged generator, too."""
        distribute.update_each(self._kernels(name), self.adapt_masks[name], pruning.zeroed)
        if average and name == "generator" and self.ema_generator is not None:
            kernels = self._kernels(name, self.ema_generator)
            distribute.update_each(kernels, self.adapt_masks[name], pruning.zeroed)

    def make_train_function(self, force=False):
        # Weights may have been given after the masks were drawn, another run's.
        if not int(self.step.numpy()):
            with self.distribute_strategy.scope():
                for name in self.adapt_places:
                    self._prune(name, average=True)
        return super().make_train_function(force)

    def update_discriminator(self, gradients, regularizer=False):
        if "discriminator" not in self.adapt_places:
            super().update_discriminator(gradients, regularizer)
            return
        gradients = distribute.mean(gradients)
        super().update_discriminator(gradients, regularizer)
        if not regularizer:
            self._remember("discriminator", gradients)
        self._prune("discriminator")

    def update_generator(self, gradients, regularizer=False):
        if "generator" not in self.adapt_places:
            super().update_generator(gradients, regularizer)
            return
        gradients = distribute.mean(gradients)
        super().update_generator(gradients, regularizer)
        if not regularizer:
            self._remember("generator", gradients)
        self._prune("generator")

    def _remember(self, name, gradients):
        """Keeps the gradients of a network's kernels for the events of this step."""
        setattr(_local, name, [tf.convert_to_tensor(gradients[place]) for place in self.adapt_places[name]])

    def traced_once(self, method):
        # What is remembered of an update could not leave a function of its own.
        return method if self.adjust_every else super().traced_once(method)

    # Events

    def generator_latents(self, count):
        _local.latents = super().generator_latents(count)
        return _local.latents

    def generator_measures(self, real, fake):
        measures = super().generator_measures(real, fake)
        if not self.adjust_every:
            return measures
        return measures | {"g/fake_logit": _mean_logit(fake["outputs"])}

    def generator_step(self, real):
        logs = super().generator_step(real)
        if _MEASURE in self.extras:
            logs |= {"adapt/balance_ratio": self._measure(real, logs["g/fake_logit"])}
        self.move_masks()
        return logs

    def _measure(self, real, before):
        """Takes note of the balance, and returns the present ratio."""
        after, reals = self.in_micro_batches(self.mean_logits, _local.latents, real)
        measured = tf.stack([tf.cast(v, tf.float64) for v in distribute.mean([after, before, reals])])
        queue = tf.concat([tf.convert_to_tensor(self.balance_queue.value)[1:], measured[None]], 0)
        self.balance_queue.assign(queue)
        self.balance_count.assign_add(1)
        return balance_ratio(measured[None])

    def mean_logits(self, latents, real):
        """The means of the discriminator's logits, of the images of latents and of real ones."""
        fake = latents | self.fake_images(latents)
        return tuple(_mean_logit(self.discriminate(batch, training=True)) for batch in (fake, real))

    def move_masks(self):
        """The events that are due after the updates of the present step."""
        share = masks.exchanged_share(tf.convert_to_tensor(self.step.value) + 1, **self.exchanges)
        if _EXCHANGE in self.extras:
            self._move("generator", masks.exchanged(*self._state("generator"), share))
        if _ADJUST in self.extras:
            self._adjust(share)

    def _state(self, name):
        """(weights, masks, last gradients) of a network's kernels."""
        weights = [tf.convert_to_tensor(kernel.value) for kernel in self._kernels(name)]
        return (
            weights,
            [tf.convert_to_tensor(mask.value) for mask in self.adapt_masks[name]],
            getattr(_local, name),
        )

    def _move(self, name, found):
        for mask, value in zip(self.adapt_masks[name], found, strict=True):
            mask.assign(value)
        self._prune(name, average=True)

    def _adjust(self, share):
        kernels, density = self._state("discriminator"), tf.convert_to_tensor(self.adapt_density.value)
        ratio = balance_ratio(tf.convert_to_tensor(self.balance_queue.value))
        found, target = tf.cond(
            tf.convert_to_tensor(self.balance_count.value) >= self.balance_window,
            lambda: self.density_rule.apply(kernels, density, ratio, share),
            lambda: ([tf.identity(mask) for mask in kernels[1]], tf.identity(density)),
        )
        self.adapt_density.assign(target)
        self._move("discriminator", found)

    def train_step(self, data):
        for name in self.adapt_places:
            self._prune(name, average=True)  # weights may be those of another run
        logs = super().train_step(data)
        for name, places in self.adapt_places.items():
            sizes, shares, kept = pruning.mask_logs(self, name, places, self.adapt_masks[name])
            logs[f"adapt/{name}_density"] = pruning.weighted_density(sizes, places, shares)
            logs[f"adapt/{name}_macs_kept"] = kept
        return logs

    # What is left

    def kept_share(self, name, step, logs=None):
        share = super().kept_share(name, step, logs)
        if name not in self.adapt_places:
            return share
        if logs is not None:
            return share * logs[f"adapt/{name}_macs_kept"]
        macs, begins = self.macs_of(name), zip(self.adapt_places[name], self.adapt_begins[name], strict=True)
        return share * (1.0 - sum(macs[i] * (1.0 - density) for i, density in begins) / (sum(macs) or 1))

    def densities(self):
        """{"<network>/<path>": share of a kernel's entries that is left}."""
        return super().densities() | {
            f"{name}/{kernel.path}": 1.0 - float(tf.reduce_mean(tf.cast(mask.value, tf.float64)))
            for name in self.adapt_places
            for kernel, mask in zip(self._kernels(name), self.adapt_masks[name], strict=True)
        }

    def part_names(self):
        trained = "generator" in self.adapt_places and int(self.step.numpy()) > 0
        return (*super().part_names(), *(("sparse",) if trained else ()))

    def part(self, name):
        if name != "sparse" or "generator" not in self.adapt_places:
            return super().part(name)
        network = clone(self._shown())
        for kernel, mask in zip(
            self._kernels("generator", network), self.adapt_masks["generator"], strict=True
        ):
            kernel.assign(pruning.zeroed(kernel, mask.value))
        return self.settled(network)

    def part_report(self, name, network):
        if name != "sparse" or "generator" not in self.adapt_places:
            return super().part_report(name, network)
        return pruning.density_report(network, self.densities())


def _mean_logit(outputs):
    """In float32 or wider: the balance is of differences of means that one update has made, small ones."""
    return tf.reduce_mean(widen(outputs["adversarial"]))
