"""Power spectra of a comparison: what the configurations generate, beside the real images."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tfgans.compare import collect, figures
from tfgans.compare.bands import Band
from tfgans.evaluate.spectrum_figure import show_range

TITLE = "Power spectra of the samples"
_SAME = 0.01  # decibels; spectra of the same real images differ by less, from one machine to another
_MARKS = 7


def spectrum_of(run):
    """A run's spectrum at its last evaluation; None if it has none, or did not come to its end."""
    return run["spectrum"] if run["outcome"] == collect.FINISHED else None


def _spectra(configuration):
    return [found for found in map(spectrum_of, configuration["runs"]) if found]


def measured(comparison):
    """Whether there is a spectrum to draw."""
    return any(map(_spectra, comparison["configurations"]))


def bands(configuration):
    """Mean and range over the runs: `Band`s of the generated images, and of generated minus real.

    In decibels at the frequencies above 0 that all have, as parts of Nyquist's; None if no run has a spectrum. Of
    each run those real images count that it was evaluated with.
    """
    found = _spectra(configuration)
    if not found:
        return None
    count = min(len(each["frequency"]) for each in found)  # older runs end below Nyquist's
    frequency = np.array(found[0]["frequency"])[1:count]
    generated, real = (np.array([each[side][1:count] for each in found]) for side in ("generated", "real"))
    return tuple(
        Band(frequency, values.mean(axis=0), values.min(axis=0), values.max(axis=0))
        for values in (generated, generated - real)
    )


def real_spectra(comparison):
    """The spectra of real images that are not the same: [(frequencies, decibels)], without frequency 0."""
    different = []
    for configuration in comparison["configurations"]:
        for each in _spectra(configuration):
            frequency, real = (np.array(each[name])[1:] for name in ("frequency", "real"))
            if not any(len(seen) == len(real) and np.allclose(seen, real, 0, _SAME) for _, seen in different):
                different.append((frequency, real))
    return different


def caption(comparison):
    """What the figure shows, and of which configurations not every run is in it."""
    text = (
        "Above: power averaged over all directions, in decibels, at each run's last evaluation; below: generated "
        "minus real. Line: mean over the runs; band: from the lowest run to the highest; dashed: the real images. "
        "Frequencies above Nyquist's are in the corners of the transform; stripes of period 2 are at Nyquist's, a "
        "checkerboard at the right end."
    )
    text += figures.runs_left_out(comparison, _spectra, "came to its end with a spectrum")
    if len(real_spectra(comparison)) > 1:
        text += " Not all runs were evaluated with the same real images: below, each is set against its own."
    return text


def _draw(figure, comparison):
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    highest = 0.0
    real = {"color": matplotlib.rcParams["text.color"], "linestyle": "--", "linewidth": 1.4, "zorder": 3}
    for frequency, decibels in real_spectra(comparison):
        above.plot(frequency, decibels, **real)
        highest = max(highest, frequency[-1])
    below.axhline(0.0, **real)
    for index, configuration in enumerate(comparison["configurations"]):
        for axes, band in zip((above, below), bands(configuration) or (), strict=False):
            ink, every = figures.colour(index), -(-len(band.x) // _MARKS)
            axes.fill_between(band.x, band.low, band.high, color=ink, alpha=0.16, linewidth=0)
            style = {"linewidth": 2.0, "marker": figures.marker(index), "markersize": 5, "markevery": every}
            axes.plot(band.x, band.centre, color=ink, **style)
    above.set_title("azimuthally averaged power (dB)", loc="left")
    below.set_title("generated minus real (dB)", loc="left")
    below.set(xlabel="spatial frequency (Nyquist = 1)")
    for axes in (above, below):
        show_range(axes, highest)
    above.legend(above.get_lines()[:1], ["real images"], loc="upper right", frameon=False)


@matplotlib.rc_context(figures.PAGE_STYLE)
def svg(comparison, name):
    """SVG of the figure, for the page."""
    figure = Figure(figsize=(5, 4.8), layout="constrained")
    _draw(figure, comparison)
    return figures.svg(figure, name, "power spectra of generated and real images, and their difference")


@matplotlib.rc_context(figures.PICTURE_STYLE)
def picture(comparison, file):
    """Writes the figure as a PNG, 1500 pixels wide and to be shown at 1000."""
    figure = Figure(figsize=(10, 6.4), layout="constrained", dpi=150)
    _draw(figure, comparison)
    figures.draw_legend(figure, comparison)
    figures.save_png(figure, file)
