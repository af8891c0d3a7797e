"""Statistics in the place of a set's images: saved, taken, those of others."""

import json

import gin
import numpy as np
import pytest
from two_sets import between

from tfgans.config import ConfigError
from tfgans.evaluate import kernel_distances
from tfgans.evaluate.features import DigitsFeatures
from tfgans.run import build, sets


def test_statistics_are_saved_and_taken(folders, tmp_path):
    root, arrays = folders
    expected = between(root / "real", root / "fake", ("fid", "precision_recall"))
    assert between(root / "real", None, save=str(tmp_path / "real.npz")) is None
    found = between(tmp_path / "real.npz", root / "fake", ("fid", "precision_recall"))
    names = ("fid", "precision", "recall", "num_samples", "num_reference")
    assert [found[n] for n in names] == [pytest.approx(expected[n], rel=1e-6) for n in names]
    stored = np.load(tmp_path / "real.npz")
    features = DigitsFeatures()(arrays["real"])["features"].astype(np.float64)
    np.testing.assert_allclose(stored["sigma"], np.cov(features, rowvar=False), rtol=1e-6, atol=1e-9)


def test_statistics_are_of_one_size(folders, tmp_path, caplog):
    root, arrays = folders
    path, fake = str(tmp_path / "real.npz"), root / "fake"
    between(root / "real", None, save=path, resolution=(6, 8))
    assert between(path, fake, resolution=(6, 8))["fid"] > 0
    with pytest.raises(ConfigError, match="real.npz has statistics of images of 6 high and 8 wide. .*=16"):
        between(path, fake, resolution=16)
    between(root / "real", None, save=path)
    assert between(path, fake, resolution=9) == between(path, fake) and "which size" not in caplog.text
    features = DigitsFeatures()(arrays["real"])["features"].astype(np.float64)
    np.savez(path, mu=features.mean(axis=0), sigma=np.cov(features, rowvar=False))
    between(path, fake)
    assert "which size" not in caplog.text
    between(path, fake, resolution=9)
    assert "real.npz does not say of which size its images were" in caplog.text


def test_statistics_of_pytorch_fid(folders, tmp_path):
    root, arrays = folders
    features = DigitsFeatures()(arrays["real"])["features"].astype(np.float64)
    path = tmp_path / "stats.npz"
    np.savez(path, mu=features.mean(axis=0), sigma=np.cov(features, rowvar=False))
    found = between(path, root / "fake")
    assert found["fid"] == pytest.approx(between(root / "real", root / "fake")["fid"], rel=1e-6)
    assert found["num_reference"] is None and found["num_samples"] == 30
    with pytest.raises(
        ConfigError, match="^kid needs features: these statistics hold mean and covariance alone"
    ):
        between(path, root / "fake", ("fid", "kid"))


def test_statistics_that_do_not_say_of_which_features_they_are(folders, tmp_path, caplog):
    """They may be of another preprocessing: it is said for what they are taken."""
    root, _ = folders
    np.savez(tmp_path / "foreign.npz", mu=np.zeros(64), sigma=np.eye(64))
    between(root / "real", None, save=tmp_path / "own.npz")
    between(tmp_path / "own.npz", root / "fake")
    assert "which features" not in caplog.text
    between(tmp_path / "foreign.npz", root / "fake")
    line = f"{tmp_path / 'foreign.npz'} does not say of which features it is: taken for digits_classifier"
    assert caplog.messages.count(line) == 1


def test_a_value_that_is_no_number_is_null(folders, tmp_path):
    """One block of samples gives a kid without an error, of statistics as of images."""
    root, _ = folders
    between(root / "real", None, save=tmp_path / "real.npz")
    found = between(tmp_path / "real.npz", root / "fake", ("fid", "kid"))
    assert found["kid_std"] is None and json.loads(build.to_json(found)) == found
    images = between(root / "real", root / "fake", ("fid", "kid"))
    assert [found[name] for name in ("fid", "kid")] == pytest.approx([images["fid"], images["kid"]], rel=1e-6)


def test_how_many_samples_a_metric_takes_is_the_evaluators(folders, tmp_path):
    """Of statistics as of images: the first seven that are kept."""
    root, _ = folders
    between(root / "real", None, save=tmp_path / "real.npz")
    between(root / "fake", None, save=tmp_path / "fake.npz")
    real, fake = (np.load(tmp_path / f"{name}.npz")["kept"].astype(float) for name in ("real", "fake"))
    assert real.shape[0] == 40 and fake.shape[0] == 30
    gin.bind_parameter("Evaluator.neighbour_samples", 7)
    gin.bind_parameter("Evaluator.kernel_samples", 5)
    found = between(tmp_path / "real.npz", tmp_path / "fake.npz", ("kid", "memorization"))
    distances = np.linalg.norm(real[:7, None] - np.concatenate([real[:7], fake[:7]]), axis=2)
    own = np.where(np.eye(7, 14, dtype=bool), np.inf, distances)[:, :7].min(1)
    nearest = distances[:, 7:].argmin(0)
    authentic = np.mean(own[nearest] < distances[nearest, 7 + np.arange(7)])
    assert found["auth_pct"] == pytest.approx(100 * authentic)
    assert found["kid"] == pytest.approx(kernel_distances.squared_discrepancy(real[:5], fake[:5]))


def test_statistics_that_cannot_be_saved_are_refused_before_images_are_looked_at(tmp_path):
    (tmp_path / "file").write_text("mine")
    below = tmp_path / "file" / "x.npz"
    for path, why in ((tmp_path, "it is a folder"), (below, f"{tmp_path}/file is not a folder")):
        with pytest.raises(ConfigError) as caught:
            sets.between("nowhere", None, None, save=path)
        assert str(caught.value) == f"--save={path} cannot be written: {why}"
    with pytest.raises(
        ConfigError, match="^--save is a file whose name ends in .npz, .* Received: .*/stats$"
    ):
        sets.between("nowhere", None, None, save=tmp_path / "stats")
    images, statistics = tmp_path / "images.npz", tmp_path / "statistics.npz"
    np.savez(images, images=np.zeros((2, 4, 4, 1), np.uint8))
    np.savez(statistics, mu=np.zeros(2), sigma=np.eye(2))
    with pytest.raises(ConfigError, match="images.npz is there already, and is not statistics"):
        sets.between("nowhere", None, None, save=images)
    with pytest.raises(ConfigError, match="nowhere"):  # statistics are replaced
        sets.between("nowhere", None, None, save=statistics)
