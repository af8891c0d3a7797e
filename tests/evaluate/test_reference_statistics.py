"""Statistics of the images compared with: by what the cache knows them, and distances to them."""

import itertools

import numpy as np
import pytest

from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.frechet import frechet_distance_of
from tfgans.evaluate.statistics import cached_reference


class Images:
    """Ten images, each of one number."""

    def __init__(self, print_="a"):
        self.print_ = print_

    def reference(self):
        yield np.arange(10.0)[:, None], None

    def reference_size(self):
        return 10

    def fingerprint(self):
        return self.print_


class Times:
    """Features: the number times a weight."""

    def __init__(self, weight, name="times"):
        self.weight, self.name = weight, name

    def fingerprint(self):
        return str(self.weight)

    def __call__(self, images):
        return {"features": (self.weight * images).astype(np.float32)}


def test_data_extractor_its_weights_and_the_number_kept_have_files_of_their_own(tmp_path):
    cases = [(Images(), Times(2.0), 4), (Images("b"), Times(2.0), 4), (Images(), Times(3.0), 4),
             (Images(), Times(2.0, "other"), 4), (Images(), Times(2.0), 5)]  # fmt: skip
    for count, (images, features, keep) in enumerate(cases, 1):
        found = cached_reference(images, features, keep, tmp_path)
        np.testing.assert_allclose(found.moments.mean, [4.5 * features.weight])
        assert found.kept.shape == (keep, 1)
        assert len(list(tmp_path.iterdir())) == count
    for images, features, keep in itertools.chain(cases, reversed(cases)):
        again = cached_reference(images, features, keep, tmp_path)
        np.testing.assert_allclose(again.moments.mean, [4.5 * features.weight])
    assert len(list(tmp_path.iterdir())) == len(cases)


@pytest.mark.parametrize(("most", "count"), [(3, 3), (6, 6), (50, 6)])
def test_the_distance_of_another_generator_is_of_so_many_samples_at_most(tmp_path, most, count):
    evaluator = Evaluator(Times(2.0), num_samples=6, batch_size=4, metrics=["fid"], cache_dir=tmp_path)
    evaluator(lambda count: np.linspace(0.0, 1.0, count)[:, None], Images())
    left = iter(np.arange(50.0) ** 2)
    found = evaluator.distance_of(lambda count: np.array([[next(left)] for _ in range(count)]), most)
    real, fake = 2.0 * np.arange(10.0)[:, None], 2.0 * np.arange(float(count))[:, None] ** 2
    assert found == (pytest.approx(frechet_distance_of(real, fake), rel=1e-9), count)
