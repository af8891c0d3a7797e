"""Moments and the Frechet distance: closed forms, numpy, TF-GAN, streaming."""

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.evaluate import tensorflow_gan
from tfgans.evaluate.frechet import Moments, frechet_distance


def moments_of(mean, covariance, count=100):
    mean = np.asarray(mean, np.float64)
    scatter = np.asarray(covariance, np.float64) * (count - 1)
    return Moments.from_arrays({"count": count, "mean": mean, "scatter": scatter})


def samples(count, size, seed, shift=0.0):
    random = np.random.RandomState(seed)
    mix = random.normal(size=(size, size)) / np.sqrt(size)
    return (random.normal(size=(count, size)) @ mix + shift).astype(np.float32)


def test_one_dimension():
    """(m1 - m2)^2 + (s1 - s2)^2: (1 - 3)^2 + (2 - 5)^2."""
    assert frechet_distance(moments_of([1], [[4]]), moments_of([3], [[25]])) == pytest.approx(13, abs=1e-12)


def test_diagonal_covariances():
    """0.5^2 + (1 - 3)^2 + (4 - 2)^2 + (0 - 1)^2: a singular side falls back on the symmetric root."""
    first = moments_of([0, 0, 0.5], np.diag([1.0, 16.0, 0.0]))
    second = moments_of([0, 0, 0], np.diag([9.0, 4.0, 1.0]))
    assert frechet_distance(first, second) == pytest.approx(9.25, abs=1e-9)
    assert frechet_distance(second, first) == pytest.approx(9.25, abs=1e-9)


def test_rotated_covariances_against_scipy():
    from scipy.linalg import sqrtm

    x, y = samples(300, 20, 0), samples(400, 20, 1, 0.3)
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.trace(sqrtm(a.astype(np.float64) @ b).real)
    expected = np.sum((x.mean(0, np.float64) - y.mean(0, np.float64)) ** 2) + np.trace(a + b) - 2 * root
    ours = frechet_distance(Moments(20).update(x), Moments(20).update(y))
    assert ours == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("counts", [(500, 400), (500, 20), (20, 500), (30, 20)], ids=str)
def test_equals_tfgan_also_with_fewer_samples_than_features(counts):
    x, y = samples(counts[0], 64, 0), samples(counts[1], 64, 1, 0.2)
    ours = frechet_distance(Moments(64).update(x), Moments(64).update(y))
    theirs = float(tensorflow_gan.frechet_classifier_distance_from_activations(x, y))
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_equal_sets_are_at_distance_zero():
    for count in (10, 500):
        moments = Moments(32).update(samples(count, 32, 0))
        assert abs(frechet_distance(moments, moments)) < 1e-5


def test_streaming_in_any_batches_equals_numpy_under_a_large_offset():
    x = samples(1000, 8, 0).astype(np.float64) + 1e6
    for sizes in ([1000], [1] * 1000, [1, 299, 700], [0, 500, 0, 500]):
        moments = Moments(8)
        for batch in np.split(x, np.cumsum(sizes)[:-1]):
            moments.update(batch)
        assert moments.count == 1000
        np.testing.assert_allclose(moments.mean, x.mean(0), rtol=1e-13)
        np.testing.assert_allclose(moments.covariance, np.cov(x, rowvar=False), rtol=1e-6, atol=1e-9)


def test_merge_is_the_stream_of_both():
    x = samples(900, 8, 0, 5.0)
    parts = [Moments(8).update(part) for part in (x[:200], x[200:201], x[201:])]
    merged = Moments(8).merge(parts[0]).merge(parts[1]).merge(Moments(8)).merge(parts[2])
    whole = Moments(8).update(x)
    assert merged.count == 900
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.covariance, whole.covariance, rtol=1e-10, atol=1e-12)


def test_save_and_load(tmp_path):
    moments = Moments(8).update(samples(50, 8, 0))
    moments.save(tmp_path / "deep" / "moments.npz")
    loaded = Moments.load(tmp_path / "deep" / "moments.npz")
    assert loaded.count == 50
    np.testing.assert_array_equal(loaded.mean, moments.mean)
    np.testing.assert_array_equal(loaded.covariance, moments.covariance)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["moments.npz"]


def test_nan_goes_through():
    broken = Moments(3).update(np.full((5, 3), np.nan))
    assert np.isnan(frechet_distance(broken, Moments(3).update(samples(9, 3, 0))))


def test_refusals():
    two = Moments(2).update(np.eye(2))
    with pytest.raises(ConfigError, match="2 and 3"):
        frechet_distance(two, Moments(3).update(np.eye(3)))
    with pytest.raises(ConfigError, match="two samples.*2, 1"):
        frechet_distance(two, Moments(2).update(np.ones((1, 2))))
    with pytest.raises(ConfigError, match=r"\[n, 2\]. Received: \(4, 3\)"):
        two.update(np.ones((4, 3)))
