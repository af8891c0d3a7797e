"""From an image of a source to what a data set of another form keeps of it."""

import dataclasses
import hashlib
import io

import numpy as np

from tfgans.config import sides
from tfgans.data.decode import (
    BadImage,
    colour,
    cover,
    decode,
    fit,
    from_array,
    header,
    least_side,
    open_image,
    to_array,
)
from tfgans.data.hashes import ends_of
from tfgans.data.manifest import FILES, PNG, RAW
from tfgans.data.plain import is_plain

_SMALL = 64 * 64  # pixels of images that are kept as they are in memory: a PNG of them takes longer to decode
_MODES = ("L", "LA", "RGB", "RGBA")


@dataclasses.dataclass(frozen=True)
class Form:
    """What becomes of the images.

    Args:
        resolution: side or (height, width); None leaves every image as it is.
        crop: `center`, `random` or `none`, as `Dataset.crop`.
        channels: 1 to 4; None for gray images 1, for others 3.
        background: the colour that alpha is put on.
    """

    resolution: int | tuple | None = None
    crop: str = "center"
    channels: int | None = None
    background: str = "white"

    @property
    def size(self):
        """(height, width), or None."""
        return None if self.resolution is None else sides(self.resolution)

    @property
    def shortest(self):
        """The shorter side of the smallest image that is used, as `Dataset.min_size` has it."""
        return 1 if self.size is None else least_side(self.size)


@dataclasses.dataclass(frozen=True)
class Row:
    """A record; what the index says of it: size (height, width), gray, plain (see `plain`), digest (SHA-256, bytes
    [32]); and the light digest of what it was made from."""

    record: bytes
    size: tuple
    gray: bool
    plain: bool
    digest: bytes
    origin: bytes


class Recoder:
    """Makes records; every image is decoded to see that it can be.

    Args:
        items: of a source. form: a `Form`. sizes: [(height, width)] of the images, where they are known.
        gray: whether all of them are gray.
    Attributes: kind: what the records are, `FILES`, `PNG` or `RAW`.
    """

    def __init__(self, items, form, sizes, gray):
        self.items, self.form, self._gray = items, form, gray
        self._background = colour(form.background, "--background")
        if form.size is None and encoded(items, range(len(items))) is not None:
            self.kind = FILES
            return
        if form.size is not None:
            sizes = [cover(size, form.size) for size in sizes] if form.crop == "random" else [form.size]
        largest = max((height * width for height, width in sizes), default=0)
        self.kind = RAW if largest <= _SMALL else PNG

    def __call__(self, i):
        """The `Row` of image i. Raises BadImage."""
        data = self.items.encoded(i)
        image, size, gray = self._opened(i, data)
        origin = self.items.ends([i])[0].tobytes() if data is None else ends_of(io.BytesIO(data))
        if self.kind == FILES:
            pixels = to_array(decode(image, 1 if gray else 3))
            return Row(data, size, gray, is_plain(data, pixels), hashlib.sha256(data).digest(), origin)
        image = self._fitted(image, gray)
        pixels = to_array(image)
        record = pixels.tobytes() if self.kind == RAW else png(image)
        plain = pixels.shape[2] in (1, 3) if self.kind == RAW else is_plain(record, pixels)
        digest = hashlib.sha256(record).digest()
        return Row(record, pixels.shape[:2], pixels.shape[2] < 3, plain, digest, origin)

    def image(self, i):
        """Image i as it is kept, a Pillow image. Raises BadImage."""
        image, _, gray = self._opened(i, self.items.encoded(i))
        return self._fitted(image, gray)

    def _opened(self, i, data):
        image = self.items.read(i) if data is None else open_image(io.BytesIO(data))
        size, gray = header(image)
        if min(size) < self.form.shortest:
            raise BadImage(f"too small, {size[1]}x{size[0]}")
        return image, size, gray

    def _fitted(self, image, gray):
        """At its size; without one, as it is, in a mode of pixels of 8 bits."""
        if self.form.size is not None:
            if gray and not self._gray and image.has_transparency_data and len(set(self._background)) > 1:
                gray = False  # it gets colours from behind
            image = decode(image, self.form.channels or (1 if gray else 3), self._background)
            return fit(image, self.form.size, self.form.crop)
        if image.mode in _MODES and not image.info:
            return image
        return decode(image, (1 if gray else 3) + image.has_transparency_data)


def encoded(items, indices):
    """The bytes of the first image that can be read; None if the images are not held as files."""
    for i in indices:
        try:
            return items.encoded(i)
        except BadImage:
            continue
    return None


def png(image, level=1):
    """A Pillow image as a PNG. Args: level: of compression."""
    file = io.BytesIO()
    from_array(np.asarray(to_array(image))).save(file, "PNG", compress_level=level)
    return file.getvalue()
