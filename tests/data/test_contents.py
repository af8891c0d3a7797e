"""What is trained on, as a run remembers it: hashes of files, kept between processes, and changes in words."""

import hashlib
import os

import numpy as np
import pytest
from PIL import Image

from tfgans.data import Dataset, hashes
from tfgans.data import contents as data_contents
from tfgans.data.hashes import FileHashes


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache, which keeps hashes of files however young they are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(hashes, "_TOO_YOUNG_NS", 0)
    return tmp_path / "cache" / "tfgans" / "hashes"


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that have been read to hash them."""
    seen, digest = [], hashlib.file_digest

    def noted(file, name):
        seen.append(os.path.basename(file.name))
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    return seen


def two_files(folder):
    folder.mkdir()
    for name in ("a.png", "b\udcff.png"):  # the second is no UTF-8
        (folder / name).write_bytes(name.encode(errors="surrogateescape"))
    return ["a.png", "b\udcff.png"]


def taken(folder, names):
    """The digests that a new process takes, and keeps."""
    files = FileHashes(folder)
    found = [files.digest(name) for name in names]
    files.remember(names)
    return found


def test_files_are_hashed_once(tmp_path, cache, reads):
    names = two_files(tmp_path / "images")
    found = taken(tmp_path / "images", names)
    assert found == [hashlib.sha256(n.encode(errors="surrogateescape")).digest() for n in names]
    assert len(reads) == 2 and len(list(cache.iterdir())) == 1
    assert taken(tmp_path / "images", names) == found and len(reads) == 2
    (tmp_path / "link").symlink_to(tmp_path / "images")  # the same folder
    assert taken(tmp_path / "link", names) == found and len(reads) == 2
    (tmp_path / "images" / "c.png").write_bytes(b"c")
    assert taken(tmp_path / "images", ["a.png", "c.png"])[0] == found[0] and reads[2:] == ["c.png"]
    assert taken(tmp_path / "images", names) == found and len(reads) == 4  # one of them had been forgotten


def test_an_edit_that_keeps_size_and_date_is_noticed(tmp_path, cache, reads):
    names = two_files(tmp_path / "images")
    path = tmp_path / "images" / "a.png"
    before, state = taken(tmp_path / "images", names), path.stat()
    path.write_bytes(b"A.png")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    after = taken(tmp_path / "images", names)
    assert after[0] == hashlib.sha256(b"A.png").digest() != before[0] and after[1] == before[1]
    assert reads[2:] == ["a.png"]


def test_hashes_of_young_and_changing_files_are_not_kept(tmp_path, cache, reads, monkeypatch):
    names = two_files(tmp_path / "images")
    monkeypatch.setattr(hashes, "_TOO_YOUNG_NS", 2_000_000_000)
    for _ in "ab":
        taken(tmp_path / "images", names)
    assert len(reads) == 4 and not cache.exists()
    monkeypatch.setattr(hashes, "_TOO_YOUNG_NS", 0)
    states = iter([(5, 1, 1, 1), (5, 2, 2, 1)])
    monkeypatch.setattr(hashes, "_state", lambda path: next(states))
    taken(tmp_path / "images", names[:1])
    assert not cache.exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no archive", "other arrays"])
def test_a_damaged_cache_is_no_cache(tmp_path, cache, reads, content):
    names = two_files(tmp_path / "images")
    found = taken(tmp_path / "images", names)
    (path,) = cache.iterdir()
    if content == "other arrays":
        np.savez(path, names=np.arange(3), states=np.zeros(4), digests=np.zeros(7))
    else:
        path.write_bytes(content)
    assert taken(tmp_path / "images", names) == found and len(reads) == 4
    assert taken(tmp_path / "images", names) == found and len(reads) == 4  # it has been made anew


def test_a_cache_that_cannot_be_written_costs_a_line(tmp_path, cache, caplog):
    names = two_files(tmp_path / "images")
    (tmp_path / "cache").write_text("a file")
    found = taken(tmp_path / "images", names)
    assert [len(digest) for digest in found] == [32, 32]
    (record,) = caplog.records
    assert record.getMessage().startswith("hashes of the images are not kept for the next start: ")


def save(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), level).save(path)


@pytest.fixture
def folder(tmp_path):
    """Six images in two classes."""
    for k in range(6):
        save(tmp_path / "images" / "ab"[k // 3] / f"{k}.png", 10 * k)
    return tmp_path / "images"


def contents(folder, **options):
    return Dataset(f"folder:{folder}", batch_size=1, **options).contents()


def test_where_images_lie_and_their_names_make_no_difference(folder, tmp_path):
    before = contents(folder)
    assert (before.count, before.labels) == (6, [0, 0, 0, 1, 1, 1])
    assert before.names == [f"{'ab'[k // 3]}/{k}.png" for k in range(6)] and before.class_names == ["a", "b"]
    assert before.hashes[0] == hashlib.sha256((folder / "a" / "0.png").read_bytes()).hexdigest()[:16]
    os.utime(folder / "a" / "0.png", (1, 1))
    (folder / "a" / "0.png").rename(folder / "a" / "00.png")  # still the first
    folder.rename(tmp_path / "moved")
    after = contents(tmp_path / "moved", memory_limit_gb=0.0)
    assert after.fingerprint == before.fingerprint and before.changes(after) is None


def edited(folder):
    save(folder / "a" / "1.png", 99)


def added(folder):
    for k in range(5):
        save(folder / "b" / f"new{k}.png", 100 + k)
    save(folder / "a" / "odd\nname.png", 7)


def removed(folder):
    (folder / "a" / "0.png").unlink()


def moved_to_another_class(folder):
    (folder / "a" / "2.png").rename(folder / "b" / "2.png")


def in_another_order(folder):
    (folder / "a" / "2.png").rename(folder / "a" / "00.png")


def doubled(folder):
    save(folder / "a" / "3.png", 0)


def class_renamed(folder):
    (folder / "b").rename(folder / "c")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edited, "1 changed (a/1.png)"),
        (added, "6 added ('a/odd\\nname.png', b/new0.png, b/new1.png and 3 more)"),
        (removed, "1 removed (a/0.png)"),
        (moved_to_another_class, "1 added (b/2.png), 1 removed (a/2.png)"),
        (in_another_order, "the same images come in another order, from a/00.png on"),
        (doubled, "1 added (a/3.png)"),
        (class_renamed, "the classes were a, b and are a, c"),
    ],
)
def test_changes_are_named(folder, change, words):
    before = contents(folder)
    change(folder)
    after = contents(folder)
    assert before.changes(after) == words and before.fingerprint != after.fingerprint


@pytest.mark.parametrize("listed", [100_000, 0])
def test_the_unicode_form_of_names_of_classes_makes_no_difference(folder, monkeypatch, listed):
    """As on a disk of macOS; what else is different is still told."""
    monkeypatch.setattr(data_contents, "_LISTED", listed)
    (folder / "a").rename(folder / "a\u00e9")
    before = contents(folder)
    (folder / "a\u00e9").rename(folder / "ae\u0301")
    after = contents(folder)
    assert after.class_names != before.class_names and before.changes(after) is None
    (folder / "ae\u0301" / "0.png").rename(folder / "b" / "0.png")
    assert before.changes(contents(folder))
    (folder / "b" / "0.png").rename(folder / "ae\u0301" / "0.png")
    (folder / "ae\u0301").rename(folder / "ae")
    assert before.changes(contents(folder)) == "the classes were a\u00e9, b and are ae, b"


def test_images_that_are_not_trained_on_may_change(folder):
    options = {"fraction": 0.5, "fraction_order": "first", "use_labels": False}
    before = contents(folder, **options)
    edited(folder)
    assert before.changes(contents(folder, **options)) == "1 changed (a/1.png)"
    before = contents(folder, **options)
    save(folder / "b" / "5.png", 99)
    assert before.changes(contents(folder, **options)) is None
    (folder / "a" / "2.png").write_text("broken")  # left out, so that the next one moves up
    after = contents(folder, on_bad_image="skip", **(options | {"fraction": 0.6}))
    assert before.changes(after) == "1 added (b/3.png), 1 removed (a/2.png)"


def test_archives_and_points(tmp_path):
    images = np.arange(4 * 4, dtype=np.uint8).reshape(4, 2, 2)
    path, labels = tmp_path / "a.npz", np.array([0, 1, 0, 1])

    def read():
        return Dataset(f"npz:{path}", batch_size=1).contents()

    np.savez(path, images=images, labels=labels)
    before = read()
    np.savez_compressed(path, labels=labels, images=images)  # other bytes of the same arrays
    assert before.changes(read()) is None
    np.savez(path, images=images, labels=1 - labels)
    assert before.changes(read()).startswith("4 changed (image 0, image 1, image 2 and 1 more)")
    np.savez(path, images=images[1:], labels=labels[1:])
    assert before.changes(read()) == "1 removed (image 0)"
    np.savez(path, images=images.reshape(4, 1, 4), labels=labels)
    assert before.changes(read()).startswith("4 changed")
    ring = Dataset("ring").contents()
    assert ring.names is None and ring.changes(Dataset("ring").contents()) is None
    assert ring.changes(Dataset("ring", fraction=0.5).contents()) == "40000 points before, 20000 others now"


def test_the_reference_is_known_by_its_images_not_by_its_place(folder, tmp_path):
    before = Dataset(f"folder:{folder}", batch_size=1).fingerprint()
    folder.rename(tmp_path / "moved")
    moved = Dataset(f"folder:{tmp_path / 'moved'}", batch_size=1, memory_limit_gb=0.0)
    assert moved.fingerprint() == before
    edited(tmp_path / "moved")
    assert Dataset(f"folder:{tmp_path / 'moved'}", batch_size=1).fingerprint() != before
