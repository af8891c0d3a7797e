"""The labels of a folder or zip that StyleGAN's data tool made: `dataset.json` beside its images.

The file is {"labels": [["00000/img00000000.png", 6], ...]}, or {"labels": null} for none (StyleGAN2-ADA and
StyleGAN3, `dataset_tool`; their `training/dataset` reads it). Images lie in folders of 1,000, which are no classes.

Departures: entries may also be {"file": label}, and paths may have `\\`, or another Unicode form than the files'
names; labels that are no classes are refused.
"""

import logging
import posixpath

import numpy as np

from tfgans import readers
from tfgans.config import ConfigError
from tfgans.data.items import shown
from tfgans.data.labels import normal

FILE = "dataset.json"


def read_labels(path, names):
    """The labels of some images.

    Args:
        path: of the file. names: of the images, relative to its folder, with `/`.
    Returns: (int64 [n] or None if there are none, names of the classes or None). Vectors with a single 1 are classes,
        too; their length is the number of classes.
    Raises: ConfigError, one line with the file and the reason, for whatever cannot be read or is no class.
    """
    return labels_in(readers.read_json(path, "labels of images"), path, names)


def labels_in(content, path, names):
    """As `read_labels`, of the value that the JSON file `path` holds, be it in a zip."""
    found = _entries(content, path)
    if found is None:
        return None, None
    found = _called_as(names, found)
    missing = [name for name in names if found.get(name) is None]
    if len(missing) == len(names) and found and not any(name in found for name in missing):
        raise ConfigError(
            f"{path} is of other images: none of its {len(found)} is here, such as {shown(next(iter(found)))}"
        )
    if found and len(missing) == len(names):
        return None, None  # all are null
    if missing:
        raise ConfigError(
            f"{path} has no label for {len(missing)} of {len(names)} images, such as {shown(missing[0])}; "
            "Dataset.use_labels = False trains without labels"
        )
    extra = found.keys() - set(names)
    if extra:
        logging.getLogger(__name__).warning(
            "%s has labels of %d images that are not there, such as %s", path, len(extra), shown(min(extra))
        )
    return _classes(path, names, [found[name] for name in names])


def _entries(content, path):
    """{name: label}, or None if there are no labels."""
    if not isinstance(content, dict):
        raise ConfigError(f'{path} is not {{"labels": ...}}. Received: a {type(content).__name__}')
    if "labels" not in content:
        logging.getLogger(__name__).warning("%s has no entry labels: its images have none", path)
    labels = content.get("labels")
    if labels is None:
        return None
    pairs = list(labels.items()) if isinstance(labels, dict) else labels
    if not isinstance(pairs, list):
        raise ConfigError(
            f"{path}: labels is not a list of [file, label]. Received: a {type(labels).__name__}"
        )
    found = {}
    for number, pair in enumerate(pairs):
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ConfigError(
                f"{path}: entry {number} of labels is not [file, label]. Received: {readers.one_line(pair)[:60]}"
            )
        name = posixpath.normpath(pair[0].replace("\\", "/"))
        if name in found and found[name] != pair[1]:
            raise ConfigError(
                f"{path} has two labels of {shown(name)}: {str(found[name])[:40]} and {str(pair[1])[:40]}"
            )
        found[name] = pair[1]
    return found


def _called_as(names, found):
    """`found` with the names of files as the files have them, which may be in another Unicode form."""
    strange = {normal(name): name for name in found.keys() - set(names) if not name.isascii()}
    forms = {normal(name): name for name in names if strange and name not in found}
    places = {strange[form]: forms[form] for form in strange.keys() & forms.keys()}
    return {places.get(name, name): label for name, label in found.items()}


def _classes(path, names, labels):
    lengths = {len(label) if isinstance(label, list) else None for label in labels}
    if len(lengths) > 1:
        raise ConfigError(f"{path}: labels are of several kinds: {', '.join(sorted(map(_kind, lengths)))}")
    classes = [_class_of(label) for label in labels]
    if None in classes:
        number = classes.index(None)
        raise ConfigError(
            f"{path}: the label of {shown(names[number])} is no class: {str(labels[number])[:60]}. Classes "
            "are integers from 0, or vectors with a single 1; Dataset.use_labels = False trains without labels"
        )
    length = lengths.pop()
    return np.array(classes, np.int64), None if length is None else [str(k) for k in range(length)]


def _kind(length):
    return "integers" if length is None else f"vectors of {length}"


def _class_of(label):
    """The class that a label stands for, or None."""
    if isinstance(label, list):
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in label)
        return (
            label.index(1) if numbers and label.count(1) == 1 and label.count(0) == len(label) - 1 else None
        )
    if isinstance(label, bool) or not isinstance(label, int | float) or not 0 <= label < 2**31:
        return None
    return int(label) if label == int(label) else None
