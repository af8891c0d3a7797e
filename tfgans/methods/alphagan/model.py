"""AlphaGAN: searches the generator's architecture by gradient descent on the duality gap."""

import contextlib

import tensorflow as tf

from tfgans import config, distribute, losses, optimizers, philox, schedules
from tfgans.config import ConfigError, Count, Function, Natural, NotNegative, OneOf, Within, configurable
from tfgans.gan import GAN, batch_size
from tfgans.gan.average import clone
from tfgans.gan.fitting.compatibility import checked_optimizers
from tfgans.gan.learning_rates import factor_of
from tfgans.layers.state import frozen_state
from tfgans.methods.alphagan.gap import Gap, entropy
from tfgans.methods.alphagan.loop import OuterLoop
from tfgans.methods.alphagan.players import Players
from tfgans.methods.alphagan.single_level import SingleLevel

_UPDATES = ("weights", "architecture", "both")


@configurable
class AlphaGAN(Players, OuterLoop, Gap, SingleLevel, GAN):
    """Searches an architecture for the generator, a supernet with weights alpha (Tian et al. 2021, Algorithm 1).

    A training step is one outer step of the algorithm, in three parts:

    1. weights: `weight_steps` updates of the discriminator on the training half, and one of the generator with each
       `discriminator_steps`-th of them, counted through the run from its first.
    2. test weights (from `warm_up_steps` outer steps on): D-bar and G-bar start as copies of D and G, alpha included,
       with new optimizers. D-bar makes `test_steps` updates on the validation half against G, then G-bar as many
       against D (Algorithm 2). G and D do not change, nor do their statistics.
    3. architecture: `architecture_steps` updates of alpha by Adam on the duality gap, with fresh latents each. G, D
       and G-bar do not change; of D-bar spectral vectors do, as in the authors' code.

    The data holds one batch an element, [1, N, H, W, C]: in the order of `batches_of`, those of the training half
    and then of the validation half of each outer step. Its masters are `launch/search.py` and `tfgans.run.searching`.
    Of an outer step that the data of `fit` end within, the updates made stay; the next epoch begins that step anew.
    Everything is saved and restored exactly, alpha too. The logs have the measured gap and its two terms on one
    validation batch (`search/duality_gap`, `search/minmax`, `search/maxmin`), the mean entropy of the edges
    (`search/entropy`), and the losses of the test part (`test/d/...`, `test/g/...`).

    Other methods' penalties are in the updates of D and of D-bar alike, and what they do lazily is counted for each
    by itself; the gap has none.

    An average of the generator (`ema_decay`) moves with each update of it, of which `ema_start` counts as many, and
    has its present alpha. Schedules count outer steps, `learning_rate_schedule` too.

    Cost of an outer step: that of its updates; an update of alpha takes one forward and one backward of G and of
    D-bar. Memory: G-bar and D-bar, no other copy of weights, and their optimizers.

    The paper and the authors' code differ in numbers that are all options: gin_configs/presets/alphagan_paper.gin,
    alphagan_code.gin. Departures from both: in parts 2 and 3 batch norms of G and D do not move their statistics.

    Args:
        weight_steps: T, discriminator updates of an outer step. The code's 20 are 22.
        test_steps: R, updates of each of D-bar and G-bar. The code's 20 are 22.
        architecture_steps: S, updates of alpha.
        warm_up_steps: outer steps at the start in which alpha stays as it is.
        gumbel: mix the operations by the Gumbel softmax (Eq. 8) in all forwards of G, and of a searched D, in
            training; G-bar and D-bar never do.
        gumbel_temperature: its temperature, above 0.
        test_generator_updates: what G-bar's updates move: its `weights`, its `architecture`, or `both` (Table 4).
        single_level_weight: lambda of the single-level form (Eq. 11): weights of G and D and alpha all descend on the
            gap and lambda times the adversarial loss, on the validation half, in part 3, and there is no part 1. The
            paper's maximum over D would make D worse against G-bar: here D descends on its loss against G-bar too.
            None is the two-level form.
        architecture_learning_rate, architecture_beta_1, architecture_beta_2: of alpha's Adam.
        architecture_weight_decay: alpha times this is added to its gradient.
        generator_schedule: function of outer steps done (`tfgans.schedules`), one more factor on the rate of G.
        test_schedule: the same for the rates of G-bar and D-bar.
    Raises: ConfigError if a value leaves its range, the generator is no supernet, the discriminator's loss is no sum
        of a real and a fake part, an optimizer has a schedule, or another method is lazy at a single level.
    """

    replaces = ("train_step",)

    def __init__(
        self,
        generator,
        discriminator,
        weight_steps: Count = 20,
        test_steps: Count = 20,
        architecture_steps: Count = 20,
        warm_up_steps: Natural = 0,
        gumbel: bool = False,
        gumbel_temperature: Within("[1e-06, inf)") = 0.5,
        test_generator_updates: OneOf(*_UPDATES) = "weights",
        single_level_weight: NotNegative | None = None,
        architecture_learning_rate: NotNegative = 3e-4,
        architecture_beta_1: Within("[0, 1)") = 0.5,
        architecture_beta_2: Within("[0, 1)") = 0.999,
        architecture_weight_decay: NotNegative = 1e-3,
        generator_schedule: Function("@CosineAnnealing()") | None = None,
        test_schedule: Function("@CosineAnnealing()") | None = None,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.weight_steps, self.test_steps = weight_steps, test_steps
        self.architecture_steps, self.warm_up_steps = architecture_steps, warm_up_steps
        self.gumbel, self.gumbel_temperature = gumbel, gumbel_temperature
        self.test_generator_updates, self.single_level_weight = test_generator_updates, single_level_weight
        self.architecture_weight_decay = architecture_weight_decay
        self.generator_schedule, self.test_schedule = generator_schedule, test_schedule
        self._check_search()
        self._adam = dict(
            learning_rate=architecture_learning_rate,
            beta_1=architecture_beta_1,
            beta_2=architecture_beta_2,
        )
        self.searches_discriminator = hasattr(discriminator, "architecture_variables")
        self.test_generator, self.test_discriminator = clone(generator), clone(discriminator)

    def _check_search(self):
        if not (hasattr(self.generator, "architecture_variables") and hasattr(self.generator, "mixing")):
            raise ConfigError(
                "AlphaGAN needs a generator that is a supernet: include 'gin_configs/networks/alphagan_supernet.gin'"
            )

        if self.of_pairs:
            raise ConfigError(
                "AlphaGAN needs losses that are sums of a real and a fake part: GAN.generator_loss is of pairs"
            )
        if not losses.is_sum(self.discriminator_loss):
            raise ConfigError(
                "AlphaGAN needs losses that are sums of a real and a fake part, of which the architecture takes the "
                "fake one's gradient: GAN.discriminator_loss is none"
            )

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        optimizer, discriminator_optimizer = checked_optimizers(optimizer, discriminator_optimizer)
        schedules.check_settable(
            "AlphaGAN", {"generator": optimizer, "discriminator": discriminator_optimizer}
        )
        with self.distribute_strategy.scope():
            test_variables = [n.trainable_variables for n in (self.test_generator, self.test_discriminator)]
            self.test_optimizer, self.test_discriminator_optimizer = (
                optimizers.same_kind(each, variables, self.initial_rate(each))
                for each, variables in zip((optimizer, discriminator_optimizer), test_variables, strict=True)
            )
            self.architecture_optimizers = {}
            for name, network in self.searched_networks().items():
                self.architecture_optimizers[name] = config.unbound(optimizers.TorchAdam, **self._adam)
                self.architecture_optimizers[name].build(network.architecture_variables)
        super().compile(optimizer, discriminator_optimizer, **options)
        lazy = self.extra_updates(0)
        if lazy and self.single_level_weight is not None:
            raise ConfigError(
                "AlphaGAN.single_level_weight: its updates have nothing lazy in them, R1GAN.r1_interval must be 1. "
                f"Received: {', '.join(map(str, lazy))} is due in some"
            )
        self._fresh_test = optimizers.beginnings("AlphaGAN", self._test_optimizers())

    def searched_networks(self):
        """Networks with an architecture of their own that an optimizer moves, by that optimizer's name."""
        networks = {"architecture": self.generator}
        if self.searches_discriminator:
            networks["discriminator_architecture"] = self.discriminator
        if self.test_generator_updates != "weights":
            networks["test_architecture"] = self.test_generator
        return networks

    def optimizers(self):
        return super().optimizers() | self._test_optimizers() | self.architecture_optimizers

    def _test_optimizers(self):
        """Those that begin again in each outer step."""
        found = {
            "test_generator": self.test_optimizer,
            "test_discriminator": self.test_discriminator_optimizer,
        }
        if "test_architecture" in self.architecture_optimizers:
            found["test_architecture"] = self.architecture_optimizers["test_architecture"]
        return found

    def test_players(self, *names):
        """For `playing`: G-bar or D-bar, or both, with their optimizers, in place of G or D."""
        all_players = {
            "generator": {"generator": self.test_generator, "optimizer": self.test_optimizer},
            "discriminator": {
                "discriminator": self.test_discriminator,
                "discriminator_optimizer": self.test_discriminator_optimizer,
            },
        }
        return {key: value for name in names for key, value in all_players[name].items()}

    # The step

    def train_step(self, data):
        """One phase of an outer step: an update, or what comes between the parts."""
        self.set_learning_rates()
        phase = getattr(self, f"{self.phase}_phase")
        if self.phase in ("copy", "end"):
            return phase()
        real = self.split_batch(data)[0]
        return phase(real | self._noise("discriminator_noise", self.own_discriminator))

    def learning_rate_factors(self):
        given, step = super().learning_rate_factors(), self.step.value
        generator = 1.0 if self.generator_schedule is None else factor_of(self.generator_schedule, step)
        test = 1.0 if self.test_schedule is None else factor_of(self.test_schedule, step)
        own = {"generator": generator, "test_generator": test, "test_discriminator": test}
        names = [name for name in self.optimizers() if name not in self.architecture_optimizers]
        return {name: own.get(name, 1.0) * given.get(name, 1.0) for name in names}

    def discriminator_phase(self, real):
        """One update of D on the training half."""
        return self.discriminator_update(self.update_index, real)

    def both_players_phase(self, real):
        """One update of D on the training half, then one of G."""
        logs = self.discriminator_phase(real) | self.generator_step(real)
        self.update_average(batch_size(real) * self.generator_batch_ratio)
        return logs

    def copy_phase(self):
        """G-bar and D-bar become G and D, with new optimizers."""
        pairs = (self.generator, self.test_generator), (self.discriminator, self.test_discriminator)
        for own, copy in pairs:
            distribute.average(own.non_trainable_variables)
            distribute.update_each(copy.weights, own.weights, lambda _, new: tf.identity(new))
        for name, optimizer in self._test_optimizers().items():
            optimizers.begin_again(optimizer, self._fresh_test[name])
        return {}

    def test_discriminator_phase(self, real):
        """One update of D-bar on the validation half, against G."""
        with self.playing(**self.test_players("discriminator")):
            return _prefixed("test", self.discriminator_update(self.update_index, real))

    def test_generator_phase(self, real):
        """One update of G-bar, its weights, its architecture, or both, against D."""
        with self.playing(**self.test_players("generator")):
            if self.test_generator_updates == "weights":
                return _prefixed("test", self.generator_step(real))
            latents = self.draw_latents(batch_size(real) * self.generator_batch_ratio)
            values, gradients, alpha = self.in_micro_batches(self.joint_gradients, real, latents)
            self.move_architecture("test_architecture", alpha)
            if self.test_generator_updates == "both":
                self.update_generator(gradients)
        return _prefixed("test", values)

    def architecture_phase(self, real):
        """One update of alpha on the duality gap, and of a searched D's; at a single level of the weights as well."""
        latents = self.draw_latents(batch_size(real))
        value, gradients = self.in_micro_batches(self.architecture_gradients, real, latents)
        logs = {"search/architecture_loss": value}
        if self.searches_discriminator:
            value, own = self.in_micro_batches(self.discriminator_architecture_gradients, real, latents)
            logs["search/discriminator_architecture_loss"] = value
        if self.single_level_weight is not None:
            logs |= self.single_level_update(real, latents, gradients)
            self.update_average(batch_size(real))
        else:
            self.move_architecture("architecture", gradients)
        if self.searches_discriminator:
            self.move_architecture("discriminator_architecture", own)
        return logs

    def gap_phase(self, real):
        """Measures the duality gap on one batch of the validation half."""
        first, second = self.draw_latents(batch_size(real)), self.draw_latents(batch_size(real))
        logs = self.in_micro_batches(self.measured_gap, real, first, second)
        return logs | {"search/entropy": entropy(self.generator.mixing())}

    def end_phase(self):
        """Replicas agree, the average has the present alpha, and the outer step is counted."""
        distribute.average(
            self.test_generator.non_trainable_variables + self.test_discriminator.non_trainable_variables
        )
        self.copy_state()
        self.finish_step()
        return {}

    def move_architecture(self, name, gradients):
        """One step of an architecture's optimizer, with its weight decay."""
        variables = self.searched_networks()[name].architecture_variables
        decay = self.architecture_weight_decay
        gradients = [
            tf.cast(g, v.dtype) + decay * tf.convert_to_tensor(v.value)
            for g, v in zip(gradients, variables, strict=True)
        ]
        distribute.apply_means(self.architecture_optimizers[name], gradients, variables)

    # What the parts make of the networks

    def _noise(self, name, network):
        """Uniform draws for the Gumbel softmax of a supernet, [edges, operations] each, the same on all replicas."""
        if not self.gumbel or not hasattr(network, "architecture_variables"):
            return {}
        return {
            f"{name}/{i}": philox.uniform(v.shape, self.stream(f"{name}/{i}"))
            for i, v in enumerate(network.architecture_variables)
        }

    def draw_latents(self, count, again=False):
        latents = super().draw_latents(count, again)
        latents |= self._noise("fake_discriminator_noise", self.own_discriminator)
        if self.is_played("generator"):
            return latents
        return latents | self._noise("generator_noise", self.generator)

    @contextlib.contextmanager
    def generator_forward(self, training=False, generator=None):
        own = generator is None and not self.is_played("generator")
        with super().generator_forward(training, generator), self._state_of(own and training):
            yield

    def discriminate(self, batch, training=False):
        with self._state_of(training and not self.is_played("discriminator")):
            return super().discriminate(batch, training)

    def _state_of(self, own):
        """`frozen_state` for forwards of G and D themselves in the phases that leave their statistics alone."""
        return frozen_state() if own and not self.moves_own_state else contextlib.nullcontext()

    def shared_entries(self):
        return (
            *super().shared_entries(),
            "generator_noise",
            "discriminator_noise",
            "fake_discriminator_noise",
        )

    def networks_with_state(self):
        own = [self.own_generator, self.own_discriminator]
        return [*super().networks_with_state(), *own, self.test_generator, self.test_discriminator]

    def call_options(self, network, batch):
        options = super().call_options(network, batch)
        names = {"generator_noise": self.own_generator}
        names |= dict.fromkeys(("fake_discriminator_noise", "discriminator_noise"), self.own_discriminator)
        for name, own in names.items():
            if network is own and f"{name}/0" in batch:
                noise = [batch[f"{name}/{i}"] for i in range(len(own.architecture_variables))]
                return options | {"mixing": own.mixing(noise, self.gumbel_temperature)}
        return options

    @property
    def moves_own_state(self):
        """Whether forwards of G and D move their statistics: in the phases that train their weights."""
        return self.phase in ("discriminator", "both_players") or self.single_level_weight is not None


def _prefixed(prefix, logs):
    return {f"{prefix}/{name}": value for name, value in logs.items()}
