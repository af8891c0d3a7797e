"""Layers with an equalized learning rate (Karras et al., 2018, section 4.1; Karras et al., 2020).

A kernel is drawn from N(0, 1) and scaled at run time by sqrt(gain / fan_in), so that an optimizer that
normalizes its steps, as Adam does, moves every layer at the same relative speed. StyleGAN2's gain is 1, its
activations have one of their own; ProGAN's gain is 2.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.fir import separable_upfirdn2d
from tfgans.layers.recompute import recomputed
from tfgans.layers.resampled import enlarged

SLOPE, GAIN = 0.2, 2.0**0.5  # of `scaled_leaky_relu`
TAPS = (0.125, 0.375, 0.375, 0.125)  # StyleGAN2's low-pass, in one direction


@keras.saving.register_keras_serializable(package="tfgans")
def scaled_leaky_relu(features):
    """sqrt(2) * max(x, 0.2 x), StyleGAN2's activation: it keeps the mean square of its input.

    It is max(y, 0.2 y) of y = sqrt(2) x: the layers here have the factor in their kernel and bias, which are smaller
    than maps.
    """
    return tf.nn.leaky_relu(features, SLOPE) * GAIN


class _Equalized(keras.layers.Layer):
    """What the equalized layers share.

    Args:
        learning_rate_multiplier: m. The kernel is drawn from N(0, 1 / m^2) and, like the bias, used m times:
            the function is that of m = 1, its weights move m times as fast relative to their size.
        gain: the kernel's scale is sqrt(gain / fan_in).
        use_bias: whether there is a bias [outputs].
        bias_initializer: of the raw bias, before the multiplier.
        activation: name or function, applied last; `scaled_leaky_relu` is StyleGAN2's.
    Raises: ConfigError if a number is not above 0.
    """

    def __init__(
        self,
        learning_rate_multiplier=1.0,
        gain=1.0,
        use_bias=True,
        bias_initializer="zeros",
        activation=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._check_positive(learning_rate_multiplier=learning_rate_multiplier, gain=gain)
        self.learning_rate_multiplier = learning_rate_multiplier
        self.gain = gain
        self.use_bias = use_bias
        self.bias_initializer = bias_initializer
        self.activation = keras.activations.get(activation)
        self._factor = GAIN if self.activation is scaled_leaky_relu else 1.0

    def _check_positive(self, **values):
        for name, value in values.items():
            if not value > 0:
                raise ConfigError(f"{type(self).__name__}: {name} is above 0. Received: {value}")

    def _check_even(self, inputs_shape):
        if any(size is not None and size % 2 for size in inputs_shape[1:3]):
            raise ConfigError(f"{self.name} halves maps of even sides. Received: {tuple(inputs_shape[1:3])}")

    def _add_weights(self, kernel_shape, fan_in, outputs):
        normal = keras.initializers.RandomNormal(stddev=1.0 / self.learning_rate_multiplier)
        self.kernel = self.add_weight(name="kernel", shape=kernel_shape, initializer=normal, autocast=False)
        self.bias = None
        if self.use_bias:
            initializer = keras.initializers.get(self.bias_initializer)
            self.bias = self.add_weight(
                name="bias", shape=(outputs,), initializer=initializer, autocast=False
            )
        self.scale = self.learning_rate_multiplier * (self.gain / fan_in) ** 0.5

    def _wide_kernel(self):
        """The kernel that acts, in the dtype of the variables (float32 under mixed precision)."""
        return tf.convert_to_tensor(self.kernel) * (self.scale * self._factor)

    def _finish(self, outputs):
        if self.use_bias:
            bias = tf.convert_to_tensor(self.bias) * (self.learning_rate_multiplier * self._factor)
            outputs = outputs + tf.cast(bias, outputs.dtype)
        scaled = self.activation is scaled_leaky_relu
        return tf.nn.leaky_relu(outputs, SLOPE) if scaled else self.activation(outputs)

    def get_config(self):
        return super().get_config() | {
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "gain": self.gain,
            "use_bias": self.use_bias,
            "bias_initializer": self.bias_initializer,
            "activation": keras.activations.serialize(self.activation),
        }


@keras.saving.register_keras_serializable(package="tfgans")
class EqualizedDense(_Equalized):
    """Dense layer with an equalized learning rate.

    Args:
        units: outputs.
        learning_rate_multiplier, gain, use_bias, bias_initializer, activation: see `EqualizedConv2D`.
    Input: [..., C]; fan_in is C. Output: [..., units].
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self._check_positive(units=units)
        self.units = units

    def build(self, inputs_shape):
        self._add_weights((inputs_shape[-1], self.units), inputs_shape[-1], self.units)

    def call(self, inputs):
        return self._finish(tf.matmul(inputs, tf.cast(self._wide_kernel(), self.compute_dtype)))

    def get_config(self):
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable(package="tfgans")
class EqualizedConv2D(_Equalized):
    """Convolution with an equalized learning rate.

    Args:
        filters: output channels.
        kernel_size: side of the square kernel.
        downsample: low-pass (taps 1, 3, 3, 1) and halve the map, as StyleGAN2's discriminator: the filtered
            map has kernel_size - 2 pixels more than the input, a `valid` convolution of stride 2 follows. A
            1x1 kernel acts on the map that is filtered and halved.
        padding: `same` or `valid`; without `downsample`.
        upsampling: the factor by which pixels are repeated first, with padding `same` and without `downsample`.
        learning_rate_multiplier: m. The kernel is drawn from N(0, 1 / m^2) and, like the bias, used m times.
        gain: the kernel's scale is sqrt(gain / fan_in), with fan_in = kernel_size^2 * C.
        use_bias, bias_initializer: whether there is a bias, and the initializer of its raw value.
        activation: name or function, applied last; `scaled_leaky_relu` is StyleGAN2's.
    Input: [N, H, W, C]; H and W even if `downsample`. Output: [N, H', W', filters].
    Raises: ConfigError if an argument or an odd map's side does not fit.
    """

    def __init__(self, filters, kernel_size=3, downsample=False, padding="same", upsampling=1, **kwargs):
        super().__init__(**kwargs)
        self._check_positive(filters=filters, kernel_size=kernel_size, upsampling=upsampling)
        resampled = downsample or upsampling > 1
        if padding not in ("same", "valid") or (resampled and padding != "same"):
            raise ConfigError(
                f"EqualizedConv2D: padding is same or valid, and same where maps are resampled. Received: {padding}"
            )
        if upsampling > 1 and (downsample or kernel_size % 2 == 0):
            raise ConfigError(
                "EqualizedConv2D: upsampling is for odd kernels and without downsample. "
                f"Received: {upsampling}, kernel_size {kernel_size}, downsample {downsample}"
            )
        self.filters, self.kernel_size = filters, kernel_size
        self.downsample, self.padding, self.upsampling = downsample, padding, upsampling

    def build(self, inputs_shape):
        if self.downsample:
            self._check_even(inputs_shape)
        shape = (self.kernel_size, self.kernel_size, inputs_shape[-1], self.filters)
        self._add_weights(shape, self.kernel_size**2 * inputs_shape[-1], self.filters)

    def call(self, inputs):
        kernel = tf.cast(self._wide_kernel(), self.compute_dtype)
        if self.upsampling > 1:
            return self._finish(enlarged(convolve, inputs, kernel, self.upsampling))
        return self._finish(convolve(inputs, kernel, self.downsample, self.padding))

    def get_config(self):
        own = {name: getattr(self, name) for name in ("filters", "kernel_size", "downsample", "padding")}
        more = {"upsampling": self.upsampling} if self.upsampling > 1 else {}
        return super().get_config() | own | more


def convolve(images, kernel, downsample=False, padding="same"):
    """Convolution of [N, H, W, C] with [k, k, C, D], after StyleGAN2's low-pass and with stride 2 if it halves."""
    if not downsample:
        return tf.nn.conv2d(images, kernel, 1, padding.upper())
    size = kernel.shape[0]
    excess = len(TAPS) - 2 + size - 1
    around = ((excess + 1) // 2, excess // 2)
    if size == 1:
        return tf.nn.conv2d(separable_upfirdn2d(images, TAPS, down=2, padding=around), kernel, 1, "VALID")
    return tf.nn.conv2d(separable_upfirdn2d(images, TAPS, padding=around), kernel, 2, "VALID")


@keras.saving.register_keras_serializable(package="tfgans")
class EqualizedResidualBlock(keras.layers.Layer):
    """StyleGAN2's discriminator block: (conv3x3, conv3x3 down, plus conv1x1 down of the input) / sqrt(2).

    The first two convolutions have a bias and `scaled_leaky_relu`; the shortcut has neither. The 1 / sqrt(2) is
    taken into the second activation, whose sqrt(2) it undoes, and into the shortcut's gain.

    Args:
        filters: output channels; the first convolution keeps those of the input.
        kernel_sizes: of the first two convolutions (AdversarialNAS's search); StyleGAN2's are 3x3.
        recompute: in training the activations are computed again in the backward pass, see `layers.recompute`.
    Input: [N, H, W, C], H and W even. Output: [N, H / 2, W / 2, filters].
    """

    def __init__(self, filters, kernel_sizes=(3, 3), recompute=False, **kwargs):
        super().__init__(**kwargs)
        if filters < 1:
            raise ConfigError(f"EqualizedResidualBlock: filters is at least 1. Received: {filters}")
        self.filters, self.kernel_sizes, self.recompute = filters, tuple(kernel_sizes), recompute

    def build(self, inputs_shape):
        channels = inputs_shape[-1]
        first, second = self.kernel_sizes
        self.convolution1 = EqualizedConv2D(
            channels, first, activation=scaled_leaky_relu, name="convolution1", dtype=self.dtype_policy
        )
        self.convolution2 = EqualizedConv2D(
            self.filters,
            second,
            downsample=True,
            activation="leaky_relu",
            name="convolution2",
            dtype=self.dtype_policy,
        )
        self.shortcut = EqualizedConv2D(
            self.filters,
            1,
            downsample=True,
            gain=0.5,
            use_bias=False,
            name="shortcut",
            dtype=self.dtype_policy,
        )
        for layer in (self.convolution1, self.convolution2, self.shortcut):
            layer.build(inputs_shape)

    def call(self, inputs, training=False):
        return (
            recomputed([self], self._outputs, inputs)
            if training and self.recompute
            else self._outputs(inputs)
        )

    def _outputs(self, inputs):
        return self.convolution2(self.convolution1(inputs)) + self.shortcut(inputs)

    def get_config(self):
        own = {"filters": self.filters, "kernel_sizes": self.kernel_sizes, "recompute": self.recompute}
        return super().get_config() | own
