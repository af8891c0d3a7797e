"""Of what `fuzz.py` damages: zips of images, and the files of packed data sets."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from fuzz_kinds import Reader, within
from image_sets import packed
from PIL import Image

from tfgans.data import Dataset
from tfgans.data.zips import Zip


def make_zip(path):
    """Four images, and their labels; every other member is deflated."""

    with zipfile.ZipFile(path, "w") as archive:
        for i in range(4):
            file = io.BytesIO()
            Image.new("RGB", (8, 8), (10 * i,) * 3).save(file, "PNG")
            archive.writestr(f"a/{i}.png", file.getvalue(), (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[i % 2])
        archive.writestr("dataset.json", json.dumps({"labels": [[f"a/{i}.png", i % 2] for i in range(4)]}))


def read_zip(path):
    """Every image and label that can be read."""
    items = Zip(path).open("train")
    assert items.labels is None or len(items.labels) == len(items)
    dataset = Dataset(f"zip:{path}", batch_size=2, resolution=8, on_bad_image="skip", use_labels=False)
    list(dataset.reference("train"))


def part_of_packed(pattern):
    """`make` of a packed data set's one file of a pattern."""

    def make(folder):
        images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
        np.savez(Path(folder) / "x.npz", images=images, labels=np.arange(6) % 2)
        packed(Path(folder) / "x.npz", Path(folder) / "packed")
        (path,) = (Path(folder) / "packed").glob(pattern)
        return path

    return make


def read_packed(path):
    """Every image that can be read."""
    dataset = Dataset(f"packed:{path.parent}", batch_size=2, on_bad_image="skip")
    list(dataset.reference("train"))


READERS = [
    Reader("zip", within("x.zip", make_zip), read_zip),
    Reader("manifest", part_of_packed("manifest.json"), read_packed, named=False),
    Reader("index", part_of_packed("*.npz"), read_packed),
    Reader("shard", part_of_packed("*.array_record"), read_packed),
]
