"""Masks over a whole network: how dense each layer begins, and how entries are pruned, grown and exchanged.

Masks are True where pruned. Weights are 0 there. Counts are of the network's kernels together.
"""

import math

import tensorflow as tf

_LEAST = 1e-8  # the authors' threshold where that of the magnitudes is 0


def erk_densities(shapes, density):
    """The density of each kernel, larger where it is small (Erdos-Renyi-Kernel; Evci et al. 2020).

    A layer has epsilon * (sum of its sides) / (product of its sides), kernel sides too, but at most 1; epsilon is
    such that the share `density` of all entries is there.

    Args:
        shapes: of the kernels. density: in (0, 1].
    Returns: a list of numbers in (0, 1].
    """
    sizes = [math.prod(shape) for shape in shapes]
    raw = [sum(shape) / size for shape, size in zip(shapes, sizes, strict=True)]
    full = [False] * len(shapes)
    while not all(full):
        wanted = density * sum(sizes) - sum(size for size, whole in zip(sizes, full, strict=True) if whole)
        left = sum(r * size for r, size, whole in zip(raw, sizes, full, strict=True) if not whole)
        epsilon = wanted / left
        above = [whole or epsilon * r > 1.0 for r, whole in zip(raw, full, strict=True)]
        if above == full:
            return [1.0 if whole else epsilon * r for r, whole in zip(raw, full, strict=True)]
        full = above
    return [1.0] * len(shapes)


def exchanged_share(step, total, first=0.5, last=0.005):
    """The share that an event prunes and grows after `step` of `total` updates: a cosine, float64."""
    turn = tf.cos(tf.constant(math.pi, tf.float64) * tf.cast(step, tf.float64) / float(total))
    return last + (first - last) * 0.5 * (1.0 + turn)


def present(masks):
    """How many entries are not pruned: int64."""
    return tf.add_n([tf.math.count_nonzero(~mask) for mask in masks])


def pruned_to(weights, masks, count):
    """Masks that leave the `count` entries of greatest magnitude, over all kernels; ties stay.

    Args:
        weights, masks: lists of tensors of the same shapes. count: int64, at least 1.
    """
    magnitudes = [tf.where(mask, tf.zeros_like(w), tf.abs(w)) for w, mask in zip(weights, masks, strict=True)]
    threshold = _largest(magnitudes, count)
    threshold = tf.where(threshold == 0.0, tf.constant(_LEAST, threshold.dtype), threshold)
    return [mask | (magnitude < threshold) for mask, magnitude in zip(masks, magnitudes, strict=True)]


def grown(masks, gradients, count):
    """Masks without the `count` pruned entries of greatest gradient, over all kernels; of ties all are grown.

    Entries without any gradient are not grown. A `count` below 1 grows nothing.
    """
    sizes = [tf.where(mask, tf.abs(g), tf.zeros_like(g)) for g, mask in zip(gradients, masks, strict=True)]
    threshold = _largest(sizes, tf.maximum(count, 1))
    takes = count > 0
    return [
        mask & ~(takes & (size >= threshold) & (size > 0.0)) for mask, size in zip(masks, sizes, strict=True)
    ]


def exchanged(weights, masks, gradients, share):
    """Masks after an event: the `share` of the present entries that is least is pruned, as many are grown.

    Those that were just pruned may be grown at once. Their number is rounded down.
    """
    before = present(masks)
    given_up = tf.cast(tf.floor(tf.cast(before, tf.float64) * share), tf.int64)
    masks = pruned_to(weights, masks, before - given_up)
    return grown(masks, gradients, before - present(masks))


def _largest(values, count):
    """The `count`-th largest entry of some tensors, counted from 1; the least if they have fewer."""
    flat = tf.concat([tf.reshape(value, [-1]) for value in values], 0)
    place = tf.clip_by_value(tf.cast(count, tf.int64), 1, flat.shape[0]) - 1
    return tf.sort(flat, direction="DESCENDING")[place]
