"""What the pictures of an evaluation are drawn of, kept while it measures."""

import dataclasses

import numpy as np

from tfgans.evaluate.statistics import Statistics

KEPT = 5000  # features of real images that the pictures need at least, if there are as many
COLUMNS = 6  # images side by side
_MOST_IMAGES, _MOST_BYTES = 256, 2**26


@dataclasses.dataclass
class Evidence:
    """What the pictures are drawn of; `Evaluator` fills it while it measures.

    Attributes:
        reference, sample: `Statistics` of the real and of all generated images.
        images: the first generated ones, uint8 [n, H, W, C], up to 256 and 64 MB; empty for points.
        features: of these, float32 [n, F].
    """

    reference: Statistics | None = None
    sample: Statistics | None = None
    _images: list = dataclasses.field(default_factory=list)
    _features: list = dataclasses.field(default_factory=list)
    _places: int = _MOST_IMAGES

    def take(self, samples, features):
        """The next generated samples and their features."""
        if samples.ndim != 4:
            return
        if not self._images:
            self._places = int(np.clip(_MOST_BYTES // samples[0].nbytes, COLUMNS, _MOST_IMAGES))
        if self._places:
            self._images.append(samples[: self._places])
            self._features.append(features[: self._places])
            self._places -= len(self._images[-1])

    @property
    def images(self):
        return np.concatenate(self._images) if self._images else np.empty((0, 1, 1, 1), np.uint8)

    @property
    def features(self):
        return np.concatenate(self._features)
