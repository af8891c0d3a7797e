import keras
import numpy as np
import pytest
import tensorflow as tf
from stylegan2_weights import channels_last, golden_discriminator, golden_generator, golden_noise

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan import GAN, takes_labels
from tfgans.gan.average import clone
from tfgans.layers.state import depends_on_batch, frozen_state, mixes_samples
from tfgans.networks.stylegan2 import map_widths, stylegan2_discriminator, stylegan2_generator
from tfgans.networks.stylegan2_parts import StyleMapping, mix_styles

SMALL = {"base_channels": 4, "max_channels": 8}
SMALL_G = SMALL | {"resolution": 8, "latent_dim": 6, "style_dim": 5, "mapping_layers": 2}
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


# Golden values of the authors' code: 8x8 images, maps of 8 and 6 channels, two mapping layers


def golden_parts(arrays):
    generator = golden_generator(arrays)
    return generator.get_layer("mapping"), generator.get_layer("synthesis"), golden_noise(arrays)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_images_and_logits_against_golden(golden, jit_compile):
    arrays = golden("regan_d_pl_r1")
    mapping, synthesis, noise = golden_parts(arrays)
    discriminator = golden_discriminator(arrays)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def run(latents):
        images = synthesis(mapping(latents), noise)
        return images, discriminator(images)["adversarial"]

    images, logits = run(tf.constant(arrays["z1"]))
    np.testing.assert_allclose(images, channels_last(arrays["fake_img"]), rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(logits, arrays["fake_pred"], rtol=1e-5, atol=2e-6)


def test_squared_slope_of_the_discriminator_against_golden(golden):
    arrays = golden("regan_d_pl_r1")
    network = golden_discriminator(arrays)
    images = tf.constant(channels_last(arrays["r1_x"]))
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(images)
            logits = network(images)["adversarial"]
        slopes = inner.gradient(logits, images)
        penalty = tf.reduce_mean(tf.reduce_sum(tf.square(slopes), (1, 2, 3)))
    np.testing.assert_allclose(logits, arrays["r1_pred"], rtol=1e-5, atol=2e-6)
    assert float(penalty) == pytest.approx(float(arrays["r1_penalty"]), rel=1e-5)
    sources = [network.get_layer("from_rgb").kernel, network.get_layer("block8").convolution2.kernel]
    for name, gradient in zip(
        ("convs.0.0.weight", "convs.1.conv2.1.weight"), outer.gradient(penalty, sources), strict=True
    ):
        expected = arrays[f"r1_grad/{name}"].transpose(2, 3, 1, 0)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_path_lengths_against_golden(golden):
    """Lengths of the gradient by every slot's style, and the gradient of their mean square by the weights."""
    arrays = golden("regan_d_pl_r1")
    mapping, synthesis, noise = golden_parts(arrays)
    directions = channels_last(arrays["pl_y_unscaled"]) / 8.0
    mean = float(arrays["pl_mean_1"])
    with tf.GradientTape() as outer:
        styles = mapping(tf.constant(arrays["z1"]))
        with tf.GradientTape() as inner:
            inner.watch(styles)
            projected = tf.reduce_sum(synthesis(styles, noise) * directions)
        slopes = inner.gradient(projected, styles)
        lengths = tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(slopes), 2), 1))
        moved = mean + 0.01 * (tf.reduce_mean(lengths) - mean)
        penalty = tf.reduce_mean(tf.square(lengths - moved))
    np.testing.assert_allclose(lengths, arrays["pl_lengths_2"], rtol=1e-5)
    assert float(penalty) == pytest.approx(float(arrays["pl_penalty_2"]), rel=1e-5)
    up = synthesis.convolutions[1]
    sources = [mapping.dense[0].kernel, up.convolution.kernel, up.noise.strength, synthesis.constant]
    found = outer.gradient(penalty, sources)
    expected = [
        arrays["pl_grad2/style.1.weight"].T,
        arrays["pl_grad2/convs.0.conv.weight"][0].transpose(2, 3, 0, 1),
        arrays["pl_grad2/convs.0.noise.weight"][0],
        channels_last(arrays["pl_grad2/input.input"])[0],
    ]
    for gradient, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, value, rtol=1e-4, atol=2e-5 * np.abs(value).max())


# Styles

RANDOM = np.random.default_rng(0)
LATENTS = RANDOM.normal(size=(4, 6)).astype("float32")


def parts(**arguments):
    generator = stylegan2_generator(**SMALL_G | arguments)
    return generator, generator.get_layer("mapping"), generator.get_layer("synthesis")


def test_slots_of_the_layers():
    """At 16x16: the layers whose scales follow each slot's style, by the gradient of their modulation."""
    _, mapping, synthesis = parts(resolution=16)
    styles = tf.convert_to_tensor(mapping(LATENTS))
    assert styles.shape == (4, 6, 5) and synthesis.num_slots == 6
    layers = {layer.name: getattr(layer, "convolution", layer) for layer in synthesis.convolutions}
    layers |= {layer.name: layer for layer in synthesis.images}
    reached = {}
    for slot in range(6):  # a style of zeros leaves a modulation's kernel without gradient
        alone = tf.one_hot(slot, 6)[:, None] * styles
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(synthesis(alone)))
        kernels = [layer.modulation.kernel for layer in layers.values()]
        gradients = tape.gradient(loss, kernels)
        reached[slot] = {n for n, g in zip(layers, gradients, strict=True) if np.abs(g).max() > 1e-7}
    assert reached == {
        0: {"convolution4"},
        1: {"to_rgb4", "up8"},
        2: {"convolution8"},
        3: {"to_rgb8", "up16"},
        4: {"convolution16"},
        5: {"to_rgb16"},
    }


def test_plain_model_is_mapping_then_synthesis_with_fixed_noise():
    generator, mapping, synthesis = parts()
    for layer in synthesis.convolutions:
        layer.noise.strength.assign(0.5)
    images = generator(LATENTS)
    assert images.shape == (4, 8, 8, 3) and images.dtype == tf.float32
    own = [tf.constant(layer.noise.own_noise) for layer in synthesis.convolutions]
    np.testing.assert_array_equal(images, synthesis(mapping(LATENTS), own))
    np.testing.assert_array_equal(images, generator(LATENTS))
    assert synthesis.noise_shapes == [(4, 4, 1), (8, 8, 1), (8, 8, 1)]
    noise = [RANDOM.normal(size=(4, *shape)).astype("float32") for shape in synthesis.noise_shapes]
    assert np.abs(synthesis(mapping(LATENTS), noise) - images).max() > 1e-3


def test_mapping_by_hand():
    _, mapping, _ = parts()
    normal = LATENTS / np.sqrt((LATENTS**2).mean(1, keepdims=True) + 1e-8)
    features, expected = normal, []
    for layer in mapping.dense:
        layer.bias.assign(RANDOM.normal(size=5) * 10)
        features = (
            features @ layer.kernel.numpy() * 0.01 / np.sqrt(features.shape[1]) + 0.01 * layer.bias.numpy()
        )
        features = 2**0.5 * np.where(features > 0, features, 0.2 * features)
        expected.append(features)
    for found, value in zip(mapping.intermediates(LATENTS), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(mapping(LATENTS), np.stack([expected[-1]] * 4, 1), rtol=1e-4, atol=1e-6)


def test_slots_choose_their_mapping_layer():
    _, mapping, _ = parts(mapping_layers=3, style_layers=(2, 1, 3, 2))
    first, second, third = mapping.intermediates(LATENTS)
    np.testing.assert_array_equal(mapping(LATENTS), np.stack((second, first, third, second), 1))


def test_mean_of_w_moves_in_training_forwards_alone():
    generator, mapping, _ = parts(mean_decay=0.9)
    means = np.stack([w.numpy().mean(0) for w in mapping.intermediates(LATENTS)])
    assert means.shape == (2, 5) and not np.any(mapping.mean_w)
    generator(LATENTS)
    with frozen_state():
        generator(LATENTS, training=True)
    assert not np.any(mapping.mean_w)
    generator(LATENTS, training=True)
    np.testing.assert_allclose(mapping.mean_w, 0.1 * means, rtol=1e-4, atol=1e-7)
    mapping(LATENTS, training=True)
    np.testing.assert_allclose(mapping.mean_w, 0.19 * means, rtol=1e-4, atol=1e-7)
    assert parts()[1].mean_decay == 0.995


def test_truncation_by_hand():
    _, mapping, _ = parts(style_layers=(1, 2, 2, 1))
    center = RANDOM.normal(size=(2, 5)).astype("float32")
    mapping.mean_w.assign(center)
    plain, middle = mapping(LATENTS).numpy(), center[[0, 1, 1, 0]]
    expected = middle + 0.7 * (plain - middle)
    np.testing.assert_allclose(mapping(LATENTS, truncation=0.7), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mapping(LATENTS, truncation=0.0), np.stack([middle] * 4), rtol=1e-6)
    np.testing.assert_allclose(mapping(LATENTS, truncation=1.0), plain, rtol=1e-5, atol=1e-6)
    cut = mapping(LATENTS, truncation=tf.constant(0.7), truncated_slots=3).numpy()
    np.testing.assert_allclose(cut[:, :3], expected[:, :3], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(cut[:, 3], plain[:, 3])


def test_style_mixing_by_hand():
    first, second = np.zeros((2, 4, 3), "float32"), np.ones((2, 4, 3), "float32")
    np.testing.assert_array_equal(mix_styles(first, second, 1)[:, :, 0], [[0, 1, 1, 1]] * 2)
    np.testing.assert_array_equal(mix_styles(first, second, 4), first)
    np.testing.assert_array_equal(mix_styles(first, second, 0), second)
    mixed = mix_styles(first, second, np.array([3, 1]))
    np.testing.assert_array_equal(mixed[:, :, 2], [[0, 0, 0, 1], [0, 1, 1, 1]])


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
