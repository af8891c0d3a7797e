"""The picture of a genotype of StyleGAN2: which W_i feeds which layer, and the operation of each."""

import matplotlib
from matplotlib.lines import Line2D

from tfgans.methods.alphagan.drawing import COLOURS, FAINT, INK, STYLE, arrow, box, page, rendered
from tfgans.methods.alphagan.spaces.stylegan2 import space
from tfgans.methods.alphagan.spaces.stylegan2.published import load_stylegan2_genotype

_UNIT = (0.9, 0.42)  # inches of one step to the right and up
_TOP = 10.0  # height of W_1; W_8 is 7 lower
_LAYERS, _IMAGES, _DISCRIMINATOR = 1.0, -1.0, -3.5  # heights of the rows below
_BOX = (0.84, 1.2)


@matplotlib.rc_context(STYLE)
def draw_stylegan2_genotype(genotype, dots_per_inch=120):
    """The mapping at the left, a line for each of its outputs, the layers below, and a dot where a layer takes one.

    Args:
        genotype: whatever `load_stylegan2_genotype` takes.
        dots_per_inch: of the picture: 0.9 inches wide for each layer, and 6 to 8 inches high.
    Returns: uint8 [H, W, 3]. A discriminator that was searched is drawn at the bottom, each block under its map.
    """
    genotype = load_stylegan2_genotype(genotype)
    layers, searched = genotype.layers, bool(genotype.discriminator_normal)
    left, right = -1.5, len(layers) + 0.95
    bottom, top = (-5.3 if searched else -3.1), _TOP + 1.15
    axes = page(left, right, bottom, top, _UNIT, dots_per_inch)
    _draw_mapping(axes, len(layers))
    for column, layer in enumerate(layers, 1):
        _draw_layer(axes, column, layer)
    _draw_flow(axes, len(layers))
    if searched:
        _draw_discriminator(axes, genotype)
    _draw_legend(axes)
    return rendered(axes)


def _draw_mapping(axes, columns):
    """z, and the outputs of the eight dense layers, each with a line along all layers."""
    axes.text(-0.5, _TOP + 0.75, "z", ha="center", va="center", fontweight="bold")
    for number in range(1, space.NUM_LATENTS + 1):
        y = _height(number)
        arrow(axes, (-0.5, y + (0.6 if number == 1 else 0.72)), (-0.5, y + 0.3))
        box(axes, -0.5, y, (0.72, 0.56), INK, f"W_{number}", fontsize=9)
        axes.plot((-0.1, columns + 0.3), (y, y), color=FAINT, linewidth=1.0, zorder=0)


def _height(number):
    return _TOP - (number - 1)


def _kind(operation):
    return {"to_rgb": "fixed"}.get(operation, "up" if operation in space.UP_OPERATIONS else "normal")


def _draw_layer(axes, column, layer):
    """The layer's box, the map above it, its tap of a W_i, and the to-RGB that shares it."""
    name, side, operation, latent = layer
    kind = _kind(operation)
    colour, y = COLOURS[kind], _height(latent)
    end = _IMAGES if kind == "fixed" else _LAYERS
    axes.plot((column, column), (y, end), color=colour, linewidth=1.5, zorder=1)
    axes.plot(column, y, "o", color=colour, markersize=9, zorder=3)
    axes.text(column + 0.1, y + 0.28, latent, color=colour, fontsize=8, va="center", fontweight="bold")
    if kind != "fixed":
        box(axes, column, _LAYERS, _BOX, colour, f"{name}\n{_words(operation)}")
        size = f"{side // 2} to {side}" if kind == "up" else f"{side} x {side}"
        axes.text(column, _LAYERS + 0.95, size, ha="center", fontsize=7, bbox=_PLATE, zorder=2)
    if column % 2 == 0:
        to_rgb_side = side if kind == "fixed" else side // 2
        text = f"tRGB{column}\n{to_rgb_side} x {to_rgb_side}"
        box(axes, column, _IMAGES, (0.84, 0.9), COLOURS["fixed"], text)
        # a style that is shared passes behind the layer
        axes.plot((column, column), (_LAYERS, _IMAGES), color=colour, linewidth=1.5, zorder=1)


_PLATE = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}


def _words(operation):
    """The name in two lines, to fit its box."""
    for ending in ("_conv", "_1x1", "_3x3", "_5x5", "_7x7"):
        if operation.endswith(ending):
            return f"{operation.removesuffix(ending)}\n{ending[1:]}"
    return f"{operation}\n3x3"


def _draw_flow(axes, columns):
    """Maps from layer to layer, a map to each to-RGB, images from to-RGB to to-RGB."""
    half = _BOX[0] / 2
    axes.text(0.35, _LAYERS, "4x4\nconstant", ha="right", va="center", fontsize=8)
    arrow(axes, (0.38, _LAYERS), (1 - half, _LAYERS))
    for column in range(1, columns - 1):
        arrow(axes, (column + half, _LAYERS), (column + 1 - half, _LAYERS))
    rail, line = _IMAGES - 0.85, {"color": INK, "linewidth": 1.0, "zorder": 0}
    for column in range(1, columns, 2):
        bend = "angle,angleA=-90,angleB=180"
        arrow(axes, (column, _LAYERS - _BOX[1] / 2), (column + 1 - half, _IMAGES), bend)
        axes.plot((column + 1, column + 1), (_IMAGES - 0.45, rail), **line)
        if column > 1:
            axes.text(column + 0.5, rail + 0.08, "x2, +", ha="center", fontsize=7)
    axes.plot((2, columns), (rail, rail), **line)
    arrow(axes, (columns, rail), (columns + half, rail))
    axes.text(columns + half + 0.05, rail, "image", ha="left", va="center", fontsize=8)


def _draw_discriminator(axes, genotype):
    """From the image at the right to the left; each block's two convolutions under the layers of its map."""
    pairs = list(zip(genotype.discriminator_normal, genotype.discriminator_down, strict=True))
    half, y = _BOX[0] / 2, _DISCRIMINATOR
    last = 2 * len(pairs) + 1
    axes.text(last + half + 0.4, y, "image", ha="left", va="center", fontsize=8)
    arrow(axes, (last + half + 0.38, y), (last + half, y))
    for index, (normal, down) in enumerate(pairs):
        column, side = 2 * index + 3, 8 * 2**index
        box(axes, column, y, _BOX, COLOURS["normal"], f"D{side}\n{_words(normal)}")
        box(axes, column - 1, y, _BOX, COLOURS["up"], f"D{side} down\n{_words(down)}")
        arrow(axes, (column - half, y), (column - 1 + half, y))
        arrow(axes, (column - 1 - half, y), (column - 2 + half, y))
    axes.text(1 + half, y, "4x4,\nlogit", ha="right", va="center", fontsize=8)
    axes.text(-1.3, y, "discriminator", ha="left", va="center", fontsize=9, fontweight="bold")


def _draw_legend(axes):
    labels = {
        "normal": "normal layer: takes the W_i of its dot",
        "up": "layer that doubles (in the discriminator: halves) the map; the to-RGB below it takes the same W_i",
        "fixed": "to-RGB (the last has a W_i of its own)",
    }
    lines = [Line2D([], [], color=COLOURS[kind], linewidth=2, label=label) for kind, label in labels.items()]
    axes.legend(handles=lines, loc="lower center", ncols=3, frameon=False, fontsize=8)
