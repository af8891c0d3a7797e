"""Perceptual path length: paths of a generator, and what is measured of them."""

import numpy as np
import pytest
import tensorflow as tf
from toys import image_networks, scalar_networks

from tfgans.config import ConfigError
from tfgans.data import to_uint8
from tfgans.evaluate import path_length
from tfgans.evaluate.classifier_features import ClassifierFeatures
from tfgans.evaluate.features import DigitsFeatures, PointFeatures
from tfgans.evaluate.keras_features import KerasFeatures
from tfgans.evaluate.path_length import PathLength
from tfgans.gan import GAN
from tfgans.gan.paths import slerp
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator


class Pixels:
    """Features that are the pixels themselves, in float64."""

    name = "pixels"

    def check(self):
        """Nothing to load."""

    def of_pixels(self, images):
        return images.reshape(len(images), -1).astype(np.float64)


def paths_of(slopes, shape=(2, 2, 1), asked=None):
    """Path k changes each value by slopes[k] a unit of t, from an image of its own."""

    def paths(space, step, full):
        position = 0
        if asked is not None:
            asked.append((space, step, full))

        def pairs(count):
            nonlocal position
            k = np.asarray(slopes)[position : position + count, None, None, None]
            position += count
            first = np.zeros((count, *shape)) + 0.1 * k
            return first, first + step * k

        return pairs

    return paths


def test_the_mean_of_what_is_between_percentiles(golden):
    stored = golden("evaluation_metrics")
    distances = stored["ppl/distances"]
    assert path_length.trimmed_mean(distances) == pytest.approx(float(stored["ppl/mean_nvlabs"]), rel=1e-12)
    low, high = np.sort(distances)[[2, -3]]
    assert np.sum((low <= distances) & (distances <= high)) == stored["ppl/kept_count"]
    assert np.isnan(path_length.trimmed_mean(np.array([1.0, np.inf])))


def test_slerp_goes_along_nvidias_circle(golden):
    stored = golden("evaluation_metrics")
    first, last, t = stored["ppl/a"], stored["ppl/b"], stored["ppl/t"][:, None]
    found = slerp(first, last, t)
    lengths = [np.linalg.norm(x, axis=1, keepdims=True) for x in (first, last)]
    expected = stored["ppl/slerp_nvlabs"] * ((1 - t) * lengths[0] + t * lengths[1])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(slerp(first, last, np.zeros((5, 1))), first, rtol=1e-12)
    np.testing.assert_allclose(slerp(first, last, np.ones((5, 1))), last, rtol=1e-12)
    np.testing.assert_allclose(slerp(first, 3 * first, np.full((5, 1), 0.5)), 2 * first, rtol=1e-6)


def test_path_lengths_by_hand():
    """Of 200 paths the two shortest... and the one longest beyond the percentiles do not count."""
    slopes, asked = np.random.RandomState(0).permutation(200) + 1.0, []
    found = PathLength(200, batch_size=30, epsilon=1e-3)(paths_of(slopes, asked=asked), "z", Pixels())
    each = 4 * (127.5 * np.arange(1.0, 201.0)) ** 2
    expected = each[1:199].mean()  # the 1.99th and the 197.01th of 0 to 199, to the outer side
    assert found == {"ppl_z_end_pixels": pytest.approx(expected, rel=1e-6), "ppl_samples": 200}
    assert asked == [("z", 1e-3, False)]


def test_the_name_says_what_was_measured():
    asked = []
    paths = paths_of(np.ones(3), (8, 8, 1), asked)
    found = PathLength(3, "full", crop=True)(paths, "w", Pixels())
    assert list(found) == ["ppl_w_full_crop_pixels", "ppl_samples"] and asked == [("w", 1e-4, True)]
    assert found["ppl_w_full_crop_pixels"] == pytest.approx(16 * 127.5**2, rel=1e-6)  # 4 x 4 of 8 x 8 pixels
    own = PathLength(3, features=Pixels())(paths, "z", DigitsFeatures())
    assert list(own) == ["ppl_z_end_pixels", "ppl_samples"]
    assert PathLength(3)(None, "z", Pixels()) == {}


def test_the_crop_is_the_middle_below():
    seen = PathLength(2, crop=True)._seen(np.arange(64.0).reshape(1, 8, 8, 1) / 127.5 - 1)
    np.testing.assert_allclose(seen[0, :, :, 0], np.arange(64).reshape(8, 8)[3:7, 2:6], atol=1e-9)


def test_large_images_are_shrunk_by_means():
    image = np.zeros((1, 512, 512, 1), np.float32)
    image[0, :2, :2, 0] = [[1, 0], [0, 0]]
    seen = PathLength(2)._seen(image)
    assert seen.shape == (1, 256, 256, 1)
    assert seen[0, 0, 0, 0] == pytest.approx(1.25 * 127.5) and seen[0, 0, 1, 0] == 127.5
    assert PathLength(2)._seen(image[:, :511, :511]).shape == (1, 511, 511, 1)


@pytest.fixture(scope="module")
def model():
    return GAN(*image_networks(3), num_classes=3, seed=4)


def test_paths_in_z_are_of_one_stream_and_not_rounded(model):
    pairs = model.paths(seed=7)("z", 1e-2, False)
    parts = [pairs(3), pairs(2)]
    first, last = model.paths(seed=7)("z", 1e-2, False)(5)
    for found, whole in zip(zip(*parts, strict=True), (first, last), strict=True):
        np.testing.assert_allclose(np.concatenate(found), whole, atol=1e-5)
    assert first.dtype == np.float32 and first.shape == (5, 8, 8, 1)
    latents, labels = [], []
    plain = model._unrounded
    model._unrounded = lambda *given: (latents.append(given[0]), labels.append(given[1]), plain(*given))[-1]
    model.paths(seed=7)("z", 1e-2, False)(5)
    model._unrounded = plain
    ends = slerp(latents[0], latents[1], np.full((5, 1), 1.0))  # 0.01 of the way
    angle = np.arccos(np.sum(latents[0] * latents[1], 1) / np.prod(np.linalg.norm(latents, axis=2), axis=0))
    assert np.all(angle < 0.01 * np.pi) and np.all(angle > 0) and ends.shape == (5, 4)
    np.testing.assert_array_equal(labels[0], labels[1])
    np.testing.assert_array_equal(to_uint8(first), model.render(latents[0], labels[0]))
    assert 0 < np.abs(last - first).max() < 0.2
    other = model.paths(seed=8)("z", 1e-2, False)(5)[0]
    full, _ = model.paths(seed=7)("z", 1e-2, True)(5)
    assert min(np.abs(first - x).max() for x in (other, full)) > 0.01


def test_the_length_of_paths_does_not_depend_on_the_step(model):
    """Two steps small enough agree, as a derivative does; rounded images would be at 0 or far off."""
    found = [
        PathLength(40, epsilon=step, features=Pixels())(model.paths(seed=1), "z", None)["ppl_z_end_pixels"]
        for step in (1e-3, 5e-4)
    ]
    assert found[0] > 0 and found[0] == pytest.approx(found[1], rel=0.01)


def test_paths_in_w_are_straight_lines_of_styles():
    generator = stylegan2_generator(8, latent_dim=8, style_dim=8, mapping_layers=2, max_channels=8)
    model = GAN(generator, stylegan2_discriminator(8, max_channels=8), ema_decay=0.9, seed=3)
    assert model.path_spaces == ("z", "w")
    seen, plain = [], model.styles
    model.styles = lambda *given, **more: (seen.append(plain(*given, **more)), seen[-1])[-1]
    first, last = model.paths(seed=0, weights="raw")("w", 0.25, False)(3)
    model.styles = plain
    synthesis = generator.get_layer("synthesis")
    np.testing.assert_allclose(first, synthesis(tf.constant(seen[0])), atol=1e-5)
    moved = seen[0] + 0.25 * (seen[1] - seen[0])
    np.testing.assert_allclose(last, synthesis(tf.constant(moved)), atol=1e-5)
    assert np.abs(seen[1] - seen[0]).min(axis=(1, 2)).max() >= 0 and np.any(seen[0] != seen[1])


def test_spaces_that_a_generator_does_not_have(model):
    assert model.path_spaces == ("z",)
    with pytest.raises(ConfigError, match="paths in w: the generator has no styles"):
        model.paths(seed=0)("w", 1e-4, False)
    points = GAN(*scalar_networks())
    assert points.path_spaces == () and points.paths(seed=0) is None


def test_extractors_without_features_of_what_is_not_rounded_are_refused(tmp_path):
    import keras

    images = keras.Input((4, 4, 3))
    file = str(tmp_path / "own.keras")
    keras.Model(images, keras.layers.Flatten()(images)).save(file)
    with pytest.raises(ConfigError, match="path lengths need .* not rounded, and points has none: bind Path"):
        PathLength().check(PointFeatures())
    with pytest.raises(ConfigError, match="own: KerasFeatures.resize = 'bicubic_uint8' rounds images"):
        PathLength().check(KerasFeatures(file, "own", size=4))
    rules = {"size": 4, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    features = KerasFeatures(file, "own", resize="asymmetric", **rules)
    PathLength(features=features).check(PointFeatures())
    image = np.full((1, 4, 4, 3), 25.6, np.float32)
    np.testing.assert_allclose(features.of_pixels(image), np.full((1, 48), 25.6 / 255), rtol=1e-6)


def test_features_of_pixels_are_those_of_images_where_these_are_whole(tmp_path):
    from test_classifier import written

    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    written(tmp_path / "rgb.keras")
    for features in (DigitsFeatures(), ClassifierFeatures(str(tmp_path / "rgb.keras"))):
        found = features.of_pixels(images.astype(np.float32))
        np.testing.assert_allclose(found, features(images)["features"], rtol=1e-4, atol=1e-4)
    written(tmp_path / "gray.keras", channels=1)
    features = ClassifierFeatures(str(tmp_path / "gray.keras"))
    plain = np.full((1, 5, 7, 3), 7.0, np.float32)  # another size, and gray: Pillow's luma of equal channels
    np.testing.assert_allclose(
        features.of_pixels(plain), features(plain.astype(np.uint8))["features"], atol=1e-3
    )
