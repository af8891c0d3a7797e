"""The examples of CONTRIBUTING.md are whole files that work together."""

import json
import logging
import pathlib
import re
import sys

import numpy as np
import pytest
import tensorflow as tf
from short_runs import run
from toys import scalar_networks

from tfgans import config
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.run import after

TEXT = (pathlib.Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
FILES = {name: text for name, text in re.findall(r"```(?:python|gin)\n# (\S+)\n(.*?)```", TEXT, re.DOTALL)}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with the files, and a run of them."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        patch.chdir(folder)
        tf.config.run_functions_eagerly(True)
        run("own.gin", folder / "run")
        yield folder
        tf.config.run_functions_eagerly(False)


def test_the_example_of_a_method_is_short():
    lines = [line for line in FILES["lecam.py"].splitlines() if line.strip()]
    assert len(lines) <= 35


@pytest.mark.slow
def test_they_train_and_are_evaluated_from_another_folder(own, tmp_path, monkeypatch, caplog):
    rows = [json.loads(line) for line in (own / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 2] and rows[0]["features"] == "row_means"
    assert rows[1]["brightness_gap"] != rows[0]["brightness_gap"] > 0
    data = json.loads((own / "run" / "data.json").read_text())
    assert (data["images"], data["source"], data["classes"]) == (16, "Stripes", ["upright", "level"])
    assert sorted(path.name for path in (own / "run" / "code").iterdir()) == sorted(
        name for name in FILES if name.endswith(".py")
    )
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING, "tfgans"):
        row = after.evaluate(own / "run")
    assert row["brightness_gap"] == pytest.approx(rows[1]["brightness_gap"], rel=1e-5) and not caplog.text


@pytest.mark.slow
def test_options_of_an_extractor_of_ones_own_may_change(own):
    run("own.gin", own / "run", "RowMeans.step = 2", "train.steps = 3")
    with pytest.raises(
        config.ConfigError, match="1 bindings differ, such as LeCamGAN.lecam_weight = 0.5 there"
    ):
        run("own.gin", own / "run", "LeCamGAN.lecam_weight = 0.25", "train.steps = 3")


def test_lecam(own):
    lecam = sys.modules["lecam"].LeCamGAN
    options = dict(lecam_weight=0.5, lecam_decay=0.75)
    model = lecam(*scalar_networks(), **options)  # D(x) = 3 x
    model.compile("sgd", "sgd")
    real, fake = ({"images": tf.constant([[a], [a + 1.0]]), "labels": None} for a in (1.0, 0.0))
    model.lecam_averages[0].assign(1.0)
    model.lecam_averages[1].assign(2.0)
    terms = model.discriminator_losses(*model.with_outputs(real, fake))
    # Logits 3, 6 and 0, 3: 0.5 * ((1 + 16) / 2 + (1 + 4) / 2)
    assert float(terms["d/lecam"]) == pytest.approx(5.5)
    logs = model.discriminator_step(real)
    assert float(logs["d/lecam_real"]) == pytest.approx(4.5)
    means = [0.75 * 1.0 + 0.25 * 4.5, 0.75 * 2.0 + 0.25 * float(logs["d/lecam_fake"])]
    np.testing.assert_allclose([float(average.value) for average in model.lecam_averages], means, rtol=1e-6)
    assert "d/lecam" not in lecam(*scalar_networks(), lecam_weight=0.0).discriminator_losses(
        *model.with_outputs(real, fake)
    )


def test_lecam_composes(own):
    lecam = sys.modules["lecam"].LeCamGAN
    model = compose(lecam, AdvAsGAN, FastGAN)(*scalar_networks(), lecam_weight=0.5)
    model.compile("sgd", "sgd")
    model.expect_batch(2)
    logs = model.train_step({"images": tf.constant([[[1.0], [2.0]]])})
    assert float(logs["d/lecam"]) > 0.0 and "d/lecam_real" in logs
