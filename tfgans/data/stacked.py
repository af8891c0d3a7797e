"""StackedMNIST: three gray images as one in colour, on which modes can be counted."""

import copy
import functools

import numpy as np
from PIL import Image

from tfgans.config import ConfigError, Count, configurable
from tfgans.data import philox
from tfgans.data.decode import BadImage, decode
from tfgans.data.items import Items
from tfgans.data.sources import check_split, find_source


@configurable
class Stacked:
    """Images whose red, green and blue are three gray ones of another source (Metz et al., 2017).

    Which three is drawn once for all. Of k classes there, image (a, b, c) is of class (a k + b) k + c: with MNIST's
    digits there are 1,000 modes.

    Args:
        source: what has the gray images, all of one size, with labels, as `Dataset.source` names it; what
            `Dataset.data_dir`, `image_key`, `label_key` and `memory_limit_gb` say is said of it.
        count: images of each split.
    Raises: ConfigError, when it is opened, if that source has no labels.
    """

    splits = ("train", "test")
    default_resolution = None

    def __init__(self, source: str = "tfds:mnist", count: Count = 128_000):
        self.stacked_source, self.count, self._find = source, count, find_source

    def found_by(self, **where):
        found = copy.copy(self)
        found._find = functools.partial(find_source, **where)
        return found

    def open(self, split):
        origin = self._find(self.stacked_source)
        check_split(origin, split, self.stacked_source)
        items = origin.open(split)
        if getattr(items, "labels", None) is None or hasattr(items, "points"):
            raise ConfigError(f"Stacked.source has images with labels. Received: {self.stacked_source!r}")
        draws = philox.uniform((self.count, 3), self.splits.index(split), philox.STACKS)
        return StackedItems(items, draws)


class StackedItems(Items):
    """Images of three `items` each, chosen by `draws` [n, 3] in [0, 1)."""

    def __init__(self, items, draws):
        self.items, self.draws = items, draws
        self.chosen = (draws * len(items)).astype(np.int64)
        labels = np.asarray(items.labels)
        classes = int(labels.max()) + 1
        self.labels = (labels[self.chosen] @ [classes**2, classes, 1]).astype(np.int32)

    def __len__(self):
        return len(self.chosen)

    def at(self, resolution):
        return type(self)(self.items.at(resolution), self.draws)

    def name(self, i):
        return "stack of " + ", ".join(self.items.name(int(j)) for j in self.chosen[i])

    def read(self, i):
        parts = [decode(self.items.read(int(j)), 1) for j in self.chosen[i]]
        sizes = {part.size for part in parts}
        if len(sizes) > 1:
            shown = " and ".join(f"{width}x{height}" for width, height in sorted(sizes))
            raise BadImage(f"its images have different sizes, {shown}")
        return Image.merge("RGB", parts)

    def content(self, i):
        return b"".join(self.items.digest(int(j)) for j in self.chosen[i])
