"""Lines over several runs: their values at common places, the centre, and an interval around it."""

import dataclasses

import numpy as np

from tfgans.compare import collect, statistics

GRID_POINTS = 61


@dataclasses.dataclass(frozen=True)
class Band:
    """A line over several runs: at `x` [n] its `centre` [n], and `low` and `high` [n] (nan: no interval)."""

    x: np.ndarray
    centre: np.ndarray
    low: np.ndarray
    high: np.ndarray


def run_points(run, metric, against):
    """(x, y) arrays of one run's metric, in order of x.

    Evaluations without a value, and those that do not compare with the run's last, are left out.
    """
    values = {
        evaluation[against]: evaluation["metrics"].get(metric)
        for evaluation in run["evaluations"]
        if evaluation[against] is not None and evaluation["comparable"]
    }
    return _sorted_points(values)


def curve_points(run, key):
    """(steps, values) arrays of one of a run's curves; what is not a number is nan and interrupts the line."""
    values = {step: np.nan if value is None else value for step, value in run["curves"].get(key, ())}
    return _sorted_points(values)


def _sorted_points(values):
    known = sorted((x, y) for x, y in values.items() if y is not None)
    return tuple(np.asarray(known, np.float64).reshape(-1, 2).T)


def band_by_step(runs, metric):
    """Mean and 95 % t interval at every step that at least two runs have (or one, if no other has any).

    A run that ended early counts up to where it ended.
    """
    steps, values = _by_step([run_points(run, metric, "step") for run in runs])
    return _mean_band(steps, values)


def band_by_seconds(runs, metric):
    """Mean and 95 % t interval against seconds of training, over the runs that came to their end.

    Runs are not evaluated at the same seconds: each is interpolated linearly, at `GRID_POINTS` places evenly
    spaced within the range that all of them cover.
    """
    points = [run_points(run, metric, "train_seconds") for run in runs if run["outcome"] == collect.FINISHED]
    points = [(x, y) for x, y in points if len(x)]
    if not points:
        return _mean_band(np.empty(0), np.empty((0, 0)))
    low, high = max(x[0] for x, _ in points), min(x[-1] for x, _ in points)
    grid = np.unique(np.linspace(low, high, GRID_POINTS)) if low <= high else np.empty(0)
    return _mean_band(grid, np.stack([np.interp(grid, x, y) for x, y in points]))


def median_by_step(runs, key):
    """Median of a curve at every step that at least two runs have (or one, if no other has any)."""
    steps, values = _by_step([curve_points(run, key) for run in runs])
    empty = np.full(len(steps), np.nan)
    return Band(steps, np.nanmedian(values, axis=0) if len(steps) else empty, empty, empty)


def _by_step(points):
    """The steps enough runs have, and values [runs, steps] there with nan where a run has none."""
    points = [(x[np.isfinite(y)], y[np.isfinite(y)]) for x, y in points]
    points = [(x, y) for x, y in points if len(x)]
    if not points:
        return np.empty(0), np.empty((0, 0))
    steps = np.unique(np.concatenate([x for x, _ in points]))
    values = np.full((len(points), len(steps)), np.nan)
    for row, (x, y) in zip(values, points, strict=True):
        row[np.searchsorted(steps, x)] = y
    enough = np.isfinite(values).sum(axis=0) >= min(2, len(points))
    return steps[enough], values[:, enough]


def _mean_band(x, values):
    centre, low, high = np.full((3, len(x)), np.nan)
    for i, column in enumerate(values.T):
        known = column[np.isfinite(column)]
        centre[i] = known.mean()
        if len(known) >= 2:
            low[i], high[i] = statistics.t_interval(known)
    return Band(x, centre, low, high)
