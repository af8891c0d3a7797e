"""A run goes on exactly where it stopped, however it stopped."""

import errno
import json
import logging
import os
import shutil

import forks
import numpy as np
import pytest
from short_runs import Crash, assert_same_run, contents, crash_at, kill_and_resume, rows, run

from tfgans import checkpoint, distribute, files, pictures
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.run import callbacks, shown


@pytest.mark.slow
def test_a_finished_run_is_left_alone(whole, gin_file, caplog):
    before = contents(whole)
    with caplog.at_level(logging.INFO, "tfgans"):
        metrics = run(gin_file, whole)
    assert "nothing is left to train: 12 updates are done; a larger --steps goes on from there" in caplog.text
    assert metrics == rows(whole)[-1]
    assert contents(whole) == before


def test_any_split_is_the_same_run(whole, gin_file, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    for split in (4, 11):
        with monkeypatch.context() as patch:
            crash_at(patch, callbacks.StopOnSignal, "after", lambda _, step, end=split: step == end)
            with pytest.raises(Crash):
                run(gin_file, folder)
        assert max(checkpoint.Checkpoints(folder / "checkpoints").steps()) == split // 4 * 4
    run(gin_file, folder)
    assert_same_run(whole, folder)


def _row(step):
    return lambda _, row: row["step"] == step


def _picture(step):
    return lambda path, _: path.name == f"step_{step:08d}.png"


CRASHES = [  # (where, when, whether before it or after it)
    (files.JsonLines, "append", _row(0), True),
    (np, "savez", lambda file, **_: "step_00000004" in file.name, True),
    (files.JsonLines, "append", _row(4), False),
    (pictures, "save_png", _picture(4), True),
    (shown.ProgressBar, "after", lambda _, step: step == 7, True),
    (checkpoint.Checkpoints, "save", lambda _, model, step, about: step == 8, False),
    (files.JsonLines, "append", _row(8), True),
    (pictures, "save_png", _picture(8), False),
    (files.JsonLines, "append", _row(12), True),
    (GAN, "export", lambda *_: True, True),
    (GAN, "export", lambda *_: True, False),
]


@pytest.mark.slow
def test_crashes_leave_no_trace(whole_eagerly, gin_file, tmp_path, monkeypatch):
    """One run that dies at every dangerous moment, one after another."""
    folder = tmp_path / "run"
    for owner, name, when, before in CRASHES:
        with monkeypatch.context() as patch:
            crash_at(patch, owner, name, when, before)
            with pytest.raises(Crash):
                run(gin_file, folder)
        (folder / "checkpoints" / ".step_00000008.npz.part999").write_bytes(
            b"a killed process cannot clean up"
        )
        with open(folder / "metrics.jsonl", "a") as file:
            file.write('{"step": 8, "fi')
    run(gin_file, folder)
    assert_same_run(whole_eagerly, folder)


@pytest.mark.slow
def test_a_damaged_newest_checkpoint_costs_only_time(whole_eagerly, gin_file, tmp_path, caplog):
    folder = tmp_path / "run"
    run(gin_file, folder, "train.steps=8")
    newest = folder / "checkpoints" / "step_00000008.npz"
    data = bytearray(newest.read_bytes())
    data[data.index(b"PK\x01\x02") + 10] = 99  # the way in which an array is compressed, which nobody knows
    newest.write_bytes(bytes(data))
    (folder / "export" / "assets.extra" / "step.txt").write_bytes(b"\xff8")
    (folder / "samples" / "step_copy.png").write_bytes(b"")  # a user's own
    run(gin_file, folder)  # rows, pictures and events of step 8 come again
    assert "step_00000008.npz cannot be read as a checkpoint: " in caplog.text
    (folder / "samples" / "step_copy.png").unlink()
    assert_same_run(whole_eagerly, folder)


def test_workers_that_find_different_checkpoints_refuse(whole_eagerly, gin_file, monkeypatch):
    found = lambda strategy, number: [number, -1] if number == 12 else [number]  # noqa: E731
    monkeypatch.setattr(distribute, "of_replicas", found)
    with pytest.raises(
        ConfigError, match="different checkpoints in .*one folder for all of them: none, step 12$"
    ):
        run(gin_file, whole_eagerly)


@pytest.mark.slow
def test_without_any_checkpoint_it_starts_again(whole_eagerly, gin_file, tmp_path):
    folder = tmp_path / "run"
    run(gin_file, folder, "train.steps=4")
    for path in (folder / "checkpoints").iterdir():
        path.unlink()
    run(gin_file, folder)
    assert_same_run(whole_eagerly, folder)


@pytest.mark.slow
def test_a_full_disk_leaves_what_was_saved(whole_eagerly, gin_file, tmp_path, monkeypatch):
    folder, replace = tmp_path / "run", os.replace

    def full(source, target):
        if "step_00000008.npz" in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left on device: .*step_00000008.npz"):
            run(gin_file, folder)
    assert sorted(os.listdir(folder / "checkpoints")) == ["step_00000000.npz", "step_00000004.npz"]
    run(gin_file, folder)
    assert_same_run(whole_eagerly, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "bindings",
    [
        ["numerics.precision='mixed_bfloat16'"],
        ["build.jit_compile=True"],
        ["num_classes=None", "build.methods=[@GradientPenaltyGAN]", "build.steps_per_execution=2",
         "GAN.discriminator_steps=2", "dcgan_discriminator.normalization='none'"],
        ["build.methods=[@AdvAsGAN, @FastGAN, @ReGAN]", "ReGAN.sparsity=0.3", "ReGAN.warm_up_length=2",
         "ReGAN.sparse_length=2"],
    ],
    ids=["bfloat16", "xla", "unconditional", "combined"],
)  # fmt: skip
def test_other_ways_to_train_resume_exactly_too(gin_file, tmp_path, bindings, request):
    """Without its last checkpoint, a run goes on from the one before."""
    if not any(binding.startswith("build.") and "methods" not in binding for binding in bindings):
        request.getfixturevalue("eagerly")
    every = [f"train.{name}_every=6" for name in ("evaluate", "sample")]
    bindings = [*bindings, *every, "train.steps=6", "train.save_every=2"]
    run(gin_file, tmp_path / "whole", *bindings)
    shutil.copytree(tmp_path / "whole", tmp_path / "split")
    (tmp_path / "split/checkpoints/step_00000006.npz").unlink()
    run(gin_file, tmp_path / "split", *bindings)
    assert_same_run(tmp_path / "whole", tmp_path / "split")
    start, end = (np.load(tmp_path / f"whole/checkpoints/step_0000000{s}.npz") for s in (2, 6))
    assert sum(start[n].tobytes() != end[n].tobytes() for n in start.files) > 20


@pytest.mark.slow
def test_what_watches_a_run_may_change_and_it_may_be_extended(whole, gin_file, tmp_path):
    folder = tmp_path / "run"
    run(gin_file, folder, "train.steps=6")
    exported = contents(folder / "export")
    bindings = ["Evaluator.num_samples=32", "train.save_every=3", "Evaluator.metrics=['fid']"]
    run(gin_file, folder, "train.steps=12", *bindings)
    assert [row["step"] for row in rows(folder)] == [0, 4, 6, 8, 12]
    assert [row["num_samples"] for row in rows(folder)] == [64, 64, 64, 32, 32]
    assert contents(folder / "export") != exported
    last = ["checkpoints/step_00000012.npz"]
    assert kill_and_resume._states(whole / last[0], folder / last[0]) == []
    curves = kill_and_resume.curves(folder / "eval")
    assert [step for step, _ in curves["fid"]] == [0, 4, 6, 8, 12] == [step for step, _ in curves["samples"]]
    with pytest.raises(ConfigError, match="12 steps already, more than 4"):
        run(gin_file, folder, "train.steps=4", *bindings)


def test_killed_at_random_moments_it_is_the_same_run(gin_file, tmp_path, monkeypatch, capsys):
    """A short version of benchmarks/kill_and_resume.py, with `kill -9`, and forks for its processes."""

    def start(model_dir, options):
        bindings = [f"--gin_param={binding}" for binding in (*kill_and_resume.BINDINGS, *options.gin_param)]
        return forks.command("train", f"--gin_file={gin_file}", f"--model_dir={model_dir}",
                             f"--steps={options.steps}", *bindings, said=f"{model_dir}.txt")  # fmt: skip

    monkeypatch.setattr(kill_and_resume, "start", start)
    params = [f"--gin_param=train.{name}_every=5" for name in ("save", "evaluate")]
    code = kill_and_resume.main(["--kills=3", "--steps=15", f"--folder={tmp_path}", *params])
    result = json.loads(capsys.readouterr().out)
    assert code == 0 and result["differences"] == [] and 1 <= result["kills"] <= 3 and result["resumed_at"]
    assert result["evaluated_steps"] == [0, 5, 10, 15]


def test_the_comparison_sees_differences(whole, tmp_path):
    import shutil

    other = tmp_path / "run"
    shutil.copytree(whole, other)
    assert_same_run(whole, other)
    state, about = checkpoint.Checkpoints(other / "checkpoints").load(12)
    name = next(name for name, value in state.items() if value.dtype == np.float32)
    state[name] = np.nextafter(state[name], np.float32(9))
    np.savez(other / "checkpoints/step_00000012.npz", **state, about=np.array(json.dumps(about)))
    lines = (other / "metrics.jsonl").read_text().splitlines()
    (other / "metrics.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    found = kill_and_resume.differences(whole, other)
    assert [line.split(":")[0] for line in found] == ["metrics.jsonl", f"variable {name}"]


def test_the_comparison_sees_what_searches_found(whole, tmp_path):
    import shutil

    folders = [tmp_path / name for name in ("one", "other")]
    for folder, edge in zip(folders, ("skip", "none"), strict=True):
        shutil.copytree(whole, folder)
        (folder / "genotypes").mkdir()
        (folder / "genotypes/step_2.json").write_text(json.dumps({"edge": edge}))
        (folder / "search.jsonl").write_text('{"step": 1}\n' + json.dumps({"step": 2, "edge": edge}) + "\n")
        rows = [{"edge": "skip", "metrics": {"fid": 1.0, "eval_seconds": len(edge) + len(folder.name)}}]
        (folder / "candidates.json").write_text(json.dumps({"candidates": rows}))
    assert kill_and_resume.differences(*folders) == ["search.jsonl", "genotypes/step_2.json"]
    (folders[1] / "genotypes/step_2.json").unlink()
    found = kill_and_resume.differences(*folders)
    assert found == ["files of genotypes: ['step_2.json'] and []", "search.jsonl"]
