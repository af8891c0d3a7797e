"""DiffAugment (Zhao et al., 2020): random colours, shifts and holes, an own draw for each image.

Images are [N, H, W, C] in [-1, 1]; what comes out is not clipped. Draws are [N]: uniform numbers in [0, 1) for the
colours, integers for the others (`draw_ranges`). Every function is affine in the images, so derivatives of any
order exist. Of 2 or 4 channels the last is alpha: colours leave it as it is, shifts and holes take all channels
along.
"""

import tensorflow as tf

from tfgans.augment.geometric import pick
from tfgans.config import ConfigError
from tfgans.layers.custom import custom_gradient

POLICIES = {
    "color": ("brightness", "saturation", "contrast"),
    "translation": ("translation",),
    "cutout": ("cutout",),
}
_LARGEST_SHIFT = 0.125  # of the side
_HOLE = 0.5  # side of the hole, of the image's


def operations(policy):
    """The operations of a policy such as `color,translation,cutout`, in its order; none for an empty one.

    Raises: ConfigError if a name is unknown or comes twice.
    """
    names = [name.strip() for name in policy.split(",") if name.strip()]
    if len(set(names)) < len(names) or not set(names) <= POLICIES.keys():
        raise ConfigError(f"a DiffAugment policy joins {', '.join(POLICIES)} by commas. Received: {policy!r}")
    return tuple(operation for name in names for operation in POLICIES[name])


def draw_ranges(names, height, width):
    """`{draw: (low, high)}` of what some operations take: uniform in [low, high), integers if the bounds are."""
    ranges = {}
    for name in names:
        if name in ("brightness", "saturation", "contrast"):
            ranges[name] = (0.0, 1.0)
            continue
        for axis, size in (("rows", height), ("columns", width)):
            if name == "translation":
                shift = _share(size, _LARGEST_SHIFT)
                ranges[f"{name}_{axis}"] = (-shift, shift + 1)
            else:
                ranges[f"{name}_{axis}"] = (0, size + 1 - _share(size, _HOLE) % 2)
    return ranges


def augment(images, draws, names):
    """The images after some operations; draws: {draw: [N]}, at least those of `draw_ranges`."""
    for name in names:
        if name in ("translation", "cutout"):
            images = _SHIFTS_AND_HOLES[name](images, draws[f"{name}_rows"], draws[f"{name}_columns"])
        else:
            images = color(name, images, draws[name])
    return images


def color(name, images, draw):
    """The images after one of `COLORS`; the last of 2 or 4 channels is alpha, which stays as it is."""
    if images.shape[3] not in (2, 4):
        return COLORS[name](images, draw)
    return tf.concat([COLORS[name](images[..., :-1], draw), images[..., -1:]], 3)


def brightness(images, draw):
    """Adds a number in [-0.5, 0.5) to an image."""
    return images + (_per_image(draw, images) - 0.5)


def saturation(images, draw):
    """Scales the distance from a pixel's mean over channels by a factor in [0, 2)."""
    mean = tf.reduce_mean(images, 3, keepdims=True)
    return (images - mean) * (2.0 * _per_image(draw, images)) + mean


def contrast(images, draw):
    """Scales the distance from an image's mean by a factor in [0.5, 1.5)."""
    mean = tf.reduce_mean(images, (1, 2, 3), keepdims=True)
    return (images - mean) * (_per_image(draw, images) + 0.5) + mean


def translation(images, rows, columns):
    """Moves the content up by `rows` and left by `columns`, in pixels; what comes in is 0.

    Its gradient is moved back. TensorFlow's for `pick` adds pixel by pixel, for which a GPU has to sort them, and XLA
    there loops over them.
    """

    # All are arguments: what is not is out of reach within loops and branches.
    @custom_gradient
    def moved(images, rows, columns):
        def gradient(upstream):
            return translation(upstream, -rows, -columns), None, None

        return _moved(images, rows, columns), gradient

    return moved(images, rows, columns)


def _moved(images, rows, columns):
    height, width = images.shape[1:3]
    rows = tf.range(height) + tf.cast(rows, tf.int32)[:, None]  # [N, H]
    columns = tf.range(width) + tf.cast(columns, tf.int32)[:, None]  # [N, W]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    rows = tf.clip_by_value(rows, 0, height - 1)[:, :, None] + tf.zeros((width,), tf.int32)
    columns = tf.clip_by_value(columns, 0, width - 1)[:, None, :] + tf.zeros((height, 1), tf.int32)
    return pick(images, rows, columns) * tf.cast(inside, images.dtype)[..., None]


def cutout(images, rows, columns):
    """Sets a rectangle of half the height and half the width to 0, centred at (rows, columns).

    As published, a rectangle that sticks out is cut off, but keeps at least the border's pixels.
    """
    hole = _in_hole(rows, images.shape[1])[:, :, None] & _in_hole(columns, images.shape[2])[:, None, :]
    return images * (1.0 - tf.cast(hole, images.dtype))[..., None]


def _in_hole(centre, size):
    """Whether each row (or column) is one of the hole's, [N, size]."""
    side = _share(size, _HOLE)
    first = tf.cast(centre, tf.int32)[:, None] - side // 2
    low, high = (tf.clip_by_value(edge, 0, size - 1) for edge in (first, first + side - 1))
    return (tf.range(size) >= low) & (tf.range(size) <= high)


def _share(size, share):
    return int(size * share + 0.5)


def _per_image(draw, images):
    return tf.cast(draw, images.dtype)[:, None, None, None]


COLORS = {"brightness": brightness, "saturation": saturation, "contrast": contrast}
_SHIFTS_AND_HOLES = {"translation": translation, "cutout": cutout}
