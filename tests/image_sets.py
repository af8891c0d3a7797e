"""Folders of images of mixed sizes and kinds, in every layout, and what two data sets must have in common."""

import io
import json
import shutil
import zipfile

import numpy as np
from PIL import Image

from tfgans.data.pipeline import Augmentation, Batches

LAYOUTS = ("flat", "classes", "json")
COUNT = 12


def make(root, layout):
    """Twelve noisy images: png, jpg, webp, one gray, one turned by EXIF, one with alpha; returns their paths."""
    random, paths = np.random.default_rng(1), []
    for i in range(COUNT):
        kind = ("png", "jpg", "webp")[i % 3]
        within = {"flat": "", "classes": ("cat/", "dog/deep/")[i % 2], "json": f"{i // 5:05}/"}[layout]
        path = root / f"{within}im{i:03}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (14 + 3 * (i % 4), 17 + i, 3), np.uint8)
        image = Image.fromarray(pixels)
        options = {}
        if i == 3:
            image.putalpha(90)
        if i == 4:
            exif = Image.Exif()
            exif[0x0112] = 6
            options["exif"] = exif
        if i == 6:
            image = image.convert("L")
        image.save(path, **options)
        paths.append(path)
    if layout == "classes":
        (root / "empty").mkdir()
    if layout == "json":
        pairs = [[path.relative_to(root).as_posix(), i % 3] for i, path in enumerate(paths)]
        (root / "dataset.json").write_text(json.dumps({"labels": pairs}))
    return paths


def spoilt(source, root):
    """A copy of a folder of classes in which image 2 is none, and 7 is cut, which only decoding shows."""
    shutil.copytree(source, root)
    (root / "cat" / "im002.webp").write_text("no image")
    path = root / "dog" / "deep" / "im007.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    return root


def picture(level=0, size=(8, 8)):
    """The bytes of a PNG of one gray."""
    file = io.BytesIO()
    Image.new("L", size, level).save(file, "PNG")
    return file.getvalue()


def written(path, members, **options):
    """A zip of {name or ZipInfo: bytes}."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def zipped(root, path, within="", method=zipfile.ZIP_STORED):
    """A zip of what is in a folder, and of its folders."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(root.rglob("*"), reverse=True):
            archive.write(file, within + file.relative_to(root).as_posix())
    return path


def assert_same_batches(one, other, steps=4):
    """Every image and label of some steps, and what evaluations compare with, to the bit."""
    for step in range(steps):
        for a, b in zip(read(one, step), read(other, step), strict=True):
            np.testing.assert_array_equal(a, b)
    for (a, _), (b, _) in zip(one.reference(batch_size=5), other.reference(batch_size=5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.class_names == other.class_names
    assert one.num_classes == other.num_classes and one.item_shape == other.item_shape


def read(dataset, step):
    """(images, labels) of a step, without a pipeline of tf.data to trace."""
    augmentation = Augmentation(dataset.flip, dataset.random_area)
    shape = 2, dataset.batch_size
    return Batches(dataset._store, dataset._indices, dataset._labels, shape, 5, augmentation).read(step)


def packed(source, output, form=None, splits=None, **options):
    """Packs a source as `launch/pack.py` does; returns `packed:OUTPUT`."""
    from tfgans.data.packing import Options
    from tfgans.data.recoding import Form
    from tfgans.run import packs

    packs.pack(packs.Origin(str(source), splits), output, Form(**form or {}), Options(**options))
    return f"packed:{output}"


def everything(folder):
    """{name: bytes} of all files in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
