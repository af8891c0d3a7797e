"""Genotypes: which operation lies on every edge of a generator. Names, JSON files, tables."""

from dataclasses import dataclass

from tfgans.methods.alphagan.records import (
    Record,
    aligned,
    checked_lists,
    checked_operations,
    drawn,
    largest,
    named,
    read_record,
)
from tfgans.methods.alphagan.spaces.autogan import space
from tfgans.methods.alphagan.spaces.autogan.operations import NORMAL, UP

_EDGES = {"normal": (3, NORMAL), "up": (2, UP)}  # how many a cell has, and what may lie on them
_SKIPS = {"skip_2": 1, "skip_3": 2}


@dataclass(frozen=True)
class Genotype(Record):
    """An architecture of the generator.

    Args:
        normal: for each of the three cells, the operations on edges 1->2, 2->4 and 3->4.
        up: for each cell, those on edges 0->1 and 0->3.
        skip_2: those of the one skip into the second cell.
        skip_3: those of the skips into the third cell, from the first (x4) and from the second.
    Raises: ConfigError if a count is wrong or an operation unknown.
    """

    normal: tuple
    up: tuple
    skip_2: tuple
    skip_3: tuple

    def __post_init__(self):
        for field, (count, allowed) in _EDGES.items():
            checked = checked_lists(field, "cell", getattr(self, field), space.CELLS, count, allowed)
            object.__setattr__(self, field, checked)
        for field, count in _SKIPS.items():
            object.__setattr__(self, field, checked_operations(field, getattr(self, field), count, UP))

    def operation(self, edge):
        """Name of the operation on an edge of `space.EDGES`."""
        return self.group(edge.group)[edge.row]

    def group(self, name):
        """Names of the operations of one architecture weight, such as `normal_1` or `skip_3`."""
        if name in _SKIPS:
            return getattr(self, name)
        field, _, cell = name.rpartition("_")
        return getattr(self, field)[int(cell) - 1]

    def line(self):
        """All operations in a line, slot by slot."""
        cells = [
            f"cell {i}: {', '.join(up + normal)}"
            for i, up, normal in zip(space.CELLS, self.up, self.normal, strict=True)
        ]
        return "; ".join([*cells, f"skips: {', '.join(self.skip_2 + self.skip_3)}"])

    def table(self):
        """The genotype as text: a line for each slot, a column for each cell."""
        rows = [("slot", "edge", "cell 1", "cell 2", "cell 3")]
        edges = {"up": ("0 -> 1", "0 -> 3"), "normal": ("1 -> 2", "2 -> 4", "3 -> 4")}
        for field, names in edges.items():
            for row, edge in enumerate(names):
                rows.append((f"{field}[{row}]", edge, *(cell[row] for cell in getattr(self, field))))
        rows.append(("skip[0]", "cell 1's node 1 -> 4", "", self.skip_2[0], f"{self.skip_3[0]} (x4)"))
        rows.append(("skip[1]", "cell 2's node 1 -> 4", "", "", self.skip_3[1]))
        return aligned(rows)


GENOTYPES = {
    "alphaGAN_s": Genotype(
        normal=(
            ("conv_1x1", "sep_conv_3x3", "conv_1x1"),
            ("sep_conv_5x5", "sep_conv_3x3", "sep_conv_3x3"),
            ("sep_conv_5x5", "sep_conv_3x3", "sep_conv_3x3"),
        ),
        up=(("bilinear", "deconv"), ("deconv", "deconv"), ("deconv", "nearest")),
        skip_2=("nearest",),
        skip_3=("deconv", "bilinear"),
    ),
    "alphaGAN_l": Genotype(
        normal=(
            ("conv_5x5", "conv_5x5", "sep_conv_5x5"),
            ("conv_5x5", "conv_1x1", "conv_3x3"),
            ("conv_1x1", "conv_5x5", "sep_conv_3x3"),
        ),
        up=(("deconv", "bilinear"), ("deconv", "bilinear"), ("nearest", "bilinear")),
        skip_2=("nearest",),
        skip_3=("bilinear", "nearest"),
    ),
}


def load_genotype(name_or_path):
    """A genotype by name, from a JSON file, or as it is.

    Args:
        name_or_path: `alphaGAN_s` or `alphaGAN_l` (published), the path of a file that `Genotype.save` wrote, or a
            `Genotype`.
    Raises: ConfigError, in one line, if there is no such genotype or file, or the file is not one.
    """
    what = "a genotype has normal, up, skip_2 and skip_3"
    return named(
        name_or_path,
        Genotype,
        GENOTYPES,
        "a genotype",
        lambda path: read_record(path, Genotype, what, (*_EDGES, *_SKIPS)),
    )


def from_architecture(arrays, normal_operations=space.NORMAL_OPERATIONS, up_operations=space.UP_OPERATIONS):
    """The genotype of the largest weight on every edge, the first one of equals.

    Args:
        arrays: the eight architecture weights [edges, operations], in the order of `space.ARCHITECTURE_NAMES`.
        normal_operations, up_operations: the pools, in the order of the columns.
    Raises: ConfigError if the shapes do not go with the pools.
    """
    return _of_names(largest(arrays, space.architecture_rows(normal_operations, up_operations)))


def random_genotype(seed, normal_operations=space.NORMAL_OPERATIONS, up_operations=space.UP_OPERATIONS):
    """A genotype drawn uniformly from the space of two pools; a function of `seed` (an int or a tuple of ints)."""
    return _of_names(drawn(seed, space.architecture_rows(normal_operations, up_operations)))


def _of_names(names):
    """From the operations of each architecture weight, by name."""
    return Genotype(
        normal=tuple(names[f"normal_{cell}"] for cell in space.CELLS),
        up=tuple(names[f"up_{cell}"] for cell in space.CELLS),
        skip_2=names["skip_2"],
        skip_3=names["skip_3"],
    )
