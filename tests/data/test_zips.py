"""Zips of images, read in place: the same as the folders they hold, and refused where they are damaged."""

import io
import os
import struct
import threading
import zipfile

import image_sets
import numpy as np
import pytest
from image_sets import LAYOUTS, assert_same_batches, picture, written, zipped
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset, zips
from tfgans.data.decode import BadImage
from tfgans.data.folder import Folder
from tfgans.data.zips import Zip

VIEWS = {
    "flips": {"flip": True},
    "random crop": {"crop": "random", "flip": True},
    "random area": {"random_area": (0.5, 1.0)},
    "from disk": {"crop": "random", "memory_limit_gb": 0.0},
}


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param.replace(" ", "_")) / "images"
    image_sets.make(root, request.param)
    return root, request.param


@pytest.mark.parametrize("view", VIEWS)
def test_batches_are_those_of_the_folder(layout, tmp_path, view):
    root, _ = layout
    options = {"resolution": 12, "batch_size": 4} | VIEWS[view]
    folder = Dataset(f"folder:{root}", **options)
    method = zipfile.ZIP_DEFLATED if view == "flips" else zipfile.ZIP_STORED
    within = "some top/" if view == "random crop" else ""
    archive = Dataset(f"zip:{zipped(root, tmp_path / 'x.zip', within, method)}", **options)
    assert_same_batches(folder, archive, steps=2)
    assert folder.contents() == archive.contents() and archive.name == "x"
    assert folder.fingerprint() == archive.fingerprint()


def test_facts_of_the_layout_are_those_of_the_folder(layout, tmp_path):
    root, kind = layout
    (tmp_path / "copy").symlink_to(root)
    archive = Zip(zipped(root, tmp_path / "x.zip")).open("train")
    folder = Folder(root).open("train")
    assert [archive.name(i) for i in range(len(archive))] == [folder.name(i) for i in range(len(folder))]
    assert archive.class_names == folder.class_names
    assert kind == "flat" or (archive.labels == folder.labels).all()
    assert [archive.header(i) for i in range(12)] == [folder.header(i) for i in range(12)]
    assert archive.content(3) == (root / archive.name(3)).read_bytes()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_light_digests_are_those_of_files_and_take_the_ends_alone(tmp_path, monkeypatch, method):
    root = tmp_path / "images"
    root.mkdir()
    for name, size in {
        "a.bmp": 10,
        "b.bmp": 60,
        "c.bmp": 100,
    }.items():  # 54 + 3 * size^2 bytes: 356, 10,854, 30,054
        Image.fromarray(np.random.default_rng(size).integers(0, 256, (size, size, 3), np.uint8)).save(
            root / name
        )
    archive = Zip(zipped(root, tmp_path / "x.zip", "", method)).open("train")
    read, pread = [], os.pread
    monkeypatch.setattr(os, "pread", lambda *span: read.append(span[1]) or pread(*span))
    found = archive.ends([0, 1, 2])
    assert (found == Folder(root).open("train").ends([0, 1, 2])).all()
    assert method == zipfile.ZIP_DEFLATED or sum(read) < 2 * 3 * (4096 + 30)


def names_in(path):
    items = Zip(path).open("train")
    return [items.name(i) for i in range(len(items))]


def test_what_is_ignored_and_what_is_left_out(tmp_path, caplog):
    members = {
        "__MACOSX/._a.png": b"x", ".hidden/a.png": b"x", "b/.c.png": b"x", "b/notes.txt": b"x", "b/x.tiff": b"x",
        "b/2.PNG": picture(2), "b/10.png": picture(10), "empty/": b"", "./b/1.png": picture(1),
    }  # fmt: skip
    path = written(tmp_path / "x.zip", members)
    assert names_in(path) == ["b/1.png", "b/10.png", "b/2.PNG"]
    items = Zip(path).open("train")
    assert items.class_names == ["b", "empty"] and items.labels.tolist() == [0, 0, 0]
    assert f"zip file {path}: images of formats that are not read are left out: .tiff (1)" in caplog.text
    only = written(tmp_path / "y.zip", {"top/x.tiff": b"x"})
    with pytest.raises(ConfigError, match=r"y.zip has no images; .*found .tiff \(1\), which are not read"):
        Zip(only).open("train")


def test_one_folder_that_holds_everything_is_the_root(tmp_path):
    flat = written(tmp_path / "a.zip", {"top/": b"", "top/a.png": picture(), "__MACOSX/b.png": b""})
    assert names_in(flat) == ["a.png"] and Zip(flat).open("train").labels is None
    beside = written(tmp_path / "b.zip", {"top/a.png": picture(), "topper.txt": b""})
    assert Zip(beside).open("train").class_names == ["top"]
    twice = written(tmp_path / "c.zip", {"top/one/a.png": picture(), "top/two/b.png": picture()})
    assert Zip(twice).open("train").class_names == ["one", "two"]


@pytest.mark.parametrize("root", ["./", "."])
def test_the_root_itself_is_no_folder_in_it(tmp_path, root):
    """`tar -acf x.zip .` of macOS writes it; it is no class, nor does it keep one folder from being the root."""
    classes = written(tmp_path / "a.zip", {root: b"", "./cat/a.png": picture(), "./dog/b.png": picture()})
    assert Zip(classes).open("train").class_names == ["cat", "dog"]
    one = written(tmp_path / "b.zip", {root: b"", "./top/": b"", "./top/a.png": picture()})
    assert names_in(one) == ["a.png"] and Zip(one).open("train").labels is None


def test_names_that_are_not_ascii(tmp_path):
    info = zipfile.ZipInfo("日本/é.png")
    assert names_in(written(tmp_path / "a.zip", {info: picture(), "b/c.png": picture()})) == [
        "b/c.png",
        "日本/é.png",
    ]
    assert names_in(_without_flags(tmp_path / "c.zip", "é/a.png".encode())) == ["b/b.png", "é/a.png"]
    assert names_in(_without_flags(tmp_path / "d.zip", b"\x82/a.png")) == ["b/b.png", "é/a.png"]  # cp437
    windows = zipfile.ZipInfo("a")
    windows.filename, windows.create_system = "cat\\a.png", 0
    path = written(tmp_path / "e.zip", {windows: picture(), "dog/b.png": picture()})
    assert Zip(path).open("train").class_names == ["cat", "dog"]


def _without_flags(path, name):
    """A zip with a file of a name of these bytes, as tools write that know nothing of UTF-8's flag."""
    stand_in = b"~" * len(name)
    written(path, {stand_in.decode(): picture(), "b/b.png": picture()})
    path.write_bytes(path.read_bytes().replace(stand_in, name))
    return path


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ({"../a.png": b"x"}, "has a file outside itself: ../a.png"),
        ({"a/../../b.png": b"x"}, "has a file outside itself: a/../../b.png"),
        ({"/etc/a.png": b"x"}, "has a file outside itself: /etc/a.png"),
        ({"a.png": b"x", "./a.png": b"y"}, "has two files of the name ./a.png"),
        ({"a.txt": b"x"}, "has no images; looked for .jpg"),
        ({}, "has no images; looked for .jpg"),
        ({"a.png": b"x", "b/c.png": b"x"}, "has images both directly in it (1, as a.png) and in sub-folders (1)"),
    ],
)  # fmt: skip
def test_what_is_in_a_zip_may_be_refused(tmp_path, members, line):
    path = written(tmp_path / "x.zip", members)
    with pytest.raises(ConfigError) as caught:
        Zip(path).open("train")
    assert str(caught.value).startswith(f"zip file {path} {line}") and "\n" not in str(caught.value)


def test_other_methods_and_encryption_are_refused(tmp_path):
    path = written(tmp_path / "x.zip", {"a.png": picture()}, compression=zipfile.ZIP_BZIP2)
    with pytest.raises(ConfigError, match=r"is packed by bzip2, such as a.png: only stored and deflated"):
        Zip(path).open("train")
    path = written(tmp_path / "y.zip", {"a.png": picture()})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"is encrypted, such as a.png: unpack it"):
        Zip(path).open("train")


def test_files_that_are_no_zips(tmp_path):
    path = tmp_path / "x.zip"
    with pytest.raises(ConfigError, match="x.zip has no images: it does not exist"):
        Zip(path).open("train")
    path.mkdir()
    with pytest.raises(ConfigError, match="x.zip has no images: it is not a file"):
        Zip(path).open("train")
    whole = written(tmp_path / "y.zip", {f"{i}.png": picture(i) for i in range(9)}).read_bytes()
    for data in (b"", b"PK", whole[:-30], whole[: len(whole) // 2]):
        (tmp_path / "z.zip").write_bytes(data)
        with pytest.raises(ConfigError, match=r"z.zip cannot be read as a zip file: File is not a zip file"):
            Zip(tmp_path / "z.zip").open("train")


def test_damage_within_is_found_image_by_image(tmp_path):
    path = written(tmp_path / "x.zip", {"a.png": picture(1), "b.png": picture(2), "c.png": b""})
    data = bytearray(path.read_bytes())
    where = data.index(picture(2)) + 30
    data[where] ^= 1
    path.write_bytes(data)
    items = Zip(path).open("train")
    assert items.content(0) == picture(1)
    with pytest.raises(BadImage, match="damaged in the zip: its checksum is wrong"):
        items.content(1)
    with pytest.raises(BadImage, match="empty file"):
        items.read(2)
    with pytest.raises(
        ConfigError, match=r"2 of 3 images .*b\.png \(damaged in the zip: .*c\.png \(empty file\)"
    ):
        Dataset(f"zip:{path}")
    assert Dataset(f"zip:{path}", on_bad_image="skip", batch_size=1).skipped == 2
    os.truncate(path, where)  # while it is open
    with pytest.raises(BadImage, match="damaged in the zip: truncated"):
        items.content(1)


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        (20, 10**9, "truncated or damaged: a.png lies behind its end"),
        (42, 10**9, "truncated or damaged: a.png lies behind its end"),
        (24, 3 * 10**9, "damaged: a.png declares 3,000,000,000 bytes, more than it can hold"),
    ],
)
def test_a_directory_that_lies(tmp_path, field, value, line):
    """Bytes 20, 24 and 42 of an entry are the packed size, the size and the offset."""
    method = zipfile.ZIP_DEFLATED
    path = written(tmp_path / "x.zip", {"a.png": picture(), "b.png": picture()}, compression=method)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\1\2") + field, value)
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=line):
        Zip(path).open("train")


def test_a_bomb_takes_no_memory(tmp_path):
    """A megabyte of zeros that claims to be 100 bytes is inflated to 101 of them."""
    path = written(tmp_path / "x.zip", {"a.png": bytes(2**20)}, compression=zipfile.ZIP_DEFLATED)
    items = Zip(path).open("train")
    items.places[0, 2] = 100
    asked = []
    decompressor = zips.zlib.decompressobj
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zips.zlib, "decompressobj", lambda *a: _Noted(decompressor(*a), asked))
        with pytest.raises(BadImage, match="its checksum is wrong"):
            items.content(0)
    assert asked == [101]
    items.places[0, 2] = 2**30 + 1
    with pytest.raises(BadImage, match="1,073,741,825 bytes are no image"):
        items.content(0)


class _Noted:
    def __init__(self, decompressor, asked):
        self.decompressor, self.asked = decompressor, asked

    def decompress(self, data, most):
        found = self.decompressor.decompress(data, most)
        self.asked.append(len(found))
        return found


def test_a_zip64_and_long_extra_fields(tmp_path, monkeypatch):
    info = zipfile.ZipInfo("a.png")
    info.extra = struct.pack("<HH", 0x9999, 2000) + bytes(2000)
    path = tmp_path / "x.zip"
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    written(path, {info: picture(1), "b.png": picture(2)})
    assert b"PK\6\6" in path.read_bytes()
    items = Zip(path).open("train")
    assert (items.content(0), items.content(1)) == (picture(1), picture(2))


def test_headers_read_the_beginning_alone(tmp_path, monkeypatch):
    """Of a large image of noise 64 KiB and a little; of a WebP, which Pillow opens only whole, everything."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8))
    members = {}
    for kind in ("PNG", "WEBP"):
        file = io.BytesIO()
        noise.save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
        members[f"a.{kind.lower()}"] = file.getvalue()
    items = Zip(written(tmp_path / "x.zip", members)).open("train")
    asked, pread = [], os.pread
    monkeypatch.setattr(os, "pread", lambda *a: asked.append(a[1]) or pread(*a))
    assert items.header(0) == ((300, 200), False) and sum(asked) < 2**16 + 1000 < len(members["a.png"])
    assert items.header(1) == ((300, 200), False)


def test_threads_and_a_forked_process_read_at_once(tmp_path):
    members = {f"{i:03}.png": picture(i) for i in range(100)}
    items = Zip(written(tmp_path / "x.zip", members)).open("train")
    wrong = []

    def read(first):
        for i in [*range(first, 100), *range(first)]:
            if items.content(i) != picture(i):
                wrong.append(i)

    threads = [threading.Thread(target=read, args=(first,)) for first in range(0, 100, 25)]
    for thread in threads:
        thread.start()
    child = os.fork()
    if not child:
        os._exit(int(any(items.content(i) != picture(i) for i in range(100))))
    for thread in threads:
        thread.join()
    assert wrong == [] and os.waitpid(child, 0)[1] == 0
