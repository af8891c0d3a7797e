"""Metrics against what the published programs gave for the same features (`golden/evaluation_metrics.npz`)."""

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.evaluate import frechet, kernel_distances, memorization, projections, scores


@pytest.fixture
def stored(golden):
    return golden("evaluation_metrics")


def test_frechet_distance(stored):
    found = frechet.frechet_distance_of(stored["real"], stored["fake"])
    for program in ("torch_fidelity", "pytorch_fid"):
        assert found == pytest.approx(float(stored[f"fd/{program}"]), rel=1e-9)
    few = frechet.frechet_distance_of(stored["real"][:9], stored["fake"][:12])
    assert few == pytest.approx(float(stored["fd/few_samples_symmetric"]), abs=2e-6)


def test_frechet_infinity(stored, monkeypatch):
    sizes = stored["fd_infinity/sizes"]
    monkeypatch.setattr(frechet, "infinity_sizes", lambda *given: sizes)
    found = frechet.frechet_infinity(stored["real"], stored["fake"], orders=stored["fd_infinity/orders"])
    assert found["fid_infinity"] == pytest.approx(float(stored["fd_infinity/result"]), rel=1e-9)
    assert found["fid_infinity_slope"] == pytest.approx(float(stored["fd_infinity/slope"]), rel=1e-9)


def test_sizes_of_frechet_infinity(stored):
    np.testing.assert_array_equal(frechet.infinity_sizes(50000), stored["fd_infinity/chong_sizes_50000"])
    np.testing.assert_array_equal(frechet.infinity_sizes(120), stored["fd_infinity/dgm_sizes_120"])


def test_the_interval_of_frechet_infinity_by_hand():
    """Three points on no line: the intercept's error by the formula of least squares."""
    counts, values = np.array([2, 4, 8]), np.array([5.0, 2.0, 2.5])
    x = 1.0 / counts
    slope, intercept = np.polyfit(x, values, 1)
    rest = np.sum((values - intercept - slope * x) ** 2) / (3 - 2)
    error = np.sqrt(rest * (1 / 3 + x.mean() ** 2 / np.sum((x - x.mean()) ** 2)))
    half = 12.706204736 * error  # 97.5 % of Student's t with one degree of freedom
    features = np.zeros((8, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frechet, "infinity_sizes", lambda *given: counts)
        patch.setattr(
            frechet, "frechet_distance", lambda real, fake: dict(zip(counts, values, strict=True))[fake.count]
        )
        found = frechet.frechet_infinity(features, features)
    assert found["fid_infinity_error"] == pytest.approx(half, rel=1e-8)
    assert found["fid_infinity"] == pytest.approx(intercept, rel=1e-9)


def test_kernel_distance_of_subsets(stored):
    found = kernel_distances.kernel_distance_of_subsets(stored["real"], stored["fake"], 6, 50, seed=2020)
    expected = float(stored["kid/torch_fidelity_mean"]), float(stored["kid/torch_fidelity_std"])
    assert found == pytest.approx(expected, rel=1e-9)
    parts = [stored[f"kid/{side}_subsets"][0] for side in ("real", "fake")]
    first = kernel_distances.squared_discrepancy(stored["real"][parts[0]], stored["fake"][parts[1]])
    for name in ("unbiased", "nvlabs"):
        assert first == pytest.approx(float(stored[f"kid/subset0_{name}"]), rel=1e-9)
    with pytest.raises(ConfigError, match="subsets of 200 need as many samples. Received: 150 and 120"):
        kernel_distances.kernel_distance_of_subsets(stored["real"], stored["fake"], 6, 200)


@pytest.mark.parametrize("block", [1024, 64, 33])
def test_kernel_distance_of_blocks(stored, block):
    mean, error = kernel_distances.kernel_distance_of_blocks(stored["real"], stored["fake"], block)
    assert mean == pytest.approx(float(stored[f"kid/tfgan_block{block}_mean"]), rel=1e-6)
    np.testing.assert_allclose(error, stored[f"kid/tfgan_block{block}_stderr"], rtol=1e-5)


def test_cmmd(stored):
    assert kernel_distances.cmmd(stored["real"], stored["fake"]) == pytest.approx(
        float(stored["cmmd/result"]), rel=1e-9
    )
    assert kernel_distances.cmmd(stored["real"], 3.0 * stored["real"]) == pytest.approx(0.0, abs=1e-9)


def test_mind(stored):
    real, lines = stored["real"][stored["mind/real_subset"]], stored["mind/directions"]
    in_float32 = projections.mind(real, stored["fake"], lines=lines)
    assert in_float32 == pytest.approx(float(stored["mind/torch_fidelity_float32"]), rel=1e-6)
    in_float64 = projections.mind(real, stored["fake"], lines=lines, dtype=np.float64)
    assert in_float64 == pytest.approx(float(stored["mind/float64"]), rel=1e-10)
    whole = projections.mind(stored["real"], stored["fake"], lines=lines, dtype=np.float64, thin_out=False)
    assert whole == pytest.approx(float(stored["mind/exact_unequal_float64"]), rel=1e-10)


def test_mind_of_a_shift_and_of_equal_sets():
    features = np.random.default_rng(0).normal(size=(200, 8))
    shift = np.full(8, 0.5)
    assert projections.mind(features, features + shift, 4000, dtype=np.float64) == pytest.approx(
        3 * 8 * 0.25, rel=0.05
    )
    assert projections.mind(features, features[::-1]) == pytest.approx(0.0, abs=1e-12)


def test_mind_does_not_hold_all_lines_at_once(monkeypatch):
    generator = np.random.default_rng(0)
    real, fake = generator.normal(size=(2, 30, 5))
    whole = projections.mind(real, fake, 50)
    monkeypatch.setattr(projections, "_SORTED", 100)
    assert projections.mind(real, fake, 50) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("k", [3, 5])
def test_precision_recall_density_coverage(stored, k):
    pair = scores.precision_recall(stored["real"], stored["fake"], k)
    for program in ("clova", "torch_fidelity"):
        assert pair == tuple(
            pytest.approx(float(stored[f"prdc/{program}_k{k}_{n}"])) for n in ("precision", "recall")
        )
    density, coverage = scores.density_coverage(stored["real"], stored["fake"], k)
    assert density == pytest.approx(float(stored[f"prdc/clova_k{k}_density"]))
    assert coverage == pytest.approx(float(stored[f"prdc/clova_k{k}_coverage"]))


def test_balls_are_closed_so_that_copies_are_inside(stored):
    """Every image four times, both sets equal: open balls, as in prdc, find a third."""
    copies = stored["prdc/duplicates"]
    assert scores.precision_recall(copies, copies, 3) == (1.0, 1.0)
    assert tuple(stored["prdc/duplicates_torch_fidelity"]) == (1.0, 1.0)


def test_inception_score(stored):
    logits = stored["is/logits"]
    expected = float(stored["is/unshuffled_mean"]), float(stored["is/unshuffled_std"])
    assert scores.inception_score(logits) == pytest.approx(expected, rel=1e-12)
    shuffled = scores.inception_score(logits[stored["is/permutation"]])
    assert shuffled == pytest.approx(
        (float(stored["is/torch_fidelity_mean"]), float(stored["is/torch_fidelity_std"]))
    )
    assert scores.inception_score(logits, 1)[0] == pytest.approx(float(stored["is/one_split"]), rel=1e-12)


def test_authenticity(stored):
    generated = stored["auth/generated"]
    np.testing.assert_array_equal(memorization.authentic(stored["real"], generated), stored["auth/flags"])
    assert memorization.auth_pct(stored["real"], generated) == pytest.approx(
        float(stored["auth/authpct_float32"])
    )
    assert memorization.auth_pct(stored["real"], stored["real"][:40]) == 0.0


def test_copying_score(stored):
    found = memorization.copying_score(stored["real"], stored["auth/generated"], stored["test"])
    assert found == pytest.approx(float(stored["ct/zu_one_cell"]), rel=1e-12)
    assert memorization.copying_score(stored["real"], stored["real"], stored["test"]) < -5


def test_nearest_by_hand():
    train, points = np.array([[0.0], [10.0], [14.0]]), np.array([[9.0], [13.5], [-3.0]])
    index, distance = memorization.nearest(points, train)
    assert index.tolist() == [1, 2, 0] and distance.tolist() == [1.0, 0.5, 3.0]
    assert memorization.nearest_of_own(train).tolist() == [10.0, 4.0, 4.0]
    assert memorization.authentic(train, points).tolist() == [False, False, False]
    assert memorization.authentic(train, np.array([[19.0]])).tolist() == [
        True
    ]  # 5 away, and 14 has one 4 away
    assert memorization.nearest_ratio(train, points, np.array([[2.0]])) == 0.5
