"""Packing into a zip, as StyleGAN2-ADA and its successors read it."""

import json
import os
import signal
import zipfile

import image_sets
import numpy as np
import pytest
from image_sets import packed
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset, packing, recoding
from tfgans.data.zips import Zip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("packing") / "images"
    image_sets.make(root, "classes")
    return root


@pytest.fixture
def spoilt(images, tmp_path):
    return image_sets.spoilt(images, tmp_path / "spoilt")


def zip_of(source, output, form=None, splits=None, **options):
    from tfgans.run import packs

    options = packing.Options(**options)
    return packs.pack(packs.Origin(str(source), splits), output, recoding.Form(**form or {}), options, "zip")


def test_a_zip_as_stylegans_tool_writes_it(spoilt, tmp_path):
    found = zip_of(spoilt, tmp_path / "x.zip", {"resolution": 16}, skip=True)
    assert (found["images"], found["skipped"]) == (10, 2)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        members = archive.infolist()
        pairs = json.loads(archive.read("dataset.json"))["labels"]
    assert all(member.compress_type == zipfile.ZIP_STORED for member in members)
    names = [member.filename for member in members]
    # classes one after the other, so that 2 and 7 are numbers 1 and 9 of the source
    assert names == [f"00000/img{i:08}.png" for i in range(12) if i not in (1, 9)] + ["dataset.json"]
    assert pairs == [
        [name, int(i > 5)] for name, i in zip(names, [0, 2, 3, 4, 5, 6, 7, 8, 10, 11], strict=False)
    ]
    image = Image.open(_member(tmp_path / "x.zip", names[0]))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (16, 16))
    options = {"resolution": 16, "batch_size": 2}
    folder = Dataset(f"folder:{spoilt}", **options, on_bad_image="skip")
    archive = Dataset(f"zip:{tmp_path}/x.zip", **options)
    np.testing.assert_array_equal(next(folder.reference())[0], next(archive.reference())[0])
    assert archive.labels.tolist() == folder.labels.tolist()
    first = (tmp_path / "x.zip").read_bytes()
    zip_of(spoilt, tmp_path / "x.zip", {"resolution": 16}, skip=True, overwrite=True)
    assert (tmp_path / "x.zip").read_bytes() == first


def _member(path, name):
    import io

    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read(name))


def test_images_that_fit_a_zip_need_no_resolution(tmp_path):
    found = zip_of("digits", tmp_path / "x.zip", splits=["test"])
    assert found["images"] == 359
    items = Zip(tmp_path / "x.zip").open("train")
    assert items.header(0) == ((8, 8), True) and set(items.labels) == set(range(10))
    np.savez(tmp_path / "x.npz", images=np.zeros((3, 8, 8, 3), np.uint8))
    zip_of(tmp_path / "x.npz", tmp_path / "y.zip")
    with zipfile.ZipFile(tmp_path / "y.zip") as archive:
        assert archive.read("dataset.json") == b'{"labels": null}'


@pytest.mark.parametrize(
    ("form", "options", "line"),
    [
        ({}, {}, "--format=zip needs --resolution: images of folder:.* have 12 sizes, from 17x14 to "),
        (
            {"resolution": 12},
            {},
            "--format=zip is for squares whose side is a power of two: .*Received: 12x12",
        ),
        ({"resolution": (8, 16)}, {}, "--format=zip is for squares .*Received: 8 high and 16 wide"),
        ({"resolution": 8, "crop": "random"}, {}, "--format=zip has no room for --crop=random"),
        ({"resolution": 8, "channels": 4}, {}, "--format=zip is for 1 or 3 channels: .*Received: 4"),
    ],
)
def test_what_such_a_zip_cannot_hold_is_refused(images, tmp_path, form, options, line):
    with pytest.raises(ConfigError, match=line):
        zip_of(images, tmp_path / "x.zip", form, **options)
    assert list(tmp_path.iterdir()) == []


def test_where_a_zip_is_written(images, tmp_path):
    with pytest.raises(ConfigError, match=r"--output is a file whose name ends in .zip. Received: '.*/x'"):
        zip_of(images, tmp_path / "x", {"resolution": 8})
    (tmp_path / "x.zip").write_text("mine")
    with pytest.raises(ConfigError, match=r"x.zip is there already: --overwrite replaces it"):
        zip_of(images, tmp_path / "x.zip", {"resolution": 8})
    with pytest.raises(
        ConfigError, match=r"--format=zip is of one split: --splits=train. Received: train, test"
    ):
        zip_of("digits", tmp_path / "y.zip")


def test_what_a_killed_packing_left_goes(images, tmp_path):
    """Of a zip, and of the index of a packed set."""
    for write, name in (
        (lambda: zip_of(images, tmp_path / "x.zip", {"resolution": 8}), "x.zip"),
        (lambda: packed(images, tmp_path / "x"), "x/.packing/train.index.npz"),
    ):
        path = tmp_path / name
        child = os.fork()
        if not child:
            replace = os.replace

            def killed(part, target, wanted=path, replace=replace):
                if target == wanted:
                    os.kill(os.getpid(), signal.SIGKILL)
                replace(part, target)

            os.replace = killed
            write()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert (path.parent / f".{path.name}.part{child}").exists()
        write()
        left = [path.name for path in tmp_path.rglob("*")]
        assert path.name in left and not any(name.startswith(".") for name in left), left


def test_bad_images_leave_no_zip(spoilt, images, tmp_path):
    (spoilt / "cat" / "im002.webp").write_bytes((images / "cat" / "im002.webp").read_bytes())
    with pytest.raises(ConfigError, match=r"dog/deep/im007.jpg \(truncated\)"):
        zip_of(spoilt, tmp_path / "x.zip", {"resolution": 8})
    assert [path.name for path in tmp_path.iterdir()] == ["spoilt"]
