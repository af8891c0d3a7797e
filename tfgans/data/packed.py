"""A packed data set, as `launch/pack.py` writes it: shards of records, an index a split, and a manifest.

Opening it reads no image: sizes, colours, labels and hashes are in the index; of the shards, size and number of
records are compared with the manifest. An image is then one read, whose bytes are compared with the hash in the
index.
"""

import hashlib
import io
import logging
import os

import numpy as np

from tfgans.config import ConfigError, sides, size_words
from tfgans.data import manifest
from tfgans.data.decode import BadImage, colour, from_array, open_image
from tfgans.data.items import Items
from tfgans.data.plain import pixels
from tfgans.data.recoding import Form
from tfgans.data.shards import Records
from tfgans.files import expanded

logger = logging.getLogger(__name__)


class Packed:
    """The packed data set in a folder.

    Its batches are to the bit those of the source it was packed from, used at the resolution and crop that it was
    packed for. A set that was packed without a resolution holds the images as they were and may be used at any. One
    that was packed at a resolution is used at that where none is asked for; at a smaller one its images are resized
    once more, which gives other bits than the originals would, as do fewer channels; a larger one, another crop,
    `random_area`, and colours or alpha that were not packed, which need the originals, are refused. Sums of splits,
    such as `train+test`, have the images of one after those of the other, as TensorFlow Datasets has them.
    """

    takes_slices = True  # of which sums alone

    def __init__(self, path):
        self.path = expanded(path)
        self.manifest = manifest.Manifest.read(self.path)
        self.splits = tuple(self.manifest.splits)
        packed = self.manifest.options["resolution"]
        self._size = None if packed is None else sides(packed)
        self.default_resolution = self._size or self.manifest.default_resolution

    @property
    def form(self):
        """How its images were made, a `recoding.Form`; None if they are as they were."""
        about = self.manifest.options
        return self._size and Form(self._size, about["crop"], about["channels"], about["background"])

    def open(self, split):
        """The images of a split, or of a sum of them. Raises: ConfigError if one of it is not there, or is twice."""
        names = split.split("+")
        if not set(names) <= set(self.splits) or len(set(names)) < len(names):
            raise ConfigError(
                f"{self.path} has no split {split!r}. Allowed: {', '.join(self.splits)}, or "
                "several of them joined by +"
            )
        return PackedItems(self.path, [self.manifest.splits[name] for name in names])

    def check_use(self, resolution, crop, random_area, background, channels):
        """Raises ConfigError for a use for which the images as they were would be needed."""
        if self._size is None:
            return
        packed, words = self.manifest.options, size_words(self._size)
        hint = "pack without --resolution keeps images as they were"
        wanted = sides(resolution)
        if max(wanted[0] / self._size[0], wanted[1] / self._size[1]) > 1:
            raise ConfigError(
                f"{self.path} is packed at {words}, too small for Dataset.resolution = {resolution}: {hint}"
            )
        if crop not in ("center", packed["crop"]):
            raise ConfigError(
                f"{self.path} is packed with crop {packed['crop']!r}. Received: Dataset.crop = {crop!r}; {hint}"
            )
        if random_area is not None:
            raise ConfigError(
                f"{self.path} is packed at {words}: Dataset.random_area cuts from larger images; {hint}"
            )
        self._check_colours(background, channels, hint)
        if wanted != self._size:
            logger.info("%s: images of %s are resized once more, to %s", self.path, words, resolution)

    def _check_colours(self, background, channels, hint):
        packed, kept = self.manifest.options["background"], self.manifest.options["channels"]
        alpha = kept in (2, 4)
        if not alpha and colour(background, "Dataset.background") != colour(packed, "its background"):
            raise ConfigError(
                f"{self.path} is packed on the background {packed!r}. Received: {background!r}; {hint}"
            )
        lost = "alpha" if channels in (2, 4) and not alpha else None
        lost = "colours" if channels in (3, 4) and kept in (1, 2) else lost
        if lost:
            raise ConfigError(
                f"{self.path} is packed with {kept or '1 or 3'} channels, without {lost}. "
                f"Received: Dataset.channels = {channels}; pack with --channels={channels}, or without --resolution"
            )
        if kept and (channels or {2: 1, 4: 3}.get(kept, kept)) != kept:
            logger.info("%s: channels of images are converted once more, after they were resized", self.path)


class PackedItems(Items):
    """The images of some splits, one after the other; they have labels if all splits do.

    Raises: ConfigError if splits with labels have other classes, or files are not as they were written.
    """

    checked = True

    def __init__(self, folder, splits):
        self.records = Records(folder, [shard for split in splits for shard in split.shards])
        self._is_raw = np.repeat(
            [split.records == manifest.RAW for split in splits], [s.images for s in splits]
        )
        self._index = manifest.read_indices(folder, splits)
        self.labels = self._index.get("labels")
        first, *others = (split.class_names for split in splits)
        different = [names for names in others if names != first]
        if different and self.labels is not None:
            raise ConfigError(
                f"{folder}: splits that are joined have the same classes. Received: {first} and {different[0]}"
            )
        self.class_names = None if different else first

    def __len__(self):
        return len(self.records)

    def name(self, i):
        ends = self._index["ends"]
        start = ends[i - 1] + 1 if i else 0
        return os.fsdecode(self._index["names"][start : ends[i]].tobytes())

    def facts(self):
        return self._index["sizes"], self._index["gray"]

    def header(self, i):
        height, width = self._index["sizes"][i].tolist()
        return (height, width), bool(self._index["gray"][i])

    def digest(self, i):
        return self._index["digests"][i].tobytes()

    def digests(self, indices):
        return self._index["digests"][indices]

    def content(self, i):
        record = self.records.read(i)
        if hashlib.sha256(record).digest() != self.digest(i):
            raise BadImage(f"{self.records.where(i)} holds another image than was packed")
        return record

    def encoded(self, i):
        return None if self._is_raw[i] else self.content(i)

    def read(self, i):
        record = self.content(i)
        return from_array(self._raw(i, record)) if self._is_raw[i] else open_image(io.BytesIO(record))

    def pixels(self, i, channels):
        if not self._index["plain"][i] or channels != (1 if self._index["gray"][i] else 3):
            return None
        record = self.content(i)
        return self._raw(i, record) if self._is_raw[i] else pixels(record)

    def _raw(self, i, record):
        height, width = self._index["sizes"][i].tolist()
        channels, rest = divmod(len(record), height * width)
        if rest or channels not in (1, 2, 3, 4):
            raise BadImage(f"{self.records.where(i)} has no raw pixels of {width}x{height}")
        return np.frombuffer(record, np.uint8).reshape(height, width, channels)
