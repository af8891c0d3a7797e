"""Contrastive conditioning: ContraGAN's 2C loss and ReACGAN's D2D-CE."""

import keras
import tensorflow as tf

from tfgans import distribute, losses
from tfgans.config import ConfigError, Function, NotNegative, configurable
from tfgans.gan import GAN

_OUTPUTS = ("embedding", "proxy")


@configurable
class ContrastiveGAN(GAN):
    """A loss of embeddings of images and of their labels, beside the adversarial one, in both steps.

    The discriminator embeds images and, as proxies, classes (`conditioning = "contrastive"` in the networks here).
    Its loss has the contrastive term of real images, the generator's that of fakes. The loss is of the global batch:
    all replicas exchange their embeddings, and XLA then compiles nothing. It costs no pass through a network.

    Args:
        contrastive_weight: lambda; 0 is the base. ContraGAN has 1 (Kang and Park 2020), ReACGAN 0.5 on CIFAR-10
            (Kang et al. 2021, StudioGAN's configuration).
        contrastive_loss: `conditional_contrastive` (2C, ContraGAN), `data_to_data_cross_entropy` (D2D-CE, ReACGAN) or
            a function of the same arguments.
    Raises: ConfigError if the discriminator has not these outputs or there are no classes; in `compile`, if updates
        are accumulated.
    """

    def __init__(
        self,
        generator,
        discriminator,
        contrastive_weight: NotNegative = 1.0,
        contrastive_loss: Function("@data_to_data_cross_entropy") = losses.conditional_contrastive,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.contrastive_weight, self.contrastive_loss = contrastive_weight, contrastive_loss
        if not contrastive_weight:
            return
        labels = keras.KerasTensor((2,), dtype="int32")
        outputs = self.discriminate({"images": keras.KerasTensor((2, *self.sample_shape)), "labels": labels})
        if self.num_classes is None or any(name not in outputs for name in _OUTPUTS):
            raise ConfigError(
                f"ContrastiveGAN takes num_classes and a discriminator with the outputs {' and '.join(_OUTPUTS)} "
                f"(conditioning = 'contrastive'). Received: {', '.join(outputs)} and {self.num_classes}"
            )
        ones = tf.ones((2, 2))
        losses.check("ContrastiveGAN.contrastive_loss", contrastive_loss, ones, ones, tf.constant([0, 1]))

    def xla(self, function):
        # XLA cannot compile what replicas exchange.
        exchanges = self.contrastive_weight and distribute.num_replicas() > 1
        return function if exchanges else super().xla(function)

    def whole_batch_options(self, name):
        own = ("ContrastiveGAN.contrastive_weight",) if self.contrastive_weight else ()
        return super().whole_batch_options(name) + own

    def discriminator_losses(self, real, fake):
        real, fake = self.with_outputs(real, fake)
        terms = super().discriminator_losses(real, fake)
        if not self.contrastive_weight:
            return terms
        return terms | {"d/contrastive": self.contrastive_weight * self._contrast(real)}

    def generator_losses(self, real, fake):
        if not self.contrastive_weight:
            return super().generator_losses(real, fake)
        fake = self.with_fake_outputs(fake)
        terms = super().generator_losses(real, fake)
        return terms | {"g/contrastive": self.contrastive_weight * self._contrast(fake)}

    def _contrast(self, batch):
        given = [batch["outputs"][name] for name in _OUTPUTS]
        return self.contrastive_loss(*distribute.gathered([*given, batch["labels"]]))
