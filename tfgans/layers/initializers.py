"""Initializers of the residual networks: kernels with a gain, and PyTorch's default bias."""

import math

import keras
import tensorflow as tf

from tfgans.config import ConfigError

KERNEL_INITIALIZERS = ("glorot_uniform", "orthogonal")
BIAS_INITIALIZERS = ("zeros", "fan_in_uniform")


def glorot_uniform(gain=1.0):
    """Uniform on +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    Returns a new object each time: Keras initializers that are shared draw the same values again.
    """
    return keras.initializers.VarianceScaling(scale=gain**2, mode="fan_avg", distribution="uniform")


@keras.saving.register_keras_serializable(package="tfgans")
class Orthogonal(keras.initializers.Orthogonal):
    """`keras.initializers.Orthogonal`, same distribution, in seconds where that takes minutes.

    The QR decomposition of a tall Gaussian matrix A is read off the Cholesky factor of A^T A, which is well
    conditioned if A has four times as many rows as columns.
    """

    def __call__(self, shape, dtype=None):
        rows, columns = math.prod(shape[:-1]), shape[-1]
        small, large = sorted((rows, columns))
        if large < 4 * small:
            return super().__call__(shape, dtype)
        tall = keras.random.normal((large, small), dtype=dtype, seed=self.seed)
        factor = tf.linalg.cholesky(tf.matmul(tall, tall, transpose_a=True))
        inverse = tf.linalg.triangular_solve(factor, tf.eye(small, dtype=tall.dtype))
        orthonormal = tf.matmul(tall, inverse, transpose_b=True)
        orthonormal = orthonormal if rows == large else tf.transpose(orthonormal)
        return self.gain * tf.reshape(orthonormal, shape)


def kernel_initializer(name, gain=1.0):
    """`glorot_uniform`, or `orthogonal`: the kernel as [in, out] has orthonormal columns or rows times `gain`.

    Returns a new object each time, as `glorot_uniform`.
    """
    if name not in KERNEL_INITIALIZERS:
        raise ConfigError(f"kernel_initializer is one of {', '.join(KERNEL_INITIALIZERS)}. Received: {name}")
    return glorot_uniform(gain) if name == "glorot_uniform" else Orthogonal(gain)


def bias_initializer(name, fan_in):
    """`zeros`, or `fan_in_uniform`: uniform on +-1 / sqrt(fan_in), PyTorch's default for convolutions.

    `fan_in` counts the inputs of one output: kernel height * width * channels in.
    """
    check_bias_initializer(name)
    if name == "zeros":
        return "zeros"
    limit = fan_in**-0.5
    return keras.initializers.RandomUniform(-limit, limit)


def check_bias_initializer(name):
    if name not in BIAS_INITIALIZERS:
        raise ConfigError(f"bias_initializer is one of {', '.join(BIAS_INITIALIZERS)}. Received: {name}")
