"""`to_octave` on our networks and on a user's."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.methods.octave.convert import octave_of, on_each_map, to_octave
from tfgans.methods.octave.soft import SoftOctaveConv2D, soft_layers
from tfgans.networks.autogan import autogan_generator
from tfgans.networks.dcgan import dcgan_discriminator, dcgan_generator
from tfgans.networks.resnet import resnet_discriminator, resnet_generator

SMALL = {"resolution": 32, "base_channels": 8}
NETWORKS = {
    "dcgan_generator": lambda: dcgan_generator(latent_dim=8, **SMALL),
    "dcgan_generator_classes": lambda: dcgan_generator(latent_dim=8, num_classes=3, **SMALL),
    "dcgan_discriminator": lambda: dcgan_discriminator(**SMALL),
    "dcgan_discriminator_spectral": lambda: dcgan_discriminator(spectral_normalization=True, **SMALL),
    "resnet_generator": lambda: resnet_generator(latent_dim=8, **SMALL),
    "resnet_generator_classes": lambda: resnet_generator(
        latent_dim=8, num_classes=3, upsampling="bilinear", **SMALL
    ),
    "resnet_discriminator": lambda: resnet_discriminator(num_classes=3, **SMALL),
    "autogan_generator": lambda: autogan_generator(latent_dim=8, **SMALL),
}
# convolutions that give or take pairs
LAYERS = {
    "dcgan_generator": 3,
    "dcgan_generator_classes": 3,
    "dcgan_discriminator": 3,
    "dcgan_discriminator_spectral": 3,
    "resnet_generator": 10,
    "resnet_generator_classes": 10,
    "resnet_discriminator": 10,
    "autogan_generator": 12,
}
made = functools.cache(lambda name: NETWORKS[name]())  # which nothing changes
all_networks = pytest.mark.parametrize("name", NETWORKS)


def inputs_of(network):
    random = np.random.default_rng(0)
    return [
        tf.constant([1, 2])
        if x.dtype == "int32"
        else tf.constant(random.normal(size=(2, *x.shape[1:])), "float32")
        for x in network.inputs
    ]


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@all_networks
def test_swapped_network_fits_in_its_place(name, tmp_path):
    network = made(name)
    octave = to_octave(network, 0.5)
    assert octave.name == network.name
    assert len(soft_layers(octave)) == LAYERS[name]
    assert [x.name for x in octave.inputs] == [x.name for x in network.inputs]
    inputs = inputs_of(network)
    before, after = network(inputs), octave(inputs)
    tf.nest.assert_same_structure(before, after)
    for old, new in zip(tf.nest.flatten(before), tf.nest.flatten(after), strict=True):
        assert old.shape == new.shape
        assert np.any(np.abs(old - new) > 1e-6)
    assert trainable(octave) == trainable(network)
    assert 0.42 < cost.macs(octave) / cost.macs(network) < 0.62
    octave.save(tmp_path / "octave.keras")
    loaded = keras.saving.load_model(tmp_path / "octave.keras")
    for old, new in zip(tf.nest.flatten(after), tf.nest.flatten(loaded(inputs)), strict=True):
        np.testing.assert_array_equal(old, new)
    copy = keras.models.clone_model(octave)
    assert [v.shape for v in copy.variables] == [v.shape for v in octave.variables]


@all_networks
def test_without_low_channels_it_is_the_network_itself(name):
    network = made(name)
    plain = to_octave(network, 0.0)
    assert not soft_layers(plain)
    inputs = inputs_of(network)
    for old, new in zip(tf.nest.flatten(network(inputs)), tf.nest.flatten(plain(inputs)), strict=True):
        np.testing.assert_array_equal(old, new)
    plain.trainable_variables[0].assign_add(tf.ones_like(plain.trainable_variables[0].value))
    assert np.any(plain.trainable_variables[0] != network.trainable_variables[0])  # a copy


def test_up_samplings_that_are_taken_apart_are_made_once():
    """With an alpha that leaves no channel low each convolution is a plain one, of a map that was enlarged before."""
    network = made("autogan_generator")
    plain, inputs = to_octave(network, 0.01), inputs_of(network)
    assert not soft_layers(plain)
    assert not any(getattr(layer, "upsampling", 1) > 1 for layer in plain.layers)
    np.testing.assert_allclose(plain(inputs), network(inputs), atol=1e-5)


def test_gradients_reach_every_weight():
    network = to_octave(made("resnet_discriminator"), 0.5)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(network(inputs_of(network), training=True)["adversarial"])
    for variable, gradient in zip(
        network.trainable_variables, tape.gradient(value, network.trainable_variables), strict=True
    ):
        assert np.any(gradient), variable.path


def users_network():
    """A skip connection, a layer met twice, a convolution to_octave leaves alone, and a constant factor."""
    images = keras.Input((16, 16, 3), name="images")
    shared = keras.layers.Conv2D(8, 3, padding="same", name="shared")
    x = keras.layers.Conv2D(8, 3, padding="same", name="first")(images)
    y = shared(keras.layers.Activation("tanh")(x))
    y = shared(keras.layers.BatchNormalization()(y))
    x = keras.layers.Add()([x, y])
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Conv2D(8, 3, padding="valid", name="valid")(0.5 * x)
    return keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(x)))


def test_users_network():
    network = users_network()
    octave = to_octave(network, 0.25)
    layers = {layer.name: layer for layer in octave.layers}
    assert isinstance(layers["first"], SoftOctaveConv2D)
    assert isinstance(layers["shared"], SoftOctaveConv2D)
    assert [part.shape[-1] for part in layers["first"].output] == [6, 2]
    assert type(layers["valid"]) is keras.layers.Conv2D  # it takes the maps as one tensor
    assert layers["valid"].input.shape == (None, 8, 8, 8)
    assert octave(np.zeros((1, 16, 16, 3))).shape == (1, 2)
    assert sum(layer.name == "shared" for layer in octave.layers) == 1


def test_weights_go_to_the_parts_they_belong_to():
    network = users_network()
    norm = next(layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization))
    norm.gamma.assign(np.arange(8.0))
    octave = to_octave(network, 0.25)
    layers = {layer.name: layer for layer in octave.layers}
    np.testing.assert_array_equal(layers[f"{norm.name}_high"].gamma, np.arange(6.0))
    np.testing.assert_array_equal(layers[f"{norm.name}_low"].gamma, [6.0, 7.0])
    np.testing.assert_array_equal(layers["first"].kernel, network.get_layer("first").kernel)


def test_layer_of_ones_own_can_be_registered():
    class Twice(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    def network():
        images = keras.Input((8, 8, 3))
        convolution = lambda: keras.layers.Conv2D(4, 3, padding="same")  # noqa: E731
        return keras.Model(images, convolution()(Twice()(convolution()(images))))

    assert not soft_layers(to_octave(network()))  # what reaches no convolution as a pair stays whole
    octave_of.register(Twice, on_each_map)
    assert len(soft_layers(to_octave(network()))) == 2


def test_what_cannot_be_swapped_is_refused():
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ConfigError, match="functional"):
        to_octave(Subclassed())
    with pytest.raises(ConfigError, match="alpha"):
        to_octave(users_network(), 1.0)
