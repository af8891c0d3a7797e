"""Runs tell their model what evaluations found: RG-GAN switches by it, also after a crash right then."""

import json

import pytest
from short_runs import RING, Crash, assert_same_run, crash_at, rows, run

from tfgans.methods.rggan.switch import Switch

STEPS = 8


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "ring.gin"
    own = ["build.methods = [@RGGAN]", "RGGAN.threshold_weight = 1e-3", "GAN.ema_decay = 0.5"]
    own += [f"train.{name}_every = 1" for name in ("save", "evaluate")]
    own += [f"train.steps = {STEPS}", f"train.sample_every = {STEPS}"]
    path.write_text(RING + "\n".join(own) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """A run, and what its model was told."""
    folder, told, record = tmp_path_factory.mktemp("whole") / "run", {}, Switch.record

    def recorded(self, step, distance):
        told[step] = distance
        record(self, step, distance)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Switch, "record", recorded)
        run(config, folder)
    return folder, told


@pytest.mark.slow
def test_the_model_is_told_every_row(whole):
    folder, told = whole
    assert told == {row["step"]: row["fid"] for row in rows(folder) if row["step"]}
    assert list(told) == list(range(1, STEPS + 1))


def test_a_run_hands_over_both_generators(whole):
    folder = whole[0]
    report = json.loads((folder / "generator_sparse.json").read_text())
    assert 0 < report["density"] < 1 and all(0 < share <= 1 for share in report["tensors"].values())
    assert (folder / "generator_sparse.keras").exists() and (folder / "generator_dense.keras").exists()


@pytest.mark.slow
def test_a_run_that_ends_before_its_model_is_told_goes_on_alike(whole, config, tmp_path, monkeypatch):
    """The checkpoint of step 5 knows nothing of the evaluation there, which is the fifth and first to decide."""

    with monkeypatch.context() as patch:
        crash_at(patch, Switch, "record", lambda _, step, distance: step == 5)
        with pytest.raises(Crash):
            run(config, tmp_path / "run")
    assert [row["step"] for row in rows(tmp_path / "run")] == list(range(6))
    run(config, tmp_path / "run")
    assert_same_run(whole[0], tmp_path / "run")
