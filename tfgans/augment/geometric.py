"""Geometric transforms of images by affine maps of the plane, and their random choice as in ADA.

A map is [N, 3, 3], from an output pixel (row, column, 1), counted from the image's centre, to the place in the input
it is read from: `product(first, then)` is the map of `first` followed by `then`. Matrices are multiplied without
`tf.matmul`, whose products are rounded to 10 bits on some GPUs. Everything is linear in the images, so derivatives
of any order exist.
"""

import math

import tensorflow as tf

GATES = ("flip", "turn", "translation", "scale", "rotation", "stretch", "second_rotation", "fraction")
_LARGEST_SHIFT = 0.125  # of the side
_SCALE_DEVIATION = 0.2  # standard deviation of a scale's logarithm to the base 2


def pick(images, rows, columns):
    """The pixels of [N, H, W, C] at integer places within the image, [N, H', W'] each; [N, H', W', C]."""
    height, width, channels = images.shape[1:]
    places = tf.reshape(rows * width + columns, [-1, rows.shape[1] * rows.shape[2]])
    picked = tf.gather(tf.reshape(images, [-1, height * width, channels]), places, batch_dims=1)
    return tf.reshape(picked, [-1, *rows.shape[1:], channels])


def resample(images, maps):
    """The images [N, H, W, C] seen through maps [N, 3, 3], bilinear; beyond its border an image is mirrored.

    A map between pixel centres, such as a flip, gives the pixels themselves, bit for bit. Departure from ADA: no
    filter against aliasing before and after.
    """
    height, width = images.shape[1:3]
    maps = maps[:, :, :, None, None]
    y = tf.range(height, dtype=maps.dtype)[:, None] - 0.5 * (height - 1)
    x = tf.range(width, dtype=maps.dtype) - 0.5 * (width - 1)
    row, column = (maps[:, i, 0] * y + maps[:, i, 1] * x + maps[:, i, 2] for i in range(2))  # [N, H, W]
    rows, columns = _neighbours(row, height, images.dtype), _neighbours(column, width, images.dtype)
    parts = [pick(images, r, c) * (a * b)[..., None] for r, a in rows for c, b in columns]
    return tf.add_n(parts)


def _neighbours(place, size, dtype):
    """Both pixels beside a place counted from the centre, and their weights: ((index, weight), ...)."""
    period = 2.0 * max(size - 1, 1)
    place = tf.math.floormod(place + 0.5 * (size - 1), period)
    place = tf.minimum(place, period - place)
    low = tf.floor(place)
    weight = tf.cast(place - low, dtype)
    index = tf.clip_by_value(tf.cast(low, tf.int32), 0, size - 1)
    return (index, 1.0 - weight), (tf.minimum(index + 1, size - 1), weight)


def product(*maps):
    """The map of several transforms, the first of which is done first."""
    result = maps[0]
    for then in maps[1:]:
        result = tf.reduce_sum(result[:, :, :, None] * then[:, None, :, :], 2)
    return result


def flip(flags):
    """Left and right exchanged where a flag, [N], is 1; 0 leaves an image as it is."""
    return _map(1.0, 0.0, 0.0, 0.0, 1.0 - 2.0 * flags, 0.0)


def turn(quarters):
    """Turns to the left by 90 degrees, as many as `quarters` [N], whole numbers in [0, 4)."""
    cosine = tf.abs(quarters - 2.0) - 1.0  # exact, other than cos(pi / 2)
    sine = 1.0 - tf.abs(quarters - 1.0)
    return _map(cosine, sine, 0.0, -sine, cosine, 0.0)


def translation(rows, columns):
    """The content moved down and to the right, [N] pixels each, not necessarily whole ones."""
    return _map(1.0, 0.0, -rows, 0.0, 1.0, -columns)


def scale(rows, columns):
    """The content enlarged by factors [N] above 0, along the rows' axis and along the columns'."""
    return _map(1.0 / rows, 0.0, 0.0, 0.0, 1.0 / columns, 0.0)


def rotation(angles):
    """The content turned to the left by angles [N] in radians."""
    return _map(tf.cos(angles), tf.sin(angles), 0.0, -tf.sin(angles), tf.cos(angles), 0.0)


def random_map(gates, uniform, normal, probability, height, width):
    """The map of ADA's pixel and geometric transforms (Karras et al., 2020, appendix B), [N, 3, 3].

    In turn: flip, quarter turn, shift by whole pixels, scale, rotation, stretch, second rotation, shift by a
    fraction. Each is done to an image with the probability given; a flip then with 1/2, a turn by 0 to 3 quarters,
    and both rotations so that an image has at least one with that probability. Of images that are no squares, whose
    quarter turns would show much of what is mirrored at the border, a turn is by 0 or 2 quarters.

    Args:
        gates: uniform in [0, 1), [N, 8], one for each of `GATES`: done where below the probability.
        uniform: uniform in [0, 1), [N, 6]; normal: standard normal, [N, 4].
        probability: scalar of at least 0; above 1 is like 1.
        height, width: of the images, in pixels.
    """
    probability = tf.cast(probability, gates.dtype)
    once = 1.0 - tf.sqrt(tf.maximum(1.0 - probability, 0.0))
    limits = [once if "rotation" in name else probability for name in GATES]
    opened = gates < tf.stack(limits)
    done = dict(zip(GATES, tf.unstack(tf.cast(opened, uniform.dtype), axis=1), strict=True))
    flipped, quarters, down, right, first, second = tf.unstack(uniform, axis=1)
    size, stretch, down_fraction, right_fraction = tf.unstack(normal, axis=1)
    factor = tf.pow(2.0, _SCALE_DEVIATION * size * done["scale"])
    ratio = tf.pow(2.0, _SCALE_DEVIATION * stretch * done["stretch"])
    shift = lambda number, side: tf.round((2.0 * number - 1.0) * _LARGEST_SHIFT * side)  # noqa: E731
    fraction = _LARGEST_SHIFT * done["fraction"]
    maps = product(
        flip(tf.floor(2.0 * flipped) * done["flip"]),
        turn(
            (tf.floor(4.0 * quarters) if height == width else 2.0 * tf.floor(2.0 * quarters)) * done["turn"]
        ),
        translation(shift(down, height) * done["translation"], shift(right, width) * done["translation"]),
        scale(factor, factor),
        rotation((2.0 * first - 1.0) * math.pi * done["rotation"]),
        scale(1.0 / ratio, ratio),
        rotation((2.0 * second - 1.0) * math.pi * done["second_rotation"]),
        translation(fraction * down_fraction * height, fraction * right_fraction * width),
    )
    moved = tf.reduce_any(opened, 1)[:, None, None]
    return tf.where(moved, maps, tf.eye(3, dtype=maps.dtype))  # what is left alone is left so bit for bit


def _map(*rows):
    """[N, 3, 3] from the two upper rows' six numbers, each [N] or the same for all."""
    given = next(number for number in rows if tf.is_tensor(number))
    numbers = [number + tf.zeros_like(given) for number in (*rows, 0.0, 0.0, 1.0)]
    return tf.reshape(tf.stack(numbers, 1), [-1, 3, 3])
