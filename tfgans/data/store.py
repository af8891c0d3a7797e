"""The usable items of one split, at the size they are trained at: in memory if they fit, else on disk."""

import dataclasses
import logging
import threading

import numpy as np

from tfgans.config import ConfigError, sides
from tfgans.data import passes
from tfgans.data.decode import BadImage, Unreachable, cover, decode, fit, from_array, least_side, to_array
from tfgans.data.hashes import ENDS, WHOLE
from tfgans.data.items import shown, unusable

logger = logging.getLogger(__name__)

CHECKED_ONCE = (
    20_000  # of so many images that are not kept in memory each is decoded once, before the first step
)


class PointStore:
    """Points float32 [n, 2]."""

    def __init__(self, items, indices):
        self.points = items.points if indices is None else items.points[indices]
        self.kept = np.arange(len(self.points))
        self.item_shape, self.skipped, self.in_memory, self.kind = (2,), 0, True, WHOLE

    def __len__(self):
        return len(self.points)

    def read(self, indices, among=None):
        """As `ImageStore.read`: float32 [len(indices), 2], and `indices`."""
        return self.points[indices], indices

    reference = read

    def content(self, indices, kind=None):
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
    """Images uint8 at the target size; `Dataset` says which of them are decoded when this is built.

    Args:
        items: of a source, see `sources`. indices: which of them, or None for all.
        title: what messages call the source.
        form: a `Form`, how they are kept.
        on_bad_image: `fail` or `skip`.
        opened: gives the items once more, to be asked for what was not needed before they were let go.
    Attributes: kept, places of the usable images among `indices`; skipped, how many are not usable; kind, of the
        digests that the images are known by, see `hashes`.
    Raises: ConfigError naming up to 10 images that cannot be used, or if sizes differ without `resolution`.
    """

    def __init__(self, items, indices, title, form, on_bad_image, opened=None):
        wanted = None if form.resolution is None else sides(form.resolution)
        self.drawn_at = wanted and max(wanted)
        self.items, self.title, self.crop = items.at(self.drawn_at), title, form.crop
        self.skips, self._opened, self.background = on_bad_image == "skip", opened, form.background
        self.sources = np.arange(len(items)) if indices is None else np.asarray(indices)
        shortest = least_side(wanted or (1, 1), form.min_size)
        sizes, gray, bad = passes.headers(self.items, self.sources, title, shortest)
        fine = np.delete(np.arange(len(sizes)), list(bad))
        usable = _counted(sizes[fine])
        self.size = self._size(wanted, usable)
        self.channels = form.channels or (1 if len(fine) and gray[fine].all() else 3)
        self.item_shape = (*self.size, self.channels)
        self.uncut = form.uncut and any(size != self.size for size, _ in usable)
        self.ragged = self.uncut or form.crop == "random"
        self.in_memory = self._bytes(usable) <= form.memory_limit_gb * 1e9
        self.decided = self.in_memory or self.items.checked or len(self.sources) <= CHECKED_ONCE
        self.kind = WHOLE if self.decided else ENDS
        self.kept, self.images, self._digests, self._names = fine, None, None, None
        self._unusable, self._lock = set(), threading.Lock()  # what training has found
        if self.in_memory or not self.items.checked and self.decided:
            self._take_all(fine, bad)
        self._report(bad)
        if self.in_memory:
            self._let_go()
        else:
            self.pool = passes.threads()

    def __len__(self):
        return len(self.kept)

    def read(self, indices, among=None):
        """The stored images at `indices`, and those that they are of.

        Args:
            among: sorted, the items of which the next one takes the place of one that turns out to be unusable; None
                for all.
        Returns: (uint8 [n, H, W, C], or a list if they are not cut yet; int [n], `indices` but for such places).
        """
        if self.images is None:
            return self._read_now(indices, among)
        if isinstance(self.images, np.ndarray):
            return self.images[indices], indices
        found = [self.images[i] for i in indices]
        return (found if self.ragged else np.stack(found)), indices

    def reference(self, indices, among=None):
        """As `read`, but uint8 [n, H, W, C] without any randomness: the middle of images that are not cut yet."""
        height, width = self.size
        middles, (images, indices) = [], self.read(indices, among)
        for image in images:
            if self.uncut:
                image = to_array(fit(from_array(image), self.size, self.crop))
            top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
            middles.append(image[top : top + height, left : left + width])
        return np.stack(middles), indices

    def names(self, indices):
        """The names of the images at `indices`."""
        if self._names is not None:
            return [self._names[i] for i in indices]
        return [self.items.name(i) for i in self.sources[self.kept[indices]]]

    def digests(self, indices, kind=None):
        """uint8 [n, 32]: digests of the images at `indices`, of `kind` (None: the store's own)."""
        kind = kind or self.kind
        if kind == WHOLE and self._digests is not None:
            return self._digests[indices]
        items = self.items
        if items is None:
            items = self._opened().at(self.drawn_at)
        return passes.digests(items, self.sources[self.kept[indices]], kind, self.title)

    def content(self, indices, kind=None):
        """The bytes that stand for what the images at `indices` are made from: their digests."""
        return self.digests(indices, kind).tobytes()

    def _read_now(self, indices, among):
        among = np.arange(len(self)) if among is None else among
        # A part for each thread: of small images, handing them over one by one takes as long as decoding them.
        parts = np.array_split(indices, passes.THREADS)
        found = self.pool.map(lambda part: [self._load_or_next(int(k), among) for k in part], parts)
        found = [pair for part in found for pair in part]
        images = [image for image, _ in found]
        return (images if self.ragged else np.stack(images)), np.array([k for _, k in found])

    def _load(self, i):
        pixels = self.items.pixels(i, self.channels)
        if pixels is None:
            pixels = to_array(decode(self.items.read(i), self.channels, self.background))
        size = pixels.shape[:2]
        self.items.note_decoded(i, size)
        self._check_size(size)
        if self.uncut or size == self.size:
            return pixels
        return to_array(fit(from_array(pixels), self.size, self.crop))

    def _check_size(self, size):
        if self.fixed and size != self.size:
            raise BadImage(f"of another size, {size[1]}x{size[0]}")

    def _load_or_error(self, i):
        """(pixels, digest), taken together while the system still holds the file; or the reason why not."""
        try:
            return self._load(i), self._digest(i)
        except BadImage as error:
            return error

    def _check_or_error(self, i):
        """(None, digest) of an image that decodes, which is tried if it is not known; or the reason why not."""
        try:
            size = self.items.decoded(i)
            if size is None:
                self._load(i)
            else:
                self._check_size(size)
            return None, self._digest(i)
        except BadImage as error:
            return error

    def _digest(self, i):
        return b"" if self._told else self.items.digest(i)

    def _size(self, wanted, usable):
        self.fixed = wanted is None
        if wanted is not None:
            return wanted
        sizes = sorted({size for size, _ in usable})
        if len(sizes) > 1:
            (a, b), (c, d) = sizes[0], sizes[-1]
            raise ConfigError(
                f"Dataset.resolution is required (--resolution): images of {self.title} have {len(sizes)} sizes, "
                f"from {b}x{a} to {d}x{c}"
            )
        return sizes[0] if sizes else (1, 1)

    def _bytes(self, usable):
        shapes = [(size if self.uncut else self.size, count) for size, count in usable]
        if self.crop == "random" and not self.uncut:
            shapes = [(cover(size, self.size), count) for size, count in usable]
        return self.channels * sum(count * height * width for (height, width), count in shapes)

    def _take_all(self, todo, bad):
        """Decodes what is not bad yet, adds to `bad`, keeps the others' places and, if they fit, pixels."""
        images, kept, digests = [], [], []
        if self.in_memory and not self.ragged:
            images = np.empty((len(todo), *self.item_shape), np.uint8)
        take = self._load_or_error if self.in_memory else self._check_or_error
        known = self.items.digests(self.sources[todo])
        self._told = known is not None
        for number, found in passes.loaded(self.items, self.sources[todo], take, self.title):
            if isinstance(found, BadImage):
                bad[int(todo[number])] = found
                continue
            pixels, digest = found
            if isinstance(images, np.ndarray):
                images[len(kept)] = pixels
            elif self.in_memory:
                images.append(pixels)
            kept.append(number)
            digests.append(digest)
        self.kept, taken = todo[kept], np.frombuffer(b"".join(digests), np.uint8)
        self._digests = known[kept] if self._told else taken.reshape(-1, 32)
        if self.in_memory:
            self.images = images[: len(kept)]

    def _report(self, bad):
        self.skipped = len(bad)
        if bad:
            name = lambda k: self.items.name(self.sources[k])  # noqa: E731
            line = unusable(self.title, bad, len(self.sources), name)
            if not self.skips:
                raise ConfigError(f"{line}; Dataset.on_bad_image = 'skip' leaves them out")
            if not len(self.kept):
                raise ConfigError(line)
            logger.warning("%s; skipped", line)

    def _let_go(self):
        """Encoded or original images of which all pixels are in memory are not needed any more."""
        self._names = [self.items.name(i) for i in self.sources[self.kept]]
        self.items = None

    def _load_or_next(self, k, among):
        """(pixels, k) of the image k, or of the next one among some that can be used."""
        start = int(np.searchsorted(among, k))
        for place in range(start, start + len(among)):
            k = int(among[place % len(among)])
            if k in self._unusable:
                continue
            try:
                return self._load(self.sources[self.kept[k]]), k
            except BadImage as error:
                self._leave_out(k, error)
        raise ConfigError(f"{self.title}: none of {len(among)} images can be used")

    def _leave_out(self, k, error):
        """Notes that the image k turned out to be unusable. Raises ConfigError where that ends the run."""
        i = self.sources[self.kept[k]]
        if self.decided or isinstance(error, Unreachable):
            raise passes.gone(self.items, i, error, self.title) from error
        line = f"{self.title}: {shown(self.items.name(i))} cannot be used ({error})"
        if not self.skips:
            raise ConfigError(
                f"{line}; Dataset.on_bad_image = 'skip' takes the next image in its place"
            ) from error
        with self._lock:
            if k not in self._unusable:
                self._unusable.add(k)
                self.skipped += 1
                logger.warning("%s; the next one takes its place", line)


def _counted(sizes):
    """[((height, width), how many)] of the different sizes, int32 [n, 2]."""
    codes, counts = np.unique(sizes.astype(np.int64) @ [2**32, 1], return_counts=True)
    return [(divmod(code, 2**32), count) for code, count in zip(codes.tolist(), counts.tolist(), strict=True)]
