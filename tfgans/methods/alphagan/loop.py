"""The outer loop of AlphaGAN: which updates make a step, in which order, and what they cost."""

import tensorflow as tf

from tfgans.driver import keep_order

_WITHOUT_DATA = ("copy", "end")


class OuterLoop:
    """The part of `AlphaGAN` that runs an outer step as a loop on the host over compiled phases."""

    replaces = ("make_train_function",)

    @property
    def batches_per_step(self):
        return 1

    def batches_of(self, step):
        """(training, validation) batches that outer step number `step` takes, in this order."""
        weights = 0 if self.single_level_weight is not None else self.weight_steps
        searches = step >= self.warm_up_steps
        return weights, (2 * self.test_steps + self.architecture_steps + 1) if searches else 0

    def phases(self, step):
        """(phase, number of the update that lazy methods count) for each update of outer step number `step`."""
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
        compiled = {}

        def run(phase, number, iterator):
            self.choose_step(number)
            self.variant = (*self.variant, ("phase", phase))
            kind = self.variant, self.extras
            if kind not in compiled:
                compiled[kind] = self._replicated_step(kind, takes_data=phase not in _WITHOUT_DATA)
            return kind, compiled[kind](iterator)

        def train_function(iterator):
            first, totals = int(self.step.numpy()), {}
            for step in range(first, first + self.steps_per_execution):
                for phase, number in self.phases(step):
                    try:
                        kind, values = run(phase, number, iterator)
                    except (tf.errors.OutOfRangeError, StopIteration) as error:
                        raise StopIteration from error
                    total, count = totals.get(kind, (0.0, 0))
                    totals[kind] = total + values, count + 1
            return self._record(totals)

        self.train_function = train_function
        return train_function

    @property
    def phase(self):
        """The phase that is compiled or runs."""
        return next((kind[1] for kind in self.variant if kind[0] == "phase"), None)

    def step_cost(self, batch_size, step, logs=None):
        self.choose_step(step)
        kinds = [phase for phase, _ in self.phases(step)]
        count = {name: kinds.count(name) for name in set(kinds)}
        each = {  # passes of (generator, discriminator) in units of one batch
            "discriminator": (1, 6 + self.penalty_passes()),
            "both_players": (1 + 3 * self.generator_batch_ratio, 8 + self.penalty_passes()),
            "test_discriminator": (1, 6 + self.penalty_passes()),
            "test_generator": (3 * self.generator_batch_ratio, 2 * self.generator_batch_ratio),
            "architecture": (3, 2) if self.single_level_weight is None else (9, 18),
            "gap": (2, 4),
        }
        passes = [sum(n * each.get(name, (0, 0))[i] for name, n in count.items()) for i in range(2)]
        macs = [sum(self.macs_of(name)) for name in ("generator", "discriminator")]
        images = batch_size * sum(
            n for name, n in count.items() if each.get(name) and name != "test_generator"
        )
        return {
            "real_images": images,
            "generator_flops": round(2 * macs[0] * images),
            "training_flops": round(2 * batch_size * sum(p * m for p, m in zip(passes, macs, strict=True))),
        }
