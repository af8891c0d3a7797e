"""Folders as StyleGAN's data tool makes them: 00000/, 00001/ and dataset.json."""

import json

import numpy as np
import pytest
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.folder import Folder

NAMES = [f"{i // 2:05}/img{i:08}.png" for i in range(4)]


@pytest.fixture
def root(tmp_path):
    """Four images in two folders; image i has level 10 i."""
    for i, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), 10 * i).save(tmp_path / name)
    return tmp_path


def write(root, labels):
    text = labels if isinstance(labels, bytes) else json.dumps({"labels": labels}).encode()
    (root / "dataset.json").write_bytes(text)
    return f"folder:{root}"


def test_names_in_another_unicode_form_are_those_of_the_files(tmp_path, caplog):
    """As macOS's disks and archives have them; a name that is there in both forms is each file's own."""
    for level, name in enumerate(("cafe\u0301.png", "\u00e9.png", "e\u0301.png")):
        Image.new("L", (8, 8), level).save(tmp_path / name)
    labels = {"caf\u00e9.png": 2, "e\u0301.png": 0, "\u00e9.png": 1, "gone\u00e9.png": 3}
    items = Folder(write(tmp_path, labels).removeprefix("folder:")).open("train")
    assert dict(zip(items.files, items.labels.tolist(), strict=True)) == {
        "cafe\u0301.png": 2, "e\u0301.png": 0, "\u00e9.png": 1,
    }  # fmt: skip
    told = "has labels of 1 images that are not there, such as gone\u00e9.png"
    assert caplog.messages == [f"{tmp_path / 'dataset.json'} {told}"]


def pairs(*labels):
    return [[name, label] for name, label in zip(NAMES, labels, strict=True)]


GOOD = {
    "pairs": (pairs(0, 1, 1, 0), [0, 1, 1, 0], None),
    "any order": (pairs(0, 1, 1, 0)[::-1], [0, 1, 1, 0], None),
    "an object": (dict(pairs(1, 0, 2, 1)), [1, 0, 2, 1], None),
    "backslashes": (
        [[name.replace("/", "\\"), 1 - i % 2] for i, name in enumerate(NAMES)],
        [1, 0, 1, 0],
        None,
    ),
    "dots": ([[f"./{name}", i % 2] for i, name in enumerate(NAMES)], [0, 1, 0, 1], None),
    "whole floats": (pairs(0.0, 1.0, 1.0, 0.0), [0, 1, 1, 0], None),
    "one hot": (pairs([0, 1], [1, 0], [0.0, 1.0], [1.0, 0.0]), [1, 0, 1, 0], ["0", "1"]),
    "said twice": ([*pairs(0, 1, 1, 0), [NAMES[0], 0]], [0, 1, 1, 0], None),
    "no labels": (None, None, None),
    "all null": (pairs(None, None, None, None), None, None),
}


@pytest.mark.parametrize("case", GOOD)
def test_labels_come_from_the_file(root, case):
    labels, expected, names = GOOD[case]
    dataset = Dataset(write(root, labels))
    images, found = next(dataset.reference())
    assert images[:, 0, 0, 0].tolist() == [0, 10, 20, 30]
    assert (None if found is None else found.tolist()) == expected
    assert dataset.class_names == names


def test_images_directly_in_the_folder_have_labels_too(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    dataset = Dataset(write(tmp_path, [["b.png", 0], ["a.png", 1]]), num_classes=2)
    assert dataset.labels.tolist() == [1, 0]


BAD = {
    "no json": (b'{"labels": [', "dataset.json cannot be read as labels of images: Expecting value"),
    "no text": (b"\xff\xfe\x00\x01\x80", "dataset.json cannot be read as labels of images: "),
    "empty": (b"", "dataset.json cannot be read as labels of images: Expecting value"),
    "deep": (b"[" * 100000, "dataset.json cannot be read as labels of images: "),
    "a list": (b"[1]", 'dataset.json is not {"labels": ...}. Received: a list'),
    "a number": (b'{"labels": 3}', "labels is not a list of [file, label]. Received: a int"),
    "no pair": ([["a.png"]], "entry 0 of labels is not [file, label]. Received: ['a.png']"),
    "no name": ([*pairs(0, 1, 1, 0), [3, 1]], "entry 4 of labels is not [file, label]. Received: [3, 1]"),
    "missing": (
        pairs(0, 1, 1, 0)[1:],
        f"has no label for 1 of 4 images, such as {NAMES[0]}; Dataset.use_labels = F",
    ),
    "one null": (pairs(0, 1, None, 0), f"has no label for 1 of 4 images, such as {NAMES[2]}"),
    "nothing": ([], f"has no label for 4 of 4 images, such as {NAMES[0]}"),
    "elsewhere": ([["x/a.png", 0]], "is of other images: none of its 1 is here, such as x/a.png"),
    "two labels": ([*pairs(0, 1, 1, 0), [NAMES[0], 1]], f"has two labels of {NAMES[0]}: 0 and 1"),
    "negative": (pairs(0, 1, -1, 0), f"the label of {NAMES[2]} is no class: -1. Classes are integers from 0"),
    "parts": (pairs(0, 0.7, 1, 0), f"the label of {NAMES[1]} is no class: 0.7"),
    "huge": (pairs(0, 10**400, 1, 0), f"the label of {NAMES[1]} is no class: 1000"),
    "infinite": (b'{"labels": {"a.png": Infinity}}', "the number Infinity is not finite"),
    "truth": (pairs(0, True, 1, 0), f"the label of {NAMES[1]} is no class: True"),
    "text": (pairs("cat", "dog", "cat", "dog"), f"the label of {NAMES[0]} is no class: cat"),
    "continuous": (
        pairs([0.5, 0.5], [1, 0], [0, 1], [0, 1]),
        f"the label of {NAMES[0]} is no class: [0.5, 0.5]",
    ),
    "no one": (pairs([0, 0], [1, 0], [0, 1], [0, 1]), f"the label of {NAMES[0]} is no class: [0, 0]"),
    "mixed": (pairs([1, 0], 1, 0, 1), "labels are of several kinds: integers, vectors of 2"),
    "lengths": (
        pairs([1, 0], [0, 1, 0], [1, 0], [1, 0]),
        "labels are of several kinds: vectors of 2, vectors of 3",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_other_files_are_refused_in_one_line_unless_labels_are_left_out(root, case):
    labels, line = BAD[case]
    source = write(root, labels)
    with pytest.raises(ConfigError) as caught:
        Dataset(source)
    said = str(caught.value).splitlines()[0]
    assert said.startswith(str(root / "dataset.json")) and line in said
    assert Dataset(source, use_labels=False).num_examples == 4


def test_labels_of_images_that_are_not_there_are_told(root, caplog):
    source = write(root, [*pairs(0, 1, 1, 0), ["00009/z.png", 5], ["00009/y.png", 5]])
    with caplog.at_level("INFO", "tfgans"):
        assert Dataset(source, num_classes=2).label_counts.tolist() == [2, 2]
    assert caplog.messages == [
        f"{root / 'dataset.json'} has labels of 2 images that are not there, such as 00009/y.png"
    ]


def test_a_class_of_the_file_without_an_image(root):
    source = write(root, pairs([1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1]))
    with pytest.raises(ConfigError, match=r"no image to train on of class 1 \('1'\) .the data has none"):
        Dataset(source, num_classes=3)


def test_a_file_without_labels_is_told(root, caplog):
    source = write(root, b'{"name": "mine"}')
    assert Dataset(source).labels is None
    assert f"{root / 'dataset.json'} has no entry labels: its images have none" in caplog.messages
    np.testing.assert_array_equal(Dataset(source).item_shape, (8, 8, 1))
