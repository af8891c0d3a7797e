"""StyleGAN2's networks: parameters and products, sizes, precisions, as networks of a GAN, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_stylegan2 import LATENTS, RANDOM, SMALL, SMALL_G, parts

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan import GAN, takes_labels
from tfgans.gan.average import clone
from tfgans.layers.state import depends_on_batch, mixes_samples
from tfgans.networks.stylegan2 import map_widths, stylegan2_discriminator, stylegan2_generator
from tfgans.networks.stylegan2_parts import StyleMapping

CIFAR, TINY = {"resolution": 32, "base_channels": 128}, {"resolution": 64, "base_channels": 128}

# (arguments, parameters): regan.md 3.3 and alphagan.md 5.5
GENERATORS = [
    ({"resolution": 32}, 21_523_475),
    ({"resolution": 64}, 27_032_600),
    ({"resolution": 128}, 29_328_669),
    ({"resolution": 256}, 30_034_338),
    ({"resolution": 1024}, 30_370_060),
    ({"resolution": 64, "channel_multiplier": 1}, 23_819_544),
    ({"resolution": 1024, "channel_multiplier": 1}, 24_900_764),
    (CIFAR, 13_506_963),
    (TINY, 19_016_088),
    ({"resolution": 32, "mapping_layers": 2}, 19_947_539),
    ({"resolution": 256, "mapping_layers": 2, "channel_multiplier": 1}, 23_191_522),
    ({"resolution": 256, "mapping_layers": 2}, 28_458_402),
    ({"resolution": 256, "kernel_size": 5}, 52_316_578),
    ({"resolution": 128, "kernel_size": 1}, 18_318_621),
    ({"resolution": 1024, "kernel_size": (1, 3, 5, 1, 3, 5, 5, 3, 3)}, 31_680_780),
]
DISCRIMINATORS = [
    ({"resolution": 32}, 21_507_073),
    ({"resolution": 64}, 26_488_833),
    ({"resolution": 128}, 28_389_121),
    ({"resolution": 256}, 28_864_129),
    ({"resolution": 1024}, 29_012_513),
    ({"resolution": 64, "channel_multiplier": 1}, 23_407_361),
    ({"resolution": 1024, "channel_multiplier": 1}, 24_038_161),
    (CIFAR, 13_918_849),
    (TINY, 18_900_609),
    ({"resolution": 32, "residual": False, "minibatch_group": 32}, 20_720_641),
]


@pytest.fixture
def without_drawing(monkeypatch):
    """Large networks are built in no time where their kernels are not drawn."""
    zeros = lambda self, shape, dtype=None: tf.zeros(shape, dtype or "float32")  # noqa: E731
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)


@pytest.mark.parametrize(("arguments", "parameters"), GENERATORS)
def test_generator_parameters(arguments, parameters, without_drawing):
    assert cost.parameters(stylegan2_generator(**arguments)) == parameters


@pytest.mark.parametrize(("arguments", "parameters"), DISCRIMINATORS)
def test_discriminator_parameters(arguments, parameters, without_drawing):
    assert cost.parameters(stylegan2_discriminator(**arguments)) == parameters


@pytest.mark.parametrize(
    ("arguments", "published", "discriminator"),
    [(CIFAR, 1.2506e9, 0.7051e9), (TINY, 5.1794e9, 2.8873e9), ({"resolution": 256}, 83.74e9, 46.53e9)],
)
def test_products(arguments, published, discriminator, without_drawing):
    """The published table counts an up-convolution on its output's grid, four times the products there are."""
    layers = cost.layer_costs(stylegan2_generator(**arguments))
    up = sum(layer.macs for layer in layers if "/up" in layer.name and layer.name.endswith("/convolution"))
    assert sum(layer.macs for layer in layers) + 3 * up == pytest.approx(published, rel=6e-5)
    assert cost.macs(stylegan2_discriminator(**arguments)) == pytest.approx(discriminator, rel=8e-5)


def test_products_on_the_input_grid_exactly(without_drawing):
    assert cost.macs(stylegan2_generator(**CIFAR)) == 684_384_256
    assert cost.macs(stylegan2_discriminator(**CIFAR)) == 705_110_528


def test_widths():
    assert map_widths("", 1024, 2, 512, None) == (512, 512, 512, 512, 512, 256, 128, 64, 32)
    assert map_widths("", 64, 1, 128, None) == (128,) * 5
    assert map_widths("", 32, 2, 512, 128) == (512, 512, 256, 128)
    assert map_widths("", 64, 2, 512, 128) == (512, 512, 512, 256, 128)
    assert map_widths("", 4, 0.001, 512, None) == (4,) and map_widths("", 1024, 0.01, 512, None)[-1] == 1


# Both networks in the house


@pytest.mark.parametrize("resolution", [4, 8, 16, 64])
def test_any_power_of_two_builds(resolution):
    generator = stylegan2_generator(**SMALL_G | {"resolution": resolution, "channels": 1})
    discriminator = stylegan2_discriminator(resolution, channels=1, **SMALL)
    images = generator(LATENTS)
    assert images.shape == (4, resolution, resolution, 1)
    assert discriminator(images)["adversarial"].shape == (4, 1)


def test_initial_images_and_logits_have_the_scale_of_one():
    generator = stylegan2_generator(32, max_channels=64, latent_dim=64, style_dim=64)
    images = generator(RANDOM.normal(size=(8, 64)).astype("float32"))
    assert 0.3 < np.std(images) < 6.0
    discriminator = stylegan2_discriminator(32, max_channels=64)
    assert 0.1 < np.sqrt(np.mean(np.square(discriminator(images)["adversarial"]))) < 10.0


def test_clone_save_and_what_the_networks_say_of_themselves(tmp_path):
    generator, mapping, _ = parts()
    generator(LATENTS, training=True)
    discriminator = stylegan2_discriminator(8, **SMALL)
    for network, inputs in ((generator, LATENTS), (discriminator, generator(LATENTS))):
        copy = clone(network)
        network.save(tmp_path / "network.keras")
        loaded = keras.saving.load_model(tmp_path / "network.keras")
        assert not {id(v) for v in copy.variables} & {id(v) for v in network.variables}
        assert copy.name == loaded.name == network.name
        for other in (copy, loaded):
            for mine, theirs in zip(
                tf.nest.flatten(network(inputs)), tf.nest.flatten(other(inputs)), strict=True
            ):
                np.testing.assert_array_equal(mine, theirs)
        assert not takes_labels(network, None) and not takes_labels(copy, 10)
    loaded = clone(generator).get_layer("mapping")
    np.testing.assert_array_equal(loaded.mean_w, mapping.mean_w)
    assert np.any(loaded.mean_w)
    assert depends_on_batch(generator) and not mixes_samples(generator)
    assert depends_on_batch(discriminator) and mixes_samples(discriminator)


def test_every_weight_learns():
    generator, _, synthesis = parts()
    discriminator = stylegan2_discriminator(8, **SMALL)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(discriminator(generator(LATENTS, training=True))["adversarial"]))
    variables = generator.trainable_variables + discriminator.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert float(tf.norm(gradient)) > 1e-9, variable.path


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_other_precisions(policy):
    exact, _, _ = parts(resolution=16)
    critic = stylegan2_discriminator(16, **SMALL)
    keras.config.set_dtype_policy(policy)
    other, _, synthesis = parts(resolution=16)
    other.set_weights(exact.get_weights())
    other_critic = stylegan2_discriminator(16, **SMALL)
    other_critic.set_weights(critic.get_weights())
    wide = "float64" if policy == "float64" else "float32"
    compute = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}.get(policy, "float64")
    assert synthesis.compute_dtype == compute and other.get_layer("mapping").compute_dtype == wide
    images = exact(LATENTS)
    found, logits = other(LATENTS), other_critic(images)["adversarial"]
    assert found.dtype == logits.dtype == wide
    tolerance = {"bfloat16": 0.05, "float16": 0.01, "float64": 1e-5}[compute]
    for value, expected in ((found, images), (logits, critic(images)["adversarial"])):
        assert np.abs(np.subtract(value, expected, dtype="float64")).max() < tolerance * max(
            1.0, np.abs(expected).max()
        )


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_as_networks_of_a_gan(tmp_path, jit_compile):
    generator, mapping, _ = parts()
    gan = GAN(generator, stylegan2_discriminator(8, **SMALL), ema_decay=0.5)
    assert (
        gan.latent_dim == 6 and not gan.joint_batch
    )  # the deviation of a batch is that of reals, or of fakes
    gan.compile(keras.optimizers.Adam(0.01, beta_1=0.0), keras.optimizers.Adam(0.01), jit_compile=jit_compile)
    before = [w.numpy() for w in generator.trainable_variables]
    logs = gan.train_step({"images": tf.constant(RANDOM.normal(size=(1, 4, 8, 8, 3)), tf.float32)})
    assert all(np.isfinite(value) for value in logs.values())
    assert all(np.any(old != new) for old, new in zip(before, generator.trainable_variables, strict=True))
    assert np.any(mapping.mean_w)
    if jit_compile:
        return  # what follows is not compiled by XLA
    averaged = gan.ema_generator.get_layer(
        "mapping"
    ).mean_w  # as weights: 0.1 of the 0 it was, 0.9 of the new one
    np.testing.assert_allclose(averaged, 0.9 * mapping.mean_w, rtol=1e-5)
    images = gan.generate(3, seed=1)
    assert images.shape == (3, 8, 8, 3) and images.dtype == np.uint8
    gan.export(tmp_path / "export")
    latents = tf.constant(gan.latents_at(0, 3, seed=1))
    exported = tf.saved_model.load(tmp_path / "export")
    np.testing.assert_allclose(exported.serve(latents).numpy().astype(int), images.astype(int), atol=1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: stylegan2_generator(48),
            "stylegan2_generator: resolution is a power of two of at least 4. Received: 48",
        ),
        (lambda: stylegan2_generator(2), "Received: 2"),
        (lambda: stylegan2_discriminator(12), "stylegan2_discriminator: resolution is a power of two"),
        (lambda: stylegan2_generator(8, mapping_layers=0), "mapping_layers is an integer of at least 1"),
        (
            lambda: stylegan2_generator(8, channel_multiplier=0),
            "channel_multiplier is a number above 0. Received: 0",
        ),
        (lambda: stylegan2_generator(8, base_channels=0), "base_channels is an integer of at least 1"),
        (lambda: stylegan2_generator(8, kernel_size=4), "kernel_size is odd. Received: 4"),
        (
            lambda: stylegan2_generator(8, kernel_size=(3, 3, 3)),
            "kernel_size is one number, or 2. Received: (3, 3, 3)",
        ),
        (lambda: stylegan2_generator(8, style_layers=(8, 8)), "style_layers has 4 entries. Received: (8, 8)"),
        (lambda: stylegan2_generator(8, style_layers=(1, 9, 1, 1)), "numbers from 1 to 8. Received: 9"),
        (lambda: stylegan2_generator(8, mean_decay=1.0), "mean_decay is a number in [0, 1). Received: 1.0"),
        (
            lambda: stylegan2_discriminator(8, minibatch_group=0),
            "minibatch_group is an integer of at least 1 or None. Received: 0",
        ),
        (lambda: StyleMapping(4, 2, (0,)), "numbers from 1 to 2. Received: 0"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ConfigError) as refusal:
        make()
    assert words in str(refusal.value)
