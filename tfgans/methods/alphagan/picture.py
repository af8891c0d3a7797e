"""Pictures of a search: the graph of a genotype, and how the architecture weights went."""

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from tfgans.config import ConfigError
from tfgans.methods.alphagan import space
from tfgans.methods.alphagan.genotype import load_genotype

_INK = "#1c1f24"
_COLOURS = {"normal": "#0072b2", "up": "#b8500b"}  # told apart with any colour vision
_STYLE = {
    "axes.edgecolor": _INK, "axes.labelcolor": _INK, "axes.labelsize": 9, "axes.titlesize": 9,
    "figure.facecolor": "white", "font.size": 9, "text.color": _INK, "text.parse_math": False,
    "xtick.color": _INK, "xtick.labelsize": 8, "ytick.color": _INK, "ytick.labelsize": 7.5,
}  # fmt: skip
_UNIT = np.array([1.25, 0.95])  # inches of one step to the right and up
_RADIUS = 0.14  # of a node, inches
_CELL_WIDTH = 3.4
_PLACES = {1: (1, 1), 2: (2.4, 1), 3: (1.7, -1), 4: (_CELL_WIDTH, 0)}  # of a cell's nodes, from its input
_LABELS = {(0, 1): 0.55, (2, 4): 0.42}  # where a label is on its edge, if not in the middle
_SKIP_LEVELS = {("skip_2", 0): 1.75, ("skip_3", 0): 2.75, ("skip_3", 1): 2.25}


@matplotlib.rc_context(_STYLE)
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
    size = np.array([right - left, top - bottom]) * _UNIT
    figure = Figure(figsize=size, dpi=dots_per_inch)
    canvas, axes = FigureCanvasAgg(figure), figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    for cell in space.CELLS:
        _draw_cell(axes, cell)
    for edge in space.EDGES:
        _draw_edge(axes, edge, genotype.operation(edge))
    nodes = {edge.target for edge in space.EDGES} | {(0, 4)}
    for node in sorted(nodes):
        x, y = _place(node)
        axes.plot(x, y, "o", markersize=17, markerfacecolor="white", markeredgecolor=_INK, zorder=3)
        axes.text(x, y - 0.015, _node_name(node), ha="center", va="center", fontsize=8, zorder=4)
    for x, direction, text in ((0, "right", "latents,\ndense"), (end, "left", "norm, ReLU,\nconv, tanh")):
        side = -0.25 if direction == "right" else 0.25
        axes.text(x + side, 0, text, ha=direction, va="center")
    _draw_legend(axes)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


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
    colour, skip = _COLOURS[edge.kind], edge.group.startswith("skip")
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
        Line2D([], [], color=_COLOURS["up"], label="up-sampling, x2"),
        Line2D([], [], color=_COLOURS["normal"], label="normal operation"),
        Line2D(
            [], [], color=_COLOURS["up"], linestyle=(0, (4, 2)), label="skip from an earlier cell's node 1"
        ),
    ]
    axes.legend(handles=lines, loc="lower center", ncols=3, frameon=False, bbox_to_anchor=(0.5, 0.0))


@matplotlib.rc_context(_STYLE)
def draw_architecture_heat_map(history, operations, steps=None, dots_per_inch=110):
    """How much every operation of every edge weighed over time, and the mean entropy of the edges.

    Args:
        history: for each time, the rows of probabilities [edges, operations] of every architecture weight, a list
            in the order of `operations`.
        operations: names of the columns of each weight by its name: a supernet's `architecture_operations`.
        steps: when that was, rising; 0, 1, 2 ... by default.
        dots_per_inch: of the picture, 13 inches wide.
    Returns: uint8 [H, W, 3]. The operation that is ahead at the end is in bold.
    Raises: ConfigError if there is no history, or not one step for each of its entries.
    """
    steps = np.arange(len(history)) if steps is None else np.asarray(steps)
    if not len(history) or len(steps) != len(history):
        raise ConfigError(
            f"a heat map has as many steps as entries, at least one: {len(steps)}, {len(history)}"
        )
    panels = []
    for index, (name, pool) in enumerate(operations.items()):
        values = np.stack([np.asarray(entry[index]) for entry in history])  # [time, edges, operations]
        panels += [(f"{name}, edge {row}", pool, values[:, row]) for row in range(values.shape[1])]
    wide = [panel for panel in panels if panel[0].startswith("normal")]
    narrow = [panel for panel in panels if not panel[0].startswith("normal")]
    heights = [sum(_inches(panel) for panel in column) + 0.5 for column in (wide, narrow)]
    page = np.array([13.0, max(heights[0], heights[1] + 2.9)])
    figure = Figure(figsize=page, dpi=dots_per_inch)
    canvas = FigureCanvasAgg(figure)
    for column, left in ((wide, 1.25), (narrow, 7.75)):
        _draw_column(figure, page, left, column, steps)
    # Placed by hand: the constrained layout of so many axes takes seconds.
    entropy = figure.add_axes(_rectangle(page, 7.75, page[1] - 0.5, 4.3, page[1] - heights[1] - 0.9))
    _draw_entropy(entropy, panels, steps)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


@matplotlib.rc_context(_STYLE)
def draw_gap_curve(steps, minmax, maxmin, dots_per_inch=110):
    """The measured duality gap of a search, above its two terms; dots are steps, lines means of five around them.

    Args:
        steps: outer steps, rising; at least one.
        minmax, maxmin: Adv(G, D-bar) and Adv(G-bar, D) at them; the gap is their difference.
        dots_per_inch: of the picture, 8 x 5 inches.
    Returns: uint8 [H, W, 3].
    """
    figure = Figure(figsize=(8, 5), dpi=dots_per_inch, layout="constrained")
    canvas, (upper, lower) = FigureCanvasAgg(figure), figure.subplots(2, 1, sharex=True)
    minmax, maxmin = np.asarray(minmax, float), np.asarray(maxmin, float)
    curves = [
        (upper, minmax - maxmin, _INK, "duality gap"),
        (lower, minmax, _COLOURS["normal"], "Adv(G, D-bar)"),
        (lower, maxmin, _COLOURS["up"], "Adv(G-bar, D)"),
    ]
    for axes, values, colour, label in curves:
        axes.plot(steps, values, ".", color=colour, alpha=0.35)
        means = [values[max(i - 2, 0) : i + 3].mean() for i in range(len(values))]
        axes.plot(steps, means, color=colour, linewidth=2, label=label)
        axes.grid(alpha=0.15)
        axes.legend(frameon=False)
    upper.axhline(0.0, color=_INK, linewidth=0.8, linestyle=":")
    lower.set_xlabel("outer step")
    lower.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _rectangle(page, left, bottom, width, height):
    """In shares of the page; `bottom` is inches from the top."""
    return (left / page[0], 1 - bottom / page[1], width / page[0], height / page[1])


def _inches(panel):
    """Of a panel with its title."""
    return 0.17 * len(panel[1]) + 0.42


def _draw_column(figure, page, left, panels, steps):
    """Heat maps one above the other, of one colour scale."""
    top = max(float(values.max()) for *_, values in panels)
    bounds, y = _bounds(steps), 0.0
    for title, pool, values in panels:
        y += _inches((title, pool))
        axes = figure.add_axes(_rectangle(page, left, y, 4.3, 0.17 * len(pool)))
        mesh = axes.pcolormesh(
            bounds, np.arange(len(pool) + 1), values.T, vmin=0.0, vmax=top, cmap="viridis", rasterized=True
        )
        axes.set_title(title, loc="left", pad=3)
        axes.set_yticks(np.arange(len(pool)) + 0.5, pool)
        axes.invert_yaxis()
        axes.get_yticklabels()[int(values[-1].argmax())].set_fontweight("bold")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelbottom=False)
    axes.tick_params(axis="x", labelbottom=True)
    axes.set_xlabel("outer step")
    scale = figure.add_axes(_rectangle(page, left + 4.4, y, 0.14, y - 0.42))
    figure.colorbar(mesh, cax=scale, label="probability")


def _draw_entropy(axes, panels, steps):
    """Entropy of the rows over that of the uniform distribution: mean, lowest and highest of each kind of edge."""
    for kind, colour in _COLOURS.items():
        chosen = [p for p in panels if (p[0].startswith("normal")) == (kind == "normal") and len(p[1]) > 1]
        if not chosen:
            continue
        shares = np.stack([_entropy(values) / np.log(len(pool)) for _, pool, values in chosen])
        axes.fill_between(steps, shares.min(0), shares.max(0), color=colour, alpha=0.16, linewidth=0)
        label = "normal operations" if kind == "normal" else "up-sampling and skips"
        axes.plot(steps, shares.mean(0), color=colour, linewidth=2, label=label)
    axes.set_xlabel("outer step")
    axes.set_title(
        "entropy of the edges, share of the uniform's: mean, lowest and highest", loc="left", pad=3
    )
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.margins(x=0.0)
    axes.grid(alpha=0.15)
    axes.legend(frameon=False)


def _entropy(probabilities):
    return -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(-1)


def _bounds(steps):
    """Where each step's column begins and ends: half-way between steps."""
    steps = np.asarray(steps, float)
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middles = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[2 * steps[0] - middles[0]], middles, [2 * steps[-1] - middles[-1]]])
