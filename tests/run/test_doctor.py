"""`doctor`: what it finds is what this machine has."""

import json
import os
import pathlib
import platform
import time

import keras
import pytest
import tensorflow as tf

from tfgans.run import doctor

ROOT = pathlib.Path(__file__).parents[2]


def test_what_is_found_and_said(monkeypatch):
    monkeypatch.setitem(doctor._OPTIONAL, "no_such_module", ("pictures of cats", "pip install cats"))
    found = doctor.examine(seconds=0)
    assert found["versions"]["python"] == platform.python_version()
    assert (
        found["versions"]["tensorflow"] == tf.__version__ and found["versions"]["keras"] == keras.__version__
    )
    assert found["processors"] == len(os.sched_getaffinity(0))
    assert found["gpus"] == [] or tf.config.list_physical_devices("GPU")
    assert (
        found["missing"]["no_such_module"] == "pictures of cats"
        and "tensorflow_datasets" not in found["missing"]
    )
    assert "ms_per_update" not in found and json.dumps(found)
    said = "\n".join(doctor.told(found))
    assert "needed for pictures of cats: pip install cats" in said and "speed" not in said


def test_every_part_that_can_be_left_out_is_named(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    found = doctor.examine(seconds=0)
    said = "\n".join(doctor.told(found))
    for extra in ("export", "features", "huggingface", "wandb", "mlflow"):
        assert f"pip install 'tfgans[{extra}]'" in said
    # what the exporters look for themselves
    assert {"onnx", "tf2onnx", "onnxruntime", "ai_edge_litert"} <= set(found["missing"])


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_the_speed_is_that_of_an_update(monkeypatch):
    """A step that takes half a second longer is measured as such."""
    original = doctor.build.build_model

    def slow():
        model, strategy = original()
        train = model.make_train_function()
        model.make_train_function = lambda: lambda data: time.sleep(0.5) or train(data)
        return model, strategy

    monkeypatch.setattr(doctor.build, "build_model", slow)
    found = doctor.examine(seconds=0.01)
    assert found["ms_per_update"] > 500
    assert f"{found['ms_per_update']:.1f} ms" in "\n".join(doctor.told(found))


def test_other_machines_have_the_speed_that_pages_tell():
    processor, gpu = doctor._REFERENCES.values()
    assert f"quickstart's step of {processor:.0f} ms" in (ROOT / "docs/devices.md").read_text()
    assert f"| quickstart: float32 | {gpu} |" in (ROOT / "docs/gpu.md").read_text()


def test_a_distribution_that_is_not_there_has_no_version():
    assert doctor.version("no-such-distribution") is None
