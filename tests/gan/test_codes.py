"""Codes of pictures: by their numbers in a stream, on walks, from class to class."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.data import to_uint8
from tfgans.gan import GAN
from tfgans.gan.codes import Codes, check_codes
from tfgans.gan.paths import slerp
from tfgans.gan.styles import Truncation
from tfgans.networks.dcgan import dcgan_discriminator, dcgan_generator
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator


@pytest.fixture(scope="module")
def plain():
    return GAN(*toys.image_networks(), seed=3)


@pytest.fixture(scope="module")
def classes():
    """A conditional generator whose norms have another row for each class."""
    generator = dcgan_generator(8, 1, latent_dim=4, base_channels=4, num_classes=3)
    for layer in generator.layers:
        if hasattr(layer, "num_classes"):
            rows = np.arange(3)[:, None] * np.ones((3, layer.gamma.shape[1]))
            layer.gamma.assign(1.0 + rows)
            layer.beta.assign(0.5 * rows)
    return GAN(generator, dcgan_discriminator(8, 1, base_channels=4, num_classes=3), num_classes=3)


@pytest.fixture(scope="module")
def styled():
    generator = stylegan2_generator(8, latent_dim=8, style_dim=8, mapping_layers=2, max_channels=8)
    mapping = generator.get_layer("mapping")
    for number, layer in enumerate(mapping.dense):
        layer.bias.assign(np.random.default_rng(number).normal(size=8) * 50)
    mapping.mean_w.assign(np.random.default_rng(9).normal(size=(2, 8)))
    return GAN(generator, stylegan2_discriminator(8, max_channels=8), seed=3)


def same(first, second):
    for name in ("values", "labels"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("options", [{}, {"labels": [2, 0]}])
def test_a_picture_is_a_function_of_its_number(classes, options):
    whole = classes.generate(200, seed=5, **options)
    codes = classes.codes_at([7, 120, 199, 0], seed=5, **options)
    assert codes.seeds.tolist() == [7, 120, 199, 0]
    images = classes.show(codes)
    for alone, number in zip(images, (7, 120, 199, 0), strict=True):
        np.testing.assert_array_equal(classes.show(classes.codes_at([number], seed=5, **options))[0], alone)
        assert np.abs(alone.astype(int) - whole[number]).max() <= 1
    same(codes.rows(slice(1)), classes.codes_at([7], seed=5, **options))
    assert np.any(classes.codes_at([7], seed=6, **options).values != codes.values[:1])
    if options:
        assert codes.labels.tolist() == [0, 2, 0, 2]  # 7 is odd, and 120 even


def test_pixels_do_not_depend_on_the_other_pictures():
    generator = stylegan2_generator(
        32, latent_dim=64, style_dim=64, mapping_layers=2, base_channels=16, channels=3
    )
    model = GAN(generator, stylegan2_discriminator(32, base_channels=4))
    images = model.show(model.codes_at(np.arange(21)))
    for chosen in ([20], [3, 17, 4], [*range(9, -1, -1)]):
        np.testing.assert_array_equal(model.show(model.codes_at(chosen)), images[chosen])


@pytest.mark.parametrize("seeds", [[-1], [], [0.5], [[1, 2]], 3, ["a"], [2**63], [True], None])
def test_numbers_of_pictures_are_numbers(plain, seeds):
    with pytest.raises(ConfigError, match="numbers of pictures are integers from 0"):
        plain.codes_at(seeds)
    assert plain.codes_at(np.array([2**63 - 1], np.uint64)).seeds.tolist() == [2**63 - 1]


@pytest.mark.parametrize("value", ["a", True, np.nan, np.inf, [0.5]])
def test_truncations_are_numbers(plain, styled, value):
    for model, said in ((plain, "truncation is a bound above 0"), (styled, "truncation is psi")):
        with pytest.raises(ConfigError, match=said):
            model.generate(1, seed=0, truncation=value)
    for slots in (2.5, "a", True):
        with pytest.raises(ConfigError, match=r"truncated_slots is in \[1, 4\]. Received: "):
            styled.generate(1, seed=0, truncation=0.5, truncated_slots=slots)


def test_truncated_codes_are_styles(styled):
    codes = styled.codes_at([4, 70], seed=2, truncation=0.5, truncated_slots=2)
    assert codes.space == "w" and codes.labels is None
    latents = np.concatenate([styled.latents_at(4, 1, 2), styled.latents_at(70, 1, 2)])
    expected = styled.styles(latents, truncation=0.5, truncated_slots=2)
    np.testing.assert_allclose(codes.values, expected, rtol=1e-6, atol=1e-6)
    assert styled.codes_at([4], truncation=1.0).space == "z"
    bounded = GAN(*toys.image_networks()).codes_at([0, 1], truncation=0.3)
    assert bounded.space == "z" and np.abs(bounded.values).max() <= 0.3
    layer = styled.codes_at([4], seed=2, style_layer=1)
    np.testing.assert_allclose(layer.values, styled.styles(latents[:1], style_layer=1), rtol=1e-6, atol=1e-6)


def test_noise_belongs_to_the_code(styled):
    for layer in styled.generator.get_layer("synthesis").convolutions:
        layer.noise.strength.assign(0.7)
    synthesis = styled.generator.get_layer("synthesis")
    codes = styled.codes_at([0, 1, 2])
    rng = np.random.default_rng(0)
    noise = tuple(rng.normal(size=(3, *shape)).astype("float32") for shape in synthesis.noise_shapes)
    images = styled.show(dataclasses.replace(codes, noise=noise))
    styles = styled.styles(codes.values)
    expected = to_uint8(synthesis(tf.constant(styles), [tf.constant(part) for part in noise]).numpy())
    assert np.abs(images.astype(int) - expected).max() <= 1
    assert np.abs(images.astype(int) - styled.show(codes)).mean() > 3


def test_styles_are_shown_without_noise_and_with_it_in_any_order():
    """As after a projection: TensorFlow looked for the noise that the call before had not."""
    generator = stylegan2_generator(8, latent_dim=8, style_dim=8, mapping_layers=2, max_channels=8)
    model = GAN(generator, stylegan2_discriminator(8, max_channels=8), seed=3)
    synthesis = generator.get_layer("synthesis")
    for layer in synthesis.convolutions:
        layer.noise.strength.assign(0.7)
    plain = model.in_w(model.codes_at([0, 1]))
    own = (np.broadcast_to(layer.noise.own_noise, (2, *s)) for layer, s in _noisy(synthesis))
    noisy = dataclasses.replace(plain, noise=tuple(np.asarray(part, np.float32) for part in own))
    other = dataclasses.replace(noisy, noise=tuple(-part for part in noisy.noise))
    expected = model.show(plain)
    np.testing.assert_array_equal(model.show(noisy), expected)
    assert np.any(model.show(other) != expected)
    np.testing.assert_array_equal(model.show(plain), expected)


def _noisy(synthesis):
    return zip(synthesis.convolutions, synthesis.noise_shapes, strict=True)


@pytest.mark.parametrize("options", [{"truncation": 0.5}, {"style_layer": 2}])
def test_styles_do_not_depend_on_the_other_pictures(options):
    generator = stylegan2_generator(8, latent_dim=64, style_dim=64, max_channels=8)
    model = GAN(generator, stylegan2_discriminator(8, max_channels=8))
    whole = model.codes_at(np.arange(100), **options).values
    for chosen in ([20], [99], [3, 17, 4], [*range(9, -1, -1)], [*range(30, 80)]):
        np.testing.assert_array_equal(model.codes_at(chosen, **options).values, whole[chosen])


@pytest.mark.parametrize("space", ["z", "w"])
def test_a_walk_meets_its_key_pictures_and_closes(styled, space):
    keys = styled.codes_at([3, 1, 3, 8], seed=1)
    way = styled.walk(keys, 5, space)
    assert len(way) == 20 and way.space == space
    styles = keys if space == "z" else styled.in_w(keys)
    np.testing.assert_array_equal(way.values[::5], styles.values)
    steps = np.linalg.norm(np.diff(np.concatenate([way.values, way.values[:1]]), axis=0), axis=-1)
    assert (
        steps.min() > 0
    )  # it never stands still, and the last step, to the first picture, is one like the others
    if space == "z":
        middle = slerp(keys.values[3:], keys.values[:1], np.array([[0.4]]))
        np.testing.assert_allclose(way.values[17], middle[0], rtol=1e-5, atol=1e-6)
    else:
        assert np.linalg.norm(way.values[19] - way.values[0]) < np.linalg.norm(way.values[15] - way.values[0])


def test_a_walk_in_w_turns_softly(styled):
    """By hand: the periodic spline through y = 0, 1, 0, -1 is 1.5 t - 0.5 t^3 in its first piece."""
    values = np.array([0.0, 1.0, 0.0, -1.0], np.float32)[:, None, None] * np.ones((4, 4, 8), np.float32)
    way = styled.walk(Codes("w", values), 4).values[:, 2, 3]
    t = np.arange(4) / 4
    np.testing.assert_allclose(way[:4], 1.5 * t - 0.5 * t**3, atol=1e-6)
    np.testing.assert_allclose(way[8:12], -way[:4], atol=1e-6)


def test_truncation_on_a_walk(styled):
    keys = styled.codes_at([3, 1, 8])
    for space in ("w", "z"):
        way = styled.walk(keys, 2, space, truncation=0.5)
        expected = styled.in_w(keys, truncation=Truncation(0.5)).values
        np.testing.assert_allclose(way.values[::2], expected, rtol=1e-5, atol=1e-5)


def test_walks_that_cannot_be(styled, plain):
    keys = styled.codes_at([0, 1])
    for make, said in (
        (lambda: styled.walk(keys.rows([0]), 4), "a walk has at least 2 key pictures. Received: 1"),
        (lambda: styled.walk(keys, 0), "frames is an integer of at least 1. Received: 0"),
        (lambda: styled.walk(styled.in_w(keys), 4, "z"), "a walk in z needs latents"),
        (lambda: plain.walk(plain.codes_at([0, 1]), 4, "w"), "the generator has no styles"),
        (lambda: plain.class_walk(plain.codes_at([0]), [0, 1], 4), "the model has no classes"),
    ):
        with pytest.raises(ConfigError, match=said):
            make()


def test_classes_are_mixed_between_key_pictures(classes):
    codes = classes.codes_at([0, 1], labels=[2, 0])
    (way, other) = classes.class_walk(codes, [2, 0, 1], 4)
    np.testing.assert_array_equal(way.values, codes.values[[0] * 12])
    np.testing.assert_array_equal(other.values, codes.values[[1] * 12])
    np.testing.assert_allclose(way.labels[[0, 1, 4, 8, 11]], [
        [0, 0, 1], [0.25, 0, 0.75], [1, 0, 0], [0, 1, 0], [0, 0.25, 0.75],
    ])  # fmt: skip
    images = classes.show(way).astype(int)
    for frame, label in ((0, 2), (4, 0), (8, 1)):
        pure = classes.render(codes.values[:1], np.array([label]))
        assert np.abs(images[frame] - pure[0]).max() <= 1
    steps = np.abs(np.diff(images, axis=0)).mean((1, 2, 3))
    assert steps.min() > 0 and images[0].tolist() != images[4].tolist()
    # halfway, each norm has the mean of both classes' rows
    middle = classes.show(classes.class_walk(codes, [2, 0], 2)[0].rows([1]))
    for layer in classes.generator.layers:
        if hasattr(layer, "num_classes"):
            for table in (layer.gamma, layer.beta):
                kept = table.numpy()
                table.assign(np.stack([kept[0], (kept[0] + kept[2]) / 2, kept[2]]))
    halfway = classes.render(codes.values[:1], np.array([1]))
    assert np.abs(middle.astype(int) - halfway).max() <= 1


def test_a_walk_through_classes_of_styles_is_truncated():
    """Towards the mean of w, as the pictures of its classes are."""
    options = {"latent_dim": 8, "style_dim": 8, "mapping_layers": 2, "max_channels": 8, "num_classes": 3}
    discriminator = stylegan2_discriminator(8, max_channels=8, num_classes=3, label_layers=2)
    model = GAN(stylegan2_generator(8, **options), discriminator, num_classes=3)
    mean = np.random.default_rng(1).normal(size=(2, 8)).astype("float32")
    model.generator.get_layer("mapping").mean_w.assign(mean)
    codes = model.codes_at([0, 1])
    ways = model.class_walk(codes, [2, 0], 2, truncation=0.25)
    for number, way in enumerate(ways):
        for frame, label in ((0, 2), (2, 0)):
            (w,) = model.styles(codes.values[number : number + 1], labels=np.array([label]))
            np.testing.assert_allclose(way.values[frame], 0.75 * mean[1] + 0.25 * w, rtol=1e-5, atol=1e-5)
            assert np.abs(w - mean[1]).max() > 0.1
    plain = model.class_walk(codes, [2, 0], 2, truncation=1.0)
    assert {way.space for way in ways} == {"w"} and {way.space for way in plain} == {"z"}


def test_a_walk_between_classes_mixes_them(classes):
    way = classes.walk(classes.codes_at([0, 1], labels=[0, 2]), 2)
    np.testing.assert_allclose(way.labels, [[1, 0, 0], [0.5, 0, 0.5], [0, 0, 1], [0.5, 0, 0.5]])
    alike = classes.walk(classes.codes_at([0, 1], labels=[1]), 2)
    assert alike.labels.tolist() == [1, 1, 1, 1]


def test_layers_that_cannot_mix_classes_are_refused():
    model = GAN(*toys.image_networks(num_classes=3), num_classes=3)  # Keras's own embedding
    (way,) = model.class_walk(model.codes_at([0]), [0, 1], 2)
    with pytest.raises(ConfigError, match="classes cannot be mixed"):
        model.show(way)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            dict(values=np.zeros((2, 5), "float32")),
            r"in z of this generator are \[N, 8\]. Received: \[2, 5\]",
        ),
        (dict(space="w", values=np.zeros((2, 3, 8), "float32")), r"\[N, 4, 8\]. Received: \[2, 3, 8\]"),
        (dict(labels=np.array([0, 1])), "has no classes, and the codes have labels"),
        (dict(noise=(np.zeros((2, 4, 4, 1)),)), "noise of this generator is of sizes"),
    ],
)
def test_codes_of_another_generator(styled, changed, said):
    check_codes(styled.codes_at([0, 1]), styled)
    with pytest.raises(ConfigError, match=said):
        check_codes(dataclasses.replace(styled.codes_at([0, 1]), **changed), styled)


def test_labels_of_another_generator(classes, plain):
    codes = classes.codes_at([0, 1], labels=[0, 2])
    for labels, said in (
        (None, "has classes, and the codes have none"),
        (np.array([0, 3]), r"\[0, 3\). Received: 0 to 3"),
        (np.ones((2, 4), "float32"), r"\[0, 3\). Received: shares of 4"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_codes(dataclasses.replace(codes, labels=labels), classes)
    with pytest.raises(ConfigError, match="the generator has no styles"):
        check_codes(Codes("w", np.zeros((1, 4, 8))), plain)
