"""Curves of a search: how the architecture weights went, and the duality gap."""

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfgans.config import ConfigError
from tfgans.methods.alphagan.drawing import COLOURS, INK, STYLE

_STYLE = STYLE | {
    "axes.edgecolor": INK, "axes.labelcolor": INK, "axes.labelsize": 9, "axes.titlesize": 9,
    "xtick.color": INK, "xtick.labelsize": 8, "ytick.color": INK, "ytick.labelsize": 7.5,
}  # fmt: skip
_KINDS = {  # of architecture weights, by the beginning of their names: colour and words
    "normal": (COLOURS["normal"], "normal operations"),
    "latents": ("#007a5a", "latents of layers"),
    "discriminator": ("#9c3d8f", "discriminator"),
    "up": (COLOURS["up"], "up-sampling and skips"),  # and what else there is; last, above the entropy
}
_PANELS = {"normal": 9, "latents": 6, "discriminator": 10, "up": 9}  # in a column


@matplotlib.rc_context(_STYLE)
def draw_architecture_heat_map(history, operations, steps=None, dots_per_inch=110):
    """How much every operation of every edge weighed over time, and the mean entropy of the edges.

    Args:
        history: for each time, the rows of probabilities [edges, operations] of every architecture weight, a list
            in the order of `operations`. Rows that are none, as of edges that mix by raw weights, are drawn with
            what is below 0 as 0, are told as raw, and have no entropy.
        operations: names of the columns of each weight by its name: a supernet's `architecture_operations`. Names
            that begin with `normal`, `latents` or `discriminator` are drawn in columns of their own.
        steps: when that was, rising; 0, 1, 2 ... by default.
        dots_per_inch: of the picture, 6.5 inches wide for each column.
    Returns: uint8 [H, W, 3]. The operation that is ahead at the end is in bold. Without an edge that has an entropy
        there is no curve of it.
    Raises: ConfigError if there is no history, or not one step for each of its entries.
    """
    steps = np.arange(len(history)) if steps is None else np.asarray(steps)
    if not len(history) or len(steps) != len(history):
        raise ConfigError(
            f"a heat map has as many steps as entries, at least one: {len(steps)}, {len(history)}"
        )
    panels = {kind: [] for kind in _KINDS}
    for index, (name, pool) in enumerate(operations.items()):
        values = np.stack([np.asarray(entry[index]) for entry in history])  # [time, edges, operations]
        raw = "" if _are_shares(values) else ", raw weights"
        panels[_kind(name)] += [
            (f"{name}, edge {row}{raw}", pool, values[:, row]) for row in range(values.shape[1])
        ]
    columns = [column for kind in _KINDS for column in _columns(panels[kind], _PANELS[kind])]
    heights = [sum(_inches(panel) for panel in column) + 0.5 for column in columns]
    last = heights[-1]  # the entropy is drawn below it
    entropies = {kind: shares for kind, each in panels.items() if len(shares := _entropies(each))}
    page = np.array([6.5 * len(columns), max(*heights, last + (2.9 if entropies else 0.0))])
    figure = Figure(figsize=page, dpi=dots_per_inch)
    canvas = FigureCanvasAgg(figure)
    top = max(float(values.max()) for column in columns for *_, values in column)
    for number, column in enumerate(columns):
        _draw_column(figure, page, 6.5 * number + 1.25, column, steps, top)
    if entropies:
        # Placed by hand: the constrained layout of so many axes takes seconds.
        left, height = 6.5 * len(columns) - 5.25, min(page[1] - last - 0.9, 6.0)
        axes = figure.add_axes(_rectangle(page, left, last + 0.4 + height, 4.3, height))
        _draw_entropy(axes, entropies, steps)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _kind(name):
    """Of an architecture weight, by its name: one of `_KINDS`."""
    return next((kind for kind in _KINDS if name.startswith(kind)), "up")


def _columns(panels, most):
    """The panels of a kind, in columns of nearly the same length, of at most so many each."""
    count = -(-len(panels) // most)
    return [panels[len(panels) * i // count : len(panels) * (i + 1) // count] for i in range(count)]


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
        (upper, minmax - maxmin, INK, "duality gap"),
        (lower, minmax, COLOURS["normal"], "Adv(G, D-bar)"),
        (lower, maxmin, COLOURS["up"], "Adv(G-bar, D)"),
    ]
    for axes, values, colour, label in curves:
        axes.plot(steps, values, ".", color=colour, alpha=0.35)
        means = [values[max(i - 2, 0) : i + 3].mean() for i in range(len(values))]
        axes.plot(steps, means, color=colour, linewidth=2, label=label)
        axes.grid(alpha=0.15)
        axes.legend(frameon=False)
    upper.axhline(0.0, color=INK, linewidth=0.8, linestyle=":")
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


def _draw_column(figure, page, left, panels, steps, top):
    """Heat maps one above the other, coloured from 0 to `top`."""
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


def _draw_entropy(axes, entropies, steps):
    """Entropy of the rows over that of the uniform distribution: mean, lowest and highest of each kind of edge."""
    for kind, shares in entropies.items():
        colour, label = _KINDS[kind]
        axes.fill_between(steps, shares.min(0), shares.max(0), color=colour, alpha=0.16, linewidth=0)
        axes.plot(steps, shares.mean(0), color=colour, linewidth=2, label=label)
    axes.set_xlabel("outer step")
    axes.set_title("entropy over the uniform's: mean, lowest and highest", loc="left", pad=3)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.margins(x=0.0)
    axes.grid(alpha=0.15)
    axes.legend(frameon=False)


def _entropies(panels):
    """[edges, time]: entropies of the edges that have more than one operation and mix by shares, over the largest."""
    chosen = [(pool, values) for _, pool, values in panels if len(pool) > 1 and _are_shares(values)]
    return np.array([_entropy(values) / np.log(len(pool)) for pool, values in chosen])


def _are_shares(values):
    """Whether the last axis holds probabilities, to the digits that a search keeps of them."""
    return bool((values >= 0).all() and np.allclose(values.sum(-1), 1.0, atol=1e-4))


def _entropy(probabilities):
    return -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(-1)


def _bounds(steps):
    """Where each step's column begins and ends: half-way between steps."""
    steps = np.asarray(steps, float)
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middles = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[2 * steps[0] - middles[0]], middles, [2 * steps[-1] - middles[-1]]])
