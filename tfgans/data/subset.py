"""Which items of a split take part: some classes, a fraction, one of two halves."""

import math
from pathlib import Path

import numpy as np

from tfgans import readers
from tfgans.config import ConfigError
from tfgans.data import philox
from tfgans.data.labels import find_class, listed, nearest
from tfgans.files import expanded


def read_classes(path):
    """Classes of a text file, one a line, by name or index; empty lines and those that begin with # are left out.

    Raises: ConfigError if the file cannot be read or names no class.
    """
    path = expanded(path)
    try:
        with readers.reading(path, "a list of classes"):
            lines = Path(path).read_text(encoding="utf-8").splitlines()
    except ConfigError as error:
        raise ConfigError(
            f"Dataset.classes_file must be a text file with a class a line. Received: {path!r} "
            f"({readers.reason(error.__cause__)})"
        ) from error
    classes = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if not classes:
        raise ConfigError(f"Dataset.classes_file {path!r} names no class")
    return classes


def classes_given(classes, path):
    """The classes of `Dataset.classes` or of the file `Dataset.classes_file`; None if neither is given.

    Raises: ConfigError if both are, and as `read_classes`.
    """
    if path is None:
        return classes
    if classes is not None:
        raise ConfigError("Dataset.classes and Dataset.classes_file exclude each other: one is None")
    return read_classes(path)


def items_of_classes(items, classes, use_labels, title, split, least=0):
    """As `select_classes`, of the items of a source, and the number of classes that is known by now.

    Labels are looked at if they are used or choose: else what is wrong with them does not matter.

    Args:
        use_labels: whether labels and names are returned.
        title, split: what messages call the source, and which of its splits the items are.
    Raises: ConfigError if no item is of these classes, too.
    """
    wanted = use_labels or classes is not None
    given = (items.labels, items.class_names) if wanted else (None, None)
    known = classes_known(*given, least)
    indices, labels, names = select_classes(*given, classes, known)
    if indices is not None and not len(indices):
        raise ConfigError(f"{title} has no image of Dataset.classes = {classes} in split {split!r}")
    return (indices, labels, names) if use_labels else (indices, None, None), known


def select_classes(labels, class_names, classes, least=0):
    """The items of some classes, relabelled 0, 1, ... in the order of `classes`.

    Args:
        labels: integers [n] or None. class_names: list or None.
        classes: list of class indices or names (an index as text counts where no class is called that);
            None keeps everything.
        least: the number of classes is at least this, as another split of the data has shown.
    Returns: (indices of the items [m] or None for all, labels [m] or None, class names or None).
    Raises: ConfigError if a class is unknown or repeated, or there are no labels to choose by.
    """
    if classes is None:
        return None, labels, class_names
    if labels is None:
        raise ConfigError(f"Dataset.classes = {list(classes)} needs labels, and the source has none")
    known = classes_known(labels, class_names, least)
    chosen = [_class_index(name, class_names, known) for name in classes]
    if not chosen or len(set(chosen)) < len(chosen):
        repeated = [name for name, k in zip(classes, chosen, strict=True) if chosen.count(k) > 1]
        raise ConfigError(
            f"Dataset.classes must be different classes, at least one. Received: {repeated[:20]}"
        )
    indices = np.flatnonzero(np.isin(labels, chosen))
    places = np.zeros(known, np.int32)
    places[chosen] = np.arange(len(chosen))
    return indices, places[labels[indices]], [class_names[k] for k in chosen] if class_names else None


def classes_known(labels, class_names, least=0):
    """The number of classes that labels (or None) and names (or None) tell of."""
    highest = -1 if labels is None or not len(labels) else int(np.max(labels))
    return max(least, highest + 1, len(class_names or ()))


def _class_index(name, class_names, known):
    index = find_class(name, class_names, known)
    if index is not None:
        return index
    names = f" or one of {listed(class_names)}" if class_names else ""
    raise ConfigError(
        f"Dataset.classes has an unknown class {name!r}{nearest(name, class_names)}. "
        f"Allowed: 0 to {known - 1}{names}"
    )


def select_fraction(indices, fraction, order, seed):
    """The first floor(fraction * n) of `indices`, or as many at `random`, in their old order.

    With one seed, smaller random fractions are contained in larger ones.
    """
    count = math.floor(fraction * len(indices) + 1e-9)  # 0.29 * 100 is 28.999...
    if count == 0:
        raise ConfigError(f"Dataset.fraction = {fraction} leaves nothing of {len(indices)} images")
    if order == "first" or count == len(indices):
        return indices[:count]
    return indices[np.sort(philox.permutation(len(indices), seed, philox.FRACTION)[:count])]


def select_half(indices, half, order="random", seed=0):
    """One of two disjoint halves of `indices`: half 0 has floor(n / 2) of them, half 1 the others; None: both."""
    if half is None:
        return indices
    if len(indices) < 2:
        raise ConfigError(f"Dataset.half = {half} needs at least 2 images. Received: {len(indices)}")
    middle = len(indices) // 2
    count = len(indices)
    chosen = philox.permutation(count, seed, philox.HALF) if order == "random" else np.arange(count)
    return indices[np.sort(chosen[middle:] if half else chosen[:middle])]


def hold_out(labels, share, seed):
    """Which of some images are held out: bool [n], of each class about `share`, drawn at random.

    Of a class of two images or more at least one is held out, and one is not.
    """
    held = np.zeros(len(labels), bool)
    order = philox.permutation(len(labels), seed, philox.HELD_OUT)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        count = min(max(1, round(share * len(members))), len(members) - 1)
        held[members[:count]] = True
    return held
