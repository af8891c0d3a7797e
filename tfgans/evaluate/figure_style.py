"""What the figures of evaluations have in common: colours, sizes, and how one becomes pixels."""

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tfgans import files

# Colour of each side, told apart with any colour vision.
COLOURS = {"real": "#0072b2", "generated": "#d55e00"}
INK = "#1c1f24"
_DPI = 200
_STYLE = {
    "axes.edgecolor": INK, "axes.grid": True, "axes.labelcolor": INK, "axes.spines.right": False,
    "axes.spines.top": False, "axes.titlesize": 11, "figure.facecolor": "white", "font.size": 10,
    "grid.alpha": 0.15, "grid.color": INK, "text.color": INK, "text.parse_math": False,
    "xtick.color": INK, "ytick.color": INK,
}  # fmt: skip

styled = matplotlib.rc_context(_STYLE)  # decorates the functions that draw


def new_figure(height, width=5.6):
    """A figure of a size in inches. In a page 400 pixels wide, text of one of 5.6 inches has 10 pixels."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def pixels(figure):
    """The picture of a figure, uint8 [H, W, 3]: 200 pixels an inch."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def save(path, picture):
    """Writes what `pixels` gave as a PNG, whole or not at all."""
    with files.replacing(path) as file:
        Image.fromarray(picture).save(file, "PNG", dpi=(_DPI, _DPI))
