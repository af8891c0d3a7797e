"""Images of a source: what every kind of them has, and those that are in memory already."""

import hashlib
import io

import numpy as np

from tfgans.data.decode import BadImage, from_array, header
from tfgans.data.hashes import ends_of

_NAMED = 10  # offenders a message names


def shown(name):
    """An image's name as messages have it: what cannot be printed is written by its number."""
    return name if name.isprintable() else ascii(name)


def unusable(title, bad, total, name):
    """What is said of images that cannot be used, the first ten of them by name.

    Args:
        title: of their source. bad: {number: reason}. total: how many there are.
        name: of an image by its number.
    """
    named = [f"{shown(name(k))} ({bad[k]})" for k in sorted(bad)[:_NAMED]]
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return f"{title}: {len(bad)} of {total} images cannot be used: {', '.join(named)}{more}"


class Items:
    """The base of a source's images: `content(i)` gives the bytes that decide image i."""

    labels = class_names = None
    checked = False  # whether every image is known to decode

    def at(self, resolution):
        """These images, for use at a resolution (or None): what is drawn comes in squares of it."""
        return self

    def header(self, i):
        """((height, width), whether gray) of image i. Raises BadImage."""
        with self.read(i) as image:
            return header(image)

    def digest(self, i):
        """SHA-256 of what decides image i, bytes [32]."""
        return hashlib.sha256(self.content(i)).digest()

    def encoded(self, i):
        """The bytes of the file that image i is; None of images that are not held as files. Raises BadImage."""

    def pixels(self, i, channels):
        """uint8 [H, W, channels], what `decode` makes of image i, where they are had without Pillow; else None."""

    def facts(self):
        """What `header` gives of all images, where it is known without opening one, else None.

        Returns: (int32 [n, 2] height and width after EXIF rotation, bool [n] whether gray).
        """

    def digests(self, indices):
        """uint8 [k, 32]: what `digest` gives of the images at `indices`, known without reading them; else None."""

    def headers(self, indices):
        """What `header` gives of some images: (int32 [k, 2], bool [k], {place: BadImage} of those it raises for)."""
        sizes, gray, bad = np.zeros((len(indices), 2), np.int32), np.zeros(len(indices), bool), {}
        for place, i in enumerate(indices):
            try:
                sizes[place], gray[place] = self.header(i)
            except BadImage as error:
                bad[place] = error
        return sizes, gray, bad

    def ends(self, indices):
        """uint8 [k, 32]: light digests of some images, `hashes.ends_of` what decides each. Raises BadImage."""
        found = b"".join(ends_of(io.BytesIO(self.content(i))) for i in indices)
        return np.frombuffer(found, np.uint8).reshape(-1, 32)

    def decoded(self, i):
        """The size (height, width) that image i is known to decode to, since it has once; else None."""

    def note_decoded(self, i, size):
        """Called when image i has been decoded, to this size: a source that keeps such facts does so."""

    def remember(self):
        """Called when what is needed of all images is known: a source that keeps it for the next process does so."""


class ArrayItems(Items):
    """Images held as uint8 [n, H, W, C], C 1 to 4, or as a list of [H, W, C] of any sizes; labels integers [n] from
    0, or None; class_names or None."""

    def __init__(self, images, labels=None, class_names=None):
        self.images, self.labels, self.class_names = images, labels, class_names

    def __len__(self):
        return len(self.images)

    def name(self, i):
        return f"image {i}"

    def read(self, i):
        return from_array(self.images[i])

    def content(self, i):
        return repr(self.images[i].shape).encode() + self.images[i].tobytes()
