"""Depthwise convolutions whose kernel's gradient is fast on CPUs, too.

oneDNN has a quick kernel for the gradient of 3x3 kernels alone. That of larger ones takes ten times as long as the
convolution itself in float32, and forty times in bfloat16. It is itself a depthwise convolution, of the maps with the
upstream gradient, each sample and channel by itself; and these are quick.
"""

import keras
import tensorflow as tf

from tfgans.layers.custom import custom_gradient
from tfgans.layers.statistics import widen

_QUICK = 3  # the side up to which TensorFlow's own gradient is the quicker one
_STEPS = (1, 1, 1, 1)


def depthwise_convolution(maps, kernel):
    """Convolves each channel with its own part of the kernel; stride 1, zeros around.

    Differentiable as often as one likes.

    Args:
        maps: [N, H, W, C] of any floating type.
        kernel: [side, side, C, M] of that type.
    Returns: [N, H, W, C * M].
    """
    side, multiplier = kernel.shape[0], kernel.shape[-1]
    odd = side % 2 == 1 and kernel.shape[1] == side
    if side <= _QUICK or not odd or multiplier != 1 or tf.config.list_physical_devices("GPU"):
        return tf.nn.depthwise_conv2d(maps, kernel, _STEPS, "SAME")

    @custom_gradient
    def forward(maps, kernel):
        def gradient(upstream):
            by_maps = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(maps),
                filter=kernel,
                out_backprop=upstream,
                strides=_STEPS,
                padding="SAME",
            )
            return tf.ensure_shape(by_maps, maps.shape), _gradient_by_kernel(maps, upstream, side)

        return tf.nn.depthwise_conv2d(maps, kernel, _STEPS, "SAME"), gradient

    return forward(maps, kernel)


def _gradient_by_kernel(maps, upstream, side):
    """[side, side, C, 1]: sums over places and samples of the upstream gradient times the maps, moved."""
    around, channels = side // 2, maps.shape[-1]
    missing = 0 if maps.shape[0] else tf.cast(tf.shape(maps)[0] == 0, tf.int32)  # no kernel may be empty
    padded = tf.pad(maps, [[0, missing], [around, around], [around, around], [0, 0]])
    upstream = upstream if maps.shape[0] else tf.pad(upstream, [[0, missing], [0, 0], [0, 0], [0, 0]])
    known = upstream.shape.is_fully_defined()
    samples, height, width, _ = upstream.shape if known else tf.unstack(tf.shape(upstream))
    padded, upstream = (tf.transpose(each, (1, 2, 0, 3)) for each in (padded, upstream))
    padded = tf.reshape(padded, (1, height + side - 1, width + side - 1, samples * channels))
    upstream = tf.reshape(upstream, (height, width, samples * channels, 1))
    each = tf.nn.depthwise_conv2d(padded, upstream, _STEPS, "VALID")
    summed = tf.reduce_sum(tf.reshape(widen(each), (side, side, samples, channels)), 2)
    return tf.cast(tf.expand_dims(summed, -1), maps.dtype)


@keras.saving.register_keras_serializable(package="tfgans")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras's layer, whose gradient is fast with stride 1, no dilation and zeros around.

    Args, input, output: as there, channels last.
    """

    def convolve(self, inputs, kernel):
        """The inputs convolved with another kernel in the place of the layer's own."""
        steps = (self.strides, self.dilation_rate, self.padding)
        if steps == ((1, 1), (1, 1), "same"):
            return depthwise_convolution(inputs, tf.convert_to_tensor(kernel))
        options = {"strides": self.strides, "padding": self.padding, "dilation_rate": self.dilation_rate}
        return keras.ops.depthwise_conv(inputs, kernel, data_format="channels_last", **options)

    def call(self, inputs):
        outputs = self.convolve(inputs, self.kernel)
        outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias)) if self.use_bias else outputs
        return self.activation(outputs)
