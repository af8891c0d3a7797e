"""`launch/classifier.py`: a classifier of labelled data, whose features measure images of the same kind."""

import logging
import os
import re
from pathlib import Path

import numpy as np

from tfgans import config, files
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.items import shown
from tfgans.evaluate import classifier
from tfgans.run import build
from tfgans.run.flag_bindings import source_of
from tfgans.run.places import refuse_other_file

logger = logging.getLogger(__name__)

_BATCH = 64
_HELD_OUT = 0.1
_NAMED = 3  # of the worst classes


def train(source, output, epochs=15, seed=0, test=None, width=None, gin_params=(), **data):
    """Trains a classifier and writes its file.

    Args:
        source: what to train on, as `--data` of training: a folder of a folder a class, an npz file, `digits`, ...
        output: the `.keras` file.
        epochs: passes over the images. seed: of all that is drawn.
        test: another source, whose images are for the accuracy alone; None: the split `test` of `source`, or a tenth
            of each class where there is none.
        width: of the features, at least 16; 128 if None.
        gin_params: bindings of `Dataset`. data: `resolution`, `channels`, `flip`, and `batch_size`, which is
            64 if None, or all images if there are less.
    Returns: what the file says of the classifier, and `output`.
    Raises: ConfigError, in one line, before training, for data without two classes and an output that cannot be.
    """
    output = _writable(output)
    options = {name: value for name, value in data.items() if value is not None}
    options |= {} if test is None else {"evaluation_source": source_of(test, "--test_data")}
    build.prepare([], gin_params)
    with build.explained():
        dataset = Dataset(source_of(source), **options)
        config.refuse_unused()
        _check(dataset)
        rest, held_out, labelled = _parts(dataset, seed)
        if "batch_size" not in options and not config.is_bound("Dataset", "batch_size"):
            rest.batch_size = min(_BATCH, rest.num_examples)
        rest.check(1)
    logger.info("%d images of %d classes, %s held out", rest.num_examples, rest.num_classes, labelled)
    model = classifier.train(rest, epochs, seed, width or classifier.WIDTH)
    of_classes, accuracy = classifier.accuracies(model, held_out(), rest.num_classes)
    about = _about(rest, output, of_classes, accuracy) | {
        "held_out": labelled,
        "epochs": epochs,
        "seed": seed,
    }
    _tell(about)
    classifier.save(model, output, about)
    return about | {"file": str(output)}


def _writable(output):
    path = Path(files.expanded(output))
    if path.suffix != ".keras":
        raise ConfigError(f"--output is a file whose name ends in .keras. Received: {str(output)!r}")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        why = "it is a folder" if path.is_dir() else f"{path.parent} is no folder that can be written to"
        raise ConfigError(f"--output={output} cannot be written: {why}")
    refuse_other_file(path, f"--output={output}", "a classifier", classifier.read_about)
    return path


def _check(dataset):
    if dataset.modes is not None:
        raise ConfigError(f"{dataset.source} has points: a classifier is of images")
    if dataset.labels is None:
        raise ConfigError(
            f"{dataset.source} has no labels: a folder has a folder a class, an npz file an array `labels`"
        )
    if dataset.num_classes < 2:
        raise ConfigError(f"{dataset.source} has one class alone: a classifier needs two")
    dataset.check_classes()
    height, width, channels = dataset.item_shape
    if height != width:
        raise ConfigError(
            f"the images are {config.size_words((height, width))}: give --resolution, for squares"
        )
    if channels not in (1, 3):
        raise ConfigError("the images have alpha as a channel: a classifier is of gray (1) or RGB images (3)")


def _parts(dataset, seed):
    """`(data set to train on, function that gives the held-out batches, their number)`."""
    other = dataset.evaluation_source is not None or dataset.reference_split() != dataset.split
    labels = dataset.reference_labels() if other else None
    if labels is not None and (labels >= 0).any():

        def held_out():
            start = 0
            for images, _ in dataset.reference():
                yield images, labels[start : start + len(images)]
                start += len(images)

        return dataset, held_out, int((labels >= 0).sum())
    if dataset.evaluation_source is not None:
        raise ConfigError(f"the images to test with, {dataset.evaluation_source}, have no labels")
    if np.unique(dataset.labels, return_counts=True)[1].max() < 2:
        raise ConfigError(
            f"{dataset.source} has one image of each class, and none to hold out: give images by --test_data"
        )
    rest, held = dataset.without(_HELD_OUT, seed)
    return rest, held.examples, held.num_examples


def _about(dataset, output, of_classes, accuracy):
    names = dataset.class_names or [str(number) for number in range(dataset.num_classes)]
    return {
        "name": re.sub(r"[^\w.-]+", "_", output.stem),
        "class_names": list(names),
        "accuracy": accuracy,
        "class_accuracy": [None if np.isnan(value) else float(value) for value in of_classes],
        "images": dataset.num_examples,
        "data": dataset.contents().fingerprint,
    }


def _tell(about):
    pairs = zip(about["class_accuracy"], about["class_names"], strict=True)
    known = sorted((value, name) for value, name in pairs if value is not None)
    worst = ", ".join(f"{shown(name)} {value:.4f}" for value, name in known[:_NAMED])
    mean = np.mean([value for value, _ in known])
    logger.info(
        "accuracy %.4f of held-out images; mean of classes %.4f, worst: %s", about["accuracy"], mean, worst
    )
