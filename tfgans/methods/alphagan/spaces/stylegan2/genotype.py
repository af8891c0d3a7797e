"""Genotypes of StyleGAN2: the operation and the latent of every layer. JSON files, tables, choice from weights."""

from dataclasses import dataclass

from tfgans.config import ConfigError
from tfgans.methods.alphagan.records import Record, aligned, checked_operations, drawn, largest, read_record
from tfgans.methods.alphagan.spaces.stylegan2 import space
from tfgans.readers import one_line

_REQUIRED = ("normal", "up", "latents")


@dataclass(frozen=True)
class StyleGAN2Genotype(Record):
    """An architecture of StyleGAN2's generator, and of its discriminator if that was searched too.

    Args:
        normal: operations of L_1, L_3, ..., one for each size of map from 4x4 on; their number sets the resolution.
        up: operations of L_2, L_4, ..., one less.
        latents: for L_1 .. L_m and the last to-RGB, the number i of the W_i it takes, 1 to 8; None: all 8, as
            StyleGAN2 itself.
        discriminator_normal, discriminator_down: for each size of map from 8x8 on, the operations of its block's
            convolution that keeps the map and of that which halves it; empty: StyleGAN2's own.
    Raises: ConfigError if a number of entries is wrong, an operation unknown or a latent out of range.
    """

    normal: tuple
    up: tuple
    latents: tuple = None
    discriminator_normal: tuple = ()
    discriminator_down: tuple = ()

    def __post_init__(self):
        if not isinstance(self.normal, (list, tuple)) or len(self.normal) < 2:
            raise ConfigError(
                f"genotype: normal lists at least 2 operations. Received: {one_line(self.normal)}"
            )
        maps = len(self.normal)
        latents = (space.NUM_LATENTS,) * (2 * maps) if self.latents is None else self.latents
        searched = maps - 1 if self.discriminator_normal or self.discriminator_down else 0
        checked = {
            "normal": _checked("normal", "normal", self.normal, maps),
            "up": _checked("up", "up", self.up, maps - 1),
            "latents": _checked_latents(latents, 2 * maps),
        }
        for field in ("discriminator_normal", "discriminator_down"):
            checked[field] = _checked(field, "discriminator", getattr(self, field), searched)
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    @property
    def resolution(self):
        return 2 * 2 ** len(self.normal)

    @property
    def operations(self):
        """Those of L_1 .. L_m."""
        pairs = zip(self.up, self.normal[1:], strict=True)
        return (self.normal[0], *(operation for pair in pairs for operation in pair))

    @property
    def layers(self):
        """(name, side of the map it makes, operation, number of its latent) of L_1 .. L_m and the last to-RGB."""
        m = len(self.operations)
        rows = [
            (f"L{j}", 4 * 2 ** (j // 2), operation, latent)
            for j, (operation, latent) in enumerate(zip(self.operations, self.latents[:-1], strict=True), 1)
        ]
        return [*rows, (f"tRGB{m + 1}", self.resolution, "to_rgb", self.latents[-1])]

    @property
    def discriminator_kernel_sizes(self):
        """(normal, down) for each map from 8x8 on; None if the discriminator was not searched."""
        pairs = zip(self.discriminator_normal, self.discriminator_down, strict=True)
        return tuple((int(normal[-1]), int(down[-1])) for normal, down in pairs) or None

    def group(self, name):
        """The choices of one architecture weight of `space`, an entry for each layer, by the names there."""
        if name != "latents":
            return getattr(self, name)
        return tuple(space.LATENTS[number - 1] for number in self.latents)

    def at(self, resolution):
        """The genotype for another resolution, if all its layers are alike ("micro") and take W_8.

        Raises: ConfigError if they are not, or a discriminator was searched.
        """
        space.check_resolution("genotype", resolution)
        if resolution == self.resolution:
            return self
        shared = [set(self.normal), set(self.up), set(self.latents)]
        if any(len(each) > 1 for each in shared) or self.latents[0] != space.NUM_LATENTS:
            raise ConfigError(
                f"genotype: only one whose layers are alike and take W_{space.NUM_LATENTS} fits every resolution; "
                f"this is for {self.resolution}. Received: {resolution}"
            )
        if self.discriminator_normal:
            raise ConfigError(f"genotype: its discriminator is for {self.resolution}. Received: {resolution}")
        return micro_genotype(self.normal[0], self.up[0], resolution)

    def line(self):
        """All choices in a line."""
        parts = {
            "normal": _runs(self.normal),
            "up": _runs(self.up),
            "latents": _runs(self.group("latents")),
            "D normal": _runs(self.discriminator_normal),
            "D down": _runs(self.discriminator_down),
        }
        return "; ".join(f"{name}: {value}" for name, value in parts.items() if value)

    def table(self):
        """The genotype as text: a line for each layer; then one for each block of a searched discriminator."""
        rows = [("layer", "map", "operation", "latent")]
        for index, (name, side, operation, latent) in enumerate(self.layers, 1):
            sides = f"{side // 2} -> {side}" if operation in space.UP_OPERATIONS else f"{side}"
            also = f", also tRGB{index}" if index % 2 == 0 and operation != "to_rgb" else ""
            rows.append((name, sides, operation, f"W_{latent}{also}"))
        tables = [aligned(rows)]
        if self.discriminator_normal:
            rows = [("block of D", "map", "normal", "down")]
            pairs = list(zip(self.discriminator_normal, self.discriminator_down, strict=True))
            for index in reversed(range(len(pairs))):
                side = 8 * 2**index
                rows.append((f"block{side}", f"{side} -> {side // 2}", *pairs[index]))
            tables.append(aligned(rows))
        return "\n\n".join(tables)


def micro_genotype(normal, up, resolution, latents=None):
    """The genotype all of whose normal layers are alike, and all of whose up-sampling ones."""
    space.check_resolution("genotype", resolution)
    maps = space.num_maps(resolution)
    return StyleGAN2Genotype((normal,) * maps, (up,) * (maps - 1), latents)


def _checked(field, kind, names, count):
    return checked_operations(field, names, count, space.POOLS[kind])


def _checked_latents(latents, count):
    if not isinstance(latents, (list, tuple)) or len(latents) != count:
        raise ConfigError(f"genotype: latents has {count} numbers. Received: {one_line(latents)}")
    for number in latents:
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not whole or not 1 <= number <= space.NUM_LATENTS:
            raise ConfigError(
                f"genotype: latents: a number is from 1 to {space.NUM_LATENTS}. Received: {one_line(repr(number))}"
            )
    return tuple(latents)


def _runs(names):
    """The names in order; equal ones that follow one another once, with their number."""
    runs = []
    for name in names:
        if runs and runs[-1][0] == name:
            runs[-1][1] += 1
        else:
            runs.append([name, 1])
    return ", ".join(name if count == 1 else f"{count} x {name}" for name, count in runs)


def read_genotype(path):
    """The genotype in a JSON file that `StyleGAN2Genotype.save` wrote. Raises: ConfigError, in one line."""
    what = f"a genotype of StyleGAN2 has {', '.join(_REQUIRED)}"
    return read_record(
        path, StyleGAN2Genotype, what, _REQUIRED, ("discriminator_normal", "discriminator_down")
    )


def from_architecture(arrays, rows, resolution):
    """The genotype of the largest weight on every edge, the first one of equals; a shared edge goes for all layers.

    Args:
        arrays: architecture weights [edges, operations], in the order of `rows`.
        rows: as `space.architecture_rows` gives them.
        resolution: of the images.
    Raises: ConfigError if the shapes do not go with the rows.
    """
    return _of_names(largest(arrays, rows), resolution)


def random_genotype(seed, rows, resolution):
    """A genotype drawn uniformly from the space of `rows`; a function of `seed` (an int or a tuple of ints)."""
    return _of_names(drawn(seed, rows), resolution)


def _of_names(names, resolution):
    maps = space.num_maps(resolution)
    counts = {"normal": maps, "up": maps - 1}
    fields = {name: names[name] * (n if len(names[name]) == 1 else 1) for name, n in counts.items()}
    if "latents" in names:
        fields["latents"] = tuple(space.LATENTS.index(name) + 1 for name in names["latents"])
    return StyleGAN2Genotype(**fields)
