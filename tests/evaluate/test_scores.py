"""Inception score, kernel distance, precision and recall, density and coverage, sliced Wasserstein."""

import tracemalloc

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.evaluate import scores, tensorflow_gan
from tfgans.evaluate.kernel_distances import kernel_distance_of_blocks
from tfgans.evaluate.sliced_wasserstein import laplacian_pyramid, sliced_wasserstein

RANDOM = np.random.RandomState(0)


def test_inception_score_of_certain_and_even_predictions():
    certain = np.eye(4, dtype=np.float32)[np.arange(400) % 4] * 200
    assert scores.inception_score(certain) == pytest.approx((4, 0), abs=1e-9)
    assert scores.inception_score(np.zeros((400, 7))) == pytest.approx((1, 0), abs=1e-9)
    assert scores.inception_score(certain[:1].repeat(40, 0)) == pytest.approx((1, 0), abs=1e-9)


def test_inception_score_by_hand():
    """p = (3/4, 1/4) and its mirror: exp(log 2 - H(1/4)); the deviation is the population's."""
    pair = np.log([[0.75, 0.25], [0.25, 0.75]])
    mixed = 2 * np.exp(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    logits = np.concatenate([pair, np.zeros((2, 2))])
    mean, deviation = scores.inception_score(logits, splits=2)
    assert mean == pytest.approx((mixed + 1) / 2, abs=1e-12)
    assert deviation == pytest.approx((mixed - 1) / 2, abs=1e-12)


@pytest.mark.parametrize("sizes", [[103], [1] * 103, [50, 3, 50]], ids=str)
def test_inception_score_streams_and_equals_tfgan(sizes):
    logits = (RANDOM.normal(size=(103, 6)) * 4 + 30).astype(np.float32)
    stream = scores.InceptionScore(103, splits=4)
    for batch in np.split(logits, np.cumsum(sizes)[:-1]):
        stream.update(batch)
    parts = [logits[103 * i // 4 : 103 * (i + 1) // 4] for i in range(4)]
    expected = [float(tensorflow_gan.classifier_score_from_logits(part)) for part in parts]
    assert stream.result() == pytest.approx((np.mean(expected), np.std(expected)), rel=1e-5)


def test_inception_score_refusals():
    with pytest.raises(ConfigError, match=r"\[1, 5\].*Received: 10"):
        scores.InceptionScore(5)
    with pytest.raises(ConfigError, match="5 samples of the 6"):
        scores.InceptionScore(6, 2).update(np.zeros((5, 3))).result()
    with pytest.raises(ConfigError, match="more than the 6"):
        scores.InceptionScore(6, 2).update(np.zeros((7, 3)))
    assert np.isnan(scores.inception_score(np.full((10, 3), np.nan))[0])


def test_kernel_distance_by_hand():
    """k(x, y) = (xy + 1)^3 on {0, 1} and {1, 1}: 1 + 8 - 2 (1 + 1 + 8 + 8) / 4 = 0."""
    zero_one, ones = np.array([[0.0], [1.0]]), np.ones((2, 1))
    value, error = kernel_distance_of_blocks(zero_one, ones)
    assert value == pytest.approx(0.0, abs=1e-12) and np.isnan(error)
    # {0, 0} and {1, 1}: 1 + 8 - 2 * 1
    assert kernel_distance_of_blocks(np.zeros((2, 1)), ones)[0] == pytest.approx(7.0, abs=1e-12)


@pytest.mark.parametrize("counts", [(300, 300), (257, 310), (64, 50)], ids=str)
def test_kernel_distance_equals_tfgan(counts):
    real = RANDOM.normal(size=(counts[0], 12))
    fake = RANDOM.normal(size=(counts[1], 12)) + 0.3
    ours = kernel_distance_of_blocks(real, fake, 64)
    theirs = [float(x) for x in tensorflow_gan.kernel_classifier_distance_from_activations(real, fake, 64)]
    assert ours == pytest.approx(theirs, rel=1e-9, nan_ok=True)


def test_kernel_distance_is_unbiased():
    """Equal distributions: the mean over trials is zero within four of its standard errors."""
    trials = [
        kernel_distance_of_blocks(RANDOM.normal(size=(20, 3)), RANDOM.normal(size=(20, 3)))[0]
        for _ in range(400)
    ]
    assert abs(np.mean(trials)) < 4 * np.std(trials) / 20
    assert min(trials) < 0 < max(trials)


def test_kernel_distance_refuses_blocks_without_pairs():
    with pytest.raises(ConfigError, match="fewer than two"):
        kernel_distance_of_blocks(np.ones((3, 2)), np.ones((40, 2)), 10)


LINE = np.arange(10.0)[:, None]  # distance to the k-th neighbour: k at the ends, less inside


def test_precision_and_recall_by_hand():
    """Balls of the 1st neighbour have radius 1 around 0..9: fakes at -1 and 5.5 are inside, 11 is not.

    Fake balls: around -1 radius 6.5 (to 5.5), 5.5 radius 5.5 (to 11), 11 radius 5.5. They hold 0..5 and
    0..9 and 6..9: all reals.
    """
    fake = np.array([[-1.0], [5.5], [11.0]])
    assert scores.precision_recall(LINE, fake, k=1) == (pytest.approx(2 / 3), 1.0)


def test_precision_and_recall_of_known_sets():
    assert scores.precision_recall(LINE, LINE) == (1.0, 1.0)
    assert scores.precision_recall(LINE, LINE + 1000) == (0.0, 0.0)
    collapsed = np.full((10, 1), 5.0)  # one real place only: all inside, only that place found
    assert scores.precision_recall(LINE, collapsed) == (1.0, pytest.approx(0.1))


def test_density_and_coverage_by_hand():
    """k = 1, balls of radius 1: 5.5 lies in two (5, 6), -1 in one (0), 20 in none; 3 of 10 are filled."""
    fake = np.array([[5.5], [-1.0], [20.0]])
    density, coverage = scores.density_coverage(LINE, fake, k=1)
    assert (density, coverage) == (pytest.approx(1.0), pytest.approx(0.3))
    density, coverage = scores.density_coverage(LINE, fake[:2], k=1)
    assert (density, coverage) == (pytest.approx(1.5), pytest.approx(0.3))
    assert scores.density_coverage(LINE, LINE + 1000) == (0.0, 0.0)


def test_radii_against_scikit_learn_under_an_offset():
    from sklearn.neighbors import NearestNeighbors

    x = (RANDOM.normal(size=(2500, 5)) + 100).astype(np.float32)
    expected = NearestNeighbors(n_neighbors=4).fit(x.astype(np.float64)).kneighbors()[0][:, 2]
    np.testing.assert_allclose(np.sqrt(scores.neighbour_radii(x, 3)), expected, rtol=1e-6)


def test_repeated_samples_have_themselves_as_neighbours_only_once():
    assert scores.neighbour_radii(np.array([[0.0], [0.0], [3.0]]), 1).tolist() == [0.0, 0.0, 9.0]


def test_too_few_neighbours_are_refused():
    with pytest.raises(ConfigError, match="more than 3 samples. Received: 3"):
        scores.precision_recall(LINE[:3], LINE)


def test_distances_are_never_held_whole():
    """5000 x 5000 distances are 200 MB; a chunk of 1024 rows is 41 MB and the next is made beside it."""
    x = RANDOM.normal(size=(5000, 4)).astype(np.float32)
    tracemalloc.start()
    scores.precision_recall(x, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 40e6 < peak < 100e6


def images(count, size=32, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (count, size, size, channels)).astype(np.uint8)


def test_pyramid_equals_tfgan():
    batch = images(3, 64)
    for ours, theirs in zip(
        laplacian_pyramid(batch, 3), tensorflow_gan.laplacian_pyramid(batch, 3), strict=True
    ):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-3)


def test_sliced_wasserstein_equals_tfgan_within_its_noise():
    """Both draw patches at random; with 6,400 of them a value repeats within a few per cent."""
    import tensorflow as tf

    real, fake = images(100), images(100, seed=1)
    fake = fake[:, ::8, ::8].repeat(8, axis=1).repeat(8, axis=2)
    np.random.seed(0)
    tf.random.set_seed(0)
    theirs = tensorflow_gan.sliced_wasserstein_distance(real, fake)
    ours = sliced_wasserstein(real, fake)
    assert len(ours) == len(theirs) == 2
    for value, (_, expected) in zip(ours, theirs, strict=True):
        assert value == pytest.approx(float(expected), rel=0.1)
        assert value > 2 * float(theirs[0][0])


def test_sliced_wasserstein_repeats_and_bears_plain_images():
    real = images(20, channels=1)
    real[:10] = 0
    assert sliced_wasserstein(real, real, 8) == sliced_wasserstein(real, real, 8)
    flat = np.zeros_like(real)
    assert np.isfinite(sliced_wasserstein(real, flat, 8)).all()
    assert sliced_wasserstein(flat, flat, 8) == [0.0, 0.0]
    assert len(sliced_wasserstein(images(4, 8), images(4, 8), 8)) == 1
    with pytest.raises(ConfigError, match="equal sets"):
        sliced_wasserstein(real, images(3), 8)
