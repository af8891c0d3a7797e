"""A signal saves the run and stops it soon."""

import os
import signal
import time

import numpy as np
import pytest
from short_runs import STEPS, assert_same_run, kill_and_resume, rows, run

from tfgans import checkpoint
from tfgans.run import callbacks, shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_run_goes_on_exactly(whole_eagerly, gin_file, tmp_path, number, monkeypatch):
    folder = tmp_path / "run"
    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    with monkeypatch.context() as patch:
        kill = lambda clock, step: os.kill(os.getpid(), number) if step == 5 else None  # noqa: E731
        patch.setattr(shown.ProgressBar, "after", kill)
        with pytest.raises(callbacks.Interrupted) as caught:
            run(gin_file, folder)
    assert caught.value.number == number
    assert checkpoint.Checkpoints(folder / "checkpoints").steps() == [0, 4, 5]
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == handlers
    run(gin_file, folder)
    (folder / "checkpoints" / "step_00000005.npz").unlink(missing_ok=True)  # the one that is not on schedule
    (whole_steps, steps) = (
        checkpoint.Checkpoints(f / "checkpoints").steps() for f in (whole_eagerly, folder)
    )
    assert steps[-1] == whole_steps[-1] == STEPS
    assert rows(folder)[-1]["fid"] == rows(whole_eagerly)[-1]["fid"]
    assert [
        d for d in kill_and_resume.differences(whole_eagerly, folder) if "files of checkpoints" not in d
    ] == []


@pytest.mark.slow
def test_a_signal_does_not_wait_for_a_long_evaluation(whole_eagerly, gin_file, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    asked = []

    def generate(self, count, **kwargs):
        asked.append(count)
        os.kill(os.getpid(), signal.SIGTERM)
        return np.zeros((count, 8, 8, 1), np.uint8)

    with monkeypatch.context() as patch:
        patch.setattr("tfgans.gan.generation.Generation.generate", generate)
        with pytest.raises(callbacks.Interrupted):
            run(gin_file, folder, "Evaluator.batch_size=16")
    assert asked == [16]  # of 64
    run(gin_file, folder)
    assert_same_run(whole_eagerly, folder)


@pytest.mark.slow
def test_a_signal_while_the_first_step_is_traced_is_answered_at_once(whole, gin_file, tmp_path, monkeypatch):
    folder, number = tmp_path / "run", signal.SIGTERM
    with monkeypatch.context() as patch:

        def traced(self, real):
            os.kill(os.getpid(), number)
            time.sleep(10)

        patch.setattr("tfgans.gan.GAN.discriminator_step", traced)
        with pytest.raises(callbacks.Interrupted):
            run(gin_file, folder)
    assert checkpoint.Checkpoints(folder / "checkpoints").steps() == [0]
    run(gin_file, folder)
    assert_same_run(whole, folder)


def test_a_second_interrupt_stops_at_once():
    stop = callbacks.StopOnSignal(None)
    with stop:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
