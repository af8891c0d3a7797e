"""Initializers of the residual networks: Glorot uniform with a gain, and PyTorch's default bias."""

import keras

from tfgans.config import ConfigError

BIAS_INITIALIZERS = ("zeros", "fan_in_uniform")


def glorot_uniform(gain=1.0):
    """Uniform on +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    Returns a new object each time: Keras initializers that are shared draw the same values again.
    """
    return keras.initializers.VarianceScaling(scale=gain**2, mode="fan_avg", distribution="uniform")


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
