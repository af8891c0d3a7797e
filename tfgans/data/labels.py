"""Labels and the names of classes: counted, sorted, looked up, and refused where a class has no image."""

import difflib
import logging
import re
import unicodedata

import numpy as np

from tfgans.config import ConfigError
from tfgans.data.items import shown

logger = logging.getLogger(__name__)

_NAMED = 10  # classes that a message names


def natural(name):
    """Key that sorts names as people do: runs of digits are numbers, so that 2 is before 10.

    Numbers go before letters; of two names that differ in leading zeros alone, 001 is before 1.
    """
    parts = re.split("([0-9]+)", name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def normal(name):
    """A name in Unicode's composed form: macOS's disks and archives have the decomposed one of the same name."""
    return unicodedata.normalize("NFC", name)


def same_names(first, second):
    """Whether two lists of names, or None, are the same in whatever Unicode form."""
    return [normal(name) for name in first or ()] == [normal(name) for name in second or ()]


def count_labels(labels, num_classes):
    """How many labels each class has: int64 [num_classes].

    Pure: for whoever trains on arrays or a `tf.data` set, and hands the sum over all batches to
    `GAN.follow_labels`.

    Args:
        labels: [n] or [n, 1], integers, or floats without a fraction, in [0, num_classes).
    Raises: ConfigError, one line, for labels of another kind or range.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iuf":
        raise ConfigError(f"labels must be integers [n]. Received: {labels.dtype} {list(labels.shape)}")
    wrong = labels[~((labels >= 0) & (labels < num_classes) & (labels == np.floor(labels)))]
    if wrong.size:
        raise ConfigError(
            f"labels are integers in [0, {num_classes}) (GAN.num_classes = {num_classes}). "
            f"Received: {wrong[0]} ({wrong.size} of {labels.size} labels are outside)"
        )
    return np.bincount(labels.astype(np.int64), minlength=num_classes)


def listed(names):
    """Names for a message, on its one line: at most ten of them."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(shown, names[:_NAMED])) + more


def find_class(wanted, names, count):
    """The index of a class that is called by name or by index, or None.

    A name goes before an index: of the classes 1, 2, 3 the text `1` is the first, and 0 is so, too, as no class is
    called that. Names written in another Unicode form count as equal.

    Args:
        wanted: text or integer. names: of the classes, or None. count: number of classes.
    """
    if isinstance(wanted, str) and names:
        if wanted in names:
            return list(names).index(wanted)
        same = [k for k, name in enumerate(names) if normal(name) == normal(wanted)]
        if same:
            return same[0]
    if isinstance(wanted, str) and re.fullmatch("[0-9]{1,18}", wanted):
        wanted = int(wanted)
    whole = isinstance(wanted, int | np.integer) and not isinstance(wanted, bool)
    return int(wanted) if whole and 0 <= wanted < count else None


def chosen_classes(labels, names, count):
    """Labels given by a user, int32 [n]: indices in [0, count), or names where the classes have some.

    Raises: ConfigError for what is neither, with the nearest name.
    """
    given = labels if isinstance(labels, list | tuple) else np.atleast_1d(np.asarray(labels)).tolist()
    wanted = [k.item() if isinstance(k, np.generic) else k for k in given]
    wanted = [int(k) if isinstance(k, float) and k.is_integer() else k for k in wanted]
    found = [find_class(k, names, count) for k in wanted]
    if wanted and None not in found:
        return np.array(found, np.int32)
    words = [k for k, index in zip(wanted, found, strict=True) if index is None and not _is_number(k)]
    if not words:
        shown = ", ".join(str(k) for k in wanted)
        raise ConfigError(f"labels are in [0, {count}). Received: [{shown}]")
    allowed = f"0 to {count - 1}" + (
        f" or {listed(list(names))}" if names else "; this run has no names of classes"
    )
    raise ConfigError(
        f"labels is a list of integers or class names. Received: {words[0]!r}{nearest(words[0], names)}. "
        f"Allowed: {allowed}"
    )


def nearest(word, names):
    """`; did you mean 'dog'?` if one of the names is close to a word, else nothing."""
    by_key = {normal(name).casefold(): name for name in names or ()}
    found = difflib.get_close_matches(normal(str(word)).casefold(), list(by_key), 1)
    return f" (did you mean {by_key[found[0]]!r}?)" if found else ""


def number_of_classes(labels, names, num_classes, source, use_labels=True):
    """The number of classes of a data set, or None without labels: `num_classes`, else what its labels and names say.

    Raises: ConfigError if a label is out of range, or there are more classes than `num_classes`.
    """
    if labels is None:
        if num_classes is not None:
            why = "" if use_labels else " as Dataset.use_labels is False"
            raise ConfigError(
                f"Dataset.num_classes = {num_classes}, but {source} has no labels{why}; set it to None"
            )
        return None
    lowest, highest = int(labels.min()), int(labels.max())
    if names and highest >= len(names):
        raise ConfigError(f"labels of {source} go up to {highest}, but it has {len(names)} names of classes")
    known = max(highest + 1, len(names or ()))
    allowed = known if num_classes is None else num_classes
    if lowest >= 0 and names and known > allowed:
        raise ConfigError(
            f"{source} has {known} classes ({listed(list(names))}), and Dataset.num_classes = {num_classes}: set "
            f"num_classes = {known} (Dataset.num_classes and GAN.num_classes), or choose some with Dataset.classes"
        )
    if lowest < 0 and num_classes is None:
        raise ConfigError(f"labels of {source} must be 0 or more. Received: {lowest} to {highest}")
    if lowest < 0 or highest >= allowed:
        hint = "; labels begin at 0: subtract 1" if lowest == 1 and highest == allowed else ""
        raise ConfigError(
            f"labels of {source} must be 0 to {allowed - 1} (Dataset.num_classes = {num_classes}). "
            f"Received: {lowest} to {highest}{hint}"
        )
    return allowed


def as_int32(labels, source):
    """Labels of any integer type, as int32. Raises ConfigError if one does not fit."""
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < -(2**31) or highest >= 2**31:
        raise ConfigError(f"labels of {source} must be below 2**31. Received: {lowest} to {highest}")
    return labels.astype(np.int32)


def refuse_absent(source, stages, names, num_classes):
    """Raises ConfigError if a class has no image, naming it, why it has none, and what to do.

    Args:
        stages: [(labels, cause, remedy)], of less and less images, the last of those that are trained on; cause and
            remedy are of a class that has images before a stage and none after it. The first are the source's, whose
            remedy is found here.
    """
    absent, parts, remedies = absent_classes(stages[-1][0], num_classes), [], []
    if not len(absent):
        return
    for number, (labels, cause, remedy) in enumerate(stages):
        gone = np.intersect1d(absent, absent_classes(labels, num_classes))
        absent = np.setdiff1d(absent, gone)
        if len(gone):
            parts.append(f"{called(gone, names)} ({cause})")
            remedies.append(remedy if number else _remedy_at_source(labels, gone, names))
    if parts:
        present = np.unique(stages[-1][0])
        others = [names[k] if names and k < len(names) else int(k) for k in present]
        some = f" = {others}" if len(others) <= _NAMED else ""
        remedies.append(f"train on the others alone (Dataset.classes{some} with num_classes = {len(others)})")
        raise ConfigError(
            f"{source} has no image to train on of {' and '.join(parts)}: {', or '.join(remedies)}"
        )


def _remedy_at_source(labels, gone, names):
    lowest, known = int(labels.min()), max(int(labels.max()) + 1, len(names or ()))
    if gone[0] >= known:
        return f"set num_classes = {known} (Dataset.num_classes and GAN.num_classes)"
    return "add some" if names or lowest != 1 else "subtract 1 from the labels, which begin at 0"


def absent_classes(labels, num_classes):
    """The classes, in order, that no label is of."""
    return np.setdiff1d(np.arange(num_classes), labels)


def kinds_of(items, indices, kept):
    """(labels [n] of the images that are used, class names), whether they are trained with or not; None if unknown.

    Args:
        items: of a source. indices: which of them, or None for all. kept: which of those could be read.
    """
    try:
        labels, names = items.labels, items.class_names
    except ConfigError:
        return None, None  # nobody trains with them, so what is wrong with them does not matter
    if labels is None:
        return None, None
    labels = np.asarray(labels)
    return (labels if indices is None else labels[indices])[kept], names


def tell_lost(source, kinds, names, indices, fraction, order):
    """Warns of classes of which a fraction takes nothing: where nobody trains with classes they are not refused.

    Args:
        kinds, names: see `kinds_of`. indices: what the fraction takes. order: `Dataset.fraction_order`.
    """
    lost = () if kinds is None else np.setdiff1d(kinds, kinds[indices])
    if len(lost):
        hint = "; Dataset.fraction_order = 'random' takes of all" if order == "first" else ""
        line = "%s: Dataset.fraction = %g takes no image of %s%s"
        logger.warning(line, source, fraction, called(lost, names), hint)


def called(classes, names):
    """Classes for a message, by index and name: `class 1 ('dog')`, `classes 3 to 9`."""
    plural = "classes" if len(classes) > 1 else "class"
    if names:
        return f"{plural} " + listed([f"{k} ({names[k]!r})" if k < len(names) else str(k) for k in classes])
    runs = np.split(classes, np.flatnonzero(np.diff(classes) != 1) + 1)
    ends = [(run[0], run[-1]) for run in runs]
    return f"{plural} " + listed([f"{a}" if a == b else f"{a} to {b}" for a, b in ends])


def _is_number(word):
    return isinstance(word, int | float) or re.fullmatch("[+-]?[0-9.]+", str(word)) is not None
