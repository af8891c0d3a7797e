"""The figures of an evaluation: functions of arrays that return pictures, uint8 [H, W, 3], 1120 pixels wide."""

import matplotlib
import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tfgans.evaluate import figure_style
from tfgans.evaluate.figure_style import COLOURS, INK
from tfgans.pictures import opaque

_MARKERS = {"real": "o", "generated": "^"}
_WIDTH = 5.6  # inches
_LEFT = {"x": 0.01, "ha": "left"}
_DISTANCES = (
    "Numbers: the distance, over that which training images typically have to the nearest\n"
    "other one. About 1: as near as training images are to each other. Near 0: a copy."
)
_TWINS = "No distances: most of the images searched have another one that is the same."


@figure_style.styled
def nearest(groups, title):
    """Generated images above the training images nearest to them.

    Args:
        groups: {heading: [(label of the row, uint8 images [n, H, W, C], numbers below them [n] or None)]}.
        title: above all.
    """
    rows = [row for group in groups.values() for row in group]
    columns = max(len(images) for _, images, _ in rows)
    side = (_WIDTH - 1.0) / columns - 0.06  # of a cell, in inches
    height, width = rows[0][1].shape[1:3]
    heights = [0.28 + sum(side * height / width + (0.08 if n is None else 0.26) for *_, n in group)
               for group in groups.values()]  # fmt: skip
    figure = figure_style.new_figure(sum(heights) + 0.9)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, hspace=0.0, wspace=0.0)
    above, *parts, below = figure.subfigures(len(groups) + 2, 1, height_ratios=[0.3, *heights, 0.6])
    above.text(0.01, 0.4, title, va="center", fontsize=11)
    for part, (heading, group) in zip(parts, groups.items(), strict=True):
        part.suptitle(heading, **_LEFT, fontsize=10, fontweight="bold")
        grid = part.subplots(len(group), columns, squeeze=False)
        for line, (label, images, numbers) in zip(grid, group, strict=True):
            line[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=5)
            for at, axes in enumerate(line):
                _show(axes, images[at] if at < len(images) else None)
                if numbers is not None and at < len(images):
                    axes.set_xlabel(f"{numbers[at]:.2f}", fontsize=9, labelpad=1)
    numbered = any(numbers is not None for *_, numbers in rows)
    below.text(0.01, 0.5, _DISTANCES if numbered else _TWINS, fontsize=9, va="center", linespacing=1.3)
    return figure_style.pixels(figure)


def _show(axes, image):
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if image is not None:
        image = opaque(image)
        gray = image.shape[-1] == 1
        axes.imshow(
            image[..., 0] if gray else image,
            cmap="gray" if gray else None,
            vmin=0,
            vmax=255,
            interpolation="nearest" if image.shape[0] < 100 else "antialiased",
        )


@figure_style.styled
def feature_map(maps, name):
    """Real and generated images as points, in one panel a map.

    Args:
        maps: [(title, real [n, 2], generated [m, 2], (label of the x axis, of the y axis) or None)]; without labels
            the axes have no numbers.
        name: of the features.
    """
    figure = figure_style.new_figure(3.5)
    for axes, (title, *sides, labels) in zip(
        figure.subplots(1, len(maps), squeeze=False)[0], maps, strict=True
    ):
        for (side, colour), points in zip(COLOURS.items(), sides, strict=True):
            style = {"s": 9, "alpha": 0.55, "linewidths": 0, "marker": _MARKERS[side]}
            axes.scatter(*points.T, color=colour, label=f"{len(points):,} {side}", **style)
        axes.set_title(title, loc="left", fontsize=10)
        if labels is None:
            axes.set(xticks=[], yticks=[], xlabel="no units: only nearness counts")
        else:
            axes.set(xlabel=labels[0], ylabel=labels[1])
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_locator(MaxNLocator(5))
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, markerscale=2)
    for handle in legend.legend_handles:
        handle.set_alpha(1.0)
    figure.suptitle(f"Map of images by their features ({name})", **_LEFT, fontsize=11)
    return figure_style.pixels(figure)


@figure_style.styled
def precision_recall(precision, recall, marks, title):
    """The curve of `prd.curve`.

    Args:
        precision, recall: [k]. marks: (F_8, F_1/8). title: above the figure.
    """
    figure = figure_style.new_figure(4.4)
    axes = figure.add_subplot()
    draw_precision_recall(axes)
    axes.fill_between(recall, precision, color=COLOURS["generated"], alpha=0.12, linewidth=0)
    axes.plot(recall, precision, color=COLOURS["generated"], linewidth=2.2)
    text = f"F₈ (recall counts more): {marks[0]:.2f}\nF₁/₈ (precision counts more): {marks[1]:.2f}"
    axes.text(0.03, 0.04, text, transform=axes.transAxes, va="bottom")
    axes.set_title(title, loc="left", fontsize=11)
    return figure_style.pixels(figure)


def draw_precision_recall(axes):
    """Frame, names and the best corner of a precision-recall curve."""
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    axes.set_xlabel("recall: share of the real images' variety that is reached")
    axes.set_ylabel("precision: share of generated\nimages that are like real ones")
    ink = matplotlib.rcParams["text.color"]
    axes.plot([1.0], [1.0], "*", color=ink, markersize=11, clip_on=False, zorder=5)
    axes.annotate("best", (1.0, 1.0), xytext=(-12, -4), textcoords="offset points", ha="right", va="center")


@figure_style.styled
def frechet_by_size(counts, values, line, fitted, name):
    """The Frechet distance of parts of the generated set, and where it goes with infinitely many samples.

    Args:
        counts, values: [k], of `frechet.frechet_by_size`.
        line: what `frechet.infinity_line` returns of the last ones. fitted: how many these are.
        name: of the features.
    """
    limit, slope, error = (line[f"fid_infinity{part}"] for part in ("", "_slope", "_error"))
    figure = figure_style.new_figure(3.8)
    axes, colour = figure.add_subplot(), COLOURS["generated"]
    rest = len(counts) - fitted
    if rest:
        axes.plot(counts[:rest], values[:rest], "o", color=colour, markersize=5, markerfacecolor="white",
                  label="fewer samples, not fitted")  # fmt: skip
    axes.plot(counts[rest:], values[rest:], "o", color=colour, markersize=5, label="parts of the samples")
    at = np.linspace(counts[0], 1.04 * counts[-1], 200)
    axes.plot(
        at, limit + slope / at, color=colour, linewidth=1.6, label="fitted curve: FID∞ + b / N", zorder=1
    )
    axes.axhline(limit, color=INK, linestyle="--", linewidth=1.4, label="FID∞: infinitely many samples")
    axes.axhspan(limit - error, limit + error, color=INK, alpha=0.12, linewidth=0, label="its 95 % interval")
    axes.set(xlabel="number of generated samples N", ylabel=f"Fréchet distance (FID),\nfeatures: {name}")
    axes.set_xlim(0, 1.04 * counts[-1])
    show_measured(axes, values)
    axes.legend(frameon=False, loc="upper right")
    title = f"FID {values[-1]:.4g} at {counts[-1]:,} samples, {limit:.4g} ± {error:.2g} at infinitely many"
    axes.set_title(title, loc="left", fontsize=11)
    return figure_style.pixels(figure)


def show_measured(axes, values):
    """Lets distances [k] fill the height, and not a curve that is fitted to some of them."""
    low, high = axes.get_ylim()
    most = values.max() + 0.25 * (values.max() - low)
    axes.set_ylim(low, min(high, most) if most > low else high)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
