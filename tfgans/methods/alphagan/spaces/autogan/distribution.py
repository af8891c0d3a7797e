"""Which operations good and bad architectures have (Tian et al., 2021, Figs. 12 and 13)."""

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tfgans.config import ConfigError
from tfgans.methods.alphagan.drawing import INK, STYLE
from tfgans.methods.alphagan.spaces.autogan import space

_POOLS = {"normal": space.NORMAL_OPERATIONS, "up": space.UP_OPERATIONS}
_TITLES = {"normal": "normal operations", "up": "up-sampling operations"}
_GROUPS = {"superior": "#0072b2", "inferior": "#e69f00"}  # told apart with any colour vision


def distribution(genotypes, kind):
    """How often each operation is on the edges of each cell.

    Args:
        genotypes: at least one `Genotype`.
        kind: `normal` (three edges a cell), or `up`: those that double a cell's input and the skips into the cell,
            2, 3 and 4 edges. Operations of the pools of learnable up-samplings come after the usual ones.
    Returns: {cell: {operation: its share of the edges}}; the shares of a cell sum to 1.
    """
    found = {}
    for cell in space.CELLS:
        edges = [edge for edge in space.EDGES if edge.kind == kind and edge.target[0] == cell]
        chosen = [genotype.operation(edge) for genotype in genotypes for edge in edges]
        pool = [*_POOLS[kind], *sorted(set(chosen) - set(_POOLS[kind]))]
        found[cell] = {name: chosen.count(name) / len(chosen) for name in pool}
    return found


@matplotlib.rc_context(STYLE)
def draw_distribution(superior, inferior, kind, dots_per_inch=110):
    """A panel for each cell: bars of the operations' shares, superior architectures beside inferior ones.

    Args:
        superior, inferior: `Genotype`s, at least one each.
        kind: see `distribution`; `normal` is the paper's Fig. 12, `up` its Fig. 13.
        dots_per_inch: of the picture, 11 x 3.6 inches.
    Returns: uint8 [H, W, 3]. The dotted line is the share that drawing uniformly gives.
    Raises: ConfigError if a group is empty.
    """
    groups = dict(zip(_GROUPS, (superior, inferior), strict=True))
    for name, genotypes in groups.items():
        if not genotypes:
            raise ConfigError(f"there is no {name} architecture to draw")
    shares = {name: distribution(genotypes, kind) for name, genotypes in groups.items()}
    figure = Figure(figsize=(11, 3.6), dpi=dots_per_inch, layout="constrained")
    canvas, panels = FigureCanvasAgg(figure), figure.subplots(1, len(space.CELLS), sharey=True)
    for cell, axes in zip(space.CELLS, panels, strict=True):
        names = list(dict.fromkeys(name for group in shares.values() for name in group[cell]))
        for number, (group, colour) in enumerate(_GROUPS.items()):
            heights = [shares[group][cell].get(name, 0.0) for name in names]
            label = f"{group} ({len(groups[group])})"
            axes.bar(np.arange(len(names)) + 0.4 * number - 0.2, heights, 0.4, color=colour, label=label)
        axes.axhline(1 / len(_POOLS[kind]), color=INK, linewidth=0.8, linestyle=":")
        axes.set_title(f"cell {cell}", fontsize=10)
        axes.set_xticks(np.arange(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(f"share of {_TITLES[kind]}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
