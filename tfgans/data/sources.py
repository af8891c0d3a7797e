"""Where images come from.

A source is an object with `splits`, the names of its splits, and `open(split)`, which returns the items of one in a
fixed order: `labels` (integers [n] or None), `class_names` (or None), `len()`; points also have `points`, images are
`Items` with `name(i)`, `read(i)` (an opened Pillow image; raises BadImage) and `content(i)` or `digest(i)` (the bytes
that decide it, or their hash); `ArrayItems` are images in memory. It may have `default_resolution`, that of images
where none is asked for; `takes_slices`, whether `splits` are names in a language of its own, such as `train[:50%]`;
with points, `modes` (float32 [M, 2]) and `mode_std`; `check_use(resolution, crop, random_area, background,
channels)`, which refuses what it cannot serve; and `found_by(data_dir, image_key, label_key, memory_limit_gb)`, if it
is made of another source: the same, which finds that one by these options of `Dataset`. What is trained on is known
by the contents of its items.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import philox
from tfgans.data.digits import digits_split
from tfgans.data.folder import Folder
from tfgans.data.glyphs import Glyphs
from tfgans.data.items import ArrayItems, Items
from tfgans.data.mixtures import Mixture
from tfgans.data.npz import Npz
from tfgans.data.packed import Packed
from tfgans.data.tfds import Tfds
from tfgans.data.zips import Zip
from tfgans.files import expanded


def find_source(source, data_dir=None, image_key=None, label_key=None, memory_limit_gb=4.0):
    """The source that `Dataset.source` names; one that is no text is a source itself.

    Raises: ConfigError if there is no such source, or it is none.
    """
    if not isinstance(source, str | None):
        if hasattr(source, "splits") and callable(getattr(source, "open", None)):
            where = dict(
                data_dir=data_dir, image_key=image_key, label_key=label_key, memory_limit_gb=memory_limit_gb
            )
            return source.found_by(**where) if hasattr(source, "found_by") else source
        raise ConfigError(f"Dataset.source has `splits` and `open(split)`. Received: {source!r}")
    kind, _, rest = str(source).partition(":")
    named = _NAMED.get(f"{kind}:*" if rest else source)
    if named is None:
        raise ConfigError(f"Dataset.source is unknown. Received: {source!r}. Allowed: {_ALLOWED}")
    data_dir = None if data_dir is None else expanded(data_dir)
    return named(rest, data_dir, image_key, label_key, memory_limit_gb)


def check_split(origin, split, name):
    """Raises ConfigError if a source, which messages call `name`, does not have a split."""
    first = str(split).split("[")[0].split("+")[0]  # tfds slices and sums: train[:50%], train+test
    slices = getattr(origin, "takes_slices", False) and first in origin.splits
    if split not in origin.splits and not slices:
        raise ConfigError(f"{name} has no split {split!r}. Allowed: {', '.join(origin.splits)}")


def title(source):
    """What messages call a source: its name as it is written, or that of its class."""
    return source if isinstance(source, str | None) else type(source).__name__


def short_name(text):
    """A source's name without its kind and folders."""
    kind, _, rest = str(text).partition(":")
    name, stem = Path(rest).name, Path(rest).stem
    return {"folder": name, "packed": name, "npz": stem, "zip": stem, "tfds": rest}.get(kind, kind)


class Digits:
    """scikit-learn's 1,797 handwritten digits, 8x8 gray, 10 classes (Alpaydin and Kaynak, 1998).

    The split is `digits_split`'s, 1,438 to train on and 359 to test, as for the digits classifier
    that evaluation uses, so that its held-out digits are the generator's too.
    """

    splits = ("train", "test")
    default_resolution = None

    def open(self, split):
        train_images, train_labels, test_images, test_labels = digits_split()
        images, labels = (test_images, test_labels) if split == "test" else (train_images, train_labels)
        return ArrayItems(images[..., None], labels, list("0123456789"))


class Photos:
    """Square crops of scikit-learn's two photographs, china (class 0) and flower (1), RGB, 427x640.

    4,000 training crops come from the left 384 columns, 1,000 test crops from the right 256: the
    splits share no pixel. Sides are 128 .. 256 pixels, positions anywhere; both are drawn once for
    all, whatever the resolution (beyond 256 crops are enlarged). Crops alternate between the photos.
    """

    splits = ("train", "test")
    default_resolution = 64

    def open(self, split):
        from sklearn.datasets import load_sample_image

        photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
        return PhotoItems(photos, *((1000, 384, 640) if split == "test" else (4000, 0, 384)))


class PhotoItems(Items):
    """`count` crops of `photos` between the columns `first` and `last`."""

    class_names = ["china", "flower"]

    def __init__(self, photos, count, first, last):
        self.photos = photos
        self.labels = (np.arange(count) % 2).astype(np.int32)
        draws = philox.uniform((count, 3), first, philox.PHOTO_CROPS)
        sides = (128 + 129 * draws[:, 0]).astype(int)
        tops = (draws[:, 1] * (photos[0].shape[0] - sides + 1)).astype(int)
        lefts = first + (draws[:, 2] * (last - first - sides + 1)).astype(int)
        self.boxes = np.stack([lefts, tops, lefts + sides, tops + sides], axis=1)

    def __len__(self):
        return len(self.boxes)

    def name(self, i):
        return f"crop {i}"

    def read(self, i):
        left, top, right, bottom = self.boxes[i]
        return Image.fromarray(np.ascontiguousarray(self.photos[i % 2][top:bottom, left:right]))

    def content(self, i):
        return f"{self.class_names[i % 2]} {self.boxes[i].tolist()}".encode()


# Short names of what is shipped; a source of one's own is handed over as an object.
_NAMED = {
    "digits": lambda *_: Digits(),
    "photos": lambda *_: Photos(),
    "glyphs": lambda *_: Glyphs(),
    "ring": lambda *_: Mixture("ring"),
    "grid": lambda *_: Mixture("grid"),
    "folder:*": lambda path, *_: Folder(path),
    "packed:*": lambda path, *_: Packed(path),
    "zip:*": lambda path, *_: Zip(path),
    "npz:*": lambda path, *_: Npz(path),
    "tfds:*": Tfds,
}
_ALLOWED = (
    "digits, photos, glyphs, ring, grid, tfds:<name>, folder:<path>, packed:<path>, zip:<path>, npz:<path>"
)
