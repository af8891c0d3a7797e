"""Rows of class tables, with dense gradients."""

import contextlib

import keras
import tensorflow as tf

from tfgans.layers.custom import custom_gradient
from tfgans.layers.scopes import inside, local


@contextlib.contextmanager
def mixed_classes(shares):
    """Inside it, every look-up of a class gives a mixture of all classes' rows, whatever the labels are.

    Args: shares: [N, classes] for labels [N]; each sample's sum to 1 where it is between classes.
    Yields: a list that has an entry for each look-up so far.
    """
    lookups = []
    with inside(mixture=(shares, lookups)):
        yield lookups


def class_rows(table, labels):
    """Rows of a table [classes, channels] for integer labels, with a dense gradient.

    Dense, as what squares or sums gradients (AdvAs, norms) cannot take IndexedSlices. It is a product: a sum into the
    rows is a loop over the labels where XLA compiles it for a GPU to be deterministic.
    """
    table, mixture = tf.convert_to_tensor(table), getattr(local, "mixture", None)
    if mixture is not None:
        shares, lookups = mixture
        lookups.append(labels)
        return tf.matmul(tf.cast(shares, table.dtype), table)
    classes, channels = table.shape

    # Both are arguments: what is not is out of reach within loops and branches.
    @custom_gradient
    def rows(table, labels):
        def gradient(upstream):
            shares = tf.one_hot(tf.reshape(labels, (-1,)), classes, dtype=upstream.dtype)
            return tf.matmul(shares, tf.reshape(upstream, (-1, channels)), transpose_a=True), None

        return tf.gather(table, labels), gradient

    return rows(table, labels)


@keras.saving.register_keras_serializable(package="tfgans")
class ClassEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding` with a dense gradient. Input: labels, integers in [0, classes)."""

    def call(self, inputs):
        return tf.cast(class_rows(self.embeddings, inputs), self.compute_dtype)
