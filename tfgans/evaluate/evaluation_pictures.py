"""The pictures of an evaluation: `nearest.png`, `map.png`, `precision_recall.png`, `fid_by_samples.png`.

And `curves.json`, the numbers of the last two. What cannot be drawn is left out with a line in the log.
"""

import json
import logging
from pathlib import Path

import numpy as np

from tfgans import files, progress
from tfgans.evaluate import evaluation_figures, figure_style, frechet, nearest_images, prd, principal
from tfgans.evaluate.evidence import COLUMNS, KEPT
from tfgans.evaluate.statistics import cached_reference, kept_items

logger = logging.getLogger(__name__)

_OF_CURVE, _OF_MAP = 5000, 500  # a side
_LEAST_OF_CURVE = 2 * prd.CLUSTERS
_SMALLER = (0.1, 0.2, 0.4, 0.7)  # parts of the fewest samples of the line, to show what it leaves out
_LEAST_OF_LINE, _LEAST_OF_MAP = 30, 10


class _LeftOut(Exception):
    """Why a picture cannot be drawn."""


def folder_of_step(model_dir, step):
    """Where the pictures of one step of a run are."""
    return Path(model_dir) / "evaluation" / f"step_{step:08d}"


def draw(folder, evidence, extractor, real=None, cache_dir=None, called="training images"):
    """Writes the pictures into a folder, which is made; those that cannot be drawn are removed if they are there.

    Args:
        evidence: `evidence.Evidence`.
        extractor: of its features.
        real: where the real images are, for `nearest.png`: `Dataset` (the images trained on); None if nowhere.
        cache_dir: of the features of training images, see `cached_reference`.
        called: what the images of `real` are.
    Raises: OSError where it cannot write.
    """
    folder, curves = Path(files.expanded(folder)), {"features": extractor.name}
    folder.mkdir(parents=True, exist_ok=True)
    files.remove_partial(folder)
    makers = {
        "nearest": lambda: _nearest(evidence, _training(evidence, extractor, real, cache_dir), called),
        "map": lambda: _map(evidence, extractor.name),
        "precision_recall": lambda: _precision_recall(evidence, curves),
        "fid_by_samples": lambda: _fid_by_samples(evidence, curves),
    }
    with progress.phase("drawing"):
        for name, make in makers.items():
            path = folder / f"{name}.png"
            try:
                figure_style.save(path, make())
            except _LeftOut as reason:
                logger.warning("%s is left out: %s", path.name, reason)
                path.unlink(missing_ok=True)
    files.write_text(folder / "curves.json", json.dumps(curves) + "\n")
    logger.info("pictures: %s", folder)


def _training(evidence, extractor, real, cache_dir):
    """`(features, images, how many there are)`: of images trained on, in one order, as many as are kept."""
    if real is None:
        raise _LeftOut("statistics hold no images")
    if not len(evidence.images):
        raise _LeftOut("it is for images, and these are points")
    training = real.trained_on()
    total, statistics = training.reference_size(), evidence.reference
    if training.fingerprint() != real.fingerprint():  # evaluated against others, such as a test split
        keep = max(KEPT, len(statistics.kept))
        training = real.trained_on(keep)
        statistics = cached_reference(training, extractor, keep, cache_dir)
    items = kept_items(training.reference_size(), len(statistics.kept))
    return statistics.kept, training.part(items), total


def _nearest(evidence, training, called):
    kept, images, total = training
    found = {}
    if _unfit(kept, evidence.features) is None:
        found["features"] = nearest_images.in_features(evidence.features, kept)
    shape = next(images.reference(np.arange(1)))[0].shape[1:]
    if shape == evidence.images.shape[1:]:
        found["pixels"] = nearest_images.in_pixels(evidence.images, images)
    if not found:
        raise _LeftOut(f"{_unfit(kept, evidence.features)}, and images are of two shapes")
    way, count = next(iter(found)), len(evidence.images)
    chosen = {
        f"The most similar of {count} generated images (by {way})": np.argsort(found[way].distances)[
            :COLUMNS
        ],
        "The first generated images": np.arange(min(count, COLUMNS)),
    }
    groups = {
        title: [("generated", evidence.images[rows], None), *_rows(found, rows, images)]
        for title, rows in chosen.items()
    }
    many = f"{len(kept):,} of {total:,}" if len(kept) < total else f"{total:,}"
    return evaluation_figures.nearest(groups, f"Nearest {called} ({many} searched)")


def _rows(found, rows, images):
    """The training images nearest to some generated ones: a row of the figure for each way to measure."""
    for way, neighbours in found.items():
        ratios = neighbours.ratios()[rows]
        numbers = ratios if np.isfinite(ratios).all() else None
        nearest = np.concatenate([batch for batch, _ in images.reference(neighbours.items[rows])])
        yield f"nearest\nby {way}", nearest, numbers


def _sides(evidence, least, most):
    """Features of real and of generated images, [n, F] and [m, F]; `least` to `most` of each."""
    sides = [statistics.kept[:most] for statistics in (evidence.reference, evidence.sample)]
    if not len(sides[0]) and evidence.reference.moments.count:
        raise _LeftOut("these statistics hold mean and covariance alone")
    few = min(map(len, sides))
    if few < least:
        raise _LeftOut(f"it needs {least} images a side, and there are {few}")
    _check(*sides)
    return sides


def _unfit(*features):
    """Why nothing can be told from these sets of features, or None."""
    if not all(np.isfinite(each).all() for each in features):
        return "the features are not all finite"
    if all((each == features[0][0]).all() for each in features):
        return "all images have the same features"
    return None


def _check(*features):
    reason = _unfit(*features)
    if reason is not None:
        raise _LeftOut(reason)


def _map(evidence, name):
    real, fake = _sides(evidence, _LEAST_OF_MAP, _OF_MAP)
    size = min(len(real), len(fake))
    real, fake = real[:size], fake[:size]
    both = np.concatenate([real, fake])
    if both.shape[1] == 2:
        return evaluation_figures.feature_map([("the points", real, fake, ("x", "y"))], name)
    if both.shape[1] < 2:
        raise _LeftOut("features of one number make no map")
    scores, shares = principal.principal_components(both, 2)
    labels = tuple(
        f"{nth} component ({share:.0%} of variance)"
        for nth, share in zip(("first", "second"), shares, strict=True)
    )
    near = principal.neighbour_map(both)
    maps = [("PCA", scores[: len(real)], scores[len(real) :], labels),
            ("t-SNE", near[: len(real)], near[len(real) :], None)]  # fmt: skip
    return evaluation_figures.feature_map(maps, name)


def _precision_recall(evidence, curves):
    real, fake = _sides(evidence, _LEAST_OF_CURVE, _OF_CURVE)
    precision, recall = prd.curve(real, fake)
    marks = [prd.largest_f(precision, recall, beta) for beta in (8.0, 0.125)]
    found = {"precision": precision.tolist(), "recall": recall.tolist()}
    curves["precision_recall"] = found | dict(zip(("f_8", "f_1_8"), marks, strict=True))
    size = min(len(real), len(fake))
    title = f"Precision-recall curve (PRD), {size:,} images a side,\nfeatures: {curves['features']}"
    return evaluation_figures.precision_recall(precision, recall, marks, title)


def _fid_by_samples(evidence, curves):
    fake, real = evidence.sample.kept, evidence.reference.moments
    if len(fake) < _LEAST_OF_LINE:
        raise _LeftOut(f"it needs {_LEAST_OF_LINE} generated images, and there are {len(fake)}")
    _check(fake, real.mean[None])
    many = frechet.infinity_sizes(len(fake))
    few = [int(share * many[0]) for share in _SMALLER if many[0] >= 100]
    values = frechet.frechet_by_size(real, fake, many)
    line = frechet.infinity_line(many, values)
    counts = np.array([*few, *many])
    values = np.concatenate([frechet.frechet_by_size(real, fake, few), values])
    curves["fid_by_samples"] = {"num_samples": counts.tolist(), "fid": values.tolist()} | line
    return evaluation_figures.frechet_by_size(counts, values, line, len(many), curves["features"])
