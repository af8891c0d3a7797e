"""The adapter: TF-GAN's eval modules without its package, and clear words when that fails."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfgans.evaluate import tensorflow_gan


@pytest.fixture
def fresh():
    tensorflow_gan.module.cache_clear()
    yield
    tensorflow_gan.module.cache_clear()


class Elsewhere:
    """A distribution whose files are in a folder of the test."""

    version = "9.9.9"

    def __init__(self, root):
        self.root = Path(root)

    def locate_file(self, name):
        return self.root / name


def fake_package(tmp_path, monkeypatch, text):
    folder = tmp_path / "tensorflow_gan" / "python" / "eval"
    folder.mkdir(parents=True)
    (folder / "classifier_metrics.py").write_text(text)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Elsewhere(tmp_path))


def test_leaves_no_trace_of_the_package(fresh):
    tensorflow_gan.module("classifier_metrics")
    assert not [name for name in sys.modules if name.split(".")[0] == "tensorflow_gan"]


def test_changed_tfgan_is_named(fresh, tmp_path, monkeypatch):
    fake_package(tmp_path, monkeypatch, "def run_classifier_fn(): pass\n")
    with pytest.raises(ImportError, match=r"9\.9\.9 .*2\.1\.0.*has no classifier_score_from_logits"):
        tensorflow_gan.module("classifier_metrics")


def test_module_that_is_gone_or_broken_is_named(fresh, tmp_path, monkeypatch):
    fake_package(tmp_path, monkeypatch, "from pkg_resources_of_old import parse_version\n")
    with pytest.raises(ImportError, match=r"9\.9\.9.*cannot be imported.*setuptools < 81") as error:
        tensorflow_gan.module("classifier_metrics")
    assert "\n" not in str(error.value)
    with pytest.raises(ImportError, match=r"9\.9\.9.*'sliced_wasserstein' cannot be imported"):
        tensorflow_gan.module("sliced_wasserstein")


def test_missing_tfgan_says_what_to_install(fresh, monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(ImportError, match=re.escape("pip install tensorflow-gan==2.1.0")):
        tensorflow_gan.module("inception_metrics")


@pytest.mark.slow
def test_evaluate_does_not_import_tfgan_before_it_is_used():
    code = (
        "import sys, tfgans.evaluate.evaluator, tfgans.evaluate.features;"
        "sys.exit(sum(name.split('.')[0] in ('tensorflow_gan', 'tensorflow_hub', 'tensorflow_probability')"
        " for name in sys.modules))"
    )
    root = Path(tensorflow_gan.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


def test_extra_axes_of_inceptions_outputs_are_flattened():
    def network(inputs):
        assert inputs.shape == (2, 299, 299, 3)
        return {"pool_3": inputs[:, :1, :1, :], "logits": inputs[:, 5, 7, :2]}

    inputs = np.zeros((2, 299, 299, 3), np.float32)
    inputs[1], inputs[1, 5, 7, 1] = 1.0, 3.0
    features, logits = tensorflow_gan.run_inception(inputs, network)
    np.testing.assert_array_equal(features, [[0, 0, 0], [1, 1, 1]])
    np.testing.assert_array_equal(logits, [[0, 0], [1, 3]])
