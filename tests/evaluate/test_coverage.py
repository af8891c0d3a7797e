"""Coverage of modes and classes on constructed sets."""

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.evaluate.coverage import class_histogram, kl_to_uniform, mode_coverage

MODES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_perfect_and_collapsed_generators():
    perfect = mode_coverage(MODES.repeat(5, 0), MODES, 0.1)
    assert perfect == {"modes_covered": 4, "high_quality": 1.0, "mode_kl": pytest.approx(0.0, abs=1e-12)}
    collapsed = mode_coverage(MODES[:1].repeat(5, 0), MODES, 0.1)
    assert collapsed == {"modes_covered": 1, "high_quality": 1.0, "mode_kl": pytest.approx(np.log(4))}


def test_three_deviations_decide():
    """Deviation 1: samples at 2.9, 3.1 of mode 0 and 3.1 of mode 1; two belong to 0, one to 1."""
    points = np.array([[2.9, 0.0], [0.0, -3.1], [10.0, 3.1]])
    result = mode_coverage(points, MODES, 1.0)
    assert result["modes_covered"] == 1
    assert result["high_quality"] == pytest.approx(1 / 3)
    assert result["mode_kl"] == pytest.approx(2 / 3 * np.log(8 / 3) + 1 / 3 * np.log(4 / 3))


def test_points_that_are_not_finite_belong_nowhere():
    points = np.array([[0.0, 0.0], [np.nan, 0.0], [np.inf, 0.0], [10.0, 0.0]])
    result = mode_coverage(points, MODES, 1.0)
    assert (result["modes_covered"], result["high_quality"]) == (2, 0.5)
    lost = mode_coverage(points[1:2], MODES, 1.0)
    assert (lost["modes_covered"], lost["high_quality"]) == (0, 0.0) and np.isnan(lost["mode_kl"])


def test_refusals():
    with pytest.raises(ConfigError, match=r"\(3, 3\)"):
        mode_coverage(np.ones((3, 3)), MODES, 1.0)
    with pytest.raises(ConfigError, match="positive. Received: 0"):
        mode_coverage(MODES, MODES, 0)


def test_class_histogram():
    logits = np.eye(4)[[1, 1, 3]]
    assert class_histogram(logits).tolist() == [0, 2, 0, 1]
    assert kl_to_uniform([1, 1]) == pytest.approx(0.0, abs=1e-12)
    assert kl_to_uniform([3, 0]) == pytest.approx(np.log(2))
