"""Runs that measure spectra leave a figure and its numbers of every evaluation, also when they were killed."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from short_runs import Crash, assert_same_run, crash_at, kill_and_resume, rows, run

from tfgans.evaluate import metrics, spectrum_figure
from tfgans.run import after

BINDINGS = (
    f"Evaluator.metrics={[*metrics.DEFAULT, 'spectrum']}",
    "Evaluator.spectrum_samples=50",
    "train.steps=4",
    "train.save_every=2",
    "train.evaluate_every=2",
)
STEPS = (0, 2, 4)


@pytest.fixture(scope="module")
def measured(gin_file, tmp_path_factory):
    """A run that measures spectra."""
    folder = tmp_path_factory.mktemp("measured") / "run"
    run(gin_file, folder, *BINDINGS)
    return folder


def spectra(folder, name="spectra"):
    """Every file of a folder of spectra with its bytes, also hidden ones."""
    return {path.name: path.read_bytes() for path in (folder / name).iterdir()}


@pytest.mark.slow
def test_every_evaluation_leaves_figure_and_numbers(measured):
    assert set(spectra(measured)) == {f"step_{s:08d}.{kind}" for s in STEPS for kind in ("png", "json")}
    for row in rows(measured):
        numbers = json.loads((measured / f"spectra/step_{row['step']:08d}.json").read_text())
        for name in ("spectrum_distance", "spectrum_distance_high"):
            assert row[name] == numbers[name] > 0
        assert numbers["frequency"] == [0.0, 0.25, 0.5, 0.75]
        assert numbers["real"]["count"] == numbers["generated"]["count"] == 50
        gap = np.subtract(numbers["generated"]["decibels"], numbers["real"]["decibels"])[1:]
        assert row["spectrum_distance"] == pytest.approx(np.sqrt(np.mean(gap**2)))
    shown = kill_and_resume.curves(measured / "eval")
    assert tuple(step for step, _ in shown["spectrum_distance"]) == STEPS
    for step, (width, height, _) in shown["spectrum"]:
        with Image.open(measured / f"spectra/step_{step:08d}.png") as image:
            assert image.size == (int(width), int(height)) == (1120, 760) and image.mode == "RGB"
    assert tuple(step for step, _ in shown["spectrum"]) == STEPS


def test_the_command_measures_it_too(measured, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(measured, folder)
    (folder / "spectra_evaluate").mkdir()
    (folder / "spectra_evaluate/.step_00000004.png.part999").touch()  # of an evaluation that was killed
    row = after.evaluate(folder, num_samples=20)
    assert row["spectrum_distance"] > 0 and row["command"] == "evaluate"
    assert spectra(folder) == spectra(measured)
    assert spectra(folder, "spectra_evaluate").keys() == {"step_00000004.json", "step_00000004.png"}
    numbers = json.loads((folder / "spectra_evaluate/step_00000004.json").read_text())
    assert numbers["spectrum_distance"] == row["spectrum_distance"] and numbers["generated"]["count"] == 20
    with Image.open(folder / "spectra_evaluate/step_00000004.png") as image:
        assert image.size == (1120, 760)
    after.evaluate(folder, step=0, gin_params=["Evaluator.metrics=['fid']"])
    assert len(spectra(folder, "spectra_evaluate")) == 2


@pytest.mark.slow
def test_killed_between_the_numbers_and_the_figure_it_is_the_same_run(
    measured, gin_file, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        crash_at(patch, spectrum_figure.SpectrumFigure, "_draw", lambda _, step, numbers: step == 2)
        with pytest.raises(Crash):
            run(gin_file, folder, *BINDINGS)
    assert sorted(spectra(folder)) == ["step_00000000.json", "step_00000000.png", "step_00000002.json"]
    (folder / "spectra/.step_00000002.png.part999").write_bytes(b"a killed process cannot clean up")
    (folder / "spectra/step_00000003.png").write_bytes(b"of a step after the newest checkpoint")
    run(gin_file, folder, *BINDINGS)
    assert_same_run(measured, folder)
    assert spectra(folder) == spectra(measured)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'{"frequency": [0.0, 1.0]}', b"[" * 10**5])
def test_damaged_numbers_are_not_drawn_again(tmp_path, caplog, data):
    figure = spectrum_figure.SpectrumFigure(tmp_path)
    figure.again(4)  # there is nothing
    (tmp_path / "step_00000004.json").write_bytes(data)
    figure.again(4)
    assert (
        len(caplog.messages) == 1 and "step_00000004.json cannot be read as spectra: " in caplog.messages[0]
    )
    (tmp_path / "step_copy.png").write_bytes(b"")  # a user's own
    figure.forget_from(0)
    assert [path.name for path in tmp_path.iterdir()] == ["step_copy.png"]


@pytest.mark.slow
def test_a_step_that_is_trained_again_forgets_its_spectra(measured, gin_file, tmp_path):
    """Without its newest checkpoint a run goes back: what came later is gone, what it restores is shown again."""
    folder = tmp_path / "run"
    shutil.copytree(measured, folder)
    (folder / "checkpoints/step_00000004.npz").unlink()
    run(gin_file, folder, *BINDINGS, "Evaluator.metrics=['fid']")
    assert spectra(folder) == {k: v for k, v in spectra(measured).items() if "00000004" not in k}
    assert ["spectrum_distance" in row for row in rows(folder)] == [True, True, False]
    shown, before = (kill_and_resume.curves(path / "eval")["spectrum"] for path in (folder, measured))
    assert shown == before[:2]
