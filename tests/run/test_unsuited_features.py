"""A run on photographs with the features of digits: no number of theirs, one line, and nothing fails."""

import json

import gin
import numpy as np
import pytest
from PIL import Image
from short_runs import CONFIG, rows, run

from tfgans.config import ConfigError
from tfgans.run import after, build, training


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for number, image in enumerate(np.random.default_rng(0).integers(0, 256, (16, 8, 8)).astype(np.uint8)):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def configuration(pictures, metrics):
    own = [f"Dataset.source = 'folder:{pictures}'", "num_classes = None", f"Evaluator.metrics = {metrics}"]
    return CONFIG + "\n".join([*own, "train.steps = 2", "Evaluator.spectrum_samples = 16"])


@pytest.mark.slow
def test_rows_and_evaluations_have_the_metrics_of_images_alone(pictures, tmp_path, caplog):
    caplog.set_level("INFO", "tfgans")
    (tmp_path / "own.gin").write_text(configuration(pictures, ["fid", "kid", "spectrum"]))
    run(str(tmp_path / "own.gin"), tmp_path / "run")
    said = [record.getMessage() for record in caplog.records if "digits classifier" in record.getMessage()]
    assert len(said) == 1 and "fid, kid left out" in said[0]
    found = rows(tmp_path / "run")
    assert [row["step"] for row in found] == [0, 2]
    for row in found:
        assert not {"fid", "kid", "fid_raw"} & row.keys()
        assert row["spectrum_distance"] > 0 and row["features"] == "none"
        facts = f"folder:{pictures} train", False, 16
        assert (row["reference"], row["reference_flipped"], row["num_reference"]) == facts
    row = after.evaluate(tmp_path / "run")
    assert "fid" not in row and row["spectrum_distance"] > 0
    asked = after.evaluate(tmp_path / "run", gin_params=["DigitsFeatures.any_images = True"])
    assert asked["fid"] > 0 and asked["features"] == "digits_classifier"
    json.dumps(asked, allow_nan=False)


def test_with_nothing_left_to_measure_there_are_losses(pictures, tmp_path):
    (tmp_path / "own.gin").write_text(configuration(pictures, ["fid", "inception_score"]))
    build.prepare([str(tmp_path / "own.gin")], [])
    plan = training.Run(tmp_path / "run", training.Plan())
    assert plan.evaluator is None


def test_a_metric_that_is_left_out_may_choose_the_best_and_a_mistyped_one_may_not(pictures, tmp_path):
    (tmp_path / "own.gin").write_text(configuration(pictures, ["fid", "spectrum"]))
    for name in ("fid", "kid", "spectrum_distance"):
        build.prepare([str(tmp_path / "own.gin")], [f"train.best_metric = '{name}'"])
        assert training.Run(tmp_path / "run", training.Plan()).evaluator.of_images_alone
    build.prepare([str(tmp_path / "own.gin")], ["train.best_metric = 'fdi'"])
    with pytest.raises(ConfigError, match="^train.best_metric is one of spectrum_dis.*. Received: fdi$"):
        training.Run(tmp_path / "run", training.Plan())


@pytest.mark.parametrize("name", ["octave/photos", "progan/photos64", "alphagan_biggan/photos64_search"])
def test_shipped_files_of_photographs_measure_without_features(name):
    build.prepare([f"gin_configs/{name}.gin"], [])
    evaluator = build.Evaluator()
    assert evaluator.of_images_alone and evaluator.metrics[0] == "sliced_wasserstein"
    assert gin.query_parameter("train.best_metric") == "sliced_wasserstein"
