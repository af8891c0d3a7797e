"""How classes enter a StyleGAN2 (Karras et al., 2020, StyleGAN2-ADA's code): embedded, normalised, and mapped."""

import math

import keras
import tensorflow as tf

from tfgans.layers.embedding import class_rows
from tfgans.layers.equalized import EqualizedDense, scaled_leaky_relu
from tfgans.layers.norms import PixelNormalization


@keras.saving.register_keras_serializable(package="tfgans")
class LabelEmbedding(keras.layers.Layer):
    """A row for each class and a bias, as a dense layer of one-hot labels with an equalized kernel; then pixel norm.

    Args: num_classes: K; units: width.
    Input: labels, integers in [0, K), [N]. Output: [N, units], of mean square 1.
    """

    def __init__(self, num_classes, units, **kwargs):
        super().__init__(**kwargs)
        self.num_classes, self.units = num_classes, units

    def build(self, labels_shape=None):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_classes, self.units),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            autocast=False,
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros", autocast=False)
        self.normalization = PixelNormalization(dtype=self.dtype_policy)

    def call(self, labels):
        rows = class_rows(self.kernel, labels) / math.sqrt(self.num_classes)
        return self.normalization(tf.cast(rows + tf.convert_to_tensor(self.bias), self.compute_dtype))

    def compute_output_shape(self, labels_shape):
        return (labels_shape[0], self.units)

    def get_config(self):
        return super().get_config() | {"num_classes": self.num_classes, "units": self.units}


@keras.saving.register_keras_serializable(package="tfgans")
class LabelProjection(keras.layers.Layer):
    """The logit of features for a class: their product with the class's embedding, mapped, over the root of C.

    Args:
        num_classes: K.
        num_layers: dense layers that map an embedding, with learning rate multiplier 0.01 and `scaled_leaky_relu`; 0
            takes the embedding itself.
    Input: features [N, C], and labels, integers in [0, K), [N]. Output: logits [N, 1].
    """

    def __init__(self, num_classes, num_layers=8, **kwargs):
        super().__init__(**kwargs)
        self.num_classes, self.num_layers = num_classes, num_layers

    def build(self, features_shape, labels_shape=None):
        width = features_shape[-1]
        self.embedding = LabelEmbedding(
            self.num_classes, width, name="label_embedding", dtype=self.dtype_policy
        )
        self.embedding.build()
        self.dense = [
            mapping_dense(width, number, self.dtype_policy) for number in range(1, self.num_layers + 1)
        ]
        for layer in self.dense:
            layer.build((None, width))

    def call(self, features, labels):
        mapped = self.mapped(labels)
        logits = tf.reduce_sum(features * mapped, 1, keepdims=True)
        return logits / math.sqrt(features.shape[-1])

    def mapped(self, labels):
        """What features are multiplied with, [N, C]."""
        mapped = self.embedding(labels)
        for layer in self.dense:
            mapped = layer(mapped)
        return mapped

    def compute_output_shape(self, features_shape, labels_shape):
        return (features_shape[0], 1)

    def get_config(self):
        return super().get_config() | {"num_classes": self.num_classes, "num_layers": self.num_layers}


def mapping_dense(width, number, dtype):
    """Layer `number` of a mapping."""
    return EqualizedDense(
        width,
        learning_rate_multiplier=0.01,
        activation=scaled_leaky_relu,
        name=f"dense{number}",
        dtype=dtype,
    )
