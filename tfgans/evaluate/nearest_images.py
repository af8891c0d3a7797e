"""The training images nearest to generated ones, in features and in pixels: does a generator copy?"""

import dataclasses

import numpy as np

from tfgans.evaluate import memorization
from tfgans.evaluate.scores import squared_distances

_WIDEST = 64
_SOME = 256


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """Of each generated image, the nearest training image.

    Attributes:
        items: int [n], its number. distances: float64 [n].
        typical: median distance of training images, up to 256 of them, to their nearest other one; nan for a single
            image. A generator of new images has distances of about this; copies have distances near 0.
    """

    items: np.ndarray
    distances: np.ndarray
    typical: float

    def ratios(self):
        """Distances over the typical one, float64 [n]; nan where that is 0 (most training images have a twin)."""
        return self.distances / self.typical if self.typical > 0 else np.full(len(self.distances), np.nan)


def in_features(features, training):
    """`Neighbours` of generated images by their features [n, d] among those of training images [m, d]."""
    items, distances = memorization.nearest(features, training)
    some = _some(len(training))
    own = memorization.nearest_of_own(training, some) if len(training) > 1 else np.array([np.nan])
    return Neighbours(items, distances, float(np.median(own)))


def in_pixels(images, training):
    """`Neighbours` by the Euclidean distance of pixels in [0, 1], of images averaged down to at most 64 x 64.

    Args:
        images: uint8 [n, H, W, C]. training: has `reference(indices=None)` and `reference_size()`, of images of
            the same shape.
    """
    own = _some(training.reference_size())
    theirs = np.concatenate([batch for batch, _ in training.reference(own)])
    points = np.concatenate([averaged_down(images), averaged_down(theirs)])
    itself = np.concatenate([np.full(len(images), -1), own])
    items, squared, seen = np.zeros(len(points), int), np.full(len(points), np.inf), 0
    for batch, _ in training.reference():
        for start, block in squared_distances(points, averaged_down(batch)):
            rows = slice(start, start + len(block))
            block[itself[rows, None] == seen + np.arange(len(batch))] = np.inf
            best = block.argmin(axis=1)
            least = block[np.arange(len(block)), best]
            nearer = least < squared[rows]
            items[rows] = np.where(nearer, seen + best, items[rows])
            squared[rows] = np.minimum(squared[rows], least)
        seen += len(batch)
    distances = np.sqrt(squared)
    typical = float(np.median(distances[len(images) :])) if seen > 1 else float("nan")
    return Neighbours(items[: len(images)], distances[: len(images)], typical)


def averaged_down(images):
    """uint8 [n, H, W, C] as float32 [n, h w C] in [0, 1]: means of squares that leave at most 64 rows and columns."""
    side = -(-max(images.shape[1:3]) // _WIDEST)
    count, height, width, channels = images.shape
    rows, columns = max(height // side, 1), max(width // side, 1)
    cut = images[:, : rows * side, : columns * side].astype(np.float32) / 255.0
    cut = cut.reshape(count, rows, cut.shape[1] // rows, columns, cut.shape[2] // columns, channels)
    return cut.mean(axis=(2, 4)).reshape(count, -1)


def _some(total):
    return np.linspace(0, total - 1, min(_SOME, total)).astype(int)
