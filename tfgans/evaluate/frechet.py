"""Frechet distance between two sets of features, from streamed moments.

Heusel et al., 2017, "GANs trained by a two time-scale update rule ...", equation 6:
|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2).
"""

from pathlib import Path

import numpy as np
from scipy import linalg, stats
from scipy.linalg import blas, lapack

from tfgans import files, readers
from tfgans.config import ConfigError

_ROWS = 2048


class Moments:
    """Count, mean and unbiased covariance of a stream of feature vectors, in float64.

    Batches are folded in by the pairwise update of Chan, Golub and LeVeque (1983), so that a large
    common offset costs no digits. Only one triangle of the symmetric sum is kept up to date, which halves
    the work. Memory: one [d, d] matrix, whatever the stream's length; `covariance` makes two or three more.

    Attributes: `count` int; `mean` float64 [d]; `covariance` float64 [d, d] (divided by count - 1).
    """

    def __init__(self, size):
        self.count = 0
        self.mean = np.zeros(size)
        self._upper = np.zeros((size, size), order="F")  # below the diagonal: anything

    @property
    def covariance(self):
        return _both_triangles(self._upper) / max(self.count - 1, 1)

    def update(self, batch):
        """Folds in features [n, d] of any float type. Raises ConfigError if d is another width."""
        batch = np.asarray(batch)
        if batch.ndim != 2 or batch.shape[1] != len(self.mean):
            raise ConfigError(f"features must have shape [n, {len(self.mean)}]. Received: {batch.shape}")
        # One buffer for all parts, as new pages of memory take their time.
        memory = np.empty((min(len(batch), _ROWS) + 1, len(self.mean)))
        for start in range(0, len(batch), _ROWS):
            part = batch[start : start + _ROWS]
            rows = memory[: len(part) + 1]
            mean = part.mean(axis=0, dtype=np.float64)
            np.subtract(part, mean, out=rows[:-1])
            self._fold(len(part), mean, rows)
        return self

    def merge(self, other):
        """Folds in another accumulator, as if its stream had followed this one's."""
        if other.count:
            self._fold(other.count, other.mean, np.empty((1, len(self.mean))))
            self._upper += other._upper
        return self

    def _fold(self, count, mean, rows):
        """Folds in `count` vectors of a mean; `rows` are centred ones and an empty last one."""
        total = self.count + count
        difference = mean - self.mean
        # The step between the two means is one more centred row of the right length.
        rows[-1] = difference * np.sqrt(self.count * count / total)
        self._upper = blas.dsyrk(1.0, rows.T, beta=1.0, c=self._upper, overwrite_c=True)
        self.mean = self.mean + difference * (count / total)
        self.count = total

    def arrays(self):
        """The state as a dictionary of arrays, for `from_arrays`."""
        return {"count": np.asarray(self.count), "mean": self.mean, "scatter": _both_triangles(self._upper)}

    @classmethod
    def from_arrays(cls, arrays):
        moments = cls(len(arrays["mean"]))
        moments.count = int(arrays["count"])
        moments.mean = np.asarray(arrays["mean"], np.float64)
        moments._upper = np.array(arrays["scatter"], np.float64, order="F")
        if moments.mean.ndim != 1 or moments._upper.shape != 2 * moments.mean.shape:
            raise ValueError("the arrays are of different widths")
        return moments

    @classmethod
    def of(cls, mean, covariance, count=2):
        """Moments of a mean [d] and a covariance [d, d], float64, of `count` vectors, as other programs save them."""
        moments = cls(len(mean))
        moments.mean, moments.count = mean, count
        moments._upper = np.array(covariance * (count - 1), np.float64, order="F")
        return moments

    def save(self, path):
        """Writes the state as npz: beside `path` first, then in its place."""
        save_arrays(path, self.arrays())

    @classmethod
    def load(cls, path):
        """What `save` wrote. Raises: ConfigError, in one line, if the file is damaged."""
        arrays = readers.read_npz(path, "moments")
        with readers.reading(path, "moments"):
            return cls.from_arrays(arrays)


def save_arrays(path, arrays):
    """Writes an npz file atomically: readers see the old file or the whole new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.remove_left(path)
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
    pair, divisors = (moments1._upper, moments2._upper), (moments1.count - 1, moments2.count - 1)
    means = float(np.sum((moments1.mean - moments2.mean) ** 2))
    traces = sum(float(np.trace(upper)) / divisor for upper, divisor in zip(pair, divisors, strict=True))
    if not np.isfinite(means + traces):
        return float("nan")
    product = _symmetric_product(*pair)
    eigenvalues = linalg.eigvalsh(product, lower=False, overwrite_a=True, check_finite=False, driver="evd")
    roots = np.sum(np.sqrt(np.maximum(eigenvalues, 0.0))) / np.sqrt(divisors[0] * divisors[1])
    return means + traces - 2.0 * float(roots)


def frechet_distance_of(first, second):
    """`frechet_distance` of two sets of features themselves, [n, d] and [m, d]; a float.

    With fewer vectors than features it needs no [d, d] matrix: for centred vectors X and Y, scaled so that
    S1 = X^T X and S2 = Y^T Y, tr (S1 S2)^1/2 is the sum of the singular values of X Y^T, [n, m].

    Raises: as `frechet_distance` does.
    """
    pair = [np.asarray(features, np.float64) for features in (first, second)]
    few = min(map(len, pair)) >= 2 and max(map(len, pair)) < min(x.shape[1] for x in pair)
    if not few or pair[0].shape[1] != pair[1].shape[1]:
        return frechet_distance(*(Moments(x.shape[1]).update(x) for x in pair))
    means = [x.mean(axis=0) for x in pair]
    x, y = ((x - mean) / np.sqrt(len(x) - 1) for x, mean in zip(pair, means, strict=True))
    constant = float(np.sum((means[0] - means[1]) ** 2) + np.sum(x * x) + np.sum(y * y))
    if not np.isfinite(constant):
        return float("nan")
    return constant - 2.0 * float(np.sum(np.linalg.svd(x @ y.T, compute_uv=False)))


def frechet_infinity(real, fake, sizes=15, least=5000, seed=0, orders=None):
    """The Frechet distance that infinitely many generated samples would have (Chong and Forsyth 2020), by a line.

    FD of a random part of the generated set falls with its size N about as a + b / N: least squares through `sizes`
    equally spaced N from `least` to all, each part the first N of a fresh shuffle. The real side stays as it is, so
    the bias of its size remains. The paper's features and preprocessing are other ones than FID's: only the line is
    its.

    Args:
        real: `Moments`, or features [n, d]; fake: features [m, d].
        least: of the sizes; where there are fewer than two times as many samples, a tenth of all, at least 2
            (dgm-eval's rule).
        orders: rows of `fake` for each size, in place of shuffles by `seed`.
    Returns: {"fid_infinity", "fid_infinity_slope", "fid_infinity_error"}: the line at 1 / N = 0, its slope, and
        half of the 95 % interval of the former.
    """
    counts = infinity_sizes(len(fake), sizes, least)
    return infinity_line(counts, frechet_by_size(real, fake, counts, seed, orders))


def frechet_by_size(real, fake, counts, seed=0, orders=None):
    """The Frechet distances of parts of the generated set that have `counts` samples, float64 [k].

    Args: counts: int [k], each at least 2. The others: see `frechet_infinity`.
    """
    real = real if isinstance(real, Moments) else Moments(real.shape[1]).update(real)
    shuffle = np.random.RandomState(seed)
    orders = [shuffle.permutation(len(fake)) for _ in counts] if orders is None else orders
    return np.array(
        [
            frechet_distance(real, Moments(fake.shape[1]).update(fake[order[:n]]))
            for n, order in zip(counts, orders, strict=True)
        ]
    )


def infinity_line(counts, values):
    """What `frechet_infinity` returns, of the distances [k] of parts with `counts` samples [k], k > 2."""
    line = stats.linregress(1.0 / counts, values)
    half = stats.t.ppf(0.975, len(counts) - 2) * line.intercept_stderr
    return {
        "fid_infinity": float(line.intercept),
        "fid_infinity_slope": float(line.slope),
        "fid_infinity_error": float(half),
    }


def infinity_sizes(total, sizes=15, least=5000):
    """The numbers of generated samples that `frechet_infinity` fits its line to."""
    least = least if total >= 2 * least else min(least, max(total // 10, 2))
    return np.linspace(least, total, sizes).astype(int)


def _symmetric_product(first, second):
    """F^T second F for an F with F F^T = first; upper triangles, as the arguments are."""
    factor, failed = lapack.dpotrf(first)
    if not failed:
        return lapack.dsygst(second, factor, itype=3)[0]  # a third of the two full products
    values, vectors = np.linalg.eigh(first, UPLO="U")
    factor = vectors * np.sqrt(np.maximum(values, 0.0))
    return factor.T @ _both_triangles(second) @ factor


def _both_triangles(matrix):
    upper = np.triu(matrix)
    return upper + np.triu(upper, 1).T
