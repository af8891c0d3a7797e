"""The images that evaluations compare generated ones with."""

import hashlib

import numpy as np
import PIL

from tfgans.data import philox
from tfgans.data.comparison import numbered_alike, open_comparison


class Reference:
    """The part of `Dataset` that gives images without augmentation: those to compare with, and those of training."""

    _comparison = None  # the data set of `evaluation_source`, once it was asked for

    def reference(self, split=None, limit=None, batch_size=256, indices=None):
        """Images to compare with, in a fixed order and without augmentation.

        Args:
            split: None for `evaluation_split`. `classes` applies, `fraction` and `half` do not.
            limit: at most so many, a sample fixed once for all (not the first, which may be one class).
            indices: instead of that, only these, in this order.
        Returns: iterator of (uint8 [n, H, W, C] or float32 points [n, 2], labels int32 [n] or None),
            n = `batch_size` except at the end.
        """
        data = self._compared(split)
        if data is not self:
            return data.reference(data.split, limit, batch_size, indices)
        store, labels, _ = self._open(self._evaluation(split))
        if indices is not None:
            indices = np.asarray(indices)
        elif limit is not None and limit < len(store):
            indices = np.sort(philox.permutation(len(store), 0, philox.LIMIT)[:limit])
        else:
            indices = np.arange(len(store))
        parts = (indices[start : start + batch_size] for start in range(0, len(indices), batch_size))
        return ((store.reference(part), None if labels is None else labels[part]) for part in parts)

    def examples(self, batch_size=256):
        """What is trained on, once, in its order and without augmentation: an iterator as of `reference`."""
        for start in range(0, self.num_examples, batch_size):
            part = np.s_[start : start + batch_size]
            labels = None if self.labels is None else self.labels[part]
            yield self._store.reference(self._indices[part]), labels

    def reference_size(self, split=None):
        """The number of items of `reference(split)`."""
        data = self._compared(split)
        return len(self._open(self._evaluation(split))[0]) if data is self else data.num_examples

    def reference_split(self, split=None):
        """The name of the split that `reference(split)` gives, of `evaluation_source` where there is one."""
        data = self._compared(split)
        return self._evaluation(split) if data is self else data.split

    def reference_labels(self, split=None):
        """The classes of `reference(split)`, numbered as those trained on: int32 [n], or None."""
        data = self._compared(split)
        labels, names = data._open(data._evaluation(split if data is self else data.split))[1:]
        return numbered_alike(self, labels, names)

    def fingerprint(self, split=None):
        """Hash (hexadecimal) of `reference(split)`: of what its images are made from, in their order, of their
        labels, and of how they are cut and decoded; not of where they lie.
        """
        data = self._compared(split)
        if data is not self:
            return data.fingerprint(data.split)
        store, labels, _ = self._open(self._evaluation(split))
        cut = "none" if self.crop == "none" else "center"
        digest = hashlib.sha256(repr((store.item_shape, cut, PIL.__version__)).encode())
        digest.update(store.content(np.arange(len(store))))
        digest.update(b"" if labels is None else labels.tobytes())
        return digest.hexdigest()

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
