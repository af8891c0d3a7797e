"""A run in its folder: what it writes, and that it goes on exactly where it stopped, however it stopped."""

import errno
import importlib.util
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgans import callbacks, checkpoint, config, experiment, files, pictures, training
from tfgans.config import ConfigError
from tfgans.gan import GAN

ROOT = pathlib.Path(__file__).parent.parent
STEPS = 12

CONFIG = """
include "gin_configs/data/digits.gin"
include "gin_configs/networks/dcgan.gin"
dcgan_generator.base_channels = 8
dcgan_generator.latent_dim = 8
dcgan_discriminator.base_channels = 8
batch_size = 16
GAN.ema_decay = 0.9
Evaluator.features = @DigitsFeatures()
Evaluator.num_samples = 64
train.steps = 12
train.save_every = 4
train.evaluate_every = 4
train.sample_every = 4
train.log_every = 2
train.num_samples_shown = 20
"""
RING = """
include "gin_configs/data/ring.gin"
include "gin_configs/networks/mlp.gin"
batch_size = 16
Evaluator.features = @PointFeatures()
Evaluator.num_samples = 64
train.steps = 4
train.save_every = 2
train.evaluate_every = 2
train.sample_every = 2
"""

_specification = importlib.util.spec_from_file_location(
    "kill_and_resume", ROOT / "benchmarks/kill_and_resume.py"
)
kill_and_resume = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(kill_and_resume)


class Crash(BaseException):
    """The process dies here: nothing of ours catches this."""


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """Reference statistics go to a folder of the tests; determinism ends with them."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()
    from tensorflow.python.framework import config as tensorflow_config

    tensorflow_config.disable_op_determinism()


@pytest.fixture(scope="module")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "run.gin"
    path.write_text(CONFIG)
    return str(path)


def run(gin_file, model_dir, *bindings):
    """`launch/train.py` without its process."""
    keras.backend.clear_session()
    experiment.prepare([gin_file], bindings)
    return training.train(str(model_dir))


@pytest.fixture(scope="module")
def whole(gin_file, tmp_path_factory):
    """The uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(gin_file, folder)
    return folder


def assert_same_run(first, second):
    assert kill_and_resume.differences(first, second) == []


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def contents(folder):
    """Every file with its time of change and bytes, the lock aside."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "train.lock"]
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in paths}


def crash_at(monkeypatch, owner, name, when, before=True):
    """Makes the process die in `owner.name`, once `when(arguments)` is true."""
    original = getattr(owner, name)

    def dies(*args, **kwargs):
        doomed = when(*args)
        if doomed and before:
            raise Crash
        result = original(*args, **kwargs)
        if doomed:
            raise Crash
        return result

    monkeypatch.setattr(owner, name, dies)


def test_what_a_run_leaves(whole):
    names = {p.name for p in whole.iterdir()}
    assert names == {
        "operative.gin", "metrics.jsonl", "checkpoints", "samples", "train", "eval", "generator.keras", "export",
        "train.lock",
    }  # fmt: skip
    assert [row["step"] for row in rows(whole)] == [0, 4, 8, 12]
    for row in rows(whole):
        assert row["features"] == "digits_classifier" and row["num_samples"] == 64
        assert row["fid"] > 0 and 1 <= row["inception_score"] <= 10
        assert {"kid", "train_seconds", "compile_seconds", "eval_seconds"} <= row.keys()
    assert rows(whole)[0]["train_seconds"] == 0.0 < rows(whole)[-1]["train_seconds"]
    assert sorted(p.name for p in (whole / "samples").iterdir()) == [
        f"step_{s:08d}.png" for s in (0, 4, 8, 12)
    ]
    with Image.open(whole / "samples" / "step_00000012.png") as image:  # 2 rows of 10 classes
        assert image.size == ((10 * 10 + 2) * 6, (2 * 10 + 2) * 6)


def test_the_generator_taken_away_is_the_averaged_one(whole, gin_file):
    model, step = experiment.load(whole)
    assert step == STEPS
    latents = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
    labels = np.arange(5, dtype="int32")
    expected = model.render(latents, labels)
    assert (expected != model.render(latents, labels, ema=False)).any()
    generator = keras.models.load_model(whole / "generator.keras")
    plain = generator([latents, labels], training=False).numpy()
    np.testing.assert_allclose((plain + 1) * 127.5, expected, atol=0.51)
    archive = tf.saved_model.load(str(whole / "export"))
    exported = archive.serve(latents, labels).numpy()
    assert exported.dtype == np.uint8
    np.testing.assert_allclose(exported.astype(int), expected.astype(int), atol=1)


def test_tensorboard_shows_curves_and_images(whole):
    shown = kill_and_resume.curves(whole / "train")
    assert set(shown) == {
        "d/adversarial", "g/adversarial", "d/gradient_norm", "g/gradient_norm", "learning_rate/generator",
        "learning_rate/discriminator", "images_per_second",
    }  # fmt: skip
    for tag, points in shown.items():
        assert [step for step, _ in points] == [2, 4, 6, 8, 10, 12], tag
        assert all(np.isfinite(value) and value > 0 for _, value in points), tag
    assert {value for _, value in shown["learning_rate/generator"]} == {np.float32(2e-4)}
    shown = kill_and_resume.curves(whole / "eval")
    for name in ("fid", "kid", "inception_score"):
        assert [step for step, _ in shown[name]] == [row["step"] for row in rows(whole)]
        np.testing.assert_allclose(
            [value for _, value in shown[name]], [row[name] for row in rows(whole)], rtol=1e-6
        )
    for step, (width, height, png) in shown["samples"]:
        assert png == tf.io.encode_png(
            np.asarray(Image.open(whole / f"samples/step_{step:08d}.png"))[..., None]
        )
        assert (int(width), int(height)) == (612, 132)
    assert not any(tag.endswith("seconds") for tag in shown)


def test_histograms_on_request(gin_file, tmp_path):
    run(gin_file, tmp_path / "run", "train.histograms=True", "train.steps=2", "train.num_samples_shown=3")
    tags = set(kill_and_resume.curves(tmp_path / "run" / "train"))
    assert sum("kernel" in tag for tag in tags) >= 4
    with Image.open(tmp_path / "run/samples/step_00000002.png") as image:  # 3 images, too few for 10 classes
        assert image.size == ((2 * 10 + 2) * 6, (2 * 10 + 2) * 6)


def test_a_finished_run_is_left_alone(whole, gin_file):
    before = contents(whole)
    metrics = run(gin_file, whole)
    assert metrics == rows(whole)[-1]
    assert contents(whole) == before


def test_any_split_is_the_same_run(whole, gin_file, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    for split in (3, 4, 11):
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
    (callbacks.ProgressBar, "after", lambda _, step: step == 7, True),
    (checkpoint.Checkpoints, "save", lambda _, model, step, about: step == 8, False),
    (files.JsonLines, "append", _row(8), True),
    (pictures, "save_png", _picture(8), False),
    (files.JsonLines, "append", _row(12), True),
    (GAN, "export", lambda *_: True, True),
    (GAN, "export", lambda *_: True, False),
]


def test_crashes_leave_no_trace(whole, gin_file, tmp_path, monkeypatch):
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
    assert_same_run(whole, folder)


def test_a_damaged_newest_checkpoint_costs_only_time(whole, gin_file, tmp_path, caplog):
    folder = tmp_path / "run"
    run(gin_file, folder, "train.steps=8")
    newest = folder / "checkpoints" / "step_00000008.npz"
    newest.write_bytes(newest.read_bytes()[:1000])
    run(gin_file, folder)  # rows, pictures and events of step 8 come again
    assert "step_00000008.npz cannot be read" in caplog.text
    assert_same_run(whole, folder)


def test_without_any_checkpoint_it_starts_again(whole, gin_file, tmp_path):
    folder = tmp_path / "run"
    run(gin_file, folder, "train.steps=4")
    for path in (folder / "checkpoints").iterdir():
        path.unlink()
    run(gin_file, folder)
    assert_same_run(whole, folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_run_goes_on_exactly(whole, gin_file, tmp_path, number, monkeypatch):
    folder = tmp_path / "run"
    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    with monkeypatch.context() as patch:
        kill = lambda clock, step: os.kill(os.getpid(), number) if step == 5 else None  # noqa: E731
        patch.setattr(callbacks.ProgressBar, "after", kill)
        with pytest.raises(callbacks.Interrupted) as caught:
            run(gin_file, folder)
    assert caught.value.number == number
    assert checkpoint.Checkpoints(folder / "checkpoints").steps() == [0, 4, 5]
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == handlers
    run(gin_file, folder)
    (folder / "checkpoints" / "step_00000005.npz").unlink(missing_ok=True)  # the one that is not on schedule
    (whole_steps, steps) = (checkpoint.Checkpoints(f / "checkpoints").steps() for f in (whole, folder))
    assert steps[-1] == whole_steps[-1] == STEPS
    assert rows(folder)[-1]["fid"] == rows(whole)[-1]["fid"]
    assert [d for d in kill_and_resume.differences(whole, folder) if "files of checkpoints" not in d] == []


def test_a_signal_does_not_wait_for_a_long_evaluation(whole, gin_file, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    asked = []

    def generate(self, count, **kwargs):
        asked.append(count)
        os.kill(os.getpid(), signal.SIGTERM)
        return np.zeros((count, 8, 8, 1), np.uint8)

    with monkeypatch.context() as patch:
        patch.setattr("tfgans.generation.Generation.generate", generate)
        with pytest.raises(callbacks.Interrupted):
            run(gin_file, folder, "Evaluator.batch_size=16")
    assert asked == [16]  # of 64
    run(gin_file, folder)
    assert_same_run(whole, folder)


def test_a_second_interrupt_stops_at_once():
    stop = callbacks.StopOnSignal(None)
    with stop:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)


@pytest.mark.parametrize(
    "bindings",
    [
        ["numerics.precision='mixed_bfloat16'"],
        ["build.jit_compile=True"],
        ["num_classes=None", "build.methods=[@GradientPenaltyGAN]", "build.steps_per_execution=2",
         "GAN.discriminator_steps=2", "dcgan_discriminator.normalization='none'"],
    ],
    ids=["bfloat16", "xla", "unconditional"],
)  # fmt: skip
def test_other_ways_to_train_resume_exactly_too(gin_file, tmp_path, bindings, monkeypatch):
    bindings = [
        *bindings,
        "train.steps=6",
        "train.evaluate_every=6",
        "train.sample_every=6",
        "train.save_every=2",
    ]
    run(gin_file, tmp_path / "whole", *bindings)
    with monkeypatch.context() as patch:
        crash_at(patch, checkpoint.Checkpoints, "save", lambda _, model, step, about: step == 4)
        with pytest.raises(Crash):
            run(gin_file, tmp_path / "split", *bindings)
    run(gin_file, tmp_path / "split", *bindings)
    assert_same_run(tmp_path / "whole", tmp_path / "split")
    start, end = (np.load(tmp_path / f"whole/checkpoints/step_0000000{s}.npz") for s in (2, 6))
    assert sum(start[n].tobytes() != end[n].tobytes() for n in start.files) > 20


def test_points(tmp_path):
    (tmp_path / "ring.gin").write_text(RING)
    metrics = run(str(tmp_path / "ring.gin"), tmp_path / "run")
    assert [row["step"] for row in rows(tmp_path / "run")] == [0, 2, 4]
    for row in rows(tmp_path / "run"):
        assert 0 <= row["modes_covered"] <= 8 and row["features"] == "points" and row["fid"] > 0
    assert metrics == rows(tmp_path / "run")[-1]
    with Image.open(tmp_path / "run/samples/step_00000004.png") as image:
        assert image.size == (480, 480) and image.mode == "RGB"
    paths = experiment.generate(tmp_path / "run", tmp_path / "out", 5)
    assert [p.name for p in paths] == ["points.npy", "points.png"]
    assert np.load(paths[0]).shape == (5, 2)


@pytest.mark.parametrize(
    ("bindings", "name"),
    [
        (["GAN.ema_decay=0.5"], "GAN.ema_decay = 0.9 there, 0.5 here"),
        (["numerics.seed=1"], "numerics.seed"),
        (["batch_size=32"], "batch_size = 16 there, 32 here"),
        (["build.methods=[@R1GAN]", "R1GAN.r1_weight=0.5"], "R1GAN|build.methods"),
    ],
)
def test_a_run_of_another_configuration_is_refused(whole, gin_file, bindings, name):
    before = contents(whole)
    with pytest.raises(ConfigError, match=f"another configuration: .*({name})"):
        run(gin_file, whole, *bindings)
    assert contents(whole) == before


def test_what_watches_a_run_may_change_and_it_may_be_extended(whole, gin_file, tmp_path):
    folder = tmp_path / "run"
    run(gin_file, folder, "train.steps=6")
    exported = contents(folder / "export")
    bindings = ["Evaluator.num_samples=32", "train.save_every=3", "Evaluator.kernel_distance=False"]
    run(gin_file, folder, "train.steps=12", *bindings)
    assert [row["step"] for row in rows(folder)] == [0, 4, 6, 8, 12]
    assert [row["num_samples"] for row in rows(folder)] == [64, 64, 64, 32, 32]
    assert contents(folder / "export") != exported
    last = ["checkpoints/step_00000012.npz"]
    assert kill_and_resume._states(whole / last[0], folder / last[0]) == []
    shown = kill_and_resume.curves(folder / "eval")
    assert [step for step, _ in shown["fid"]] == [0, 4, 6, 8, 12] == [step for step, _ in shown["samples"]]
    with pytest.raises(ConfigError, match="12 steps already, more than 4"):
        run(gin_file, folder, "train.steps=4", *bindings)


def test_the_best_checkpoint_stays(whole, gin_file, tmp_path, monkeypatch):
    from tfgans.evaluate.evaluator import Evaluator

    scores = iter([9.0, 5.0, 1.0, 7.0, 8.0, 6.0, 4.0])
    original = Evaluator.__call__
    monkeypatch.setattr(Evaluator, "__call__", lambda *args: original(*args) | {"fid": next(scores)})
    run(gin_file, tmp_path / "low", "train.evaluate_every=2", "train.keep_checkpoints=2")
    assert checkpoint.Checkpoints(tmp_path / "low/checkpoints").steps() == [4, 10, 12]
    assert experiment.load(tmp_path / "low", step="best")[1] == 4
    scores = iter([1.0, 5.0, 9.0, 7.0, 8.0, 6.0, 4.0])
    high = ["train.best_is_highest=True", "train.keep_checkpoints=1"]
    run(gin_file, tmp_path / "high", "train.evaluate_every=2", *high)
    assert checkpoint.Checkpoints(tmp_path / "high/checkpoints").steps() == [4, 12]
    assert experiment.load(tmp_path / "high", step="best")[1] == 4


def test_a_metric_that_is_not_measured_cannot_choose_the_best(gin_file, tmp_path):
    with pytest.raises(ConfigError, match="best_metric is none of fid, .* Received: fdi"):
        run(gin_file, tmp_path / "run", "train.best_metric='fdi'")


def test_divergence_keeps_the_last_good_checkpoint(gin_file, tmp_path):
    with pytest.raises(callbacks.Diverged, match="is (nan|inf) at step .; the checkpoint of step 0 is kept"):
        run(gin_file, tmp_path / "run", "Adam.learning_rate=1e30")
    checkpoints = checkpoint.Checkpoints(tmp_path / "run/checkpoints")
    assert checkpoints.steps() == [0]
    checkpoint.check_finite(checkpoints.load(0)[0])


def test_weights_that_are_not_finite_are_never_saved(gin_file, tmp_path, monkeypatch):
    def overflow(clock, step):  # in an update whose loss and gradients were still finite
        if step == 8:
            kernel = clock.model.discriminator.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, np.inf))

    monkeypatch.setattr(callbacks.TrainingClock, "after", overflow)
    with pytest.raises(
        callbacks.Diverged, match="weight .* not finite at step 8; the checkpoint of step 4 is kept"
    ):
        run(gin_file, tmp_path / "run")
    assert checkpoint.Checkpoints(tmp_path / "run/checkpoints").steps() == [0, 4]


def test_a_loss_that_is_not_a_number_stops_the_run(gin_file, tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks.TrainingClock, "after", lambda clock, step: clock.model.step_logs.update(
        {"d/adversarial": float("nan")} if step == 6 else {}))  # fmt: skip
    with pytest.raises(
        callbacks.Diverged, match="d/adversarial is nan at step 6; the checkpoint of step 4 is kept"
    ):
        run(gin_file, tmp_path / "run", "train.save_every=2")
    steps = checkpoint.Checkpoints(tmp_path / "run/checkpoints")
    assert steps.steps()[-1] == 4
    checkpoint.check_finite(steps.load(4)[0])


def test_a_second_trainer_is_refused(whole, gin_file):
    before = contents(whole)
    with checkpoint.Lock(whole), pytest.raises(ConfigError, match=f"another process .number {os.getpid()}"):
        run(gin_file, whole)
    assert contents(whole) == before


def test_a_full_disk_leaves_what_was_saved(whole, gin_file, tmp_path, monkeypatch):
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
    assert_same_run(whole, folder)


@pytest.mark.parametrize(
    ("bindings", "message"),
    [
        (["build.steps_per_execution=3", "train.steps=10"], "train.steps = 10 is not a multiple of .* = 3"),
        (
            ["build.steps_per_execution=3", "train.log_every=3"],
            "train.save_every = 4 is not a multiple of .* = 3",
        ),
        (["train.save_every=0"], "train.save_every is an integer of at least 1. Received: 0"),
        (["train.evaluate_every=True"], "train.evaluate_every is an integer"),
        (["train.steps=2.5"], "train.steps is an integer of at least 1. Received: 2.5"),
        (["train.keep_checkpoints=0"], "checkpoints to keep is at least 1"),
        (["Dataset.num_classes=3"], "classes"),
        (["dcgan_generator.resolution=16"], r"\(16, 16, 1\)"),
        (["batch_size=2000"], "2000"),
        (["Evalutor.num_samples=3"], "Evalutor"),
        (["R1GAN.r1_weight=0.5"], "nothing used these bindings: R1GAN.r1_weight"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(gin_file, tmp_path, bindings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run(gin_file, tmp_path / "run", *bindings)
    assert re.search(message, config.first_line(caught.value))
    assert not (tmp_path / "run").exists()


def test_bindings_of_reads_what_gin_writes(gin_file):
    experiment.prepare([gin_file], ["build.methods=[@R1GAN, @GradientPenaltyGAN]"])
    experiment.build_model()
    found = training.bindings_of(config.operative())
    assert found["build.methods"] == "[@R1GAN, @GradientPenaltyGAN]"
    assert found["dcgan_generator.base_channels"] == "8"
    assert training.bindings_of("# X.a = 1\nX.b = \\\n    ['a',\n     'b']\n\nX.c = 1\n") == {
        "X.b": "['a', 'b']",
        "X.c": "1",
    }


def test_killed_at_random_moments_it_is_the_same_run(gin_file, tmp_path):
    """A short version of benchmarks/kill_and_resume.py, with processes and `kill -9`."""
    command = [sys.executable, str(ROOT / "benchmarks" / "kill_and_resume.py"), "--kills=3", "--steps=20"]
    command += [
        f"--gin_file={gin_file}",
        "--gin_param=train.save_every=5",
        "--gin_param=train.evaluate_every=5",
    ]
    done = subprocess.run([*command, f"--folder={tmp_path}"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["differences"] == [] and 1 <= result["kills"] <= 3 and result["resumed_at"]
    assert result["evaluated_steps"] == [0, 5, 10, 15, 20]


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
