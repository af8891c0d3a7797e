"""The picture of a genotype of BigGAN: its three blocks, and the operation in every place."""

import matplotlib

from tfgans.methods.alphagan.drawing import COLOURS, INK, STYLE, arrow, box, page, rendered
from tfgans.methods.alphagan.spaces.biggan import space
from tfgans.methods.alphagan.spaces.biggan.genotype import load_biggan_genotype

_UNIT = (1.0, 0.5)  # inches of one step to the right and up
_WIDTH, _GAP = 4.4, 0.7  # of a block, from where its paths part to its sum; from there to the next
_BOX = (1.05, 0.9)
_MAIN, _SHORTCUT = 1.2, -1.2


@matplotlib.rc_context(STYLE)
def draw_biggan_genotype(genotype, dots_per_inch=110):
    """The blocks from left to right, main path above, shortcut below; a circle is a sum.

    Args:
        genotype: whatever `load_biggan_genotype` takes.
        dots_per_inch: of the picture, which is about 17 x 2.5 inches.
    Returns: uint8 [H, W, 3].
    """
    genotype = load_biggan_genotype(genotype)
    end = (_WIDTH + _GAP) * len(space.BLOCKS) - _GAP
    axes = page(-1.0, end + 1.3, -2.7, 2.3, _UNIT, dots_per_inch)
    for index, (normal, up) in enumerate(zip(genotype.normal, genotype.up, strict=True)):
        _draw_block(axes, index * (_WIDTH + _GAP), index + 1, normal, up)
    axes.text(-0.2, 0, "latent,\ndense", ha="right", va="center")
    axes.text(end + 0.2, 0, "norm, ReLU,\nconv, tanh", ha="left", va="center")
    legend = "blue: searched operation, after a norm by class and latent and a ReLU; orange: searched up-sampling, x2"
    axes.text(end / 2, -2.45, f"{legend}; grey: fixed", ha="center", fontsize=8)
    return rendered(axes)


def _draw_block(axes, x, number, normal, up):
    half = _BOX[0] / 2
    places = {"main": [x + 1.0, x + 2.2, x + 3.4], "shortcut": [x + 1.6, x + 2.8]}
    texts = {
        "main": [(up[0], "up"), (normal[0], "normal"), (normal[1], "normal")],
        "shortcut": [(up[1], "up"), ("conv_1x1", "fixed")],
    }
    for path, y in (("main", _MAIN), ("shortcut", _SHORTCUT)):
        for place, (text, kind) in zip(places[path], texts[path], strict=True):
            box(axes, place, y, _BOX, COLOURS[kind], text)
        for before, after in zip(places[path], places[path][1:], strict=False):
            arrow(axes, (before + half, y), (after - half, y))
        bends = "angle,angleA=90,angleB=180", "angle,angleA=0,angleB=90"
        arrow(axes, (x, 0), (places[path][0] - half, y), bends[0])
        side = 0.22 if y > 0 else -0.22
        arrow(axes, (places[path][-1] + half, y), (x + _WIDTH, side), bends[1])
    options = {"markersize": 17, "markerfacecolor": "white", "markeredgecolor": INK, "zorder": 3}
    axes.plot(x + _WIDTH, 0, "o", **options)
    axes.text(x + _WIDTH, -0.02, "+", ha="center", va="center", fontsize=11, zorder=4)
    axes.plot((x - (0.15 if number == 1 else _GAP), x), (0, 0), color=INK, linewidth=1.0, zorder=0)
    axes.text(x + _WIDTH / 2, 0, f"block {number}", ha="center", va="center", fontweight="bold")
