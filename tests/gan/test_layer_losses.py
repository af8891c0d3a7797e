"""What networks cost by themselves: regularizers of weights are minimised, all else is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from keras import layers

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.fastgan import FastGAN

POINTS = np.array([[1.0], [-2.0], [0.5], [3.0]], "float32")


def networks(of_generator=None, of_discriminator=None):
    """`toys.scalar_networks`: G(z) = 2 z + 0.5 and D(x) = 3 x, with regularizers of the kernels 2 and 3."""
    pair = toys.scalar_networks()
    for network, regularizer in zip(pair, (of_generator, of_discriminator), strict=True):
        network.layers[0].kernel.regularizer = regularizer
    return pair


def updated(cls, regularizers=(), **options):
    """The logs of a step, and by how much it lowers both kernels with a rate of 1."""
    model = cls(*networks(*regularizers), **options)
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0))
    logs = model.train_on_batch(POINTS, return_dict=True)
    kernels = [network.layers[0].kernel.numpy().item() for network in (model.generator, model.discriminator)]
    return logs, 2.0 - kernels[0], 3.0 - kernels[1]


METHODS = [
    (GAN, {}),
    (FastGAN, {"adversarial_steps": 1, "perturbation_radius": 0.0}),
    (AdvAsGAN, {"advas_weight": 0.5}),
]


@pytest.mark.parametrize("cls, options", METHODS, ids=lambda value: getattr(value, "__name__", ""))
def test_regularizers_of_weights_by_hand(cls, options):
    plain, of_generator, of_discriminator = updated(cls, **options)
    assert not any("regularizers" in name for name in plain)
    # 0.01 w^2 is 0.04 and has the slope 0.04 at 2.
    logs, by_generator, by_discriminator = updated(cls, (keras.regularizers.L2(0.01), None), **options)
    assert logs["g/regularizers"] == pytest.approx(0.04) and "d/regularizers" not in logs
    assert by_generator - of_generator == pytest.approx(0.04, abs=1e-6)
    assert by_discriminator == of_discriminator
    # 0.2 |a| is 0.6 and has the slope 0.2 at 3.
    logs, _, by_discriminator = updated(cls, (None, keras.regularizers.L1(0.2)), **options)
    assert logs["d/regularizers"] == pytest.approx(0.6) and "g/regularizers" not in logs
    assert by_discriminator - of_discriminator == pytest.approx(0.2, abs=1e-6)


def test_regularizers_of_weights_that_do_not_train_cost_nothing():
    pair = networks(None, keras.regularizers.L2(0.1))
    pair[1].trainable = False
    model = GAN(*pair)
    model.compile("sgd", "sgd")
    assert "d/regularizers" not in model.train_on_batch(POINTS, return_dict=True)


class Adding(layers.Layer):
    def call(self, inputs):
        self.add_loss(tf.reduce_mean(inputs))
        return inputs


@pytest.mark.parametrize("place", ["generator", "discriminator"])
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_losses_that_calls_add_are_refused_before_anything_moves(place, run_eagerly):
    pair = dict(zip(("generator", "discriminator"), toys.scalar_networks(), strict=True))
    pair[place] = keras.Sequential([keras.Input((1,)), Adding(name="adding"), layers.Dense(1)], name=place)
    model = GAN(**pair)
    model.compile("adam", "adam", run_eagerly=run_eagerly)
    before = toys.values(model)
    with pytest.raises(ConfigError, match=f"^adding of {place} adds a loss in its call") as error:
        model.fit(POINTS, batch_size=4, verbose=0)
    assert "\n" not in str(error.value)
    weights = {name: value for name, value in toys.values(model).items() if name != "model/0000"}
    toys.assert_same(weights, {name: before[name] for name in weights})


def test_regularized_activities_are_refused_where_the_model_is_built():
    pair = toys.scalar_networks()
    pair[1].layers[0].activity_regularizer = keras.regularizers.L2(0.1)
    with pytest.raises(ConfigError, match="of discriminator has an activity_regularizer: .*weights"):
        GAN(*pair)
