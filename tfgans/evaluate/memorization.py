"""Does a generator copy its training set? Distances of generated images to their nearest training images.

In the features of an extractor, in numpy and float64. Images are near in one network's features that are not in
another's: look at the pairs as well (`nearest.png`).
"""

import logging

import numpy as np

from tfgans.config import ConfigError
from tfgans.evaluate.scores import squared_distances

logger = logging.getLogger(__name__)

TRAINING_SAMPLES = 50_000  # at most
_OTHERS = 8192


def nearest(points, others):
    """`(indices, distances)` of the nearest row of `others` [m, d] to each of `points` [n, d].

    Memory: beside the arguments as much as 8,192 rows of float64 take a few times, however many `others` there are.
    """
    index, squared = np.zeros(len(points), int), np.full(len(points), np.inf)
    for first in range(0, len(others), _OTHERS):
        for start, block in squared_distances(points, others[first : first + _OTHERS]):
            rows, least = np.arange(start, start + len(block)), block.min(axis=1)
            nearer = least < squared[rows]
            index[rows[nearer]] = first + block.argmin(axis=1)[nearer]
            squared[rows[nearer]] = least[nearer]
    return index, np.sqrt(squared)


def nearest_of_own(points, rows=None):
    """Distance of rows of [n, d] to the nearest other row, n > 1.

    Args: rows: int [k], of which ones; None: of all.
    """
    if len(points) < 2:
        raise ConfigError(f"nearest neighbours need two samples. Received: {len(points)}")
    rows = np.arange(len(points)) if rows is None else rows
    found = np.empty(len(rows))
    for start, block in squared_distances(points[rows], points):
        some = slice(start, start + len(block))
        block[np.arange(len(block)), rows[some]] = np.inf
        found[some] = block.min(axis=1)
    return np.sqrt(found)


def authentic(train, generated):
    """Which generated samples are authentic (Alaa et al. 2022, AuthPct): bool [m].

    One is, if the training sample nearest to it has another training sample nearer than it: a copy lies nearer to
    its original than the original's own neighbours do.

    Args: train [n, d], n > 1; generated [m, d].
    """
    index, distance = nearest(generated, train)
    return nearest_of_own(train)[index] < distance


def auth_pct(train, generated):
    """The percentage of authentic samples, in [0, 100]; copies alone give 0. fld reports 50 less."""
    return 100.0 * float(np.mean(authentic(train, generated)))


def nearest_ratio(train, generated, held_out):
    """Median distance of generated samples to their nearest training sample, over that of held-out real ones.

    About 1 for new images of the same distribution, near 0 for copies. Departs from no published number: a plain
    ratio that needs no assumption.

    Args: train [n, d], generated [m, d], held_out [k, d]: real samples that were not trained on.
    """
    return _ratio(nearest(generated, train)[1], nearest(held_out, train)[1])


def copying_score(train, generated, held_out):
    """C_T of one cell (Meehan, Chaudhuri and Dasgupta 2020): a z-score, far below 0 for copies, above 0 for underfit.

    Mann and Whitney's statistic of the generated samples' distances to their nearest training samples against those
    of held-out real ones; dgm-eval splits the space into three cells first, here it is one.

    Args: train [n, d], generated [m, d], held_out [k, d].
    """
    return _score(nearest(generated, train)[1], nearest(held_out, train)[1])


def copying(train, generated, held_out):
    """{"nearest_ratio", "copying_score"} of the two functions above, from the same distances.

    The ratio is absent if half of the held-out samples are training samples.
    """
    mine, theirs = nearest(generated, train)[1], nearest(held_out, train)[1]
    ratio = {"nearest_ratio": _ratio(mine, theirs)} if np.median(theirs) > 0 else {}
    return ratio | {"copying_score": _score(mine, theirs)}


class Copying:
    """`copying` of generated images, with what a data set trains on and holds out."""

    _told = False

    def __call__(self, dataset, generated, statistics_of, most):
        """Measures.

        Args:
            dataset: has `trained_on()` and `held_out()`, see `Dataset`.
            generated: features [m, F] in random order.
            statistics_of: `statistics_of(dataset, keep)` -> `Statistics` of its reference with `keep` features, or of
                at least `most` where that is None.
            most: generated and held-out images at most.
        Returns: {} where no images are held out, and a line in the log says so, once.
        """
        held_out = dataset.held_out() if hasattr(dataset, "held_out") else None
        if held_out is None:
            if not self._told:
                logger.warning(
                    "there are no nearest_ratio and copying_score: no images are held out of training"
                )
            self._told = True
            return {}
        train = statistics_of(dataset.trained_on(), TRAINING_SAMPLES).kept
        return copying(train, generated[:most], statistics_of(held_out, None).kept[:most])


def _ratio(mine, theirs):
    return float(np.median(mine) / np.median(theirs))


def _score(mine, theirs):
    theirs = np.sort(theirs)
    above = np.searchsorted(theirs, mine, "left")
    ties = np.searchsorted(theirs, mine, "right") - above
    pairs, both = len(mine) * len(theirs), len(mine) + len(theirs)
    statistic = above.sum() + 0.5 * ties.sum()
    return float((statistic - (pairs / 2.0 - 0.5)) / np.sqrt(pairs * (both + 1.0) / 12.0))
