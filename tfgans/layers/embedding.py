"""Rows of class tables, with dense gradients."""

import keras
import tensorflow as tf


def class_rows(table, labels):
    """Rows of a table [classes, channels] for integer labels, with a dense gradient.

    The product makes it dense: what squares or sums gradients (AdvAs, norms) cannot take IndexedSlices.
    """
    return tf.gather(tf.convert_to_tensor(table) * tf.ones((), table.dtype), labels)


@keras.saving.register_keras_serializable(package="tfgans")
class ClassEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding` with a dense gradient. Input: labels, integers in [0, classes)."""

    def call(self, inputs):
        return tf.cast(class_rows(self.embeddings, inputs), self.compute_dtype)
