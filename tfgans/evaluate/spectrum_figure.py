"""The power spectra of a run's evaluations: a figure and its numbers in the run's folder, and in TensorBoard."""

import json
import logging
from pathlib import Path

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.ticker import MaxNLocator

from tfgans import files, readers
from tfgans.config import ConfigError
from tfgans.evaluate import figure_style, spectrum

logger = logging.getLogger(__name__)

_LINES = {"real": "-", "generated": "--"}  # told apart without colour, too


class SpectrumFigure:
    """Writes `step_00001000.png` and `step_00001000.json` (`spectrum.numbers`), and shows the picture.

    Args:
        folder: of the files.
        writer: TensorBoard writer, or None.
    """

    def __init__(self, folder, writer=None):
        self.folder, self.writer = Path(folder), writer

    def path(self, step):
        """The picture of one step; its numbers are beside it."""
        return self.folder / f"step_{step:08d}.png"

    def forget_from(self, step):
        """Removes the pictures and numbers of `step` and later."""
        for path in self.folder.glob("step_*.*"):
            if files.step_of(path) >= step:
                path.unlink()

    def __call__(self, step, spectra):
        """Writes the files of one step, in place of those that are there; nothing if `spectra` is None.

        Args:
            spectra: (real, generated) `MeanSpectrum`s of one size.
        """
        if spectra is None:
            return
        numbers = spectrum.numbers(*spectra)
        self.folder.mkdir(parents=True, exist_ok=True)
        files.remove_partial(self.folder)
        files.write_text(self.path(step).with_suffix(".json"), json.dumps(numbers) + "\n")
        self._draw(step, numbers)

    def again(self, step):
        """Draws and shows a step once more from its numbers, if it has any."""
        path = self.path(step).with_suffix(".json")
        if not path.exists():
            return
        try:
            with readers.reading(path, "spectra"):
                self._draw(step, json.loads(path.read_text(encoding="utf-8")))
        except ConfigError as error:
            logger.warning("%s; its figure is not drawn again", error)

    def _draw(self, step, numbers):
        image = picture(numbers)
        figure_style.save(self.path(step), image)
        if self.writer is not None:
            with self.writer.as_default(step=step):
                tf.summary.image("spectrum", image[None])
            self.writer.flush()


@figure_style.styled
def picture(numbers):
    """The figure of `spectrum.numbers`, uint8 [H, W, 3]: means over images, and one standard deviation.

    Numbers of a run from before there was more go to the Nyquist frequency alone.
    """
    part = "all_" if "all_frequency" in numbers else ""
    figure = figure_style.new_figure(3.8)
    axes = figure.add_subplot()
    frequency = np.array(numbers[f"{part}frequency"])[1:]
    for name, line in _LINES.items():
        side, colour = numbers[name], figure_style.COLOURS[name]
        mean, deviation = (np.array(side[f"{part}decibels{kind}"])[1:] for kind in ("", "_std"))
        axes.fill_between(
            frequency, mean - deviation, mean + deviation, color=colour, alpha=0.16, linewidth=0
        )
        axes.plot(
            frequency, mean, line, color=colour, linewidth=2, label=f"{name} ({side['count']:,} images)"
        )
    axes.set(xlabel="spatial frequency (Nyquist = 1)", ylabel="azimuthally averaged power (dB)")
    show_range(axes, frequency[-1])
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.legend(edgecolor="none", framealpha=0.85, title="mean ± standard deviation", alignment="left")
    title = f"spectrum distance {numbers['spectrum_distance']:.2f} dB, "
    title += f"highest quarter {numbers['spectrum_distance_high']:.2f} dB"
    if part:
        title += f",\nup to the corner {numbers['spectrum_distance_all']:.2f} dB"
    axes.set_title(title, loc="left")
    return figure_style.pixels(figure)


def show_range(axes, highest):
    """Lets the frequencies of a picture end with the highest, and marks Nyquist's where they go beyond."""
    axes.set_xlim(0, 1.02 * highest if highest > 1.0 else 1.0)
    if highest > 1.0:
        axes.axvline(1.0, color=matplotlib.rcParams["text.color"], linestyle=":", linewidth=1.2, zorder=0)
