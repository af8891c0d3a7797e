"""Learning rates that a schedule decides."""

from tfgans.gan.hooks import hook


class LearningRates:
    """The part of `GAN` that sets the learning rates of its optimizers before each step."""

    learning_rate_schedule = None  # until `compile` is told one

    @property
    @hook
    def sets_learning_rates(self):
        """Whether every step sets the learning rates, so that callbacks cannot."""
        return self.learning_rate_schedule is not None

    def keep_initial_rates(self, scheduled):
        """Keeps the rates that schedules multiply; those of the optimizers in `scheduled`, by name, are kept already.

        A schedule has moved them since, so that their present rates are not those that they began with.
        """
        self.initial_rates = {
            name: self.initial_rates[name]
            if scheduled.get(name) is each
            else float(each.learning_rate.numpy())
            for name, each in self.optimizers().items()
        }

    @hook
    def set_learning_rates(self):
        """Sets the learning rates that a schedule decides."""
        for name, factor in self.learning_rate_factors().items():
            self.optimizers()[name].learning_rate.assign(self.initial_rates[name] * factor)

    @hook
    def learning_rate_factors(self):
        """{optimizer's name: factor on its initial rate at this step}, for those whose rate a schedule decides."""
        factor = self.learning_rate_factor()
        return {} if factor is None else dict.fromkeys(self.optimizers(), factor)

    @hook
    def learning_rate_factor(self):
        """The schedule's factor at this step, or None; methods that change the rates extend this."""
        if self.learning_rate_schedule is None:
            return None
        return self.learning_rate_schedule(self.schedule_step())

    @hook
    def schedule_step(self):
        """The number of updates that the learning-rate schedule is asked for; methods that start anew extend this."""
        return self.step.value
