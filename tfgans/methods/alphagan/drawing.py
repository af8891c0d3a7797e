"""Boxes and arrows of the pictures of genotypes."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, FAINT = "#1c1f24", "#c9ced4"
COLOURS = {"normal": "#0072b2", "up": "#b8500b", "fixed": "#5b6169"}  # told apart with any colour vision
STYLE = {"figure.facecolor": "white", "font.size": 9, "text.color": INK, "text.parse_math": False}


def page(left, right, bottom, top, unit, dots_per_inch):
    """Axes without a frame over a whole picture of these bounds, a step being `unit` inches [right, up]."""
    figure = Figure(figsize=np.array([right - left, top - bottom]) * unit, dpi=dots_per_inch)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    return axes


def rendered(axes):
    """The picture of the axes, uint8 [H, W, 3]."""
    axes.figure.canvas.draw()
    return np.asarray(axes.figure.canvas.buffer_rgba())[..., :3].copy()


def box(axes, x, y, size, colour, text, fontsize=7.5):
    """A box of a size [width, height] about (x, y) with text in it."""
    corner = (x - size[0] / 2, y - size[1] / 2)
    style = "round,pad=0,rounding_size=0.08"
    patch = FancyBboxPatch(corner, *size, boxstyle=style, facecolor="white", edgecolor=colour, zorder=2)
    axes.add_patch(patch)
    options = {"ha": "center", "va": "center", "fontsize": fontsize, "color": colour, "zorder": 4}
    axes.text(x, y, text, linespacing=1.05, **options)


def arrow(axes, start, end, connection="arc3"):
    """From point to point, as matplotlib's `connectionstyle` says."""
    style = "-|>,head_length=4,head_width=2.2"
    options = {"arrowstyle": style, "connectionstyle": connection, "shrinkA": 0, "shrinkB": 0, "zorder": 1}
    axes.add_patch(FancyArrowPatch(start, end, color=INK, **options))
