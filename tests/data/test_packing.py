"""Packing: what is written, what a packing leaves when it is killed, and what it refuses."""

import contextlib
import errno
import json
import os
import signal

import forks
import image_sets
import pytest
from image_sets import everything, packed
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset, manifest, packing, recoding, shards
from tfgans.data.packed import Packed


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("packing") / "images"
    image_sets.make(root, "classes")
    return root


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory):
    """What an undisturbed packing of three shards writes, {name: bytes}."""
    output = tmp_path_factory.mktemp("whole") / "x"
    packed(images, output, images_per_shard=5)
    return everything(output)


def test_what_is_written(images, whole):
    assert sorted(whole) == ["manifest.json", *(f"train-{k:05}-of-00003.array_record" for k in range(3)),
                             "train.index.npz"]  # fmt: skip
    about = json.loads(whole["manifest.json"])
    split = about["splits"]["train"]
    assert (about["packed"], about["source"], about["default_resolution"]) == (1, f"folder:{images}", None)
    assert about["options"]["images_per_shard"] == 5 and about["options"]["resolution"] is None
    assert (split["records"], split["images"], split["skipped"]) == ("files", 12, [])
    assert split["class_names"] == ["cat", "dog", "empty"]
    assert [(shard["images"], shard["bytes"]) for shard in split["shards"]] == [(5, 131072)] * 2 + [
        (2, 131072)
    ]


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class Killed(BaseException):
    """As `kill -9`, as far as one can in the same process."""


def killed_at(count, monkeypatch, function, module=os):
    """Lets the process end at the `count`-th call of a function that changes what is on disk, counted from 0."""
    calls, original = [], getattr(module, function)

    def counted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == count + 1:
            raise Killed
        return original(*arguments, **options)

    monkeypatch.setattr(module, function, counted)


@pytest.mark.parametrize("count", range(10))
def test_a_packing_killed_between_any_two_files_goes_on(images, whole, tmp_path, monkeypatch, count):
    """Files get their names by `os.replace`: plan, rows of three shards, index, then all of them, manifest."""
    with monkeypatch.context() as patch:
        killed_at(count, patch, "replace")
        with pytest.raises(Killed):
            packed(images, tmp_path / "x", images_per_shard=5)
    with pytest.raises(ConfigError, match=r"no manifest.json, its packing has not come to its end"):
        Dataset(f"packed:{tmp_path}/x")
    read, original = [], recoding.Recoder.__call__
    monkeypatch.setattr(recoding.Recoder, "__call__", lambda self, i: read.append(i) or original(self, i))
    packed(images, tmp_path / "x", images_per_shard=5)
    finished = min(max(0, count - 1), 3)
    assert sorted(read) == list(range(5 * finished, 12))  # by several threads
    assert everything(tmp_path / "x") == whole


def test_a_packing_killed_in_a_shard_or_at_its_end_goes_on(images, whole, tmp_path, monkeypatch):
    for count, (module, function) in ((6, (recoding.Recoder, "__call__")), (0, (packing.shutil, "rmtree"))):
        with monkeypatch.context() as patch:
            killed_at(count, patch, function, module)
            with pytest.raises(Killed):
                packed(images, tmp_path / "x", images_per_shard=5)
    assert (
        Dataset(f"packed:{tmp_path}/x", resolution=8, batch_size=2).num_examples == 12
    )  # all but the clearing up
    with pytest.raises(ConfigError, match="has a packed data set already: --overwrite replaces it"):
        packed(images, tmp_path / "x", images_per_shard=5)


def test_a_real_kill(images, whole, tmp_path):
    """The process kills itself while it writes the second shard."""
    code = f"""
import os, signal, sys
sys.path.insert(0, "tests")
from image_sets import packed
from tfgans.data import recoding
original = recoding.Recoder.__call__
def call(self, i):
    if i == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, i)
recoding.Recoder.__call__ = call
packed({str(images)!r}, {str(tmp_path / "x")!r}, images_per_shard=5)
"""
    assert forks.run(code)[0] == -signal.SIGKILL
    assert (tmp_path / "x" / ".packing" / "train-00000-of-00003.array_record").exists()
    packed(images, tmp_path / "x", images_per_shard=5)
    assert everything(tmp_path / "x") == whole


@pytest.mark.parametrize("count", [3, 7])  # in the third shard, and as they are moved
@pytest.mark.parametrize("damage", ["shard cut", "shard missing", "rows damaged"])
def test_what_a_killed_packing_left_is_looked_at(images, whole, tmp_path, monkeypatch, damage, count):
    with monkeypatch.context() as patch:
        killed_at(count, patch, "replace")
        with pytest.raises(Killed):
            packed(images, tmp_path / "x", images_per_shard=5)
    place = tmp_path / "x" / ".packing" if count == 3 else tmp_path / "x"
    shard = place / "train-00000-of-00003.array_record"
    if damage == "shard cut":
        os.truncate(shard, 70000)
    elif damage == "shard missing":
        shard.unlink()
    else:
        (tmp_path / "x" / ".packing" / f"{shard.name}.npz").write_bytes(b"PK")
    packed(images, tmp_path / "x", images_per_shard=5)
    assert everything(tmp_path / "x") == whole


def test_other_options_or_images_do_not_go_on(images, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        killed_at(3, patch, "replace")
        with pytest.raises(Killed):
            packed(images, tmp_path / "x", images_per_shard=5)
    for form, options in (({}, {"images_per_shard": 6}), ({"resolution": 8}, {"images_per_shard": 5})):
        with pytest.raises(
            ConfigError, match=r"has the beginning of another packing, .*--overwrite begins anew"
        ):
            packed(images, tmp_path / "x", form, **options)
    packed(images, tmp_path / "x", {"resolution": 8}, overwrite=True)
    assert sorted(everything(tmp_path / "x")) == ["manifest.json", "train-00000-of-00001.array_record",
                                                  "train.index.npz"]  # fmt: skip


def test_what_is_there_is_not_overwritten(images, tmp_path):
    output = tmp_path / "x"
    packed(images, output)
    first = everything(output)
    with pytest.raises(ConfigError, match="has a packed data set already: --overwrite replaces it"):
        packed(images, output)
    assert everything(output) == first
    (output / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"is not empty: it has notes.txt$"):
        packed(images, output, overwrite=True)
    assert (output / "manifest.json").exists()
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"is not empty: it has notes.txt$"):
        packed(images, tmp_path / "y")
    assert sorted(path.name for path in (tmp_path / "y").iterdir()) == ["notes.txt"]


@pytest.mark.parametrize("count", range(10))
def test_a_data_set_that_is_replaced_stays_whole_until_the_new_one_is(
    images, whole, tmp_path, monkeypatch, count
):
    output = tmp_path / "x"
    packed(images, output, {"resolution": 8})
    first = everything(output)
    with monkeypatch.context() as patch:
        patch.setattr(
            recoding.Recoder, "__call__", lambda self, i: (_ for _ in ()).throw(OSError(28, "full"))
        )
        with pytest.raises(OSError, match="full"):
            packed(images, output, images_per_shard=5, overwrite=True)
    assert files_in(output) == first
    with monkeypatch.context() as patch:
        killed_at(count, patch, "replace")
        with pytest.raises(Killed) if count < 9 else contextlib.nullcontext():  # the plan is there already
            packed(images, output, images_per_shard=5, overwrite=True)
    if count < 4:
        assert files_in(output) == first
        assert Dataset(f"packed:{output}", batch_size=2).item_shape[:2] == (8, 8)
    elif count < 9:
        with pytest.raises(ConfigError, match=r"no manifest.json, its packing has not come to its end"):
            Dataset(f"packed:{output}")
    packed(images, output, images_per_shard=5, overwrite=True)
    assert everything(output) == whole


def test_two_at_once_are_refused(images, tmp_path):
    with packing._taken(tmp_path / "x"), pytest.raises(ConfigError, match="another process is packing into"):
        packed(images, tmp_path / "x")


def test_within_itself_it_is_refused(images, tmp_path):
    with pytest.raises(ConfigError, match=r"lies in --source=.*: give another place"):
        packed(images, images / "packed")
    source = packed(images, tmp_path / "x")
    with pytest.raises(ConfigError, match=r"lies in --source=.*: give another place"):
        packed(source, tmp_path / "x", overwrite=True)


@pytest.fixture
def spoilt(images, tmp_path):
    return image_sets.spoilt(images, tmp_path / "spoilt")


def test_bad_images_are_named_before_anything_is_written(spoilt, tmp_path):
    with pytest.raises(ConfigError) as caught:
        packed(spoilt, tmp_path / "x")
    assert str(caught.value) == (
        f"folder:{spoilt}: 1 of 12 images cannot be used: cat/im002.webp (not a jpg, png, webp, bmp or gif image); "
        "--on_bad_image=skip leaves them out"
    )
    assert not (tmp_path / "x").exists()


def test_what_only_decoding_shows_ends_at_its_shard(spoilt, images, tmp_path):
    (spoilt / "cat" / "im002.webp").write_bytes((images / "cat" / "im002.webp").read_bytes())
    with pytest.raises(ConfigError, match=r"1 of 12 images cannot be used: dog/deep/im007.jpg \(truncated\)"):
        packed(spoilt, tmp_path / "x", images_per_shard=5)
    assert not (tmp_path / "x" / "manifest.json").exists()
    path = spoilt / "dog" / "deep" / "im007.jpg"
    path.write_bytes((images / "dog" / "deep" / "im007.jpg").read_bytes())  # mended: goes on
    packed(spoilt, tmp_path / "x", images_per_shard=5)
    assert Packed(tmp_path / "x").manifest.splits["train"].images == 12


def test_bad_images_are_left_out_and_listed(spoilt, tmp_path, caplog):
    source = packed(spoilt, tmp_path / "x", images_per_shard=5, skip=True)
    split = Packed(tmp_path / "x").manifest.splits["train"]
    assert split.skipped == [
        ["cat/im002.webp", "not a jpg, png, webp, bmp or gif image"],
        ["dog/deep/im007.jpg", "truncated"],
    ]
    assert "split train: 2 images are left out, such as cat/im002.webp (not a jpg" in caplog.text
    options = {"resolution": 12, "batch_size": 2}
    image_sets.assert_same_batches(
        Dataset(f"folder:{spoilt}", **options, on_bad_image="skip"), Dataset(source, **options)
    )


def test_a_shard_of_bad_images_alone_is_no_file(tmp_path):
    for i in range(5):
        path = tmp_path / "images" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), i).save(path)
        if i in (2, 3):
            path.write_bytes(path.read_bytes()[:-30])
    source = packed(tmp_path / "images", tmp_path / "x", images_per_shard=2, skip=True)
    names = sorted(everything(tmp_path / "x"))
    assert names[1:3] == ["train-00000-of-00003.array_record", "train-00002-of-00003.array_record"]
    assert next(Dataset(source, batch_size=1).reference())[0][:, 0, 0, 0].tolist() == [0, 1, 4]
    for i in (0, 1, 4):
        (tmp_path / "images" / f"{i}.png").unlink()
    with pytest.raises(ConfigError, match="2 of 2 images cannot be used: 2.png"):
        packed(tmp_path / "images", tmp_path / "y", skip=True)


def test_a_full_disk_leaves_nothing_that_opens(images, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    for module, function in ((shards, "to_disk"), (manifest.files, "write_text"), (packing.os, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(module, function, full)
            with pytest.raises(OSError, match="No space left on device"):
                packed(images, tmp_path / "x", images_per_shard=5)
        with pytest.raises(ConfigError, match="is no packed data set"):
            Packed(tmp_path / "x")
    packed(images, tmp_path / "x", images_per_shard=5)


def test_a_file_that_does_not_hold_its_records_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_count", lambda path: 1)
    with pytest.raises(OSError, match="x cannot be written: it does not hold its records afterwards"):
        shards.write_records(tmp_path / "x", [b"a", b"b"], False)
    with pytest.raises(OSError, match="cannot be written: "):
        shards.write_records(tmp_path / "no" / "x", [b"a"], False)


def test_files_are_not_too_many(images, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "_MOST_SHARDS", 5)
    with pytest.raises(
        ConfigError, match=r"--images_per_shard is at least 3 for 12 images: .* at most 5 files"
    ):
        packed(images, tmp_path / "x", images_per_shard=2)
    packed(images, tmp_path / "x", images_per_shard=3)


def test_points_and_unknown_splits_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="ring has points: what is packed is images"):
        packed("ring", tmp_path / "x")
    with pytest.raises(ConfigError, match="digits has no split 'valid'. Allowed: train, test"):
        packed("digits", tmp_path / "x", splits=["valid"])


def test_verify_reads_everything(images, tmp_path):
    from tfgans.run import packs

    packed(images, tmp_path / "x", images_per_shard=5)
    assert packs.verify(tmp_path / "x")["verified"]
    path = tmp_path / "x" / "train-00001-of-00003.array_record"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # in the padding
    path.write_bytes(data)
    (tmp_path / "x" / "train.index.npz").unlink()
    with pytest.raises(ConfigError) as caught:
        packs.verify(tmp_path / "x")
    assert str(caught.value) == (
        f"{tmp_path}/x: 2 of 4 files are not as they were when packed: {path.name}, train.index.npz"
    )
