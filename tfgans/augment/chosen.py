"""What the draws of `AugmentPipe` come to: for each image the maps of its geometry and colours."""

import math

import tensorflow as tf

from tfgans.augment import colors, geometric


class Chosen:
    """The draws of a batch, where an operation is not done to an image what leaves it alone; each [N]."""

    def __init__(self, pipe, draws, probability):
        self.pipe, self.draws, self.probability = pipe, draws, probability

    def opened(self, gate):
        """1 where an operation is done, else 0."""
        value = self.draws[f"{gate}_gate"][:, 0]
        return tf.cast(value < self._limit(gate, tf.cast(self.probability, value.dtype)), value.dtype)

    def _limit(self, gate, probability):
        multipliers = self.pipe.multipliers
        if gate in ("rotate", "rotate2"):
            return 1.0 - tf.sqrt(tf.clip_by_value(1.0 - multipliers["rotate"] * probability, 0.0, 1.0))
        if gate.startswith("band"):
            return multipliers["imgfilter"] * self.pipe.imgfilter_bands[int(gate[-1])] * probability
        return multipliers[gate] * probability

    def number(self, gate, name):
        """The number drawn, 0 where the gate is closed."""
        return self.opened(gate) * self.draws[name][:, 0]

    def pair(self, name):
        """The two numbers drawn, for x and y, whatever the gate."""
        return tf.unstack(self.draws[name], 2, axis=1)

    def whole(self, gate, count):
        """A whole number from 0 to count - 1."""
        return self.opened(gate) * tf.floor(count * self.draws[f"{gate}_u"][:, 0])

    def signed(self, gate):
        """A number in [-1, 1)."""
        return self.opened(gate) * (2.0 * self.draws[f"{gate}_u"][:, 0] - 1.0)

    def exponential(self, gate, deviation):
        """2 to the power of a normal number of a deviation."""
        return tf.pow(
            tf.ones((), self.draws[f"{gate}_n"].dtype) * 2.0, deviation * self.number(gate, f"{gate}_n")
        )


def geometric_map(chosen, names, height, width):
    """The map [N, 3, 3] of all geometric operations, see `augment.geometric`."""
    pipe = chosen.pipe
    turn = lambda name: geometric.rotation(pipe.rotate_max * math.pi * chosen.signed(name))  # noqa: E731

    def shift(right, down):
        return geometric.translation(down, right)

    def whole():
        right, down = chosen.pair("xint_u")
        parts = ((2.0 * part - 1.0) * pipe.xint_max for part in (right, down))
        moved = [tf.round(part * side) for part, side in zip(parts, (width, height), strict=True)]
        return shift(*(chosen.opened("xint") * part for part in moved))

    def fraction():
        parts = (chosen.opened("xfrac") * pipe.xfrac_std * part for part in chosen.pair("xfrac_n"))
        return shift(*(part * side for part, side in zip(parts, (width, height), strict=True)))

    def stretched():
        factor = chosen.exponential("aniso", pipe.aniso_std)
        return geometric.scale(1.0 / factor, factor)

    maps = {
        "xflip": lambda: geometric.flip(chosen.whole("xflip", 2)),
        "rotate90": lambda: geometric.turn(chosen.whole("rotate90", 4)),
        "xint": whole,
        "scale": lambda: geometric.scale(*[chosen.exponential("scale", pipe.scale_std)] * 2),
        "rotate": lambda: turn("rotate"),
        "aniso": stretched,
        "rotate2": lambda: turn("rotate2"),
        "xfrac": fraction,
    }
    done = {*names, *(["rotate2"] if "rotate" in names else [])}
    return geometric.product(*(make() for name, make in maps.items() if name in done))


def color_map(chosen, names):
    """The map [N, 4, 4] of all colour operations, see `augment.colors`."""
    pipe = chosen.pipe
    maps = {
        "brightness": lambda: colors.brightness(
            pipe.brightness_std * chosen.number("brightness", "brightness_n")
        ),
        "contrast": lambda: colors.contrast(chosen.exponential("contrast", pipe.contrast_std)),
        "lumaflip": lambda: colors.luma_flip(chosen.whole("lumaflip", 2)),
        "hue": lambda: colors.hue(pipe.hue_max * math.pi * chosen.signed("hue")),
        "saturation": lambda: colors.saturation(chosen.exponential("saturation", pipe.saturation_std)),
    }
    return geometric.product(*(maps[name]() for name in reversed(maps) if name in names))


def outside(shape, hole, size):
    """Whether each pixel is outside a hole, [N, H, W, 1].

    Args: hole: (x, y) of its centre, [N, 2]; size: of its sides, [N]; both as shares of the image's.
    """
    inside = []
    for axis, side in ((1, shape[1]), (0, shape[2])):
        places = (tf.range(side, dtype=hole.dtype) + 0.5) / side
        inside.append(tf.abs(places - hole[:, axis, None]) < 0.5 * size[:, None])
    return ~(inside[0][:, :, None] & inside[1][:, None, :])[..., None]
