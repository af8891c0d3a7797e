"""OctaveGAN: any GAN whose networks have soft octave layers, with their betas on a schedule."""

import tensorflow as tf

from tfgans.config import ConfigError, Count, Function, Number, Several, configurable
from tfgans.gan import GAN
from tfgans.methods.octave.schedule import constant
from tfgans.methods.octave.soft import set_betas, soft_layers


@configurable
class OctaveGAN(GAN):
    """Shifts weight from low to high frequencies during training (Durall, Pfreundt, Keuper 2019, section 3.3).

    Before each step every soft octave layer of both networks gets the betas of `beta_schedule`(t), with
    t = min(1, (e + 1) * beta_epoch / beta_steps) in the e-th epoch of `beta_epoch` generator updates, counted from 0,
    as the authors' code has it. The logs have `octave/beta_high` and `octave/beta_low`. A step costs what the
    networks cost; the betas are factors of kernels.

    Args:
        beta_schedule: a function of `schedule.py`; by default betas are 1, which is the base.
        beta_steps: generator updates after which t is 1, at least 1.
        beta_epoch: generator updates in which the betas stay; 1 moves them with every update.
        evaluation_betas: (beta_H, beta_L) of images made outside training; None takes those of training. The
            authors' code has (0.7, 0.3) from its first epoch on, other betas than its statistics were collected with.
    Raises: ConfigError if neither network has a soft octave layer, or a count is below 1.
    """

    def __init__(
        self,
        generator,
        discriminator,
        beta_schedule: Function("@ramp") = constant,
        beta_steps: Count = 1,
        beta_epoch: Count = 1,
        evaluation_betas: Several(Number, 2) | None = None,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        if not soft_layers(generator) and not soft_layers(discriminator):
            raise ConfigError(
                "OctaveGAN needs a network with soft octave layers: include "
                "'gin_configs/networks/octave_dcgan.gin', or convert a network of yours with tfgans.to_octave"
            )
        self.beta_schedule, self.beta_steps, self.beta_epoch = beta_schedule, beta_steps, beta_epoch
        self.evaluation_betas = evaluation_betas
        self.move_betas()

    def betas(self):
        """(beta_H, beta_L) of the present step."""
        epoch = self.step.value // self.beta_epoch
        done = tf.cast((epoch + 1) * self.beta_epoch, tf.float32)
        return self.beta_schedule(tf.minimum(done / self.beta_steps, 1.0))

    def move_betas(self):
        """Sets every soft octave layer to the betas of the present step, and returns them."""
        high, low = self.betas()
        networks = [self.generator, self.discriminator]
        for network in networks + ([self.ema_generator] if self.ema_generator is not None else []):
            set_betas(network, high, low, self.evaluation_betas)
        return high, low

    def train_step(self, data):
        high, low = self.move_betas()
        return super().train_step(data) | {"octave/beta_high": high, "octave/beta_low": low}
