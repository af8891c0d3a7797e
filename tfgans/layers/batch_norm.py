"""Batch normalization by TensorFlow's fused kernels, right in derivatives of every order.

A kernel reads the maps two or three times where the same in single operations does some ten. Its gradient is a
kernel, too, whose own gradient TensorFlow has wrong (that of second order is right, the third is not). So the
gradient's gradient is taken of the formula in single operations, which is differentiable without end.
"""

import tensorflow as tf

from tfgans.layers.custom import custom_gradient
from tfgans.layers.statistics import at_least_one, channel_size, moments, widen

_REGISTER = 16  # numbers of float32 in one of AVX-512's


def batch_normalized(inputs, gamma, beta, epsilon):
    """`(outputs, mean, variance)` of a batch: gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    Args:
        inputs: [N, ..., C] of any floating type.
        gamma, beta: [C]; float64 for inputs of float64, else float32.
        epsilon: positive.
    Returns:
        outputs, of the inputs' shape and type; mean and unbiased variance [C], n / (n - 1) times the one that
        normalizes, of gamma's type. They are computed in that type and are no way for gradients.
    """
    if inputs.dtype == tf.float64:  # there is no kernel
        return _in_single_operations(inputs, gamma, beta, epsilon)
    if _slow(inputs):
        outputs, mean, variance = batch_normalized(widen(inputs), gamma, beta, epsilon)
        return tf.cast(outputs, inputs.dtype), mean, variance
    if inputs.shape.rank == 4:
        return by_kernel(inputs, gamma, beta, epsilon)
    shape = tf.shape(inputs)
    maps = tf.reshape(inputs, (shape[0], tf.reduce_prod(shape[1:-1]), 1, shape[-1]))
    outputs, mean, variance = by_kernel(maps, gamma, beta, epsilon)
    return tf.ensure_shape(tf.reshape(outputs, shape), inputs.shape), mean, variance


def _slow(inputs):
    """Whether a processor's kernel for bfloat16 takes these maps number by number, not a register at a time.

    That lasts several times as long as casts and the kernel for float32: `benchmarks/narrow_norms.py`.
    """
    low = inputs.dtype == tf.bfloat16 and inputs.shape[-1] % _REGISTER != 0
    return low and not tf.config.list_physical_devices("GPU")


def _in_single_operations(inputs, gamma, beta, epsilon):
    mean, variance = moments(inputs, list(range(inputs.shape.rank - 1)))
    factor = tf.math.rsqrt(variance + epsilon) * gamma
    count = channel_size(inputs, variance.dtype)
    unbiased = variance * (count / at_least_one(count - 1.0))
    return inputs * factor + (beta - mean * factor), tf.stop_gradient(mean), tf.stop_gradient(unbiased)


def by_kernel(maps, gamma, beta, epsilon):
    """As `batch_normalized`, of maps [N, H, W, C] that are not float64, by the kernel for their type."""

    @custom_gradient
    def forward(maps, gamma, beta):
        outputs, mean, unbiased, *kept = tf.raw_ops.FusedBatchNormV3(
            x=maps, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon
        )

        def gradient(upstream, *_):
            return _slopes(upstream, maps, gamma, kept, epsilon)

        return (outputs, mean, unbiased), gradient

    return forward(maps, gamma, beta)


def _slopes(upstream, maps, gamma, kept, epsilon):
    """The gradients by maps, gamma and beta; `kept` is what the forward kernel leaves to this one."""

    @custom_gradient
    def forward(upstream, maps, gamma):
        names = [f"reserve_space_{number}" for number in (1, 2, 3)]
        slopes = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=upstream, x=maps, scale=gamma, epsilon=epsilon, **dict(zip(names, kept, strict=True))
        )[:3]

        def gradient(*upstreams):
            given = [upstream, maps, gamma]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(given)
                again = _slopes_in_single_operations(*given, epsilon)
            return tape.gradient(again, given, upstreams)

        return slopes, gradient

    return forward(upstream, maps, gamma)


def _slopes_in_single_operations(upstream, maps, gamma, epsilon):
    """As `_slopes`, by ordinary operations in float32."""
    dtype, axes = maps.dtype, [0, 1, 2]
    upstream, maps = widen(upstream), widen(maps)
    mean, variance = moments(maps, axes)
    deviation_inverse = tf.math.rsqrt(variance + epsilon)
    normalized = (maps - mean) * deviation_inverse
    by_beta = tf.reduce_sum(upstream, axes)
    by_gamma = tf.reduce_sum(upstream * normalized, axes)
    count = channel_size(maps, maps.dtype)
    centred = upstream - by_beta / count - normalized * (by_gamma / count)
    return tf.cast(centred * (deviation_inverse * gamma), dtype), by_gamma, by_beta
