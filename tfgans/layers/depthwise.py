"""Depthwise convolutions whose kernel's gradient is fast on CPUs, too.

oneDNN has a quick kernel for the gradient of 3x3 kernels alone. That of larger ones takes ten times as long as the
convolution itself in float32, and forty times in bfloat16. It is itself a depthwise convolution, of the maps with the
upstream gradient; and these are quick. A convolution and its two gradients are each other's gradients.
"""

import functools

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
    return _convolution(maps, kernel)


@custom_gradient
def _convolution(maps, kernel):
    def gradient(upstream):
        by_maps = tf.ensure_shape(_gradient_by_maps(upstream, kernel), maps.shape)
        return by_maps, _gradient_by_kernel(maps, upstream, kernel.shape[0])

    return tf.nn.depthwise_conv2d(maps, kernel, _STEPS, "SAME"), gradient


@custom_gradient
def _gradient_by_maps(upstream, kernel):
    """[N, H, W, C]: linear in both."""

    def gradient(again):
        return _convolution(again, kernel), _gradient_by_kernel(again, upstream, kernel.shape[0])

    by_maps = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
        input_sizes=tf.shape(upstream),
        filter=kernel,
        out_backprop=upstream,
        strides=_STEPS,
        padding="SAME",
    )
    return by_maps, gradient


def _gradient_by_kernel(maps, upstream, side):
    """[side, side, C, 1]: linear in both."""

    @custom_gradient
    def correlation(maps, upstream):
        def gradient(again):
            return _gradient_by_maps(upstream, again), _convolution(maps, again)

        return _correlated(maps, upstream, side), gradient

    return correlation(maps, upstream)


def _correlated(maps, upstream, side):
    """[side, side, C, 1]: sums over places and samples of the upstream gradient times the maps, moved.

    The samples lie below each other in one tall map, which is convolved with the upstream gradient as tall. Zeros
    between the samples, as many rows as a kernel sees to one side, keep them apart.
    """
    around, channels, dtype = side // 2, maps.shape[-1], maps.dtype
    if not _sums_widely(dtype):
        maps, upstream = widen(maps), widen(upstream)
    missing = 0 if maps.shape[0] else tf.cast(tf.shape(maps)[0] == 0, tf.int32)  # no kernel may be empty
    maps = tf.pad(maps, [[0, missing], [around, 0], [0, 0], [0, 0]])
    upstream = tf.pad(upstream, [[0, missing], [0, around], [0, 0], [0, 0]])
    known = upstream.shape.is_fully_defined()
    samples, height, width, _ = upstream.shape if known else tf.unstack(tf.shape(upstream))
    maps = tf.reshape(maps, (1, samples * height, width, channels))
    upstream = tf.reshape(upstream, (samples * height, width, channels, 1))
    upstream = upstream[: samples * height - around]
    margins = [[0, 0], [0, around], [around, around], [0, 0]]
    summed = tf.nn.depthwise_conv2d(maps, upstream, _STEPS, margins)
    return tf.cast(tf.reshape(summed, (side, side, channels, 1)), dtype)


@functools.cache
def _sums_widely(dtype):
    """Whether the convolution adds 4096 ones of a type without losing any: bfloat16 alone ends at 256."""
    with tf.init_scope():
        ones = tf.ones((4096, 1, 1, 1), dtype)
        return float(tf.squeeze(tf.nn.depthwise_conv2d(ones[None, :, 0], ones, _STEPS, "VALID"))) == 4096.0


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
