"""The outer loop of AlphaGAN: which updates make a step, in which order, and what they cost."""

import itertools

from tfgans.gan.driver import keep_order
from tfgans.gan.steps import counted

_WITHOUT_DATA = ("copy", "end")
_UPDATES_OF_DISCRIMINATOR = ("discriminator", "both_players", "test_discriminator")
# The network that phases train alone; `both_players` trains both.
_TRAINED = {
    "discriminator": "discriminator",
    "test_discriminator": "discriminator",
    "test_generator": "generator",
}
_WITHOUT_WEIGHTS = ("copy", "architecture", "gap", "end")  # nothing lazy is due in them


class OuterLoop:
    """The part of `AlphaGAN` that runs an outer step as a loop on the host over compiled phases."""

    replaces = (
        "batches_per_step",
        "batches_of",
        "make_train_function",
        "on_halves",
        "sets_learning_rates",
        "step_cost",
    )

    @property
    def batches_per_step(self):
        return 1

    @property
    def on_halves(self):
        return True

    @property
    def sets_learning_rates(self):
        return True

    def batches_of(self, step):
        """As in `GAN`, of an outer step; in this order."""
        weights = 0 if self.single_level_weight is not None else self.weight_steps
        searches = step >= self.warm_up_steps
        return weights, (2 * self.test_steps + self.architecture_steps + 1) if searches else 0

    def phases(self, step):
        """(phase, number of its update since the search began) for each update of outer step number `step`."""
        weights, _ = self.batches_of(step)
        for count in range(step * weights, (step + 1) * weights):
            yield ("both_players" if count % self.discriminator_steps == 0 else "discriminator"), count
        if step >= self.warm_up_steps:
            yield "copy", step
            for phase in ("test_discriminator", "test_generator"):
                for index in range(self.test_steps):
                    yield phase, step * self.test_steps + index
            for index in range(self.architecture_steps):
                yield "architecture", step * self.architecture_steps + index
            yield "gap", step
        yield "end", step

    def make_train_function(self, force=False):
        """The function `fit` calls: outer steps, each a loop on the host over compiled phases."""
        if self.train_function is not None and not force:
            return self.train_function
        keep_order()
        run = self.runner()

        def train_function(iterator):
            first, totals = int(self.step.numpy()), []
            updates = itertools.chain(*map(self.phases, range(first, first + self.steps_per_execution)))
            for kind, count in counted(itertools.starmap(self.kind_of_phase, updates)):
                total, done = run(kind, count, iterator, takes_data=phase_of(kind[0]) not in _WITHOUT_DATA)
                if done < count:
                    break
                totals.append((kind, total, done))
            steps = sum(done for (variant, _), _, done in totals if phase_of(variant) == "end")
            if not steps:
                raise self.end_of_data()
            return self._logs.record(totals, steps)

        self.train_function = train_function
        return train_function

    def choose_phase(self, phase, number):
        """Sets `variant` and `extras` for update `number` of a phase, as `choose_step`; returns both."""
        return self.choose_kind(*self.kind_of_phase(phase, number))

    def kind_of_phase(self, phase, number):
        """`(variant, extras)` of update `number` of a phase.

        What other methods do lazily they count in generator updates, of `discriminator_steps` of the discriminator.
        """
        index = 0
        if phase in _UPDATES_OF_DISCRIMINATOR:
            number, index = divmod(number, self.discriminator_steps)
        variant, extras = self.kind_of(number)
        if phase in _WITHOUT_WEIGHTS:
            extras = ()
        elif phase in _TRAINED:
            extras = tuple(self.extras_of(_TRAINED[phase], extras))
        return (*variant, ("phase", phase), ("update", index if extras else 0)), extras

    @property
    def update_index(self):
        """Which of the `discriminator_steps` updates of the discriminator it is, for what is done lazily."""
        return next((kind[1] for kind in self.variant if kind[0] == "update"), 0)

    @property
    def phase(self):
        """The phase that is compiled or runs."""
        return phase_of(self.variant)

    def cost_kind(self, step):
        """Steps differ: in warm-up, in how many updates of the generator they have, in what is done lazily."""
        return super().cost_kind(step), step

    def step_cost(self, batch_size, step, logs=None):
        self.choose_step(step)
        each = {  # passes of (generator, discriminator) in units of one batch
            "discriminator": (1, 6 + self.penalty_passes()),
            "both_players": (1 + 3 * self.generator_batch_ratio, 8 + self.penalty_passes()),
            "test_discriminator": (1, 6 + self.penalty_passes()),
            "test_generator": (3 * self.generator_batch_ratio, 2 * self.generator_batch_ratio),
            "architecture": (3, 2) if self.single_level_weight is None else (9, 18),
            "gap": (2, 4),
        }
        macs = [sum(self.macs_of(name)) for name in ("generator", "discriminator")]
        updates = [(name, number) for name, number in self.phases(step) if name in each]
        passes = [each[name] for name, _ in updates] + [self._lazy_passes(*update) for update in updates]
        passes = [sum(column) for column in zip(*passes, strict=True)]
        images = batch_size * sum(name != "test_generator" for name, _ in updates)
        self.choose_step(step)
        return {
            "real_images": images,
            "generator_flops": round(2 * macs[0] * images),
            "training_flops": round(2 * batch_size * sum(p * m for p, m in zip(passes, macs, strict=True))),
        }

    def _lazy_passes(self, phase, number):
        """Passes of (generator, discriminator) of what other methods do lazily in an update of a phase."""
        self.choose_phase(phase, number)
        if not self.extras or (phase in _UPDATES_OF_DISCRIMINATOR and number % self.discriminator_steps):
            return 0, 0  # what is due in several updates of the discriminator is counted with the first
        due = self.training_passes()
        self.extras = ()
        usual = self.training_passes()
        generator, discriminator = (due[name] - usual[name] for name in ("generator", "discriminator"))
        moves_generator = phase in ("both_players", "test_generator")
        moves_discriminator = phase in _UPDATES_OF_DISCRIMINATOR
        return generator * moves_generator, discriminator * moves_discriminator


def phase_of(variant):
    """The phase that is part of a variant; None if none is."""
    return next((kind[1] for kind in variant if kind[0] == "phase"), None)
