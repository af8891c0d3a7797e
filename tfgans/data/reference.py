"""The images that evaluations compare generated ones with."""

import copy
import hashlib

import numpy as np
import PIL

from tfgans.config import ConfigError
from tfgans.data import philox
from tfgans.data.comparison import numbered_alike, open_comparison, renumbered
from tfgans.data.contents import Contents
from tfgans.data.sources import title


class Reference:
    """The part of `Dataset` that gives images without augmentation, those to compare with and those of training, and
    what they are known by."""

    _comparison = None  # the data set of `evaluation_source`, once it was asked for

    def reference(self, split=None, limit=None, batch_size=256, indices=None):
        """Images to compare with, in a fixed order and without augmentation.

        Args:
            split: None for `evaluation_split`; then the mirror images, if there are any, come after all others.
                `classes` applies, `fraction` and `half` do not.
            limit: at most so many, a sample fixed once for all (not the first, which may be one class).
            indices: instead of that, only these, in this order.
        Returns: iterator of (uint8 [n, H, W, C] or float32 points [n, 2], labels int32 [n] or None),
            n = `batch_size` except at the end. Labels are numbered as those trained on, -1 for other classes.
        """
        data = self._compared(split)
        place = data._evaluation(split if data is self else data.split)
        names, flip = data._open(place)[2], self.evaluation_flip and split is None
        batches = data._reference(place, flip, limit, batch_size, indices)
        return ((images, renumbered(self, labels, names)) for images, labels in batches)

    def _reference(self, split, flip, limit, batch_size, indices):
        store, labels, _ = self._open(split)
        count = len(store)
        total = 2 * count if flip else count
        if indices is not None:
            indices = np.asarray(indices)
        elif limit is not None and limit < total:
            indices = np.sort(philox.permutation(total, 0, philox.LIMIT)[:limit])
        else:
            indices = np.arange(total)

        def batch(part):
            images, taken = store.reference(part % count)
            if flip:
                images[part >= count] = images[part >= count, :, ::-1]
            return images, None if labels is None else labels[taken]

        return (batch(indices[start : start + batch_size]) for start in range(0, len(indices), batch_size))

    def examples(self, batch_size=256):
        """What is trained on, once, in its order and without augmentation: an iterator as of `reference`."""
        for start in range(0, self.num_examples, batch_size):
            part = self._indices[start : start + batch_size]
            images, taken = self._store.reference(part, self._indices)
            yield images, None if self._labels is None else self._labels[taken]

    def reference_size(self, split=None):
        """The number of items of `reference(split)`."""
        data = self._compared(split)
        count = len(self._open(self._evaluation(split))[0]) if data is self else data.num_examples
        return 2 * count if self.evaluation_flip and split is None else count

    def reference_split(self, split=None):
        """The name of the split that `reference(split)` gives, of `evaluation_source` where there is one."""
        data = self._compared(split)
        return self._evaluation(split) if data is self else data.split

    def reference_labels(self, split=None):
        """The classes of `reference(split)`, numbered as those trained on: int32 [n], or None."""
        data = self._compared(split)
        labels, names = data._open(data._evaluation(split if data is self else data.split))[1:]
        labels = numbered_alike(self, labels, names)
        return np.tile(labels, 2) if labels is not None and self.evaluation_flip and split is None else labels

    def fingerprint(self, split=None, kind=None):
        """Hash (hexadecimal) of `reference(split)`: of what its images are made from, in their order, of their
        labels, and of how they are cut and decoded; not of where they lie.

        Args:
            kind: of the digests that stand for the images, see `hashes`; None: see `reference_kind`.
        """
        data = self._compared(split)
        if data is not self or (self.evaluation_flip and split is None):
            found = data.fingerprint(data.split if data is not self else self._evaluation(None), kind)
            return (
                hashlib.sha256(f"{found} and mirrored".encode()).hexdigest()
                if self.evaluation_flip
                else found
            )
        store, labels, _ = self._open(self._evaluation(split))
        cut = "none" if self.crop == "none" else "center"
        digest = hashlib.sha256(repr((store.item_shape, cut, PIL.__version__)).encode())
        if self.background != "white":
            digest.update(repr(self._background).encode())
        digest.update(store.content(np.arange(len(store)), kind))
        digest.update(b"" if labels is None else labels.tobytes())
        return digest.hexdigest()

    def reference_kind(self, split=None):
        """The kind of the digests by which the images of `reference(split)` are known, `hashes.WHOLE` or `ENDS`."""
        data = self._compared(split)
        return data._open(data._evaluation(split) if data is self else data.split)[0].kind

    def contents(self, like=None):
        """What is trained on, as `Contents`: the items that `fraction` and `half` leave, in their order.

        Args:
            like: `Contents` of another time or place, to be compared with.
        """
        return Contents.of(self._store, self._indices, self.labels, self.class_names, like)

    @property
    def skipped(self):
        """How many images of the split could not be used, those that training has met among them."""
        return self._store.skipped

    def reference_facts(self):
        """Which images `reference()` gives: `reference`, their source and split; and whether `reference_flipped`."""
        source = self.source if self.evaluation_source is None else title(self.evaluation_source)
        facts = {"reference": f"{source} {self.reference_split()}"}
        return facts | {"reference_flipped": self.evaluation_flip}

    def held_out(self):
        """A data set whose `reference` are images that are not trained on; None if there are none.

        They are those to compare with, if they are of another split or source, else those of the split `test`.
        """
        if self.evaluation_source is not None or self.reference_split() != self.split:
            return self
        return self.against("test") if "test" in self._origin.splits and self.split != "test" else None

    def against(self, split):
        """This data set, but generated images are compared with another split of its own.

        Raises: ConfigError if there is none of that name, or it is the one they are compared with already.
        """
        self._check_split(split)
        if self.evaluation_source is None and split == self.reference_split():
            raise ConfigError(f"generated images are compared with {self.source}'s split {split!r} already")
        other = copy.copy(self)
        other.evaluation_split, other.evaluation_source, other._comparison = split, None, None
        return other

    def trained_on(self, limit=None):
        """The `TrainingImages`; of more than `limit`, a sample fixed once for all."""
        items = self._indices
        if limit is not None and limit < len(items):
            items = np.sort(items[philox.permutation(len(items), 0, philox.LIMIT)[:limit]])
        return TrainingImages(self, items)

    def _compared(self, split):
        """The data set that holds `reference(split)`: this one, or that of `evaluation_source`."""
        if self.evaluation_source is None or split is not None:
            return self
        if self._comparison is None:
            self._comparison = open_comparison(self, self._where)
        return self._comparison

    def _evaluation(self, split):
        split = self.evaluation_split if split is None else split
        return self.split if split == "test" and "test" not in self._origin.splits else split


class TrainingImages:
    """What a data set trains on, with the methods of one that evaluations compare with; without augmentation.

    Args:
        dataset: the `Dataset`. items: int [n], the numbers of these images in its `split`.
    """

    def __init__(self, dataset, items):
        self._dataset, self._items = dataset, items

    def reference(self, indices=None):
        """As `Dataset.reference`: iterator of (images, labels or None). Args: indices: into these images."""
        items = self._items if indices is None else self._items[indices]
        return self._dataset.reference(self._dataset.split, indices=items)

    def part(self, items):
        """Some of these images, in this order. Args: items: int, into these images."""
        return TrainingImages(self._dataset, self._items[items])

    def reference_size(self):
        return len(self._items)

    def fingerprint(self):
        """That of `reference(split)` if these are all of its images, in its order."""
        split = self._dataset.split
        whole = self._dataset.fingerprint(split)
        if np.array_equal(self._items, np.arange(self._dataset.reference_size(split))):
            return whole
        return hashlib.sha256(whole.encode() + np.asarray(self._items, np.int64).tobytes()).hexdigest()
