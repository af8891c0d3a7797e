"""Networks that grow from 4x4 to 8x8, models with them, and what is recorded of their training."""

import keras
import numpy as np

from tfgans import checkpoint, losses
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.networks.progan import progan_discriminator, progan_generator
from tfgans.optimizers import TorchAdam

PUBLISHED_LOSSES = dict(
    discriminator_loss=losses.drift_wasserstein_discriminator, generator_loss=losses.wasserstein_generator
)
SCHEDULE = dict(stage_steps=(2, 8), fade_share=(0.5, 0.75))  # of 8x8 images
IMAGES = np.random.default_rng(0).uniform(-1, 1, (24, 8, 8, 1)).astype("float32")


def networks(resolution=8, width=4):
    keras.utils.set_random_seed(0)
    sizes = dict(channels=1, max_channels=width)
    return progan_generator(resolution, latent_dim=6, **sizes), progan_discriminator(resolution, **sizes)


def make(method=ProgressiveGAN, resolution=8, compiling=None, **options):
    model = method(*networks(resolution), **options)
    adam = lambda: TorchAdam(1e-3, beta_1=0.0, beta_2=0.99)  # noqa: E731
    model.compile(adam(), adam(), **(compiling or {}))
    return model


def fit(model, images, callbacks=()):
    model.fit(images, batch_size=4, shuffle=False, verbose=0, callbacks=list(callbacks))
    return model


class Recorder(keras.callbacks.Callback):
    """The logs and the whole state after each update, and four images."""

    def __init__(self):
        super().__init__()
        self.logs, self.states, self.images = [], [], []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append(dict(self.model.step_logs))
        self.states.append(checkpoint.read_state(self.model))
        self.images.append(self.model.generate(4, seed=1))
