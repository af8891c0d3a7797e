"""Projection: images of the generator itself come back, and what the schedules and the noise do by hand."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.data.scaling import to_float
from tfgans.gan import GAN
from tfgans.gan.codes import Codes
from tfgans.gan.descent import normalized, schedules, structure
from tfgans.gan.perceptual import DiscriminatorDistance
from tfgans.gan.projection import ProjectionOptions, Projector
from tfgans.networks.dcgan import dcgan_discriminator, dcgan_generator
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator


def styled(strength=0.0):
    keras.utils.set_random_seed(1)
    generator = stylegan2_generator(16, 1, latent_dim=8, style_dim=8, mapping_layers=2, max_channels=8)
    for number, layer in enumerate(generator.get_layer("mapping").dense):
        layer.bias.assign(np.random.default_rng(number).normal(size=8) * 20)
    synthesis = generator.get_layer("synthesis")
    for layer in synthesis.convolutions:
        layer.noise.strength.assign(strength)
    for layer in synthesis.images:  # few pixels are black or white
        layer.kernel.assign(0.3 * layer.kernel)
    return GAN(generator, stylegan2_discriminator(16, 1, max_channels=8), seed=3)


def conditional():
    keras.utils.set_random_seed(1)
    generator = dcgan_generator(8, 1, latent_dim=4, base_channels=8, num_classes=3)
    for layer in generator.layers:
        if hasattr(layer, "num_classes"):
            rng = np.random.default_rng(0)
            layer.gamma.assign(rng.normal(1, 0.5, layer.gamma.shape))
            layer.beta.assign(rng.normal(0, 0.5, layer.beta.shape))
        elif hasattr(layer, "kernel"):
            layer.kernel.assign(layer.kernel * 5)
    discriminator = dcgan_discriminator(8, 1, base_channels=8, num_classes=3, normalization="none")
    return GAN(generator, discriminator, num_classes=3)


def error(model, codes, image):
    """Mean absolute difference in levels."""
    return np.abs(model.show(codes)[0].astype(int) - image).mean()


def test_a_latent_of_the_generator_comes_back():
    keras.utils.set_random_seed(0)
    model = GAN(
        dcgan_generator(8, 1, latent_dim=4, base_channels=8), dcgan_discriminator(8, 1, base_channels=8)
    )
    for layer in model.generator.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(layer.kernel * 8)
    known = model.codes_at([3], seed=7)
    (image,) = model.show(known)
    calls = []
    options = ProjectionOptions(steps=300, candidates=4, draws=64)
    found = Projector(model, options)(image, every=30, stepped=lambda: calls.append(1))
    assert len(calls) == 300 and len(found.history) == 11
    spread = np.abs(model.generate(64, seed=1).astype(int) - image).mean()
    assert spread > 10 and error(model, found.codes, image) < 0.5
    np.testing.assert_allclose(found.codes.values, known.values, atol=0.1)
    distances = [error(model, found.history.rows([i]), image) for i in range(11)]
    assert distances[-1] < 0.2 * distances[0]
    again = Projector(model, options)(image)
    np.testing.assert_array_equal(again.codes.values, found.codes.values)
    assert found.losses["all"] == pytest.approx(found.losses["pixels"] + found.losses["features"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("space", ["w", "w_plus"])
def test_a_style_of_the_generator_comes_back(space):
    model = styled()
    known = model.in_w(model.codes_at([3, 4], seed=7))
    if space == "w_plus":  # which no single style makes
        known.values[0, 3:] = known.values[1, 3:]
    (image,) = model.show(known.rows([0]))
    found = Projector(model, ProjectionOptions(space=space, steps=250, noise=False))(image)
    spread = np.abs(model.generate(64, seed=1).astype(int) - image).mean()
    assert spread > 10 and error(model, found.codes, image) < 0.1 * spread
    assert found.codes.space == "w" and found.codes.values.shape == (1, 6, 8)
    assert np.all(found.codes.values == found.codes.values[:, :1]) == (space == "w")


@pytest.mark.slow
def test_noise_is_found_too_and_stays_noise():
    """Little held back, it explains what is left; held back, it has little structure."""
    model = styled(strength=0.3)
    synthesis = model.generator.get_layer("synthesis")
    rng = np.random.default_rng(0)
    noise = tuple(rng.normal(size=(1, *shape)).astype("float32") for shape in synthesis.noise_shapes)
    image = model.show(dataclasses.replace(model.codes_at([3]), noise=noise))[0]
    found = {}
    for weight in (None, 0.0, 1e5):
        options = ProjectionOptions(steps=100, noise=weight is not None, noise_weight=weight or 0.0)
        found[weight] = Projector(model, options)(image, every=50).codes
        shapes = [part.shape[1:] for part in found[weight].noise]
        assert shapes == ([] if weight is None else [*synthesis.noise_shapes])
        for part in found[weight].noise:
            assert abs(part.mean()) < 1e-5 and part.std() == pytest.approx(1.0, abs=1e-4)
    assert error(model, found[0.0], image) < 0.7 * error(model, found[None], image)
    structures = {w: float(structure(tf.constant(found[w].noise[-1]))) for w in (0.0, 1e5)}
    assert structures[1e5] < 0.2 * structures[0.0]


@pytest.mark.slow
def test_the_class_is_found_or_taken():
    model = conditional()
    known = model.codes_at([0, 1, 2], labels=[0, 1, 2], seed=7)
    images = model.show(known)
    options = ProjectionOptions(steps=150, candidates=3, draws=48)
    for label in range(3):
        found = Projector(model, options)(images[label])
        assert found.codes.labels.tolist() == [label] and set(found.history.labels) == {label} == {
            found.label
        }
        assert error(model, found.codes, images[label]) < 3
    given = Projector(model, dataclasses.replace(options, steps=5), labels=[2, 1])
    assert [given(images[0], number).codes.labels.tolist() for number in (0, 1, 2)] == [[2], [1], [2]]


def conditional_styles():
    """A StyleGAN2 whose mapping and discriminator take classes."""
    keras.utils.set_random_seed(1)
    options = {"latent_dim": 8, "style_dim": 8, "mapping_layers": 2, "max_channels": 8}
    generator = stylegan2_generator(8, 1, num_classes=3, **options)
    discriminator = stylegan2_discriminator(8, 1, max_channels=8, num_classes=3, label_layers=2)
    return GAN(generator, discriminator, num_classes=3)


@pytest.mark.parametrize("space", ["w", "w_plus"])
def test_in_w_too_the_class_is_found_or_taken(space):
    """The way begins at the mean style of the class; the picture of each class's mean is of that class."""
    model = conditional_styles()
    latents = model.latents_at(0, 4000, 9)
    means = np.stack([model.styles(latents, labels=np.full(4000, k)).mean(0) for k in range(3)])
    assert min(np.abs(means[i] - means[j]).max() for i, j in ((0, 1), (0, 2), (1, 2))) > 0.3
    images = model.show(Codes("w", means))
    projector = Projector(model, ProjectionOptions(space=space, steps=2))
    for label in range(3):
        found = projector(images[label])
        assert found.label == label and found.codes.labels is None
        np.testing.assert_allclose(found.history.values[0], means[label], atol=0.1)
    given = Projector(model, ProjectionOptions(space=space, steps=1), labels=[2, 0])
    for number, label in enumerate((2, 0, 2)):
        found = given(images[1], number)
        assert found.label == label
        np.testing.assert_allclose(found.history.values[0], means[label], atol=0.1)


def test_long_latents_are_held_back():
    """An image brighter than any: nothing else keeps the latent from growing."""
    generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1))])
    generator.layers[0].set_weights([np.full((4, 64), 0.02), np.zeros(64)])
    discriminator = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model = GAN(generator, discriminator)
    projector = Projector(model, ProjectionOptions(steps=300, candidates=1, draws=8, learning_rate=0.5))
    assert projector.distance.layers == []  # no layer of maps
    found = projector(np.full((8, 8, 1), 255, np.uint8))
    # z = c for all four, image 0.08 c: the loss (1 - 0.08 c)^2 + (c^2 - 1 - 3 / sqrt 2)^2 is least where
    # -0.16 (1 - 0.08 c) + 4 c (c^2 - 3.1213) = 0
    roots = np.roots([4.0, 0.0, 0.0128 - 4 * (1 + 3 / np.sqrt(2)), -0.16])
    np.testing.assert_allclose(found.codes.values, np.full((1, 4), roots.real.max()), rtol=1e-2)
    assert set(found.losses) == {"pixels", "all"}


def test_schedules_by_hand():
    rates, noises = zip(*(schedules(t) for t in (0.0, 0.025, 0.05, 0.375, 0.75, 0.875, 1.0)), strict=True)
    np.testing.assert_allclose(rates, [0, 0.5, 1, 1, 1, 0.5, 0], atol=1e-12)
    np.testing.assert_allclose(noises, [1, (1 - 1 / 30) ** 2, (1 - 1 / 15) ** 2, 0.25, 0, 0, 0], atol=1e-12)


def test_structure_by_hand():
    """Stripes of +1 and -1: each pixel is the opposite of its neighbour in x and equal to that in y."""
    stripes = np.tile(np.array([1.0, -1.0], np.float32), 4)[None, None, :, None] * np.ones(
        (1, 8, 8, 1), np.float32
    )
    assert float(structure(tf.constant(stripes))) == 2.0  # (-1)^2 + 1^2, at one scale
    # at 16 the averages of 2 x 2 are 0; blocks of 2 x 2 stay, and count twice as much after the doubling: 2^2 squared
    assert float(structure(tf.constant(np.tile(stripes, (1, 2, 2, 1))))) == 2.0
    blocks = np.kron(np.indices((8, 8)).sum(0) % 2 * 2.0 - 1.0, np.ones((2, 2))).astype(np.float32)
    assert float(structure(tf.constant(blocks[None, :, :, None]))) == 0.0 + 2 * 4.0**2
    tall = np.tile(stripes[:, :, :4], (1, 16, 1, 1))  # 128 x 4: its shorter side halves no more
    assert float(structure(tf.constant(tall))) == 2.0
    both = np.concatenate([stripes, stripes])
    assert float(structure(tf.constant(both))) == 4.0
    rng = np.random.default_rng(0)
    white = rng.normal(size=(1, 64, 64, 1)).astype("float32")
    assert float(structure(tf.constant(white))) < 0.1
    found = normalized(tf.constant(white * 3 + 5)).numpy()
    assert abs(found.mean()) < 1e-5 and found.std() == pytest.approx(1.0, abs=1e-4)


def test_the_distance_of_features_by_hand():
    """Of one layer that keeps the pixels: directions of the two channels at each position are compared."""
    keras.utils.set_random_seed(0)
    images = keras.Input((4, 4, 2))
    kept = keras.layers.Conv2D(2, 1, use_bias=False, name="kept")(images)
    discriminator = keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(kept)))
    discriminator.get_layer("kept").set_weights([np.eye(2)[None, None]])
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(32), keras.layers.Reshape((4, 4, 2))])
    distance = DiscriminatorDistance(GAN(generator, discriminator))
    assert distance.layers == ["kept"]
    first = np.zeros((1, 4, 4, 2), np.float32) + [3.0, 0.0]
    second = np.concatenate([first * 2, first * [-1, 1], first + [0, 3.0]]).astype("float32")
    second[1, :2] = first[0, :2]  # the opposite at half of the positions
    found = distance.of(distance.features(second), distance.features(first))
    np.testing.assert_allclose(found, [0.0, 2.0, 2 - np.sqrt(2)], atol=1e-5)
    assert DiscriminatorDistance(GAN(generator, discriminator), used=False).layers == []


def test_layers_of_every_size_of_maps_are_looked_at():
    model = styled()
    layers = DiscriminatorDistance(model).layers
    shapes = [model.discriminator.get_layer(name).output.shape[1:3] for name in layers]
    assert sorted(shapes) == [(4, 4), (8, 8), (16, 16)]
    discriminator = conditional().discriminator
    assert len(DiscriminatorDistance(conditional()).layers) == 1 and len(discriminator.inputs) == 2


def test_each_code_goes_its_way_alone():
    """Whatever others are beside it, also with minibatch deviation, which shows a discriminator all at once."""
    model = styled()
    options = ProjectionOptions(space="z", steps=20, candidates=4, code_noise=0.0)
    target = tf.constant(to_float(model.show(model.codes_at([9]))))
    codes = model.codes_at([9, 3, 5, 8])
    ways, losses = [], []
    for which in ([0, 1, 2, 3], [2]):
        descent = Projector(model, options)._descent(len(which), model.generator)
        losses.append(descent.judge_others(codes.rows(which), target)["features"])
        descent.begin(codes.rows(which))
        descent.run(target, (4, 7), 1, lambda: None)
        ways.append(descent.codes().values)
    assert losses[0][0] < 1e-4 < 0.01 < losses[0][2]  # the image is that of the first one
    assert losses[0][2] == pytest.approx(losses[1][0], rel=1e-5)
    assert np.abs(ways[1] - codes.values[2]).max() > 0.1
    np.testing.assert_allclose(ways[0][2], ways[1][0], atol=1e-4)


def test_projections_that_cannot_be():
    model, plain = styled(), GAN(*toys.image_networks())
    for make, said in (
        (lambda: Projector(GAN(*toys.scalar_networks())), "this generator makes points"),
        (lambda: Projector(plain, ProjectionOptions(space="w")), "the generator has no styles"),
        (lambda: Projector(model, ProjectionOptions(space="v")), "into w, w_plus, z. Received: 'v'"),
        (
            lambda: ProjectionOptions(steps=0),
            "ProjectionOptions.steps is an integer of at least 1. Received: 0",
        ),
        (
            lambda: ProjectionOptions(learning_rate=float("nan")),
            "ProjectionOptions.learning_rate is a number above 0. Received: nan",
        ),
        (
            lambda: ProjectionOptions(pixel_weight=float("inf")),
            "ProjectionOptions.pixel_weight is a number of at least 0. Received: inf",
        ),
        (
            lambda: Projector(plain, ProjectionOptions(pixel_weight=0.0, feature_weight=0.0)),
            "nothing to make small: pixel_weight is 0, and feature_weight, too",
        ),
        (lambda: Projector(plain, labels=[0]), "the model has no classes"),
        (lambda: Projector(conditional(), labels=[3]), r"labels are in \[0, 3\). Received: \[3\]"),
        (
            lambda: Projector(model)(np.zeros((8, 8, 1), np.uint8)),
            r"makes images \[16, 16, 1\]. Received: \[8, 8, 1\]",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            make()


@pytest.mark.parametrize(
    "options, steps",
    [
        ({"pixel_weight": 1e300}, 0),
        ({"space": "z", "feature_weight": 1e300}, 0),
        ({"noise_weight": 1e300}, 5),
    ],
)
def test_losses_beyond_numbers_are_refused(options, steps):
    """At once where the first code shows it."""
    model, calls = styled(), []
    options = ProjectionOptions(steps=5, candidates=2, draws=4, **options)
    with pytest.raises(
        ConfigError, match="losses are finite: give it smaller weights.*Received: .* = (inf|nan)"
    ):
        Projector(model, options)(model.generate(1, seed=0)[0], stepped=lambda: calls.append(1))
    assert len(calls) == steps


@pytest.mark.slow
def test_the_projected_code_is_judged_as_it_is_shown():
    model = styled()
    (image,) = model.show(model.codes_at([3]))
    found = Projector(model, ProjectionOptions(steps=3))(image)
    shown = to_float(model.show(found.codes)[0])
    assert found.losses["pixels"] == pytest.approx(np.mean((shown - to_float(image)) ** 2), rel=0.02)
    assert isinstance(found.codes, Codes)
