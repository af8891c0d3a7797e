"""Scores of generated samples from a classifier's logits and features, in numpy and float64.

All functions work through their input in chunks: no [n, m] matrix of distances is ever held whole.
"""

import numpy as np

from tfgans.config import ConfigError

_ROWS = 1024


class InceptionScore:
    """Inception score of a stream of logits whose length is known.

    Salimans et al., 2016: exp of the mean KL divergence between p(y|x) and the marginal p(y), for each
    of `splits` consecutive parts. Only sums are kept, [splits, k] numbers.

    Args:
        count: how many samples will come, at least `splits`.
        splits: parts, > 0 (10 in the paper).
    Raises: ConfigError if `splits` leaves [1, count].
    """

    def __init__(self, count, splits=10):
        if not 1 <= splits <= count:
            raise ConfigError(f"Inception score: splits must lie in [1, {count}] samples. Received: {splits}")
        self._ends = [(part + 1) * count // splits for part in range(splits)]
        self._probabilities = None
        self._negative_entropy = np.zeros(splits)
        self._seen = 0

    def update(self, logits):
        """Takes the next logits [n, k], any float type, unbounded."""
        logits = np.asarray(logits)
        if self._probabilities is None:
            self._probabilities = np.zeros((len(self._ends), logits.shape[1]))
        if self._seen + len(logits) > self._ends[-1]:
            raise ConfigError(f"Inception score: more than the {self._ends[-1]} samples announced")
        for part, end in enumerate(self._ends):
            rows, logits = np.split(logits, [min(max(end - self._seen, 0), len(logits))])
            self._seen += len(rows)
            for start in range(0, len(rows), _ROWS):
                log_p = _log_softmax(rows[start : start + _ROWS].astype(np.float64))
                p = np.exp(log_p)
                self._probabilities[part] += p.sum(axis=0)
                self._negative_entropy[part] += np.sum(np.where(p > 0, p * log_p, 0.0))
        return self

    def result(self):
        """Returns mean and population standard deviation over the parts; nan for logits not finite.

        Raises: ConfigError if fewer samples came than announced.
        """
        if self._seen != self._ends[-1]:
            raise ConfigError(f"Inception score: {self._seen} samples of the {self._ends[-1]} announced")
        counts = np.diff([0, *self._ends])
        marginal = self._probabilities / counts[:, None]
        log_marginal = np.log(np.where(marginal > 0, marginal, 1.0))
        divergence = self._negative_entropy / counts - np.sum(marginal * log_marginal, axis=1)
        scores = np.exp(divergence)
        return float(scores.mean()), float(scores.std())


def inception_score(logits, splits=10):
    """Inception score of logits [n, k] taken in order: mean and population deviation over `splits`."""
    return InceptionScore(len(logits), splits).update(logits).result()


def _log_softmax(logits):
    with np.errstate(invalid="ignore"):  # infinite logits give nan, which the caller reports
        shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def precision_recall(real, fake, k=3):
    """Improved precision and recall (Kynkaanniemi et al., 2019), each in [0, 1].

    Precision is the share of fakes inside the real manifold: within the distance of some real sample
    to its k-th nearest other real one. Recall swaps the roles.

    Args: real [n, d], fake [m, d] features, n and m above k.
    Raises: ConfigError if a set has no more than k samples.
    """
    inside = _inside_counts(fake, real, neighbour_radii(real, k))[0]
    covered = _inside_counts(real, fake, neighbour_radii(fake, k))[0]
    return float(np.mean(inside > 0)), float(np.mean(covered > 0))


def density_coverage(real, fake, k=5):
    """Density (>= 0, about 1 for equal distributions) and coverage (in [0, 1]).

    Naeem et al., 2020, equations 2 and 3, with closed balls around the real samples that reach to
    their k-th nearest other real one. Density counts, over k, the balls a fake lies in; coverage is
    the share of balls with a fake in them.

    Args: real [n, d], fake [m, d] features, n above k.
    Raises: ConfigError if there are no more than k real samples.
    """
    per_fake, per_real = _inside_counts(fake, real, neighbour_radii(real, k))
    return float(per_fake.mean() / k), float(np.mean(per_real > 0))


def neighbour_radii(features, k):
    """Squared distance of each sample of [n, d] to its k-th nearest other one; float64 [n]."""
    if len(features) <= k:
        raise ConfigError(f"{k} nearest neighbours need more than {k} samples. Received: {len(features)}")
    radii = np.empty(len(features))
    for start, squared in squared_distances(features, features):
        rows = np.arange(len(squared))
        squared[rows, start + rows] = -1.0  # itself, first whatever the rounding
        squared.partition(k, axis=1)
        radii[start : start + len(squared)] = squared[:, k]
    return radii


def _inside_counts(points, centres, radii):
    """How many balls each point lies in [n], and how many points lie in each ball [m]."""
    per_point, per_ball = np.empty(len(points), int), np.zeros(len(centres), int)
    for start, squared in squared_distances(points, centres):
        inside = squared <= radii
        per_point[start : start + len(squared)] = inside.sum(axis=1)
        per_ball += inside.sum(axis=0)
    return per_point, per_ball


def squared_distances(x, y):
    """Yields (start, squared distances of up to 1024 rows of x [n, d] to all of y [m, d])."""
    y = np.asarray(y, np.float64)
    centre = y.mean(axis=0)  # a common offset would cost digits
    y = y - centre
    lengths = np.sum(y * y, axis=1)
    for start in range(0, len(x), _ROWS):
        rows = np.asarray(x[start : start + _ROWS], np.float64) - centre
        squared = (-2.0 * rows) @ y.T
        squared += np.sum(rows * rows, axis=1)[:, None]
        squared += lengths
        yield start, np.maximum(squared, 0.0, out=squared)
