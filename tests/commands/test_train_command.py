"""`train` as a user meets it: exit codes, signals, own images."""

import json
import os
import signal
import time

import forks
import numpy as np
import pytest
from PIL import Image
from short_runs import rows, without_progress

from tfgans import checkpoint

FOLDER = """
include "gin_configs/data/folder.gin"
include "gin_configs/networks/dcgan.gin"
resolution = 16
channels = 3
num_classes = None
batch_size = 8
dcgan_generator.base_channels = 8
dcgan_discriminator.base_channels = 8
"""


def test_train_says_only_what_is_ours(trained):
    folder, out, err = trained
    in_training = [row for row in rows(folder) if "command" not in row]  # other tests evaluate this run
    assert json.loads(out) == in_training[-1] and out.count("\n") == 1
    assert "\r" not in err  # it is a log
    lines = err.splitlines()
    phases = ["train: loading TensorFlow ... ", "building the networks ... ", "checking digits: ",
              "reading digits: ", "data ", "evaluating at step 0 ... ", "step 0: fid ",
              "compiling the first step, which takes a while ... ", "training:  25%|", "step 2: fid ",
              "step 4: fid ", "training: 100%|", "handing over the generator ... ", "done: ", "next: "]  # fmt: skip
    began = [next(i for i, line in enumerate(lines) if line.startswith(phase)) for phase in phases]
    assert began == sorted(began) and began[0] == 0 and began[-1] == len(lines) - 1
    ours = ("step ", "done: ", "next: ", *introduction(lines))
    assert [line for line in without_progress(err).splitlines() if not line.startswith(ours)] == []


def introduction(lines):
    """The lines that say what the run is."""
    labels = ["data", "networks", "methods", "precision", "devices", "batch", "steps", "evaluation", "checkpoints",
              "folder"]  # fmt: skip
    first = next(i for i, line in enumerate(lines) if line.startswith("data "))
    found = lines[first : first + len(labels)]
    assert [line.split(" ")[0] for line in found] == labels
    return tuple(found)


def test_train_says_what_it_is_about_to_do_and_what_it_leaves(trained):
    folder, _, err = trained
    about = {line.split(" ")[0]: line.split("  ")[-1].strip() for line in introduction(err.splitlines())}
    assert about["data"] == "digits: 1,438 images of 8x8, gray, 10 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)"
    assert about["steps"] == "4 generator updates, each with 16 images"
    assert about["evaluation"] == "digits_classifier, 64 samples, every 2 updates"
    done, then = err.splitlines()[-2:]
    for name in ("samples/", "real.png", "metrics.jsonl", "checkpoints/", "generator.keras", "export/"):
        assert name in done
    assert f"launch/generate.py --model_dir={folder} --output_dir={folder}-images" in then
    assert then.endswith(f"launch/evaluate.py --model_dir={folder}")


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


def read_until(process, text):
    """Reads stderr up to a line that begins with a text."""
    for line in process.stderr:
        if line.startswith(text):
            return
    raise AssertionError(f"it ended without saying {text!r}")


def stopped(process, number):
    """`(exit code, stderr, seconds)` of a process that gets a signal now."""
    process.send_signal(number)
    sent = time.monotonic()
    out, err = process.communicate(timeout=120)
    assert out == ""
    return process.returncode, err, time.monotonic() - sent


@pytest.mark.parametrize("command", ["train", "evaluate", "compare"])
def test_a_command_speaks_before_tensorflow_and_stops_while_it_loads(start, gin_file, tmp_path, command):
    flags = {
        "train": [f"--gin_file={gin_file}", f"--model_dir={tmp_path / 'run'}"],
        "evaluate": [f"--model_dir={tmp_path}"],
        "compare": [f"--gin_file={gin_file}", f"--output_dir={tmp_path / 'out'}"],
    }
    began = time.monotonic()
    process = start(command, *flags[command])
    read_until(process, f"{command}: loading TensorFlow")
    assert time.monotonic() - began < 3.0  # under one on a machine that does nothing else
    number = signal.SIGINT if command == "train" else signal.SIGTERM
    returned, err, seconds = stopped(process, number)
    assert (returned, err) == (128 + number, f"{command}.py: stopped by signal {int(number)}\n")
    assert seconds < 8.0 and os.listdir(tmp_path) == []


def test_an_interrupt_while_the_first_step_is_compiled_is_answered_at_once(gin_file, tmp_path):
    folder = tmp_path / "run"
    process = forks.command("train", f"--gin_file={gin_file}", f"--model_dir={folder}")
    said = process.wait_for("compiling the first step")
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    returned, out, err = process.finish(timeout=120)
    seconds = time.monotonic() - sent
    assert (returned, out) == (130, "")
    assert err.removeprefix(said).endswith("train.py: stopped by signal 2; nothing was trained yet\n")
    assert seconds < 5.0 and "Traceback" not in err
    checkpoints = checkpoint.Checkpoints(folder / "checkpoints")
    assert checkpoints.steps() == [0] and checkpoints.load(0)[1]["step"] == 0


def test_a_signal_saves_and_leaves_with_128_and_its_number(gin_file, tmp_path):
    folder, number = tmp_path / "run", signal.SIGTERM
    every = [f"--gin_param=train.{name}_every=1000000" for name in ("evaluate", "sample")]
    process = forks.command("train", f"--gin_file={gin_file}", f"--model_dir={folder}", "--steps=1000000",
                            "--gin_param=train.save_every=20", "--gin_param=train.keep_checkpoints=1",
                            *every)  # fmt: skip
    end = time.monotonic() + 120
    while (
        time.monotonic() < end and max(checkpoint.Checkpoints(folder / "checkpoints").steps(), default=0) < 40
    ):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    returned, out, err = process.finish(timeout=120)
    assert returned == 128 + number
    assert out == "" and "Traceback" not in err
    assert f"train.py: stopped by signal {int(number)}; the same command goes on from there" in err
    steps = checkpoint.Checkpoints(folder / "checkpoints").steps()
    assert steps[-1] >= 40
    with np.load(folder / "checkpoints" / f"step_{steps[-1]:08d}.npz") as data:
        assert json.loads(str(data["about"]))["step"] == steps[-1]


def test_a_full_disk_is_one_line_and_1(gin_file, tmp_path):
    script = f"""
import os, sys
sys.argv = ["launch/train.py", "--gin_file={gin_file}", "--model_dir={tmp_path / "run"}"]
replace = os.replace
def full(source, target):
    if "step_00000002.npz" in str(target):
        raise OSError(28, "No space left on device")
    replace(source, target)
os.replace = full
from tfgans.commands import command_line
command_line.run("train")
"""
    code, _, err = forks.run(script)
    assert code == 1 and "Traceback" not in err
    last = err.strip().splitlines()[-1]
    path = tmp_path / "run/checkpoints/step_00000002.npz"
    assert last == f"train.py: [Errno 28] No space left on device: '{path}'"
    assert os.listdir(tmp_path / "run" / "checkpoints") == ["step_00000000.npz"]


def test_tensorboards_files_that_cannot_be_written_are_one_line_and_1(call, gin_file, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "eval").write_text("")
    code, out, err = call("train", f"--gin_file={gin_file}", f"--model_dir={tmp_path / 'run'}")
    assert (code, out) == (1, "") and "Traceback" not in err
    assert err.splitlines()[-1] == "train.py: TensorBoard's files cannot be written: Not a directory"


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


@pytest.mark.slow
def test_a_folder_of_own_images_trains(call, images, tmp_path):
    (tmp_path / "own.gin").write_text(FOLDER)
    files = [f"--gin_file={tmp_path / 'own.gin'}", f"--model_dir={tmp_path / 'run'}"]
    flags = [f"--data={images}", "--resolution=8", "--batch_size=4", "--steps=2"]
    code, out, err = call("train", *files, *flags)
    assert code == 0, err
    with Image.open(tmp_path / "run" / "samples" / "step_00000002.png") as image:
        assert image.mode == "RGB" and image.size == ((8 * 10 + 2) * 6, (8 * 10 + 2) * 6)
    with Image.open(
        tmp_path / "run" / "samples" / "real.png"
    ) as image:  # 28 of 30: an epoch of whole batches
        assert image.size == ((6 * 10 + 2) * 6, (5 * 10 + 2) * 6)
    assert rows(tmp_path / "run")[-1] == json.loads(out) and json.loads(out)["real_images"] == 8
    assert "evaluation   none (see Evaluator.features)" in err
    assert err.endswith(" --gin_param='Evaluator.features=@InceptionFeatures()'\n")
    code, out, err = call("train", *files, *flags[:-1], "--steps=2")  # done is done, and says so again
    assert code == 0 and json.loads(out)["step"] == 2
    left = "nothing is left to train: 2 updates are done; a larger --steps goes on from there"
    assert err.startswith(f"resumed at step 2\n{left}\ndone: ")
    files[1], digits = f"--model_dir={tmp_path / 'other'}", "--gin_param=Evaluator.features=@DigitsFeatures()"
    code, out, err = call(
        "train", *files, *flags, digits
    )  # which say nothing of these: evaluate alone would fail
    assert code == 0 and "features" not in json.loads(out)
    assert err.endswith(" --gin_param='Evaluator.features=@InceptionFeatures()'\n")


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


def test_an_image_that_turns_out_bad_in_training_is_one_line_and_2(images, tmp_path):
    (tmp_path / "own.gin").write_text(FOLDER)
    (images / "07.png").write_bytes((images / "07.png").read_bytes()[:200])
    script = f"""
import sys
sys.argv = ["launch/train.py", "--gin_file={tmp_path}/own.gin", "--data={images}", "--model_dir={tmp_path}/run",
            "--resolution=8", "--batch_size=4", "--steps=8", "--gin_param=Dataset.memory_limit_gb=0.0"]
from tfgans.data import store
store.CHECKED_ONCE = 3
from tfgans.commands import command_line
command_line.run("train")
"""
    code, _, err = forks.run(script)
    assert code == 2 and "Traceback" not in err
    assert err.strip().splitlines()[-1] == (
        f"train.py: folder:{images}: 07.png cannot be used (truncated); Dataset.on_bad_image = 'skip' takes the next "
        "image in its place"
    )
