"""Points of mixtures: those to test with are no others' in any part."""

import numpy as np
import pytest

from tfgans.data.mixtures import Mixture


@pytest.mark.parametrize("kind", ["ring", "grid"])
def test_test_points_have_noise_of_their_own(kind):
    mixture, noise = Mixture(kind), []
    for split in ("train", "test"):
        items = mixture.open(split)
        noise.append((items.points - mixture.modes[items.labels])[: 1000 * len(mixture.modes)])
    for part in (lambda x: np.hypot(*x.T), lambda x: np.arctan2(*x.T)):  # what Box and Muller draw
        assert abs(np.corrcoef(*map(part, noise))[0, 1]) < 0.05
