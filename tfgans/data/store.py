"""The usable items of one split, at the size they are trained at: in memory if they fit, else on disk."""

import dataclasses
import logging
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfgans import progress
from tfgans.config import ConfigError, sides
from tfgans.data.decode import BadImage, cover, decode, fit, from_array, to_array

_CHUNK = 256  # images handed to the threads at once
_NAMED = 10  # offenders a message names


class PointStore:
    """Points float32 [n, 2]."""

    def __init__(self, items, indices):
        self.points = items.points if indices is None else items.points[indices]
        self.kept = np.arange(len(self.points))
        self.item_shape, self.skipped, self.in_memory, self.names = (2,), 0, True, None

    def __len__(self):
        return len(self.points)

    def read(self, indices):
        """float32 [len(indices), 2]."""
        return self.points[indices]

    reference = read

    def content(self, indices):
        """The bytes that decide the points at `indices`."""
        return self.points[indices].tobytes()


@dataclasses.dataclass(frozen=True)
class Form:
    """How images are kept.

    Args:
        resolution: side in pixels, or (height, width), or None for the images' own size, which must then be one.
        channels: 1 to 4, or None for 1 if every image is gray and else 3.
        crop: `center`, `random` or `none`, see `decode.fit`.
        min_size: an image with a shorter side is too small; None for a quarter of the resolution's shorter one.
        memory_limit_gb: above it (1e9 bytes) images are decoded whenever they are read.
        uncut: images keep their own size, unless that is the target size for all; `crop` then says how
            `reference` fits them.
        background: (red, green, blue) that alpha is composited on, unless it is kept.
    """

    resolution: int | tuple | None
    channels: int | None
    crop: str
    min_size: int | None
    memory_limit_gb: float
    uncut: bool = False
    background: tuple = (255, 255, 255)


class ImageStore:
    """Images uint8 at the target size; every one was decoded once when this was built.

    Args:
        items: of a source, with `read(i)`. indices: which of them, or None for all.
        title: what messages call the source.
        form: a `Form`, how they are kept.
        on_bad_image: `fail` or `skip`.
    Attributes: names and digests (uint8 [n, 32], SHA-256 of what each image is made from) of the usable images.
    Raises: ConfigError naming up to 10 images that cannot be used, or if sizes differ without `resolution`.
    """

    def __init__(self, items, indices, title, form, on_bad_image):
        wanted = None if form.resolution is None else sides(form.resolution)
        self.items, self.title, self.crop = items.at(wanted and max(wanted)), title, form.crop
        self.background = form.background
        self.pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
        self.sources = np.arange(len(items)) if indices is None else np.asarray(indices)
        headers = self._map(self._header, "checking")
        shortest = max(1, min(wanted or (1,)) // 4) if form.min_size is None else form.min_size
        bad = {k: found for k, found in enumerate(headers) if isinstance(found, BadImage)}
        for k, found in enumerate(headers):
            if k not in bad and min(found[0]) < shortest:
                bad[k] = BadImage(f"too small, {found[0][1]}x{found[0][0]}")
        usable = [found for k, found in enumerate(headers) if k not in bad]
        self.size = self._size(wanted, usable)
        self.channels = form.channels or (1 if usable and all(gray for _, gray in usable) else 3)
        self.item_shape = (*self.size, self.channels)
        self.uncut = form.uncut and any(size != self.size for size, _ in usable)
        self.ragged = self.uncut or form.crop == "random"
        self.in_memory = self._bytes(usable) <= form.memory_limit_gb * 1e9
        self.images = None
        self._decode_all(bad)
        self._report(bad, on_bad_image)

    def __len__(self):
        return len(self.kept)

    def read(self, indices):
        """The stored images at `indices`: uint8 [n, H, W, C], or a list if they are not cut yet."""
        if self.images is None:
            found = list(self.pool.map(self._load_or_fail, self.sources[self.kept[indices]]))
        elif isinstance(self.images, np.ndarray):
            return self.images[indices]
        else:
            found = [self.images[i] for i in indices]
        return found if self.ragged else np.stack(found)

    def reference(self, indices):
        """uint8 [n, H, W, C] without any randomness: the middle of images that are not cut yet."""
        height, width = self.size
        middles = []
        for image in self.read(indices):
            if self.uncut:
                image = to_array(fit(from_array(image), self.size, self.crop))
            top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
            middles.append(image[top : top + height, left : left + width])
        return np.stack(middles)

    def content(self, indices):
        """The bytes that stand for what the images at `indices` are made from: their digests."""
        return self.digests[indices].tobytes()

    def _header(self, i):
        try:
            return self.items.header(i)
        except BadImage as error:
            return error

    def _load(self, i):
        image = decode(self.items.read(i), self.channels, self.background)
        if self.fixed and (image.height, image.width) != self.size:
            raise BadImage(f"of another size, {image.width}x{image.height}")
        return to_array(image if self.uncut else fit(image, self.size, self.crop))

    def _load_or_error(self, i):
        """(pixels, digest), taken together while the system still holds the file; or the reason why not."""
        try:
            return self._load(i), self.items.digest(i)
        except BadImage as error:
            return error

    def _load_or_fail(self, i):
        try:
            return self._load(i)
        except BadImage as error:
            raise ConfigError(
                f"{self.title}: {self.items.name(i)} cannot be read any more ({error})"
            ) from error

    def _map(self, function, title):
        """[function(i) for i in sources] by threads, with a bar."""
        found = []
        with progress.Bar(f"{title} {self.title}", len(self.sources), "image") as bar:
            for start in range(0, len(self.sources), _CHUNK):
                for each in self.pool.map(function, self.sources[start : start + _CHUNK]):
                    found.append(each)
                    bar.update()
        return found

    def _size(self, wanted, usable):
        self.fixed = wanted is None
        if wanted is not None:
            return wanted
        sizes = sorted({size for size, _ in usable})
        if len(sizes) > 1:
            (a, b), (c, d) = sizes[0], sizes[-1]
            raise ConfigError(
                f"Dataset.resolution is required: images of {self.title} have {len(sizes)} sizes, "
                f"from {b}x{a} to {d}x{c}"
            )
        return sizes[0] if sizes else (1, 1)

    def _bytes(self, usable):
        shapes = [size if self.uncut else self.size for size, _ in usable]
        if self.crop == "random" and not self.uncut:
            shapes = [cover(size, self.size) for size, _ in usable]
        return self.channels * sum(height * width for height, width in shapes)

    def _decode_all(self, bad):
        """Decodes what is not bad yet, adds to `bad`, keeps the others' indices and, if they fit, pixels."""
        todo, images = [k for k in range(len(self.sources)) if k not in bad], []
        if self.in_memory and not self.ragged:
            images = np.empty((len(todo), *self.item_shape), np.uint8)
        kept, digests = [], []
        with progress.Bar(f"reading {self.title}", len(todo), "image") as bar:
            for start in range(0, len(todo), _CHUNK):
                chunk = todo[start : start + _CHUNK]
                for k, found in zip(
                    chunk, self.pool.map(self._load_or_error, self.sources[chunk]), strict=True
                ):
                    bar.update()
                    if isinstance(found, BadImage):
                        bad[k] = found
                        continue
                    pixels, digest = found
                    if isinstance(images, np.ndarray):
                        images[len(kept)] = pixels
                    elif self.in_memory:
                        images.append(pixels)
                    kept.append(k)
                    digests.append(digest)
        self.kept = np.array(kept, np.int64)
        self.digests = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
        self.names = [self.items.name(i) for i in self.sources[self.kept]]
        self.items.remember()
        if self.in_memory:
            self.images = images[: len(kept)]

    def _report(self, bad, on_bad_image):
        self.skipped = len(bad)
        if bad:
            reasons = [
                f"{_printable(self.items.name(self.sources[k]))} ({bad[k]})" for k in sorted(bad)[:_NAMED]
            ]
            more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
            count = f"{len(bad)} of {len(self.sources)} images cannot be used"
            line = f"{self.title}: {count}: {', '.join(reasons)}{more}"
            if on_bad_image == "fail":
                raise ConfigError(f"{line}; Dataset.on_bad_image = 'skip' leaves them out")
            if not len(self.kept):
                raise ConfigError(line)
            logging.getLogger(__name__).warning("%s; skipped", line)
        if self.in_memory:
            self.items = None  # encoded or original images are not needed any more
            self.pool.shutdown()


def _printable(name):
    return name if name.isprintable() else ascii(name)
