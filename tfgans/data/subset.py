"""Which items of a split take part: some classes, a fraction, one of two halves."""

import math

import numpy as np

from tfgans.config import ConfigError
from tfgans.data import philox


def select_classes(labels, class_names, classes):
    """The items of some classes, relabelled 0, 1, ... in the order of `classes`.

    Args:
        labels: integers [n] or None. class_names: list or None.
        classes: list of class indices or names; None keeps everything.
    Returns: (indices of the items [m] or None for all, labels [m] or None, class names or None).
    Raises: ConfigError if a class is unknown or repeated, or there are no labels to choose by.
    """
    if classes is None:
        return None, labels, class_names
    if labels is None:
        raise ConfigError(f"Dataset.classes = {list(classes)} needs labels, and the source has none")
    known = len(class_names) if class_names else int(labels.max()) + 1
    chosen = [_class_index(name, class_names, known) for name in classes]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ConfigError(
            f"Dataset.classes must be different classes, at least one. Received: {list(classes)}"
        )
    indices = np.flatnonzero(np.isin(labels, chosen))
    relabelled = np.array([chosen.index(label) for label in labels[indices]], np.int32)
    return indices, relabelled, [class_names[k] for k in chosen] if class_names else None


def _class_index(name, class_names, known):
    if isinstance(name, str) and class_names and name in class_names:
        return class_names.index(name)
    if isinstance(name, int | np.integer) and 0 <= name < known:
        return int(name)
    names = f" or one of {', '.join(class_names[:20])}" if class_names else ""
    raise ConfigError(f"Dataset.classes has an unknown class {name!r}. Allowed: 0 to {known - 1}{names}")


def select_fraction(indices, fraction, order, seed):
    """The first floor(fraction * n) of `indices`, or as many at `random`, in their old order.

    With one seed, smaller random fractions are contained in larger ones.
    """
    count = math.floor(fraction * len(indices) + 1e-9)  # 0.29 * 100 is 28.999...
    if count == 0:
        raise ConfigError(f"Dataset.fraction = {fraction} leaves nothing of {len(indices)} images")
    if order == "first":
        return indices[:count]
    return indices[np.sort(philox.permutation(len(indices), seed, philox.FRACTION)[:count])]


def select_half(indices, half, order, seed):
    """One of two disjoint halves of `indices`: half 0 has floor(n / 2) of them, half 1 the others."""
    if len(indices) < 2:
        raise ConfigError(f"Dataset.half = {half} needs at least 2 images. Received: {len(indices)}")
    middle = len(indices) // 2
    count = len(indices)
    chosen = philox.permutation(count, seed, philox.HALF) if order == "random" else np.arange(count)
    return indices[np.sort(chosen[middle:] if half else chosen[:middle])]


def check_labels(labels, num_classes, source):
    """The number of classes (None without labels). Raises ConfigError if a label is out of range."""
    if labels is None:
        if num_classes is not None:
            raise ConfigError(
                f"Dataset.num_classes = {num_classes}, but {source} has no labels; set it to None"
            )
        return None
    lowest, highest = int(labels.min()), int(labels.max())
    allowed = highest + 1 if num_classes is None else num_classes
    if lowest < 0 or highest >= allowed:
        raise ConfigError(
            f"labels of {source} must be 0 to {allowed - 1} (Dataset.num_classes = {num_classes}). "
            f"Received: {lowest} to {highest}"
        )
    return allowed
