"""The search space of AlphaGAN on StyleGAN2 (Tian et al., 2021, section 6): layers, pools, paradigms, sizes.

The generator's layers are L_1 .. L_m. L_1, L_3, ... L_m are the "normal" modulated convolutions of the maps of 4, 8,
.. pixels a side, L_2, L_4, ... those that double the map before. The to-RGB after L_k is tRGB_(k+1). L_j and tRGB_j
take the same W_i; tRGB_(m+1), the last, has one of its own. So m = 11, 13, 17 at resolution 128, 256, 1024, and
m + 1 choices of one of the mapping's eight outputs.
"""

from tfgans.config import ConfigError

NORMAL_OPERATIONS = ("conv_1x1", "conv_3x3", "conv_5x5")
SEPARABLE_OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7")
NORMAL_OPERATIONS_SEPARABLE = NORMAL_OPERATIONS + SEPARABLE_OPERATIONS
UP_OPERATIONS = ("deconv", "nearest_conv", "bilinear_conv")
DISCRIMINATOR_OPERATIONS = NORMAL_OPERATIONS
POOLS = {
    "normal": NORMAL_OPERATIONS_SEPARABLE,
    "up": UP_OPERATIONS,
    "discriminator": DISCRIMINATOR_OPERATIONS,
}

PARADIGMS = (
    "micro",
    "micro_w",
    "macro",
    "macro_w",
)  # paper: micro, micro + dynamic {W_i}, macro, macro + ...
NUM_LATENTS = 8
LATENTS = tuple(f"W_{number}" for number in range(1, NUM_LATENTS + 1))


def check_resolution(owner, resolution):
    """Raises ConfigError unless it is a power of two of at least 8."""
    whole = isinstance(resolution, int) and not isinstance(resolution, bool)
    if not whole or resolution < 8 or resolution & (resolution - 1):
        raise ConfigError(f"{owner}: resolution is a power of two of at least 8. Received: {resolution}")


def check_paradigm(owner, paradigm):
    if paradigm not in PARADIGMS:
        raise ConfigError(f"{owner}: paradigm is one of {', '.join(PARADIGMS)}. Received: {paradigm!r}")


def check_operations(owner, kind, names):
    """Raises ConfigError unless `names` are different operations, at least one, of `POOLS[kind]`."""
    listed = isinstance(names, (list, tuple)) and names
    if not listed or any(name not in POOLS[kind] for name in names) or len(set(names)) < len(names):
        raise ConfigError(
            f"{owner}: {kind} operations are different ones of {', '.join(POOLS[kind])}. Received: {names}"
        )


def num_maps(resolution):
    """How many sizes of maps there are, 4x4 and the resolution included: the number of normal layers."""
    return resolution.bit_length() - 2


def num_layers(resolution):
    """m: a normal layer for every size of map, an up-sampling one for each but the first."""
    return 2 * num_maps(resolution) - 1


def architecture_rows(
    resolution, paradigm="micro_w", normal_operations=NORMAL_OPERATIONS, up_operations=UP_OPERATIONS
):
    """(number of edges, names of the operations) of each architecture weight, by name, in their order.

    `normal` and `up` have an edge for each of their layers, or one that all layers share (micro); `latents`, if the
    paradigm has it, one for each of L_1 .. L_m and the last to-RGB.
    """
    for kind, names in (("normal", normal_operations), ("up", up_operations)):
        check_operations("search space", kind, names)
    check_resolution("search space", resolution)
    check_paradigm("search space", paradigm)
    maps = num_maps(resolution)
    shared = paradigm.startswith("micro")
    rows = {
        "normal": (1 if shared else maps, tuple(normal_operations)),
        "up": (1 if shared else maps - 1, tuple(up_operations)),
    }
    if paradigm.endswith("_w"):
        rows["latents"] = (num_layers(resolution) + 1, LATENTS)
    return rows


def discriminator_rows(resolution, operations=DISCRIMINATOR_OPERATIONS):
    """The same for AdversarialNAS's discriminator: two edges for each size of map from 8x8 on, in all paradigms."""
    check_resolution("search space", resolution)
    check_operations("search space", "discriminator", operations)
    edges = (num_maps(resolution) - 1, tuple(operations))
    return {"discriminator_normal": edges, "discriminator_down": edges}


def size(
    resolution,
    paradigm="micro_w",
    normal_operations=NORMAL_OPERATIONS,
    up_operations=UP_OPERATIONS,
    discriminator_operations=None,
):
    """Number of architectures: 9 (micro), 9 * 8^12, 3^11 or 3^11 * 8^12 (macro_w) at resolution 128.

    Args:
        discriminator_operations: None, or the pool of a discriminator that is searched too (AdversarialNAS).
    """
    rows = architecture_rows(resolution, paradigm, normal_operations, up_operations)
    if discriminator_operations is not None:
        rows |= discriminator_rows(resolution, discriminator_operations)
    total = 1
    for edges, operations in rows.values():
        total *= len(operations) ** edges
    return total
