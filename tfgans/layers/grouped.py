"""Layers of R3GAN (Huang et al., 2024): a residual block with a grouped convolution, and the 4x4 maps at both ends.

No convolution has a bias and nothing is normalized; biases sit inside the two activations of a block. Kernels are
drawn so that the variance of a deep stack stays, without scaling at run time (fix-up; Zhang et al., 2019).
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.custom import custom_gradient

SLOPE = 0.2  # of the LeakyReLU below 0
_GAIN = (2.0 / (1.0 + SLOPE**2)) ** 0.5  # keeps the mean square through that activation


def biased_leaky_relu(features, bias):
    """max(x + b, 0.2 (x + b)) of [..., C] and a bias [C]; no gain follows, unlike StyleGAN2's activation."""
    return tf.nn.leaky_relu(features + bias, SLOPE)


def grouped_convolution(maps, kernel):
    """A convolution in groups, of stride 1 and `same` padding, with derivatives of every order on any processor.

    TensorFlow has no gradients of its own one in float64 on a processor, nor in float32 without oneDNN, and those
    that it has take XLA a hundred times as long there. Where there is a GPU its own are taken.

    Args:
        maps: [N, H, W, groups * in].
        kernel: [k, k, in, groups * out], k odd.
    Returns: [N, H, W, groups * out].
    """
    if tf.config.list_logical_devices("GPU"):
        return tf.nn.conv2d(maps, kernel, 1, "SAME")

    @custom_gradient
    def convolved(maps, kernel):
        def gradients(upstream):
            return grouped_convolution(upstream, _transposed(kernel, maps)), _by_kernel(
                maps, upstream, kernel
            )

        return tf.nn.conv2d(maps, kernel, 1, "SAME"), gradients

    return convolved(maps, kernel)


def _transposed(kernel, maps):
    """The kernel [k, k, out, groups * in] of the gradient by the maps: turned round, inputs and outputs exchanged."""
    height, width, inputs, outputs = kernel.shape
    groups = maps.shape[-1] // inputs
    parts = tf.reshape(kernel, [height, width, inputs, groups, outputs // groups])
    parts = tf.transpose(tf.reverse(parts, (0, 1)), (0, 1, 4, 3, 2))
    return tf.reshape(parts, [height, width, outputs // groups, maps.shape[-1]])


def _by_kernel(maps, upstream, kernel):
    """The gradient by the kernel, of its shape: it is linear in both the maps and what comes from above."""
    *sides, inputs, outputs = kernel.shape
    groups = maps.shape[-1] // inputs

    @custom_gradient
    def found(maps, upstream):
        parts = [
            tf.raw_ops.Conv2DBackpropFilter(
                input=part,
                filter_sizes=(*sides, inputs, outputs // groups),
                out_backprop=above,
                strides=(1, 1, 1, 1),
                padding="SAME",
            )
            for part, above in zip(tf.split(maps, groups, -1), tf.split(upstream, groups, -1), strict=True)
        ]

        def gradients(weights):
            by_maps = grouped_convolution(upstream, _transposed(weights, maps))
            return by_maps, grouped_convolution(maps, weights)

        return tf.concat(parts, -1), gradients

    return found(maps, upstream)


def normal(fan_in, gain=1.0):
    """Normal numbers of mean 0 and standard deviation gain / sqrt(fan_in): a new initializer each time."""
    return keras.initializers.RandomNormal(stddev=gain * fan_in**-0.5)


class _Cast(keras.layers.Layer):
    """Weights in float32 or wider, which calls take in the dtype they compute in."""

    def _add(self, name, shape, initializer):
        return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

    def _used(self, weight):
        return tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)


@keras.saving.register_keras_serializable(package="tfgans")
class GroupedResidualBlock(_Cast):
    """x + f(x): 1x1 to more channels, a convolution in groups, 1x1 back, biased activations after the first two.

    The last kernel begins at 0, the block as the identity.

    Args:
        group_width: channels of a group.
        expansion: channels inside the block for each one outside.
        kernel_size: of the grouped convolution, odd.
        gain: factor on the first two kernels' standard deviation of 1.387 / sqrt(fan_in); R3GAN's networks have
            L^(-1/4), L being the number of their blocks.
    Input and output: [N, H, W, C].
    Raises: ConfigError if a number is out of its range, or expansion * C is no multiple of group_width.
    """

    def __init__(self, group_width=16, expansion=2, kernel_size=3, gain=1.0, **kwargs):
        super().__init__(**kwargs)
        given = dict(group_width=group_width, expansion=expansion, kernel_size=kernel_size, gain=gain)
        for name, value in given.items():
            if not value > 0:
                raise ConfigError(f"GroupedResidualBlock: {name} is above 0. Received: {value}")
        if kernel_size % 2 == 0:
            raise ConfigError(f"GroupedResidualBlock: kernel_size is odd. Received: {kernel_size}")
        self.group_width, self.expansion, self.kernel_size, self.gain = given.values()

    def build(self, inputs_shape):
        channels, size = inputs_shape[-1], self.kernel_size
        inner = channels * self.expansion
        if inner % self.group_width:
            raise ConfigError(
                f"GroupedResidualBlock: {inner} channels are no multiple of group_width. "
                f"Received: {self.group_width}"
            )
        gain, fan_in = self.gain * _GAIN, self.group_width * size**2
        self.kernel1 = self._add("kernel1", (1, 1, channels, inner), normal(channels, gain))
        self.bias1 = self._add("bias1", (inner,), "zeros")
        self.kernel2 = self._add("kernel2", (size, size, self.group_width, inner), normal(fan_in, gain))
        self.bias2 = self._add("bias2", (inner,), "zeros")
        self.kernel3 = self._add("kernel3", (1, 1, inner, channels), "zeros")

    def call(self, inputs):
        x = tf.nn.conv2d(inputs, self._used(self.kernel1), 1, "SAME")
        x = biased_leaky_relu(x, self._used(self.bias1))
        x = biased_leaky_relu(grouped_convolution(x, self._used(self.kernel2)), self._used(self.bias2))
        return inputs + tf.nn.conv2d(x, self._used(self.kernel3), 1, "SAME")

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

    def get_config(self):
        return super().get_config() | {
            "group_width": self.group_width,
            "expansion": self.expansion,
            "kernel_size": self.kernel_size,
            "gain": self.gain,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class LearnedMap(_Cast):
    """Vectors to maps: a learned map of one template for each channel, times a linear function of the vector.

    Args: channels: C, of the maps; size: their side.
    Input: [N, D]. Output: [N, size, size, C].
    """

    def __init__(self, channels, size=4, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.size = channels, size

    def build(self, inputs_shape):
        dim = inputs_shape[-1]
        self.templates = self._add("templates", (self.size, self.size, self.channels), normal(1))
        self.kernel = self._add("kernel", (dim, self.channels), normal(dim))

    def call(self, inputs):
        factors = tf.matmul(inputs, self._used(self.kernel))
        return self._used(self.templates) * factors[:, None, None, :]

    def get_config(self):
        return super().get_config() | {"channels": self.channels, "size": self.size}


@keras.saving.register_keras_serializable(package="tfgans")
class TemplateReadout(_Cast):
    """Maps to vectors: the product of each channel with a learned template of its size, then a linear layer.

    Args: units: outputs.
    Input: [N, H, W, C], of a known size. Output: [N, units].
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, inputs_shape):
        height, width, channels = inputs_shape[1:]
        self.templates = self._add("templates", (height, width, channels), normal(height * width))
        self.kernel = self._add("kernel", (channels, self.units), normal(channels))

    def call(self, inputs):
        templates = self._used(self.templates)[..., None]
        features = tf.nn.depthwise_conv2d(inputs, templates, (1, 1, 1, 1), "VALID")
        return tf.matmul(features[:, 0, 0], self._used(self.kernel))

    def get_config(self):
        return super().get_config() | {"units": self.units}
