"""Penalties on a critic, pure functions of the critic and of images; one on logits, and one on kernels.

`critic` maps images to logits [N, 1]. It is called as it is given: the caller chooses training mode and
enters `tfgans.layers.state.frozen_state` so that the extra pass moves no statistics. Images are [N, H, W, C]
or points [N, D]. Every penalty is a scalar without a weight, computed in float32 or wider, and can be
differentiated again. ConfigError is raised for a critic through which no gradient comes back to the images.
"""

import tensorflow as tf

from tfgans.config import ConfigError, NotNegative, Within

_LIMIT = Within("(0, inf]")
_SMALLEST_SQUARE = 1e-12  # keeps the derivatives of the square root finite where a gradient vanishes


def gradient_penalty(critic, real, fake, mix, target=1.0, one_sided=False):
    """mean (|grad D(x)| - target)^2 at x = mix * real + (1 - mix) * fake (Gulrajani et al., 2017, eq. 3).

    Args:
        mix: uniform on [0, 1), one for each sample, of a shape that broadcasts with the images:
            [N, 1, 1, 1] or [N, 1].
        target: the norm wanted; at least 0.
        one_sided: penalise only norms above the target (their section 4, Petzka et al., 2018).
    Departure: a norm under 1e-6 counts as 1e-6 and has no gradient, where the square root has none.
    """
    NotNegative.check("gradient_penalty: target", target)
    mix, fake = tf.cast(mix, real.dtype), tf.cast(fake, real.dtype)
    points = mix * real + (1.0 - mix) * fake
    norms = tf.sqrt(tf.maximum(_squared_gradient_norms(critic, points), _SMALLEST_SQUARE))
    excess = norms - target
    return tf.reduce_mean(tf.square(tf.nn.relu(excess) if one_sided else excess))


def r1_penalty(critic, real):
    """mean |grad D(x)|^2 at real images (Mescheder et al., 2018, eq. 9, without its gamma / 2)."""
    return tf.reduce_mean(_squared_gradient_norms(critic, real))


def r2_penalty(critic, fake):
    """mean |grad D(G(z))|^2 at generated images (Mescheder et al., 2018, without its gamma / 2)."""
    return tf.reduce_mean(_squared_gradient_norms(critic, fake))


def lecam_penalty(real_logits, fake_logits, real_average, fake_average, one_sided=False):
    """mean (D(x) - a_F)^2 + mean (D(G(z)) - a_R)^2, averages of logits (LeCam; Tseng et al., 2021).

    Args:
        real_average, fake_average: a_R and a_F, scalars.
        one_sided: mean max(0, D(x) - a_F)^2 + mean max(0, a_R - D(G(z)))^2, as in the authors' codes.
    """
    real = _wide(real_logits)
    above = real - tf.cast(fake_average, real.dtype)
    below = tf.cast(real_average, real.dtype) - _wide(fake_logits)
    if one_sided:
        above, below = tf.nn.relu(above), tf.nn.relu(below)
    return tf.reduce_mean(tf.square(above)) + tf.reduce_mean(tf.square(below))


def orthogonal_penalty(kernels):
    """sum over kernels of |W^T W * (1 - I)|^2 (Brock et al., 2019, eq. 3, without its beta).

    The products of different columns are pushed to 0; the columns' norms are left free. The published PyTorch
    code adds half of this penalty's gradient.

    Args:
        kernels: matrices [in, out], one column for each output channel.
    """
    total = 0.0
    for kernel in kernels:
        kernel = tf.convert_to_tensor(kernel)
        products = tf.matmul(kernel, kernel, transpose_a=True)
        total += tf.reduce_sum(tf.square(tf.linalg.set_diag(products, tf.zeros_like(products[0]))))
    return total


def clip_weights(variables, limit):
    """Clips every variable to [-limit, limit], in place (Arjovsky et al., 2017, Algorithm 1).

    Raises: ConfigError if `limit` is not positive; infinity clips nothing.
    """
    _LIMIT.check("clip_weights: limit", limit)
    for variable in variables:
        variable.assign(tf.clip_by_value(tf.convert_to_tensor(variable), -limit, limit))


def _squared_gradient_norms(critic, images):
    """|d critic / d image|^2 for each image, [N]."""
    images = tf.convert_to_tensor(images)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        logits = tf.reduce_sum(critic(images))
    gradient = tape.gradient(logits, images)
    if gradient is None:
        raise ConfigError("a penalty on gradients takes a critic with one by its images: this one stops it")
    return squared_norms(gradient)


def squared_norms(gradient):
    """The squared norm of each row of [N, ...], [N], in float32 or wider."""
    gradient = _wide(gradient)
    return tf.reduce_sum(tf.square(gradient), list(range(1, gradient.shape.rank)))


def _wide(tensor):
    tensor = tf.convert_to_tensor(tensor)
    return tensor if tensor.dtype == tf.float64 else tf.cast(tensor, tf.float32)
