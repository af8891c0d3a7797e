"""Replicated training on this machine: two logical devices, and two worker processes on loopback."""

import json
import signal
import socket

import forks
import numpy as np
import pytest
from image_sets import packed

from tfgans import checkpoint

STEPS = 8

CONFIG = """
include "gin_configs/data/digits.gin"
build.generator = @dcgan_generator
build.discriminator = @dcgan_discriminator
dcgan_generator.resolution = %resolution
dcgan_generator.channels = %channels
dcgan_generator.num_classes = %num_classes
dcgan_generator.base_channels = 8
dcgan_generator.latent_dim = 8
dcgan_discriminator.resolution = %resolution
dcgan_discriminator.channels = %channels
dcgan_discriminator.num_classes = %num_classes
dcgan_discriminator.base_channels = 8
dcgan_discriminator.normalization = "none"
num_classes = None
batch_size = 16
build.methods = [@GradientPenaltyGAN]
build.generator_optimizer = @SGD
build.discriminator_optimizer = @SGD
SGD.learning_rate = 0.05
GAN.discriminator_steps = 2
GAN.ema_decay = 0.9
"""
PLAIN = ["dcgan_generator.normalization='none'"]
MIRRORED = ["strategy.kind='mirrored'", "strategy.virtual_devices=2"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "run.gin"
    path.write_text(CONFIG)
    return str(path)


WORKER = (forks.ROOT / "tests" / "worker.py").read_text()
LOGGED = "import logging\nlogging.basicConfig(level=logging.INFO)\n"
SIGNALLED = """
import os, signal
from tfgans.run import callbacks
after = callbacks.StopWhenDiverged.after

def signalled(callback, step):
    after(callback, step)
    if step == {step}:
        os.kill(os.getpid(), signal.{name})

callbacks.StopWhenDiverged.after = signalled
"""


def start(config, model_dir, output, bindings=(), steps=STEPS, before="", **environment):
    return forks.Fork(
        before + WORKER, "worker.py", config, model_dir, steps, output, *bindings, **environment
    )


def finish(*processes):
    for process in processes:
        code, _, err = process.finish()
        assert code == 0, err[-3000:]


def start_workers(config, folder, bindings=(), steps=STEPS, before=("", "")):
    folder.mkdir(exist_ok=True)
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    task = lambda i: json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})  # noqa: E731
    return [
        start(
            config, folder / "run", folder / f"worker{i}.npz", bindings, steps, before[i], TF_CONFIG=task(i)
        )
        for i in (0, 1)
    ]


def states(folder, *names):
    return (dict(np.load(folder / f"{name}.npz")) for name in names)


@pytest.fixture(scope="module")
def one(config, tmp_path_factory):
    """What one device trains, without batch normalisation."""
    folder = tmp_path_factory.mktemp("one")
    finish(start(config, folder / "run", folder / "one.npz", PLAIN))
    return next(states(folder, "one"))


def assert_close(first, second, tolerance):
    names = [name for name in first if not name.startswith("replica/")]
    assert len(names) >= 18
    for name in names:
        np.testing.assert_allclose(first[name], second[name], atol=tolerance, rtol=0, err_msg=name)


def test_two_devices_train_as_one_does(config, one, tmp_path):
    """Also in two micro-batches each."""
    bindings = [*PLAIN, *MIRRORED]
    finish(
        start(config, tmp_path / "two", tmp_path / "two.npz", [*bindings, "build.accumulation_steps=2"]),
        start(config, tmp_path / "xla", tmp_path / "xla.npz", [*bindings, "build.jit_compile=True"]),
    )
    two, xla = states(tmp_path, "two", "xla")
    assert "replica/1/0000" in two and "replica/1/0000" not in one
    assert_close(one, two, 1e-6)
    assert_close(one, xla, 1e-6)


@pytest.mark.slow
def test_a_run_of_two_devices_goes_on_with_one(config, one, tmp_path):
    finish(start(config, tmp_path / "run", tmp_path / "two.npz", [*PLAIN, *MIRRORED], 4))
    alone = start(config, tmp_path / "run", tmp_path / "alone.npz", PLAIN, before=LOGGED)
    finish(alone)
    assert "resumed at step 4, saved on 2 replicas, with 1: equal to rounding" in alone.said()[1]
    (state,) = states(tmp_path, "alone")
    assert "replica/1/0000" not in state
    assert_close(one, state, 1e-6)


@pytest.mark.slow
def test_replicas_agree_on_statistics_too(config, tmp_path):
    finish(start(config, tmp_path / "run", tmp_path / "state.npz", MIRRORED))  # batch normalisation in G
    state = dict(np.load(tmp_path / "state.npz"))
    names = [name for name in state if name.startswith("replica/0/")]
    assert len(names) > 6
    for name in names:
        np.testing.assert_array_equal(state[name], state[name.replace("replica/0", "replica/1")])


def test_two_workers_train_as_one_device_does_and_only_the_chief_writes(config, one, tmp_path):
    """On a packed set of the same images, of which each reads its own share."""
    data = f"Dataset.source='{packed('digits', tmp_path / 'digits')}'"
    finish(*start_workers(config, tmp_path, [*PLAIN, data, "Dataset.memory_limit_gb=0.0"]))
    chief, other = states(tmp_path, "worker0", "worker1")
    assert_close(one, chief, 1e-6)
    for name in chief:
        np.testing.assert_array_equal(chief[name], other[name], err_msg=name)
    assert len(list((tmp_path / "run" / "train").iterdir())) == 1  # one process's events
    assert (tmp_path / "run" / "generator.keras").exists()


@pytest.mark.slow
def test_workers_agree_on_statistics_and_resume_after_they_are_killed_or_stopped(config, tmp_path):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    finish(*start_workers(config, straight, steps=10))
    chief, other = states(straight, "worker0", "worker1")
    for name in chief:
        np.testing.assert_array_equal(chief[name], other[name], err_msg=name)

    dies = SIGNALLED.format(step=7, name="SIGKILL")
    chief_process, worker = start_workers(config, broken, steps=10, before=(dies, ""))
    assert chief_process.finish()[0] == -signal.SIGKILL
    code, _, said = worker.finish(60)  # by itself
    assert code == 1 and "Collective ops is aborted" in said
    checkpoints = checkpoint.Checkpoints(broken / "run" / "checkpoints")
    assert checkpoints.steps() == [0, 5]

    stops = SIGNALLED.format(step=6, name="SIGTERM")
    for process in start_workers(config, broken, steps=10, before=("", stops)):
        assert "Interrupted: stopped by signal 15" in process.finish()[2]
    assert checkpoints.steps() == [0, 5, 8]
    finish(*start_workers(config, broken, steps=10))
    resumed = next(states(broken, "worker0"))
    for name in chief:
        np.testing.assert_array_equal(resumed[name], chief[name], err_msg=name)
