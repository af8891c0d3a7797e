"""Rows of class tables, with dense gradients."""

import contextlib

import keras
import tensorflow as tf

from tfgans.layers.scopes import local


@contextlib.contextmanager
def mixed_classes(shares):
    """Inside it, every look-up of a class gives a mixture of all classes' rows, whatever the labels are.

    Args: shares: [N, classes] for labels [N]; each sample's sum to 1 where it is between classes.
    Yields: a list that has an entry for each look-up so far.
    """
    before = getattr(local, "mixture", None)
    local.mixture = shares, (lookups := [])
    try:
        yield lookups
    finally:
        local.mixture = before


def class_rows(table, labels):
    """Rows of a table [classes, channels] for integer labels, with a dense gradient.

    The product makes it dense: what squares or sums gradients (AdvAs, norms) cannot take IndexedSlices.
    """
    mixture = getattr(local, "mixture", None)
    if mixture is not None:
        shares, lookups = mixture
        lookups.append(labels)
        return tf.matmul(tf.cast(shares, table.dtype), tf.convert_to_tensor(table))
    return tf.gather(tf.convert_to_tensor(table) * tf.ones((), table.dtype), labels)


@keras.saving.register_keras_serializable(package="tfgans")
class ClassEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding` with a dense gradient. Input: labels, integers in [0, classes)."""

    def call(self, inputs):
        return tf.cast(class_rows(self.embeddings, inputs), self.compute_dtype)
