"""AlphaGAN's space on BigGAN (Tian et al., 2021, section 12), and its genotypes.

Three blocks double the map. On the main path the map is doubled and goes through two normal operations; on the
shortcut it is doubled and goes through a fixed 1x1 convolution. Every operation has a choice of its own (macro): six
normal ones and six up-samplings. How the paper's twelve choices lie in BigGAN's blocks it shows only as a
figure of what was found, so this arrangement is an inference from their number; the found one is not published.
"""

from dataclasses import dataclass

from tfgans.config import ConfigError
from tfgans.methods.alphagan.records import Record, aligned, drawn, largest, named, read_record
from tfgans.methods.alphagan.spaces.autogan import space
from tfgans.methods.alphagan.spaces.autogan.operations import check_operations

NORMAL_OPERATIONS = space.NORMAL_OPERATIONS
UP_OPERATIONS = space.UP_OPERATIONS_WITHOUT_DECONV
BLOCKS = (1, 2, 3)
_EDGES = {"normal": ("first", "second"), "up": ("main path", "shortcut")}


def check_pools(owner, normal_operations, up_operations):
    """Raises ConfigError unless both list different operations of this space, at least one."""
    for kind, names, allowed in (
        ("normal", normal_operations, NORMAL_OPERATIONS),
        ("up", up_operations, UP_OPERATIONS),
    ):
        check_operations(owner, kind, names)
        if not set(names) <= set(allowed):
            raise ConfigError(
                f"{owner}: {kind} operations are different ones of {', '.join(allowed)}. Received: {names}"
            )


def architecture_rows(normal_operations=NORMAL_OPERATIONS, up_operations=UP_OPERATIONS):
    """(2, names of the operations) of `normal_1` .. `normal_3`, `up_1` .. `up_3`, the architecture weights."""
    rows = {f"normal_{block}": (2, tuple(normal_operations)) for block in BLOCKS}
    return rows | {f"up_{block}": (2, tuple(up_operations)) for block in BLOCKS}


def size(normal_operations=NORMAL_OPERATIONS, up_operations=UP_OPERATIONS):
    """Number of architectures: 6^6 * 2^6, 3.0e6, with the default pools."""
    return (len(normal_operations) * len(up_operations)) ** (2 * len(BLOCKS))


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
        for field, allowed in (("normal", NORMAL_OPERATIONS), ("up", UP_OPERATIONS)):
            blocks = getattr(self, field)
            if not isinstance(blocks, (list, tuple)) or len(blocks) != len(BLOCKS):
                raise ConfigError(f"genotype: {field} has one list for each of 3 blocks. Received: {blocks}")
            checked = tuple(_checked(f"{field}, block {i}", allowed, b) for i, b in enumerate(blocks, 1))
            object.__setattr__(self, field, checked)

    def group(self, name):
        """Names of the operations of one architecture weight, such as `normal_1`."""
        field, _, block = name.rpartition("_")
        return getattr(self, field)[int(block) - 1]

    def line(self):
        """All operations in a line, block by block."""
        blocks = zip(BLOCKS, self.up, self.normal, strict=True)
        return "; ".join(f"block {i}: {', '.join(up + normal)}" for i, up, normal in blocks)

    def table(self):
        """The genotype as text: a line for each slot, a column for each block."""
        rows = [("slot", "edge", *(f"block {i}" for i in BLOCKS))]
        for field, names in reversed(_EDGES.items()):
            for row, edge in enumerate(names):
                rows.append((f"{field}[{row}]", edge, *(block[row] for block in getattr(self, field))))
        return aligned(rows)


def _checked(owner, allowed, names):
    if not isinstance(names, (list, tuple)) or len(names) != 2:
        raise ConfigError(f"genotype: {owner} has 2 operations. Received: {names}")
    for name in names:
        if name not in allowed:
            raise ConfigError(
                f"genotype: {owner}: an operation is one of {', '.join(allowed)}. Received: {name!r}"
            )
    return tuple(names)


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
    return BigGANGenotype(*(tuple(names[f"{kind}_{b}"] for b in BLOCKS) for kind in ("normal", "up")))
