"""Minibatch standard deviation: a discriminator's view of how varied its batch is (Karras et al., 2018)."""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.statistics import widen

_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="tfgans")
class MinibatchStandardDeviation(keras.layers.Layer):
    """Appends channels that hold the standard deviation over a group of samples, averaged over the map.

    A batch of N falls into N / G groups of G samples, N / G apart: sample j is in group j mod N / G. The
    deviation (biased, 1e-8 under the root) is taken over the group at every pixel and channel, averaged
    over pixels and each of F shares of the channels, and given to all of the group.

    Args:
        group_size: largest G. None is ProGAN's: the whole batch is one group.
        num_features: F, channels appended; a divisor of C.
    Input: [N, H, W, C]. Output: [N, H, W, C + F]. Under mixed precision the statistics are in float32.
    Departure from the published codes, which fail where G does not divide N: G is the largest divisor of N
    that is at most `group_size`.
    Raises: ConfigError if a number is below 1 or F does not divide C.
    """

    depends_on_batch = True
    mixes_samples = True

    def __init__(self, group_size=4, num_features=1, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("group_size", group_size), ("num_features", num_features)):
            if value is not None and value < 1:
                raise ConfigError(f"MinibatchStandardDeviation: {name} is at least 1. Received: {value}")
        self.group_size, self.num_features = group_size, num_features

    def build(self, inputs_shape):
        if inputs_shape[-1] % self.num_features:
            raise ConfigError(
                "MinibatchStandardDeviation: num_features divides the channels. "
                f"Received: {self.num_features} of {inputs_shape[-1]}"
            )

    def call(self, inputs):
        height, width, channels = inputs.shape[1:]
        count = inputs.shape[0] or tf.shape(inputs)[0]
        group = self._group(count)
        shares = (self.num_features, channels // self.num_features)
        groups = tf.reshape(widen(inputs), (group, -1, height, width, *shares))
        centred = groups - tf.reduce_mean(groups, 0, keepdims=True)
        deviation = tf.sqrt(tf.reduce_mean(tf.square(centred), 0) + _EPSILON)
        features = tf.reduce_mean(deviation, (1, 2, 4))[:, None, None, :]  # [N / G, 1, 1, F]
        features = tf.tile(tf.cast(features, inputs.dtype), (group, height, width, 1))
        return tf.concat((inputs, features), -1)

    def _group(self, count):
        """The largest divisor of the batch's size that is at most `group_size`."""
        if self.group_size is None:
            return count
        if isinstance(count, int):
            return max(size for size in range(1, self.group_size + 1) if count % size == 0)
        sizes = tf.range(1, self.group_size + 1)
        return tf.reduce_max(tf.where(count % sizes == 0, sizes, 1))

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[:-1], inputs_shape[-1] + self.num_features)

    def get_config(self):
        return super().get_config() | {"group_size": self.group_size, "num_features": self.num_features}
