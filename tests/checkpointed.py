"""A small model with state of every kind, for tests of checkpoints."""

import keras
import toys

from tfgans.gan import GAN


class DropoutGAN(GAN):
    """A method with state of its own: a variable, and one that differs by replica."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.count = self.add_weight(name="count", shape=(), initializer="zeros", trainable=False)
        self.perturbation = self.add_weight(name="perturbation", shape=(3,), trainable=False)

    def finish_step(self):
        super().finish_step()
        self.count.assign_add(1.0)
        self.perturbation.assign_add(self.random_normal(3, (), "perturbation"))

    def per_replica_variables(self):
        return [self.perturbation]


def make(seed=0, width=4, rate=1e-3, compiled=False):
    """A model with batch norm, dropout (a seed generator), two Adams, EMA and a method's state.

    Steps run eagerly, which is sooner than to trace them, unless they are to be compiled.
    """
    keras.utils.set_random_seed(seed)
    generator, _ = toys.image_networks(seed=seed)
    images = keras.Input((8, 8, 1))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(width)(keras.layers.Flatten()(images)))
    discriminator = keras.Model(images, keras.layers.Dense(1)(x), name="discriminator")
    model = DropoutGAN(generator, discriminator, ema_decay=0.9, seed=seed)
    model.compile(keras.optimizers.Adam(rate), keras.optimizers.Adam(rate), run_eagerly=not compiled)
    return model


def train(model, steps, seed=0):
    model.fit(toys.images(4 * steps, seed), batch_size=4, shuffle=False, verbose=0)
    return model
