"""Copies of networks: what is frozen in them, and what cannot be copied."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.keras_files import save_network
from tfgans.layers.copies import clone
from tfgans.methods.octave.convert import to_octave
from tfgans.methods.regan.model import ReGAN


class Pair(keras.layers.Layer):
    """A norm and two dense layers, which `get_config` says nothing of."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = keras.layers.BatchNormalization()
        self.first, self.second = keras.layers.Dense(5), keras.layers.Dense(3)

    def build(self, shape):
        self.norm.build(shape)
        self.first.build(shape)
        self.second.build((*shape[:-1], 5))

    def call(self, inputs, training=False):
        return self.second(self.first(self.norm(inputs, training=training)))


def network():
    """A generator of points whose first dense layer in a layer, norm and one bias are frozen."""
    latents, pair = keras.Input((2,)), Pair()
    model = keras.Model(latents, keras.layers.Dense(1)(pair(latents)), name="points")
    pair.norm.trainable = pair.first.trainable = pair.second.bias.trainable = False
    return model


def test_what_is_frozen_is_frozen_in_a_copy():
    model = network()
    copy = clone(model, "no copy")
    assert [v.shape for v in copy.trainable_variables] == [(5, 3), (3, 1), (1,)]  # by hand
    assert [v.trainable for v in copy.variables] == [v.trainable for v in model.variables]
    for old, new in zip(model.weights, copy.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    latents = np.random.default_rng(0).normal(3.0, 2.0, (8, 2)).astype("float32")
    # by the moving statistics, as a frozen norm does
    np.testing.assert_array_equal(copy(latents, training=True), model(latents, training=True))


def test_masks_of_the_average_are_of_the_weights_that_train():
    """The average of a generator with frozen weights loses the masked entries, and no others."""
    discriminator = toys.scalar_networks()[1]
    options = dict(sparsity=0.5, warm_up_length=0, sparse_length=9, ema_decay=0.9, ema_start=9)
    model = ReGAN(network(), discriminator, **options)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    whole = [np.array(v) for v in model.generator.variables]
    model.fit(np.zeros((4, 1), "float32"), batch_size=4, verbose=0)
    pruned = [np.array(v) for v in model.generator.variables]
    assert sum(np.any(a != b) for a, b in zip(whole, pruned, strict=True)) == 2  # both kernels that train
    for generator, average in zip(pruned, model.ema_generator.variables, strict=True):
        np.testing.assert_array_equal(average, generator)


def test_a_layer_that_nested_models_share_stays_one_in_a_copy_and_is_not_written(tmp_path):
    """Six weights by hand: of the shared layer, of the first model's own, of the last. Keras opens no such file."""
    shared = keras.layers.Dense(2, name="shared")
    one = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), shared], name="one")
    other = keras.Sequential([keras.Input((2,)), shared], name="other")
    latents = keras.Input((2,))
    network = keras.Model(latents, keras.layers.Dense(1)(other(one(latents))), name="points")
    model = GAN(network, toys.scalar_networks()[1], ema_decay=0.9)
    for weights in (model.generator.weights, model.ema_generator.weights):
        assert len(weights) == 6
        for index, weight in enumerate(weights):
            weight.assign(np.full(weight.shape, 1.0 + index))
    given = np.array([[1.0, -2.0]], "float32")
    np.testing.assert_array_equal(model.ema_generator(given), model.generator(given))
    with pytest.raises(
        ConfigError, match="^points cannot be written to .*: one and other share shared, and Keras"
    ):
        model.save_generator(tmp_path / "generator.keras")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_copied_is_refused():
    """Here what the configuration leaves out is an argument of the layer."""

    class Of(keras.layers.Layer):
        def __init__(self, units):
            super().__init__()
            self.dense = keras.layers.Dense(units)

        def build(self, shape):
            self.dense.build(shape)

        def call(self, inputs):
            return self.dense(inputs)

        def get_config(self):
            return {"units": self.dense.units + 1}

    latents = keras.Input((2,))
    network = keras.Model(latents, Of(1)(latents), name="points")
    with pytest.raises(ConfigError, match="^points cannot be copied: Keras's copy has other weights"):
        GAN(network, toys.scalar_networks()[1], ema_decay=0.9)


class Scaled(keras.layers.Layer):
    """Multiplies by a number of which its configuration says nothing, in training or always."""

    def __init__(self, factor=0.2, always=True, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.always = factor, always

    def call(self, inputs, training=False):
        return self.factor * inputs if training or self.always else inputs

    def get_config(self):
        return super().get_config()


class ScaledModel(keras.Model):
    """The same as a model without a configuration of its own, for which Keras takes the defaults."""

    def __init__(self, factor=0.2, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.dense = factor, keras.layers.Dense(1)

    def call(self, inputs, training=False):
        return self.factor * self.dense(inputs)


class Noisy(keras.layers.Layer):
    """Adds noise, of a seed of its own or of none."""

    def __init__(self, seeded=True, **kwargs):
        super().__init__(**kwargs)
        self.seed = keras.random.SeedGenerator(1) if seeded else None

    def call(self, inputs):
        noise = keras.random.normal((2, 3), seed=self.seed) if self.seed else tf.random.normal((2, 3))
        return inputs + noise


def around(layer):
    latents = keras.Input((2,))
    hidden = layer(keras.layers.Dense(3, kernel_initializer="ones")(latents))
    return keras.Model(latents, keras.layers.Dense(1, kernel_initializer="ones")(hidden), name="points")


@pytest.mark.parametrize("layer", [Scaled(1.0), Scaled(1.0, always=False)], ids=["always", "training"])
def test_a_copy_that_computes_something_else_is_refused(layer, tmp_path):
    """A factor of 0.2 in place of 1: in the average, in a file, in octave networks."""
    told = "Keras's copy computes something else: give Scaled a get_config with all that __init__ takes$"
    with pytest.raises(ConfigError, match=f"^points cannot be copied: {told}"):
        GAN(around(layer), toys.scalar_networks()[1], ema_decay=0.9)
    with pytest.raises(ConfigError, match=f"^points cannot be written to .*: {told}"):
        GAN(around(layer), toys.scalar_networks()[1]).save_generator(tmp_path / "generator.keras")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=f"^to_octave cannot copy points: {told}"):
        to_octave(around(layer))


def test_a_model_whose_arguments_keras_forgets_is_refused():
    with pytest.raises(ConfigError, match="computes something else: give ScaledModel a get_config"):
        GAN(ScaledModel(1.0), toys.scalar_networks()[1], latent_dim=2, ema_decay=0.9)


@pytest.mark.parametrize(
    "layer", [Scaled(0.2), Noisy(), Noisy(seeded=False)], ids=["default", "seed", "none"]
)
def test_layers_of_a_users_own_that_are_as_their_copies_are_not_refused(layer, tmp_path):
    """Also what draws other numbers at every call. Nothing is moved by the look at it."""
    network = around(layer)
    before = [np.array(v) for v in network.variables]
    model = GAN(network, toys.scalar_networks()[1], ema_decay=0.9)
    model.save_generator(tmp_path / "generator.keras")
    for old, new in zip(before, network.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    for mine, copied in zip(network.weights, model.ema_generator.weights, strict=True):
        np.testing.assert_array_equal(mine, copied)


def test_a_layer_of_a_users_own_within_a_nested_model_is_copied():
    """One that Keras can look up nowhere, as it is a class within a function."""

    class Own(keras.layers.Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, inputs):
            return self.factor * inputs

        def get_config(self):
            return super().get_config() | {"factor": self.factor}

    inner = keras.Sequential([keras.Input((2,)), Own(3.0), keras.layers.Dense(2)])
    latents = keras.Input((2,))
    network = keras.Model(latents, keras.layers.Dense(1)(inner(latents)), name="points")
    given = np.array([[1.0, -2.0]], "float32")
    np.testing.assert_array_equal(clone(network, "no copy")(given), network(given))


class Conditional(keras.Model):
    """Takes labels, which Keras, which builds models by numbers alone, cannot build it with."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.classes, self.dense = keras.layers.Embedding(3, 2), keras.layers.Dense(1)

    def call(self, inputs):
        latents, labels = inputs
        return self.dense(latents + tf.gather(self.classes(tf.range(3)), labels))


class BuiltConditional(Conditional):
    def build_from_config(self, config):
        self([keras.KerasTensor((2, 2)), keras.KerasTensor((2,), "int32")])


def test_models_of_ones_own_that_take_labels_have_an_average(tmp_path):
    """Three weights: the classes', and the dense layer's two. Keras opens a file of it with fewer, without a word."""
    networks = [cls(name="points") for cls in (Conditional, BuiltConditional)]
    discriminator = toys.scalar_networks()[1]
    for network in networks:
        options = dict(latent_dim=2, num_classes=3, ema_decay=0.9)
        model = GAN(network, keras.models.clone_model(discriminator), **options)
        given = [np.array([[1.0, -2.0]] * 3, "float32"), np.arange(3)]
        assert len(model.ema_generator.weights) == 3
        np.testing.assert_array_equal(model.ema_generator(given), network(given))
    path = tmp_path / "generator.keras"
    with pytest.raises(ConfigError, match="with other weights: .*, or Conditional a build_from_config that"):
        save_network(networks[0], path)
    save_network(networks[1], path)
    opened = keras.models.load_model(path, custom_objects={"BuiltConditional": BuiltConditional})
    np.testing.assert_array_equal(opened(given), networks[1](given))


def tripled(x):
    return 3.0 * x


def relu(x):
    return tripled(x)


def maps(activation):
    return keras.Sequential(
        [keras.Input((2, 2, 2)), keras.layers.Conv2D(4, 1, activation=activation), keras.layers.Conv2D(1, 1)],
        name="maps",
    )


@pytest.mark.parametrize("function", [tripled, tf.math.square])
def test_functions_with_names_are_copied(function):
    network, image = maps(function), np.random.default_rng(0).normal(size=(1, 2, 2, 2)).astype("float32")
    np.testing.assert_array_equal(clone(network, "no copy")(image), network(image))
    functional = keras.Model(network.inputs, keras.layers.Lambda(function)(network.outputs[0]))
    np.testing.assert_array_equal(clone(functional, "no copy")(image), function(network(image)))
    np.testing.assert_array_equal(to_octave(functional, 0.0)(image), function(network(image)))


def test_a_lambda_is_refused_by_name():
    network = maps(lambda x: 2.0 * x)
    advice = f"write a function with a name in place of the lambda in {network.layers[0].name}$"
    with pytest.raises(ConfigError, match=f"^no copy: {advice}"):
        clone(network, "no copy")
    with pytest.raises(ConfigError, match=advice):
        to_octave(keras.Model(network.inputs, network.outputs))


def test_two_functions_of_one_name_are_refused():
    def tripled(x):
        return 3.5 * x

    network = maps(tripled)
    network.add(keras.layers.Activation(globals()["tripled"]))
    with pytest.raises(
        ConfigError, match="^maps has two functions of the name tripled, one of them in activation"
    ):
        clone(network, "no copy")


def test_an_activation_that_keras_takes_for_its_own_is_refused(tmp_path):
    """Keras copies it as `keras.activations.relu`: 0 in place of -3."""
    network = maps(relu)
    told = (
        f"Keras takes the activation relu of {network.layers[0].name} for its own relu: give it another name$"
    )
    with pytest.raises(ConfigError, match=f"^no copy: {told}"):
        clone(network, "no copy")
    with pytest.raises(ConfigError, match=f"^to_octave cannot copy .*: {told}"):
        to_octave(keras.Model(network.inputs, network.outputs))
    with pytest.raises(ConfigError, match=f"^maps cannot be written to .*: {told}"):
        save_network(network, tmp_path / "maps.keras")
    assert not list(tmp_path.iterdir())
    assert clone(maps(keras.activations.relu), "no copy").layers[0].activation is keras.activations.relu
