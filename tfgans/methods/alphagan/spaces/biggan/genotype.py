"""Genotypes of BigGAN's generator: the operation in every place of its blocks. Names, JSON files, tables."""

from dataclasses import dataclass

from tfgans.methods.alphagan.records import (
    Record,
    aligned,
    checked_lists,
    drawn,
    largest,
    named,
    read_record,
)
from tfgans.methods.alphagan.spaces.biggan import space

_EDGES = {"normal": ("first", "second"), "up": ("main path", "shortcut")}


@dataclass(frozen=True)
class BigGANGenotype(Record):
    """An architecture of BigGAN's generator.

    Args:
        normal: for each of the three blocks, its first and second operation.
        up: for each block, the up-sampling of its main path and that of its shortcut.
    Raises: ConfigError if a count is wrong or an operation unknown.
    """

    normal: tuple
    up: tuple

    def __post_init__(self):
        for field, allowed in (("normal", space.NORMAL_OPERATIONS), ("up", space.UP_OPERATIONS)):
            checked = checked_lists(field, "block", getattr(self, field), space.BLOCKS, 2, allowed)
            object.__setattr__(self, field, checked)

    def group(self, name):
        """Names of the operations of one architecture weight, such as `normal_1`."""
        field, _, block = name.rpartition("_")
        return getattr(self, field)[int(block) - 1]

    def line(self):
        """All operations in a line, block by block."""
        blocks = zip(space.BLOCKS, self.up, self.normal, strict=True)
        return "; ".join(f"block {i}: {', '.join(up + normal)}" for i, up, normal in blocks)

    def table(self):
        """The genotype as text: a line for each slot, a column for each block."""
        rows = [("slot", "edge", *(f"block {i}" for i in space.BLOCKS))]
        for field, names in reversed(_EDGES.items()):
            for row, edge in enumerate(names):
                rows.append((f"{field}[{row}]", edge, *(block[row] for block in getattr(self, field))))
        return aligned(rows)


GENOTYPES = {
    "biggan": BigGANGenotype((("conv_3x3", "conv_3x3"),) * 3, (("nearest", "nearest"),) * 3),
}


def load_biggan_genotype(name_or_path):
    """A genotype by name, from a JSON file, or as it is.

    Args:
        name_or_path: `biggan` (BigGAN itself), the path of a file that `BigGANGenotype.save` wrote, or a
            `BigGANGenotype`.
    Raises: ConfigError, in one line, if there is no such genotype or file, or the file is not one.
    """
    what = "a genotype of BigGAN has normal and up"
    return named(
        name_or_path,
        BigGANGenotype,
        GENOTYPES,
        "a genotype of BigGAN",
        lambda path: read_record(path, BigGANGenotype, what, ("normal", "up")),
    )


def from_architecture(arrays, rows):
    """The genotype of the largest weight on every edge, the first one of equals.

    Args:
        arrays: the six architecture weights [2, operations], in the order of `rows`.
        rows: as `architecture_rows` gives them.
    Raises: ConfigError if the shapes do not go with the rows.
    """
    return _of_names(largest(arrays, rows))


def random_genotype(seed, rows):
    """A genotype drawn uniformly from the space of `rows`; a function of `seed` (an int or a tuple of ints)."""
    return _of_names(drawn(seed, rows))


def _of_names(names):
    return BigGANGenotype(*(tuple(names[f"{kind}_{b}"] for b in space.BLOCKS) for kind in ("normal", "up")))
