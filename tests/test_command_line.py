"""The commands as a user meets them: flags, one line for every mistake, exit codes, files."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tfgans import checkpoint

ROOT = pathlib.Path(__file__).parent.parent
COMMANDS = ("train", "evaluate", "generate", "describe")
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
train.steps = 4
train.save_every = 2
train.evaluate_every = 2
train.sample_every = 4
"""
FOLDER = """
include "gin_configs/data/folder.gin"
include "gin_configs/networks/dcgan.gin"
resolution = 16
batch_size = 8
dcgan_generator.base_channels = 8
dcgan_discriminator.base_channels = 8
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """As a user's: with nothing that keeps TensorFlow quiet."""
    cache = {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "CUDA_VISIBLE_DEVICES": "-1"}
    return {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"} | cache


@pytest.fixture(scope="module")
def start(environment):
    """Starts a launch script as a user does."""

    def start(command, *flags):
        arguments = [sys.executable, str(ROOT / "launch" / f"{command}.py"), *map(str, flags)]
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return subprocess.Popen(arguments, **pipes, env=environment, cwd=ROOT)

    return start


@pytest.fixture(scope="module")
def script(start):
    """`(exit code, stdout, stderr)` of a launch script in a process of its own."""

    def script(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=240)
        return process.returncode, out, err

    return script


# Runs commands as the launch scripts do, each in a fork of a process that has loaded TensorFlow but not used it.
FORKS = """
import json, os, sys
import tensorflow
from tfgans import command_line, config
config.import_rooms()
for line in sys.stdin:
    command, flags, folder = json.loads(line)
    child = os.fork()
    if not child:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv = [f"launch/{command}.py", *flags]
        command_line.run(command)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, flush=True)
"""


@pytest.fixture(scope="module")
def call(environment, tmp_path_factory):
    """`(exit code, stdout, stderr)` of a command; as `script`, without the seconds that TensorFlow takes to load."""
    folder = tmp_path_factory.mktemp("said")
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    variables = environment | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen([sys.executable, "-c", FORKS], env=variables, **pipes) as forks:

        def call(command, *flags):
            forks.stdin.write(json.dumps([command, list(map(str, flags)), str(folder)]) + "\n")
            forks.stdin.flush()
            status = int(forks.stdout.readline())
            return status, (folder / "out").read_text(), (folder / "err").read_text()

        yield call


@pytest.fixture(scope="module")
def refused(call):
    """Asserts exit code 2 with one line on stderr and nothing on stdout; returns the line."""

    def refused(*arguments, code=2):
        returned, out, err = call(*arguments)
        assert (returned, out, err.count("\n")) == (code, "", 1), err
        assert err.startswith(f"{arguments[0]}.py: ") and "Traceback" not in err
        return err

    return refused


@pytest.fixture(scope="module")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "run.gin"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def trained(script, gin_file, tmp_path_factory):
    """A short run; `(its folder, stdout, stderr)`."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    code, out, err = script("train", f"--gin_file={gin_file}", f"--model_dir={folder}")
    assert code == 0, err
    return folder, out, err


@pytest.fixture(scope="module")
def run_dir(trained):
    return trained[0]


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


FLAGS = {
    "train": ("gin_file", "gin_param", "model_dir", "steps", "seed"),
    "evaluate": ("gin_param", "model_dir", "num_samples", "step"),
    "generate": (
        "model_dir",
        "output_dir",
        "num_images",
        "labels",
        "interpolate",
        "truncation",
        "seed",
        "step",
    ),
    "describe": ("gin_file", "gin_param", "summary"),
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
from tfgans import command_line
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


def test_train_says_only_what_is_ours(trained):
    folder, out, err = trained
    assert json.loads(out) == rows(folder)[-1] and out.count("\n") == 1
    lines = [line.strip() for part in err.split("\n") for line in part.split("\r") if line.strip()]
    foreign = [line for line in lines if not line.startswith(("training:", "step "))]
    assert foreign == []
    assert sum(line.startswith("step ") or "step 2: fid" in line for line in lines) >= 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--no_such_flag=1"], "no_such_flag"),
        (["--steps=many"], "steps"),
        (["--steps=0"], "steps"),
        (["extra"], "unexpected argument 'extra'"),
        (["--gin_file=no/such.gin"], "no such gin file: no/such.gin"),
        (["--gin_param=GAN.no_such=1"], "GAN has no parameter 'no_such'"),
        (["--gin_param=GAM.seed=1"], "GAM"),
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


def test_flags_that_are_missing_are_named(refused, gin_file, tmp_path):
    assert "--model_dir" in refused("train", f"--gin_file={gin_file}")
    assert "--gin_file" in refused("train", f"--model_dir={tmp_path / 'run'}")
    assert "--output_dir" in refused("generate", f"--model_dir={tmp_path}")
    assert "--gin_file" in refused("describe")


def test_gin_files_with_mistakes_and_folders_that_cannot_be_trained_in(refused, gin_file, tmp_path):
    (tmp_path / "bad.gin").write_text("GAN.seed = = 1\n")
    (tmp_path / "no_steps.gin").write_text(CONFIG.replace("train.steps = 4", ""))
    (tmp_path / "file").write_text("")
    folder = f"--model_dir={tmp_path / 'run'}"
    assert "bad.gin" in refused("train", f"--gin_file={tmp_path / 'bad.gin'}", folder)
    assert "--steps" in refused("train", f"--gin_file={tmp_path / 'no_steps.gin'}", folder)
    assert "is not a folder" in refused("train", f"--gin_file={gin_file}", f"--model_dir={tmp_path / 'file'}")
    assert "Not a directory" in refused(
        "train", f"--gin_file={gin_file}", f"--model_dir={tmp_path / 'file' / 'run'}"
    )
    assert sorted(os.listdir(tmp_path)) == ["bad.gin", "file", "no_steps.gin"]


def test_what_a_run_does_not_have(refused, run_dir, tmp_path):
    (tmp_path / "file").write_text("")
    output = f"--output_dir={tmp_path / 'out'}"
    assert "is not a run" in refused("evaluate", f"--model_dir={tmp_path / 'none'}")
    assert "There are: 0, 2, 4" in refused("generate", f"--model_dir={run_dir}", output, "--step=3")
    assert "'best'. Received: 'last'" in refused("generate", f"--model_dir={run_dir}", output, "--step=last")
    assert "[0, 10). Received: [3, 12]" in refused(
        "generate", f"--model_dir={run_dir}", output, "--labels=3,12"
    )
    assert "list of integers" in refused("generate", f"--model_dir={run_dir}", output, "--labels=one")
    assert "above 0" in refused("generate", f"--model_dir={run_dir}", output, "--truncation=0")
    wrong = [f"--output_dir={tmp_path / 'file'}", "--num_images=1"]
    assert str(tmp_path / "file") in refused("generate", f"--model_dir={run_dir}", *wrong)
    assert os.listdir(tmp_path) == ["file"]


def test_a_second_trainer_is_refused(refused, gin_file, run_dir):
    with checkpoint.Lock(run_dir):
        line = refused("train", f"--gin_file={gin_file}", f"--model_dir={run_dir}", "--steps=8")
    assert f"another process (number {os.getpid()})" in line


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


def test_evaluate_prints_and_appends_one_repeatable_row(call, run_dir):
    before = rows(run_dir)
    results = [call("evaluate", f"--model_dir={run_dir}", "--num_samples=32") for _ in range(2)]
    results.append(call("evaluate", f"--model_dir={run_dir}", "--step=0"))
    assert all(code == 0 and err == "" and out.count("\n") == 1 for code, out, err in results), results
    added = [json.loads(out) for _, out, _ in results]
    assert rows(run_dir) == before + added
    first, second, untrained = ({k: v for k, v in row.items() if k != "eval_seconds"} for row in added)
    assert first == second
    assert (first["step"], first["num_samples"], first["features"]) == (4, 32, "digits_classifier")
    in_training = {k: v for k, v in before[0].items() if not k.endswith("_seconds")}
    assert untrained == in_training | {"command": "evaluate"}


def test_generate_writes_images_and_a_grid(call, run_dir, tmp_path):
    flags = [f"--model_dir={run_dir}", "--num_images=6"]
    variants = {
        "plain": ["--labels=0,1"],
        "again": ["--labels=0,1"],
        "seed": ["--labels=0,1", "--seed=1"],
        "best": ["--labels=0,1", "--step=best"],
        "truncated": ["--labels=0,1", "--truncation=0.2"],
        "between": ["--interpolate"],
    }
    names = [f"image_{i:05d}.png" for i in range(6)] + ["grid.png"]
    files = {}
    for name, options in variants.items():
        code, out, err = call("generate", *flags, f"--output_dir={tmp_path / name}", *options)
        assert (code, err) == (0, ""), err
        assert out == f"7 files in {tmp_path / name}, the last grid.png\n"
        assert sorted(os.listdir(tmp_path / name)) == sorted(names)
        files[name] = {n: (tmp_path / name / n).read_bytes() for n in names}
    assert files["plain"] == files["again"]
    best = min((row for row in rows(run_dir) if "command" not in row), key=lambda row: row["fid"])["step"]
    assert (files["best"] == files["plain"]) == (best == 4)
    for name in ("seed", "truncated"):
        assert all(files[name][n] != files["plain"][n] for n in names), name
    assert len({files["between"][n] for n in names}) == 7  # each step of the way is another image
    with Image.open(tmp_path / "plain" / "image_00000.png") as image:
        assert image.size == (8, 8) and image.mode == "L"
    with Image.open(tmp_path / "between" / "grid.png") as image:  # one row of 6
        assert image.size == ((6 * 10 + 2) * 6, (10 + 2) * 6)


def test_describe_prints_facts_or_a_table(call):
    flags = ["--gin_file=gin_configs/quickstart.gin", "--gin_param=build.methods=[@R1GAN]"]
    code, out, err = call("describe", *flags)
    assert (code, err, out.count("\n")) == (0, "", 1)
    facts = json.loads(out)
    assert facts["methods"] == ["R1GAN"] and facts["image_shape"] == [8, 8, 1] and facts["num_classes"] == 10
    for name in ("generator", "discriminator"):
        assert set(facts[name]) == {"parameters", "macs"}
        assert all(isinstance(value, int) and value > 0 for value in facts[name].values())
    code, out, err = call("describe", *flags, "--summary")
    assert (code, err) == (0, "")
    for name in ("generator", "discriminator"):
        numbers = facts[name]
        assert f"{name}: {numbers['parameters']:,} parameters, {numbers['macs']:,} MACs" in out
    layers = [line.split() for line in out.splitlines() if line.startswith("  ")]
    total = sum(int(parts[-2].replace(",", "")) for parts in layers)
    assert total == facts["generator"]["parameters"] + facts["discriminator"]["parameters"]


def test_the_console_command_does_the_same(environment, refused):
    def console(*arguments):
        script = "import sys; from tfgans import command_line; sys.argv = ['tfgans', *sys.argv[1:]]"
        return subprocess.run(
            [sys.executable, "-c", f"{script}; command_line.console()", *arguments],
            env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip

    done = console("describe", "--gin_file=gin_configs/quickstart.gin")
    assert done.returncode == 0 and json.loads(done.stdout)["model"] == "GAN", done.stderr
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
