"""Zips that `pack --format=zip` writes, read by the rules of StyleGAN2-ADA's and StyleGAN3's `training/dataset`."""

import json
import os
import zipfile

import image_sets
import numpy as np
import pytest
from PIL import Image

from tfgans.data import Dataset, packing, recoding
from tfgans.run import packs


class TheirReader:
    """Members that Pillow knows, sorted by name; the first fixes the shape; a label for each, or none at all."""

    def __init__(self, path, conditional):
        Image.init()
        self.archive = zipfile.ZipFile(path)
        names = {name for name in self.archive.namelist() if not name.endswith("/")}
        self.names = sorted(n for n in names if os.path.splitext(n)[1].lower() in Image.EXTENSION)
        self.labels, self.classes = None, 0
        if conditional:
            labels = dict(json.loads(self.archive.read("dataset.json"))["labels"])
            self.labels = np.array([labels[name] for name in self.names])
            assert self.labels.ndim == 1 and self.labels.dtype == np.int64
            self.classes = self.labels.max() + 1
            np.zeros(self.classes)[self.labels]  # one-hot: each is within

    def images(self):
        """uint8 [n, C, H, W]"""
        shape, found = None, []
        for name in self.names:
            assert self.archive.getinfo(name).compress_type == zipfile.ZIP_STORED
            image = np.array(Image.open(self.archive.open(name)))
            image = image[:, :, np.newaxis] if image.ndim == 2 else image
            found.append(image.transpose(2, 0, 1))
            shape = shape or found[0].shape
            assert found[-1].shape == shape and image.dtype == np.uint8
        channels, height, width = shape
        assert channels in (1, 3) and height == width and width & (width - 1) == 0
        return np.stack(found)


@pytest.mark.parametrize("layout", image_sets.LAYOUTS)
@pytest.mark.parametrize("form", [{"resolution": 16}, {"resolution": 32, "channels": 1, "crop": "none"}])
def test_their_reader_takes_a_zip(tmp_path, layout, form):
    """Of images of mixed sizes and kinds, one of which is left out, so that numbers have a gap."""
    paths = image_sets.make(tmp_path / "images", layout)
    paths[5].write_bytes(b"no image")
    origin, options = packs.Origin(str(tmp_path / "images")), packing.Options(skip=True)
    packs.pack(origin, tmp_path / "x.zip", recoding.Form(**form), options, "zip")
    theirs = TheirReader(tmp_path / "x.zip", conditional=layout != "flat")
    ours = Dataset(f"folder:{tmp_path}/images", **form, on_bad_image="skip", batch_size=1)
    images, labels = next(ours.reference())
    np.testing.assert_array_equal(theirs.images(), images.transpose(0, 3, 1, 2))
    if layout == "flat":
        assert json.loads(theirs.archive.read("dataset.json")) == {"labels": None}
    else:
        np.testing.assert_array_equal(theirs.labels, labels)
        assert (
            theirs.classes == {"classes": 2, "json": 3}[layout]
        )  # the empty class at the end is no class there
    assert [int(name[9:17]) for name in theirs.names] != list(range(11)) and len(theirs.names) == 11
