"""Figures of a comparison: curves with bands, the last values of all runs, and the picture for READMEs."""

import base64
import html
import io
import re
import warnings

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from tfgans.compare.bands import (
    GRID_POINTS,
    band_by_seconds,
    band_by_step,
    curve_points,
    median_by_step,
    run_points,
)

# Told apart with any colour vision by hue or lightness, and by marker; all at least 3:1 on white and on #15181c.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#9a7b0a", "#8a62d6", "#2b9ab8", "#7f7f7f")
MARKERS = "osD^vPX*"
_INK = "#010203"  # stands for the colour of the text around a figure
PAGE_STYLE = {
    "axes.edgecolor": _INK, "axes.facecolor": "none", "axes.grid": True, "axes.labelcolor": _INK,
    "axes.spines.right": False, "axes.spines.top": False, "axes.titlesize": 11, "figure.facecolor": "none",
    "font.size": 10, "grid.alpha": 0.15, "grid.color": _INK, "path.simplify_threshold": 0.5,
    "svg.fonttype": "none", "svg.hashsalt": "tfgans", "text.color": _INK, "text.parse_math": False,
    "xtick.color": _INK, "ytick.color": _INK,
}  # fmt: skip
PICTURE_STYLE = {name: "#1c1f24" if value == _INK else value for name, value in PAGE_STYLE.items()} | {
    "figure.facecolor": "white"
}
AGAINST = {"step": "generator updates", "train_seconds": "seconds of training"}
_SPELT = {"fid": "FID", "kid": "KID", "kl": "KL", "wasserstein": "Wasserstein"}


def metric_name(metric):
    """`mode_kl` -> `mode KL`."""
    return " ".join(_SPELT.get(word, word) for word in metric.split("_"))


def colour(index):
    """Of configuration number `index`."""
    return COLOURS[index % len(COLOURS)]


def marker(index):
    """Of configuration number `index`: differs where colours come round again."""
    return MARKERS[(index + index // len(COLOURS)) % len(MARKERS)]


def _draw_lines(axes, comparison, points_of, band_of, marks=30, dots=True, dense=False):
    """All runs thin, their centre bold, the interval as a band; returns whether there was anything to draw.

    Args:
        marks: about how many places of the centre have a marker.
        dense: lines between points are straight in the values, also on a logarithmic scale.
    """
    drawn, thin = [], {"linewidth": 0.8, "alpha": 0.45}
    for index, configuration in enumerate(comparison["configurations"]):
        ink, runs = colour(index), configuration["runs"]
        for x, y in map(points_of, runs):
            places = np.union1d(x, np.linspace(x[0], x[-1], GRID_POINTS)) if dense and len(x) else x
            axes.plot(places, np.interp(places, x, y) if dense and len(x) else y, **thin, color=ink)
            if dots or len(x) == 1:
                axes.plot(x, y, ".", color=ink, alpha=0.45, markersize=3)
            drawn.append(y)
        band = band_of(runs)
        if len(band.x) == 1:  # a band needs two places to be seen
            axes.vlines(band.x, band.low, band.high, color=ink, linewidth=4, alpha=0.35)
        axes.fill_between(band.x, band.low, band.high, color=ink, alpha=0.16, linewidth=0)
        every = -(-len(band.x) // marks) or 1
        style = {"linewidth": 2.2, "marker": marker(index), "markersize": 5, "markevery": every}
        axes.plot(band.x, band.centre, color=ink, **style)
    values = np.concatenate([*drawn, np.empty(0)])
    _scale(axes, values[np.isfinite(values)])
    return bool(np.isfinite(values).any())


def _scale(axes, values):
    """A vertical scale on which the runs, not the width of a band or one explosion, fill the frame."""
    axes.yaxis.set_major_locator(AutoLocator())
    if len(values):
        low, high, middle = values.min(), values.max(), np.median(np.abs(values))
        if low > 0 and high > 30 * low:
            axes.set_yscale("log")
            subs = (1, 2, 5) if high < 3000 * low else (1,)
            axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
            margin = (high / low) ** 0.1
            axes.set_ylim(low / margin, high * margin)
        elif middle > 0 and np.abs(values).max() > 300 * middle:
            axes.set_yscale("symlog", linthresh=middle)
        else:
            margin = 0.12 * (high - low) or 0.05 * abs(high) or 1.0
            axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _name_axes(axes, title, against):
    axes.set_title(title, loc="left")
    axes.set_xlabel(AGAINST[against])
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=against == "step"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _metric_title(comparison, metric):
    way = "higher" if comparison["metrics"][metric]["higher_is_better"] else "lower"
    return f"{metric_name(metric)} ({way} is better)"


def draw_metric(axes, comparison, metric, against):
    """A metric of all configurations against `step` or `train_seconds`; returns whether there are values."""
    drawn = _draw_lines(
        axes,
        comparison,
        lambda run: run_points(run, metric, against),
        lambda runs: (band_by_step if against == "step" else band_by_seconds)(runs, metric),
        marks=30 if against == "step" else 7,
        dense=against == "train_seconds",
    )
    _name_axes(axes, _metric_title(comparison, metric), against)
    return drawn


def draw_last_values(axes, comparison, metric):
    """The last value of each run, the mean and its t interval: a row a configuration, the first on top."""
    seen, configurations = [], comparison["configurations"]
    for index, configuration in enumerate(configurations):
        last = configuration["summary"].get(metric, {}).get("last", {})
        values = [value for value in last.get("values", ()) if value is not None]
        places = index + 0.26 + 0.04 * (np.arange(len(values)) % 3 - 1)  # below the mean, not on one another
        axes.plot(values, places, "o", color=colour(index), markersize=5, alpha=0.6, markeredgewidth=0)
        if last.get("t_interval"):
            axes.hlines(index - 0.08, *last["t_interval"], color=colour(index), linewidth=3)
        if last.get("mean") is not None:
            axes.plot(last["mean"], index - 0.08, marker(index), color=colour(index), markersize=9)
        seen += values
    axes.set_yticks(range(len(configurations)), [short(c["label"]) for c in configurations])
    axes.set_ylim(len(configurations) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_title(_metric_title(comparison, metric), loc="left")
    axes.grid(axis="y", visible=False)
    return bool(seen)


def short(label, length=22):
    """A label on one line; of one that is too long, its two ends."""
    label = " ".join(label.split())
    begin = (length - 1) // 2
    return label if len(label) <= length else f"{label[:begin]}…{label[begin + 1 - length :]}"


def _figure(width, height):
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


@matplotlib.rc_context(PAGE_STYLE)
def metric_svg(comparison, metric, against, name):
    """SVG of `draw_metric`, or None if no run has a value."""
    figure, axes = _figure(5, 3.3)
    drawn = draw_metric(axes, comparison, metric, against)
    description = f"{metric_name(metric)} against {AGAINST[against]}"
    return svg(figure, name, description) if drawn else None


@matplotlib.rc_context(PAGE_STYLE)
def curve_svg(comparison, key, name):
    """SVG of one of the runs' curves (losses, gradients) with the median of each configuration."""
    figure, axes = _figure(5, 3.3)
    drawn = _draw_lines(
        axes,
        comparison,
        lambda run: curve_points(run, key),
        lambda runs: median_by_step(runs, key),
        marks=7,
        dots=False,
    )
    _name_axes(axes, key, "step")
    return svg(figure, name, f"{key} against {AGAINST['step']}") if drawn else None


@matplotlib.rc_context(PAGE_STYLE)
def last_values_svg(comparison, metric, name):
    """SVG of `draw_last_values`, or None if no run has a value."""
    figure, axes = _figure(5, 1.1 + 0.5 * len(comparison["configurations"]))
    drawn = draw_last_values(axes, comparison, metric)
    return svg(figure, name, f"last {metric_name(metric)} of every run") if drawn else None


@matplotlib.rc_context(PAGE_STYLE)
def key_uri(index):
    """Data URI of the line and marker that stand for configuration number `index`."""
    figure = Figure(figsize=(0.36, 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.plot([0, 0.5, 1], [0, 0, 0], color=colour(index), linewidth=2, clip_on=False)
    axes.plot([0.5], [0], color=colour(index), marker=marker(index), markersize=7, clip_on=False)
    return "data:image/svg+xml;base64," + base64.b64encode(_render(figure).encode()).decode()


def _render(figure):
    text = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # the reader's own fonts have it, perhaps
        FigureCanvasSVG(figure).print_svg(text, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = text.getvalue()
    return text[text.index("<svg") :]


def svg(figure, name, description):
    """The figure as SVG to stand within a page, among others: as wide as its box, in the page's font and ink.

    Args:
        name: of this figure, letters and digits; begins every id in it, so that no two figures share one.
        description: for those who do not see it.
    """
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", _render(figure), count=1, flags=re.DOTALL)
    label = html.escape(description)
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', f'role="img" aria-label="{label}"', text, count=1)
    return re.sub(r"<[^>]*>", lambda tag: _tag_within_page(tag[0], name), text).strip()


def _tag_within_page(tag, name):
    tag = re.sub(r" font-family: [^;\"]*;", "", tag)
    tag = re.sub(
        r' id="(?![pm][0-9a-f]{10}")[^"]*"', "", tag
    )  # all but the clips and markers, which are used
    tag = re.sub(r'( id="|xlink:href="#|url\(#)', rf"\1{name}-", tag)
    return tag.replace(_INK, "currentColor")


@matplotlib.rc_context(PICTURE_STYLE)
def picture(comparison, file):
    """Writes a PNG, 1500 pixels wide and to be shown at 1000: the primary metric, and up to three more."""
    primary = comparison["settings"]["primary_metric"]
    more = [metric for metric in comparison["metrics"] if metric != primary][:3]
    figure = Figure(figsize=(10, 7 if more else 4.4), layout="constrained", dpi=150)
    above, *below = figure.subfigures(
        2 if more else 1, 1, squeeze=False, height_ratios=[4, 3][: 1 + bool(more)]
    )[:, 0]
    if primary in comparison["metrics"]:
        curves, last = above.subplots(1, 2, width_ratios=[3, 2])
        draw_metric(curves, comparison, primary, "step")
        draw_last_values(last, comparison, primary)
        last.set_title("last values, mean, interval", loc="left")
    for axes, metric in zip(
        below[0].subplots(1, len(more), squeeze=False)[0] if more else (), more, strict=True
    ):
        draw_metric(axes, comparison, metric, "step")
        axes.title.set_fontsize(10)
    draw_legend(figure, comparison)
    save_png(figure, file)


def save_png(figure, file):
    """Writes a figure, the same bytes each time."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})


def runs_left_out(comparison, shown, condition):
    """The sentence of a caption that counts the runs in a figure, " Not every run CONDITION: label: 1 of 3."

    Args:
        shown: function of a configuration, what is in the figure of its runs.
    Returns: it, or an empty text if all runs are.
    """
    counts = [(each["label"], len(shown(each)), len(each["runs"])) for each in comparison["configurations"]]
    lacking = [f"{label}: {count} of {total}" for label, count, total in counts if count < total]
    return f" Not every run {condition}: {'; '.join(lacking)}." if lacking else ""


def draw_legend(figure, comparison):
    """Line and marker of every configuration above a figure."""
    labels = [short(configuration["label"]) for configuration in comparison["configurations"]]
    axes = figure.add_axes((0, 0, 0, 0), visible=False)
    handles = [
        axes.plot([], [], color=colour(i), marker=marker(i), linewidth=2.2)[0] for i in range(len(labels))
    ]
    if labels:
        legend = figure.legend(
            handles, map(str, range(len(labels))), loc="outside upper left", ncols=4, frameon=False
        )
        for text, label in zip(legend.get_texts(), labels, strict=True):
            text.set_text(label)  # a legend drops labels that begin with _, a text does not
