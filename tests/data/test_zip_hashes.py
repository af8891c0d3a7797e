"""What is remembered of the members of a zip, and what is no bad image."""

import json
import os

import numpy as np
import PIL
import pytest
from image_sets import picture, written

from tfgans.config import ConfigError
from tfgans.data import Dataset, hashes, zips
from tfgans.data.decode import Unreachable
from tfgans.data.members import Members
from tfgans.data.zips import Zip


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The user's cache, which keeps hashes of archives however young they are; the members that are hashed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(hashes, "_TOO_YOUNG_NS", 0)
    hashed, content = [], zips.ZipItems.content
    monkeypatch.setattr(zips.ZipItems, "content", lambda self, i: hashed.append(i) or content(self, i))
    return hashed


def test_members_are_hashed_once(tmp_path, kept):
    path = written(tmp_path / "x.zip", {f"{i}.png": picture(i) for i in range(3)})

    def taken(indices):
        items = Zip(path).open("train")
        before = items.digests(np.array(indices))
        found = [items.digest(i) for i in indices]
        items.remember()
        return before, found

    before, found = taken([0, 2])
    assert before is None and kept == [0, 2]
    before, again = taken([2, 0])  # known of these, whatever is known of 1
    assert [row.tobytes() for row in before] == again == found[::-1] and kept == [0, 2]
    assert taken([0, 1])[0] is None and kept == [0, 2, 1]
    assert taken([2, 0, 1])[0] is not None and kept == [0, 2, 1]
    written(path, {f"{i}.png": picture(i + 1) for i in range(3)})  # another archive of the same size
    before, changed = taken([0])
    assert before is None and changed != found[:1] and kept == [0, 2, 1, 0]


@pytest.mark.parametrize("damage", ["text", "other arrays"])
def test_a_damaged_cache_is_made_anew(tmp_path, kept, damage):
    path = written(tmp_path / "x.zip", {"0.png": picture()})
    items = Zip(path).open("train")
    digest = items.digest(0)
    items.remember()
    (cache,) = (tmp_path / "cache" / "tfgans" / "archives").iterdir()
    about = dict(np.load(cache))
    if damage == "text":
        cache.write_text("no npz")
    else:
        np.savez(cache, **about | {"digests": np.ones((2, 32), np.uint8)})
    assert Zip(path).open("train").digest(0) == digest and len(kept) == 2


def test_young_archives_are_not_remembered(tmp_path, kept, monkeypatch):
    monkeypatch.setattr(hashes, "_TOO_YOUNG_NS", 10**12)
    items = Zip(written(tmp_path / "x.zip", {"0.png": picture()})).open("train")
    items.digest(0)
    items.remember()
    assert not (tmp_path / "cache").exists()
    assert not Members(tmp_path / "x.zip", items.file, 1).known("digests", [0])


@pytest.mark.parametrize("memory", [0.0, 4.0])
def test_a_second_start_opens_no_member_but_to_hold_it(tmp_path, kept, monkeypatch, memory):
    """Sizes, colours, digests and what they decode to are kept; those of other Pillows and archives are not."""
    path = written(tmp_path / "x.zip", {f"{i}.png": picture(i) for i in range(3)})
    read, pread = [], os.pread
    monkeypatch.setattr(os, "pread", lambda *a: read.append(a[2]) or pread(*a))

    def start():
        read.clear()
        dataset = Dataset(f"zip:{path}", batch_size=1, memory_limit_gb=memory)
        return dataset.contents(), dataset.item_shape, len(read)

    first, shape, count = start()
    assert count > 3
    assert start() == (first, shape, 3 if memory else 0)
    monkeypatch.setattr(PIL, "__version__", "other")
    assert start() == (first, shape, 3 * 2)  # headers, and decoded once more


def test_a_zip_that_is_rewritten_in_place_is_no_bad_image(tmp_path):
    """It would else be left out, or replaced by the next one, with Dataset.on_bad_image = 'skip'."""
    path = written(tmp_path / "x.zip", {f"{i}.png": picture(i) for i in range(2)})
    items = Zip(path).open("train")
    with open(path, "r+b") as file:
        file.write(bytes(60))
    os.utime(path, (1, 1))
    with pytest.raises(
        Unreachable, match="^damaged in the zip: .*, as it has been changed since it was opened$"
    ):
        items.content(0)
    assert items.content(1) == picture(1)


def test_a_disk_that_fails_is_no_bad_image(tmp_path, monkeypatch):
    items = Zip(written(tmp_path / "x.zip", {"0.png": picture()})).open("train")

    def fails(*where):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fails)
    with pytest.raises(Unreachable, match="^cannot be read$"):
        items.content(0)


def test_the_labels_file_of_a_zip(tmp_path):
    def labels(text):
        members = {"00000/a.png": picture(1), "00000/b.png": picture(2), "dataset.json": text}
        return Zip(written(tmp_path / "x.zip", members)).open("train").labels

    assert labels('{"labels": null}') is None
    assert labels(json.dumps({"labels": [["00000/b.png", 0], ["00000/a.png", 3]]})).tolist() == [3, 0]
    for text, line in (
        ("{", "x.zip/dataset.json cannot be read as labels of images: "),
        ('{"labels": [["00000/a.png", 1]]}', "x.zip/dataset.json has no label for 1 of 2 images"),
    ):
        with pytest.raises(ConfigError, match=line):
            labels(text)
