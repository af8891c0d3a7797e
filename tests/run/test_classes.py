"""Classes of a run: kept in its folder, followed by whoever draws labels, and known by name."""

import json
import logging
import shutil
import types

import numpy as np
import pytest
from PIL import Image
from short_runs import rows, run

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.digits import digits_split
from tfgans.run import after, build, classes
from tfgans.run import describe as description

CONFIG = """
include "gin_configs/data/folder.gin"
include "gin_configs/networks/dcgan.gin"
resolution = 8
channels = 1
num_classes = 2
batch_size = 8
dcgan_generator.base_channels = 8
dcgan_generator.latent_dim = 4
dcgan_discriminator.base_channels = 8
Evaluator.features = @DigitsFeatures()
DigitsFeatures.any_images = True
Evaluator.num_samples = 64
train.steps = 2
train.save_every = 2
train.evaluate_every = 2
train.sample_every = 2
"""
pytestmark = pytest.mark.usefixtures("all_eagerly")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run on 3 images of `one` and 21 of `ten`; (its folder, the gin file)."""
    folder = tmp_path_factory.mktemp("classes")
    images, labels, _, _ = digits_split()
    for name, digit, count in (("one", 1, 3), ("ten", 0, 21)):
        (folder / "images" / name).mkdir(parents=True)
        for k, image in enumerate(images[labels == digit][:count]):
            Image.fromarray(image).save(folder / "images" / name / f"{k}.png")
    gin_file = folder / "run.gin"
    gin_file.write_text(CONFIG + f'Dataset.source = "folder:{folder / "images"}"\n')
    run(str(gin_file), folder / "run")
    return folder / "run", str(gin_file)


def labels_of(model):
    return np.bincount(model.labels_at(0, 2000, None, 0, seed=0), minlength=2) / 2000


@pytest.mark.slow
def test_a_run_keeps_its_classes_and_says_how_labels_were_drawn(ran):
    folder, _ = ran
    record = {"num_classes": 2, "names": ["one", "ten"], "counts": [3, 21], "balance": False}
    assert json.loads((folder / "classes.json").read_text()) == record
    assert [row["label_distribution"] for row in rows(folder)] == ["data", "data"]


def test_evaluate_and_generate_follow_it(ran, tmp_path):
    folder, _ = ran
    model, _ = build.load(folder)
    np.testing.assert_allclose(labels_of(model), [1 / 8, 7 / 8], atol=0.03)
    row = after.evaluate(folder)
    spent = ("_seconds", "_flops", "real_images", "stability_mse", "command")
    plain = [{k: v for k, v in each.items() if not k.endswith(spent)} for each in (row, rows(folder)[1])]
    assert plain[0] == plain[1] and row["label_distribution"] == "data"
    names = [after.generate(folder, tmp_path / "names", 3, labels=["ten", "one"])]
    names += [after.generate(folder, tmp_path / "indices", 3, labels=[1, 0])]
    for first, second in zip(*names, strict=True):
        assert first.read_bytes() == second.read_bytes()
    with pytest.raises(
        ConfigError, match=r"Received: 'tan' \(did you mean 'ten'\?\). Allowed: 0 to 1 or one, ten"
    ):
        after.generate(folder, tmp_path / "none", 3, labels=["tan"])
    assert not (tmp_path / "none").exists()
    uniform, _ = build.load(folder, ["GAN.label_distribution='uniform'"])
    np.testing.assert_allclose(labels_of(uniform), 0.5, atol=0.05)
    assert uniform.stated_labels() == {"label_distribution": "uniform"}


def test_no_class_is_measured_against_another(ran, tmp_path):
    """The folder `one` is called `zero` since, and behind `ten`."""
    folder, _ = ran
    shutil.copytree(folder.parent / "images", tmp_path / "images")
    (tmp_path / "images" / "one").rename(tmp_path / "images" / "zero")
    before = len(rows(folder))
    moved = [f'Dataset.source="folder:{tmp_path / "images"}"']
    for metric in ("intra_class", "classification_accuracy_score"):
        params = [*moved, f'Evaluator.metrics=["fid", "{metric}"]']
        line = (
            f"^{metric} compares each class with its own: the run has the classes one, ten, .* has ten, zero$"
        )
        with pytest.raises(ConfigError, match=line):
            after.evaluate(folder, gin_params=params)
    (tmp_path / "images" / "zero").rename(tmp_path / "images" / "one")
    backwards = [*moved, 'Evaluator.metrics=["intra_class"]', 'Dataset.classes=["ten", "one"]']
    with pytest.raises(
        ConfigError, match=r"; Dataset.classes = \['one', 'ten'\] brings them into its order$"
    ):
        after.evaluate(folder, gin_params=backwards)
    assert len(rows(folder)) == before
    right = [*moved, 'Evaluator.metrics=["intra_class"]', 'Dataset.classes=["one", "ten"]']
    assert after.evaluate(folder, gin_params=right)["intra_fid_by_class"][0] is None  # 3 images of `one`


def test_describe_shows_the_classes_of_a_run(ran):
    folder, gin_file = ran
    facts, model = build.describe([str(folder / "operative.gin")])
    assert facts["classes"] == {"names": ["one", "ten"], "counts": [3, 21]}
    lines = description.table(facts, model).splitlines()
    assert lines[-3:] == ["2 classes, with so many training images:", "  0  'one'  3", "  1  'ten'  21"]
    assert "classes" not in build.describe([gin_file])[0]


def test_a_run_of_an_older_version_draws_uniformly_and_says_so(ran, caplog):
    folder, _ = ran
    kept = (folder / "classes.json").read_bytes()
    (folder / "classes.json").unlink()
    try:
        with caplog.at_level(logging.INFO, "tfgans"):
            model, _ = build.load(folder)
        line = f"{folder} has no classes.json, as runs of older versions: labels are drawn uniformly"
        assert caplog.messages.count(line) == 1
        np.testing.assert_allclose(labels_of(model), 0.5, atol=0.05)
        assert model.stated_labels() == {"label_distribution": "uniform"}
    finally:
        (folder / "classes.json").write_bytes(kept)


GOOD = {"num_classes": 2, "names": None, "counts": [1, 2], "balance": False}
DAMAGED = [
    b"", b"[]", b"{", b"\xff\xfe", b"null", b"[" * 100000,
    *(json.dumps(GOOD | change).encode() for change in (
        {"num_classes": "2"}, {"num_classes": True, "counts": [1]}, {"names": ["a"]}, {"names": [1, 2]},
        {"counts": [1]}, {"counts": [1, -2]}, {"counts": [1, 0.5]}, {"counts": None}, {"balance": 0},
    )),
    b'{"num_classes": 2}',
]  # fmt: skip


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "classes.json"
    assert classes.read(tmp_path) is None
    path.write_text(json.dumps(GOOD))
    assert classes.read(tmp_path) == GOOD
    for content in DAMAGED:
        path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            classes.read(tmp_path)
        assert str(caught.value).startswith(
            f"{path} cannot be read as the classes of a run: "
        ) and "\n" not in str(caught.value), content
    model = types.SimpleNamespace(num_classes=3)
    path.write_text(json.dumps(GOOD))
    with pytest.raises(ConfigError, match="classes.json is of 2 classes, but GAN.num_classes = 3"):
        classes.restore(tmp_path, model)


def test_balanced_batches_have_balanced_fakes(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((4, 4, 4), np.uint8), labels=[0, 0, 0, 1])
    drawn = []
    model = types.SimpleNamespace(num_classes=2, class_names=None, follow_labels=drawn.append)
    for balance in (True, False):
        dataset = Dataset(f"npz:{tmp_path / 'x.npz'}", balance=balance)
        classes.follow(model, dataset)
        classes.save(tmp_path, model, dataset)
        model.label_distribution = "data"
        classes.restore(tmp_path, model)
    assert [None if counts is None else list(counts) for counts in drawn] == [None, None, [3, 1], [3, 1]]


@pytest.mark.slow
def test_a_class_without_images_ends_a_run_before_it_begins(ran, tmp_path):
    with pytest.raises(
        ConfigError, match="no image to train on of class 2 .the data has none.: set num_classes = 2"
    ):
        run(ran[1], tmp_path / "run", "num_classes=3")
    (tmp_path / "run.gin").write_text(f'include "{ran[1]}"\nDataset.num_classes = None\n')
    bindings = ["Dataset.fraction=0.1", "batch_size=2", "Dataset.classes=['ten', 'one']"]
    with pytest.raises(ConfigError, match=r"of class . \('.*'\) .Dataset.fraction = 0.1 takes none of them."):
        run(str(tmp_path / "run.gin"), tmp_path / "run", *bindings)
    assert not (tmp_path / "run").exists()
