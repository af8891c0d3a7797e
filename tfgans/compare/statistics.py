"""What a few seeds can say: intervals, differences, and how likely chance alone would do it."""

import math
import warnings

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
_RESAMPLES = 9999
_MOST_SPLITS = 50_000


def summary(values):
    """Of one metric's values, one a run; `None` is a run without a value.

    Returns: dict of `values` as given, `count`, `mean`, `standard_deviation` (of a sample: divided by n - 1),
        `median`, `t_interval` and `bootstrap_interval` of the mean, [low, high]. What too few values do not give
        is None.
    """
    known = np.asarray([value for value in values if value is not None], np.float64)
    enough = len(known) >= 2
    return {
        "values": list(values),
        "count": len(known),
        "mean": float(known.mean()) if len(known) else None,
        "standard_deviation": float(known.std(ddof=1)) if enough else None,
        "median": float(np.median(known)) if len(known) else None,
        "t_interval": t_interval(known) if enough else None,
        "bootstrap_interval": bootstrap_interval([known], np.mean) if enough else None,
    }


def t_interval(values):
    """95 % interval of the mean of n values about normally distributed: mean +- t(n - 1) sd / sqrt(n)."""
    values = np.asarray(values, np.float64)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * stats.sem(values)
    return [float(values.mean() - half), float(values.mean() + half)]


def bootstrap_interval(samples, statistic):
    """95 % percentile bootstrap interval of `statistic(*samples)`; the same numbers at each call.

    With few values it is too narrow: a resample can only repeat what is there.
    """
    options = dict(confidence_level=CONFIDENCE, method="percentile", n_resamples=_RESAMPLES)
    found = stats.bootstrap(samples, statistic, vectorized=True, rng=np.random.default_rng(0), **options)
    return [float(found.confidence_interval.low), float(found.confidence_interval.high)]


def _difference(first, second, axis):
    return first.mean(axis) - second.mean(axis)


def pair(first, second, higher_is_better):
    """The difference between two sets of values, taken as independent; values that are None are left out.

    Returns: dict of `difference` of the means (first - second), its `t_interval` (Welch) and
        `bootstrap_interval`, `p_value` of the permutation test, `smallest_p_value` that so many values can give,
        `probability_of_superiority` of the first, `first_is_better`: True or False where the t interval excludes 0,
        else None. None where a side has too few values.
    """
    first, second = (
        np.asarray([v for v in values if v is not None], np.float64) for values in (first, second)
    )
    result = dict.fromkeys(
        ("difference", "t_interval", "bootstrap_interval", "p_value", "smallest_p_value",
         "probability_of_superiority", "first_is_better")
    )  # fmt: skip
    if min(len(first), len(second)) < 1:
        return result
    result["difference"] = float(first.mean() - second.mean())
    result["probability_of_superiority"] = probability_of_superiority(first, second, higher_is_better)
    if min(len(first), len(second)) < 2:
        return result
    result["t_interval"] = welch_interval(first, second)
    result["bootstrap_interval"] = bootstrap_interval([first, second], _difference)
    result["p_value"], result["smallest_p_value"] = permutation_test(first, second)
    low, high = result["t_interval"]
    if low > 0 or high < 0:
        result["first_is_better"] = (low > 0) == higher_is_better
    return result


def welch_interval(first, second):
    """95 % interval of the difference of two means, without assuming equal spread (Welch, 1947)."""
    if np.ptp(first) == np.ptp(second) == 0:  # where scipy's test has no answer
        return 2 * [float(first[0] - second[0])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a side whose values are all alike
        interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(CONFIDENCE)
    return [float(interval.low), float(interval.high)]


def permutation_test(first, second):
    """`(p, smallest p)`: how often a random split of all values has means at least as far apart, either way.

    Args: first, second: at least 2 values each.

    Every split is counted up to 50,000 of them, the observed one among them; beyond, that many random ones and it.
    """
    pooled = np.concatenate([first, second])
    unit = 1e-9 * max(np.abs(pooled).max(), 1e-300)

    def gap(first, second, axis):
        """Whole numbers: the same split summed in another order is then as far apart."""
        return np.round(np.abs(first.mean(axis) - second.mean(axis)) / unit)

    # Gaps of either sign against the observed one's size: scipy's own "two-sided" doubles the smaller tail instead,
    # which is another number where the sides differ in size.
    options = dict(alternative="greater", n_resamples=_MOST_SPLITS, vectorized=True)
    found = stats.permutation_test((first, second), gap, rng=np.random.default_rng(0), **options)
    splits = math.comb(len(pooled), len(first))
    if splits > _MOST_SPLITS:
        return float(found.pvalue), 1 / (_MOST_SPLITS + 1)
    # With sides of one size every split has a mirror image that is as far apart.
    return float(found.pvalue), (2 if len(first) == len(second) else 1) / splits


def probability_of_superiority(first, second, higher_is_better):
    """How often a value of `first` is better than one of `second`, equals counting half (A12; 0.5 is a tie)."""
    first, second = np.asarray(first)[:, None], np.asarray(second)[None]
    better = first > second if higher_is_better else first < second
    return float(np.mean(better + 0.5 * (first == second)))
