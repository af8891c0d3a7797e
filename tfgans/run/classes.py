"""The classes of a run: those of its data, which its model draws labels of; kept in its folder as `classes.json`.

The file is {"num_classes": K, "names": [K texts] or null, "counts": [K training images], "balance": bool}, so that
`evaluate` and `generate`, which need no training data, know names and shares.
"""

import json
import logging
from pathlib import Path

from tfgans import files, readers
from tfgans.config import ConfigError
from tfgans.data.labels import listed, same_names

FILE = "classes.json"
logger = logging.getLogger(__name__)


def check(model, dataset):
    """Raises ConfigError if a conditional model does not fit the classes of a data set, or one has no image."""
    classes = model.num_classes
    if not classes:
        return
    if dataset.num_classes is None:
        why = "Dataset.use_labels is False" if not dataset.use_labels else f"{dataset.source} has no labels"
        raise ConfigError(
            f"GAN.num_classes is {classes}, the data has no classes ({why}): without, set num_classes = None"
        )
    if dataset.num_classes != classes:
        names = f" ({listed(list(dataset.class_names))})" if dataset.class_names else ""
        raise ConfigError(
            f"GAN.num_classes is {classes}, the data has {dataset.num_classes} classes{names}: set "
            f"num_classes = {dataset.num_classes} (Dataset.num_classes and GAN.num_classes)"
        )
    dataset.check_classes()


def check_compared(model, dataset, measures):
    """Raises ConfigError if generated images of a class would be compared with real ones of another.

    Classes are numbered in the order of their names, and a folder may have got others since a run was trained on it.

    Args:
        model: with the names of its run's classes. measures: names of what goes by class.
    """
    ours, theirs = model.class_names, dataset.class_names
    if not (measures and ours and theirs) or same_names(ours, theirs):
        return
    chosen = (
        f"; Dataset.classes = {list(ours)} brings them into its order" if set(ours) <= set(theirs) else ""
    )
    raise ConfigError(
        f"{' and '.join(measures)} compares each class with its own: the run has the classes {listed(list(ours))}, "
        f"{dataset.source} has {listed(list(theirs))}{chosen}"
    )


def follow(model, dataset):
    """Lets a conditional model draw labels as training batches of a data set have them."""
    if model.num_classes:
        _follow(model, dataset.class_names, dataset.label_counts, dataset.balance)


def save(folder, model, dataset):
    """Writes the file of a conditional model's run, whole or not at all."""
    if model.num_classes:
        record = {
            "num_classes": model.num_classes,
            "names": None if dataset.class_names is None else list(dataset.class_names),
            "counts": dataset.label_counts.tolist(),
            "balance": dataset.balance,
        }
        files.write_text(Path(folder) / FILE, json.dumps(record) + "\n")


def restore(folder, model):
    """Lets the model of a finished run draw labels as in training; of an older run, without the file, uniformly."""
    if not model.num_classes:
        return
    record = read(folder)
    if record is None:
        if model.label_distribution == "data" and not model.shares_are_given:
            logger.info("%s has no %s, as runs of older versions: labels are drawn uniformly", folder, FILE)
        return
    if record["num_classes"] != model.num_classes:
        raise ConfigError(
            f"{Path(folder) / FILE} is of {record['num_classes']} classes, but GAN.num_classes = {model.num_classes}"
        )
    _follow(model, record["names"], record["counts"], record["balance"])


def read(folder):
    """What the file in a folder says, a dictionary, or None if there is none.

    Raises: ConfigError naming the file if it is damaged.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    record = readers.read_json(path, "the classes of a run")
    with readers.reading(path, "the classes of a run"):
        _check(record)
    return record


def beside(gin_files):
    """{"classes": {"names", "counts"}} if one of the files is a run's own, with its classes beside it, else {}."""
    for path in gin_files:
        record = read(Path(path).parent)
        if record is not None:
            return {"classes": {name: record[name] for name in ("names", "counts")}}
    return {}


def _check(record):
    if not isinstance(record, dict):
        raise ValueError("it is not an object")
    count, names, counts, balance = (record[k] for k in ("num_classes", "names", "counts", "balance"))
    if not _is_count(count) or not isinstance(balance, bool):
        raise ValueError("num_classes is an integer and balance true or false")
    if not (isinstance(counts, list) and len(counts) == count and all(map(_is_count, counts))):
        raise ValueError(f"counts are {count} integers")
    texts = isinstance(names, list) and len(names) == count and all(isinstance(name, str) for name in names)
    if names is not None and not texts:
        raise ValueError(f"names are {count} texts, or null")


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _follow(model, names, counts, balance):
    model.class_names = None if names is None else tuple(names)
    model.follow_labels(None if balance else counts)
