"""Every mistake is one line, and nothing is created."""

import json
import os
import re
import subprocess
import sys

import pytest
from short_runs import CONFIG, ROOT

from tfgans import checkpoint


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--no_such_flag=1"], "no_such_flag"),
        (["--gin_params=GAN.seed=1"], "Unknown command line flag 'gin_params'. Did you mean: gin_param"),
        (["--model_dir="], "flag --model_dir=: it is a path, and this one is empty"),
        (["--initialize_from="], "flag --initialize_from=: it is a path, and this one is empty"),
        (["--steps=many"], "flag --steps=many: not an integer"),
        (["--steps=0"], "flag --steps=0: 0 is not a positive integer"),
        (["--steps=1e3"], "flag --steps=1e3: not an integer"),
        (["--seed=-1"], "flag --seed=-1: -1 is not an integer in the range"),
        (["--seed=9223372036854775808"], "--seed=9223372036854775808: .* is not an integer in the range"),
        (["--resolution=4x"], "flag --resolution=4x: it is a side in pixels, such as 64, or height x width, such as"),
        (["--resolution=0x8"], "flag --resolution=0x8: it is a side in pixels"),
        (["--resolution=-8"], "flag --resolution=-8: it is a side in pixels"),
        (["--channels=5"], r"flag --channels=5: 5 is not an integer in the range \[1, 4\]"),
        (["--task=0"], "train.py: --task is a number among --workers=host:port,host:port: give them, too"),
        (["--task=one"], "flag --task=one: not an integer"),
        (["--workers=a:1,b:2", "--task=2"], r"--task is .* among --workers, in \[0, 1\]. Received: 2"),
        (["--workers=a,b", "--task=0"], "--workers is host:port,host:port with ports of 1 to 65535. Received: 'a'"),
        (["extra"], "unexpected argument 'extra'"),
        (["--gin_file=no/such.gin"], "no such gin file: no/such.gin"),
        (["--gin_param=GAN.no_such=1"], "GAN has no parameter 'no_such'"),
        (["--gin_param=GAM.seed=1"], "GAM"),
        (["--gin_param=Dataset.source=folder:x"], """--gin_param='Dataset.source="folder:x"'. Received: folder:x"""),
        (["--gin_param=build.methods=[@DifAugmentGAN]"], "@DifAugmentGAN: did you mean @DiffAugmentGAN?"),
        (["--gin_param=Evaluator.num_samples=20.0"], "Evaluator.num_samples is an integer of at least 2. .* 20.0"),
        (["--gin_param=train.num_samples_shown=0"], "train.num_samples_shown is an integer of at least 1. .* 0"),
        (["--gin_param=batch_sise=8"], r"these bindings: batch_sise \(did you mean batch_size\?\)"),
        (["--gin_param=R1GAN.r1_weight=0.5"], "nothing used these bindings: R1GAN.r1_weight"),
        (["--gin_param=GAN.discriminator_steps='two'"], "GAN.discriminator_steps is an integer .*'two'"),
        (["--gin_param=dcgan_generator.base_channels='8'"], "base_channels"),
        (["--gin_param=Dataset.source='folder:/no/such'"], "/no/such"),
        (["--gin_param=num_classes=3"], "classes"),
        (["--gin_param=batch_size=5000"], "5000"),
        (["--gin_param=Evaluator.features=@InceptionFeatures()", "--gin_param=InceptionFeatures.path='/no/such'"],
         "no saved_model.pb in '/no/such'"),
        (["--gin_param=Evaluator.features=@InceptionFeatures()",
          "--gin_param=InceptionFeatures.handle='http://127.0.0.1:9/inception'"], "Inception cannot be loaded"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_is_created(refused, gin_file, tmp_path, flags, message):
    given = [f"--gin_file={gin_file}", f"--model_dir={tmp_path / 'run'}", *flags]
    assert re.search(message, refused("train", *given))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("command", "flag"),
    [
        ("evaluate", "langevin_rate=nan"),
        ("generate", "truncation=nan"),
        ("project", "pixel_weight=inf"),
        ("doctor", "seconds=nan"),
        ("compare", "evaluate_every=inf"),
    ],
)
def test_numbers_are_finite(refused, tmp_path, command, flag):
    needed = {"evaluate": ("model_dir",), "compare": ("output_dir",), "doctor": ()}
    names = needed.get(command, ("model_dir", "output_dir"))
    given = [f"--{name}={tmp_path / name}" for name in names] + ["--image=x.png"] * (command == "project")
    assert f"flag --{flag}: It must be a finite number." in refused(command, *given, f"--{flag}")


def test_all_flags_of_numbers_are_defined_in_one_place():
    """By `define_float`, which sees to that."""
    found = [path for path in (ROOT / "tfgans").rglob("*.py") if "DEFINE_float" in path.read_text()]
    assert [path.name for path in found] == ["flags.py"] and found[0].read_text().count("DEFINE_float") == 1


def test_flags_that_are_missing_are_named(refused, gin_file, tmp_path):
    assert "--model_dir" in refused("train", f"--gin_file={gin_file}")
    assert "--gin_file" in refused("train", f"--model_dir={tmp_path / 'run'}")
    assert "--output_dir" in refused("generate", f"--model_dir={tmp_path}")
    assert "--gin_file" in refused("describe")
    assert "--output_dir" in refused("compare", f"--gin_file={gin_file}")
    assert "--gin_file" in refused("compare", f"--output_dir={tmp_path / 'out'}")


def test_gin_files_with_mistakes_and_folders_that_cannot_be_trained_in(refused, gin_file, tmp_path):
    (tmp_path / "bad.gin").write_text("GAN.seed = = 1\n")
    (tmp_path / "no_steps.gin").write_text(CONFIG.replace("train.steps = 12", ""))
    (tmp_path / "file").write_text("")
    folder = f"--model_dir={tmp_path / 'run'}"
    assert "bad.gin" in refused("train", f"--gin_file={tmp_path / 'bad.gin'}", folder)
    assert "--steps" in refused("train", f"--gin_file={tmp_path / 'no_steps.gin'}", folder)
    assert "is not a folder" in refused("train", f"--gin_file={gin_file}", f"--model_dir={tmp_path / 'file'}")
    assert "Not a directory" in refused(
        "train", f"--gin_file={gin_file}", f"--model_dir={tmp_path / 'file' / 'run'}"
    )
    assert f"{tmp_path} is a folder" in refused("train", f"--gin_file={tmp_path}", folder)
    assert sorted(os.listdir(tmp_path)) == ["bad.gin", "file", "no_steps.gin"]


@pytest.mark.slow
def test_what_a_run_does_not_have(refused, run_dir, tmp_path):
    (tmp_path / "file").write_text("")
    output = f"--output_dir={tmp_path / 'out'}"
    assert "is not a run" in refused("evaluate", f"--model_dir={tmp_path / 'none'}")
    assert "There are: 0, 2, 4" in refused("generate", f"--model_dir={run_dir}", output, "--step=3")
    for step in ("last", "-1", "1e3", "9" * 5000):
        assert f"'best'. Received: '{step}'" in refused(
            "generate", f"--model_dir={run_dir}", output, f"--step={step}"
        )
    assert os.path.expanduser("~/no_such_run") in refused("evaluate", "--model_dir=~/no_such_run")
    assert "[0, 10). Received: [3, 12]" in refused(
        "generate", f"--model_dir={run_dir}", output, "--labels=3,12"
    )
    assert "class names. Received: 'one'. Allowed: 0 to 9 or 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n" in refused(
        "generate", f"--model_dir={run_dir}", output, "--labels=one"
    )
    assert "above 0" in refused("generate", f"--model_dir={run_dir}", output, "--truncation=0")
    mixing = [output, "--style_mixing=2x2"]
    assert "the generator has no styles" in refused("generate", f"--model_dir={run_dir}", *mixing)
    wrong = [f"--output_dir={tmp_path / 'file'}", "--num_images=1"]
    assert str(tmp_path / "file") in refused("generate", f"--model_dir={run_dir}", *wrong)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--truncation=1.5"], r"truncation is psi, in \[0, 1\].* Received: 1.5"),
        (["--style_mixing=4"], "--style_mixing is ROWSxCOLUMNS, such as 4x6. Received: '4'"),
        (["--style_mixing=2x2", "--mixed_slots=2:5"], "0 <= A <= B <= 4. Received: 2:5"),
        (["--style_mixing=2x2", "--num_images=4"], "--num_images does not go with --style_mixing"),
        (["--interpolate", "--labels=0"], "--labels does not go with --interpolate"),
        (["--interpolate", "--frames_per_second=100"], "frames_per_second"),
        (["--frames=8"], "--frames is for --interpolate"),
    ],
)  # fmt: skip
def test_pictures_that_styles_cannot_give(refused, styled_run_dir, tmp_path, flags, message):
    output = f"--output_dir={tmp_path / 'out'}"
    assert re.search(message, refused("generate", f"--model_dir={styled_run_dir}", output, *flags))
    assert os.listdir(tmp_path) == []


def test_a_second_trainer_is_refused(refused, gin_file, run_dir):
    with checkpoint.Lock(run_dir):
        line = refused("train", f"--gin_file={gin_file}", f"--model_dir={run_dir}", "--steps=8")
    assert f"another process (number {os.getpid()})" in line


def test_comparisons_that_cannot_be_made(refused, gin_file, run_dir, tmp_path):
    output = f"--output_dir={tmp_path / 'out'}"
    assert "--seeds is at least 2" in refused("compare", f"--gin_file={gin_file}", output, "--seeds=1")
    assert "leave --gin_file" in refused(
        "compare", f"--gin_file={gin_file}", f"--from_runs={run_dir}", output
    )
    line = "--from_runs compares runs as they are: leave --seeds, --jobs out"
    assert line in refused("compare", f"--from_runs={run_dir}", output, "--jobs=2", "--seeds=3")
    assert "holds no run" in refused("compare", f"--from_runs={tmp_path / 'none'}", output)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("variables", "settings", "message"),
    [
        ({"KERAS_BACKEND": "jax"}, {}, "KERAS_BACKEND is tensorflow for tfgans, or not set. Received: 'jax'"),
        ({}, {"image_data_format": "channels_first"}, '"image_data_format" is "channels_last" for tfgans.'),
    ],
)
def test_settings_of_keras_that_do_not_do(environment, gin_file, tmp_path, variables, settings, message):
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    command = [sys.executable, str(ROOT / "launch/describe.py"), f"--gin_file={gin_file}"]
    variables = environment | {"KERAS_HOME": str(tmp_path)} | variables
    done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("describe.py: ") and message in done.stderr


def test_a_method_is_replaced_on_the_command_line(call, refused, tmp_path):
    (tmp_path / "r1.gin").write_text(CONFIG + "build.methods = [@R1GAN]\nR1GAN.r1_weight = 1.0\n")
    gin_file = f"--gin_file={tmp_path / 'r1.gin'}"
    code, out, err = call("describe", gin_file, "--gin_param=build.methods=[@DiffAugmentGAN]")
    assert code == 0 and json.loads(out)["methods"] == ["DiffAugmentGAN"]
    assert err == "left out, as nothing here uses them: R1GAN.r1_weight\n"
    unused = [gin_file, "--gin_param=build.methods=[]", "--gin_param=R1GAN.r1_weight=2.0"]
    assert "nothing used these bindings: R1GAN.r1_weight" in refused("describe", *unused)
    (tmp_path / "r1.gin").write_text(CONFIG + "R1GAN.r1_weight = 1.0\n")  # nothing has ever used it
    assert "nothing used these bindings: R1GAN.r1_weight" in refused("describe", gin_file)
