"""The figures of an evaluation: functions of arrays that return pictures, uint8 [H, W, 3], 1120 pixels wide."""

import matplotlib
import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tfgans.evaluate import figure_style
from tfgans.evaluate.figure_style import COLOURS, INK

_MARKERS = {"real": "o", "generated": "^"}


@figure_style.styled
def nearest(groups, searched):
    """Generated images above the training images nearest to them.

    Args:
        groups: {title: [(label of the row, uint8 images [n, H, W, C], texts [n] or None)]}, one below the other.
        searched: what was searched, for the title.
    """
    rows = [row for group in groups.values() for row in group]
    columns = max(len(images) for _, images, _ in rows)
    height, width = np.max([images.shape[1:3] for _, images, _ in rows], axis=0)
    cell = 4.5 / columns * height / width
    heights = [len(group) * (cell + 0.22) + 0.3 for group in groups.values()]
    figure = figure_style.new_figure(sum(heights) + 0.5)
    figure.suptitle(f"Generated images and the nearest of {searched}", x=0.01, ha="left", fontsize=11)
    parts = figure.subfigures(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (title, group) in zip(parts, groups.items(), strict=True):
        part.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        grid = part.subplots(len(group), columns, squeeze=False)
        for line, (label, images, texts) in zip(grid, group, strict=True):
            line[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=6)
            for number, axes in enumerate(line):
                _show(axes, images[number] if number < len(images) else None)
                if texts is not None and number < len(images):
                    axes.set_xlabel(texts[number], fontsize=9, labelpad=1)
    return figure_style.pixels(figure)


def _show(axes, image):
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if image is not None:
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
            axes.scatter(*points.T, color=colour, label=f"{side} ({len(points):,})", **style)
        axes.set_title(title, loc="left", fontsize=10)
        if labels is None:
            axes.set(xticks=[], yticks=[], xlabel="no units: only who is near whom counts")
        else:
            axes.set(xlabel=labels[0], ylabel=labels[1])
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_locator(MaxNLocator(5))
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, markerscale=2)
    for handle in legend.legend_handles:
        handle.set_alpha(1.0)
    figure.suptitle(f"Map of images by their features ({name})", x=0.01, ha="left", fontsize=11)
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
    text = f"F₈ (weighs recall) {marks[0]:.2f}\nF₁⸝₈ (weighs precision) {marks[1]:.2f}"
    axes.text(0.03, 0.04, text, transform=axes.transAxes, va="bottom")
    axes.set_title(title, loc="left", fontsize=11)
    return figure_style.pixels(figure)


def draw_precision_recall(axes):
    """Frame, names and the best corner of a precision-recall curve."""
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    axes.set_xlabel("recall: share of the real images' variety that is reached")
    axes.set_ylabel("precision: share of generated\nimages that are like real ones")
    axes.plot([1.0], [1.0], "*", color=INK, markersize=11, clip_on=False, zorder=5)
    axes.annotate("best", (1.0, 1.0), xytext=(-12, -4), textcoords="offset points", ha="right", va="center")


@figure_style.styled
def frechet_by_size(counts, values, line, name):
    """The Frechet distance of parts of the generated set, and where it goes with infinitely many samples.

    Args:
        counts, values: [k], of `frechet.frechet_by_size`. line: what `frechet.infinity_line` returns of them.
        name: of the features.
    """
    limit, slope, error = (line[f"fid_infinity{part}"] for part in ("", "_slope", "_error"))
    figure = figure_style.new_figure(3.8)
    axes = figure.add_subplot()
    axes.plot(counts, values, "o", color=COLOURS["generated"], markersize=5, label="parts of the samples")
    at = np.linspace(counts[0], 1.04 * counts[-1], 200)
    fitted = "line fitted in 1/N: FID∞ + b/N"
    axes.plot(at, limit + slope / at, color=COLOURS["generated"], linewidth=1.6, label=fitted)
    axes.axhline(limit, color=INK, linestyle="--", linewidth=1.4, label="infinitely many samples (FID∞)")
    axes.axhspan(limit - error, limit + error, color=INK, alpha=0.1, linewidth=0, label="its 95 % interval")
    axes.set(xlabel="number of generated samples N", ylabel=f"Fréchet distance (FID),\nfeatures: {name}")
    axes.set_xlim(0, 1.04 * counts[-1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.legend(frameon=False)
    title = f"FID {values[-1]:.4g} at {counts[-1]:,} samples, {limit:.4g} ± {error:.2g} at infinitely many"
    axes.set_title(title, loc="left", fontsize=11)
    return figure_style.pixels(figure)
