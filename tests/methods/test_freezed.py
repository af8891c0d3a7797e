"""FreezeD: which weights are held, that all others train as ever."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods.freezed import FreezeDGAN
from tfgans.optimizers import TorchAdam

IMAGES = tf.constant(toys.images(8))


def layers():
    return [keras.layers.Conv2D(3, 3, 2, activation="softplus"), keras.layers.BatchNormalization(),
            keras.layers.Flatten(), keras.layers.Dense(4, activation="softplus"), keras.layers.Dense(1)]  # fmt: skip


def trained(method, steps=2, optimizer=TorchAdam, **options):
    """`(weights before, after)` of the discriminator, by layer."""
    generator, _ = toys.image_networks()
    discriminator = keras.Sequential([keras.Input((8, 8, 1)), *layers()], name="discriminator")
    model = method(generator, discriminator, **options)
    model.compile(optimizer(1e-2), optimizer(1e-2), run_eagerly=True)
    before = [layer.get_weights() for layer in discriminator.layers]
    for _ in range(steps):
        model.train_step(IMAGES)
    return before, [layer.get_weights() for layer in discriminator.layers]


def equal(first, second):
    return [np.array_equal(one, other) for one, other in zip(first, second, strict=True)]


@pytest.mark.parametrize("optimizer", [TorchAdam, keras.optimizers.SGD, keras.optimizers.RMSprop])
def test_the_first_layers_are_held(optimizer):
    """The third with weights is the first dense one; of the batch norm the statistics move."""
    before, after = trained(FreezeDGAN, optimizer=optimizer, frozen_layers=3)
    conv, norm, _, dense, head = map(equal, before, after)
    assert conv == [True, True] and dense == [True, True]
    assert norm == [True, True, False, False]
    assert head == [False, False]


def test_one_step_moves_the_others_as_without():
    (_, held), (_, plain) = trained(FreezeDGAN, steps=1, frozen_layers=1), trained(GAN, steps=1)
    assert equal(held[0], plain[0]) == [False, False]
    for one, other in zip(held[1:], plain[1:], strict=True):
        assert all(equal(one, other))


def test_what_is_held_and_was_drawn_is_told():
    generator, _ = toys.image_networks()
    discriminator = keras.Sequential([keras.Input((8, 8, 1)), *layers()], name="discriminator")
    model = FreezeDGAN(generator, discriminator, frozen_layers=2)
    names = {part: list(named) for part, named in model.carried_over().items()}
    (line,) = model.missing(names)
    assert "FreezeDGAN holds" in line and "such as conv2d/kernel:" in line
    (line,) = model.missing({"generator": [], "discriminator": names["discriminator"][3:]})
    assert "such as batch_normalization/beta:" in line
    rest = [name for name in names["discriminator"] if "dense" in name or "moving" in name]
    assert len(rest) == 6 and model.missing({"generator": names["generator"], "discriminator": rest}) == ()


def test_without_held_layers_it_is_the_base():
    (_, held), (_, plain) = trained(FreezeDGAN, frozen_layers=0), trained(GAN)
    assert all(all(equal(one, other)) for one, other in zip(held, plain, strict=True))


def test_what_cannot_be_held_is_refused():
    with pytest.raises(
        ConfigError,
        match=r"frozen_layers is below 4, which is all layers with weights of discriminator. Received: 4",
    ):
        trained(FreezeDGAN, frozen_layers=4)
    with pytest.raises(ConfigError, match="decays weights"):
        trained(FreezeDGAN, optimizer=lambda rate: keras.optimizers.AdamW(rate), frozen_layers=1)
