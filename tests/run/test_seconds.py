"""Runs that end after so many seconds of training."""

import pytest
from short_runs import Crash, crash_at, rows, run

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.evaluate.evaluator import Evaluator
from tfgans.run import build, callbacks
from tfgans.run.plan import Plan

pytestmark = pytest.mark.usefixtures("eagerly")

TIMED = ["train.steps=1000000000", "train.evaluate_every=1000000000", "train.save_every=1000000000",
         "train.sample_every=1000000000", "train.seconds=6", "train.evaluate_every_seconds=2"]  # fmt: skip


@pytest.fixture
def one_second_a_step(monkeypatch):
    """A clock by which every training step takes a second, the first one, which compiles, 100."""

    def after(clock, step):
        clock.about["compile_seconds" if clock._fresh else "train_seconds"] += 100.0 if clock._fresh else 1.0
        clock._fresh = False

    monkeypatch.setattr(callbacks.TrainingClock, "after", after)


@pytest.mark.slow
def test_a_run_ends_with_its_time(gin_file, tmp_path, one_second_a_step):
    folder = tmp_path / "run"
    metrics = run(gin_file, folder, *TIMED)
    # The first step counts as compilation: six seconds are over with the seventh.
    assert [row["step"] for row in rows(folder)] == [0, 3, 5, 7]
    assert [row["train_seconds"] for row in rows(folder)] == [0.0, 2.0, 4.0, 6.0]
    assert metrics == rows(folder)[-1] and metrics["compile_seconds"] == 100.0
    assert not any("called" in name for name in metrics)
    assert checkpoint.Checkpoints(folder / "checkpoints").steps()[-1] == 7
    assert (folder / "samples/step_00000007.png").exists()
    assert (folder / "export/assets.extra/step.txt").read_text() == "7\n"
    assert build.load(folder)[1] == 7
    before = rows(folder)
    assert run(gin_file, folder, *TIMED) == before[-1] and rows(folder) == before  # done is done


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [(), ("train.save_every=5",)], ids=["alone", "at_a_step_that_is_saved_anyway"]
)
def test_a_run_with_a_time_goes_on_where_it_was_killed(
    gin_file, tmp_path, one_second_a_step, monkeypatch, more
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        seen = []
        crash_at(patch, Evaluator, "__call__", lambda *_: seen.append(0) or len(seen) == 3)
        with pytest.raises(Crash):
            run(gin_file, folder, *TIMED, *more)
    assert [row["step"] for row in rows(folder)] == [0, 3]  # it died evaluating step 5, which is saved
    run(gin_file, folder, *TIMED, *more)
    # The new process compiles again: its first step, the sixth, does not count.
    assert [(row["step"], row["train_seconds"]) for row in rows(folder)] == [(0, 0), (3, 2), (5, 4), (8, 6)]


@pytest.mark.slow
def test_times_out_of_range(gin_file, tmp_path):
    for binding in ("train.seconds=0", "train.evaluate_every_seconds='1'"):
        with pytest.raises(ConfigError, match="a number above 0 or None"):
            run(gin_file, tmp_path / "run", binding)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["seconds", "evaluate_every_seconds"])
def test_seconds_are_refused_for_several_workers_by_their_name(name):
    """Seconds between evaluations were told as `train.seconds`, which nobody had given."""
    plan = Plan(8, **{name: 2.5})
    plan.check_workers(1)
    with pytest.raises(ConfigError, match=f"^train.{name} is for one worker: .* Received: 2.5 for 2 workers"):
        plan.check_workers(2)
    Plan(8).check_workers(2)
