"""The picture of a genotype: its three cells as a graph."""

import matplotlib
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from tfgans.methods.alphagan.drawing import COLOURS, INK, STYLE, page, rendered
from tfgans.methods.alphagan.spaces.autogan import space
from tfgans.methods.alphagan.spaces.autogan.genotype import load_genotype

_UNIT = np.array([1.25, 0.95])  # inches of one step to the right and up
_RADIUS = 0.14  # of a node, inches
_CELL_WIDTH = 3.4
_PLACES = {1: (1, 1), 2: (2.4, 1), 3: (1.7, -1), 4: (_CELL_WIDTH, 0)}  # of a cell's nodes, from its input
_LABELS = {(0, 1): 0.55, (2, 4): 0.42}  # where a label is on its edge, if not in the middle
_SKIP_LEVELS = {("skip_2", 0): 1.75, ("skip_3", 0): 2.75, ("skip_3", 1): 2.25}


@matplotlib.rc_context(STYLE)
def draw_genotype(genotype, dots_per_inch=150):
    """The three cells as a graph from left to right: a node is a sum, an edge an operation.

    Args:
        genotype: whatever `load_genotype` takes.
        dots_per_inch: of the picture, which is about 15 x 5 inches.
    Returns: uint8 [H, W, 3].
    """
    genotype = load_genotype(genotype)
    end = len(space.CELLS) * _CELL_WIDTH
    left, right, bottom, top = -0.85, end + 1.1, -1.95, 3.05
    axes = page(left, right, bottom, top, _UNIT, dots_per_inch)
    for cell in space.CELLS:
        _draw_cell(axes, cell)
    for edge in space.EDGES:
        _draw_edge(axes, edge, genotype.operation(edge))
    nodes = {edge.target for edge in space.EDGES} | {(0, 4)}
    for node in sorted(nodes):
        x, y = _place(node)
        axes.plot(x, y, "o", markersize=17, markerfacecolor="white", markeredgecolor=INK, zorder=3)
        axes.text(x, y - 0.015, _node_name(node), ha="center", va="center", fontsize=8, zorder=4)
    for x, direction, text in ((0, "right", "latents,\ndense"), (end, "left", "norm, ReLU,\nconv, tanh")):
        side = -0.25 if direction == "right" else 0.25
        axes.text(x + side, 0, text, ha=direction, va="center")
    _draw_legend(axes)
    return rendered(axes)


def _node_name(node):
    """A cell's output is the next one's input."""
    cell, number = node
    if number != 4:
        return str(number)
    return {0: "0", 3: "4"}.get(cell, "4|0")


def _place(node):
    cell, number = node
    x, y = _PLACES[number]
    return np.array([_CELL_WIDTH * (cell - 1) + x, y])


def _draw_cell(axes, cell):
    x, style = _CELL_WIDTH * (cell - 1), "round,pad=0,rounding_size=0.1"
    box = FancyBboxPatch((x + 0.03, -1.4), _CELL_WIDTH - 0.06, 2.8, boxstyle=style, color="#eef1f4", zorder=0)
    axes.add_patch(box)
    axes.text(x + 0.15, -1.32, f"cell {cell}", va="bottom", fontsize=10, fontweight="bold")


def _draw_edge(axes, edge, operation):
    colour, skip = COLOURS[edge.kind], edge.group.startswith("skip")
    points, place = _skip_path(edge) if skip else _straight_path(edge)
    # The line ends at the rim of its node.
    last = (points[-1] - points[-2]) * _UNIT
    points[-1] = points[-1] - last / np.linalg.norm(last) * _RADIUS / _UNIT
    arrow = FancyArrowPatch(
        path=Path(points),
        arrowstyle="-|>,head_length=5,head_width=2.8",
        color=colour,
        linewidth=1.5,
        linestyle=(0, (4, 2)) if skip else "-",
        zorder=1,
    )
    axes.add_patch(arrow)
    label = f"{operation} x{edge.factor}" if skip else operation
    box = {"boxstyle": "round,pad=0.22", "facecolor": "white", "edgecolor": colour, "linewidth": 0.8}
    axes.text(*place, label, ha="center", va="center", fontsize=8, color=colour, bbox=box, zorder=2)


def _straight_path(edge):
    """Corners of the line, and where its label is."""
    start, end = _place(edge.source), _place(edge.target)
    share = _LABELS.get((edge.source[1] % 4, edge.target[1]), 0.5)  # node 4 is the next cell's 0
    return [start, end], start + share * (end - start)


def _skip_path(edge):
    """As `_straight_path`: upwards from its node, across, and down; two at one node are side by side."""
    start, end = _place(edge.source), _place(edge.target)
    level = _SKIP_LEVELS[edge.group, edge.row]
    leaves = {("skip_2", 0): 0.05, ("skip_3", 0): -0.05}.get((edge.group, edge.row), 0.0)
    arrives = {("skip_3", 0): 0.05, ("skip_3", 1): -0.05}.get((edge.group, edge.row), 0.0)
    first, last = start[0] + leaves, end[0] + arrives
    corners = [(first, start[1]), (first, level), (last, level), (last, end[1])]
    return [np.array(corner) for corner in corners], (0.55 * first + 0.45 * last, level)


def _draw_legend(axes):
    lines = [
        Line2D([], [], color=COLOURS["up"], label="up-sampling, x2"),
        Line2D([], [], color=COLOURS["normal"], label="normal operation"),
        Line2D(
            [], [], color=COLOURS["up"], linestyle=(0, (4, 2)), label="skip from an earlier cell's node 1"
        ),
    ]
    axes.legend(handles=lines, loc="lower center", ncols=3, frameon=False, bbox_to_anchor=(0.5, 0.0))
