"""Boundary equilibrium (BEGAN; Berthelot, Schumm, Metz 2017): an autoencoder's errors, kept in balance."""

import inspect

import tensorflow as tf

from tfgans import distribute, losses
from tfgans.config import ConfigError, NotNegative, Share, configurable
from tfgans.gan import GAN


@configurable
class BEGAN(GAN):
    """Trains a discriminator whose output is an error of reproduction, such as `began_discriminator`.

    With the mean errors e of a batch, the discriminator minimises e(real) - k e(fake) and the generator e(fake).
    Then k moves by `balance_rate` times (diversity e(real) - e(fake)) and stays in [0, 1] (section 3.4; that e(fake)
    is the generator step's). k is saved with the run. The logs have `d/real_error`, `began/k`, and the paper's
    measure of convergence, `began/convergence`: e(real) + |diversity e(real) - e(fake)|.

    Both losses are its own. The paper halves the learning rates when that measure stalls; here a schedule does.

    Args:
        diversity: gamma, in [0, 1]; the less, the more alike the images (the paper shows 0.3 to 0.7).
        balance_rate: lambda_k; the paper has 0.001. 0 keeps k at 0.
    Raises: ConfigError if a value leaves its range, or a loss is given.
    """

    replaces = ("discriminator_losses",)

    def __init__(
        self, generator, discriminator, diversity: Share = 0.5, balance_rate: NotNegative = 0.001, **kwargs
    ):
        super().__init__(generator, discriminator, **kwargs)
        usual = {
            "discriminator_loss": losses.non_saturating_discriminator,
            "generator_loss": losses.non_saturating_generator,
        }
        for name, loss in usual.items():
            if inspect.unwrap(getattr(self, name)) is not inspect.unwrap(loss):
                raise ConfigError(f"BEGAN has losses of its own: leave GAN.{name} out")
        self.discriminator_loss, self.generator_loss = self.error_difference, mean_error
        self.diversity, self.balance_rate = diversity, balance_rate
        self.began_balance = self.add_weight(name="balance", shape=(), initializer="zeros", trainable=False)

    def error_difference(self, real_errors, fake_errors):
        """e(real) - k e(fake), a scalar, of errors [N, 1]."""
        real, fake = mean_error(real_errors), mean_error(fake_errors)
        return real - tf.cast(self.began_balance.value, fake.dtype) * fake

    def discriminator_losses(self, real, fake):
        real, fake = self.with_outputs(real, fake)
        errors = (batch["outputs"]["adversarial"] for batch in (real, fake))
        terms = {"d/adversarial": self.discriminator_loss(*errors)}
        return terms | self.regularizers("discriminator", terms)

    def discriminator_measures(self, real, fake):
        error = mean_error(real["outputs"]["adversarial"])
        return super().discriminator_measures(real, fake) | {"d/real_error": error}

    def train_step(self, data):
        logs = super().train_step(data)
        real, fake = distribute.mean([logs["d/real_error"], logs["g/adversarial"]])
        difference = self.diversity * real - fake
        moved = tf.cast(self.balance_rate * difference, self.began_balance.dtype)
        self.began_balance.assign(tf.clip_by_value(self.began_balance.value + moved, 0.0, 1.0))
        return logs | {"began/k": self.began_balance.value, "began/convergence": real + tf.abs(difference)}


def mean_error(errors):
    """The mean of errors [N, 1], in float32 or wider."""
    errors = tf.convert_to_tensor(errors)
    return tf.reduce_mean(errors if errors.dtype == tf.float64 else tf.cast(errors, tf.float32))
