"""Folders of images: classes, sizes, and what is no image or cannot be read."""

import os
import socket

import numpy as np
import pytest
import tensorflow as tf
from opened import everything, lock, message
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.decode import BadImage
from tfgans.data.folder import Folder
from tfgans.data.single import image_files


def save(path, level=0, size=(8, 8), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode == "L" else (level,) * 3).save(path, **options)


def test_a_flat_folder_has_no_labels(tmp_path):
    for k, name in enumerate(["b.JPG", "a.png", "c.webp", "d.Bmp", "e.jpeg"]):
        save(tmp_path / name, 10 * k)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".DS_Store").write_bytes(b"1")
    (tmp_path / "._a.png").write_bytes(b"1")
    dataset = Dataset(f"folder:{tmp_path}", batch_size=2)
    assert (dataset.num_examples, dataset.num_classes, dataset.labels, dataset.class_names) == (
        5,
        None,
        None,
        None,
    )
    images, labels = everything(dataset)
    assert labels is None and dataset.name == tmp_path.name
    assert [round(int(level), -1) for level in images[:, 4, 4, 0]] == [10, 0, 20, 30, 40]
    assert set(next(iter(dataset.batches(1, 0)))) == {"images"}


def test_one_folder_a_class(tmp_path):
    """Class `cat` before `dog`; deeper folders belong to the class above."""
    save(tmp_path / "dog" / "x.png", 1)
    save(tmp_path / "cat" / "deep" / "y.png", 2)
    save(tmp_path / "cat" / "z.png", 3)
    dataset = Dataset(f"folder:{tmp_path}", batch_size=1)
    assert dataset.class_names == ["cat", "dog"]
    images, labels = everything(dataset)
    assert (labels.tolist(), images[:, 0, 0, 0].tolist()) == ([0, 0, 1], [2, 3, 1])


def test_gray_folders_have_one_channel(tmp_path):
    save(tmp_path / "a.png", 7, mode="L")
    assert Dataset(f"folder:{tmp_path}").item_shape == (8, 8, 1)
    save(tmp_path / "b.png", 9)
    assert Dataset(f"folder:{tmp_path}").item_shape == (8, 8, 3)


def test_sizes_are_native_or_asked_for(tmp_path):
    save(tmp_path / "a.png", size=(12, 6))
    assert Dataset(f"folder:{tmp_path}").item_shape == (6, 12, 3)
    save(tmp_path / "b.png", size=(20, 30))
    source = f"folder:{tmp_path}"
    assert message(source=source) == (
        f"Dataset.resolution is required (--resolution): images of {source} have 2 sizes, from 12x6 to 20x30"
    )
    assert Dataset(source, resolution=6, crop="random").item_shape == (6, 6, 3)


def broken_folder(folder):
    """Four good images of hard modes, seven offenders."""
    save(folder / "good.png", 5)
    Image.new("CMYK", (9, 9)).save(folder / "cmyk.jpg")
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(folder / "deep.png")
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(folder / "alpha.webp", lossless=True)
    noise = Image.fromarray(np.random.RandomState(0).randint(0, 256, (64, 64, 3), dtype=np.uint8))
    noise.save(folder / "cut.jpg")
    cut = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    (folder / "text.png").write_text("I am not an image")
    (folder / "empty.bmp").write_bytes(b"")
    save(folder / "dot.png", size=(1, 1))
    save(folder / "strip.png", size=(100, 1))
    Image.new("L", (8, 8)).save(folder / "tiff.jpg", "TIFF")
    (folder / "gone.png").symlink_to(folder / "nowhere")


OFFENDERS = (
    "cut.jpg (truncated), dot.png (too small, 1x1), empty.bmp (empty file), "
    "gone.png (cannot be opened), strip.png (too small, 100x1), "
    "text.png (not a jpg, png, webp, bmp or gif image), tiff.jpg (not a jpg, png, webp, bmp or gif image)"
)


@pytest.mark.parametrize("memory_limit_gb", [4.0, 0.0])
def test_bad_images_fail_or_are_skipped(tmp_path, caplog, memory_limit_gb):
    broken_folder(tmp_path)
    options = {"source": f"folder:{tmp_path}", "resolution": 8, "memory_limit_gb": memory_limit_gb}
    line = f"folder:{tmp_path}: 7 of 11 images cannot be used: {OFFENDERS}"
    assert message(**options) == f"{line}; Dataset.on_bad_image = 'skip' leaves them out"
    with caplog.at_level("WARNING"):
        dataset = Dataset(**options, on_bad_image="skip", batch_size=2)
    assert [record.getMessage() for record in caplog.records] == [f"{line}; skipped"]
    assert (dataset.skipped, dataset.num_examples) == (7, 4)
    levels = everything(dataset)[0].mean(axis=(1, 2, 3))  # alpha, cmyk, deep, good; 40000 / 257 = 155.6
    np.testing.assert_allclose(levels, [255, 255, 156, 5], atol=1.5)


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    """Whoever opens a pipe waits until somebody writes into it."""
    save(tmp_path / "a.png", 7)
    if kind == "pipe":
        os.mkfifo(tmp_path / "b.png")
    elif kind == "device":
        (tmp_path / "b.png").symlink_to("/dev/zero")
    else:
        socket.socket(socket.AF_UNIX).bind(os.path.relpath(tmp_path / "b.png"))
    line = f"folder:{tmp_path}: 1 of 2 images cannot be used: b.png (not an ordinary file)"
    assert message(source=f"folder:{tmp_path}") == f"{line}; Dataset.on_bad_image = 'skip' leaves them out"
    dataset = Dataset(f"folder:{tmp_path}", on_bad_image="skip", batch_size=1)
    assert everything(dataset)[0][:, 0, 0, 0].tolist() == [7]
    items = Folder(tmp_path).open("train")
    for read in (items.encoded, items.read, items.digest):
        with pytest.raises(BadImage):
            read(1)


def test_an_image_that_disappears_during_training_is_named(tmp_path):
    save(tmp_path / "a.png")
    batches = Dataset(f"folder:{tmp_path}", batch_size=1, memory_limit_gb=0.0).batches(1, 0)
    (tmp_path / "a.png").unlink()
    with pytest.raises(tf.errors.OpError, match=r"a\.png cannot be read any more \(cannot be opened\)"):
        next(iter(batches))


def test_labels_stay_with_their_images_when_others_are_skipped(tmp_path):
    for k in range(4):
        save(tmp_path / "ab"[k // 2] / f"{k}.png", 10 * k)
    (tmp_path / "a" / "1.png").write_text("broken")
    images, labels = everything(Dataset(f"folder:{tmp_path}", on_bad_image="skip"))
    assert (images[:, 0, 0, 0].tolist(), labels.tolist()) == ([0, 20, 30], [0, 1, 1])


def test_at_most_ten_offenders_are_named(tmp_path):
    for k in range(13):
        (tmp_path / f"{k:02}.png").write_text("broken")
    (tmp_path / "00 odd\nname.png").write_text("broken")
    source = f"folder:{tmp_path}"
    line = message(source=source, resolution=8)
    assert line.startswith(f"{source}: 14 of 14 images cannot be used: '00 odd\\nname.png' (not a jpg, ")
    assert line.count("(not a jpg") == 10
    assert line.endswith(" and 4 more; Dataset.on_bad_image = 'skip' leaves them out")
    skipping = message(source=source, resolution=8, on_bad_image="skip")
    assert skipping == line.removesuffix("; Dataset.on_bad_image = 'skip' leaves them out")


def test_min_size_moves_the_limit(tmp_path):
    save(tmp_path / "a.png", size=(15, 40))
    assert "a.png (too small, 15x40)" in message(source=f"folder:{tmp_path}", resolution=64)
    assert Dataset(f"folder:{tmp_path}", resolution=60).num_examples == 1
    assert Dataset(f"folder:{tmp_path}", resolution=64, min_size=15).num_examples == 1
    assert "too small" in message(source=f"folder:{tmp_path}", resolution=8, min_size=16)


def test_folders_without_images(tmp_path):
    missing = tmp_path / "missing"
    assert message(source=f"folder:{missing}") == f"folder {missing} has no images: it does not exist"
    (tmp_path / "a.txt").write_text("x")
    assert message(source=f"folder:{tmp_path}") == (
        f"folder {tmp_path} has no images; looked for .jpg, .jpeg, .jfif, .png, .webp, .bmp, .gif"
    )
    (tmp_path / "a.TIF").write_bytes(b"II*\0")
    assert message(source=f"folder:{tmp_path}").endswith(
        ", .gif, and found .tif (1), which are not read: convert them"
    )
    assert message(source=f"folder:{tmp_path / 'a.txt'}").endswith("has no images: it is not a folder")


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    """Its images, and its class, would else be missing without a word."""
    save(tmp_path / "cat" / "a.png")
    save(tmp_path / "dog" / "b.png")
    lock(tmp_path / "dog", monkeypatch)
    line = f"folder {tmp_path}/dog cannot be read: Permission denied"
    assert message(source=f"folder:{tmp_path}") == message(source=f"folder:{tmp_path}/dog") == line
    with pytest.raises(ConfigError, match=f"^{line}$"):
        image_files([tmp_path / "dog"])
    (tmp_path / "dog").rename(tmp_path / ".dog")  # which is ignored
    assert Dataset(f"folder:{tmp_path}", batch_size=1).class_names == ["cat"]


def test_images_of_other_formats_are_named(tmp_path, caplog):
    for k, name in enumerate(["a.png", "d.jfif", "m.gif"]):
        frames = {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]} if k == 2 else {}
        save(tmp_path / name, 50 * k, format=None if k != 1 else "JPEG", **frames)
    for name in (
        "b.tiff",
        "c.HEIC",
        "e.heic",
        "f.svg",
        "g.npy",
        "notes.txt",
        "list.json",
        "._h.avif",
        ".i.tif",
    ):
        (tmp_path / name).write_bytes(b"")
    dataset = Dataset(f"folder:{tmp_path}")
    images, _ = everything(dataset)
    np.testing.assert_allclose(
        images.mean(axis=(1, 2, 3)), [0, 50, 100], atol=2
    )  # of the GIF its first frame
    assert [record.getMessage() for record in caplog.records] == [
        f"folder {tmp_path}: images of formats that are not read are left out: "
        ".heic (2), .npy (1), .svg (1), .tiff (1)"
    ]


def test_a_mixed_folder_is_refused(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "c" / "b.png")
    assert message(source=f"folder:{tmp_path}") == (
        f"folder {tmp_path} has images both directly in it (1, as a.png) and in sub-folders (1); "
        "it must be flat or have one sub-folder a class"
    )


def linked(root, links):
    """Makes links below `root`, {name: to where}; sees what a `Folder` of it has to say and to show."""
    for name, target in links.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target, target_is_directory=True)
    items = Folder(root).open("train")
    labels = [None] * len(items) if items.labels is None else [items.class_names[k] for k in items.labels]
    return dict(zip(items.files, labels, strict=True))


def test_links_to_folders_elsewhere_are_classes(tmp_path, caplog):
    save(tmp_path / "there" / "animals" / "cats" / "a.png")
    save(tmp_path / "there" / "dogs" / "b.png")
    save(tmp_path / "here" / "fish" / "c.png")
    (tmp_path / "here" / "fish" / "d.png").symlink_to(tmp_path / "there" / "dogs" / "b.png")
    links = {"cat": tmp_path / "there" / "animals", "dog": tmp_path / "there" / "dogs"}
    expected = {"cat/cats/a.png": "cat", "dog/b.png": "dog", "fish/c.png": "fish", "fish/d.png": "fish"}
    assert linked(tmp_path / "here", links) == expected and caplog.messages == []


@pytest.mark.parametrize(
    ("links", "told"),
    [
        ({"a": "b"}, "a (as b)"),  # before the folder itself in their order
        ({"z": "b"}, "z (as b)"),
        ({"c/inner": "../b"}, "c/inner (as b)"),
        ({"b/up": ".."}, "b/up (as .)"),
        ({"a": "b", "z": "c"}, "a (as b), z (as c)"),
    ],
)
def test_a_folder_of_two_names_is_read_once_by_its_own(links, told, tmp_path, caplog):
    for name in ("b", "c"):
        save(tmp_path / name / "0.png")
    assert linked(tmp_path, links) == {"b/0.png": "b", "c/0.png": "c"}
    assert caplog.messages == [f"folder {tmp_path}: links to folders that are read by another name: {told}"]


def test_of_two_links_to_one_folder_the_first_is_its_name(tmp_path, caplog):
    save(tmp_path / "there" / "0.png")
    (tmp_path / "here").mkdir()
    links = {name: tmp_path / "there" for name in ("y", "x")}
    assert linked(tmp_path / "here", links) == {"x/0.png": "x"}
    assert caplog.messages == [
        f"folder {tmp_path}/here: links to folders that are read by another name: y (as x)"
    ]


def test_links_that_lead_nowhere_are_told(tmp_path, caplog):
    """They may be of a disk that is not there: a class would be missing without a word."""
    save(tmp_path / "b" / "0.png")
    links = {"a": tmp_path / "nowhere", "b/deeper": "../nowhere", "round": "round", ".hidden": "nowhere"}
    assert linked(tmp_path, links) == {"b/0.png": "b"}
    told = f"folder {tmp_path}: links that lead nowhere are left out: a, b/deeper, round"
    assert caplog.messages == [told]


def test_class_folders_that_look_the_same_are_told(tmp_path, caplog):
    """Half of a class was copied from a system that writes its name in another Unicode form."""
    for name in ("cafe\u0301", "caf\u00e9", "tea"):
        save(tmp_path / name / "0.png")
    items = Folder(tmp_path).open("train")
    assert items.class_names == ["cafe\u0301", "caf\u00e9", "tea"] and items.labels.tolist() == [0, 1, 2]
    told = r"different Unicode forms are different classes: 'cafe\u0301', 'caf\xe9'"
    assert caplog.messages == [f"folder {tmp_path}: folders of the same name in {told}"]
