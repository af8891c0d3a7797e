"""What a training run writes into its folder besides checkpoints: rows of metrics, pictures, TensorBoard's events."""

import os
from pathlib import Path

import tensorflow as tf

from tfgans import checkpoint, files, readers
from tfgans.config import ConfigError
from tfgans.evaluate.metrics import made_in_training
from tfgans.evaluate.spectrum_figure import SpectrumFigure
from tfgans.run import shown
from tfgans.run.trackers import Trackers

# What training and evaluations write files into, of a run's folder.
_WRITTEN = ("checkpoints", "samples", "spectra", "spectra_evaluate", "genotypes", "code")


def take(stack, folder):
    """Makes the folder, locks it until `stack` ends, and removes what earlier processes left half written.

    Raises: ConfigError if that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(checkpoint.Lock(folder))
    except OSError as error:
        raise cannot_be_trained_in(folder, error) from error
    files.remove_partial(folder)
    for name in _WRITTEN:  # and no other: whatever else lies in the folder is not ours
        for place, *_ in os.walk(folder / name):
            files.remove_partial(place)


def refuse_other_bytes(folder):
    """Raises ConfigError for a folder whose name is no UTF-8: TensorFlow, figures and pages take no other."""
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        name = readers.one_line(folder)
        raise ConfigError(f"{name} has bytes in its name that are no UTF-8: give it another name") from error


def cannot_be_trained_in(folder, error):
    """The ConfigError that says so."""
    return ConfigError(f"{folder} cannot be trained in: {error}")


class Output:
    """The rows, pictures and events of one run.

    Args:
        folder: the run's. model: what it trains.
        num_samples_shown: images in a sample grid. modes: of a 2-D mixture, or None.
        trackers: see `Plan`.
    Attributes:
        trackers: a `Trackers`.
        draw, draw_spectra: what draws samples and spectra.
        writer: of TensorBoard's events; None until `open`, which one worker alone calls.
    """

    def __init__(self, folder, model, num_samples_shown, modes, trackers=()):
        self.folder, self.trackers = Path(folder), Trackers(trackers, folder)
        self.rows = files.JsonLines(self.folder / "metrics.jsonl")
        self.draw = shown.SampleGrid(model, self.folder / "samples", None, num_samples_shown, modes)
        self.draw.tell = self.trackers.picture
        self.draw_spectra = SpectrumFigure(self.folder / "spectra")
        self.writer = None

    def open(self, stack, saved_step, configuration):
        """Opens what is written until `stack` ends, without what an earlier process wrote past its last checkpoint.

        Pictures and TensorBoard's events of that step itself come again: the process may have died in the middle
        of writing them.

        Args:
            saved_step: that of the last checkpoint, or None.
            configuration: the operative one, text.
        Raises: ConfigError if a tracker cannot start.
        """
        last, step = (-1, 0) if saved_step is None else (saved_step, saved_step)
        self.rows.keep(lambda row: row["step"] <= last or not made_in_training(row))
        shown.forget_events_from(self.folder / "eval", step)
        self.writer = tf.summary.create_file_writer(str(self.folder / "eval"))
        self.draw.writer = self.draw_spectra.writer = self.writer
        stack.callback(self.writer.close)
        drawn = self.draw.forget_from(step)
        rows = [row for row in self.rows.read() if made_in_training(row)]
        self.trackers.open(stack, configuration, rows)
        if drawn:
            self.draw(step)

    def show_again(self, step):
        """Shows the evaluation of the last checkpoint once more, if it has one."""
        row = self.row(step)
        self.draw_spectra.forget_from(step if row is None else step + 1)
        if row is not None:
            self.show(step, row)
            self.draw_spectra.again(step)

    def row(self, step):
        """The evaluation in training of one step, or None."""
        rows = [row for row in self.rows.read() if row["step"] == step and made_in_training(row)]
        return rows[-1] if rows else None

    def append(self, row):
        """Adds the row of an evaluation in training."""
        self.rows.append(row)
        self.trackers.row(row["step"], row)

    def show(self, step, metrics):
        """Shows the numbers of an evaluation in TensorBoard."""
        with self.writer.as_default(step=step):
            for name, value in _numbers(metrics).items():
                tf.summary.scalar(name, value)
        self.writer.flush()


def _numbers(metrics):
    """The floats of a row that TensorBoard shows under `eval/`: no seconds, and no losses, which `train/` has."""
    return {
        k: v
        for k, v in metrics.items()
        if isinstance(v, float) and not k.endswith("_seconds") and "/" not in k
    }
