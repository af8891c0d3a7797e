"""Images to compare with from a place of their own, and fractions that lose a class."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tfgans import config
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.comparison import renumbered


def folder(root, levels, size=(12, 8)):
    root.mkdir(parents=True)
    for k, level in enumerate(levels):
        Image.new("RGB", size, (level, level, level)).save(root / f"{k:02}.png")
    return f"folder:{root}"


@pytest.fixture
def pair(tmp_path):
    return folder(tmp_path / "train", range(6)), folder(tmp_path / "val" / "images", [100, 200, 250])


def levels(data, split=None):
    return [int(image[0, 0, 0]) for images, _ in data.reference(split) for image in images]


def test_the_reference_comes_from_its_own_place(pair):
    data = Dataset(pair[0], batch_size=2, resolution=8, fraction=0.5, evaluation_source=pair[1])
    assert levels(data) == [100, 200, 250] and data.reference_size() == 3
    assert data.num_examples == 3 and data.item_shape == (8, 8, 3)
    assert levels(data, "train") == list(range(6)) and data.reference_size("train") == 6
    alone = Dataset(pair[1], resolution=8)
    assert data.fingerprint() == alone.fingerprint() != Dataset(pair[0], resolution=8).fingerprint()
    assert next(iter(data.reference()))[0].shape == (3, 8, 8, 3)


def test_it_is_cut_and_coloured_as_what_is_trained_on(tmp_path):
    gray = tmp_path / "gray"
    gray.mkdir()
    for k in range(4):
        Image.new("L", (8, 8), k).save(gray / f"{k}.png")
    colour = folder(tmp_path / "colour", [40, 80], size=(20, 10))
    data = Dataset(f"folder:{gray}", batch_size=2, evaluation_source=colour, crop="none")
    assert data.item_shape == (8, 8, 1)
    assert next(iter(data.reference()))[0].shape == (2, 8, 8, 1) and levels(data) == [40, 80]


def test_it_is_opened_when_it_is_asked_for_and_refused_by_name(pair, tmp_path):
    data = Dataset(pair[0], batch_size=2, resolution=8, evaluation_source=f"folder:{tmp_path}/nowhere")
    with pytest.raises(ConfigError, match="^Dataset.evaluation_source: folder .*nowhere .*does not exist$"):
        data.reference_size()
    for source, line in (
        ("rings", "Dataset.source is unknown. Received: 'rings'"),
        ("grid", "Dataset.resolution is for images; grid has points"),
    ):
        with pytest.raises(ConfigError, match=f"^Dataset.evaluation_source: .*{line}"):
            Dataset(pair[0], batch_size=2, resolution=8, evaluation_source=source).reference()
    with pytest.raises(ConfigError, match="^Dataset.evaluation_source: digits has no split 'valid'"):
        data = Dataset(pair[0], resolution=8, evaluation_source="digits", evaluation_split="valid")
        data.fingerprint()


def test_the_split_is_the_other_sources(pair):
    data = Dataset(pair[0], batch_size=2, resolution=8, evaluation_source="digits")
    assert data.reference_size() == 359 and data.item_shape == (8, 8, 3)
    data = Dataset(pair[0], resolution=8, evaluation_source="digits", evaluation_split="train")
    assert data.reference_size() == 1438


def test_its_labels_are_numbered_as_those_trained_on(tmp_path):
    for name in ("train/a", "train/b", "train/c", "val/b", "val/c", "odd/c", "odd/d"):
        folder(tmp_path / name, range(2))
    data = Dataset(f"folder:{tmp_path}/train", resolution=8, evaluation_source=f"folder:{tmp_path}/val")
    labels = [label for _, some in data.reference(batch_size=3) for label in some]
    assert labels == data.reference_labels().tolist() == [1, 1, 2, 2]
    assert [label for _, some in data.reference("train") for label in some] == [0, 0, 1, 1, 2, 2]
    other = Dataset(f"folder:{tmp_path}/train", resolution=8, evaluation_source=f"folder:{tmp_path}/odd")
    assert next(iter(other.reference()))[1].tolist() == [2, 2, -1, -1]
    with pytest.raises(
        ConfigError, match="^the images to compare with are of d, those trained on of a, b, c$"
    ):
        other.reference_labels()


@pytest.mark.parametrize("use_labels", [True, False])
def test_a_fraction_that_loses_a_class_is_told(tmp_path, caplog, use_labels):
    for name, count in (("a", 5), ("b", 5), ("c", 2)):
        folder(tmp_path / name, range(count))
    options = dict(batch_size=2, resolution=8, fraction=0.5, use_labels=use_labels)
    with caplog.at_level(logging.WARNING):
        first = Dataset(f"folder:{tmp_path}", fraction_order="first", **options)
    (record,) = caplog.records
    assert first.num_examples == 6
    assert record.getMessage() == (
        f"folder:{tmp_path}: Dataset.fraction = 0.5 takes no image of class 2 ('c')"
        "; Dataset.fraction_order = 'random' takes of all"
    )
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        whole = Dataset(
            f"folder:{tmp_path}", fraction=0.99, batch_size=2, resolution=8, use_labels=use_labels
        )
    assert whole.num_examples == 11 and not caplog.records


def test_points_have_no_classes_to_lose(caplog):
    with caplog.at_level(logging.WARNING):
        assert Dataset("ring", fraction=0.5).num_examples > 1000
    assert not caplog.records


@pytest.mark.parametrize(
    "binding",
    [
        "fraction = 0.5",
        "half = 1",
        "flip = True",
        "random_area = (0.5, 1.0)",
        "batch_size = 5",
        "balance = True",
        "evaluation_flip = True",
        "fraction_order = 'first'",
        "half_order = 'contiguous'",
        "num_classes = 2",
        "classes_file = '{root}/classes.txt'",
        "classes = ['b']",
    ],
)
def test_what_gin_files_say_of_training_is_not_said_of_the_images_to_compare_with(binding, tmp_path):
    """In a run all options are bound, and a second data set would take them, too."""
    for where, count in (("train", 6), ("compared", 3)):
        for name in "ab":
            folder(tmp_path / where / name, range(count))
    (tmp_path / "classes.txt").write_text("b\n")
    source = f"Dataset.source = 'folder:{tmp_path}/train'\nDataset.evaluation_source = "
    text = f"{source}'folder:{tmp_path}/compared'\nDataset.{binding.format(root=tmp_path)}\n"
    (tmp_path / "a.gin").write_text(f"Dataset.resolution = 8\nDataset.batch_size = 2\n{text}")
    config.parse([str(tmp_path / "a.gin")])
    data = Dataset()
    count = 3 if binding.startswith("classes") else 12 if binding.startswith("evaluation_flip") else 6
    assert data.reference_size() == len(levels(data)) == count
    config.refuse_unused()
    if count == 6:
        config.parse([])
        alone = Dataset(f"folder:{tmp_path}/compared", resolution=8)
        assert data.fingerprint() == alone.fingerprint()


def test_classes_are_the_same_in_another_unicode_form(tmp_path):
    """In the other folder the first class is the second one, and its name is decomposed."""
    first, second = tmp_path / "first", tmp_path / "second"
    for root, names in ((first, ("caf\u00e9", "tea")), (second, ("cafe\u0301", "a", "tea"))):
        for level, name in enumerate(names):
            folder(root / name, [level])
    data = Dataset(f"folder:{first}", batch_size=1, resolution=8, evaluation_source=f"folder:{second}")
    images, labels = next(iter(data.reference()))
    assert dict(zip(images[:, 0, 0, 0].tolist(), labels.tolist(), strict=True)) == {0: 0, 1: -1, 2: 1}


def test_a_name_of_a_class_in_its_own_form_goes_first():
    data = SimpleNamespace(class_names=["caf\u00e9", "cafe\u0301"])
    found = renumbered(data, np.array([0, 1, -1]), ["cafe\u0301", "caf\u00e9"])
    assert found.tolist() == [1, 0, -1]
