"""`train` as a user meets it: exit codes, signals, own images."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from short_runs import ROOT, rows

from tfgans import checkpoint

FOLDER = """
include "gin_configs/data/folder.gin"
include "gin_configs/networks/dcgan.gin"
resolution = 16
batch_size = 8
dcgan_generator.base_channels = 8
dcgan_discriminator.base_channels = 8
"""


def test_train_says_only_what_is_ours(trained):
    folder, out, err = trained
    in_training = [row for row in rows(folder) if "command" not in row]  # other tests evaluate this run
    assert json.loads(out) == in_training[-1] and out.count("\n") == 1
    lines = [line.strip() for part in err.split("\n") for line in part.split("\r") if line.strip()]
    foreign = [line for line in lines if not line.startswith(("training:", "step "))]
    assert foreign == []
    assert sum(line.startswith("step ") or "step 2: fid" in line for line in lines) >= 1


def test_divergence_leaves_with_3(call, gin_file, tmp_path):
    flags = [
        f"--gin_file={gin_file}",
        f"--model_dir={tmp_path / 'run'}",
        "--gin_param=Adam.learning_rate=1e30",
    ]
    returned, out, err = call("train", *flags)
    assert returned == 3 and out == ""
    last = err.strip().splitlines()[-1]
    assert last.startswith("train.py: training diverged: ") and last.endswith(
        "the checkpoint of step 0 is kept"
    )
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves_with_128_and_its_number(start, gin_file, tmp_path, number):
    folder = tmp_path / "run"
    process = start("train", f"--gin_file={gin_file}", f"--model_dir={folder}", "--steps=1000000",
                    "--gin_param=train.save_every=20", "--gin_param=train.evaluate_every=1000000",
                    "--gin_param=train.keep_checkpoints=1")  # fmt: skip
    end = time.monotonic() + 120
    while (
        time.monotonic() < end and max(checkpoint.Checkpoints(folder / "checkpoints").steps(), default=0) < 40
    ):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert out == "" and "Traceback" not in err
    assert f"train.py: stopped by signal {int(number)}; the same command goes on from there" in err
    steps = checkpoint.Checkpoints(folder / "checkpoints").steps()
    assert steps[-1] >= 40
    with np.load(folder / "checkpoints" / f"step_{steps[-1]:08d}.npz") as data:
        assert json.loads(str(data["about"]))["step"] == steps[-1]


def test_a_full_disk_is_one_line_and_1(gin_file, environment, tmp_path):
    script = f"""
import os, sys
sys.argv = ["launch/train.py", "--gin_file={gin_file}", "--model_dir={tmp_path / "run"}"]
replace = os.replace
def full(source, target):
    if "step_00000002.npz" in str(target):
        raise OSError(28, "No space left on device")
    replace(source, target)
os.replace = full
from tfgans import command_line
command_line.run("train")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    path = tmp_path / "run/checkpoints/step_00000002.npz"
    assert last == f"train.py: [Errno 28] No space left on device: '{path}'"
    assert os.listdir(tmp_path / "run" / "checkpoints") == ["step_00000000.npz"]


@pytest.fixture
def images(tmp_path):
    """Thirty PNGs of mixed sizes."""
    folder = tmp_path / "images"
    folder.mkdir()
    draws = np.random.default_rng(0)
    for i in range(30):
        size = draws.integers(16, 60, 2)
        Image.fromarray(draws.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{i:02d}.png")
    return folder


def test_a_folder_of_own_images_trains(call, images, tmp_path):
    (tmp_path / "own.gin").write_text(FOLDER)
    source = f"--gin_param=Dataset.source='folder:{images}'"
    flags = [f"--gin_file={tmp_path / 'own.gin'}", source, f"--model_dir={tmp_path / 'run'}", "--steps=2"]
    code, out, err = call("train", *flags)
    assert code == 0, err
    assert out == ""  # nothing evaluates here
    with Image.open(tmp_path / "run" / "samples" / "step_00000002.png") as image:
        assert image.mode == "RGB" and image.size == ((8 * 18 + 2) * 3, (8 * 18 + 2) * 3)


def test_folders_that_cannot_be_used_say_why(refused, images, tmp_path):
    (tmp_path / "own.gin").write_text(FOLDER)
    (tmp_path / "empty").mkdir()
    for i in range(5):
        (images / f"{i:02d}.png").write_bytes((images / f"{i:02d}.png").read_bytes()[:60])

    def line(folder):
        source = f"--gin_param=Dataset.source='folder:{folder}'"
        return refused("train", f"--gin_file={tmp_path / 'own.gin'}", source, f"--model_dir={tmp_path / 'run'}",
                       "--steps=2")  # fmt: skip

    assert all(f"{i:02d}.png" in line_ for line_ in [line(images)] for i in range(5))
    assert str(tmp_path / "empty") in line(tmp_path / "empty")
    assert str(tmp_path / "missing") in line(tmp_path / "missing")
    assert not (tmp_path / "run").exists()
