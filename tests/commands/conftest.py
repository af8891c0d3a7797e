"""Ways to call a command, and a run to call it on."""

import os
import subprocess
import sys

import forks
import numpy as np
import pytest
from short_runs import CONFIG, ROOT, STYLED, without_progress

SHORT = (
    CONFIG
    + """
train.steps = 4
train.save_every = 2
train.evaluate_every = 2
train.sample_every = 4
train.log_every = 50
"""
)


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """As a user's: with nothing that keeps TensorFlow quiet."""
    cache = {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "CUDA_VISIBLE_DEVICES": "-1"}
    return {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"} | cache


@pytest.fixture(scope="session")
def start(environment):
    """Starts a launch script as a user does."""

    def start(command, *flags):
        arguments = [sys.executable, str(ROOT / "launch" / f"{command}.py"), *map(str, flags)]
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return subprocess.Popen(arguments, **pipes, env=environment, cwd=ROOT)

    return start


@pytest.fixture(scope="session")
def script(start):
    """`(exit code, stdout, stderr)` of a launch script in a process of its own."""

    def script(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=240)
        return process.returncode, out, err

    return script


@pytest.fixture(scope="session")
def call(tmp_path_factory):
    """`(exit code, stdout, stderr)` of a command; as `script`, without the seconds that TensorFlow takes to load.

    What it shows of its progress is left out; `variables` are of its environment.
    """
    cache = str(tmp_path_factory.mktemp("cache"))

    def call(command, *flags, **variables):
        code, out, err = forks.command(command, *flags, XDG_CACHE_HOME=cache, **variables).finish()
        return code, out, without_progress(err)

    return call


@pytest.fixture(scope="session")
def refused(call):
    """Asserts exit code 2 with one line on stderr and nothing on stdout; returns the line."""

    def refused(*arguments, code=2):
        returned, out, err = call(*arguments)
        assert (returned, out, err.count("\n")) == (code, "", 1), err
        assert err.startswith(f"{arguments[0]}.py: ") and "Traceback" not in err
        return err

    return refused


@pytest.fixture(scope="session")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "run.gin"
    path.write_text(SHORT)
    return path


@pytest.fixture(scope="session")
def trained(script, gin_file, tmp_path_factory):
    """A short run; `(its folder, stdout, stderr)`."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    code, out, err = script("train", f"--gin_file={gin_file}", f"--model_dir={folder}")
    assert code == 0, err
    return folder, out, err


@pytest.fixture(scope="session")
def run_dir(trained):
    return trained[0]


@pytest.fixture(scope="session")
def styled_run_dir(tmp_path_factory):
    """A run of StyleGAN2 as far as `generate` needs one: four style slots, a mean of w that is not 0."""
    from tfgans import checkpoint
    from tfgans.run import build

    folder = tmp_path_factory.mktemp("styled")
    (folder / "operative.gin").write_text(STYLED + "GAN.ema_decay = 0.5\n")
    build.prepare([str(folder / "operative.gin")], [])
    model, _ = build.build_model()
    for number, layer in enumerate(model.ema_generator.get_layer("mapping").dense):
        layer.bias.assign(np.random.default_rng(number).normal(size=8) * 50)
    model.ema_generator.get_layer("mapping").mean_w.assign(np.ones((2, 8)))
    checkpoint.Checkpoints(folder / "checkpoints").save(model, 0, {})
    return folder
