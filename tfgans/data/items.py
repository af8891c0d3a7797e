"""Images of a source: what every kind of them has, and those that are in memory already."""

import hashlib

from tfgans.data.decode import from_array, header


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

    def facts(self):
        """What `header` gives of all images, where it is known without opening one, else None.

        Returns: (int32 [n, 2] height and width after EXIF rotation, bool [n] whether gray).
        """

    def digests(self, indices):
        """uint8 [k, 32]: what `digest` gives of the images at `indices`, known without reading them; else None."""

    def remember(self):
        """Called when the digests that are needed have been taken: a source that keeps them does so here."""


class ArrayItems(Items):
    """Images held as uint8 [n, H, W, C], C 1 to 4; labels integers [n] from 0, or None; class_names or None."""

    def __init__(self, images, labels=None, class_names=None):
        self.images, self.labels, self.class_names = images, labels, class_names

    def __len__(self):
        return len(self.images)

    def name(self, i):
        return f"image {i}"

    def read(self, i):
        return from_array(self.images[i])

    def content(self, i):
        return repr(self.images.shape[1:]).encode() + self.images[i].tobytes()
