"""Packing where names, folders and options are not as one expects."""

import os

import image_sets
import numpy as np
import pytest
from image_sets import packed
from PIL import Image

from tfgans.data import Dataset


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("oddities") / "images"
    image_sets.make(root, "classes")
    return root


@pytest.mark.parametrize("overwrite", [False, True])
def test_hidden_files_of_the_user_stay(images, tmp_path, overwrite):
    """Only what an earlier packing left goes, with the parts of its files that were being written."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("mine")
    (tmp_path / ".env").write_text("mine")
    (tmp_path / ".manifest.json.part7").write_text("torn")
    packed(images, tmp_path, overwrite=overwrite)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".env", ".git", "manifest.json", "train-00000-of-00001.array_record", "train.index.npz"
    ]  # fmt: skip
    assert (tmp_path / ".git" / "config").read_text() == (tmp_path / ".env").read_text() == "mine"


def test_names_that_are_no_unicode(tmp_path):
    """Linux takes any bytes for names; Python shows those that are no UTF-8 as surrogates."""
    root = tmp_path / "images" / "cl\udcffass"
    root.mkdir(parents=True)
    for k, name in enumerate(("\udcff.png", "é 日本.png")):
        with open(root / name, "wb") as file:
            Image.new("L", (8, 8), k).save(file, "PNG")
    found = Dataset(packed(tmp_path / "images", tmp_path / "x"), batch_size=1)
    folder = Dataset(f"folder:{tmp_path}/images", batch_size=1)
    assert found.contents() == folder.contents() and found.class_names == ["cl\udcffass"]
    assert found.contents().names == [f"cl\udcffass/{name}" for name in ("é 日本.png", "\udcff.png")]
    assert os.fsencode(found.contents().names[1]).endswith(b"/\xff.png")
    np.testing.assert_array_equal(next(found.reference())[0], next(folder.reference())[0])
