"""Keras's own settings: those that tfgans does not run with are refused in one line, before Keras is imported."""

import json
import pathlib
import subprocess
import sys

import keras
import pytest
from keras.src.backend import config as keras_config  # nothing public names its file

import tfgans
from tfgans import environment
from tfgans.config import ConfigError

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Writes a keras.json; returns its path."""
    for name in ("KERAS_BACKEND", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def write(text):
        path = tmp_path / "keras.json"
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return write


def refusal(**options):
    with pytest.raises(ConfigError) as raised:
        environment.check(**options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        {},
        {"backend": "tensorflow", "image_data_format": "channels_last", "floatx": "float32", "epsilon": 1e-7},
        {"epsilon": 1e-5, "other": [1]},
        '{"backend": ',  # no JSON: Keras leaves it out
        "\x00\x01",
    ],
)
def test_settings_that_do(settings, text):
    settings(text)
    environment.check(command=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"backend": "jax"}, '"backend" is "tensorflow" for tfgans, or set KERAS_BACKEND=tensorflow. Received: '),
        ({"backend": None}, "Received: None"),
        ({"image_data_format": "channels_first"}, '"image_data_format" is "channels_last" for tfgans. Received: '),
        ({"floatx": "float16"}, "\"floatx\" is \"float32\" for tfgans. Received: 'float16'"),
        ({"floatx": "float64"}, "Received: 'float64'"),
        ({"floatx": 32}, "Received: 32"),
        ({"epsilon": 1}, "\"epsilon\" is a number such as 1e-07. Received: 1"),
        ([], "is one JSON object. Received: []"),
        ("null", "is one JSON object. Received: None"),
        ("[" * 100000, "cannot be read: it is nested too deeply"),
    ],
)  # fmt: skip
def test_settings_that_do_not(settings, text, message):
    path = settings(text)
    said = refusal()
    assert said.startswith(str(path)) and message in said


def test_a_folder_in_place_of_the_file(settings, tmp_path):
    (tmp_path / "keras.json").mkdir()
    assert refusal() == f"{tmp_path}/keras.json, Keras's settings, cannot be read: Is a directory"


def test_variables(settings, monkeypatch):
    settings({"backend": "torch"})
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # Keras takes it before the file's
    environment.check()
    for name in ("jax", "torch", "numpy", "openvino", "x"):
        monkeypatch.setenv("KERAS_BACKEND", name)
        assert refusal() == f"KERAS_BACKEND is tensorflow for tfgans, or not set. Received: {name!r}"
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert "keras.json" in refusal()
    settings({})
    environment.check()
    monkeypatch.setenv("KERAS_MAX_STEPS_PER_EPOCH", "3")
    environment.check()  # a caller in Python may want it
    assert refusal(command=True).startswith("KERAS_MAX_STEPS_PER_EPOCH would end training early")


def test_it_is_the_file_that_keras_reads(tmp_path, monkeypatch):
    assert environment.settings_file() == keras_config._config_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert environment.settings_file() == f"{tmp_path}/.keras/keras.json"
    monkeypatch.setenv("KERAS_HOME", "~/elsewhere")
    assert environment.settings_file() == f"{tmp_path}/elsewhere/keras.json"


def test_the_library_says_it_too(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ConfigError, match="^KERAS_BACKEND is tensorflow"):
        tfgans.GAN  # noqa: B018
    done = subprocess.run(
        [sys.executable, "-c", "from tfgans import GAN"], capture_output=True, text=True, cwd=ROOT
    )
    last = done.stderr.splitlines()[-1]
    assert (
        last
        == "tfgans.errors.ConfigError: KERAS_BACKEND is tensorflow for tfgans, or not set. Received: 'jax'"
    )


def test_maps_of_channels_first_are_refused(monkeypatch):
    networks = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]) for _ in range(2)]
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(
            ConfigError, match=r"images are \[N, H, W, C\]: keras.config.set_image_data_format"
        ):
            tfgans.GAN(*networks)
    finally:
        keras.config.set_image_data_format("channels_last")
