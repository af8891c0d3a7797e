"""What happens between training steps, on the host: saving, evaluating, drawing, watching.

All of them see the number of generator updates done, across restarts, rather than Keras's batch number.
"""

import contextlib
import math
import time
from pathlib import Path

import keras
import tensorflow as tf

from tfgans import files, pictures, progress
from tfgans.run import signals
from tfgans.run.signals import Interrupted


class Diverged(Exception):
    """Training gave a loss or gradient that is not a number; the message names it."""


class StepCallback(keras.callbacks.Callback):
    """A callback that is told the number of generator updates: `at_start(step)` and `after(step)`."""

    def on_train_begin(self, logs=None):
        self.step = int(self.model.step.numpy())
        self.at_start(self.step)

    def on_train_batch_end(self, batch, logs=None):
        self.step += self.model.steps_per_execution
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
    """

    _trained = _saved = None

    def __init__(self, save):
        super().__init__()
        self.save = save

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
        for done in range(step - self.model.steps_per_execution, step):
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


class TrainingCurves(StepCallback):
    """TensorBoard scalars under `train/`: mean losses and gradient norms, learning rates, images a second.

    Args:
        folder: of the event files.
        interval: updates between two points of a curve.
        images_per_step: real images that one update sees.
        histograms: also write a histogram of every weight.
    """

    def __init__(self, folder, interval, images_per_step, histograms=False):
        super().__init__()
        self.folder, self.interval = Path(folder), interval
        self.images_per_step, self.histograms = images_per_step, histograms

    def at_start(self, step):
        forget_events_from(self.folder, step + 1)
        self._writer = tf.summary.create_file_writer(str(self.folder))
        self._begin(step)

    def _begin(self, step):
        self._values, self._first, self._seconds = {}, step, 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self._began = time.perf_counter()

    def after(self, step):
        self._seconds += time.perf_counter() - self._began  # without what other callbacks do
        for name, value in self.model.step_logs.items():
            self._values.setdefault(name, []).append(value)  # some updates are not made in every step
        if step % self.interval == 0:
            self._write(step)
            self._begin(step)

    def _write(self, step):
        rate = (step - self._first) * self.images_per_step / self._seconds
        with self._writer.as_default(step=step):
            for name, values in self._values.items():
                tf.summary.scalar(name, sum(values) / len(values))
            for name, optimizer in self.model.optimizers().items():
                tf.summary.scalar(f"learning_rate/{name}", optimizer.learning_rate)
            tf.summary.scalar("images_per_second", rate)
            if self.histograms:
                for network in (self.model.generator, self.model.discriminator):
                    for weight in network.trainable_variables:
                        tf.summary.histogram(f"{network.name}/{weight.path}", weight.value)
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.close()


class SampleGrid:
    """Draws what fixed latents give, `samples/step_00001000.png`, and shows it in TensorBoard.

    While the average and the raw weights of the generator differ much (`GAN.shows_both`), what the raw ones give is
    drawn beside it, `samples/raw_step_00001000.png`.

    Args:
        gan: the model.
        folder: of the pictures.
        writer: TensorBoard writer, or None.
        count: images a picture; a conditional model has one class a column, or some columns.
        modes: true modes of a 2-D mixture, or None.
    """

    def __init__(self, gan, folder, writer=None, count=64, modes=None):
        self.gan, self.folder, self.writer, self.count, self.modes = gan, Path(folder), writer, count, modes

    def path(self, step, kind=""):
        """The picture of one step; of raw weights with the kind `raw_`."""
        return self.folder / f"{kind}step_{step:08d}.png"

    def forget_from(self, step):
        """Removes the pictures of `step` and later; returns whether there was one of `step`."""
        there = self.path(step).exists()
        for path in self.folder.glob("*step_*.png"):
            if files.step_of(path.name.removeprefix("raw_")) >= step:
                path.unlink()
        return there

    def __call__(self, step):
        if self.path(step).exists():
            return
        drawn = {"raw_": "raw"} if self.gan.shows_both() else {}
        for kind, weights in (drawn | {"": None}).items():  # the usual one last: where it is, all are
            picture = self.picture(weights)
            if self.writer is not None:
                with self.writer.as_default(step=step):
                    tf.summary.image(f"{kind}samples", picture[None])
                self.writer.flush()
            self.folder.mkdir(parents=True, exist_ok=True)
            pictures.save_png(self.path(step, kind), picture)

    def picture(self, weights=None):
        """The present picture, uint8 [H, W, C]; `weights` are those of `GAN.generate`."""
        points = len(self.gan.sample_shape) == 1
        count, labels, columns = pictures.layout(self.count, self.gan.num_classes, points)
        images = self.gan.generate(count, labels=labels, seed=self.gan.seed, weights=weights)
        return pictures.page(images, columns, self.modes)


class ProgressBar(StepCallback):
    """The first step with its compilation, then a bar with the rate, the time left and the losses.

    Args:
        steps: updates of the whole run; None if that is not known.
        images_per_step: real images that one update sees.
    """

    def __init__(self, steps, images_per_step):
        super().__init__()
        self.steps, self.images_per_step = steps, images_per_step
        self._bar, self._stack = None, contextlib.ExitStack()

    def on_train_batch_begin(self, batch, logs=None):
        if self._bar is None:
            self._stack.enter_context(progress.phase("compiling the first step, which takes a while"))

    def after(self, step):
        if self._bar is None:
            self._stack.close()
            self._bar = progress.Bar("training", self.steps, "step", step)
        logs = self.model.step_logs
        adversarial = {k: f"{v:.3f}" for k, v in logs.items() if k.endswith("/adversarial")}
        self._bar.set_postfix(adversarial | {"images/s": f"{self._rate():.0f}"}, refresh=False)
        self._bar.update(step - self._bar.n)

    def _rate(self):
        """Images a second: tqdm's recent rate, or the mean since the bar began while there is none."""
        known = self._bar.format_dict
        mean = (known["n"] - known["initial"]) / max(known["elapsed"], 1e-9)
        return (known["rate"] or mean) * self.images_per_step

    def close(self):
        """Ends the bar, whatever ended the run."""
        self._stack.close()
        if self._bar is not None:
            self._bar.close()


def forget_events_from(folder, step):
    """Removes the events of `step` and later from TensorBoard's files: the run will write them again."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    for path in Path(folder).glob("events.out.tfevents.*"):
        part, dropped = path.with_name("part-events"), 0
        with tf.io.TFRecordWriter(str(part)) as writer:
            for record in RawEventFileLoader(str(path)).Load():
                if _step_of_event(Event, record) < step:
                    writer.write(record)
                else:
                    dropped += 1
        if dropped:
            part.replace(path)
        else:
            part.unlink()


def _step_of_event(event_type, record):
    try:
        return event_type.FromString(record).step
    except Exception:  # damaged: dropped as if it were of a later step
        return math.inf
