"""Random numbers by a seed [2] alone: those of `tf.random.stateless_*` with `alg="philox"`, bit for bit.

TensorFlow has some twenty operations for each draw that turn the seed into the generator's key, which one operation
does as well: a step of StyleGAN2 with 80 draws had a fifth of its operations for that. Not for functions that XLA
compiles, whose key would be another.
"""

import tensorflow as tf

_PHILOX = 1  # TensorFlow's number for the algorithm


def normal(shape, seed):
    """Standard normal numbers, float32."""
    shape = tf.convert_to_tensor(shape, tf.int32)
    return tf.raw_ops.StatelessRandomNormalV2(shape=shape, **_key(seed), dtype=tf.float32)


def uniform(shape, seed, maxval=1, dtype=tf.float32):
    """Numbers uniform in [0, maxval), a number of Python's; of an integer dtype in {0, ..., maxval - 1}."""
    shape, key = tf.convert_to_tensor(shape, tf.int32), _key(seed)
    if dtype.is_integer:
        least, most = tf.constant(0, dtype), tf.constant(maxval, dtype)
        return tf.raw_ops.StatelessRandomUniformIntV2(shape=shape, **key, minval=least, maxval=most)
    drawn = tf.raw_ops.StatelessRandomUniformV2(shape=shape, **key, dtype=dtype)
    return drawn if maxval == 1 else drawn * maxval


def _key(seed):
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    return {"key": key, "counter": counter, "alg": _PHILOX}
