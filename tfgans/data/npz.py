"""A NumPy archive with the arrays `images` and, if there are classes, `labels`."""

from pathlib import Path

import numpy as np

from tfgans import readers
from tfgans.config import ConfigError
from tfgans.data.items import ArrayItems
from tfgans.data.labels import as_int32
from tfgans.files import expanded


class Npz:
    """`images`: uint8 [n, h, w] or [n, h, w, c] with c 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha).
    `labels` (optional): integers [n] or [n, 1], from 0. `class_names` (optional): texts, one a class, in the order of
    the labels. There is only one split, `train`."""

    splits = ("train",)
    default_resolution = None

    def __init__(self, path):
        self.path = Path(expanded(path))

    def open(self, split):
        arrays = self._read()
        if "images" not in arrays:
            raise ConfigError(
                f"npz file {self.path} has no array 'images'. Found: {', '.join(arrays) or 'none'}"
            )
        images = arrays["images"]
        gray = images.ndim == 3
        if images.dtype != np.uint8 or not (gray or images.ndim == 4 and images.shape[3] in (1, 2, 3, 4)):
            raise ConfigError(
                f"npz file {self.path}: images must be uint8 [n, h, w] or [n, h, w, c] with c from 1 to 4. "
                f"Received: {images.dtype} {list(images.shape)}"
            )
        if images.size == 0:
            raise ConfigError(f"npz file {self.path} has no images: its images are {list(images.shape)}")
        labels = self._labels(arrays, len(images))
        names = None if labels is None else self._class_names(arrays)
        return ArrayItems(images[..., None] if gray else images, labels, names)

    def _read(self):
        if not self.path.exists():
            raise ConfigError(f"npz file {self.path} does not exist")
        return readers.read_npz(self.path, "an npz data set", ("images", "labels", "class_names"))

    def _labels(self, arrays, count):
        labels = arrays.get("labels")
        if labels is None:
            return None
        if labels.dtype.kind not in "iu" or labels.shape not in ((count,), (count, 1)):
            raise ConfigError(
                f"npz file {self.path}: labels must be integers [{count}]. "
                f"Received: {labels.dtype} {list(labels.shape)}"
            )
        return as_int32(labels.reshape(count), f"npz:{self.path}").astype(np.int64)

    def _class_names(self, arrays):
        names = arrays.get("class_names")
        if names is None:
            return None
        found = names.tolist() if names.ndim == 1 and names.dtype.kind == "U" else []
        if not found or len(set(found)) < len(found):
            raise ConfigError(
                f"npz file {self.path}: class_names must be different texts, one a class. "
                f"Received: {names.dtype} {list(names.shape)}"
            )
        return found
