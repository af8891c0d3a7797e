"""What the commands say of themselves."""

import json
import subprocess
import sys
import time

import pytest
from short_runs import ROOT

COMMANDS = (
    "train",
    "search",
    "evaluate",
    "generate",
    "project",
    "describe",
    "compare",
    "architectures",
    "classifier",
    "pack",
    "doctor",
    "export",
    "report",
    "explore",
)

NETWORKS = ("steps", "resolution", "channels", "num_classes", "batch_size")

FLAGS = {
    "train": ("gin_file", "gin_param", "model_dir", "seed", "data", "workers", "task", *NETWORKS),
    "search": ("gin_file", "gin_param", "model_dir", "seed", "data", "workers", "task", *NETWORKS),
    "evaluate": (
        "gin_param",
        "model_dir",
        "num_samples",
        "step",
        "generator",
        "duality_gap",
        "standing_statistics",
        "langevin_steps",
        "langevin_rate",
    ),
    "generate": (
        "model_dir",
        "output_dir",
        "num_images",
        "labels",
        "interpolate",
        "interpolate_in",
        "frames",
        "frames_per_second",
        "truncation",
        "truncated_slots",
        "style_mixing",
        "mixed_slots",
        "style_layer",
        "seed",
        "step",
        "generator",
        "seeds",
        "latents",
        "walk",
        "class_walk",
        "directions",
        "num_directions",
        "strength",
        "moved_slots",
        "video",
        "standing_statistics",
        "langevin_steps",
        "langevin_rate",
    ),
    "project": (
        "model_dir",
        "output_dir",
        "image",
        "space",
        "steps",
        "labels",
        "learning_rate",
        "pixel_weight",
        "feature_weight",
        "noise",
        "noise_weight",
        "seed",
        "video",
        "frames_per_second",
        "step",
        "generator",
        "weights",
        "overwrite",
    ),
    "describe": ("gin_file", "gin_param", "summary", *NETWORKS),
    "architectures": (
        "gin_file",
        "gin_param",
        "output_dir",
        "count",
        "steps",
        "seed",
        "metric",
        "thresholds",
        "jobs",
    ),
    "classifier": (
        "data",
        "output",
        "test_data",
        "epochs",
        "seed",
        "flip",
        "gin_param",
        *NETWORKS[1:3],
        "batch_size",
    ),
    "pack": (
        "source",
        "output",
        "verify",
        "format",
        "resolution",
        "channels",
        "crop",
        "background",
        "splits",
        "labels",
        "on_bad_image",
        "images_per_shard",
        "overwrite",
        "data_dir",
        "image_key",
        "label_key",
    ),
    "doctor": ("seconds",),
    "export": ("model_dir", "output_dir", "formats", "quantize", "overwrite", "step", "weights", "generator"),
    "report": ("model_dir", "output"),
    "explore": ("model_dir", "host", "port", "step", "generator", "weights", "gin_param"),
    "compare": (
        "gin_file",
        "gin_param",
        "label",
        "from_runs",
        "seeds",
        "steps",
        "seconds",
        "own_steps",
        "evaluate_every",
        "metric",
        "jobs",
        "output_dir",
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_and_lists_the_flags(script, command):
    began = time.monotonic()
    code, out, err = script(command, "--help")
    seconds = time.monotonic() - began
    print(f"{command} --help: {seconds:.2f} s")
    assert seconds < 3.0  # under one on a machine that does nothing else
    assert err == "" and code in (0, 1)
    assert all(f"--{flag}" in out or f"--[no]{flag}" in out for flag in FLAGS[command]), out


def test_help_does_not_import_tensorflow(environment):
    script = """
import sys
sys.argv = ["launch/train.py", "--help"]
from tfgans.commands import command_line
try:
    command_line.run("train")
except SystemExit as end:
    print("left with", end.code)
loaded = [name for name in ("tensorflow", "keras", "numpy.linalg", "sklearn", "PIL") if name in sys.modules]
print("loaded", loaded)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.endswith("loaded []\n"), done.stdout + done.stderr


@pytest.mark.parametrize("words", [("train", "--help"), ("--help",)])
@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        ("| true", 1, ""),
        ("> /dev/full", 1, "tfgans: stdout cannot be written: No space left on device\n"),
        (">&-", None, ""),
    ],
)
def test_help_that_nobody_reads_is_no_traceback(environment, words, where, code, said):
    # The first command waits until `true` has gone.
    line = f"(sleep 0.2; {sys.executable} -m tfgans {' '.join(words)}; echo $? >&2) {where}"
    done = subprocess.run(
        ["sh", "-c", line], env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    left = done.stderr.splitlines(keepends=True)
    # absl ends with 1 after every help of a command
    assert ("".join(left[:-1]), int(left[-1])) == (said, code or int(words[0] == "train"))


def test_a_closed_stderr_gets_no_file_of_the_command(environment, tmp_path):
    script = """
import os, sys
from tfgans.commands import command_line
command_line._open_closed()
print([os.open("new", os.O_CREAT | os.O_WRONLY) > 2, os.path.samestat(os.fstat(2), os.stat(os.devnull))])
print("unheard", file=sys.stderr, flush=True)
os.write(2, b"by a library")
"""
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -c '{script}' 0<&- 2>&-"],
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout == "[True, True]\n" and (tmp_path / "new").read_text() == ""


def test_a_working_directory_that_is_gone_is_named(environment, tmp_path):
    line = f"cd {tmp_path} && rmdir {tmp_path} && {sys.executable} -m tfgans describe --gin_file=no.gin"
    done = subprocess.run(
        ["sh", "-c", line], env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    said = "tfgans: the working directory is gone: change to one that is there\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.slow
def test_the_console_command_does_the_same(environment, refused):
    def console(*arguments):
        script = "import sys; from tfgans.commands import command_line; sys.argv = ['tfgans', *sys.argv[1:]]"
        return subprocess.run(
            [sys.executable, "-c", f"{script}; command_line.console()", *arguments],
            env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip

    done = console("describe", "--gin_file=gin_configs/quickstart.gin")
    assert done.returncode == 0 and json.loads(done.stdout)["model"] == "GAN", done.stderr
    assert done.stderr.startswith("describe: loading TensorFlow ... 0 s\n")
    done = console("describe", "--gin_file=no/such.gin")
    assert (done.returncode, done.stderr) == (2, "tfgans: no such gin file: no/such.gin\n")
    for command in COMMANDS:
        done = console(command, "--help")
        assert all(f"--{flag}" in done.stdout or f"--[no]{flag}" in done.stdout for flag in FLAGS[command])
    done = console("--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: tfgans {train,")
    for wrong in ((), ("paint",)):
        done = console(*wrong)
        assert done.returncode == 2 and done.stderr.startswith("usage: tfgans {train,")
