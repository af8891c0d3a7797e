"""What is seen of a training run while it goes on: curves and pictures in TensorBoard, and the bar."""

import contextlib
import math
import time
from pathlib import Path

import tensorflow as tf

from tfgans import files, pictures, progress
from tfgans.run.callbacks import StepCallback


class TrainingCurves(StepCallback):
    """TensorBoard scalars under `train/`: mean losses and gradient norms, learning rates, images a second.

    Args:
        folder: of the event files.
        interval: updates between two points of a curve.
        images_per_step: real images that one update sees.
        histograms: also write a histogram of every weight.
        tell: function (step, {tag: float}) that gets every point, too.
        about: dictionary saved with the run, whose `curve`, what the next point is the mean of so far, goes on.
    """

    def __init__(
        self,
        folder,
        interval,
        images_per_step,
        histograms=False,
        tell=lambda step, values: None,
        about=None,
    ):
        super().__init__()
        self.folder, self.interval, self.tell = Path(folder), interval, tell
        self.about = {} if about is None else about
        self.images_per_step, self.histograms = images_per_step, histograms

    def at_start(self, step):
        forget_events_from(self.folder, step + 1)
        self._writer = tf.summary.create_file_writer(str(self.folder))
        self.about.setdefault("curve", _curve(step))

    def on_train_batch_begin(self, batch, logs=None):
        self._began = time.perf_counter()

    def after(self, step):
        curve = self.about["curve"]
        curve["seconds"] += time.perf_counter() - self._began  # without what other callbacks do
        for name, value in self.model.step_logs.items():
            total, count = curve["sums"].get(name, (0.0, 0))
            curve["sums"][name] = total + value, count + 1  # some updates are not made in every step
        if step % self.interval == 0:
            self._write(step, curve)
            self.about["curve"] = _curve(step)

    def _write(self, step, curve):
        point = {name: total / count for name, (total, count) in curve["sums"].items()}
        for name, optimizer in self.model.optimizers().items():
            point[f"learning_rate/{name}"] = float(tf.convert_to_tensor(optimizer.learning_rate))
        point["images_per_second"] = (step - curve["first"]) * self.images_per_step / curve["seconds"]
        self.tell(step, point)
        with self._writer.as_default(step=step):
            for name, value in point.items():
                tf.summary.scalar(name, value)
            if self.histograms:
                for network in (self.model.generator, self.model.discriminator):
                    for weight in network.trainable_variables:
                        tf.summary.histogram(f"{network.name}/{weight.path}", weight.value)
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.close()


def _curve(step):
    """Nothing yet of the point that comes after `step`."""
    return {"first": step, "seconds": 0.0, "sums": {}}


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
    Attribute:
        tell: function (step, name, path) that gets every picture, too.
    """

    def __init__(self, gan, folder, writer=None, count=64, modes=None):
        self.tell = lambda step, name, path: None
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
            self.tell(step, f"{kind}samples", self.path(step, kind))

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
