"""`evaluate --pictures` and `fid --pictures`: what they leave, and what they say."""

import json
import os
import shutil

import pytest
from PIL import Image
from short_runs import rows

NAMES = {"nearest.png", "map.png", "precision_recall.png", "fid_by_samples.png", "curves.json"}


def assert_whole(folder, names=NAMES):
    assert set(os.listdir(folder)) == set(names)
    for name in names - {"curves.json"}:
        with Image.open(folder / name) as image:
            image.load()
            assert image.width == 1120


@pytest.fixture
def run(run_dir, tmp_path):
    """A copy of a finished run that can be evaluated."""
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copytree(run_dir / "checkpoints", folder / "checkpoints")
    for name in ("operative.gin", "classes.json", "metrics.jsonl"):
        shutil.copy(run_dir / name, folder)
    return folder


@pytest.mark.slow
def test_evaluate_draws_the_step(call, run):
    flags = [f"--model_dir={run}", "--gin_param=Evaluator.metrics=['fid']"]
    plain, drawn = (json.loads(call("evaluate", *flags, *more)[1]) for more in ([], ["--pictures"]))
    assert {**plain, "eval_seconds": 0} == {**drawn, "eval_seconds": 0} and rows(run)[-1] == drawn
    folder = run / "evaluation" / "step_00000004"
    assert_whole(folder)
    curves = json.loads((folder / "curves.json").read_text())
    assert curves["fid_by_samples"]["fid"][-1] == pytest.approx(drawn["fid"], rel=1e-9)
    assert curves["fid_by_samples"]["num_samples"][-1] == drawn["num_samples"] == 64
    code, out, err = call("evaluate", *flags, "--pictures", "--num_samples=20", "--step=0")
    assert code == 0 and out.count("\n") == 1
    assert [line.split(": ", 2)[-1] for line in err.splitlines() if "left out" in line] == [
        "it needs 40 images a side, and there are 20", "it needs 30 generated images, and there are 20",
    ]  # fmt: skip
    assert_whole(run / "evaluation/step_00000000", NAMES - {"precision_recall.png", "fid_by_samples.png"})


def test_numbers_are_printed_where_pictures_cannot_be_written(call, run):
    (run / "evaluation").write_text("")
    code, out, err = call("evaluate", f"--model_dir={run}", "--num_samples=40", "--pictures")
    assert code == 0 and json.loads(out)["num_samples"] == 40 and rows(run)[-1] == json.loads(out)
    (line,) = err.splitlines()
    assert line.startswith("the pictures of the evaluation could not be written: ") and str(run) in line


@pytest.mark.slow
def test_fid_draws_two_sets(call, refused, tmp_path):
    flags = ["--features=digits", "--metrics=fid"]
    stats, folder = tmp_path / "stats.npz", tmp_path / "deep" / "pictures"
    code, out, err = call(
        "fid", "digits@train", "digits@test", *flags, f"--save={stats}", f"--pictures={folder}"
    )
    assert code == 0 and json.loads(out.splitlines()[-1])["fid"] > 0, err
    assert_whole(folder)
    code, _, err = call("fid", stats, "digits@test", *flags, f"--pictures={folder}")
    assert code == 0 and "nearest.png is left out: statistics hold no images" in err
    assert_whole(folder, NAMES - {"nearest.png"})
    line = refused("fid", "digits@train", flags[0], f"--save={stats}", f"--pictures={folder}")
    assert "--pictures shows two sets of images: name the second one, too" in line
    line = refused("fid", "digits@train", "digits@test", *flags, f"--pictures={stats}")
    assert f"--pictures={stats} cannot be written: {stats} is not a folder" in line


def test_finished_runs_are_compared_as_they_are(refused, run, tmp_path):
    line = refused("compare", f"--from_runs={run}", f"--output_dir={tmp_path / 'out'}", "--pictures")
    assert "draw them by evaluate --pictures first" in line
