"""Class-conditional StyleGAN2 against the authors' numbers, ProGAN's by hand; both in training."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan import GAN
from tfgans.gan.styles import mapped
from tfgans.layers.embedding import mixed_classes
from tfgans.methods import compose
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.regularized import R1GAN
from tfgans.methods.style import PathLengthGAN, StyleMixingGAN
from tfgans.networks.progan import progan_discriminator, progan_generator
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator
from tfgans.networks.stylegan2_labels import LabelProjection
from tfgans.networks.stylegan2_parts import StyleMapping

GOLDEN = np.load(pathlib.Path(__file__).parent.parent / "golden/stylegan2_conditional.npz")
LABELS = np.argmax(GOLDEN["c"], 1)
CIFAR = {"resolution": 32, "num_classes": 10}
AUTO = {"channel_multiplier": 1, "num_classes": 10}
HALVED = {"mapping_layers": 2, **AUTO}
# (network, arguments, parameters): the specification of StyleGAN2-ADA's conditional networks
COUNTS = [
    (stylegan2_generator, CIFAR | {"mapping_layers": 2}, 20_215_315),
    (stylegan2_generator, CIFAR | {"mapping_layers": 2, "num_classes": 100}, 20_261_395),
    (stylegan2_generator, {"resolution": 64, **HALVED}, 22_511_384),
    (stylegan2_generator, {"resolution": 128, **HALVED}, 23_217_053),
    (stylegan2_generator, {"resolution": 256, **HALVED}, 23_459_298),
    (stylegan2_discriminator, CIFAR | {"residual": False}, 23_089_664),
    (stylegan2_discriminator, CIFAR | {"residual": False, "num_classes": 100}, 23_135_744),
    (stylegan2_discriminator, {"resolution": 64, **AUTO}, 25_776_384),
    (stylegan2_discriminator, {"resolution": 128, **AUTO}, 26_251_392),
    (stylegan2_discriminator, {"resolution": 256, **AUTO}, 26_370_112),
]
SIZES = {"resolution": 8, "channels": 1, "max_channels": 4, "num_classes": 3}
STYLES = {"latent_dim": 6, "style_dim": 5, "mapping_layers": 2}


@pytest.mark.parametrize(("network", "arguments", "parameters"), COUNTS)
def test_parameters(network, arguments, parameters, monkeypatch):
    zeros = lambda self, shape, dtype=None: tf.zeros(shape, dtype or "float32")  # noqa: E731
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)  # large kernels in no time
    assert cost.parameters(network(**arguments)) == parameters


def take(layer, name):
    layer.set_weights([GOLDEN[f"{name}.weight"].T, GOLDEN[f"{name}.bias"]])


def golden_mapping():
    mapping = StyleMapping(8, 3, (3,) * 4, num_classes=5)
    mapping.build((None, 6), (None,))
    take(mapping.embedding, "Gmap/embed")
    for number, layer in enumerate(mapping.dense):
        take(layer, f"Gmap/fc{number}")
    mapping.mean_w.assign(np.stack([np.zeros(8), np.zeros(8), GOLDEN["Gmap/w_avg"]]))
    return mapping


def close(found, name):
    np.testing.assert_allclose(found, GOLDEN[name], rtol=1e-5, atol=1e-6)


def test_the_generators_mapping_is_the_authors():
    mapping, z = golden_mapping(), GOLDEN["z"]
    assert np.all(np.eye(5)[LABELS] == GOLDEN["c"])
    close(mapping.embedding(LABELS), "Gmap_embed_normalised")
    close(mapping(z, LABELS), "Gmap_ws")
    close(mapping(z, LABELS, truncation=0.7), "Gmap_ws_psi0.7")
    close(mapping(z, LABELS, truncation=0.7, truncated_slots=2), "Gmap_ws_psi0.7_cutoff2")
    mapping(z, LABELS, training=True)
    close(mapping.mean_w[2], "Gmap_w_avg_after_training_call")


def test_labels_may_be_shares_of_classes():
    mapping = golden_mapping()
    close(mapped(mapping, GOLDEN["z"], tf.constant(GOLDEN["c"])), "Gmap_ws")
    half = np.full((4, 5), 0.2, np.float32)
    with mixed_classes(half):
        row = GOLDEN["Gmap/embed.weight"].T.mean(0) / 5**0.5 + GOLDEN["Gmap/embed.bias"]
        expected = row / np.sqrt(np.mean(row**2) + 1e-8)
        np.testing.assert_allclose(mapping.embedding(LABELS), [expected] * 4, rtol=1e-5)


def golden_discriminator():
    """The end of the discriminator alone: of images of 4x4 pixels, whose first convolution passes them on."""
    network = stylegan2_discriminator(4, 6, max_channels=6, num_classes=5, minibatch_group=2)
    convolution, dense, head, projection = (
        network.get_layer(name)
        for name in ("last_convolution", "dense", "adversarial_head", "label_projection")
    )
    convolution.set_weights([GOLDEN["Depi/conv.weight"].transpose(2, 3, 1, 0), GOLDEN["Depi/conv.bias"]])
    kernel = GOLDEN["Depi/fc.weight"].reshape(6, 6, 4, 4).transpose(2, 3, 1, 0).reshape(96, 6)
    dense.set_weights([kernel, GOLDEN["Depi/fc.bias"]])
    take(head, "Depi/out")
    take(projection.embedding, "Dmap/embed")
    for number, layer in enumerate(projection.dense):
        take(layer, f"Dmap/fc{number}")
    return network, projection


def test_the_discriminators_end_is_the_authors():
    network, projection = golden_discriminator()
    close(projection.mapped(LABELS), "Dmap_cmap")
    end = keras.Model(
        [network.get_layer("from_rgb").output, network.inputs[1]], network.output, name="without_from_rgb"
    )
    found = end([GOLDEN["Depi_x"].transpose(0, 2, 3, 1), LABELS])["adversarial"]
    close(found, "Depi_out")


def test_without_layers_the_embedding_is_projected_on():
    layer = LabelProjection(3, 0)
    features = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    found = layer(features, np.array([2, 0]))
    rows = layer.embedding.kernel.numpy()[[2, 0]] / 3**0.5
    rows /= np.sqrt(np.mean(rows**2, 1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(found, (features * rows).sum(1, keepdims=True) / 2, rtol=1e-5)


def test_second_derivatives_of_the_projection_are_those_of_finite_differences():
    layer, random = LabelProjection(3, 2, dtype="float64"), np.random.default_rng(0)
    labels = np.array([2, 0, 1])
    features, direction = tf.constant(random.normal(size=(3, 4))), random.normal(size=(3, 4))
    layer(features, labels)
    kernel = layer.embedding.kernel

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(tf.sin(layer(x, labels)))
        return tf.reduce_sum(tape.gradient(total, x) ** 2)

    with tf.GradientTape() as tape:
        tape.watch(features)
        value = slope(features)
    by_features, by_kernel = tape.gradient(value, [features, kernel.value])
    expected = (slope(features + 1e-6 * direction) - slope(features - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(tf.reduce_sum(by_features * direction), expected, rtol=1e-6)
    before, step, values = kernel.numpy(), random.normal(size=kernel.shape), []
    for sign in (1.0, -1.0):
        kernel.assign(before + sign * 1e-6 * step)
        values.append(slope(features))
    np.testing.assert_allclose(tf.reduce_sum(by_kernel * step), (values[0] - values[1]) / 2e-6, rtol=1e-6)


def conditional(*methods, **options):
    keras.utils.set_random_seed(0)
    networks = stylegan2_generator(**SIZES, **STYLES), stylegan2_discriminator(**SIZES, minibatch_group=2)
    model = compose(*methods)(*networks, num_classes=3, ema_decay=0.5, **options)
    model.compile(*(keras.optimizers.Adam(0.01) for _ in range(2)), run_eagerly=True)
    return model


def fit(model, steps=2):
    model.fit(toys.images(4 * steps), np.arange(4 * steps, dtype="int32") % 3, 4, shuffle=False, verbose=0)
    return model


@pytest.mark.slow
def test_stylegan2_trains_with_its_methods_and_makes_images_of_classes():
    model = fit(conditional(StyleMixingGAN, PathLengthGAN, R1GAN, r1_interval=2))
    embedded = [v for v in model.generator.variables if "label_embedding" in v.path]
    fresh = conditional(GAN)
    assert len(embedded) == 2
    for network in ("generator", "discriminator"):
        pairs = zip(getattr(model, network).variables, getattr(fresh, network).variables, strict=True)
        assert all(
            np.any(a.numpy() != b.numpy()) for a, b in pairs if "label" in a.path and "kernel" in a.path
        )
    one, other = (model.generate(2, labels=[label], seed=1) for label in (0, 1))
    assert np.any(one != other)
    truncated = [model.generate(2, labels=[label], seed=1, truncation=0.5) for label in (0, 1)]
    assert np.any(truncated[0] != truncated[1])
    np.testing.assert_array_equal(model.generate(2, labels=[0], seed=1, truncation=1.0), one)


def test_styles_follow_labels_and_mixing_keeps_them():
    model = conditional(StyleMixingGAN)
    latents = model.draw_latents(4) | {"labels": tf.constant([0, 1, 2, 0])}
    mapping = model.generator.get_layer("mapping")
    second = mapping(latents["mixing_latents"], latents["labels"])
    mixed = model.style_codes(latents | {"crossover": tf.zeros(4, tf.int32)})
    np.testing.assert_allclose(mixed, second, atol=1e-6)
    codes = model.codes_at([3, 4], labels=[2, 1])
    assert list(codes.labels) == [1, 2]  # by the numbers of the pictures
    expected = model.styles(codes.values, labels=codes.labels)
    np.testing.assert_allclose(model.in_w(codes).values, expected, atol=1e-6)
    assert np.any(model.styles(codes.values, labels=np.array([0, 0])) != expected)
    drawn = model.styles(codes.values)  # with labels of its own
    assert drawn.shape == expected.shape and np.all(drawn == model.styles(codes.values))
    assert model.mix(1, 2).shape == (2, 3, 8, 8, 1)
    np.testing.assert_array_equal(model.show(codes), model.render(codes.values, codes.labels))


def test_a_mapping_says_whether_it_takes_labels():
    with pytest.raises(ConfigError, match="takes labels beside latents: it has 5 classes"):
        golden_mapping()(GOLDEN["z"])
    plain = StyleMapping(4, 1, (1,), name="mapping")
    with pytest.raises(ConfigError, match="mapping takes no labels: it has no classes"):
        plain(GOLDEN["z"], LABELS)


def test_networks_are_saved_with_their_classes(tmp_path):
    for network in (
        stylegan2_generator(**SIZES, **STYLES),
        stylegan2_discriminator(**SIZES),
        progan_generator(**SIZES, latent_dim=6),
        progan_discriminator(**SIZES),
    ):
        path = tmp_path / "network.keras"
        network.save(path)
        inputs = [np.ones((2, *i.shape[1:]), i.dtype) for i in network.inputs]
        inputs = inputs if len(inputs) > 1 else inputs[0]
        first, second = (tf.nest.flatten(n(inputs)) for n in (network, keras.models.load_model(path)))
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)


def test_progans_labels_stand_beside_latents_and_its_critic_names_classes():
    generator = progan_generator(**SIZES, latent_dim=6, min_channels=4)
    plain = progan_generator(**SIZES | {"num_classes": None}, latent_dim=9, min_channels=4)
    plain.set_weights(generator.get_weights())
    latents, labels = np.random.default_rng(0).normal(size=(3, 6)).astype("float32"), np.array([2, 0, 1])
    together = np.concatenate([latents, np.eye(3, dtype="float32")[labels]], 1)
    np.testing.assert_allclose(generator([latents, labels]), plain(together), atol=1e-6)
    outputs = progan_discriminator(**SIZES, min_channels=4)(generator([latents, labels]))
    assert outputs["adversarial"].shape == (3, 1) and outputs["class"].shape == (3, 3)


def test_progan_grows_with_classes():
    keras.utils.set_random_seed(0)
    sizes = SIZES | {"min_channels": 4}
    networks = progan_generator(**sizes, latent_dim=6), progan_discriminator(**sizes)
    model = ProgressiveGAN(*networks, num_classes=3, stage_steps=1)
    model.compile(*(keras.optimizers.SGD(0.1) for _ in range(2)), run_eagerly=True)
    kernel = networks[1].get_layer("critic").class_head.kernel
    before = kernel.numpy()
    fit(model)
    assert {"d/class_real", "d/class_fake", "g/class"} <= set(model.step_logs)
    assert np.any(kernel.numpy() != before)
    assert model.generate(3, labels=[0, 1, 2]).shape == (3, 8, 8, 1)
