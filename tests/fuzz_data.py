"""Of what `fuzz.py` damages: images and sets of them, labels, and what is kept about files."""

import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from fuzz_kinds import Reader, within
from PIL import Image

from tfgans.data import Dataset, hashes
from tfgans.data.decode import decode, header, open_image
from tfgans.data.headers import FileHeaders
from tfgans.data.stylegan_labels import read_labels
from tfgans.data.subset import read_classes

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)


def _npz(save):
    return lambda path: save(path, images=IMAGES, labels=np.arange(4) % 2)


def _read_npz(path):
    Dataset(f"npz:{path}", batch_size=2, on_bad_image="skip").fingerprint()


def _labels(path):
    path.write_text(json.dumps({"labels": [["a/0.png", 0], ["a/1.png", 1]]}))


def _hashes(folder):
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    (folder / "a.txt").write_text("a")
    os.utime(folder / "a.txt", (1e9, 1e9))
    kept = hashes.FileHashes(folder)
    kept._new["a.txt"] = hashes._state(folder / "a.txt"), b"\0" * 32
    kept.remember(["a.txt"])
    return kept._path()


def _read_hashes(path):
    """A kept hash, which is not that of the file here, or the file's own."""
    folder = path.parents[3]
    found = hashes.FileHashes(folder).digest("a.txt")
    assert found in (b"\0" * 32, hashlib.sha256(b"a").digest())


def _headers(folder):
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    _image("PNG")(folder / "a.png")
    os.utime(folder / "a.png", (1e9, 1e9))
    kept = FileHeaders(folder, ["a.png"])
    kept.of([0])
    kept._keep[:] = True
    kept.remember()
    return hashes.cache_file("headers", kept.root)


def _read_headers(path):
    """What is kept of a file, or its own header."""
    sizes, gray, bad = FileHeaders(path.parents[3], ["a.png"]).of([0])
    assert (sizes.shape, sizes.dtype, gray.dtype, bad) == ((1, 2), np.int32, bool, {})


def _image(kind, **options):
    def write(path):
        noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (12, 12, 3), np.uint8))
        file = io.BytesIO()
        noise.save(file, kind, **options)
        path.write_bytes(file.getvalue())

    return write


def _read_image(path):
    image = open_image(path)
    header(image)
    decode(image, 3)


class FuzzSquares(tfds.core.GeneratorBasedBuilder):
    """Eight images of two classes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(8, 8, 3)),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(8):
            yield i, {"image": np.full((8, 8, 3), 10 * i, np.uint8), "label": i % 2}


def _prepared(kind, pattern):
    """`make` of a prepared data set's one file of a pattern."""

    def make(folder):
        FuzzSquares(data_dir=str(folder), file_format=kind).download_and_prepare()
        (path,) = Path(folder).rglob(pattern)
        return path

    return make


def _read_prepared(path):
    folder = str(path.parents[2])
    dataset = Dataset("tfds:fuzz_squares", data_dir=folder, batch_size=2, resolution=8, on_bad_image="skip")
    list(dataset.reference("train"))


READERS = [
    Reader("npz", within("set.npz", _npz(np.savez)), _read_npz, 3),
    Reader("npz compressed", within("set.npz", _npz(np.savez_compressed)), _read_npz, 3),
    Reader("classes", within("list.txt", lambda p: p.write_text("# two\n1\nn02085620\n")), read_classes),
    Reader("dataset.json", within("dataset.json", _labels), lambda p: read_labels(p, ["a/0.png", "a/1.png"])),
    Reader("hashes", _hashes, _read_hashes),
    Reader("headers", _headers, _read_headers),
    Reader("png", within("a.png", _image("PNG")), _read_image, named=False),
    Reader("jpeg", within("a.jpg", _image("JPEG")), _read_image, named=False),
    Reader("webp", within("a.webp", _image("WEBP")), _read_image, named=False),
    Reader("gif", within("a.gif", _image("GIF")), _read_image, 0.5, named=False),
    Reader("bmp", within("a.bmp", _image("BMP")), _read_image, 0.5, named=False),
    Reader("tfrecord", _prepared("tfrecord", "*.tfrecord*"), _read_prepared, 0.1, named=False),
    Reader("array record", _prepared("array_record", "*.array_record*"), _read_prepared, 0.1, named=False),
    Reader("tfds info", _prepared("array_record", "dataset_info.json"), _read_prepared, 0.1, named=False),
]
