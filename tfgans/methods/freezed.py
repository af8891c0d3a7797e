"""FreezeD: fine-tuning with the discriminator's first layers held."""

import tensorflow as tf

from tfgans.config import ConfigError, Natural, configurable
from tfgans.gan import GAN


@configurable
class FreezeDGAN(GAN):
    """Trains all but the first layers of the discriminator (Mo et al. 2020).

    For a run that begins with the weights of another (`train.initialize_from`): what a discriminator sees first,
    edges and colours, is of use for other images as it is, and few images cannot spoil it. Layers are counted from
    the images on; only those with weights that train count, and a block is one layer. Their statistics and spectral
    vectors move as ever. Departure: the gradients of the held weights are set to zero, where the authors leave them
    out; Adam, RMSprop and SGD then leave the weights as they are. A run that holds weights as they were drawn is told
    so in its log, such as one that begins with a file of a generator.

    Args:
        frozen_layers: how many layers are held; 0 is the base. The paper holds 3 to 5 layers or blocks.
    Raises: ConfigError if the discriminator has not more layers than that; in `compile`, if its optimizer decays
        weights, which would move them.
    """

    def __init__(self, generator, discriminator, frozen_layers: Natural = 3, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.frozen_layers = frozen_layers
        layers = [layer for layer in self.discriminator.layers if layer.trainable_variables]
        if frozen_layers and frozen_layers >= len(layers):
            raise ConfigError(
                f"FreezeDGAN.frozen_layers is below {len(layers)}, which is all layers with weights of "
                f"{discriminator.name}. Received: {frozen_layers}"
            )
        held = {id(weight) for layer in layers[:frozen_layers] for weight in layer.trainable_variables}
        self._held = [id(weight) in held for weight in self.discriminator.trainable_variables]

    def missing(self, drawn):
        lines, names = super().missing(drawn), self.carried_over()["discriminator"]
        held = {
            id(w)
            for w, is_held in zip(self.discriminator.trainable_variables, self._held, strict=True)
            if is_held
        }
        found = [name for name in drawn["discriminator"] if id(names[name]) in held]
        if not found:
            return lines
        line = (
            f"FreezeDGAN holds layers of the discriminator that no run has trained, such as {found[0]}: begin with a "
            "run's (--initialize_from)"
        )
        return (*lines, line)

    def kept_by_place(self):
        return super().kept_by_place() + (("FreezeDGAN.frozen_layers",) if self.frozen_layers else ())

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        super().compile(optimizer, discriminator_optimizer, **options)
        if any(self._held) and self.discriminator_optimizer.weight_decay:
            raise ConfigError(
                "FreezeDGAN: the discriminator's optimizer decays weights, also those that are held"
            )

    def update_discriminator(self, gradients, regularizer=False):
        count = len(self._held)  # what follows the weights', of `step_variables`, stays
        pairs = zip(self._held, gradients[:count], strict=True)
        masked = [tf.zeros_like(g) if held else g for held, g in pairs]
        super().update_discriminator(type(gradients)([*masked, *gradients[count:]]), regularizer)
