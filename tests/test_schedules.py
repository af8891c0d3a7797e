"""Schedules by hand: at their ends, half-way, and beyond."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.schedules import CosineAnnealing, CosineRamp, ExponentialDecay, LinearDecay, StepDecay

CASES = [
    (ExponentialDecay(10), {0: 1.0, 5: 0.5**0.5, 10: 0.5, 30: 0.125}),
    (ExponentialDecay(4, 0.1), {0: 1.0, 2: 0.1**0.5, 8: 0.01}),
    (LinearDecay(8), {0: 1.0, 2: 0.75, 7: 0.125, 8: 0.0, 9: 0.0}),
    (LinearDecay(8, start=4), {0: 1.0, 4: 1.0, 5: 0.75, 6: 0.5, 8: 0.0, 20: 0.0}),
    (CosineAnnealing(8), {0: 1.0, 2: 0.5 + 0.5**1.5, 4: 0.5, 8: 0.0, 9: 0.0}),
    (
        CosineAnnealing(100, 5.0, 1),
        {0: 5.0 - 2.0 * (1.0 + math.cos(math.pi / 100)), 49: 3.0, 99: 5.0, 150: 5.0},
    ),
    (CosineRamp(8, 0.55), {0: 0.0, 2: 0.275 * (1.0 - 0.5**0.5), 4: 0.275, 8: 0.55, 9: 0.55}),
    (CosineRamp(0.5, 0.1, 0.3), {0: 0.3, 1: 0.1}),
    (StepDecay(3), {0: 1.0, 2: 1.0, 3: 0.5, 4: 0.5}),
    (StepDecay(1, 2.0), {0: 1.0, 1: 2.0}),
]


@pytest.mark.parametrize(("schedule", "factors"), CASES)
def test_factors_by_hand(schedule, factors):
    found = [float(schedule(tf.constant(step, tf.int64))) for step in factors]
    np.testing.assert_allclose(found, list(factors.values()), atol=1e-6)


@pytest.mark.parametrize("kind", [LinearDecay, CosineAnnealing])
def test_the_end_comes_after_the_start(kind):
    with pytest.raises(ConfigError, match="needs start < end. Received: 8, 8"):
        kind(end=8, start=8)
