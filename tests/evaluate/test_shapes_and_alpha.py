"""Measuring images with alpha, and images that are no squares."""

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.data import ArrayItems, Dataset
from tfgans.evaluate import evaluation_figures, spectrum
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.features import DigitsFeatures
from tfgans.evaluate.path_length import PathLength
from tfgans.evaluate.sliced_wasserstein import laplacian_pyramid, sliced_wasserstein
from tfgans.pictures import opaque


def noise(count, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


class Held:
    """A source of images in memory."""

    splits = ("train", "test")

    def __init__(self, images):
        self.images = images

    def open(self, split):
        return ArrayItems(self.images)


def test_features_see_alpha_on_white():
    features, images = DigitsFeatures(), noise(3, 12, 20, 4)
    seen = features(images)["features"]
    np.testing.assert_array_equal(seen, features(opaque(images))["features"])
    assert np.abs(seen - features(images[..., :3])["features"]).max() > 0.01
    gray = noise(3, 12, 20, 2)
    np.testing.assert_array_equal(features(gray)["features"], features(opaque(gray))["features"])
    with pytest.raises(ConfigError, match="uint8 images"):
        features(images.astype(float))


def test_the_spectrum_is_of_what_is_seen():
    images = noise(2, 8, 12, 4)
    np.testing.assert_array_equal(spectrum.gray(images), spectrum.gray(opaque(images)))
    assert spectrum.has_spectrum(images[..., :2]) and not spectrum.has_spectrum(images.astype(float))


def test_sliced_wasserstein_of_rectangles():
    """48x32 has two levels, as 32x32 has; alpha counts; one more shape is refused in one line."""
    first, second = noise(64, 48, 32, 4), noise(64, 48, 32, 4, seed=1)
    distances = sliced_wasserstein(first, second)
    assert len(distances) == 2 and max(distances) < 0.1
    changed = second.copy()
    changed[..., -1] //= 16  # fine patches have their mean and variance taken out, coarse ones see it
    assert sliced_wasserstein(first, changed)[1] > 0.5
    assert [level.shape[1:3] for level in laplacian_pyramid(first[:1], 3)] == [(48, 32), (24, 16), (12, 8)]
    with pytest.raises(ConfigError, match=r"H and W at least 8. Received: \(4, 7, 16, 1\)"):
        sliced_wasserstein(noise(4, 7, 16, 1), noise(4, 7, 16, 1))


def test_all_metrics_of_images_with_alpha(tmp_path):
    real, fake = noise(60, 10, 16, 4), noise(60, 10, 16, 4, seed=1)
    metrics = ["fid", "sliced_wasserstein", "spectrum"]
    measure = Evaluator(DigitsFeatures(any_images=True), 60, metrics=metrics, cache_dir=str(tmp_path))
    row = measure(lambda count: fake[:count], Dataset(Held(real), channels=4, batch_size=4))
    assert all(np.isfinite(row[name]) for name in ("fid", "sliced_wasserstein", "spectrum_distance"))
    assert measure.spectra[0].size == (10, 16)
    same = measure(lambda count: real[:count], Dataset(Held(real), channels=4, batch_size=4))
    assert same["sliced_wasserstein"] < row["sliced_wasserstein"] and same["fid"] < 1e-3


def test_path_lengths_see_alpha_on_white():
    """The crop is of each side: rows 3/8 to 7/8, columns 1/4 to 3/4; shrunk by the shorter side's factor."""
    paths, images = PathLength(features=DigitsFeatures(), crop=True), np.zeros((1, 16, 24, 4), np.float32)
    images[..., -1] = -1.0
    assert paths._seen(images).shape == (1, 8, 12, 3) and (paths._seen(images) == 255).all()
    images[..., -1] = 1.0
    assert (paths._seen(images) == 127.5).all()
    plain = PathLength(features=DigitsFeatures(), crop=False)
    assert plain._seen(np.zeros((1, 512, 1024, 1), np.float32)).shape == (1, 256, 512, 1)


def test_the_figure_of_nearest_images_shows_them_on_white():
    images = noise(2, 10, 16, 2)
    groups = [
        {"all": [("generated", seen, None), ("nearest", seen, [0.5, 1.0])]}
        for seen in (images, opaque(images))
    ]
    with_alpha, without = (evaluation_figures.nearest(group, "twins") for group in groups)
    np.testing.assert_array_equal(with_alpha, without)
