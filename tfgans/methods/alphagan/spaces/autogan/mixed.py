"""All operations of a pool, and the weighted sum of their outputs: an edge of AlphaGAN's supernets.

A weight goes where its product is cheapest: into the kernels of convolutions, the gammas and betas of norms, the
small maps that are enlarged. The sum is the same to rounding.
"""

import keras
import tensorflow as tf

from tfgans import keras_internals
from tfgans.layers.statistics import widen
from tfgans.methods.alphagan.spaces.autogan.convolutions import ActivatedConvolution
from tfgans.methods.alphagan.spaces.autogan.operations import check_operations, make_operation
from tfgans.methods.alphagan.spaces.autogan.upsampling import Deconvolution, Interpolation, deconvolved


@keras.saving.register_keras_serializable(package="tfgans")
class MixedOperation(keras.layers.Layer):
    """All operations of a pool with weights of their own, and the weighted sum of their outputs.

    Operations that begin with a ReLU share it. Plain convolutions are linear, so they are run as one with the
    weighted sum of their kernels, the small ones padded: the same output for the price of the largest. So are a
    transposed convolution and nearest-neighbour up-sampling, which is one with the identity at all its places.

    Args:
        operations: names; see `operations.make_operation`.
        channels: of the output.
        stride: 1 of normal operations, 2 or 4 of up-sampling ones.
    Input: [N, H, W, C] and weights [operations]. Output: [N, H * stride, W * stride, channels].
    """

    def __init__(self, operations, channels, stride=1, **kwargs):
        super().__init__(autocast=False, **kwargs)  # the weights stay float32
        check_operations(type(self).__name__, "normal" if stride == 1 else "up", operations)
        self.operations, self.channels, self.stride = tuple(operations), channels, stride

    def build(self, inputs_shape, *_):
        self.candidates = []
        for name in self.operations:
            candidate = make_operation(
                name,
                self.channels,
                affine=False,
                initialization="search",
                stride=self.stride,
                dtype=self.dtype_policy,
            )
            candidate.build(inputs_shape)
            self.candidates.append(candidate)

    def call(self, inputs, weights, training=False):
        inputs = tf.cast(inputs, self.compute_dtype)
        activated, total, plain, transposed = tf.nn.relu(inputs), 0.0, [], []
        doubles = any(_is_transposed(candidate) for candidate in self.candidates)
        for weight, candidate in zip(tf.unstack(weights), self.candidates, strict=True):
            if _is_plain(candidate):
                plain.append((weight, *_values(candidate.convolution)))
            elif _is_transposed(candidate):
                transposed.append((weight, *_values(candidate.convolution)))
            elif doubles and _repeats_pixels(candidate):
                transposed.append((weight, *_repeating(inputs.shape[-1], weight.dtype)))
            else:
                total += widen(_weighted(candidate, weight, inputs, activated, training))
        if plain:
            total += widen(_convolved(activated, *summed_kernels(plain)))
        if transposed:
            total += widen(deconvolved(inputs, *summed_kernels(transposed)))
        return tf.cast(total, self.compute_dtype)

    def get_config(self):
        return super().get_config() | {
            "operations": self.operations,
            "channels": self.channels,
            "stride": self.stride,
        }


def summed_kernels(parts):
    """The kernel and bias that do what several centred convolutions, each times a weight, do in sum.

    Args:
        parts: (weight, kernel [side, side, in, out], bias [out]) of each. Sides are odd, the small kernels are
            padded; or they are all the same, and kernels may be transposed ones.
    """
    side, kernel, bias = max(each.shape[0] for _, each, _ in parts), 0.0, 0.0
    for weight, values, own_bias in parts:
        margin = 2 * [(side - values.shape[0]) // 2]
        weight = tf.cast(weight, values.dtype)
        kernel += weight * tf.pad(values, (margin, margin, (0, 0), (0, 0)))
        bias += weight * own_bias
    return kernel, bias


def _convolved(maps, kernel, bias):
    outputs = tf.nn.conv2d(maps, tf.cast(kernel, maps.dtype), 1, "SAME")
    return outputs + tf.cast(bias, maps.dtype)


def _is_plain(candidate):
    plain = isinstance(candidate, ActivatedConvolution)
    return plain and not (candidate.spectral_normalization or candidate.batch_normalization)


def _is_transposed(candidate):
    doubles = isinstance(candidate, Deconvolution) and candidate.stride == 2
    return doubles and not candidate.instance_normalization


def _repeats_pixels(candidate):
    return (
        isinstance(candidate, Interpolation)
        and candidate.interpolation == "nearest"
        and candidate.stride == 2
    )


def _repeating(channels, dtype):
    """The kernel and bias of the transposed convolution that repeats pixels."""
    identity = tf.broadcast_to(tf.eye(channels, dtype=dtype), (2, 2, channels, channels))
    return identity, tf.zeros(channels, dtype)


def _values(layer):
    return tf.convert_to_tensor(layer.kernel.value), tf.convert_to_tensor(layer.bias.value)


def _weighted(candidate, weight, inputs, activated, training):
    maps = activated if getattr(candidate, "starts_with_relu", False) else inputs
    if hasattr(candidate, "weighted"):
        return candidate.weighted(maps, weight, training)
    options = {"activated": True} if maps is activated else {}
    options |= {"training": training} if keras_internals.takes_training(candidate) else {}
    outputs = widen(candidate(maps, **options))
    return tf.cast(weight, outputs.dtype) * outputs
