"""Masks on a network's weights, True where pruned: what methods that prune have in common."""

import math

import tensorflow as tf


def mask_logs(model, name, places, masks):
    """(sizes, lost shares, MACs kept) of a network of `model` whose variables at `places` have masks.

    They are lists, with an entry for each trainable variable and for each mask, and a float32 scalar.
    """
    shares = pruned_shares(masks)
    sizes = [math.prod(variable.shape) for variable in getattr(model, name).trainable_variables]
    return sizes, shares, weighted_density(model.macs_of(name), places, shares)


def zeroed(value, mask):
    """`value` with 0 where `mask` is True."""
    value = tf.convert_to_tensor(value)
    return tf.where(tf.convert_to_tensor(mask), tf.zeros_like(value), value)


def masked_gradients(variables, gradients, places, masks):
    """Gradients, one for each variable, with 0 in masked entries; None counts as 0.

    Args:
        variables, gradients: in the same order; a sparse gradient becomes dense. What follows the variables', of
            `step_variables`, stays.
        places: of the variables that have masks, in the order of `masks`, variables or tensors.
    """
    dense = [
        tf.zeros(v.shape, v.dtype) if g is None else tf.convert_to_tensor(g)
        for v, g in zip(variables, gradients[: len(variables)], strict=True)
    ]
    for place, mask in zip(places, masks, strict=True):
        dense[place] = zeroed(dense[place], mask)
    return type(gradients)([*dense, *gradients[len(variables) :]])  # means over replicas stay such


def pruned_shares(masks):
    """The share of each mask that is True: a list of float64 scalars."""
    counts = [tf.math.count_nonzero(tf.convert_to_tensor(mask)) for mask in masks]
    return [tf.cast(n, tf.float64) / math.prod(m.shape) for n, m in zip(counts, masks, strict=True)]


def weighted_density(amounts, places, shares):
    """The share of the sum of `amounts` that is left when some lose a share of theirs: float32 in [0, 1].

    Args:
        amounts: a number for each variable.
        places, shares: of the variables that lose, and how much, as `pruned_shares` gives it.
    """
    total = sum(amounts)
    if not total:
        return tf.constant(1.0)
    lost = [share * float(amounts[place]) for place, share in zip(places, shares, strict=True)]
    return tf.cast(1.0 - tf.add_n(lost) / float(total), tf.float32) if lost else tf.constant(1.0)


def density_report(network, densities):
    """How dense a pruned network is: what stands in `generator_sparse.json`.

    Args:
        densities: of its masks, "generator/<path>": share, as a model's `densities` gives them.
    Returns: {"parameters", "nonzero", "density" of all trainable weights, "tensors": {path: density of its mask}}.
    """
    sizes = {v.path: math.prod(v.shape) for v in network.trainable_variables}
    tensors = {
        name.partition("/")[2]: share for name, share in densities.items() if name.startswith("generator/")
    }
    nonzero = int(
        sum(tf.math.count_nonzero(tf.convert_to_tensor(v.value)) for v in network.trainable_variables)
    )
    total = sum(sizes.values())
    return {"parameters": total, "nonzero": nonzero, "density": nonzero / total, "tensors": tensors}
