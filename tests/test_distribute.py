"""Replicated training on this machine: two logical devices, and two worker processes on loopback."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parent.parent
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


def start(config, model_dir, output, bindings=(), steps=STEPS, **environment):
    command = [
        sys.executable,
        str(ROOT / "tests" / "worker.py"),
        config,
        str(model_dir),
        str(steps),
        str(output),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1", **environment}
    return subprocess.Popen(
        [*command, *bindings], cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )


def finish(*processes, timeout=240):
    for process in processes:
        error = process.communicate(timeout=timeout)[1].decode()
        assert process.returncode == 0, error[-3000:]


def start_workers(config, folder, bindings=(), steps=STEPS):
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    task = lambda i: json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})  # noqa: E731
    return [
        start(config, folder / "run", folder / f"worker{i}.npz", bindings, steps, TF_CONFIG=task(i))
        for i in (0, 1)
    ]


def assert_close(first, second, tolerance):
    names = [name for name in first if not name.startswith("replica/")]
    assert len(names) >= 18
    for name in names:
        np.testing.assert_allclose(first[name], second[name], atol=tolerance, rtol=0, err_msg=name)


def test_two_devices_train_as_one_does(config, tmp_path):
    bindings = [*PLAIN, "numerics.seed=3"]
    finish(
        start(config, tmp_path / "one", tmp_path / "one.npz", bindings),
        start(config, tmp_path / "two", tmp_path / "two.npz", [*bindings, *MIRRORED]),
        start(
            config, tmp_path / "xla", tmp_path / "xla.npz", [*bindings, *MIRRORED, "build.jit_compile=True"]
        ),
    )
    one, two, xla = (dict(np.load(tmp_path / f"{name}.npz")) for name in ("one", "two", "xla"))
    assert "replica/1/0000" in two and "replica/1/0000" not in one
    assert_close(one, two, 1e-6)
    assert_close(one, xla, 1e-6)


def test_replicas_agree_on_statistics_too(config, tmp_path):
    finish(start(config, tmp_path / "run", tmp_path / "state.npz", MIRRORED))  # batch normalisation in G
    state = dict(np.load(tmp_path / "state.npz"))
    names = [name for name in state if name.startswith("replica/0/")]
    assert len(names) > 6
    for name in names:
        np.testing.assert_array_equal(state[name], state[name.replace("replica/0", "replica/1")])


def test_two_workers_train_as_one_device_does_and_only_the_chief_writes(config, tmp_path):
    finish(
        *start_workers(config, tmp_path, PLAIN), start(config, tmp_path / "one", tmp_path / "one.npz", PLAIN)
    )
    one, chief, other = (dict(np.load(tmp_path / f"{n}.npz")) for n in ("one", "worker0", "worker1"))
    assert_close(one, chief, 1e-6)
    for name in chief:
        np.testing.assert_array_equal(chief[name], other[name], err_msg=name)
    assert len(list((tmp_path / "run" / "train").iterdir())) == 1  # one process's events
    assert (tmp_path / "run" / "generator.keras").exists()


def test_workers_agree_on_statistics_and_resume_after_one_is_killed(config, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    finish(*start_workers(config, whole, steps=12))
    chief, other = (dict(np.load(whole / f"worker{i}.npz")) for i in (0, 1))
    for name in chief:
        np.testing.assert_array_equal(chief[name], other[name], err_msg=name)

    broken = tmp_path / "broken"
    broken.mkdir()
    workers = start_workers(config, broken, steps=2000)
    wait_for(broken / "run" / "checkpoints" / "step_00000005.npz", workers)
    workers[1].kill()
    workers[0].kill()  # what a cluster's manager does when it restarts a job
    for worker in workers:
        worker.communicate()
    steps = sorted(int(p.stem[5:]) for p in (broken / "run" / "checkpoints").glob("step_*.npz"))
    end = steps[-1] + 5
    finish(*start_workers(config, broken, steps=end))
    straight = tmp_path / "straight"
    straight.mkdir()
    finish(*start_workers(config, straight, steps=end))
    resumed, expected = (dict(np.load(folder / "worker0.npz")) for folder in (broken, straight))
    for name in expected:
        np.testing.assert_array_equal(resumed[name], expected[name], err_msg=name)


def wait_for(path, processes, seconds=180):
    import time

    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end and all(p.poll() is None for p in processes), (
            "no checkpoint was written"
        )
        time.sleep(0.1)
