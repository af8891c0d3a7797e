"""Folders that are not held in memory: opened by their headers, checked once, or while they are trained on."""

import hashlib
import io
import itertools
import os
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import ArrayItems, Dataset, contents, hashes, headers, store
from tfgans.data.folder import FileItems, Folder
from tfgans.data.pipeline import Augmentation, Batches
from tfgans.run.identity import Identity


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache, which keeps facts about files however young they are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(hashes, "_TOO_YOUNG_NS", 0)
    return tmp_path / "cache" / "tfgans"


@pytest.fixture
def many(monkeypatch):
    """Four images are too many to decode all before training, three too many to list."""
    monkeypatch.setattr(store, "CHECKED_ONCE", 3)
    monkeypatch.setattr(contents, "_LISTED", 3)


@pytest.fixture
def seen(monkeypatch):
    """Counts of files whose header is read and of images that are decoded, by those names."""
    counts = {"headers": 0, "decoded": 0}

    def counted(name, function):
        def call(*args):
            counts[name] += 1
            return function(*args)

        return call

    monkeypatch.setattr(headers, "header", counted("headers", headers.header))
    monkeypatch.setattr(store, "decode", counted("decoded", store.decode))
    return counts


def save(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), level).save(path)


@pytest.fixture
def folder(tmp_path):
    """Twelve images of levels 0, 10, 20 ... in two classes of six."""
    for k in range(12):
        save(tmp_path / "images" / "ab"[k // 6] / f"{k:02d}.png", 10 * k)
    return tmp_path / "images"


def opened(folder, memory=0.0, **options):
    return Dataset(f"folder:{folder}", memory_limit_gb=memory, **({"batch_size": 4} | options))


def take(dataset, count, **options):
    """(levels [count, n], labels) of batches."""
    found = itertools.islice(dataset.batches(1, 7, **options), count)
    images, labels = zip(*((each["images"].numpy(), each["labels"].numpy()) for each in found), strict=True)
    return np.round((np.concatenate(images)[..., 0, 0, 0] + 1) * 127.5).astype(int), np.concatenate(labels)


def cut(path):
    """Truncates an image so that its header still says what it did."""
    noise = np.random.RandomState(0).randint(0, 256, (4, 4), np.uint8)
    Image.fromarray(noise).save(path, compress_level=0)
    path.write_bytes(path.read_bytes()[:50])


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


@pytest.mark.parametrize("replicas", [1, 2])
def test_an_image_that_does_not_decode_is_replaced_by_the_next(folder, many, caplog, replicas):
    """Of level 50 the next one is 60, whose class is another one; of 110 that is 0."""
    cut(folder / "a" / "05.png")
    cut(folder / "b" / "11.png")
    dataset = opened(folder, on_bad_image="skip")
    assert dataset.skipped == 0 and dataset.num_examples == 12
    levels, labels = take(dataset, 9 * replicas, local_replicas=replicas, total_replicas=replicas)
    if replicas == 2:
        levels, labels = (np.concatenate(np.split(each, 18), 1).reshape(9, 4) for each in (levels, labels))
    for epoch in range(3):
        found = sorted(levels[3 * epoch : 3 * epoch + 3].ravel())
        assert found == [0, 0, 10, 20, 30, 40, 60, 60, 70, 80, 90, 100]
    np.testing.assert_array_equal(labels, levels >= 60)
    lines = sorted(record.getMessage() for record in caplog.records)
    assert dataset.skipped == 2 and [line.partition(": ")[2] for line in lines] == [
        "a/05.png cannot be used (truncated); the next one takes its place",
        "b/11.png cannot be used (truncated); the next one takes its place",
    ]
    again = take(opened(folder, on_bad_image="skip"), 4, start_step=5)
    np.testing.assert_array_equal(again, (levels[5:], labels[5:]))
    images, labels = next(dataset.reference())
    assert images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40, 60, 60, 70, 80, 90, 100, 0]
    assert labels.tolist() == [0] * 5 + [1] * 6 + [0]


def test_the_next_image_is_one_that_is_trained_on(folder, many):
    cut(folder / "a" / "05.png")
    options = {"fraction": 0.5, "fraction_order": "first", "batch_size": 3, "on_bad_image": "skip"}
    dataset = opened(folder, **options)
    assert sorted(take(dataset, 2)[0].ravel()) == [0, 0, 10, 20, 30, 40]
    images, labels = next(dataset.examples())
    assert images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40, 0] and labels.tolist() == [0] * 6


def message(dataset):
    with pytest.raises(ConfigError) as caught:
        for _ in dataset.reference(batch_size=1):
            pass
    return str(caught.value).partition(": ")[2]


def test_images_that_end_the_run(folder, many):
    cut(folder / "a" / "05.png")
    assert message(opened(folder)) == (
        "a/05.png cannot be used (truncated); Dataset.on_bad_image = 'skip' takes the next image in its place"
    )
    for path in folder.rglob("*.png"):
        cut(path)
    assert message(opened(folder, on_bad_image="skip")) == "none of 12 images can be used"


def test_a_file_that_vanishes_or_is_replaced_is_not_passed_over(folder, many):
    """What becomes of a file in the meantime is no property of the data: who resumes would see others."""
    dataset = opened(folder, on_bad_image="skip")
    (folder / "a" / "00.png").unlink()
    assert message(dataset) == "a/00.png cannot be read any more (cannot be opened)"
    save(folder / "a" / "00.png", 0)
    os.utime(folder / "a" / "01.png", (1, 1))
    list(dataset.reference())  # the same bytes at another time
    save(folder / "a" / "02.png", 21)
    assert message(dataset) == "a/02.png cannot be read any more (it has been replaced since it was checked)"


def test_bad_headers_are_found_before_training_whatever_the_number(folder, many, caplog):
    (folder / "a" / "02.png").write_text("no image")
    with pytest.raises(
        ConfigError, match="1 of 12 images cannot be used: a/02.png .not a jpg.*leaves them out"
    ):
        opened(folder)
    dataset = opened(folder, on_bad_image="skip")
    assert (dataset.skipped, dataset.num_examples) == (1, 11)


def identity(run, dataset):
    return Identity(run, "Dataset.batch_size = 4\n", dataset)


class Evaluator:
    class features:
        name, fingerprint = "some", staticmethod(lambda: "w")


@pytest.mark.parametrize("first", [0.0, 4.0])
def test_a_run_goes_on_whatever_the_memory(folder, many, tmp_path, caplog, first):
    (tmp_path / "run").mkdir()
    begun = opened(folder, memory=first)
    identity(tmp_path / "run", begun).write(0, Evaluator())
    before = (tmp_path / "run" / "data.json").read_text()
    assert ('"digests": "ends"' in before) == (first == 0.0) and '"blocks"' in before
    other = opened(folder, memory=4.0 - first)
    assert (
        other.contents().kind != begun.contents().kind
        and other.contents().fingerprint != begun.contents().fingerprint
    )
    assert begun.fingerprint() != other.fingerprint() == begun.fingerprint(kind=other.reference_kind())
    resumed = identity(tmp_path / "run", other)
    resumed.check()
    resumed.write(4, Evaluator())
    assert (tmp_path / "run" / "data.json").read_text() == before and "not comparable" not in caplog.text
    for found, expected in zip(take(other, 4, start_step=2), take(begun, 6), strict=True):
        np.testing.assert_array_equal(found, expected[2:])
    save(folder / "a" / "03.png", 99)
    with pytest.raises(
        ConfigError, match="have changed.*12 images before, 12 now; what differs is among 12 of them"
    ):
        identity(tmp_path / "run", opened(folder, memory=4.0 - first)).check()


def test_runs_of_earlier_versions_go_on(folder, tmp_path, monkeypatch):
    """Their `data.json` lists every image, and names no kind of digest."""
    (tmp_path / "run").mkdir()
    identity(tmp_path / "run", opened(folder)).write(0)
    before = (tmp_path / "run" / "data.json").read_text()
    assert '"digests"' not in before and '"blocks"' not in before
    monkeypatch.setattr(store, "CHECKED_ONCE", 3)
    monkeypatch.setattr(contents, "_LISTED", 3)
    again = identity(tmp_path / "run", opened(folder))
    again.check()
    again.write(4)
    assert (tmp_path / "run" / "data.json").read_text() == before
    save(folder / "a" / "03.png", 99)
    with pytest.raises(ConfigError, match=r"have changed.*: 1 changed \(a/03.png\)"):
        identity(tmp_path / "run", opened(folder)).check()


def test_a_light_digest_is_of_the_length_and_both_ends():
    data = bytes(range(256)) * 40
    digest = hashes.ends_of(io.BytesIO(data))
    assert digest == hashlib.sha256((10240).to_bytes(8, "little") + data[:4096] + data[-4096:]).digest()
    for place, same in ((0, False), (4095, False), (4096, True), (6143, True), (6144, False), (10239, False)):
        other = bytearray(data)
        other[place] ^= 1
        assert (hashes.ends_of(io.BytesIO(bytes(other))) == digest) == same
    whole = [hashes.ends_of(io.BytesIO(data[:size])) for size in (0, 1, 4096, 4097, 8192)]
    assert whole[3] == hashlib.sha256((4097).to_bytes(8, "little") + data[:4097]).digest()
    assert (
        whole[4] == hashlib.sha256((8192).to_bytes(8, "little") + data[:8192]).digest()
        and len(set(whole)) == 5
    )


def blocks(digests, labels=None):
    """`Contents` of items with these digests."""

    class Some:
        kind = hashes.WHOLE

        def content(self, indices, kind):
            return digests[indices].tobytes()

        def names(self, indices):
            return [f"{i:04d}" for i in indices]

    return contents.Contents.of(Some(), np.arange(len(digests)), labels, None)


def test_changes_among_many_images(monkeypatch):
    """5,000 items in blocks that they cut themselves: a change alters its own block alone."""
    monkeypatch.setattr(contents, "_LISTED", 100)
    digests = np.random.RandomState(0).randint(0, 256, (5000, 32), np.uint8)
    labels = np.zeros(5000, np.int32)
    before = blocks(digests, labels)
    counts, starts = before.blocks.counts, np.cumsum([0, *before.blocks.counts])
    assert 3 <= len(counts) <= 8 and sum(counts) == 5000 and before.names is before.labels is None
    changed = digests.copy()
    changed[1234, 20] ^= 1
    place = np.searchsorted(starts, 1234, "right") - 1
    line = f"5,000 images before, 5,000 now; what differs is among {counts[place]:,} of them"
    line = f"{line}, from {starts[place]:04d} on"
    assert before.changes(blocks(changed, labels)) == line
    added = blocks(np.insert(digests, 1234, 7, 0), np.zeros(5001, np.int32))
    assert before.changes(added) == line.replace("5,000 now", "5,001 now").replace(
        f"{counts[place]:,} of", f"{counts[place] + 1:,} of"
    )
    other = labels.copy()
    other[4999] = 1
    assert before.changes(blocks(digests, other)).endswith(f"of them, from {starts[-2]:04d} on")
    first, second, third = starts[1:4]
    swapped = np.concatenate([digests[:first], digests[second:third], digests[first:second], digests[third:]])
    line = f"the images come in another order, from {first:04d} on"
    assert before.changes(blocks(swapped, labels)) == line
    assert before.changes(blocks(digests, labels)) is None


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
