"""What a run hands over opens in another process: by Keras once tfgans is imported, by TensorFlow without it."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import toys
from families import FAMILIES, critic, inputs, output, shaken

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.keras_files import save_network
from tfgans.layers.equalized import scaled_leaky_relu
from tfgans.layers.initializers import Orthogonal
from tfgans.layers.norms import BatchNormalization

EXPORTED = ("mlp", "dcgan", "stylegan2")  # the graph in a SavedModel needs none of our classes


class Doubled(keras.layers.Layer):
    """A layer of a user's, which Keras does not know elsewhere."""

    def call(self, x):
        return 2.0 * x


class Keyed(keras.layers.Layer):
    """A layer of a user's that does not say how it is made again."""

    def __init__(self, key):
        super().__init__()
        self.key = key

    def call(self, x):
        return x


def around(layer):
    """A generator with a user's layer."""
    latents = keras.Input((4,))
    return keras.Model(latents, BatchNormalization()(layer(keras.layers.Dense(3)(latents))))


def of_parts():
    """Keras's layers with a function and an initializer of ours, and no layer."""
    latents = keras.Input((4,))
    dense = keras.layers.Dense(3, activation=scaled_leaky_relu, kernel_initializer=Orthogonal())
    return keras.Model(latents, dense(latents))


def store(path, given, made):
    np.savez(path, output=made, **dict(zip(("latents", "labels"), given, strict=False)))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """What `opened_elsewhere.py` found."""
    folder = tmp_path_factory.mktemp("handed_over")
    for name, make in (FAMILIES | {"parts": of_parts}).items():
        network = shaken(make())
        given = inputs(network)
        store(folder / f"{name}.npz", given, output(network, given))
        save_network(network, folder / f"{name}.keras")
        if name in EXPORTED:
            classes = 3 if len(given) > 1 else None
            model = GAN(network, critic(network.output_shape[1:]), num_classes=classes)
            store(folder / f"{name}_export.npz", given, model.render(*given))
            model.export(folder / f"{name}_export")
    save_network(around(Doubled()), folder / "foreign.keras")
    script = Path(__file__).with_name("opened_elsewhere.py")
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    command = [sys.executable, str(script), str(folder)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_keras_files_of_every_family_open_once_tfgans_is_imported(opened):
    assert sorted(opened["difference"]) == sorted([*FAMILIES, "parts"])
    assert max(opened["difference"].values()) < 1e-6, opened["difference"]
    assert opened["tfgans first"] < 1e-6


@pytest.mark.slow
def test_keras_alone_says_what_to_import(opened):
    assert sorted(opened["alone"]) == sorted([*FAMILIES, "foreign", "parts"])
    for name in FAMILIES:
        assert "of tfgans (import tfgans first)'. Make sure custom classes" in opened["alone"][name], name
    assert "tfgans" in opened["alone"]["parts"]


@pytest.mark.slow
def test_layers_of_the_users_own_are_named(opened, tmp_path, caplog):
    assert "Could not locate class 'Doubled'" in opened["foreign"]
    with caplog.at_level(logging.INFO, "tfgans"):
        save_network(around(Doubled()), tmp_path / "a.keras")
    assert caplog.messages == [
        f"{tmp_path / 'a.keras'} holds classes to import before it is opened: Doubled of {__name__}"
    ]


@pytest.mark.slow
def test_saved_models_need_no_tfgans(opened):
    assert sorted(opened["export"]) == sorted(f"{name}_export" for name in EXPORTED)
    for name, (dtype, difference) in opened["export"].items():
        assert dtype == ("float32" if name == "mlp_export" else "uint8")
        assert difference <= (1e-6 if dtype == "float32" else 1.0), name  # rounding to a level


def test_a_network_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path):
    network = around(Keyed(object()))
    with pytest.raises(
        ConfigError, match=r"a.keras: .*Object Keyed was created by .* must override `get_config"
    ) as e:
        save_network(network, tmp_path / "a.keras")
    assert "\n" not in str(e.value) and list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    network, path = toys.scalar_networks()[0], tmp_path / "a.keras"
    save_network(network, path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        save_network(network, path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.keras"]


def test_what_a_process_killed_in_the_middle_left_of_a_keras_file_goes(tmp_path):
    def dies(path):
        Path(path).write_bytes(b"PK")
        os.kill(os.getpid(), signal.SIGKILL)

    network = of_parts()
    child = os.fork()
    if not child:
        network.save = dies
        save_network(network, tmp_path / "generator.keras")
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    save_network(network, tmp_path / "generator.keras")
    assert os.listdir(tmp_path) == ["generator.keras"]
