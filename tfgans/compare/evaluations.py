"""What `evaluate --pictures` drew of the runs of a comparison: their curves in one figure, and their pictures."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tfgans.compare import collect, figures
from tfgans.evaluate.evaluation_figures import draw_precision_recall, show_measured

TITLE = "Evaluations in pictures"
PICTURES = {"nearest": "nearest training images", "map": "map of features"}


def _drawn(configuration):
    """Its runs that came to their end and have pictures of their last evaluation."""
    return [run for run in configuration["runs"] if run["outcome"] == collect.FINISHED and run["drawn"]]


def shown(configuration):
    """The run whose pictures stand for a configuration: the first that has some; or None."""
    return next(iter(_drawn(configuration)), None)


def curves(configuration, name):
    """The curves `precision_recall` or `fid_by_samples` of its runs, see `collect`."""
    return [run["drawn"][name] for run in _drawn(configuration) if run["drawn"][name]]


def measured(comparison):
    """Whether there is a curve to draw."""
    return any(curves(each, name) for each in comparison["configurations"] for name in _PANELS)


def caption(comparison):
    """What the figures show, and of which configurations not every run is in them."""
    return (
        "Of each run's last evaluation. Precision and recall of distributions (Sajjadi et al. 2018): the higher and "
        "the further right a curve, the better. FID by the number of generated samples: dots are parts of them, the "
        "curve FID∞ + b / N is fitted, the dashed line is FID∞, of infinitely many (Chong and Forsyth 2020). Bold: "
        "mean over the runs; thin: each run."
    ) + figures.runs_left_out(comparison, _drawn, "came to its end and was evaluated with pictures")


def mean_precision_recall(found):
    """The mean (precision, recall) of curves at the same slopes, [k] each; None if they are of different slopes."""
    if len({len(each["recall"]) for each in found}) != 1:
        return None
    return tuple(np.mean([each[side] for each in found], axis=0) for side in ("precision", "recall"))


def _draw_precision_recall(axes, comparison):
    for index, configuration in enumerate(comparison["configurations"]):
        found, ink = curves(configuration, "precision_recall"), figures.colour(index)
        for each in found if len(found) > 1 else ():
            axes.plot(each["recall"], each["precision"], color=ink, linewidth=0.8, alpha=0.45)
        mean = mean_precision_recall(found)
        if mean is not None:
            style = {"linewidth": 2.2, "marker": figures.marker(index), "markersize": 5}
            axes.plot(mean[1], mean[0], color=ink, markevery=max(1, len(mean[0]) // 7), **style)
    draw_precision_recall(axes)
    axes.set_title("precision and recall (PRD)", loc="left")


def _draw_fid_by_samples(axes, comparison):
    values = []
    for index, configuration in enumerate(comparison["configurations"]):
        found, ink = curves(configuration, "fid_by_samples"), figures.colour(index)
        values += [np.array(each["fid"]) for each in found]
        for each in found:
            axes.plot(each["num_samples"], each["fid"], ".", color=ink, alpha=0.45, markersize=4)
            if len(found) > 1:
                axes.plot(*_fitted([each]), color=ink, linewidth=0.8, alpha=0.45)
        if found:
            at, curve = _fitted(found)
            style = {"linewidth": 2.2, "marker": figures.marker(index), "markersize": 5, "markevery": 25}
            axes.plot(at, curve, color=ink, **style)
            limit = np.mean([each["fid_infinity"] for each in found])
            axes.axhline(limit, color=ink, linestyle="--", linewidth=1.2)
    axes.set_xlim(left=0)
    show_measured(axes, np.concatenate(values))
    axes.set_xlabel("number of generated samples N")
    axes.set_title("FID by the number of samples (lower is better)", loc="left")


def _fitted(found):
    """`(N, FID∞ + b / N)` with the mean of both numbers over some curves, where these have samples."""
    low, high = (pick(pick(each["num_samples"]) for each in found) for pick in (min, max))
    at = np.linspace(low, high, 200)
    limit, slope = (np.mean([each[f"fid_infinity{part}"] for each in found]) for part in ("", "_slope"))
    return at, limit + slope / at


_PANELS = {
    "precision_recall": (_draw_precision_recall, "precision-recall curves of the configurations"),
    "fid_by_samples": (_draw_fid_by_samples, "FID by the number of generated samples"),
}


def _panels(comparison):
    """`(name, what draws it, description)` of those curves that there are."""
    configurations = comparison["configurations"]
    return [(name, *panel) for name, panel in _PANELS.items() if any(curves(c, name) for c in configurations)]


@matplotlib.rc_context(figures.PAGE_STYLE)
def svgs(comparison, name):
    """SVGs of the figures, for the page."""
    found = []
    for number, (_, draw, description) in enumerate(_panels(comparison)):
        figure = Figure(figsize=(5, 4.4), layout="constrained")
        draw(figure.add_subplot(), comparison)
        found.append(figures.svg(figure, f"{name}{number}", description))
    return found


@matplotlib.rc_context(figures.PICTURE_STYLE)
def picture(comparison, file):
    """Writes the figures as a PNG, 1500 pixels wide and to be shown at 1000."""
    panels = _panels(comparison)
    figure = Figure(figsize=(10, 5.2), layout="constrained", dpi=150)
    for axes, (_, draw, _) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes, comparison)
    figures.draw_legend(figure, comparison)
    figures.save_png(figure, file)
