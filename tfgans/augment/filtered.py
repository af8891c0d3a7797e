"""Geometric transforms without aliasing, and filters of frequency bands, as ADA's pipeline has them.

Images are [N, H, W, C]. Filters run as products with constant matrices along each side (`layers.resample`), so all
of it is linear in the images, has derivatives of any order, and compiles with XLA: shapes do not depend on draws.
"""

import functools

import numpy as np
import tensorflow as tf

from tfgans.augment import wavelets
from tfgans.augment.geometric import pick
from tfgans.layers.fir import along_sides, fir_matrix, separable_upfirdn2d, upfirdn2d

_LARGEST_PRODUCT = 512  # pixels along a side; a matrix costs more the larger the map, a filter does not
_MARGIN = 6  # pixels that the filters read beyond an image
_BAND_MARGIN = 21


def resample(images, maps, margins):
    """The images seen through maps [N, 3, 3] (`augment.geometric`), doubled before it and halved after it by sym6.

    Beyond its border an image is mirrored, without repeating the border's pixels, as far as `margins` says, and 0
    beyond that. Args: margins: what `margins` gave for all maps of a batch, [N, 4].
    """
    height, width = images.shape[1:3]
    wide = _doubled(images, tf.reduce_max(margins, 0))
    # Both grids are counted from their centres; doubling moves the centre by half a pixel.
    y = _centred(2 * (height + _MARGIN), maps.dtype)[:, None] + 0.5
    x = _centred(2 * (width + _MARGIN), maps.dtype) + 0.5
    maps = maps[:, :, :, None, None]
    row, column = (maps[:, i, 0] * y + maps[:, i, 1] * x + 2.0 * maps[:, i, 2] - 0.5 for i in range(2))
    rows, columns = (_beside(p, n, images.dtype) for p, n in zip((row, column), wide.shape[1:3], strict=True))
    seen = tf.add_n([pick(wide, r, c) * (a * b)[..., None] for r, a in rows for c, b in columns])
    return separable_upfirdn2d(seen, wavelets.low_pass()[::-1], down=2, padding=(-1, -1))


def margins(maps, height, width):
    """How many pixels the published code mirrors above, below, left and right of a batch: [N, 4], all rows alike.

    As many as the corners of any image reach beyond it, and 6 more; at most a whole image.
    """
    y, x = 0.5 * (height - 1), 0.5 * (width - 1)
    corners = tf.constant([(a * y, b * x, 1.0) for a in (-1, 1) for b in (-1, 1)], maps.dtype)
    places = tf.reduce_sum(maps[:, None, :2] * corners[:, None], 3)  # [N, 4, 2]
    low, high = tf.reduce_min(places, (0, 1)), tf.reduce_max(places, (0, 1))
    centre = tf.constant([y, x], maps.dtype)
    reached = tf.stack([-low, high], 1) + _MARGIN - centre[:, None]
    reached = tf.math.ceil(tf.clip_by_value(reached, 0.0, 2.0 * centre[:, None]))
    return tf.zeros((tf.shape(maps)[0], 1), maps.dtype) + tf.reshape(reached, [4])


def _doubled(images, margins):
    """Mirrored on all sides and doubled: [N, 2 (3 H - 2), 2 (3 W - 2), C]; 0 outside of the margins."""
    sides = images.shape[1:3]
    # Places are counted in the margins' dtype: bfloat16 has no whole numbers between 256 and 258.
    inside = [
        tf.cast(_inside(side, *tf.unstack(margins[2 * i : 2 * i + 2])), images.dtype)
        for i, side in enumerate(sides)
    ]
    if max(sides) <= _LARGEST_PRODUCT:
        return along_sides(images, *(_doubling(side, kept) for side, kept in zip(sides, inside, strict=True)))
    for axis, (side, kept) in enumerate(zip(sides, inside, strict=True), 1):
        images = tf.gather(images, mirrored(side, side - 1), axis=axis)
        images *= tf.reshape(kept, [-1] + [1] * (3 - axis))
    taps = 2.0 * np.asarray(wavelets.low_pass())
    return upfirdn2d(images, np.outer(taps, taps), up=2, padding=(6, 5))


def _inside(side, before, after):
    """1 for the places of a mirrored side that are within the margins, else 0: [3 * side - 2]."""
    places = tf.range(1.0 - side, 2.0 * side - 1.0, dtype=before.dtype)
    return tf.cast((places >= -before) & (places <= side - 1.0 + after), before.dtype)


def _doubling(side, inside):
    """The matrix [2 (3 side - 2), side] that mirrors and doubles a side."""
    taps = tuple(2.0 * tap for tap in wavelets.low_pass())
    raising = tf.constant(fir_matrix(3 * side - 2, taps, 2, 1, (6, 5)), inside.dtype)
    return tf.matmul(raising * inside, tf.constant(np.eye(side)[mirrored(side, side - 1)], inside.dtype))


def mirrored(side, margin):
    """Which of `side` pixels lies at each place of a side with a margin before and after it, of at most side - 1."""
    places = np.abs(np.arange(-margin, side + margin))
    return np.where(places < side, places, 2 * (side - 1) - places)


def _centred(count, dtype):
    return tf.range(count, dtype=dtype) - 0.5 * (count - 1)


def _beside(place, size, dtype):
    """Both pixels beside a place counted from the centre, and their weights, 0 outside: ((index, weight), ...)."""
    place = place + 0.5 * (size - 1)
    low = tf.floor(place)
    weight = tf.cast(place - low, dtype)
    found = []
    for index, share in ((low, 1.0 - weight), (low + 1.0, weight)):
        inside = tf.cast((index >= 0.0) & (index <= size - 1.0), dtype)
        index = tf.cast(tf.clip_by_value(index, 0.0, size - 1.0), tf.int32)  # clipped before it is an integer
        found.append((index, share * inside))
    return found


def amplify_bands(images, gains):
    """The images with each of four frequency bands, the lowest first, amplified by gains [N, 4].

    Beyond its border an image is mirrored by 21 pixels: a side has 22 or more.
    """
    gains = tf.cast(gains, images.dtype)[:, :, None, None]
    sides = images.shape[1:3]
    matrices = (tf.reduce_sum(gains * tf.constant(_banks(side), images.dtype), 1) for side in sides)
    return along_sides(images, *matrices)


@functools.lru_cache
def _banks(side):
    """What each band's filter does along a side, [4, side, side]."""
    mirror = np.eye(side)[mirrored(side, _BAND_MARGIN)]
    banks = [
        fir_matrix(side + 2 * _BAND_MARGIN, tuple(taps), 1, 1, (0, 0)) for taps in wavelets.band_filters()
    ]
    return np.stack([bank @ mirror for bank in banks])


def band_gains(factors):
    """The gains [N, 4] of bands for factors [N, 4]: each band in turn is amplified, and the whole brought back to the
    power that a natural image would have had."""
    gains = tf.ones_like(factors)
    power = tf.constant(wavelets.ONE_OVER_F, factors.dtype)
    for band in range(wavelets.BANDS):
        amplified = tf.where(tf.range(wavelets.BANDS) == band, factors, 1.0)
        total = tf.reduce_sum(power * tf.square(amplified), 1, keepdims=True)
        gains = gains * amplified / tf.sqrt(total)
    return gains
