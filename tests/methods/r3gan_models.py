"""Models with losses of pairs, and steps of a run of theirs."""

import numpy as np
import toys

from tfgans import losses
from tfgans.methods.r3gan.model import R3GAN
from tfgans.optimizers import MovingAdam

PAIRS = {
    "discriminator_loss": losses.relativistic_discriminator,
    "generator_loss": losses.relativistic_generator,
}
MOVING = {
    "gamma": 0.5, "last_gamma": 0.05, "last_rate_share": 0.25, "last_beta_2": 0.99, "burn_in": 32,
    "ema_half_life": 100.0, "ema_ramp": "constant", "first_half_life": 0.0,
}  # fmt: skip


def make(cls=R3GAN, networks=None, compiled=False, xla=False, optimizer=None, **options):
    """Steps run eagerly, in a fifth of the time that it takes to trace them, unless they are to be compiled."""
    model = cls(*(networks or toys.image_networks(options.get("num_classes"), batch_norm=False)), **options)
    optimizer = optimizer or (lambda: MovingAdam(1e-2, 0.0, 0.9))
    model.compile(optimizer(), optimizer(), run_eagerly=not compiled, jit_compile=xla)
    return model


def train(model, steps=1, first=0):
    """Steps `first`, `first` + 1, ... of a run on images that are all different."""
    count = 8 * model.batches_per_step
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (count * (first + steps), *model.sample_shape)).astype("float32")
    data = {"images": images[count * first :]}
    if model.num_classes:
        data["labels"] = np.arange(len(images), dtype="int32")[count * first :] % model.num_classes
    model.fit(*data.values(), batch_size=count, shuffle=False, verbose=0)
    return model
