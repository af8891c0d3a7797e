"""A run is its configuration, the files that this names, and its data."""

import json
import os
import shutil

import keras
import pytest
import tensorflow as tf
from PIL import Image
from short_runs import contents

from tfgans import config, distribute, inputs
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.methods.alphagan.spaces.autogan.genotype import GENOTYPES, load_genotype
from tfgans.run import build, identity, training

OPERATIVE = """
# Macros:
batch_size = {batch}
where = {source!r}

# Parameters for Dataset:
Dataset.batch_size = %batch_size
Dataset.source = %where
net.genotype = {genotype!r}
train.steps = {steps}
"""


class Features:
    name = "some"

    def __init__(self, weights):
        self.weights = weights

    def fingerprint(self):
        return self.weights


class Evaluator:
    def __init__(self, weights="w"):
        self.features = Features(weights)


def save(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), level).save(path)


@pytest.fixture
def images(tmp_path):
    """Twenty images."""
    for k in range(20):
        save(tmp_path / "images" / f"{k:02d}.png", 10 * k)
    return tmp_path / "images"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def started(folder, images, batch=4, genotype="alphaGAN_s", steps=10, **options):
    """What a process has of the identity of a run on `images`."""
    text = OPERATIVE.format(batch=batch, source=f"folder:{images}", genotype=str(genotype), steps=steps)
    return identity.Identity(folder, text, Dataset(f"folder:{images}", batch_size=batch, **options))


def kept(folder):
    return json.loads((folder / "data.json").read_text())


def test_a_new_run_says_what_it_is_trained_on(folder, images):
    new = started(folder, images)
    new.check()
    assert new.is_new_to_folder and os.listdir(folder) == []
    new.write(0, Evaluator())
    assert sorted(os.listdir(folder)) == ["data.json", "operative.gin"]
    said = kept(folder)
    assert (said["images"], said["source"], said["classes"]) == (20, f"folder:{images}", None)
    assert said["fingerprint"] == new.contents.fingerprint
    assert said["history"] == [{"step": 0, "fingerprint": said["fingerprint"], "images": 20}]
    assert said["items"]["names"][:2] == ["00.png", "01.png"] and len(said["items"]["hashes"]) == 20
    assert said["evaluation"] == {"images": Dataset(f"folder:{images}").fingerprint(), "features": "some w"}
    before = contents(folder)
    again = started(folder, images, steps=20)
    again.check()
    assert not again.is_new_to_folder
    again.write(4, Evaluator())
    after = contents(folder)
    assert after["data.json"] == before["data.json"] != after["operative.gin"]


def test_moved_data_go_on(folder, images, tmp_path):
    started(folder, images).write(0)
    images.rename(tmp_path / "elsewhere")
    moved = started(folder, tmp_path / "elsewhere")
    moved.check()
    assert moved.is_new_to_folder
    moved.write(4)
    assert kept(folder)["source"] == f"folder:{tmp_path / 'elsewhere'}" and len(kept(folder)["history"]) == 1
    assert str(tmp_path / "elsewhere") in (folder / "operative.gin").read_text()


def test_changed_data_are_refused_or_accepted_and_noted(folder, images, tmp_path, caplog):
    started(folder, images).write(0)
    save(images / "03.png", 255)
    save(images / "new.png", 254)
    before = contents(folder)
    line = (
        f"the data of {folder} have changed, in folder:{images}: 1 added (new.png), 1 changed (03.png); "
        "--accept_changed_data goes on with them"
    )
    with pytest.raises(ConfigError) as caught:
        started(folder, images).check()
    assert str(caught.value) == line and contents(folder) == before
    images.rename(tmp_path / "b")
    with pytest.raises(ConfigError, match=f"in folder:{tmp_path / 'b'} .before: folder:{images}.: 1 added"):
        started(folder, tmp_path / "b").check()
    accepted = started(folder, tmp_path / "b")
    accepted.check(accept_changed_data=True)
    with caplog.at_level("INFO"):
        accepted.write(8)
    assert "accepted from step 8 on: 1 added (new.png), 1 changed (03.png)" in caplog.text
    first, second = kept(folder)["history"]
    assert (first["step"], first["images"]) == (0, 20)
    assert second == {
        "step": 8, "fingerprint": accepted.contents.fingerprint, "images": 21,
        "changes": "1 added (new.png), 1 changed (03.png)",
    }  # fmt: skip
    again = started(folder, tmp_path / "b")
    again.check()
    assert not again.is_new_to_folder
    again.write(4)  # the checkpoint of step 8 was damaged
    assert [entry["step"] for entry in kept(folder)["history"]] == [0, 4]


def test_other_bindings_are_refused_whatever_macros_they_come_by(folder, images, tmp_path):
    started(folder, images).write(0)
    with pytest.raises(ConfigError, match="1 bindings differ, such as Dataset.batch_size = 4 there, 5 here$"):
        started(folder, images, batch=5).check()
    text = (folder / "operative.gin").read_text()
    (folder / "operative.gin").write_text(text.replace("%batch_size", "4").replace("batch_size = 4\n", "", 1))
    started(folder, images).check()


def test_what_is_changed_in_images_left_out_does_not_matter(folder, images):
    options = {"fraction": 0.5, "fraction_order": "first"}
    started(folder, images, **options).write(0, Evaluator())
    save(images / "19.png", 3)
    started(folder, images, **options).check()


def test_runs_of_earlier_versions_take_the_present_data(folder, images, tmp_path, caplog):
    first = started(folder, images)
    (folder / "operative.gin").write_text(first.configuration)
    with pytest.raises(ConfigError, match="Dataset.source = .*images.* there, .*other.* here"):
        shutil.copytree(images, tmp_path / "other")
        started(folder, tmp_path / "other").check()
    first.check()
    assert first.is_new_to_folder
    with caplog.at_level("INFO"):
        first.write(8)
    assert f"{folder / 'data.json'} did not say what the run is trained on" in caplog.text
    assert [(entry["step"], entry["images"]) for entry in kept(folder)["history"]] == [(8, 20)]


@pytest.mark.parametrize("spoil", ["{", "[]", '{"fingerprint": 3}', "\0\xff", None])
def test_a_damaged_record_is_one_line(folder, images, spoil):
    started(folder, images).write(0)
    text = (folder / "data.json").read_text()
    (folder / "data.json").write_bytes((text[:-30] if spoil is None else spoil).encode("latin-1"))
    with pytest.raises(
        ConfigError, match="data.json cannot be read as .*without the file, it is taken for the present data"
    ) as caught:
        started(folder, images).check()
    assert "\n" not in str(caught.value)


def test_evaluations_against_others_are_noted(folder, images, caplog):
    options = {"fraction": 0.5, "fraction_order": "first"}
    started(folder, images, **options).write(0, Evaluator())
    save(images / "19.png", 3)  # not trained on, but evaluated against
    other = started(folder, images, **options)
    other.check()
    other.write(4, Evaluator("v"))
    words = "evaluations compare with other images and features than the run's before"
    assert [words in record.getMessage() for record in caplog.records] == [True]
    assert kept(folder)["history"][1] == {"step": 4, "evaluation": kept(folder)["evaluation"]}
    caplog.clear()
    dataset = Dataset(f"folder:{images}")
    assert not identity.note_evaluation(folder, Evaluator("v"), dataset) and not caplog.records
    assert identity.note_evaluation(folder, Evaluator("w"), dataset)
    assert "evaluations compare with other features than" in caplog.text
    blind = started(folder, images, **options)  # without an evaluator
    blind.check()
    blind.write(4)
    assert kept(folder)["evaluation"]["features"] == "some v"


def test_a_genotype_is_what_it_says(folder, images, tmp_path):
    path = tmp_path / "found.json"

    def go_on(genotype):
        inputs.forget()
        load_genotype(str(genotype))  # as building the network does
        started(folder, images, genotype=genotype).check()

    GENOTYPES["alphaGAN_s"].save(path)
    inputs.forget()
    load_genotype(str(path))
    started(folder, images, genotype=path).write(0)
    assert list(kept(folder)["files"]) == [str(path)]
    path.write_text(json.dumps(json.loads(path.read_text()), indent=3))  # says the same
    go_on(path)
    path.rename(tmp_path / "moved.json")
    go_on(tmp_path / "moved.json")
    identity.refuse_changed_files(folder)
    GENOTYPES["alphaGAN_l"].save(path)
    line = f"net.genotype = '{path}' there, '{path}' here .the file says something else now."
    with pytest.raises(ConfigError, match=line):
        go_on(path)
    with pytest.raises(ConfigError, match=f"{path} has been edited since {folder} was trained with it"):
        identity.refuse_changed_files(folder)


def test_workers_with_different_data_or_configurations_refuse(folder, images, monkeypatch):
    def brought(mine, others=()):
        """The numbers that a worker brings for all to compare, with others that have brought theirs."""
        numbers, others = [], list(others)

        def of_replicas(strategy, number):
            numbers.append(number)
            return [number, others.pop(0) if others else number]

        monkeypatch.setattr(distribute, "of_replicas", of_replicas)
        mine.check_workers(None)
        return numbers

    first = brought(started(folder, images))
    assert len(set(first)) == 2
    assert brought(started(folder, images, steps=20), first) == first
    with pytest.raises(
        ConfigError, match="the workers have different configurations or seeds: .* --ntasks=1$"
    ):
        brought(started(folder, images, batch=8), first)
    save(images / "00.png", 1)
    with pytest.raises(ConfigError, match="the workers have different data in folder:.*20 images"):
        brought(started(folder, images), first)


def test_the_numbers_of_workers_are_gathered(monkeypatch):
    class Strategy:
        def run(self, function):
            return function()

        def gather(self, value, axis):
            return tf.concat([value, tf.constant([2**59], tf.int64)], axis)

    assert distribute.of_replicas(None, 5) == [5]
    monkeypatch.setattr(distribute, "workers", lambda: 2)
    assert distribute.of_replicas(Strategy(), 5) == [5, 2**59]


NETWORKS = """
include "gin_configs/data/folder.gin"
include "gin_configs/networks/dcgan.gin"
resolution = 8
channels = 3
num_classes = None
batch_size = 4
dcgan_generator.base_channels = 8
dcgan_generator.latent_dim = 8
dcgan_discriminator.base_channels = 8
train.num_samples_shown = 4
"""


@pytest.mark.slow
def test_a_run_goes_on_with_moved_data_and_not_with_changed(images, tmp_path, monkeypatch):
    gin_file, folder = str(tmp_path / "run.gin"), tmp_path / "run"
    (tmp_path / "run.gin").write_text(NETWORKS)

    def take(images, step, *bindings):
        """Takes the folder as `train` does, and saves a step without training it."""
        keras.backend.clear_session()
        build.prepare([gin_file], [f"Dataset.source='folder:{images}'", f"train.steps={step}", *bindings])
        taken = []

        def fit(self, *args):
            taken.append(self)
            self.save(step)

        monkeypatch.setattr(training.Run, "fit", fit)
        training.train(folder)
        return taken[0]

    take(images, 2)
    images.rename(tmp_path / "moved")
    assert take(tmp_path / "moved", 3).saved_step == 3
    assert f"folder:{tmp_path / 'moved'}" in (folder / "operative.gin").read_text()
    (tmp_path / "moved").rename(images)
    monkeypatch.setattr(training.Run, "_is_finished", lambda self: True)
    take(images, 3)  # a finished run is told where the data are all the same
    assert (
        config.bindings_of((folder / "operative.gin").read_text())["Dataset.source"] == f"'folder:{images}'"
    )
    before = contents(folder)
    save(images / "07.png", 255)
    for step in (3, 4):
        with pytest.raises(
            ConfigError, match="have changed, in folder:.*images: 1 changed .07.png.; --accept"
        ):
            take(images, step)
    assert contents(folder) == before
    take(images, 4, "train.accept_changed_data=True")
    assert [entry["step"] for entry in kept(folder)["history"]] == [0, 3]


def test_a_run_that_lost_its_configuration_says_so_and_is_still_of_its_data(folder, images, caplog):
    """It went on with any configuration, and any data, without a word."""
    new = started(folder, images)
    new.check()
    new.write(0)
    (folder / "operative.gin").unlink()
    started(folder, images, batch=8).check()
    assert not caplog.records  # nothing was trained
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "step_00000002.npz").write_bytes(b"")
    started(folder, images, batch=8).check()
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{folder} has checkpoints and has lost its operative.gin: they are taken for the present configuration's"
    )
    save(images / "03.png", 200)
    with pytest.raises(ConfigError, match="have changed, in .*: 1 changed"):
        started(folder, images).check()
