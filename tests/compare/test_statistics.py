import itertools

import numpy as np
import pytest
from scipy import stats

from tfgans.compare import statistics

FIRST = np.array([1.0, 2.0, 4.0, 7.0, 6.0])
SECOND = np.array([3.0, 8.0, 9.0, 11.0])


def test_summary_by_hand():
    result = statistics.summary([1.0, None, 3.0])
    assert (result["mean"], result["median"], result["count"]) == (2.0, 2.0, 2)
    assert result["standard_deviation"] == pytest.approx(np.sqrt(2.0))
    # t(1 degree of freedom, 0.975) = tan(pi (0.975 - 0.5)) = 12.7062; the standard error is 1
    np.testing.assert_allclose(result["t_interval"], [2 - 12.70620, 2 + 12.70620], rtol=1e-6)
    assert result["bootstrap_interval"] == [1.0, 3.0]  # means 1, 2, 3 with shares 1/4, 1/2, 1/4
    assert result["values"] == [1.0, None, 3.0]


@pytest.mark.parametrize("values", [[], [None, None], [5.0], [5.0, None]])
def test_too_few_values_have_no_interval(values):
    result = statistics.summary(values)
    assert result["t_interval"] is result["bootstrap_interval"] is result["standard_deviation"] is None
    assert result["mean"] == (5.0 if 5.0 in values else None)
    pair = statistics.pair(values, [1.0, 2.0], higher_is_better=True)
    assert pair["p_value"] is pair["t_interval"] is pair["first_is_better"] is None
    assert pair["difference"] == (3.5 if 5.0 in values else None)


def test_intervals_by_their_formulas():
    expected = stats.t.interval(0.95, 4, loc=FIRST.mean(), scale=FIRST.std(ddof=1) / np.sqrt(5))
    np.testing.assert_allclose(statistics.t_interval(FIRST), expected, rtol=1e-12)
    random = np.random.default_rng(1)
    means = FIRST[random.integers(0, 5, (20_000, 5))].mean(axis=1)
    found = statistics.bootstrap_interval([FIRST], np.mean)
    np.testing.assert_allclose(
        found, np.quantile(means, [0.025, 0.975]), atol=0.21
    )  # a step of the grid of means
    assert found == statistics.bootstrap_interval([FIRST], np.mean)
    gaps = means - SECOND[random.integers(0, 4, (20_000, 4))].mean(axis=1)
    found = statistics.pair(FIRST, SECOND, True)["bootstrap_interval"]
    np.testing.assert_allclose(found, np.quantile(gaps, [0.025, 0.975]), atol=0.26)
    assert statistics.welch_interval(np.ones(3), np.full(3, 4.0)) == [-3.0, -3.0]
    assert statistics.pair([0.1] * 3, [0.1] * 2, True)["t_interval"] == [0.0, 0.0]
    # One side has no spread: the standard error is that of {0, 2}, 1, with 1 degree of freedom.
    found = statistics.welch_interval(np.full(3, 0.1), np.array([0.0, 2.0]))
    np.testing.assert_allclose(found, [-0.9 - 12.70620, -0.9 + 12.70620], rtol=1e-6)


def test_welch_interval_by_hand():
    # Variances 1 and 4 over 2 values each: error^2 = 2.5, degrees of freedom 2.5^2 / (0.5^2 + 2^2) = 25/17.
    first, second = np.array([0.0, np.sqrt(2.0)]), np.array([10.0, 10.0 + np.sqrt(8.0)])
    centre = -10.0 - np.sqrt(2.0) / 2
    half = stats.t.ppf(0.975, 25 / 17) * np.sqrt(2.5)
    np.testing.assert_allclose(
        statistics.welch_interval(first, second), [centre - half, centre + half], rtol=1e-9
    )
    # FIRST: mean 4, variance 6.5, n 5; SECOND: mean 7.75, variance 34.75 / 3, n 4.
    errors = 6.5 / 5, 34.75 / 12
    freedom = sum(errors) ** 2 / (errors[0] ** 2 / 4 + errors[1] ** 2 / 3)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(sum(errors))
    np.testing.assert_allclose(
        statistics.welch_interval(FIRST, SECOND), [-3.75 - half, -3.75 + half], rtol=1e-12
    )


def test_permutation_test_by_hand():
    # {1, 2} against {3, 4}: of the 6 splits, 2 have means 2 apart.
    assert statistics.permutation_test(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == (1 / 3, 1 / 3)
    assert statistics.permutation_test(np.array([1.0, 4.0]), np.array([2.0, 3.0]))[0] == 1.0
    # {1, 2} against {3, 4, 5}: of 10 splits, the extremes {1, 2} and {4, 5} have means 2.5 apart.
    assert statistics.permutation_test(np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0])) == (0.2, 0.1)


def test_permutation_test_by_counting():
    pooled, count = np.concatenate([FIRST, SECOND]), 0
    for chosen in itertools.combinations(range(9), 5):
        rest = [i for i in range(9) if i not in chosen]
        gap = abs(pooled[list(chosen)].mean() - pooled[rest].mean())
        count += gap >= abs(FIRST.mean() - SECOND.mean()) - 1e-12
    assert statistics.permutation_test(FIRST, SECOND) == (count / 126, 1 / 126)


def test_splits_as_far_apart_as_the_observed_one_count_whatever_their_rounding():
    # Values 0.1 apart, far from 0: of the 20 splits of 6 steps, the sums' gaps to 21 / 2 are 4.5 for {1, 2, 3}, 3.5
    # for {1, 2, 4}, 2.5 for {1, 2, 5}, {1, 3, 4}; the sums 9 and 10 have 3 splits each.
    first, second = 1000 + 0.1 * np.array([1.0, 3.0, 4.0]), 1000 + 0.1 * np.array([2.0, 5.0, 6.0])
    assert statistics.permutation_test(first, second) == (8 / 20, 2 / 20)
    assert statistics.permutation_test(second[::-1], first) == (8 / 20, 2 / 20)


def test_many_values_are_permuted_at_random():
    draws = np.random.default_rng(0).normal(size=(2, 20))
    p, smallest = statistics.permutation_test(draws[0], draws[1] + 0.5)
    assert p == pytest.approx(stats.ttest_ind(draws[0], draws[1] + 0.5).pvalue, abs=0.01)
    assert smallest == 1 / 50_001 <= statistics.permutation_test(draws[0], draws[1] + 100)[0] < 1e-4


def test_probability_of_superiority_by_hand():
    # Of 6 comparisons, 1 < 2, 1 < 3, 2 = 2 (half), 2 < 3 are lower or equal: lower wins 3.5; 4 never.
    first, second = [1.0, 2.0, 4.0], [2.0, 3.0]
    assert statistics.probability_of_superiority(first, second, False) == pytest.approx(3.5 / 6)
    assert statistics.probability_of_superiority(first, second, True) == pytest.approx(2.5 / 6)


@pytest.mark.parametrize("higher", [True, False])
def test_pair_names_the_better_only_when_the_interval_excludes_zero(higher):
    far = statistics.pair([1.0, 1.1, 0.9], [2.0, 2.1, None, 1.9], higher)
    assert far["difference"] == pytest.approx(-1.0) and far["first_is_better"] is not higher
    assert far["p_value"] == far["smallest_p_value"] == pytest.approx(2 / 20)
    near = statistics.pair([1.0, 2.0, 3.0], [1.5, 2.5, 3.5], higher)
    assert near["first_is_better"] is None and near["t_interval"][0] < 0 < near["t_interval"][1]
    assert near["bootstrap_interval"][0] < -0.5 < near["bootstrap_interval"][1]
