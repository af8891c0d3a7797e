"""Frechet distance between two sets of features, from streamed moments.

Heusel et al., 2017, "GANs trained by a two time-scale update rule ...", equation 6:
|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2).
"""

from pathlib import Path

import numpy as np

from tfgans import files
from tfgans.config import ConfigError

_ROWS = 2048


class Moments:
    """Count, mean and unbiased covariance of a stream of feature vectors, in float64.

    Batches are folded in by the pairwise update of Chan, Golub and LeVeque (1983), so that a large
    common offset costs no digits. Memory: two or three [d, d] matrices, whatever the stream's length.

    Attributes: `count` int; `mean` float64 [d]; `covariance` float64 [d, d] (divided by count - 1).
    """

    def __init__(self, size):
        self.count = 0
        self.mean = np.zeros(size)
        self._scatter = np.zeros((size, size))

    @property
    def covariance(self):
        return self._scatter / max(self.count - 1, 1)

    def update(self, batch):
        """Folds in features [n, d] of any float type. Raises ConfigError if d is another width."""
        batch = np.asarray(batch)
        if batch.ndim != 2 or batch.shape[1] != len(self.mean):
            raise ConfigError(f"features must have shape [n, {len(self.mean)}]. Received: {batch.shape}")
        for start in range(0, len(batch), _ROWS):
            rows = batch[start : start + _ROWS].astype(np.float64)
            mean = rows.mean(axis=0)
            rows -= mean
            self._fold(len(rows), mean, rows)
        return self

    def merge(self, other):
        """Folds in another accumulator, as if its stream had followed this one's."""
        if other.count:
            self._fold(other.count, other.mean, np.empty((0, len(self.mean))))
            self._scatter += other._scatter
        return self

    def _fold(self, count, mean, centred):
        total = self.count + count
        difference = mean - self.mean
        # The step between the two means is one more centred row of the right length.
        step = difference * np.sqrt(self.count * count / total)
        rows = np.concatenate([centred, step[None]])
        self._scatter += rows.T @ rows
        self.mean = self.mean + difference * (count / total)
        self.count = total

    def arrays(self):
        """The state as a dictionary of arrays, for `from_arrays`."""
        return {"count": np.asarray(self.count), "mean": self.mean, "scatter": self._scatter}

    @classmethod
    def from_arrays(cls, arrays):
        moments = cls(len(arrays["mean"]))
        moments.count = int(arrays["count"])
        moments.mean = np.asarray(arrays["mean"], np.float64)
        moments._scatter = np.asarray(arrays["scatter"], np.float64)
        return moments

    def save(self, path):
        """Writes the state as npz: beside `path` first, then in its place."""
        save_arrays(path, self.arrays())

    @classmethod
    def load(cls, path):
        with np.load(path) as arrays:
            return cls.from_arrays(arrays)


def save_arrays(path, arrays):
    """Writes an npz file atomically: readers see the old file or the whole new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as file:
        np.savez(file, **arrays)


def frechet_distance(moments1, moments2):
    """Frechet distance (squared, as "FID" is given) between two Gaussians with these moments; a float.

    tr (S1 S2)^1/2 is the sum of the square roots of the eigenvalues of F^T S2 F for any F with
    F F^T = S1, a symmetric problem. F is the Cholesky factor, or the symmetric root where S1 is
    singular (fewer samples than features). nan if the moments are not finite.

    Raises: ConfigError if the feature widths differ or a side has fewer than two samples.
    """
    if moments1.mean.shape != moments2.mean.shape:
        raise ConfigError(
            f"features of different width: {len(moments1.mean)} and {len(moments2.mean)}. "
            "Both sets must come from the same feature extractor"
        )
    if min(moments1.count, moments2.count) < 2:
        raise ConfigError(
            f"the Frechet distance needs two samples a side. Received: {moments1.count}, {moments2.count}"
        )
    first, second = moments1.covariance, moments2.covariance
    means = float(np.sum((moments1.mean - moments2.mean) ** 2))
    traces = float(np.trace(first) + np.trace(second))
    if not np.isfinite(means + traces):
        return float("nan")
    factor = _factor(first)
    eigenvalues = np.linalg.eigvalsh(factor.T @ second @ factor)
    return means + traces - 2.0 * float(np.sum(np.sqrt(np.maximum(eigenvalues, 0.0))))


def _factor(covariance):
    """F with F F^T = covariance, positive semi-definite."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return vectors * np.sqrt(np.maximum(values, 0.0))
