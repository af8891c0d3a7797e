"""Diversity within classes: the Frechet distance and the recall of each class alone."""

import contextlib
import logging

import numpy as np

from tfgans import progress
from tfgans.config import ConfigError
from tfgans.data.labels import called, count_labels
from tfgans.evaluate import scores
from tfgans.evaluate.frechet import frechet_distance_of
from tfgans.evaluate.statistics import batches_of

logger = logging.getLogger(__name__)

_NEIGHBOURS = 3
LEAST = _NEIGHBOURS + 1  # images of a class that a recall needs
_MOST = 500
_LISTED = 20
_UNLABELLED = "the images to compare with have no labels"


class IntraClass:
    """Compares the images that a generator makes of each class with the real ones of that class.

    The Frechet distance within classes is that of Miyato and Koyama 2018 ("intra FID"), the recall is Kynkaanniemi
    et al.'s, 2019, with 3 neighbours. Both see a generator that makes much the same picture for all of a class, which
    a distance over all classes may not. FastGAN's Figs. 5 and 6 (Zhong et al. 2020) show such classes of RobGAN's
    loss; the paper has pictures of them and no numbers.

    A Frechet distance of few images is too large, the more so the fewer they are: a class of 500 images has nothing
    to do with a published FID of 50,000, and with fewer images than features even equal distributions are far
    apart. So every class is measured with the same number of images, as many real as generated ones, which stands
    beside the values, and only values of the same number compare. Real images are a sample fixed once for all of
    each class, and their features are computed at each call: no cache holds them. Memory: one class at
    a time. Cost: all those images are made, and they and as many real ones go through the extractor.

    Args:
        features: an extractor of `features.py`.
        samples: images of each class, at least 4; classes with fewer real ones are left out. None: as many as the
            smallest class of at least 4 has, at most 500.
        batch_size: images made at a time.
    """

    def __init__(self, features, samples, batch_size):
        self.features, self.samples, self.batch_size = features, samples, batch_size
        self._told = set()

    def check(self, dataset):
        """Raises ConfigError if the reference has labels, but no class with enough images, or labels out of range."""
        labels = self._labels(dataset)
        if labels is not None:
            self._chosen(labels, dataset)

    def __call__(self, of_class, dataset):
        """Measures.

        Args:
            of_class: `of_class(label)` -> `generate(count)`, whose successive calls continue one stream of images
                of that class; None for a generator without classes.
            dataset: has `num_classes`, `reference_labels()` (int [n] in [0, num_classes), or None) and
                `reference(indices=...)`, see `Dataset`; if it knows them, `class_names`.
        Returns: {} without classes, and a line in the log says so, once. Else `intra_fid` and `intra_recall`, the
            means over classes; `intra_fid_worst`, the largest, and `intra_recall_worst`, the smallest; nan where a
            class is not finite. `intra_samples`, images a class on either side; `intra_left_out`, the number of
            classes not measured, which the log names, once. With up to 20 classes `intra_fid_by_class` and
            `intra_recall_by_class`, lists [num_classes] with None for those left out.
        Raises: ConfigError as `check` does.
        """
        labels = None if of_class is None else self._labels(dataset)
        if labels is None:
            what = "the model has no classes" if of_class is None else _UNLABELLED
            self._tell(f"the metric intra_class: nothing is measured within classes: {what}")
            return {}
        count, chosen = self._chosen(labels, dataset)
        every = range(dataset.num_classes)
        distances, recalls = dict.fromkeys(every), dict.fromkeys(every)
        with progress.Bar("within classes", len(chosen), "class", leave=False) as bar:
            for label, indices in chosen.items():
                real = self._features(images for images, _ in dataset.reference(indices=indices))
                fake = self._features(batches_of(of_class(label), count, self.batch_size))
                distances[label], recalls[label] = _distance_and_recall(real, fake)
                bar.update()
        measured = [[values[label] for label in chosen] for values in (distances, recalls)]
        result = {
            "intra_fid": float(np.mean(measured[0])),
            "intra_fid_worst": float(np.max(measured[0])),
            "intra_recall": float(np.mean(measured[1])),
            "intra_recall_worst": float(np.min(measured[1])),
            "intra_samples": count,
            "intra_left_out": dataset.num_classes - len(chosen),
        }
        if dataset.num_classes <= _LISTED:
            result["intra_fid_by_class"] = list(distances.values())
            result["intra_recall_by_class"] = list(recalls.values())
        return result

    def _labels(self, dataset):
        find = getattr(dataset, "reference_labels", None)
        with _named():
            labels = None if find is None else find()
        return None if labels is None else np.asarray(labels)

    def _chosen(self, labels, dataset):
        """`(count, {class: indices [count] of its real images})` of the classes that are measured."""
        with _named():
            counts = count_labels(labels, dataset.num_classes)
        least = self.samples or LEAST
        there = counts[counts >= least]
        if not len(there):
            option = f"Evaluator.intra_samples = {self.samples}" if self.samples else "the metric intra_class"
            raise ConfigError(
                f"{option} needs {least} images of a class to compare with. The largest has {counts.max()}"
            )
        count = self.samples or min(int(there.min()), _MOST)
        short = np.flatnonzero(counts < least)
        if len(short):
            names = called(short, getattr(dataset, "class_names", None))
            self._tell(f"metrics within classes leave out {names}: fewer than {least} images to compare with")
        kept = np.flatnonzero(counts >= least)
        return count, {int(label): _sample(np.flatnonzero(labels == label), count) for label in kept}

    def _features(self, batches):
        return np.concatenate([self.features(images)["features"] for images in batches])

    def _tell(self, line):
        if line not in self._told:
            self._told.add(line)
            logger.warning("%s", line)


@contextlib.contextmanager
def _named():
    """Says of an error in labels who wanted them."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"the metric intra_class: {error}") from error


def _sample(indices, count):
    """`count` of the indices, chosen once for all, in their order."""
    return np.sort(np.random.RandomState(0).permutation(indices)[:count])


def _distance_and_recall(real, fake):
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        return float("nan"), float("nan")
    return frechet_distance_of(real, fake), scores.precision_recall(real, fake, _NEIGHBOURS)[1]
