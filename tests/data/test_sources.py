"""Each source's own contract: what it reads, in which order, and how it refuses."""

import os
import socket

import numpy as np
import pytest
import tensorflow as tf
from opened import everything, lock, message
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import ArrayItems, Dataset
from tfgans.data.decode import BadImage
from tfgans.data.folder import Folder
from tfgans.data.single import image_files
from tfgans.data.sources import Photos
from tfgans.data.stacked import Stacked


def save(path, level=0, size=(8, 8), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode == "L" else (level,) * 3).save(path, **options)


def test_digits():
    dataset = Dataset("digits")
    images, labels = everything(dataset, "train")
    test_images, test_labels = everything(dataset)
    assert (dataset.num_examples, dataset.reference_size(), dataset.num_classes) == (1438, 359, 10)
    assert (dataset.item_shape, dataset.name, dataset.class_names[3]) == ((8, 8, 1), "digits", "3")
    assert set(np.unique(images)) == {round(ink * 255 / 16) for ink in range(17)}
    assert np.bincount(test_labels).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    assert len(labels) + len(test_labels) == 1797
    assert (dataset.labels == labels).all() and dataset.labels.dtype == np.int32
    assert Dataset("digits", resolution=32, channels=3).item_shape == (32, 32, 3)


def test_photos_keep_training_and_test_regions_apart():
    train, test = Photos().open("train").boxes, Photos().open("test").boxes
    assert (train[:, 0].min() >= 0) and (train[:, 2].max() <= 384)
    assert (test[:, 0].min() >= 384) and (test[:, 2].max() <= 640)
    for boxes in (train, test):
        sides = boxes[:, 2] - boxes[:, 0]
        assert (sides == boxes[:, 3] - boxes[:, 1]).all() and sides.min() >= 128 and sides.max() <= 256
        assert (boxes[:, 1].min() >= 0) and (boxes[:, 3].max() <= 427)
    assert (train == Photos().open("train").boxes).all()


def test_photos():
    dataset = Dataset("photos", classes=["flower"], fraction=0.01, resolution=16)
    assert (dataset.num_examples, dataset.item_shape, dataset.num_classes) == (20, (16, 16, 3), 1)
    assert dataset.reference_size() == 500
    assert everything(dataset)[0].std() > 20


@pytest.mark.parametrize(
    ("kind", "modes", "std", "farthest"), [("ring", 8, 0.008, 0.8), ("grid", 25, 0.01, 0.8 * 2**0.5)]
)
def test_mixtures(kind, modes, std, farthest):
    dataset = Dataset(kind)
    assert dataset.modes.shape == (modes, 2) and dataset.mode_std == pytest.approx(std)
    assert np.linalg.norm(dataset.modes, axis=1).max() == pytest.approx(farthest, abs=1e-6)
    points, labels = everything(dataset, "train")
    assert (len(points), dataset.reference_size(), dataset.num_classes) == (5000 * modes, 1000 * modes, modes)
    assert points.dtype == np.float32 and dataset.item_shape == (2,)
    offsets = points - dataset.modes[labels]
    np.testing.assert_allclose(offsets.std(0), std, rtol=0.02)
    assert abs(offsets).max() < 6 * std and np.bincount(labels).tolist() == [5000] * modes
    batch = next(iter(dataset.batches(3, 0)))
    assert batch["images"].shape == (3, 64, 2)
    nearest = np.linalg.norm(batch["images"].numpy()[:, :, None] - dataset.modes, axis=-1).argmin(-1)
    assert (nearest == batch["labels"].numpy()).all()
    assert not np.isin(points[:100], everything(dataset)[0]).all(axis=1).any()


def test_the_grid_has_the_literature_proportions():
    """Neighbours are 2 apart at standard deviation 0.05: 40 deviations."""
    dataset = Dataset("grid", classes=[0, 1])
    assert np.linalg.norm(dataset.modes[1] - dataset.modes[0]) / dataset.mode_std == pytest.approx(
        40, rel=1e-5
    )
    assert dataset.num_examples == 10000


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


def test_npz(tmp_path):
    path = tmp_path / "faces.npz"
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    np.savez(path, images=images)
    dataset = Dataset(f"npz:{path}", batch_size=1)
    assert (dataset.name, dataset.item_shape, dataset.num_classes) == ("faces", (4, 4, 1), None)
    assert (everything(dataset)[0][..., 0] == images).all()
    np.savez(path, images=np.repeat(images[..., None], 3, -1), labels=np.array([[1], [0]]))
    assert everything(Dataset(f"npz:{path}"))[1].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"x": np.zeros(2)}, " has no array 'images'. Found: x"),
        (
            {"images": np.zeros((2, 3, 8, 8), np.uint8)},
            ": images must be uint8 [n, h, w] or [n, h, w, c] with c from 1 to 4. Received: uint8 [2, 3, 8, 8]",
        ),
        (
            {"images": np.zeros((2, 8, 8, 3), np.float32)},
            ": images must be uint8 [n, h, w] or [n, h, w, c] with c from 1 to 4. Received: float32 [2, 8, 8, 3]",
        ),
        ({"images": np.zeros((0, 8, 8), np.uint8)}, " has no images: its images are [0, 8, 8]"),
        (
            {"images": np.zeros((2, 8, 8), np.uint8), "labels": np.zeros(3, np.int64)},
            ": labels must be integers [2]. Received: int64 [3]",
        ),
    ],
)
def test_npz_of_other_layouts(tmp_path, arrays, line):
    np.savez(tmp_path / "x.npz", **arrays)
    path = tmp_path / "x.npz"
    assert message(source=f"npz:{path}") == f"npz file {path}{line}"


def test_a_damaged_npz_says_where_and_why(tmp_path):
    path = tmp_path / "x.npz"
    images = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
    np.savez_compressed(path, images=images)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40  # zlib's own exception
    path.write_bytes(bytes(data))
    assert message(source=f"npz:{path}").startswith(f"{path} cannot be read as an npz data set: ")
    np.savez(path, images=np.array([images[0], images[1][:4]], dtype=object))
    assert message(source=f"npz:{path}").endswith("data set: array images holds Python objects")
    np.savez(path, images=images, other=np.array([None], object))  # what is not asked for does not matter
    assert Dataset(f"npz:{path}", batch_size=2).num_examples == 4


def test_npz_files_that_are_none(tmp_path):
    path = tmp_path / "x.npz"
    assert message(source=f"npz:{path}") == f"npz file {path} does not exist"
    path.write_text("text")
    assert (
        message(source=f"npz:{path}") == f"{path} cannot be read as an npz data set: File is not a zip file"
    )
    np.save(tmp_path / "y.npy", np.zeros(3))
    assert message(source=f"npz:{tmp_path / 'y.npy'}").endswith("npz data set: File is not a zip file")


def test_unknown_sources():
    paths = ", ".join(f"{kind}:<path>" for kind in ("folder", "packed", "zip", "npz"))
    allowed = f"Allowed: digits, photos, glyphs, ring, grid, tfds:<name>, {paths}"
    for source in ("cats", "folder:", "tfds", None):
        assert message(source=source) == f"Dataset.source is unknown. Received: {source!r}. {allowed}"


def test_a_source_may_be_an_object_of_ones_own():
    class Mine:
        splits = ("train",)

        def __init__(self, level):
            self.level = level

        def open(self, split):
            return ArrayItems(np.full((3, 4, 4, 1), self.level, np.uint8), np.array([0, 1, 1]))

    dataset, alike, other = (Dataset(Mine(level), batch_size=3) for level in (7, 7, 8))
    assert (dataset.source, dataset.name, dataset.item_shape, dataset.num_classes) == (
        "Mine",
        "Mine",
        (4, 4, 1),
        2,
    )
    images, labels = next(dataset.reference())
    assert images.min() == images.max() == 7 and labels.tolist() == [0, 1, 1]
    assert dataset.contents().fingerprint == alike.contents().fingerprint != other.contents().fingerprint
    assert dataset.fingerprint() == alike.fingerprint() != other.fingerprint()
    compared = Dataset(Mine(7), batch_size=3, evaluation_source=Mine(8))
    assert next(compared.reference())[0].min() == 8 and compared.fingerprint() == other.fingerprint()
    with pytest.raises(ConfigError, match="Mine has no split 'test'. Allowed: train"):
        Dataset(Mine(7), split="test")


def test_an_object_that_is_no_source_is_refused():
    with pytest.raises(
        ConfigError, match=r"^Dataset.source has `splits` and `open\(split\)`. Received: <object"
    ):
        Dataset(object())
    for source in ("folder:", "digits:", "digits:x", "*", "folder"):
        with pytest.raises(ConfigError, match="Dataset.source is unknown"):
            Dataset(source)


def test_stacks_of_three():
    """Their colours are digits, one each; labels count in tens; drawn once for all, and of each split its own."""
    single, stacks = everything(Dataset("digits"), "train"), Stacked("digits", count=40)
    items = stacks.open("train")
    for i in range(3):
        channels = np.asarray(items.read(i)).transpose(2, 0, 1)
        for channel, j in zip(channels, items.chosen[i], strict=True):
            np.testing.assert_array_equal(channel, single[0][j, ..., 0])
        assert f"{items.labels[i]:03d}" == "".join(str(single[1][j]) for j in items.chosen[i])
    np.testing.assert_array_equal(stacks.open("train").chosen, items.chosen)
    assert stacks.open("test").chosen.max() < 359 <= items.chosen.max()
    dataset = Dataset(stacks, resolution=32, use_labels=False)
    assert dataset.item_shape == (32, 32, 3) and dataset.num_examples == 40
    with pytest.raises(ConfigError, match="Stacked.source has images with labels. Received: 'ring'"):
        Stacked("ring").open("train")


def test_stacks_are_scaled_as_their_images_are_alone(tmp_path):
    """Of 16 bits 65535 is 255 and 32768 is 128, not all that is above 255 white; what has alpha is put on white."""
    (tmp_path / "a").mkdir()
    for name, level in enumerate((0, 32768, 65535)):
        Image.fromarray(np.full((4, 4), level, np.uint16)).save(tmp_path / "a" / f"{name}.png")
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "a" / "3.png")
    levels = np.array([0, 128, 255, 255])
    items = Stacked(f"folder:{tmp_path}", count=40).open("train")
    assert set(items.chosen.ravel()) == {0, 1, 2, 3}
    for i in range(40):
        assert np.asarray(items.read(i))[0, 0].tolist() == levels[items.chosen[i]].tolist()


def test_stacks_of_several_sizes_are_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    Image.new("L", (4, 5)).save(tmp_path / "a/0.png")
    Image.new("L", (6, 6)).save(tmp_path / "b/0.png")
    line = message(Stacked(f"folder:{tmp_path}", count=20), resolution=4)
    assert "Stacked: 1" in line and "(its images have different sizes, 4x5 and 6x6)" in line
