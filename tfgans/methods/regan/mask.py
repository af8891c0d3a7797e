"""Which entries of a weight are pruned: those of least magnitude, tensor by tensor."""

import math

import numpy as np
import tensorflow as tf

_EXACT = 2**24  # integers up to here are float32 numbers


def magnitude_threshold(weights, sparsity):
    """The `sparsity`-quantile of |weights| with linear interpolation, a scalar of their dtype (at least float32).

    As Re-GAN's code (torch.quantile) rounds it: the rank sparsity * (n - 1) is a float32 number. That code refuses
    tensors of more than 2**24 entries, here the rank is then float64.

    Args:
        weights: a tensor of any shape, with at least one entry; the shape is known before running.
        sparsity: in [0, 1).
    """
    magnitudes = tf.abs(tf.reshape(tf.convert_to_tensor(weights), [-1]))
    if magnitudes.dtype.size < 4:
        magnitudes = tf.cast(magnitudes, tf.float32)
    below, above, share = _rank(magnitudes.shape[0], sparsity)
    ordered = tf.sort(magnitudes)
    low, high = ordered[below], ordered[above]
    if share < 0.5:  # the nearer end is the start, so that a share of 0 or 1 is exact
        return low + tf.cast(share, low.dtype) * (high - low)
    return high - tf.cast(1.0 - share, low.dtype) * (high - low)


def pruned_entries(weights, sparsity):
    """True where an entry is to be pruned: |weights| strictly below `magnitude_threshold`; bool, their shape.

    Without ties they are ceil(sparsity * (n - 1)) of n. Ties with the threshold stay, so that of a constant tensor
    and of a scalar nothing is pruned.
    """
    threshold = magnitude_threshold(weights, sparsity)
    return tf.abs(tf.cast(weights, threshold.dtype)) < threshold


def pruned_count(count, sparsity):
    """How many of `count` entries without ties are pruned."""
    return _rank(count, sparsity)[1]


def _rank(count, sparsity):
    """The two neighbouring ranks that the quantile lies between, and how far it is from the first to the second."""
    number = np.float32 if count <= _EXACT else np.float64
    rank = number(sparsity) * number(count - 1)
    below = math.floor(rank)
    return below, min(math.ceil(rank), count - 1), float(rank - number(below))
