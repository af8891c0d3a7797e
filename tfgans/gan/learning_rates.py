"""Learning rates that a schedule decides."""

import tensorflow as tf

from tfgans.gan.hooks import hook


class LearningRates:
    """The part of `GAN` that sets the learning rates of its optimizers before each step."""

    learning_rate_schedule = None  # until `compile` is told one
    _began = ()  # (optimizer, its initial rate), as the last `compile` found them

    @property
    @hook
    def sets_learning_rates(self):
        """Whether every step sets the learning rates, so that callbacks cannot."""
        return self.learning_rate_schedule is not None

    def initial_rate(self, optimizer):
        """The rate that schedules multiply: an optimizer's own.

        Of one that a schedule of this model has moved, or that shares its rate with such a one, it is the rate that
        it began with. Methods that copy an optimizer for `compile` give the copy this rate.
        """
        for each, rate in self._began if self.sets_learning_rates else ():
            if each.learning_rate is optimizer.learning_rate:
                return rate
        return float(optimizer.learning_rate.numpy())

    def keep_initial_rates(self):
        """Keeps the rates that schedules multiply, before another schedule is set."""
        self.initial_rates = {name: self.initial_rate(each) for name, each in self.optimizers().items()}
        self._began = [(each, self.initial_rates[name]) for name, each in self.optimizers().items()]

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
        return factor_of(self.learning_rate_schedule, self.schedule_step())

    @hook
    def schedule_step(self):
        """The number of updates that the learning-rate schedule is asked for; methods that start anew extend this."""
        return self.step.value


def factor_of(schedule, step):
    """What a schedule gives, float32: of a step, which is int64, a function of a user's own may make float64."""
    return tf.cast(schedule(step), tf.float32)
