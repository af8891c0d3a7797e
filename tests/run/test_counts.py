"""What a run adds up, and which of its steps was the best."""

import json

import pytest
from data_records import measured_anew

from tfgans.config import ConfigError
from tfgans.run import build, callbacks


class Metered:
    """A model whose step number s costs s + 1 images if it was chosen, at a batch size of 1."""

    steps_made, step_logs, chosen = 2, {"log": 1.0}, None

    def choose_step(self, step):
        self.chosen = step

    def step_cost(self, batch_size, step, logs):
        assert self.chosen == step and logs == self.step_logs
        return {"real_images": batch_size * (step + 1), "generator_flops": 10 * step, "training_flops": 1}


def test_the_meter_adds_up_the_steps_that_were_made():
    about, meter = {"real_images": 100}, None
    meter = callbacks.CostMeter(about, batch_size=4)
    meter.set_model(Metered())
    meter.at_start(2)
    meter.after(4)  # steps 2 and 3
    assert about == {"real_images": 100 + 4 * (3 + 4), "generator_flops": 50, "training_flops": 2}
    meter.after(6)
    assert about == {"real_images": 128 + 4 * (5 + 6), "generator_flops": 140, "training_flops": 4}


def test_the_best_step_is_the_lowest_or_the_highest_of_those_there_are(tmp_path):
    rows = [{"step": step, "fid": fid} for step, fid in ((0, 9.0), (2, 3.0), (4, 5.0), (6, 1.0), (8, None))]
    rows.append({"step": 4, "fid": 0.5, "command": "evaluate"})  # made later, of as many samples as one liked
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert build.best_step(tmp_path, [0, 2, 4, 8]) == 2
    assert build.best_step(tmp_path, [0, 2, 4, 8], highest=True) == 0
    assert build.best_step(tmp_path, [2, 4, 6]) == 6
    with pytest.raises(ConfigError, match="no evaluated checkpoint with the metric kid"):
        build.best_step(tmp_path, [0, 2], "kid")


def test_the_best_step_has_the_most_of_a_metric_of_which_more_is_better(tmp_path):
    rows = [{"step": step, "recall_test": recall} for step, recall in ((0, 0.1), (2, 0.7), (4, 0.4))]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert build.best_step(tmp_path, [0, 2, 4], "recall_test") == 2


@pytest.mark.parametrize(
    "changed", [{"features": "b"}, {"num_samples": 8}, {"num_reference": 8}, {"neighbour_samples": 8}]
)
def test_the_best_step_is_measured_like_the_last(tmp_path, changed):
    same = {"features": "a", "num_samples": 4, "num_reference": 4}
    rows = [{"step": 0, "fid": 1.0} | same] + [{"step": s, "fid": 9.0 - s} | same | changed for s in (2, 4)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert build.best_step(tmp_path, [0, 2, 4]) == 4
    with pytest.raises(ConfigError, match="no evaluated checkpoint"):
        build.best_step(tmp_path, [0])


def test_the_best_step_is_measured_against_the_images_of_the_last(tmp_path):
    """Other images in the place of what evaluations compared with, after step 2, and as many."""
    rows = [{"step": step, "fid": fid} for step, fid in ((0, 9.0), (2, 1.0), (4, 5.0), (6, 7.0))]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for changes, best in (([], 2), ([0], 2), ([2], 4), ([4], 6), ([6], 2), ([2, 4], 6)):
        measured_anew(tmp_path, *changes)
        assert build.best_step(tmp_path, [0, 2, 4, 6]) == best, changes
