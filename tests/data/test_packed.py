"""Packed data sets: the same as what they were packed from, and named where they are not as they were."""

import json
import os
import shutil

import image_sets
import numpy as np
import pytest
import tensorflow_datasets as tfds
from image_sets import LAYOUTS, assert_same_batches, packed
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import ArrayItems, Dataset, manifest
from tfgans.data.decode import BadImage
from tfgans.data.folder import Folder
from tfgans.data.packed import Packed
from tfgans.data.shards import Records, Shard, write_records

VIEWS = {
    "flips": {"flip": True},
    "random crop": {"crop": "random", "flip": True},
    "squashed": {"crop": "none"},
    "random area": {"random_area": (0.5, 1.0)},
    "from disk": {"crop": "random", "memory_limit_gb": 0.0, "resolution": (10, 14)},
}


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request, tmp_path_factory):
    """A folder, and the packed data set of its images as they are."""
    root = tmp_path_factory.mktemp(request.param)
    image_sets.make(root / "images", request.param)
    packed(root / "images", root / "packed", images_per_shard=5)
    return root


@pytest.mark.parametrize("view", VIEWS)
def test_batches_are_those_of_the_folder(layout, view):
    options = {"resolution": 12, "batch_size": 4} | VIEWS[view]
    folder = Dataset(f"folder:{layout}/images", **options)
    found = Dataset(f"packed:{layout}/packed", **options)
    assert_same_batches(folder, found, steps=2)
    assert folder.contents() == found.contents() and found.name == "packed"
    assert folder.fingerprint() == found.fingerprint()


def test_the_facts_are_known_without_opening_an_image(layout, monkeypatch):
    folder = Folder(layout / "images").open("train")
    monkeypatch.setattr(Records, "read", None)
    items = Packed(layout / "packed").open("train")
    sizes, gray = items.facts()
    assert len(items) == 12 and items.checked and (sizes.dtype, gray.dtype) == (np.int32, bool)
    for i in range(12):
        assert items.header(i) == folder.header(i) == (tuple(sizes[i].tolist()), gray[i])
        assert items.name(i) == folder.name(i) and items.digest(i) == folder.digest(i)
    assert [row.tobytes() for row in items.digests(np.array([3, 1]))] == [folder.digest(3), folder.digest(1)]


@pytest.mark.parametrize("crop", ["center", "random", "none"])
@pytest.mark.parametrize("resolution", [12, (50, 90)])
def test_packed_at_a_resolution(layout, tmp_path, crop, resolution):
    """Raw pixels, or PNGs of what has more than 64 x 64: of the same bits as the folder's at that resolution."""
    source = packed(layout / "images", tmp_path / "x", {"resolution": resolution, "crop": crop})
    kind = json.loads((tmp_path / "x/manifest.json").read_text())["splits"]["train"]["records"]
    assert kind == ("raw" if resolution == 12 else "png")
    options = {"crop": crop, "flip": True, "batch_size": 4}
    found, folder = (
        Dataset(source, **options),
        Dataset(f"folder:{layout}/images", resolution=resolution, **options),
    )
    assert found.item_shape == ((12, 12, 3) if resolution == 12 else (50, 90, 3))
    assert_same_batches(folder, found, steps=1)


def test_alone_it_has_resolution_classes_and_splits(tmp_path):
    source = packed("digits", tmp_path / "x", {"resolution": (6, 8)}, images_per_shard=1000)
    found = Dataset(source)
    assert (found.num_examples, found.num_classes, found.item_shape) == (1438, 10, (6, 8, 1))
    assert (found.reference_size(), found.reference_split()) == (359, "test")
    assert found.class_names == list("0123456789") and found.skipped == 0
    assert_same_batches(Dataset("digits", resolution=(6, 8)), found, steps=1)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_arrays_are_packed_as_they_are(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, channels), np.uint8)
    np.savez(tmp_path / "x.npz", images=images, labels=np.array([2, 0, 1, 1]), class_names=["a", "b", "c"])
    source = packed(tmp_path / "x.npz", tmp_path / "x")
    assert_same_batches(Dataset(f"npz:{tmp_path}/x.npz", batch_size=2), Dataset(source, batch_size=2))
    assert_same_batches(
        Dataset(f"npz:{tmp_path}/x.npz", batch_size=2, channels=4), Dataset(source, batch_size=2, channels=4)
    )


def test_drawn_images_and_their_default_resolution(tmp_path):
    source = packed("glyphs", tmp_path / "x", splits=["test"])
    found = Dataset(source, split="test", classes=["A"])
    expected = Dataset("glyphs", split="test", classes=["A"])
    assert found.item_shape == (32, 32, 3)
    np.testing.assert_array_equal(next(found.reference())[0], next(expected.reference())[0])
    with pytest.raises(ConfigError, match="has no split 'train'. Allowed: test"):
        Dataset(source)


class FewPictures(tfds.core.GeneratorBasedBuilder):
    """Four pictures to train on and two without a label, -1."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["even", "odd"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(4), "test": self._generate_examples(2)}

    def _generate_examples(self, count):
        for i in range(count):
            label = i % 2 if count == 4 else -1
            yield i, {"image": np.full((8 + i, 9, 3), 10 * i, np.uint8), "label": label}


def test_tensorflow_datasets(tmp_path):
    folder = str(tmp_path / "tfds")
    FewPictures(data_dir=folder, file_format="array_record").download_and_prepare()
    from tfgans.data.packing import Options
    from tfgans.data.recoding import Form
    from tfgans.run import packs

    origin = packs.Origin("tfds:few_pictures", where={"data_dir": folder})
    packs.pack(origin, tmp_path / "x", Form(), Options())
    options = {"resolution": 8, "batch_size": 2}
    found = Dataset(f"packed:{tmp_path}/x", **options)
    expected = Dataset("tfds:few_pictures", data_dir=folder, **options)
    assert_same_batches(found, expected)
    assert found.contents() == expected.contents() and found._origin.splits == ("train", "test")
    assert Packed(tmp_path / "x").open("test").labels.tolist() == [-1, -1]
    both = {"split": "test+train", "evaluation_split": "train+test", "use_labels": False} | options
    found = Dataset(f"packed:{tmp_path}/x", **both)
    expected = Dataset("tfds:few_pictures", data_dir=folder, **both)
    assert_same_batches(found, expected)
    assert found.fingerprint() == expected.fingerprint() and found.reference_size() == 6
    assert found.reference_split() == "train+test"


def test_sums_of_splits(tmp_path):
    origin = Packed(packed("digits", tmp_path / "x", images_per_shard=1000).removeprefix("packed:"))
    both, parts = origin.open("test+train"), [origin.open(split) for split in ("test", "train")]
    assert len(both) == 1797 and both.checked and both.class_names == list("0123456789")
    np.testing.assert_array_equal(both.labels, np.concatenate([part.labels for part in parts]))
    for values, *each in zip(both.facts(), *(part.facts() for part in parts), strict=True):
        np.testing.assert_array_equal(values, np.concatenate(each))
    indices = np.array([1796, 0, 358, 359, 7])
    assert [row.tobytes() for row in both.digests(indices)] == [both.digest(i) for i in indices]
    for i, part, place in ((0, 0, 0), (358, 0, 358), (359, 1, 0), (1796, 1, 1437)):
        part = parts[part]
        assert both.name(i) == part.name(place) and both.digest(i) == part.digest(place)
        assert both.header(i) == part.header(place) and both.content(i) == part.content(place)
        np.testing.assert_array_equal(both.pixels(i, 1), part.pixels(place, 1))
        with both.read(i) as image, part.read(place) as expected:
            np.testing.assert_array_equal(image, expected)
    for split in ("train+valid", "train+train", "train+", "train[:50%]"):
        with pytest.raises(
            ConfigError, match="has no split .* Allowed: train, test, or several of them joined by"
        ):
            Dataset(f"packed:{tmp_path}/x", split=split)


def test_splits_that_are_joined_have_the_same_classes(tmp_path):
    from tfgans.data.looking import look_at
    from tfgans.data.packing import Options, pack
    from tfgans.data.recoding import Form

    class Mine:
        splits = ("a", "b", "unlabelled")

        def open(self, split):
            labels = None if split == "unlabelled" else np.zeros(2, int)
            return ArrayItems(np.zeros((2, 4, 4, 1), np.uint8), labels, None if labels is None else [split])

    looked = [look_at(Mine(), split, "Mine", Form()) for split in Mine.splits]
    pack(looked, Form(), "Mine", tmp_path / "x", Options())
    with pytest.raises(ConfigError, match=r"x: splits that are joined .* Received: \['a'\] and \['b'\]"):
        Packed(tmp_path / "x").open("a+b")
    both = Packed(tmp_path / "x").open("a+unlabelled")
    assert both.labels is None and both.class_names is None and len(both) == 4


USES = {
    "a larger one": ({"resolution": 13}, "is packed at 12x12, too small for Dataset.resolution = 13: pack without"),
    "a wider one": ({"resolution": (6, 13)}, "is packed at 12x12, too small for"),
    "random crops": ({"crop": "random"}, "is packed with crop 'center'. Received: Dataset.crop = 'random'; pack"),
    "squashed": ({"crop": "none"}, "is packed with crop 'center'. Received: Dataset.crop = 'none'; pack without"),
    "windows": ({"random_area": (0.5, 1.0)}, "is packed at 12x12: Dataset.random_area cuts from larger images"),
    "black": ({"background": "black"}, "is packed on the background 'white'. Received: 'black'; pack without"),
}  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Twelve images packed at 12 x 12."""
    root = tmp_path_factory.mktemp("small")
    image_sets.make(root / "images", "classes")
    packed(root / "images", root / "packed", {"resolution": 12}, images_per_shard=5)
    return root / "packed"


@pytest.mark.parametrize("use", USES)
def test_what_needs_the_originals_is_refused(small, use):
    options, line = USES[use]
    with pytest.raises(ConfigError) as caught:
        Dataset(f"packed:{small}", **options)
    assert str(caught.value).startswith(f"{small} {line}")


def test_a_smaller_resolution_is_a_further_resize(small, caplog):
    caplog.set_level("INFO", "tfgans")
    found, whole = Dataset(f"packed:{small}", resolution=6), Dataset(f"packed:{small}")
    assert f"{small}: images of 12x12 are resized once more, to 6" in caplog.text
    image, _ = next(whole.reference())
    expected = Image.fromarray(image[0]).resize((6, 6), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(next(found.reference())[0][0], np.array(expected))


@pytest.fixture
def copy(small, tmp_path):
    return shutil.copytree(small, tmp_path / "copy")


def refused(folder):
    with pytest.raises(ConfigError) as caught:
        Dataset(f"packed:{folder}", batch_size=2)
    line = str(caught.value).splitlines()[0]
    return line.replace(str(folder), "D")


def test_a_shard_that_is_missing_cut_or_longer(copy):
    path = copy / "train-00001-of-00003.array_record"
    data = path.read_bytes()
    for changed, line in (
        (data[:-10], "has 131,062 bytes and had 131,072 when it was packed"),
        (data + b"x", "has 131,073 bytes and had 131,072 when it was packed"),
        (data[:65536] + bytes(65536), "holds 0 records that can be read and had 5 when it was packed"),
    ):
        path.write_bytes(changed)
        assert refused(copy) == f"D/{path.name} {line}: pack again, or restore it"
    path.unlink()
    assert (
        refused(copy)
        == f"D/{path.name} cannot be opened: No such file or directory: pack again, or restore it"
    )


def test_an_edited_shard_is_found_when_its_image_is_met(copy):
    path = copy / "train-00001-of-00003.array_record"
    data = bytearray(path.read_bytes())
    items = Packed(copy).open("train")
    where = data.index(b"\x28\xb5\x2f\xfd", 200)  # the second record: zstd's mark
    data[where + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadImage, match=f"record 1 of {path} is damaged: Corrupted Riegeli"):
        for i in range(12):
            items.read(i)
    assert f"(record 1 of D/{path.name} is damaged: " in refused(copy)


def test_another_image_in_its_place_is_found(copy):
    """A file of the same size and number of records, well formed: only the hash in the index tells."""
    path = copy / "train-00001-of-00003.array_record"
    size = path.stat().st_size
    write_records(path, [bytes(432)] * 5, True)
    assert path.stat().st_size == size
    assert f"(D/{path.name} holds another image than was packed)" in refused(copy)


@pytest.mark.parametrize("damage", ["cut", "edited", "missing", "of another"])
def test_a_damaged_index_is_named(copy, small, damage):
    path = copy / "train.index.npz"
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "edited":
        data[100] ^= 1
        path.write_bytes(data)
    elif damage == "missing":
        path.unlink()
    else:
        about = json.loads((copy / "manifest.json").read_text())
        arrays = dict(np.load(path))
        arrays["gray"] = arrays["gray"][1:]
        np.savez(path, **arrays)
        shard = about["splits"]["train"]["index"]
        shard["sha256"] = manifest.hash_of(path)
        (copy / "manifest.json").write_text(json.dumps(about))
    line = {
        "missing": "cannot be read as an index of images: No such file or directory",
        "of another": "cannot be read as an index of images: its arrays are of other numbers of images",
    }.get(damage, "is not as it was when it was packed: pack again, or restore it")
    assert refused(copy) == f"D/train.index.npz {line}"


def changed(about, **new):
    return json.dumps(about | new)


MANIFESTS = {
    "text": (lambda about: "{", "D/manifest.json cannot be read as a manifest: "),
    "a list": (lambda about: "[]", "D/manifest.json cannot be read as a manifest: "),
    "of later days": (lambda about: changed(about, packed=2), "D/manifest.json cannot be read as a manifest: it is "
                      "of version 2, and only 1 is known"),
    "without splits": (lambda about: changed(about, splits={}), "D/manifest.json cannot be read as a manifest: it "
                       "has no split"),
    "without options": (lambda about: changed(about, options={}), "D/manifest.json cannot be read as a manifest: it "
                        "has no 'resolution'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_damaged_manifest_is_named(copy, kind):
    make, line = MANIFESTS[kind]
    path = copy / "manifest.json"
    path.write_text(make(json.loads(path.read_text())))
    assert refused(copy).startswith(line)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("file", "../x", "../x is no file of it"),
        ("images", "5", "is no file of it"),
        ("images", 6, "its numbers of images differ"),
        ("other", 1, "unexpected keyword argument 'other'"),
    ],
)
def test_a_manifest_with_other_shards(copy, key, value, line):
    path = copy / "manifest.json"
    about = json.loads(path.read_text())
    about["splits"]["train"]["shards"][0][key] = value
    path.write_text(json.dumps(about))
    assert refused(copy).startswith("D/manifest.json cannot be read as a manifest: ") and line in refused(
        copy
    )


def test_folders_that_are_none(tmp_path):
    assert refused(tmp_path / "x") == "D is no packed data set: it does not exist"
    assert refused(tmp_path) == "D is no packed data set: it has no manifest.json"
    (tmp_path / ".packing").mkdir()
    assert refused(tmp_path).endswith("it has no manifest.json, its packing has not come to its end")


def test_records_of_several_files_and_processes(tmp_path):
    shards = [
        write_records(tmp_path / f"{n}", [bytes([n, k]) for k in range(count)], False)
        for n, count in enumerate((3, 1, 2))
    ]
    records = Records(tmp_path, shards)
    expected = [b"\0\0", b"\0\1", b"\0\2", b"\1\0", b"\2\0", b"\2\1"]
    assert [records.read(np.int64(i)) for i in range(6)] == expected and len(records) == 6
    assert records.where(3) == tmp_path / "1"
    child = os.fork()
    if not child:
        os._exit(int([records.read(i) for i in range(6)] != expected))
    assert os.waitpid(child, 0)[1] == 0
    assert shards[0] == Shard("0", 3, 131072, manifest.hash_of(tmp_path / "0"))


def test_a_source_of_ones_own_is_packed(tmp_path):
    from tfgans.data.looking import look_at
    from tfgans.data.packing import Options, pack
    from tfgans.data.recoding import Form

    class Mine:
        splits = ("train",)

        def open(self, split):
            return ArrayItems(np.full((3, 4, 4, 1), 7, np.uint8), np.array([0, 1, 1]), ["a", 2])

    pack([look_at(Mine(), "train", "Mine", Form())], Form(), "Mine", tmp_path / "x", Options())
    found = Dataset(f"packed:{tmp_path}/x", batch_size=1)
    assert found.class_names == ["a", "2"] and found.labels.tolist() == [0, 1, 1]
    assert next(found.reference())[0].max() == 7
