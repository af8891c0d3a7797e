"""AdversarialNAS (Gao et al. 2020): both networks' architectures descend on their own adversarial losses."""

import tensorflow as tf

from tfgans.config import ConfigError, NotNegative, Within, configurable
from tfgans.gan import GAN, apply_means
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

    replaces = ("discriminator_gradients", "generator_gradients")

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
        for name, value in (
            ("architecture_rate", architecture_rate),
            ("architecture_decay", architecture_decay),
        ):
            if not 0.0 <= value < float("inf"):
                raise ConfigError(f"AdversarialNASGAN.{name} is at least 0. Received: {value}")
        if not 0.0 <= architecture_momentum < 1.0:
            raise ConfigError(
                f"AdversarialNASGAN.architecture_momentum is in [0, 1). Received: {architecture_momentum}"
            )
        self.architecture_decay = architecture_decay
        self._architecture_adam = dict(
            learning_rate=architecture_rate, beta_1=architecture_momentum, beta_2=0.999
        )
        names = ["generator", "discriminator"] if architecture_rate else []
        self.searched = [name for name in names if hasattr(getattr(self, name), "architecture_variables")]
        if architecture_rate and not self.searched:
            raise ConfigError(
                "AdversarialNASGAN needs a supernet: include 'gin_configs/networks/alphagan_supernet.gin'"
            )

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        self._architecture_optimizers = {}
        with self.distribute_strategy.scope():
            for name in self.searched:
                adam = TorchAdam(**self._architecture_adam)
                adam.build(getattr(self, name).architecture_variables)
                self._architecture_optimizers[f"{name}_architecture"] = adam
        super().compile(optimizer, discriminator_optimizer, **options)

    def optimizers(self):
        return super().optimizers() | self._architecture_optimizers

    def set_learning_rates(self):
        """As the base's, for weights alone."""
        factor = self.learning_rate_factor()
        if factor is not None:
            for name in ("generator", "discriminator"):
                self.optimizers()[name].learning_rate.assign(self._initial_rates[name] * factor)

    def discriminator_gradients(self, real, fake):
        """As in `GAN`; the gradients by architecture weights come after those by weights."""
        return self._gradients("discriminator", lambda: self.discriminator_losses(real, fake))

    def generator_gradients(self, real, latents):
        """As in `GAN`; the gradients by architecture weights come after those by weights."""

        def losses():
            fake = latents | {"images": self.synthesize(latents, training=True)}
            return self.generator_losses(real, fake)

        return self._gradients("generator", losses)

    def _gradients(self, name, losses):
        network = getattr(self, name)
        variables = network.trainable_variables + self._architecture_of(name)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            values = losses()
            total = sum(values.values())
        return values, tape.gradient(total, [v.value for v in variables], unconnected_gradients="zero")

    def _architecture_of(self, name):
        return getattr(self, name).architecture_variables if name in self.searched else []

    def update_discriminator(self, gradients):
        super().update_discriminator(self._moved("discriminator", gradients))

    def update_generator(self, gradients):
        super().update_generator(self._moved("generator", gradients))

    def _moved(self, name, gradients):
        """Moves a network's architecture by what follows the gradients of its weights, which it returns."""
        count, alpha = len(getattr(self, name).trainable_variables), self._architecture_of(name)
        if len(gradients) == count or not alpha:
            return gradients
        decayed = [
            tf.cast(g, v.dtype) + self.architecture_decay * tf.convert_to_tensor(v.value)
            for g, v in zip(gradients[count:], alpha, strict=True)
        ]
        apply_means(self._architecture_optimizers[f"{name}_architecture"], decayed, alpha)
        return gradients[:count]
