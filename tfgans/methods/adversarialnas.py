"""AdversarialNAS (Gao et al. 2020): both networks' architectures descend on their own adversarial losses."""

import tensorflow as tf

from tfgans.config import ConfigError, NotNegative, Within, configurable, unbound
from tfgans.distribute import apply_means
from tfgans.gan import GAN
from tfgans.optimizers import TorchAdam


@configurable
class AdversarialNASGAN(GAN):
    """Moves the architecture weights of supernets with their weights, by the same losses; AlphaGAN's baseline.

    No duality gap, no copies of the networks, no validation data: every update of the discriminator also moves its
    architecture, if it is a supernet, and every update of the generator the generator's, by gradients of the same
    pass. Which split and rates the baseline of AlphaGAN's paper has is not said; these are its search's.

    Cost of a step: that of the base, and the gradients by the architecture weights.

    Args:
        architecture_rate, architecture_momentum: of the architectures' Adam, its learning rate and beta_1; beta_2 is
            0.999.
        architecture_decay: the architecture weights times this are added to their gradients.
    With a rate of 0 it is the base.
    Raises: ConfigError if a value leaves its range or neither network is a supernet.
    """

    def __init__(
        self,
        generator,
        discriminator,
        architecture_rate: NotNegative = 3e-4,
        architecture_momentum: Within("[0, 1)") = 0.5,
        architecture_decay: NotNegative = 1e-3,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.architecture_decay = architecture_decay
        self._architecture_adam = dict(
            learning_rate=architecture_rate, beta_1=architecture_momentum, beta_2=0.999
        )
        if architecture_rate and not self.searched_networks():
            raise ConfigError(
                "AdversarialNASGAN needs a supernet: include 'gin_configs/networks/alphagan_supernet.gin'"
            )

    def searched_networks(self):
        """The names of the networks whose architecture moves."""
        names = ["generator", "discriminator"] if self._architecture_adam["learning_rate"] else []
        return [name for name in names if hasattr(getattr(self, name), "architecture_variables")]

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        self._architecture_optimizers = {}
        with self.distribute_strategy.scope():
            for name in self.searched_networks():
                adam = unbound(TorchAdam, **self._architecture_adam)
                adam.build(getattr(self, name).architecture_variables)
                self._architecture_optimizers[f"{name}_architecture"] = adam
        super().compile(optimizer, discriminator_optimizer, **options)

    def optimizers(self):
        return super().optimizers() | self._architecture_optimizers

    def learning_rate_factors(self):
        factors = super().learning_rate_factors()  # of the weights alone
        return {name: x for name, x in factors.items() if name not in self._architecture_optimizers}

    def step_variables(self, name):
        return super().step_variables(name) + self._architecture_of(name)

    def _architecture_of(self, name):
        return getattr(self, name).architecture_variables if name in self.searched_networks() else []

    def update_discriminator(self, gradients, regularizer=False):
        super().update_discriminator(self._moved("discriminator", gradients), regularizer)

    def update_generator(self, gradients, regularizer=False):
        super().update_generator(self._moved("generator", gradients), regularizer)

    def _moved(self, name, gradients):
        """Moves a network's architecture by what follows the gradients of its weights, which it returns."""
        count, alpha = len(getattr(self, name).trainable_variables), self._architecture_of(name)
        if len(gradients) == count or not alpha:
            return gradients
        kind = type(gradients)  # means over replicas stay such
        decayed = kind(
            tf.cast(g, v.dtype) + self.architecture_decay * tf.convert_to_tensor(v.value)
            for g, v in zip(gradients[count:], alpha, strict=True)
        )
        apply_means(self._architecture_optimizers[f"{name}_architecture"], decayed, alpha)
        return kind(gradients[:count])
