"""GAN losses: pure functions of logits.

A discriminator's loss takes the logits of real and of fake images, a generator's those of fakes, or both: then it is
marked by `takes_pairs`, and the images are pairs.

Logits are [N, 1] and unbounded, class logits [N, K]; every loss is a scalar mean over the batch, to be
minimised, computed in float32 or wider.
"""

import math

import keras
import tensorflow as tf

from tfgans.config import ConfigError, NotNegative, Positive, Within, configurable


def takes_pairs(generator_loss):
    """Marks a generator's loss that takes real logits, too, as a discriminator's does: (real_logits, fake_logits)."""
    generator_loss.takes_pairs = True
    return generator_loss


def of_pairs(generator_loss):
    """Whether a generator's loss is marked by `takes_pairs`."""
    return getattr(generator_loss, "takes_pairs", False)


def _wide(tensor):
    tensor = tf.convert_to_tensor(tensor)
    return tensor if tensor.dtype == tf.float64 else tf.cast(tensor, tf.float32)


@configurable
def hinge_discriminator(real_logits, fake_logits):
    """mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))) (Lim and Ye, 2017)."""
    real, fake = _wide(real_logits), _wide(fake_logits)
    return tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))


@configurable
def untruncated_hinge_discriminator(real_logits, fake_logits):
    """mean (1 - D(x)) + mean (1 + D(G(z))): the hinge loss as AdvAs differentiates it (Munk et al., 2020)."""
    real, fake = _wide(real_logits), _wide(fake_logits)
    return tf.reduce_mean(1.0 - real) + tf.reduce_mean(1.0 + fake)


@configurable
def hinge_generator(fake_logits):
    """-mean D(G(z)) (Lim and Ye, 2017)."""
    return -tf.reduce_mean(_wide(fake_logits))


@configurable
def non_saturating_discriminator(real_logits, fake_logits):
    """Binary cross-entropy with logits, real 1 and fake 0 (Goodfellow et al., 2014, eq. 1)."""
    real, fake = _wide(real_logits), _wide(fake_logits)
    return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))


@configurable
def non_saturating_generator(fake_logits):
    """-mean log sigmoid(D(G(z))) (Goodfellow et al., 2014, section 3)."""
    return tf.reduce_mean(tf.nn.softplus(-_wide(fake_logits)))


@configurable
def robgan_discriminator(real_logits, fake_logits, fake_weight: NotNegative = 2.0):
    """Binary cross-entropy with logits, the fakes' term times `fake_weight` (RobGAN; Liu and Hsieh, 2019).

    The weight of 2 is undocumented, but in every published script.
    """
    real, fake = _wide(real_logits), _wide(fake_logits)
    return tf.reduce_mean(tf.nn.softplus(-real)) + fake_weight * tf.reduce_mean(tf.nn.softplus(fake))


@configurable
def minimax_discriminator(real_logits, fake_logits):
    """The same as `non_saturating_discriminator`: only the generators differ."""
    real, fake = _wide(real_logits), _wide(fake_logits)
    return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))


@configurable
def minimax_generator(fake_logits):
    """mean log(1 - sigmoid(D(G(z)))), which saturates (Goodfellow et al., 2014, eq. 1)."""
    return -tf.reduce_mean(tf.nn.softplus(_wide(fake_logits)))


@configurable
def wasserstein_discriminator(real_logits, fake_logits):
    """mean D(G(z)) - mean D(x) (Arjovsky et al., 2017)."""
    return tf.reduce_mean(_wide(fake_logits)) - tf.reduce_mean(_wide(real_logits))


@configurable
def drift_wasserstein_discriminator(real_logits, fake_logits, drift_weight: NotNegative = 1e-3):
    """mean D(G(z)) - mean D(x) + drift_weight * mean D(x)^2, which keeps logits near 0 (Karras et al., 2018)."""
    drift = tf.reduce_mean(tf.square(_wide(real_logits)))
    return wasserstein_discriminator(real_logits, fake_logits) + drift_weight * drift


@configurable
def wasserstein_generator(fake_logits):
    """-mean D(G(z)) (Arjovsky et al., 2017)."""
    return -tf.reduce_mean(_wide(fake_logits))


@configurable
def least_squares_discriminator(real_logits, fake_logits):
    """mean (D(x) - 1)^2 + mean D(G(z))^2 (Mao et al., 2017, without its factors 1/2)."""
    real, fake = _wide(real_logits), _wide(fake_logits)
    return tf.reduce_mean(tf.square(real - 1.0)) + tf.reduce_mean(tf.square(fake))


@configurable
def least_squares_generator(fake_logits):
    """mean (D(G(z)) - 1)^2 (Mao et al., 2017, without its factor 1/2)."""
    return tf.reduce_mean(tf.square(_wide(fake_logits) - 1.0))


@configurable
def relativistic_discriminator(real_logits, fake_logits):
    """mean softplus(D(G(z)) - D(x)), of pairs (Jolicoeur-Martineau, 2019; R3GAN, Huang et al., 2024)."""
    return tf.reduce_mean(tf.nn.softplus(_wide(fake_logits) - _wide(real_logits)))


@configurable
@takes_pairs
def relativistic_generator(real_logits, fake_logits):
    """mean softplus(D(x) - D(G(z))): `relativistic_discriminator` with real and fake exchanged."""
    return tf.reduce_mean(tf.nn.softplus(_wide(real_logits) - _wide(fake_logits)))


@configurable
def class_cross_entropy(class_logits, labels):
    """-mean log p(label) of an auxiliary classifier (Odena et al., 2017); labels: [N] integers."""
    log_probabilities = tf.nn.log_softmax(_wide(class_logits))
    return -tf.reduce_mean(tf.gather(log_probabilities, labels, batch_dims=1))


@configurable
def class_uniform_divergence(class_logits, labels=None):
    """mean KL(U || p) of the uniform distribution and the classifier's (Zhong et al., 2020).

    It makes no use of `labels`, which are there so that it can be a GAN's `fake_class_loss`.
    Departure from the paper's text, which writes KL(p || U): this is what the authors' code minimises.
    """
    log_probabilities = tf.nn.log_softmax(_wide(class_logits))
    return -math.log(class_logits.shape[-1]) - tf.reduce_mean(log_probabilities)


def multi_hinge(logits, labels):
    """mean max(0, 1 + max_{k != y} f_k - f_y): the hinge loss of several classes (Crammer and Singer, 2001).

    Args:
        logits: f [N, K], K at least 2; labels: y [N], integers.
    """
    logits = _wide(logits)
    own = tf.one_hot(labels, logits.shape[-1], on_value=True, off_value=False, dtype=tf.bool)
    others = tf.where(own, tf.cast(-math.inf, logits.dtype), logits)
    target = tf.reduce_sum(tf.where(own, logits, tf.zeros_like(logits)), 1)
    return tf.reduce_mean(tf.nn.relu(1.0 + tf.reduce_max(others, 1) - target))


@configurable
def conditional_contrastive(embeddings, proxies, labels, temperature: Positive = 1.0):
    """The 2C loss (ContraGAN; Kang and Park, 2020): an image is like its class, and those of its class.

    With c the cosine over the temperature, for each image the negative log of the share that exp c(e_i, p_i) and
    exp c(e_i, e_j) of the others of its class have in the same sum over all others of the batch.

    Args:
        embeddings, proxies: e and p [N, D], what the discriminator makes of images and of their labels.
        labels: [N] integers.
    """
    cosines, own = _cosines(embeddings, proxies)
    near = tf.linalg.set_diag(cosines, own) / tf.constant(temperature, own.dtype)
    same = labels[:, None] == labels[None, :]
    return tf.reduce_mean(tf.reduce_logsumexp(near, 1) - _masked_logsumexp(near, same))


@configurable
def data_to_data_cross_entropy(
    embeddings, proxies, labels, temperature: Positive = 0.5, margin: Within("[0, 1]") = 0.98
):
    """D2D-CE (ReACGAN; Kang et al., 2021): an image is like its class, and unlike those of other classes.

    With c the cosine, m the margin and t the temperature, for each image the negative log of the share that exp of
    min(0, c(e_i, p_i) - m) / t has in the sum of it and of exp of max(0, c(e_i, e_j) - (1 - m)) / t over the images
    of other classes: easy ones, beyond the margins, have no gradient. Departure from StudioGAN, which subtracts the
    row's maximum from the second exponents alone; the paper does not.

    Args: as of `conditional_contrastive`.
    """
    cosines, own = _cosines(embeddings, proxies)
    margin, temperature = (tf.constant(number, own.dtype) for number in (margin, temperature))
    positive = -tf.nn.relu(margin - own) / temperature
    negative = tf.nn.relu(cosines - (1.0 - margin)) / temperature
    others = labels[:, None] != labels[None, :]
    diagonal = tf.eye(tf.shape(others)[0], dtype=tf.bool)
    rows = tf.linalg.set_diag(negative, positive)
    return tf.reduce_mean(_masked_logsumexp(rows, others | diagonal) - positive)


def _cosines(embeddings, proxies):
    """c(e_i, e_j) [N, N] and c(e_i, p_i) [N]."""
    embeddings, proxies = (tf.math.l2_normalize(_wide(x), -1) for x in (embeddings, proxies))
    return tf.matmul(embeddings, embeddings, transpose_b=True), tf.reduce_sum(embeddings * proxies, -1)


def _masked_logsumexp(rows, mask):
    return tf.reduce_logsumexp(tf.where(mask, rows, tf.cast(-math.inf, rows.dtype)), 1)


def total(terms):
    """The sum of scalars, a list of at least one, in float64 if one of them is, else in float32."""
    terms = [tf.convert_to_tensor(term) for term in terms]
    wide = tf.float64 if any(term.dtype == tf.float64 for term in terms) else tf.float32
    return sum(tf.cast(term, wide) for term in terms)


def is_sum(discriminator_loss):
    """Whether a loss is a sum of a part of the real logits and one of the fake ones, judged by a few logits."""
    one, other = tf.constant([[0.3], [-1.4]]), tf.constant([[-0.6], [1.7]])
    both, crossed = (
        [float(discriminator_loss(*logits)) for logits in pairs]
        for pairs in (((one, one), (other, other)), ((one, other), (other, one)))
    )
    return not abs(sum(both) - sum(crossed)) > 1e-4 * max(1.0, *map(abs, both + crossed))


def check(name, loss, *logits):
    """Calls a loss once, with logits of 0: one that does not take them is refused before any training.

    gin knows a function's parameters as used only once it has been called; this is that call.
    Raises: ConfigError naming the loss, also if it does not give a scalar.
    """
    if isinstance(loss, keras.losses.Loss):
        raise ConfigError(
            f"{name} takes logits of real and fake images, {type(loss).__name__} of Keras's labels and predictions: "
            "write a function"
        )
    try:
        value = loss(*logits)
    except (TypeError, ValueError) as error:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in logits)
        raise ConfigError(f"{name} cannot be called with tensors of shapes {shapes}: {error}") from error
    if not tf.is_tensor(value) or value.shape.rank != 0 or not value.dtype.is_floating:
        found = f"{value.dtype.name} {tuple(value.shape)}" if tf.is_tensor(value) else type(value).__name__
        raise ConfigError(f"{name} gives a scalar tensor, the mean over the batch. Received: {found}")
