"""A run that nothing evaluates has its rows all the same: losses, stability, cost."""

import json

import numpy as np
import pytest
from short_runs import CONFIG, STEPS, Crash, assert_same_run, crash_at, rows, run

from tfgans import files
from tfgans.compare import collect
from tfgans.config import ConfigError
from tfgans.run import build

LOSSES = {"d/adversarial", "d/gradient_norm", "g/adversarial", "g/gradient_norm"}
SPENT = {
    "train_seconds",
    "compile_seconds",
    "eval_seconds",
    "real_images",
    "generator_flops",
    "training_flops",
}

ABOUT = {"label_distribution", "weights", "average_difference"}  # how the samples were made


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "plain.gin"
    path.write_text("".join(line for line in CONFIG.splitlines(keepends=True) if "Evaluator" not in line))
    return str(path)


@pytest.fixture(scope="module")
def folder(plain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "run"
    metrics = run(plain, folder)
    assert metrics == rows(folder)[-1]
    return folder


@pytest.mark.slow
def test_rows_at_the_evaluation_points(folder):
    found = rows(folder)
    assert [row["step"] for row in found] == [0, 4, 8, STEPS]
    assert found[0].keys() == {"step"} | ABOUT | SPENT  # nothing was trained, and nothing was there before
    for row in found[1:]:
        assert row.keys() == {"step", "stability_mse"} | LOSSES | ABOUT | SPENT
        assert all(np.isfinite(row[name]) and row[name] > 0 for name in (*LOSSES, "stability_mse"))
    assert [row["real_images"] for row in found] == [0, 64, 128, 192]


@pytest.mark.slow
def test_a_row_is_there_after_a_crash_between_the_checkpoint_and_the_row(
    plain, folder, tmp_path, monkeypatch
):
    for step in (0, 8):
        with monkeypatch.context() as patch:
            crash_at(patch, files.JsonLines, "append", lambda _, row, at=step: row["step"] == at)
            with pytest.raises(Crash):
                run(plain, tmp_path / "run")
        assert [row["step"] for row in rows_there(tmp_path / "run")] == list(range(0, step, 4))
    run(plain, tmp_path / "run")
    assert_same_run(folder, tmp_path / "run")
    about = json.loads(str(np.load(tmp_path / "run/checkpoints/step_00000012.npz")["about"]))
    assert about["logs"].keys() == LOSSES


def rows_there(folder):
    return files.JsonLines(folder / "metrics.jsonl").read()


@pytest.mark.slow
def test_a_finished_run_that_lacks_its_last_row_gets_it(folder):
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    before = {p: p.stat().st_mtime_ns for p in (folder / "checkpoints").iterdir()}
    path.write_text("".join(lines[:-1]))
    assert run(str(folder / "operative.gin"), folder)["step"] == STEPS
    without_seconds = [
        {k: v for k, v in json.loads(line).items() if not k.endswith("_seconds")}
        for line in (lines[-1], path.read_text().splitlines()[-1])
    ]
    assert without_seconds[0] == without_seconds[1]
    assert {p: p.stat().st_mtime_ns for p in (folder / "checkpoints").iterdir()} == before


@pytest.mark.slow
def test_what_reads_such_rows_says_that_nothing_evaluated(folder, tmp_path):
    with pytest.raises(ConfigError, match="no evaluated checkpoint with the metric fid"):
        build.load(folder, step="best")
    found = collect.read_run(folder, tmp_path)
    assert (found["outcome"], found["step"], found["evaluations"]) == ("finished", STEPS, [])
    assert build.best_step(folder, [4, 8], "d/adversarial") in (4, 8)
