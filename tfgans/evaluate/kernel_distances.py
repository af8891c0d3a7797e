"""Distances of features by kernels: KID in its two conventions, and CMMD. In numpy and float64."""

import numpy as np

from tfgans.config import ConfigError

_ROWS = 1024
CMMD_SIGMA, CMMD_SCALE = 10.0, 1000.0


def polynomial(x, y):
    """(x.y / d + 1)^3 of rows x [n, d] and y [m, d]: [n, m] (Binkowski et al. 2018)."""
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def squared_discrepancy(first, second):
    """The unbiased squared maximum mean discrepancy of [n, d] and [m, d] under `polynomial`; may be negative.

    The means of k(x, x') over pairs of different rows within each set, less twice that over both sets.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    within = _off_diagonal_mean(polynomial(first, first)) + _off_diagonal_mean(polynomial(second, second))
    return within - 2.0 * polynomial(first, second).mean()


def _off_diagonal_mean(matrix):
    n = len(matrix)
    return (matrix.sum() - np.trace(matrix)) / (n * (n - 1))


def kernel_distance_of_blocks(real, fake, block_size=1024):
    """Kernel inception distance by TF-GAN's block estimator: each sample counts once.

    Both sets are cut, in the order given, into equally many blocks of nearly equal size, none above `block_size`.
    Samples must come in random order.

    Args: real [n, d], fake [m, d] features; block_size at least 2.
    Returns: mean over the blocks and its standard error (nan for a single block), as TF-GAN gives them.
    Raises: ConfigError if a block would hold fewer than two samples of either set.
    """
    blocks = -(-max(len(real), len(fake)) // block_size)
    if min(len(real), len(fake)) < 2 * blocks:
        raise ConfigError(
            f"kernel distance: {len(real)} and {len(fake)} samples in {blocks} blocks of up to "
            f"{block_size} leave fewer than two in a block"
        )
    estimates = [
        squared_discrepancy(first, second)
        for first, second in zip(_blocks(real, blocks), _blocks(fake, blocks), strict=True)
    ]
    error = np.std(estimates, ddof=1) / np.sqrt(blocks) if blocks > 1 else np.nan
    return float(np.mean(estimates)), float(error)


def _blocks(features, count):
    """The first blocks are the smaller ones, as in TF-GAN."""
    size, larger = divmod(len(features), count)
    sizes = [size] * (count - larger) + [size + 1] * larger
    return np.split(features, np.cumsum(sizes)[:-1])


def kernel_distance_of_subsets(real, fake, subsets=100, subset_size=1000, seed=2020):
    """Kernel inception distance by torch-fidelity's convention: random subsets of both sets.

    Each subset is drawn without replacement from numpy's RandomState(seed), the generated one first. NVIDIA and
    clean-fid do the same without a seed, and report the mean alone.

    Args: real [n, d], fake [m, d] features; subsets > 0; subset_size at least 2.
    Returns: mean and population standard deviation over the subsets.
    Raises: ConfigError if a set has fewer samples than a subset.
    """
    if min(len(real), len(fake)) < subset_size:
        raise ConfigError(
            f"kernel distance: subsets of {subset_size} need as many samples. Received: {len(real)} and {len(fake)}"
        )
    draws = np.random.RandomState(seed)
    estimates = []
    for _ in range(subsets):
        chosen = fake[draws.choice(len(fake), subset_size, replace=False)]
        estimates.append(
            squared_discrepancy(real[draws.choice(len(real), subset_size, replace=False)], chosen)
        )
    return float(np.mean(estimates)), float(np.std(estimates))


def cmmd(real, fake):
    """CMMD (Jayasumana et al. 2024): 1000 times the biased squared MMD of unit vectors, kernel exp(-|x - y|^2 / 200).

    Meant for CLIP's image embeddings; of other features it is the same formula. Diagonals count, so it is never
    negative. On unit vectors |x - y|^2 is at most 4, far below 200: it is nearly ten times the squared distance of
    the means.

    Args: real [n, d], fake [m, d] features; each row is scaled to length 1 first.
    """
    real, fake = (_unit_rows(np.asarray(x, np.float64)) for x in (real, fake))
    within = _gaussian_mean(real, real) + _gaussian_mean(fake, fake)
    return float(CMMD_SCALE * (within - 2.0 * _gaussian_mean(real, fake)))


def _unit_rows(features):
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _gaussian_mean(x, y):
    """The mean of exp(-|x - y|^2 / (2 sigma^2)) over all pairs, a block of rows at a time."""
    lengths, total = np.sum(y * y, axis=1), 0.0
    for start in range(0, len(x), _ROWS):
        rows = x[start : start + _ROWS]
        squared = np.sum(rows * rows, axis=1)[:, None] + lengths - 2.0 * rows @ y.T
        total += np.exp(-squared / (2.0 * CMMD_SIGMA**2)).sum()
    return total / (len(x) * len(y))
