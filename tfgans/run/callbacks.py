"""What happens between training steps, on the host: saving, evaluating, counting, stopping (see also `shown`).

All of them see the number of generator updates done, across restarts, rather than Keras's batch number.
"""

import math
import time

import keras

from tfgans import distribute
from tfgans.run import signals
from tfgans.run.signals import Interrupted

_EXECUTIONS_BETWEEN_QUESTIONS = 8  # of workers, whether to stop


class Diverged(Exception):
    """Training gave a loss or gradient that is not a number; the message names it."""


class StepCallback(keras.callbacks.Callback):
    """A callback that is told the number of generator updates: `at_start(step)` and `after(step)`."""

    def on_train_begin(self, logs=None):
        self.step = int(self.model.step.numpy())
        self.at_start(self.step)

    def on_train_batch_end(self, batch, logs=None):
        self.step += self.model.steps_made  # fewer than an execution has where the data ended within it
        self.after(self.step)

    def at_start(self, step):
        """Training starts, or resumes, with `step` updates done."""

    def after(self, step):
        """`step` updates are done."""


class StopWhenDiverged(StepCallback):
    """Stops the run, before anything is saved, when a loss or a gradient is not finite."""

    def after(self, step):
        for name, value in self.model.step_logs.items():
            if not math.isfinite(value):
                raise Diverged(f"{name} is {value} at step {step}")


class StopOnSignal(StepCallback, signals.Keeper):
    """On SIGTERM or SIGINT: lets the step end, calls `save(step)`, and raises `Interrupted`.

    Where nothing has been trained since the last checkpoint it stops at once, as does a second SIGINT. For that it
    must be told both (`trained_to`, `saved_at`); untold, it takes every step for one that would be lost.

    Several workers save and stop at the same step, whichever of them the signal has reached: they ask each other
    every eight executions, as what is asked has to go around.
    """

    _trained = _saved = None

    def __init__(self, save, strategy=None):
        super().__init__()
        self.save, self.strategy, self._has_others = save, strategy, distribute.workers() > 1

    def trained_to(self, step):
        """`step` updates are done."""
        self._trained = step

    def saved_at(self, step):
        """`step` updates are done and saved, or none are done. Raises `Interrupted` if a signal has come."""
        self._trained = self._saved = step
        self.check()

    def at_risk(self):
        """Whether steps would be lost if the process ended now."""
        return self._trained is None or self._trained != self._saved

    def standing(self):
        """The second half of the line about a signal: where the run stands if the process ends now."""
        return "the same command goes on from there" if self._saved else "nothing was trained yet"

    def told(self, number):
        """Says that the signal was noticed."""
        signals.write(f"signal {int(number)}: saving after this step; Ctrl-C again stops at once")

    def check(self):
        """Raises `Interrupted` if a signal has come: for work between steps whose state is saved already."""
        if self.received is not None:
            raise Interrupted(self.received)

    def after(self, step):
        if self._has_others:
            if step // self.model.steps_per_execution % _EXECUTIONS_BETWEEN_QUESTIONS:
                return
            self.received = max(distribute.of_replicas(self.strategy, int(self.received or 0))) or None
        if self.received is not None:
            self.save(step)
            raise Interrupted(self.received)


class Every(StepCallback):
    """Calls `action(step)` every so many updates, and when a run starts or resumes at such a step.

    The action must do nothing if its work for that step is there already.
    """

    def __init__(self, interval, action):
        super().__init__()
        self.interval, self.action = interval, action

    def at_start(self, step):
        self.after(step)

    def after(self, step):
        if step % self.interval == 0:
            self.action(step)


class TrainingClock(StepCallback):
    """Measures the seconds spent in training steps alone; the first step's, mostly compilation, apart.

    Args:
        about: dictionary saved with the run, whose `train_seconds` and `compile_seconds` go on.
    """

    def __init__(self, about):
        super().__init__()
        self.about, self._fresh = about, True
        about.setdefault("train_seconds", 0.0)
        about.setdefault("compile_seconds", 0.0)

    def on_train_batch_begin(self, batch, logs=None):
        self._began = time.perf_counter()

    def after(self, step):
        kind = "compile_seconds" if self._fresh else "train_seconds"
        self.about[kind] += time.perf_counter() - self._began
        self._fresh = False


class CostMeter(StepCallback):
    """Adds up what the steps cost, as `GAN.step_cost` counts it.

    Args:
        about: dictionary saved with the run, whose `real_images`, `generator_flops` and `training_flops` go on.
        batch_size: images of one discriminator step, over all replicas.
    """

    def __init__(self, about, batch_size):
        super().__init__()
        self.about, self.batch_size = about, batch_size

    def at_start(self, step):
        for name in ("real_images", "generator_flops", "training_flops"):
            self.about.setdefault(name, 0)

    def after(self, step):
        for done in range(step - self.model.steps_made, step):
            self.model.choose_step(done)
            for name, value in self.model.step_cost(self.batch_size, done, self.model.step_logs).items():
                self.about[name] += value


class EverySeconds(StepCallback):
    """Calls `action(step)` at the first step after every so many seconds of training.

    Args:
        interval: seconds between two calls.
        about: the dictionary that `TrainingClock` writes; it also keeps the step of the last call, so that a run
            killed in the middle of the action has it done when it resumes.
        action: must do nothing if its work for that step is there already.
    """

    def __init__(self, interval, about, action):
        super().__init__()
        self.interval, self.about, self.action = interval, about, action

    def at_start(self, step):
        self._calls = self._due()
        if self.about.get("called_at_step") == step:
            self.action(step)

    def _due(self):
        return int(self.about["train_seconds"] / self.interval)

    def after(self, step):
        if self._due() > self._calls:
            self._calls = self._due()
            self.about["called_at_step"] = step
            self.action(step)


class StopAfterSeconds(StepCallback):
    """Ends the training after so many seconds of it, as `TrainingClock` writes them to `about`.

    Args:
        ended: called with the step that is then the last.
    """

    def __init__(self, seconds, about, ended):
        super().__init__()
        self.seconds, self.about, self.ended = seconds, about, ended

    def after(self, step):
        if self.about["train_seconds"] >= self.seconds:
            self.ended(step)
            self.model.stop_training = True
