"""Whether XLA can compile for the processors that are there."""

import functools

import tensorflow as tf

from tfgans.errors import ConfigError, first_line


@functools.cache
def check():
    """Compiles one small product.

    Raises: ConfigError, in one line, if XLA fails: TensorFlow 2.21 knows no GPU newer than Hopper.
    """
    try:
        _product(tf.ones((2, 2)))
    except tf.errors.OpError as error:
        gpus = [tf.config.experimental.get_device_details(d) for d in tf.config.list_physical_devices("GPU")]
        name = gpus[0].get("device_name", "this GPU") if gpus else "this processor"
        raise ConfigError(f"jit_compile: XLA cannot compile for {name}: {first_line(error)}") from error


@tf.function(jit_compile=True, autograph=False)
def _product(matrix):
    return tf.matmul(matrix, matrix)
