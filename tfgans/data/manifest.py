"""The manifest of a packed data set, `manifest.json`, and the index of each of its splits, `SPLIT.index.npz`.

    {"packed": 1, "source": "folder:x", "options": {"resolution": null, ...}, "default_resolution": null,
     "splits": {"train": {"records": "files", "images": 9, "class_names": ["cat", "dog"],
                          "index": {"file", "bytes", "sha256"}, "shards": [{"file", "images", "bytes", "sha256"}],
                          "skipped": [["cat/3.png", "truncated"]]}}}

It is written last: a folder without it is no data set. The index has the arrays labels (int32 [n], if there are any),
sizes (int32 [n, 2], height and width after EXIF rotation), gray (bool [n]), digests (uint8 [n, 32]) and names (bytes
as of the file system, UTF-8, each ended by a zero).
"""

import dataclasses
import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np

from tfgans import files, readers
from tfgans.config import ConfigError, OneOf, Size
from tfgans.data.decode import colour
from tfgans.data.shards import Shard, hash_of

FILE, VERSION = "manifest.json", 1
FILES, PNG, RAW = (
    "files",
    "png",
    "raw",
)  # what a record is: an image's file, pixels as PNG, or uint8 [H, W, C]
_KINDS = {
    "resolution": Size | None,
    "default_resolution": Size | None,
    "crop": OneOf("center", "random", "none"),
    "channels": OneOf(1, 2, 3, 4) | None,
}


@dataclasses.dataclass(frozen=True)
class Split:
    """What the manifest says of one split; `index` is a `Shard`, of the index's file."""

    records: str
    images: int
    class_names: list | None
    index: Shard
    shards: list
    skipped: list


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says."""

    source: str
    options: dict
    default_resolution: int | None
    splits: dict

    def write(self, folder):
        """Writes it, whole or not at all."""
        about = {"packed": VERSION} | dataclasses.asdict(self)
        files.write_text(Path(folder) / FILE, json.dumps(about, indent=1) + "\n")

    @classmethod
    def read(cls, folder):
        """That of a folder. Raises: ConfigError if there is none, or it is damaged or of another version."""
        path = Path(folder) / FILE
        if not path.is_file():
            found = "it does not exist" if not Path(folder).exists() else f"it has no {FILE}"
            begun = ", its packing has not come to its end" if (Path(folder) / ".packing").exists() else ""
            raise ConfigError(f"{folder} is no packed data set: {found}{begun}")
        about = readers.read_json(path, "a manifest")
        with readers.reading(path, "a manifest"):
            if about["packed"] != VERSION:
                raise ValueError(f"it is of version {about['packed']}, and only {VERSION} is known")
            splits = {name: _split(each) for name, each in about["splits"].items()}
            if not splits:
                raise ValueError("it has no split")
            options = dict(about["options"])
            _check_options(options, about["default_resolution"])
            return cls(str(about["source"]), options, about["default_resolution"], splits)


def is_packed(folder):
    """Whether a folder has a manifest of a packed data set, be it damaged; other programs have manifests, too."""
    path = Path(folder) / FILE
    text = readers.text_or_none(path) if path.is_file() else ""
    return text is None or '"packed"' in text or (path.is_file() and any(Path(folder).glob("*.index.npz")))


def _check_options(options, default_resolution):
    """Raises KeyError or ValueError unless all that is relied on is there, and of its kind."""
    found = {name: options[name] for name in ("resolution", "crop", "channels", "background")}
    for name, value in (found | {"default_resolution": default_resolution}).items():
        if name in _KINDS and not _KINDS[name].allows(value):
            raise ValueError(f"its {name} is {_KINDS[name].words}. Received: {value!r}")
    colour(str(found["background"]), "its background")


def _split(about):
    shards = [Shard(**each) for each in about["shards"]]
    found = Split(**about | {"shards": shards, "index": Shard(**about["index"])})
    for shard in (*shards, found.index):
        kinds = isinstance(shard.file, str), isinstance(shard.images, int), isinstance(shard.bytes, int)
        if not all(kinds) or Path(shard.file).name != shard.file:
            raise ValueError(f"{shard.file} is no file of it")
    names = found.class_names
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ValueError(f"its class_names are no list of texts. Received: {names!r}")
    if found.images != sum(shard.images for shard in shards) or found.records not in (FILES, PNG, RAW):
        raise ValueError("its numbers of images differ")
    return found


def write_index(path, arrays, names):
    """Writes an index; arrays: those but the names. Returns: a `Shard`."""
    path = Path(path)
    arrays = arrays | {
        "names": np.frombuffer(b"".join(os.fsencode(name) + b"\0" for name in names), np.uint8)
    }
    with files.replacing(path) as file:
        np.savez(file, **arrays)
    return Shard(path.name, len(names), path.stat().st_size, hash_of(path))


def read_indices(folder, splits):
    """The arrays of the indices of some splits, one after the other. Raises: ConfigError as `read_index`."""
    found = [read_index(folder, split) for split in splits]
    if len(found) == 1:
        return found[0]
    names = [name for name in found[0] if all(name in arrays for arrays in found)]
    joined = {name: np.concatenate([arrays[name] for arrays in found]) for name in names}
    return joined | {"ends": np.flatnonzero(joined["names"] == 0)}


def read_index(folder, split):
    """The arrays of an index. Raises: ConfigError if it is not as it was written."""
    path = Path(folder) / split.index.file
    with readers.reading(path, "an index of images"):
        data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != split.index.sha256:
        raise ConfigError(f"{path} is not as it was when it was packed: pack again, or restore it")
    with readers.reading(path, "an index of images"):
        arrays = dict(np.load(io.BytesIO(data)))
        n = split.images
        arrays.setdefault("plain", np.zeros(n, bool))  # not known when the first packed sets were written
        expected = {"sizes": (n, 2), "gray": (n,), "plain": (n,), "digests": (n, 32)}
        if any(arrays[name].shape != shape for name, shape in expected.items()):
            raise ValueError("its arrays are of other numbers of images")
        if "labels" in arrays and arrays["labels"].shape != (n,):
            raise ValueError("its labels are of another number of images")
        arrays["ends"] = np.flatnonzero(arrays["names"] == 0)
        if len(arrays["ends"]) != n:
            raise ValueError("its names are of another number of images")
        return arrays
