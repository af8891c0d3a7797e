"""Which modes of a known distribution a generator reaches."""

import numpy as np

from tfgans.config import ConfigError


def mode_coverage(points, modes, deviation):
    """Coverage of a 2-D Gaussian mixture, by the rules of VEEGAN (Srivastava et al., 2017) and
    PacGAN (Lin et al., 2018).

    A sample belongs to the nearest mode, and is of high quality if it lies within three standard
    deviations of it; a mode is covered if at least one high-quality sample belongs to it.

    Args:
        points: [n, 2] samples; a point that is not finite belongs to no mode.
        modes: [m, 2] centres of the mixture.
        deviation: standard deviation of each mode, one for all, > 0.
    Returns: dict of `modes_covered` (int, 0..m), `high_quality` (share of all samples, 0..1) and
        `mode_kl` (KL divergence in nats from the samples' occupancy of the modes, all finite samples
        counted, to the uniform distribution, 0..log m; nan if no point is finite).
    Raises: ConfigError for shapes that do not fit or a deviation that is not positive.
    """
    points, modes = np.asarray(points, np.float64), np.asarray(modes, np.float64)
    if points.ndim != 2 or modes.ndim != 2 or points.shape[1] != modes.shape[1] or not len(points):
        raise ConfigError(f"mode_coverage needs points [n, 2], modes [m, 2]: {points.shape}, {modes.shape}")
    if not deviation > 0:
        raise ConfigError(f"a mode's standard deviation must be positive. Received: {deviation}")
    finite = points[np.isfinite(points).all(axis=1)]
    squared = np.sum((finite[:, None] - modes[None]) ** 2, axis=-1)  # [n, m]
    nearest = np.argmin(squared, axis=1)
    good = squared[np.arange(len(finite)), nearest] <= (3.0 * deviation) ** 2
    return {
        "modes_covered": int(len(np.unique(nearest[good]))),
        "high_quality": float(np.sum(good) / len(points)),
        "mode_kl": kl_to_uniform(np.bincount(nearest, minlength=len(modes))),
    }


def class_histogram(logits):
    """How many samples a classifier gives to each class: logits [n, k] -> int64 [k]."""
    logits = np.asarray(logits)
    return np.bincount(np.argmax(logits, axis=1), minlength=logits.shape[1])


def kl_to_uniform(counts):
    """KL divergence in nats from the distribution of counts [k] to the uniform one; nan if all are 0."""
    counts = np.asarray(counts, np.float64)
    total = counts.sum()
    if total == 0:
        return float("nan")
    shares = counts[counts > 0] / total
    return float(np.sum(shares * np.log(shares * len(counts))))
