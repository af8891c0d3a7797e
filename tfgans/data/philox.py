"""Random numbers that are a pure function of (seed, purpose, index): NumPy's counter-based Philox.

NumPy promises that a bit generator's raw stream never changes, and every draw below is made from raw
bits alone. `tf.random.experimental.index_shuffle` would avoid holding a permutation, but with seeds
that differ by one (epoch 0, 1, 2 ...) its permutations are measurably far from uniform.
"""

import numpy as np

# One stream per purpose, so that no two of them ever share numbers. Changing one changes data sets.
PHOTO_CROPS, POINTS, FRACTION, HALF, LIMIT, ORDER, AUGMENTATION, BALANCE, HELD_OUT, GLYPHS, STACKS = range(
    1, 12
)


def raw(count, seed, purpose, index=0):
    """uint64 [count]: the draws of stream (seed, purpose) at position `index`; all integers."""
    key = np.array([int(seed) % 2**64, purpose], np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, 0, index], np.uint64)).random_raw(count)


def uniform(shape, seed, purpose, index=0):
    """float64 of `shape` in [0, 1), 53 random bits each."""
    draws = raw(int(np.prod(shape)), seed, purpose, index) >> np.uint64(11)
    return (draws * 2.0**-53).reshape(shape)


def permutation(count, seed, purpose, index=0):
    """int64 [count]: a uniformly random order of 0 .. count - 1."""
    return np.argsort(raw(count, seed, purpose, index), kind="stable")


def normal_pairs(count, seed, purpose, index=0):
    """float64 [count, 2]: standard normal, by Box and Muller (1958)."""
    radius, angle = uniform((2, count), seed, purpose, index)
    radius = np.sqrt(-2.0 * np.log1p(-radius))
    return np.stack([radius * np.cos(2.0 * np.pi * angle), radius * np.sin(2.0 * np.pi * angle)], axis=1)
