"""`to_octave` on our networks and on a user's."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.layers.spectral import SpectralConv2D
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
    for alpha in (1.0, "0.5", None):
        with pytest.raises(ConfigError, match=r"^to_octave: alpha is a number in \[0, 1\). Received: "):
            to_octave(users_network(), alpha)

    class Otherwise(keras.Model):
        def call(self, inputs, training=False):
            return 2.0 * super().call(inputs, training=training)

    image = keras.Input((4, 4, 2))
    with pytest.raises(ConfigError, match="without a call of its own. Received: Otherwise"):
        to_octave(Otherwise(image, of_one_pixel(2)(image)), 0.0)


# Octave convolutions of maps that are constant over each image are plain ones where kernels have one pixel: means and
# repetitions leave such maps alone. So what `to_octave` gives must be the network itself, whatever channels are low.


def of_one_pixel(filters, **options):
    return keras.layers.Conv2D(filters, 1, padding="same", **options)


def joined_channels(images):
    """Concatenations of maps, normalized, summed with others, flattened."""
    a = of_one_pixel(8)(images)
    b = of_one_pixel(6)(a)
    x = keras.layers.BatchNormalization()(keras.layers.Concatenate()([a, b]))
    x = keras.layers.Add()([x, of_one_pixel(14)(x)])
    x = keras.layers.Concatenate()([x, b])
    return [of_one_pixel(4)(x), keras.layers.Flatten()(x)]


def joined_spectral_channels(images):
    a = SpectralConv2D(8, 1, padding="same")(images)
    b = SpectralConv2D(8, 1, padding="same")(a)
    return SpectralConv2D(4, 1, padding="same")(keras.layers.Concatenate()([a, b]))


def called_with_other_maps(images):
    """A convolution that takes one tensor, and a pair; another of maps of an odd side; an activation of both."""
    shared, act = of_one_pixel(3), keras.layers.ReLU()
    x = act(shared(act(shared(images))))
    y = keras.layers.Cropping2D(((1, 0), (1, 0)))(x)
    return [of_one_pixel(4)(part) for part in (x, shared(y))]


def odd_strides(images):
    """Of 12 rows a stride of 2 leaves 6, and that of 6 leaves 3, of which the last leaves 2."""
    for filters in (8, 8, 8):
        images = of_one_pixel(filters, strides=2)(images)
    return of_one_pixel(4)(of_one_pixel(4)(images))


def odd_pools(images):
    x = keras.layers.MaxPooling2D(2, strides=3)(of_one_pixel(8)(images))
    x = keras.layers.AveragePooling2D((1, 4), padding="same")(of_one_pixel(4)(x))
    whole = keras.layers.AveragePooling2D(12)(of_one_pixel(4)(images))  # the low maps are smaller than that
    return [of_one_pixel(4)(x), of_one_pixel(4)(whole)]


def across_channels(images):
    x = of_one_pixel(8, activation="softmax")(images)
    x = keras.layers.Activation("log_softmax")(of_one_pixel(8)(x))
    return of_one_pixel(4)(keras.layers.BatchNormalization(axis=1)(of_one_pixel(8)(x)))


class Doubled(keras.layers.Conv2D):
    """A convolution of a user's own."""

    def call(self, inputs):
        return 2 * super().call(inputs)


def of_ones_own(images):
    return of_one_pixel(4)(Doubled(8, 1, padding="same")(of_one_pixel(8)(images)))


def in_double_precision(images):
    with_policy = functools.partial(of_one_pixel, dtype="float64")
    x = with_policy(8)(images)
    return [with_policy(4)(x), keras.layers.Flatten(dtype="float64")(x)]


@pytest.mark.parametrize(
    "make, octave_layers",
    [
        (joined_channels, 3),
        (joined_spectral_channels, 3),
        (called_with_other_maps, 0),
        (odd_strides, 3),
        (odd_pools, 3),
        (across_channels, 0),
        (of_ones_own, 0),
        (in_double_precision, 2),
    ],
)
def test_of_constant_maps_it_is_the_network_itself(make, octave_layers, tmp_path):
    dtype = "float64" if make is in_double_precision else "float32"
    random, images = np.random.default_rng(0), keras.Input((12, 12, 3), dtype=dtype)
    network = keras.Model(images, make(images))
    for weight in network.weights:
        weight.assign(random.uniform(0.2, 1.0, weight.shape))
    octave = to_octave(network, 0.5)
    assert len(soft_layers(octave)) == octave_layers
    assert trainable(octave) == trainable(network)
    colours = np.tile(random.normal(size=(2, 1, 1, 3)), (1, 12, 12, 1)).astype(dtype)
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    found = tf.nest.flatten(octave(colours))
    for old, new in zip(tf.nest.flatten(network(colours)), found, strict=True):
        np.testing.assert_allclose(new, old, rtol=tolerance, atol=tolerance)
    octave.save(tmp_path / "octave.keras")
    loaded = keras.models.load_model(tmp_path / "octave.keras", custom_objects={"Doubled": Doubled})
    for old, new in zip(found, tf.nest.flatten(loaded(colours)), strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_transposed_convolution_to_odd_rows_gives_one_tensor():
    x = keras.layers.Conv2DTranspose(8, 3, 2, padding="same", output_padding=0)(
        maps := keras.Input((8, 8, 4))
    )
    network = keras.Model(maps, of_one_pixel(4)(x))
    octave, given = to_octave(network, 0.5), np.random.default_rng(0).normal(size=(1, 8, 8, 4))
    assert octave.output_shape == (None, 15, 15, 4)
    np.testing.assert_array_equal(octave(given), network(given))


def test_what_cannot_be_copied_is_refused_in_one_line():
    class Unsaid(keras.layers.Layer):
        def __init__(self, factor):
            super().__init__(name="unsaid")
            self.factor = factor

        def call(self, inputs):
            return self.factor * inputs

    def network(layers, size=8):
        x = images = keras.Input((size, size, 4))
        for layer in layers:
            x = layer(x)
        return keras.Model(images, x, name="mine")

    shared = of_one_pixel(4, name="shared")
    nested = keras.Sequential([keras.Input((8, 8, 4)), shared], name="nested")
    for layers, size, message in (
        ([of_one_pixel(4), Unsaid(2.0)], 8, "^to_octave cannot copy unsaid: give it a get_config$"),
        ([nested, shared], 8, "^to_octave cannot copy mine: nested and shared share shared$"),
        (
            [of_one_pixel(4, name="first")],
            None,
            "^to_octave: first takes maps whose rows and columns are not known",
        ),
    ):
        with pytest.raises(ConfigError, match=message):
            to_octave(network(layers, size))
