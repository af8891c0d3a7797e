"""AlphaGAN's operations that double a map, or double it twice, as layers on [N, H, W, C]; no ReLU precedes them."""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.initializers import bias_initializer
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.resample import upsample_bilinear, upsample_nearest
from tfgans.layers.state import state_is_frozen
from tfgans.layers.statistics import moments, widen
from tfgans.methods.alphagan.spaces.autogan.convolutions import Operation, build_convolution


def check_stride(owner, stride):
    if stride not in (2, 4):
        raise ConfigError(f"{owner}: stride is 2 or 4. Received: {stride}")
    return stride


def deconvolved(maps, kernel, bias):
    """The 2x2 transposed convolution of stride 2 by a kernel [2, 2, out, in] and a bias [out]."""
    outputs = keras.ops.conv_transpose(maps, tf.cast(kernel, maps.dtype), 2, data_format="channels_last")
    return outputs + tf.cast(bias, maps.dtype)


def _times(weight, maps):
    wide = widen(maps)
    return tf.cast(tf.cast(weight, wide.dtype) * wide, maps.dtype)


@keras.saving.register_keras_serializable(package="tfgans")
class TrackedInstanceNormalization(BatchNormalization):
    """Instance norm with moving statistics: PyTorch's `InstanceNorm2d(affine=True, track_running_stats=True)`.

    In training each sample is normalized by its own statistics, whose means over the batch (of the unbiased
    variance) move the averages; otherwise the averages normalize, as in a batch norm.

    Args: as `BatchNormalization`.
    Input: [N, H, W, C].
    """

    def _normalized(self, inputs, training, gamma, beta):
        if not training:
            return super()._normalized(inputs, training, gamma, beta)
        inputs = widen(inputs)
        mean, variance = moments(inputs, [1, 2], keepdims=True)
        if not state_is_frozen():
            count = inputs.shape[1] * inputs.shape[2]
            there = tf.shape(inputs)[0] > 0 if inputs.shape[0] is None else True
            variance_over_batch = tf.reduce_mean(variance, (0, 1, 2)) * count / max(count - 1, 1)
            self._move(self.moving_mean, tf.reduce_mean(mean, (0, 1, 2)), there)
            self._move(self.moving_variance, variance_over_batch, there)
        return self._apply(inputs, mean, variance, gamma, beta)


@keras.saving.register_keras_serializable(package="tfgans")
class Deconvolution(Operation):
    """2x2 transposed convolution of stride 2 with a bias, no ReLU before it (`deconv`, `deconv_norm`).

    Args:
        stride: 2, or 4, where the same weights are used twice.
        instance_normalization: an affine instance norm with moving statistics and a ReLU follow.
    Input: [N, H, W, filters]. Output: [N, H * stride, W * stride, filters].
    """

    def __init__(self, filters, stride=2, instance_normalization=False, **kwargs):
        super().__init__(filters, **kwargs)
        self.stride = check_stride(type(self).__name__, stride)
        self.instance_normalization = instance_normalization

    def build(self, inputs_shape):
        # PyTorch's fan_in of a transposed kernel [in, out, 2, 2] is 4 * out.
        self.convolution = keras.layers.Conv2DTranspose(
            self.filters,
            2,
            strides=2,
            kernel_initializer=bias_initializer("fan_in_uniform", 4 * self.filters),
            bias_initializer=bias_initializer("fan_in_uniform", 4 * self.filters),
            dtype=self.dtype_policy,
        )
        self.convolution.build((None, None, None, inputs_shape[-1]))
        self.normalization = None
        if self.instance_normalization:
            self.normalization = TrackedInstanceNormalization(dtype=self.dtype_policy)
            self.normalization.build((None, None, None, self.filters))

    def call(self, inputs, training=False):
        x = self.convolution(inputs)
        x = self.convolution(x) if self.stride == 4 else x
        return x if self.normalization is None else tf.nn.relu(self.normalization(x, training=training))

    def weighted(self, inputs, weight, training=False):
        """`weight`, a scalar, times the outputs; without a norm the last kernel and bias are multiplied."""
        if self.normalization is not None:
            return _times(weight, self.call(inputs, training))
        x = self.convolution(inputs) if self.stride == 4 else inputs
        return deconvolved(x, *(weight * tf.convert_to_tensor(v.value) for v in self.convolution.weights))

    def get_config(self):
        return super().get_config() | {
            "stride": self.stride,
            "instance_normalization": self.instance_normalization,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class Interpolation(keras.layers.Layer):
    """Nearest or bilinear up-sampling without weights (`nearest`, `bilinear`).

    Args:
        interpolation: `nearest` or `bilinear`.
        stride: 2, or 4, which is 2 twice.
    Input: [N, H, W, C]. Output: [N, H * stride, W * stride, C].
    """

    def __init__(self, interpolation="nearest", stride=2, **kwargs):
        super().__init__(**kwargs)
        if interpolation not in ("nearest", "bilinear"):
            raise ConfigError(f"interpolation is nearest or bilinear. Received: {interpolation}")
        self.interpolation = interpolation
        self.stride = check_stride(type(self).__name__, stride)

    def call(self, inputs):
        if self.interpolation == "nearest":
            return upsample_nearest(inputs, self.stride)
        x = upsample_bilinear(inputs)
        return upsample_bilinear(x) if self.stride == 4 else x

    def weighted(self, inputs, weight, training=False):
        """`weight`, a scalar, times the outputs; the small map is multiplied."""
        return self.call(_times(weight, inputs))

    def get_config(self):
        return super().get_config() | {"interpolation": self.interpolation, "stride": self.stride}


@keras.saving.register_keras_serializable(package="tfgans")
class LearnableInterpolation(Operation):
    """1x1 convolution without bias, then up-sampling (`nearest_conv`, `bilinear_conv`).

    Args: as `Interpolation`.
    Input: [N, H, W, C]. Output: [N, H * stride, W * stride, filters].
    """

    def __init__(self, filters, interpolation="nearest", stride=2, **kwargs):
        super().__init__(filters, **kwargs)
        self.interpolation = Interpolation(interpolation, stride, dtype=self.dtype_policy)

    def build(self, inputs_shape):
        self.convolution = build_convolution(
            self.filters, 1, inputs_shape[-1], self.initialization, use_bias=False, dtype=self.dtype_policy
        )

    def call(self, inputs):
        return self.interpolation(self.convolution(inputs))

    def weighted(self, inputs, weight, training=False):
        """`weight`, a scalar, times the outputs; the small map is multiplied."""
        return self.interpolation.weighted(self.convolution(inputs), weight)

    def get_config(self):
        return super().get_config() | {
            "interpolation": self.interpolation.interpolation,
            "stride": self.interpolation.stride,
        }
