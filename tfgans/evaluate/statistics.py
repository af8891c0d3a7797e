"""What an evaluation keeps of a stream of images: moments of all, features of a few; and its cache."""

import hashlib
import json
import logging
import os
from pathlib import Path

import numpy as np

from tfgans import files, progress, readers
from tfgans.config import ConfigError, first_line
from tfgans.evaluate.frechet import Moments, save_arrays

logger = logging.getLogger(__name__)

_FORMAT = 1


class Statistics:
    """Moments of every feature vector of a set, and up to `keep` vectors themselves in random order.

    Attributes: `moments`; `kept` float32 [min(keep, n), d]; `images`, their number, or None where it is not known;
        `size`, their (height, width), likewise.
    """

    def __init__(self, moments, kept, counted=True, size=None):
        self.moments, self.kept, self.images = moments, kept, moments.count if counted else None
        self.size = size

    @property
    def finite(self):
        return bool(np.isfinite(self.moments.mean).all() and np.isfinite(self.kept).all())

    def save(self, path):
        save_arrays(path, {**self.moments.arrays(), "kept": self.kept})

    @classmethod
    def load(cls, path):
        """What `save` wrote. Raises: ConfigError, in one line, if the file is damaged."""
        arrays = readers.read_npz(path, "statistics")
        with readers.reading(path, "statistics"):
            statistics = cls(Moments.from_arrays(arrays), np.asarray(arrays["kept"], np.float32))
            if statistics.kept.shape[1:] != statistics.moments.mean.shape:
                raise ValueError("its arrays are of different widths")
        return statistics


def collect(extract, batches, total, keep, seed=0, watch=None, label="evaluating"):
    """Runs a stream of images through a feature extractor.

    Args:
        extract: images -> {"features": [n, d], "logits": [n, k] (optional)}.
        batches: iterable of image arrays, `total` images in all.
        total: length of the stream, > 0.
        keep: how many feature vectors to keep, chosen and ordered at random by `seed`.
        watch: called with every batch's (images, outputs), if given.
        label: shown by the progress bar.
    Returns: Statistics.
    Raises: ConfigError if another number of images comes.
    """
    places = _places(total, keep, seed)
    moments = kept = None
    seen = 0
    with progress.Bar(label, total, "image", leave=False) as bar:
        for images in batches:
            outputs = extract(images)
            features = outputs["features"]
            if moments is None:
                moments = Moments(features.shape[1])
                kept = np.empty((min(keep, total), features.shape[1]), np.float32)
            if seen + len(features) > total:
                raise ConfigError(f"{label}: more than the {total} images announced")
            with np.errstate(invalid="ignore", over="ignore"):  # reported as null by the evaluator
                moments.update(features)
            place = places[seen : seen + len(features)]
            kept[place[place >= 0]] = features[place >= 0]
            if watch:
                watch(images, outputs)
            seen += len(features)
            bar.update(len(features))
    if seen != total:
        raise ConfigError(f"{label}: {seen} images came of the {total} announced")
    return Statistics(moments, kept)


def batches_of(generate, total, batch_size):
    """Yields `total` samples of `generate(count)`, at most `batch_size` at a time.

    Raises: ConfigError if another shape, type or number of samples comes.
    """
    for start in range(0, total, batch_size):
        count = min(batch_size, total - start)
        samples = np.asarray(generate(count))
        images = samples.ndim == 4 and samples.dtype == np.uint8
        points = samples.ndim == 2 and np.issubdtype(samples.dtype, np.floating)
        if len(samples) != count or not (images or points):
            raise ConfigError(
                f"generate({count}) must return uint8 [{count}, H, W, C] or float points [{count}, d]. "
                f"Received: {samples.dtype} {samples.shape}"
            )
        yield samples


def _places(total, keep, seed):
    """For each position in the stream, its row among the kept ones, or -1."""
    order = kept_items(total, keep, seed)
    places = np.full(total, -1)
    places[order] = np.arange(len(order))
    return places


def kept_items(total, keep, seed=0):
    """Which items of a stream of `total` the rows of `Statistics.kept` are of, int [min(keep, total)].

    The seed is the one of `collect`; 0 for those of `cached_reference`.
    """
    return np.random.RandomState(seed).permutation(total)[:keep]


def cached_reference(dataset, features, keep, cache_dir=None):
    """Statistics of a dataset's reference images, from the cache when the content is the same.

    The file's name is a hash of the dataset's fingerprint, the extractor's name and weights, and `keep`.
    A file that cannot be read is computed again and replaced; a folder that cannot be written to costs
    a warning and the time to compute them at the next evaluation.

    Args:
        dataset: has `reference()` (iterator of (images, labels)), `reference_size()`, `fingerprint()`.
        features: an extractor of `features.py`.
        keep: how many feature vectors to keep.
        cache_dir: folder; None is `$XDG_CACHE_HOME/tfgans` or `~/.cache/tfgans`.
    """
    total = dataset.reference_size()
    content = [_FORMAT, str(dataset.fingerprint()), features.name, features.fingerprint(), keep]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]
    path = _cache_file(cache_dir, f"reference-{features.name}-{key}.npz")
    if path is not None and os.path.exists(
        path
    ):  # false, and no error, in a folder that cannot be looked into
        try:
            statistics = Statistics.load(path)
            if statistics.moments.count == total and len(statistics.kept) == min(keep, total):
                return statistics
            reason = f"{path} holds another number of images"
        except ConfigError as error:
            reason = first_line(error)
        logger.warning("cached statistics are computed again: %s", reason)
    images = (batch for batch, _ in dataset.reference())
    statistics = collect(features, images, total, keep, seed=0, label="reference images")
    if path is not None:
        with files.if_possible("the cache of reference statistics"):
            statistics.save(path)
    return statistics


def _cache_file(cache_dir, name):
    """The path of a cached file; None, with a line in the log, where there is no place for one."""
    with files.if_possible("the cache of reference statistics"):
        return (Path(files.expanded(cache_dir)) if cache_dir else files.user_cache()) / name
    return None
