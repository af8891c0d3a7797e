"""Sets that are not held in memory: opened by their headers or what is known of them, decoded when they are met."""

import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from small_folders import opened, save, take

from tfgans.config import ConfigError
from tfgans.data import ArrayItems, Dataset, contents, hashes, headers
from tfgans.data.folder import FileItems, Folder
from tfgans.data.pipeline import Augmentation, Batches


def test_few_images_are_decoded_once(folder, seen):
    opened(folder)
    assert seen == {"headers": 12, "decoded": 12}
    opened(folder)
    (folder / "c").mkdir()
    save(folder / "c" / "new.png", 3)
    save(folder / "a" / "05.png", 4)
    opened(folder)
    assert seen == {"headers": 14, "decoded": 14}
    opened(folder, memory=4.0)
    assert seen == {"headers": 14, "decoded": 27}


def test_many_images_are_decoded_when_they_are_met(folder, many, seen):
    for k in range(2):
        dataset = opened(folder)
        assert dataset.contents().count == 12 and seen == {"headers": 12, "decoded": 16 * k}
        list(dataset.reference())
        next(iter(dataset.batches(1, 7)))
        seen["decoded"] = 16  # and what was prefetched


def test_a_kept_size_is_that_of_the_decoded_image(folder, seen):
    """An EXIF rotation behind the pixels of a PNG, of which its header does not tell."""
    Image.new("L", (4, 8), 1).save(folder / "a" / "00.png")
    for name in ("01", "02"):
        Image.new("L", (4, 8), 1).save(folder / "a" / f"{name}.png")
    shutil.rmtree(folder / "b")
    for name in ("03", "04", "05"):
        (folder / "a" / f"{name}.png").unlink()
    exif = b"eXIf" + struct.pack(">2sHLHHHLHHL", b"MM", 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)
    chunk = struct.pack(">L", len(exif) - 4) + exif + struct.pack(">L", zlib.crc32(exif))
    data = (folder / "a" / "01.png").read_bytes()
    (folder / "a" / "01.png").write_bytes(data[:-12] + chunk + data[-12:])
    for _ in "ab":
        with pytest.raises(
            ConfigError, match=r"1 of 3 images cannot be used: a/01.png \(of another size, 8x4\)"
        ):
            opened(folder)
    assert seen == {"headers": 3, "decoded": 3}


def test_listing_is_folder_by_folder(tmp_path):
    for name in ("b.png", "a/b/x.png", "a/b.png", "a.d/x.png", "a/.x.png"):
        save(tmp_path / "images" / "c" / name, 1)
    items = Folder(tmp_path / "images").open("train")
    assert isinstance(items, FileItems)
    assert [items.name(i) for i in range(len(items))] == [
        "c/a/b/x.png", "c/a/b.png", "c/a.d/x.png", "c/b.png",
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no archive", "other arrays", "unwritable"])
def test_a_cache_that_is_of_no_use_costs_time_alone(folder, many, cache, seen, caplog, content):
    before = take(opened(folder), 3)
    (path,) = (cache / "headers").iterdir()
    if content == "unwritable":
        shutil.rmtree(cache.parent)
        cache.parent.write_text("a file")
    elif content == "other arrays":
        np.savez(path, pillow="1", names=np.arange(3), states=np.zeros(4))
    else:
        path.write_bytes(content)
    for found, expected in zip(take(opened(folder), 3), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert seen["headers"] == 24
    opened(folder)
    assert seen["headers"] == (36 if content == "unwritable" else 24)
    assert ("headers of the images are not kept" in caplog.text) == (content == "unwritable")


def test_another_pillow_looks_again(folder, many, seen, monkeypatch):
    opened(folder)
    monkeypatch.setattr(headers.PIL, "__version__", "0.1")
    opened(folder)
    assert seen["headers"] == 24


class Known(ArrayItems):
    """Images of which sizes and digests are known, and that they decode; `opened` are those that were read."""

    checked = True

    def __init__(self, count):
        images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
        super().__init__(images, np.arange(count) % 2)
        self.read_of = []

    def facts(self):
        return np.full((len(self), 2), 4, np.int32), np.ones(len(self), bool)

    def digests(self, indices):
        return np.repeat(np.asarray(indices, np.uint8)[:, None], 32, 1)

    def digest(self, i):
        raise AssertionError("it is known")

    def read(self, i):
        self.read_of.append(int(i))
        return super().read(i)


class Source:
    splits = ("train",)

    def __init__(self, count):
        self.items = Known(count)

    def open(self, split):
        return self.items


def test_what_is_known_of_a_packed_set_is_not_looked_for(many):
    source = Source(24)
    dataset = Dataset(source, batch_size=4, memory_limit_gb=0.0, classes=[1])
    found = dataset.contents()
    assert (found.count, found.kind, dataset.item_shape) == (12, hashes.WHOLE, (4, 4, 1))
    assert len(dataset.fingerprint()) == 64 and source.items.read_of == []
    held = Dataset(source, batch_size=4, classes=[1])
    assert held.contents() == found and len(source.items.read_of) == 12
    assert found.fingerprint != dataset.contents(contents.Contents("", 0, kind=hashes.ENDS)).fingerprint


@pytest.mark.parametrize("workers", [2, 3])
def test_each_worker_reads_its_own_share_of_one_order(workers):
    """Of 24 images in two steps of 12 all workers together read each once, as one process would."""
    (whole, _), *shares = (shown(0, 1), *(shown(worker, workers) for worker in range(workers)))
    np.testing.assert_array_equal(np.concatenate([levels for levels, _ in shares], 1), whole)
    assert sorted(whole.ravel()) == list(range(24)) != whole.ravel().tolist()
    for levels, read in shares:
        assert sorted(levels.ravel()) == sorted(read) and levels.shape == (2, 12 // workers)


def shown(worker, workers):
    """(levels [steps, n] of the images that a worker trains on, those that it reads)."""
    source = Source(24)
    dataset = Dataset(source, batch_size=12, memory_limit_gb=0.0)
    batches = Batches(dataset._store, np.arange(24), None, (1, 12), 7, Augmentation(False, None))
    levels = [batches.read(step, worker, workers)[0][0, :, 0, 0, 0] for step in range(2)]
    return np.stack(levels), source.items.read_of
