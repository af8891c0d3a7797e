"""The search space of AlphaGAN on BigGAN (Tian et al., 2021, section 12): blocks, pools, sizes.

Three blocks double the map. On the main path the map is doubled and goes through two normal operations; on the
shortcut it is doubled and goes through a fixed 1x1 convolution. Every operation has a choice of its own (macro): six
normal ones and six up-samplings. How the paper's twelve choices lie in BigGAN's blocks it shows only as a
figure of what was found, so this arrangement is an inference from their number; the found one is not published.
"""

from tfgans.config import ConfigError
from tfgans.methods.alphagan.spaces.autogan import space as conventional
from tfgans.methods.alphagan.spaces.autogan.operations import check_operations

NORMAL_OPERATIONS = conventional.NORMAL_OPERATIONS
UP_OPERATIONS = conventional.UP_OPERATIONS_WITHOUT_DECONV
BLOCKS = (1, 2, 3)


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
