"""The stability of training, by hand."""

import numpy as np
import pytest

from tfgans.evaluate.stability import FixedSamples


def evaluation(folder, step, *batches):
    samples = FixedSamples(folder / "fixed_samples.npz", step)
    for batch in batches:
        assert samples.seen(batch) is batch
    return samples.metrics()


def test_the_mean_squared_change_by_hand(tmp_path):
    black = np.zeros((100, 4, 4, 1), np.uint8)
    grey = black.copy()
    grey[:32] = 51  # 0.2 of white, in half of the 64 that count
    grey[64:] = 255
    assert evaluation(tmp_path, 0, black[:40], black[40:]) == {}
    assert evaluation(tmp_path, 5, grey[:40], grey[40:])["stability_mse"] == pytest.approx(0.02)
    assert evaluation(tmp_path, 10, grey) == {"stability_mse": 0.0}


def test_an_evaluation_made_again_compares_with_the_one_before_it(tmp_path):
    images = [np.full((64, 2, 2, 3), value, np.uint8) for value in (0, 51, 153)]
    for step, image in enumerate(images):
        evaluation(tmp_path, step, image)
    for _ in range(2):  # a run that resumed at step 1
        assert evaluation(tmp_path, 1, images[1])["stability_mse"] == pytest.approx(0.04)
    assert evaluation(tmp_path, 2, images[2])["stability_mse"] == pytest.approx(0.16)
    fewer = evaluation(tmp_path, 3, images[2][:8])  # another number of samples: of those that both have
    assert fewer == {"stability_mse": 0.0}
    (tmp_path / "fixed_samples.npz").write_bytes(b"torn")
    assert evaluation(tmp_path, 4, images[2]) == {}


def test_points_and_large_images(tmp_path):
    points = np.array([[0.0, 1.0], [2.0, 2.0]])
    evaluation(tmp_path, 0, points)
    assert evaluation(tmp_path, 1, points + [[1.0, 0.0], [0.0, 0.0]])["stability_mse"] == 0.25
    large = FixedSamples(tmp_path / "large.npz", 0)
    large.seen(np.zeros((64, 512, 512, 1), np.uint8))
    large.metrics()
    assert np.load(tmp_path / "large.npz")["0"].shape == (16, 512, 512, 1)
