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


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"torn"),
        lambda path: path.write_bytes(path.read_bytes()[:200] + b"x" + path.read_bytes()[201:]),
        lambda path: np.savez(path, first=np.zeros(3)),
        lambda path: np.savez(path, **{"0": np.array([None], object)}),
    ],
    ids=["no archive", "a wrong byte", "no step", "objects"],
)
def test_damaged_samples_cost_one_number_and_a_line(tmp_path, caplog, spoil):
    black = np.zeros((64, 2, 2, 3), np.uint8)
    evaluation(tmp_path, 0, black)
    spoil(tmp_path / "fixed_samples.npz")
    assert evaluation(tmp_path, 4, black + 51) == {}
    (line,) = caplog.messages
    assert line.startswith(
        f"{tmp_path / 'fixed_samples.npz'} cannot be read as samples of earlier evaluations: "
    )
    assert evaluation(tmp_path, 8, black)["stability_mse"] == pytest.approx(0.04)


def test_samples_of_another_shape_are_not_compared(tmp_path):
    np.savez(tmp_path / "fixed_samples.npz", **{"0": np.zeros((64, 4, 4, 3), np.uint8), "1": np.array(1)})
    assert evaluation(tmp_path, 4, np.zeros((64, 2, 2, 3), np.uint8)) == {}


def test_points_and_large_images(tmp_path):
    points = np.array([[0.0, 1.0], [2.0, 2.0]])
    evaluation(tmp_path, 0, points)
    assert evaluation(tmp_path, 1, points + [[1.0, 0.0], [0.0, 0.0]])["stability_mse"] == 0.25
    large = FixedSamples(tmp_path / "large.npz", 0)
    large.seen(np.zeros((64, 512, 512, 1), np.uint8))
    large.metrics()
    assert np.load(tmp_path / "large.npz")["0"].shape == (16, 512, 512, 1)
