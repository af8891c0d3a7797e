"""Normalization layers whose second and third derivatives are right.

Keras 3 takes moments with `tf.nn.moments`, which stops a gradient inside the variance: gradients of
gradients come out wrong, silently. Here the variance is the mean of the squares of the centred input, and batch norms
have TensorFlow's kernels with derivatives of their own (`layers.batch_norm`). Under mixed precision statistics are
computed in float32.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.batch_norm import batch_normalized
from tfgans.layers.embedding import class_rows
from tfgans.layers.initializers import kernel_initializer
from tfgans.layers.spectral import SpectralDense
from tfgans.layers.state import state_is_frozen
from tfgans.layers.statistics import channel_size, moments, widen


class _Normalization(keras.layers.Layer):
    """What the norms share: epsilon, per-channel gamma (starts at 1) and beta (starts at 0).

    Args:
        epsilon: added to the variance; positive.
        center, scale: whether beta is added, whether gamma multiplies.
    """

    def __init__(self, epsilon=1e-5, center=True, scale=True, **kwargs):
        super().__init__(**kwargs)
        if not epsilon > 0.0:
            raise ConfigError(f"{type(self).__name__}: epsilon is positive. Received: {epsilon}")
        self.epsilon = epsilon
        self.center = center
        self.scale = scale

    def _add_affine(self, shape):
        self.gamma = self._add("gamma", shape, "ones") if self.scale else None
        self.beta = self._add("beta", shape, "zeros") if self.center else None

    def _add(self, name, shape, initializer, trainable=True):
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, trainable=trainable, autocast=False
        )

    def _apply(self, inputs, mean, variance, gamma, beta):
        """gamma * (x - mean) / std + beta, folded to x * s + b: one multiplication and one sum an element."""
        factor = tf.math.rsqrt(variance + self.epsilon)
        factor = factor if gamma is None else factor * tf.convert_to_tensor(gamma)
        offset = -mean * factor
        offset = offset if beta is None else offset + tf.convert_to_tensor(beta)
        return tf.cast(inputs * factor + offset, self.compute_dtype)

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon, "center": self.center, "scale": self.scale}


class _BatchStatistics(_Normalization):
    """Statistics over the batch when training, moving averages of them otherwise."""

    depends_on_batch = True

    def __init__(self, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(epsilon=epsilon, **kwargs)
        if not 0.0 <= momentum < 1.0:
            raise ConfigError(f"{type(self).__name__}: momentum is in [0, 1). Received: {momentum}")
        self.momentum = momentum

    def _add_statistics(self, channels):
        self.moving_mean = self._add("moving_mean", (channels,), "zeros", trainable=False)
        self.moving_variance = self._add("moving_variance", (channels,), "ones", trainable=False)

    def _normalized(self, inputs, training, gamma, beta):
        """gamma * (x - mean) / std + beta; gamma and beta are [C], or None for 1 and 0."""
        if not training:
            moving = (tf.convert_to_tensor(v.value) for v in (self.moving_mean, self.moving_variance))
            return self._apply(widen(inputs), *moving, gamma, beta)
        inputs = tf.cast(inputs, self.compute_dtype)
        dtype, channels = widen(inputs).dtype, inputs.shape[-1]
        gamma, beta = (
            tf.constant(neutral, dtype, (channels,)) if given is None else tf.convert_to_tensor(given)
            for given, neutral in ((gamma, 1.0), (beta, 0.0))
        )
        outputs, mean, variance = batch_normalized(inputs, gamma, beta, self.epsilon)
        if not state_is_frozen():
            there = channel_size(inputs, dtype) > 0.0  # an empty batch has no statistics
            self._move(self.moving_mean, mean, there)
            self._move(self.moving_variance, variance, there)
        return outputs

    def _normalized_by_rows(self, inputs, training, gamma, beta):
        """The same with a gamma and a beta for each sample, [N, 1, ..., 1, C], or None."""
        if not training:
            return self._normalized(inputs, training, gamma, beta)
        outputs = widen(self._normalized(inputs, training, None, None))
        outputs = outputs if gamma is None else outputs * gamma
        return tf.cast(outputs if beta is None else outputs + beta, self.compute_dtype)

    def _move(self, average, value, there):
        moved = average.value * self.momentum + value * (1.0 - self.momentum)
        average.assign(
            moved if there is True else tf.where(there, moved, tf.convert_to_tensor(average.value))
        )

    def get_config(self):
        return super().get_config() | {"momentum": self.momentum}


@keras.saving.register_keras_serializable(package="tfgans")
class BatchNormalization(_BatchStatistics):
    """Batch normalization over all axes but the last (Ioffe and Szegedy, 2015).

    Args:
        momentum: weight of the old moving average, in [0, 1); PyTorch's momentum is 1 - this.
        epsilon, center, scale: as in the other norms.
    Input: [N, ..., C]. The moving variance averages the *unbiased* variance, n / (n - 1) times the one that
    normalizes, as PyTorch's does and Keras's does not. Both averages move only with `training=True` outside
    `frozen_state()`, on each replica by its own batch; an empty batch leaves them as they are.
    """

    def build(self, inputs_shape):
        self._add_affine((inputs_shape[-1],))
        self._add_statistics(inputs_shape[-1])

    def call(self, inputs, training=False):
        return self._normalized(inputs, training, self.gamma, self.beta)

    def weighted(self, inputs, weight, training=False):
        """`weight`, a scalar, times the outputs: gamma and beta are multiplied by it, in float32 or float64."""
        weight = tf.cast(weight, widen(inputs).dtype)
        gamma = tf.fill((inputs.shape[-1],), weight) if self.gamma is None else weight * self.gamma
        return self._normalized(inputs, training, gamma, None if self.beta is None else weight * self.beta)


@keras.saving.register_keras_serializable(package="tfgans")
class ConditionalBatchNormalization(_BatchStatistics):
    """Batch normalization with a gamma and a beta for each class (Dumoulin et al., 2017).

    Args:
        num_classes: rows of the two tables [num_classes, C], which start at 1 and 0.
        momentum, epsilon: as in `BatchNormalization`, as are the moving averages.
    Input: [N, ..., C] and labels [N], integers in [0, num_classes).
    """

    def __init__(self, num_classes, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)
        if num_classes < 1:
            raise ConfigError(f"{type(self).__name__}: num_classes is at least 1. Received: {num_classes}")
        self.num_classes = num_classes

    def build(self, inputs_shape, labels_shape=None):
        self._add_affine((self.num_classes, inputs_shape[-1]))
        self._add_statistics(inputs_shape[-1])

    def call(self, inputs, labels, training=False):
        rows = (self._rows(table, labels, inputs.shape) for table in (self.gamma, self.beta))
        return self._normalized_by_rows(inputs, training, *rows)

    def _rows(self, table, labels, shape):
        if table is None:
            return None
        return _beside(class_rows(table, labels), shape)

    def compute_output_shape(self, inputs_shape, labels_shape=None):
        return inputs_shape

    def get_config(self):
        return super().get_config() | {"num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="tfgans")
class ProjectedBatchNormalization(_BatchStatistics):
    """Batch normalization with gamma = 1 + W c and beta = V c for a vector c (Brock et al., 2019, appendix B).

    Args:
        spectral_normalization: of W and V.
        kernel_initializer: of W and V, `glorot_uniform` or `orthogonal`.
        momentum, epsilon, center, scale: as in `BatchNormalization`, as are the moving averages.
    Input: [N, ..., C] and vectors [N, D].
    """

    def __init__(
        self,
        spectral_normalization=False,
        kernel_initializer="glorot_uniform",
        momentum=0.9,
        epsilon=1e-5,
        **kwargs,
    ):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)
        self.spectral_normalization = spectral_normalization
        self.kernel_initializer = kernel_initializer

    def build(self, inputs_shape, vectors_shape):
        self.gain = self._projection("gain", inputs_shape, vectors_shape) if self.scale else None
        self.offset = self._projection("offset", inputs_shape, vectors_shape) if self.center else None
        self._add_statistics(inputs_shape[-1])

    def _projection(self, name, inputs_shape, vectors_shape):
        layer = SpectralDense if self.spectral_normalization else keras.layers.Dense
        projection = layer(
            inputs_shape[-1],
            use_bias=False,
            kernel_initializer=kernel_initializer(self.kernel_initializer),
            name=name,
            dtype=self.dtype_policy,
        )
        projection.build(vectors_shape)
        return projection

    def call(self, inputs, vectors, training=False):
        gain, beta = (self._project(layer, vectors, inputs, training) for layer in (self.gain, self.offset))
        return self._normalized_by_rows(inputs, training, None if gain is None else 1.0 + gain, beta)

    def _project(self, layer, vectors, inputs, training):
        if layer is None:
            return None
        options = {"training": training} if self.spectral_normalization else {}
        return _beside(widen(layer(vectors, **options)), inputs.shape)

    def compute_output_shape(self, inputs_shape, vectors_shape=None):
        return inputs_shape

    def get_config(self):
        return super().get_config() | {
            "spectral_normalization": self.spectral_normalization,
            "kernel_initializer": self.kernel_initializer,
        }


def _beside(vectors, shape):
    """[N, C] -> [N, 1, ..., 1, C], to go with maps of a shape."""
    return tf.reshape(vectors, (-1, *(1,) * (shape.rank - 2), shape[-1]))


@keras.saving.register_keras_serializable(package="tfgans")
class InstanceNormalization(_Normalization):
    """Normalization of each channel of each sample over space (Ulyanov et al., 2016).

    Args: epsilon, center, scale as in the other norms; no affine part: `center=False, scale=False`.
    Input: [N, ..., C] with at least one axis between.
    """

    def build(self, inputs_shape):
        if len(inputs_shape) < 3:
            raise ConfigError(f"InstanceNormalization takes [N, ..., C]. Received: {inputs_shape}")
        self._add_affine((inputs_shape[-1],))

    def call(self, inputs):
        inputs = widen(inputs)
        statistics = moments(inputs, list(range(1, inputs.shape.rank - 1)), keepdims=True)
        return self._apply(inputs, *statistics, self.gamma, self.beta)


@keras.saving.register_keras_serializable(package="tfgans")
class LayerNormalization(_Normalization):
    """Normalization of each sample over all its axes (Ba et al., 2016), as WGAN-GP critics use it.

    Args: epsilon, center, scale as in the other norms; gamma and beta are per channel.
    Input: [N, ..., C]. Keras's layer of this name normalizes over the last axis alone.
    """

    def build(self, inputs_shape):
        self._add_affine((inputs_shape[-1],))

    def call(self, inputs):
        inputs = widen(inputs)
        statistics = moments(inputs, list(range(1, inputs.shape.rank)), keepdims=True)
        return self._apply(inputs, *statistics, self.gamma, self.beta)


@keras.saving.register_keras_serializable(package="tfgans")
class PixelNormalization(keras.layers.Layer):
    """x / sqrt(mean over channels of x^2 + epsilon), no weights (Karras et al., 2018, section 4.2).

    Input: [..., C].
    """

    def __init__(self, epsilon=1e-8, **kwargs):
        super().__init__(**kwargs)
        if not epsilon > 0.0:
            raise ConfigError(f"PixelNormalization: epsilon is positive. Received: {epsilon}")
        self.epsilon = epsilon

    def call(self, inputs):
        wide = widen(inputs)
        mean_square = tf.reduce_mean(tf.square(wide), -1, keepdims=True)
        return tf.cast(wide * tf.math.rsqrt(mean_square + self.epsilon), self.compute_dtype)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon}
