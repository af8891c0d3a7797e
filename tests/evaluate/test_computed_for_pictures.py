"""What the pictures of an evaluation are of: nearest images, curves of precision and recall, maps, distances."""

import numpy as np
import pytest
from followed import Means, brute_force, random_images, typical

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate import frechet, nearest_images, prd, principal
from tfgans.evaluate.frechet import Moments, frechet_distance
from tfgans.evaluate.statistics import collect, kept_items


def test_nearest_in_features_and_in_pixels_by_brute_force(data):
    dataset, trained = data
    images = random_images(9, 1)
    images[4] = trained[7]
    features, theirs = Means()(images)["features"], Means()(trained)["features"]
    found = nearest_images.in_features(features, theirs)
    index, distances = brute_force(features, theirs)
    np.testing.assert_array_equal(found.items, index)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5, atol=1e-6)
    assert found.typical == pytest.approx(typical(theirs), rel=1e-5)
    found = nearest_images.in_pixels(images, dataset.trained_on())
    flat = [array.reshape(len(array), -1) / 255.0 for array in (images, trained)]
    index, distances = brute_force(*flat)
    np.testing.assert_array_equal(found.items, index)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5, atol=1e-6)
    assert found.typical == pytest.approx(typical(flat[1]), rel=1e-5)
    assert (found.items[4], found.distances[4]) == (7, pytest.approx(0.0, abs=1e-6))
    np.testing.assert_allclose(found.ratios(), found.distances / found.typical)


def test_pixels_are_searched_over_many_batches_and_without_the_image_itself(tmp_path):
    """One image of 600 has a twin: the others' distances to themselves must not count."""
    images = random_images(600, 2)
    np.savez(tmp_path / "many.npz", images=images)
    training = Dataset(f"npz:{tmp_path / 'many.npz'}").trained_on()
    found = nearest_images.in_pixels(images[[599, 0, 256, 255]], training)
    assert found.items.tolist() == [599, 0, 256, 255] and found.typical > 1.0
    part = training.part(np.array([599, 3, 256]))
    assert nearest_images.in_pixels(images[[256, 599]], part).items.tolist() == [2, 0]


def test_large_images_are_averaged_down():
    images = np.zeros((1, 130, 100, 2), np.uint8)
    images[0, :3, :3, 1] = 255
    small = nearest_images.averaged_down(images).reshape(1, 43, 33, 2)  # squares of 3 x 3, the rest is cut
    assert small[0, 0, 0].tolist() == [0.0, 1.0] and small.sum() == 1.0
    np.testing.assert_allclose(
        nearest_images.averaged_down(images[:, :64, :64]), images[:, :64, :64].reshape(1, -1) / 255.0
    )


def test_twins_have_no_scale():
    assert np.isnan(nearest_images.Neighbours(np.zeros(2, int), np.ones(2), 0.0).ratios()).all()
    one = nearest_images.in_features(np.ones((2, 3)), np.zeros((1, 3)))
    assert one.items.tolist() == [0, 0] and np.isnan(one.ratios()).all()


def test_curve_of_shares_by_hand():
    """At 22.5, 45 and 67.5 degrees."""
    slopes = np.array([np.sqrt(2) - 1, 1.0, np.sqrt(2) + 1])
    half, first = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    precision, recall = prd.curve_of_shares(half, half, 3)
    np.testing.assert_allclose(precision, np.minimum(slopes, 1.0))
    np.testing.assert_allclose(recall, np.minimum(1.0, 1.0 / slopes))
    precision, recall = prd.curve_of_shares(half, first, 3)  # all precise, half of the variety
    np.testing.assert_allclose(precision, np.minimum(slopes / 2, 1.0))
    np.testing.assert_allclose(recall, np.minimum(0.5, 1.0 / slopes))
    assert np.all(prd.curve_of_shares(first, first[::-1], 3) == np.zeros((2, 3)))


def test_curve_of_a_half_of_the_modes():
    draws = np.random.default_rng(0)
    modes = 100.0 * draws.normal(size=(4, 70))

    def points(count, modes):
        return (modes[draws.integers(len(modes), size=count)] + draws.normal(size=(count, 70))).astype("f4")

    real = points(600, modes)
    precision, recall = prd.curve(real, points(500, modes[:2]))
    share = np.mean(brute_force(real[:500], modes)[0] < 2)
    assert precision.max() == pytest.approx(1.0, abs=0.02) and recall.max() == pytest.approx(share, abs=0.02)
    assert prd.largest_f(precision, recall, 8.0) < 0.6 and prd.largest_f(precision, recall, 1 / 8) > 0.9
    precision, recall = prd.curve(real, real)
    np.testing.assert_allclose(np.maximum(precision, recall), 1.0)  # the corner
    again = prd.curve(real, points(500, modes[:1]))
    assert again[1].max() < share and np.all(prd.curve(real, real) == np.array([precision, recall]))
    with pytest.raises(ConfigError, match="of 20 clusters needs more samples: 20 a side"):
        prd.curve(real, real[:20])


def test_f_by_hand():
    """F_1 of (1/2, 1/2) is 1/2, of (1, 1/4) 2/5; F_2 = 5 p r / (4 p + r) of the latter 5/17."""
    precision, recall = np.array([0.5, 1.0, 0.0]), np.array([0.5, 0.25, 0.0])
    assert prd.largest_f(precision, recall, 1.0) == pytest.approx(0.5)
    assert prd.largest_f(precision[1:], recall[1:], 1.0) == pytest.approx(0.4)
    assert prd.largest_f(precision[1:], recall[1:], 2.0) == pytest.approx(5 / 17)


def test_principal_components_are_those_of_the_singular_value_decomposition():
    features = (np.random.default_rng(0).normal(size=(40, 6)) * [9, 5, 3, 1, 1, 1]).astype(np.float32) + 100
    scores, shares = principal.principal_components(features, 2)
    u, s, _ = np.linalg.svd(features.astype(np.float64) - features.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(np.abs(scores), np.abs(u[:, :2] * s[:2]), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(shares, (s**2 / np.sum(s**2))[:2], rtol=1e-4)
    assert principal.principal_components(features[:3], 50)[0].shape == (3, 3)


def test_two_clusters_are_apart_in_the_map_of_neighbours():
    draws = np.random.default_rng(0)
    features = np.concatenate([draws.normal(size=(30, 5)), 50 + draws.normal(size=(30, 5))])
    found = principal.neighbour_map(features)
    index, _ = brute_force(found, np.array([found[:30].mean(axis=0), found[30:].mean(axis=0)]))
    assert index.tolist() == [0] * 30 + [1] * 30


def test_distances_by_the_number_of_samples():
    draws = np.random.default_rng(0)
    real, fake = draws.normal(size=(200, 3)), draws.normal(size=(120, 3)) + 0.5
    moments = Moments(3).update(real)
    orders = [np.arange(120), np.arange(120)[::-1]]
    found = frechet.frechet_by_size(moments, fake, [50, 120], orders=orders)
    expected = [frechet_distance(moments, Moments(3).update(part)) for part in (fake[:50], fake)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    line = frechet.infinity_line(np.array([10, 20, 40]), 3.0 + 5.0 / np.array([10, 20, 40]))
    assert line["fid_infinity"] == pytest.approx(3.0) and line["fid_infinity_slope"] == pytest.approx(5.0)


def test_rows_of_what_is_kept_are_known_items():
    items = np.arange(50, dtype=np.float32)[:, None]
    found = collect(lambda x: {"features": x}, [items[:20], items[20:]], 50, 30)
    np.testing.assert_array_equal(found.kept[:, 0], kept_items(50, 30))


def test_what_is_trained_on(data):
    dataset, trained = data
    training = dataset.trained_on()
    assert training.reference_size() == 30 and training.fingerprint() != dataset.fingerprint()
    np.testing.assert_array_equal(np.concatenate([images for images, _ in training.reference()]), trained)
    np.testing.assert_array_equal(next(training.part([5, 1]).reference([1, 0]))[0], trained[[1, 5]])
    some = dataset.trained_on(12)
    assert (
        some.reference_size() == 12 and len({dataset.trained_on(12).fingerprint(), some.fingerprint()}) == 1
    )
    assert training.fingerprint() != some.fingerprint()
    whole = Dataset(dataset.source)
    assert whole.trained_on().fingerprint() == whole.fingerprint()
