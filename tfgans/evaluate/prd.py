"""Precision and recall of distributions as a curve (PRD; Sajjadi, Bachem, Lucic, Bousquet and Gelly 2018).

Both sets are clustered together; p and q are the shares of the real and of the generated set in each cluster. For
each slope lambda > 0, precision(lambda) = sum min(lambda p, q) and recall(lambda) = sum min(p, q / lambda): how much
of the generated set, at most, is as the real one is, and how much of the real one is reached, at that exchange of one
for the other. The mean over clusterings is taken, as in the paper: 10 of 20 clusters.

Departures: the clusters are made of the first 50 principal components, by Lloyd's algorithm from k-means++ starts;
the authors cluster Inception's 2048 features in small batches, which takes minutes.
"""

import numpy as np
from scipy.cluster.vq import kmeans2

from tfgans.config import ConfigError
from tfgans.evaluate.principal import principal_components

CLUSTERS, RUNS, ANGLES = 20, 10, 201
_COMPONENTS, _ITERATIONS = 50, 50


def curve_of_shares(real, fake, angles=ANGLES):
    """`(precision, recall)`, float64 [angles] each, of shares p [k] and q [k] that sum to 1.

    At `angles` slopes lambda, the tangents of equally spaced angles inside (0, 90) degrees.
    """
    slopes = np.tan(np.arange(1, angles + 1) * (np.pi / 2.0 / (angles + 1)))[:, None]
    precision = np.minimum(slopes * real, fake).sum(axis=1)
    return precision, precision / slopes[:, 0]


def curve(real, fake, clusters=CLUSTERS, runs=RUNS, seed=0):
    """`(precision, recall)`, float64 [ANGLES] each in [0, 1], of two sets of features.

    Args:
        real [n, d], fake [m, d]: in random order; of the larger set the first min(n, m) count, as in the paper.
    Raises: ConfigError if there are not more samples a side than clusters.
    """
    size = min(len(real), len(fake))
    if size <= clusters:
        raise ConfigError(
            f"a precision-recall curve of {clusters} clusters needs more samples: {size} a side"
        )
    both = principal_components(np.concatenate([real[:size], fake[:size]]), _COMPONENTS)[0]
    found = []
    for run in range(runs):
        labels = kmeans2(both, clusters, _ITERATIONS, minit="++", missing="warn", seed=seed + run)[1]
        shares = [np.bincount(side, minlength=clusters) / size for side in (labels[:size], labels[size:])]
        found.append(curve_of_shares(*shares))
    return tuple(np.mean(found, axis=0))


def largest_f(precision, recall, beta):
    """The largest F_beta on a curve, in [0, 1]: beta = 8 weighs recall, 1/8 precision (section 5 of the paper)."""
    below = beta**2 * precision + recall
    values = (1.0 + beta**2) * precision * recall / np.where(below > 0, below, 1.0)
    return float(np.max(values))
