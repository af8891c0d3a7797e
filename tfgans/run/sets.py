"""Metrics between two sets of images, without a model: what `launch/fid.py` prints."""

import inspect
import logging
import os
import zipfile
from pathlib import Path

import numpy as np

from tfgans import config, files, readers
from tfgans.config import ConfigError, sides, size_words
from tfgans.data import Dataset
from tfgans.evaluate import evaluation_pictures
from tfgans.evaluate import metrics as all_metrics
from tfgans.evaluate.evaluator import Evaluator, json_number
from tfgans.evaluate.evidence import Evidence
from tfgans.evaluate.frechet import Moments, frechet_distance, save_arrays
from tfgans.evaluate.statistics import Statistics, cached_reference
from tfgans.run import build
from tfgans.run.flag_bindings import refuse_binding, source_of
from tfgans.run.places import refuse_other_file, require_place

logger = logging.getLogger(__name__)

_SHORT = {
    "inception": "Evaluator.features = @InceptionFeatures()",
    "digits": "Evaluator.features = @DigitsFeatures()",
    "glyphs": "Evaluator.features = @GlyphsFeatures()",
    "dinov2": "gin_configs/features/dinov2_large.gin",
    "clip": "gin_configs/features/clip_large.gin",
    "vgg16": "gin_configs/features/vgg16.gin",
}
_OF_READING = (
    "on_bad_image", "min_size", "channels", "background", "crop", "memory_limit_gb", "data_dir", "image_key",
    "label_key",
)  # fmt: skip
_ORDER_SEED = 0
_LEAST_KEPT = 10000  # features of a set whose statistics are saved, if there are as many


def extractor(features, resize=None, gin_params=()):
    """The extractor that `--features` names.

    Args:
        features: a name in `_SHORT`; the `.keras` file of a classifier; the folder of a SavedModel of Inception; or a
            gin file that binds `Evaluator.features`.
        resize: Inception's preprocessing, or None.
        gin_params: bindings besides; those of how `Dataset` reads images are of both sets, see `between`.
    Raises: ConfigError if there is no such extractor, `resize` is given for another than Inception, or a binding is
        of what flags say.
    """
    refuse_binding("Evaluator.num_samples", gin_params, "all images of both sets are taken")
    refuse_binding("Evaluator.metrics", gin_params, "--metrics names them")
    refuse_binding("Evaluator.features", gin_params, "--features names them")
    for name in inspect.signature(Dataset.__init__).parameters.keys() - set(_OF_READING):
        refuse_binding(f"Dataset.{name}", gin_params, f"of Dataset two sets have {', '.join(_OF_READING)}")
    gin_files, bindings = _configuration(features)
    bindings += [] if resize is None else [f"InceptionFeatures.resize = {resize!r}"]
    build.prepare(gin_files, [*bindings, *gin_params])
    evaluator = Evaluator()
    config.refuse_unused(apart_from=["Dataset"])  # which reads the sets, later
    return evaluator.features


def _configuration(features):
    """`(gin files, bindings)` of an extractor."""
    path, known = files.expanded(features), _SHORT.get(features, features)
    if known.endswith(".gin"):
        return [known], []
    if features in _SHORT:
        return [], [known]
    if path.endswith(".keras"):
        return [], ["Evaluator.features = @ClassifierFeatures()", f"ClassifierFeatures.path = {path!r}"]
    if os.path.exists(os.path.join(path, "saved_model.pb")):
        return [], ["Evaluator.features = @InceptionFeatures()", f"InceptionFeatures.path = {path!r}"]
    raise ConfigError(
        f"--features is {', '.join(_SHORT)}, a classifier's .keras file, a folder with saved_model.pb, or a .gin "
        f"file. Received: {features!r}"
    )


def between(first, second, features, metrics=all_metrics.DEFAULT, resolution=None, save=None, drawn=None):
    """Metrics of one set of images against another.

    Args:
        first: the images to compare with: a folder, a .zip of one, an .npz of images, a source of `Dataset` such as
            `digits` or `tfds:cifar10`, each with a split after an `@` where there are several (`digits@test`); or an
            .npz of statistics, saved here (`save`) or by pytorch-fid (`mu`, `sigma`).
        second: the generated ones, likewise; None only saves the statistics of `first`.
        features: an extractor of `tfgans.evaluate`.
        metrics: names of `tfgans.evaluate.metrics`.
        resolution: height and width to bring both to, as in training; None takes images as they are, which must then
            be of one size in each set.
        save: an .npz file for the statistics of `first`.
        drawn: a folder for the pictures that `evaluation_pictures.draw` makes, `first` for the images trained on.
    Returns: a dictionary that JSON takes: the metrics, and what they are of, `first_size` and `second_size`, [height,
        width], included where they are known; or None without `second`. A line in the log says if they differ.
    Raises: ConfigError, in one line, for sets that cannot be read, damaged images, statistics of other features, and
        metrics that statistics alone do not allow.
    """
    _check(metrics)
    evidence = None if drawn is None else _place_for_pictures(drawn, second)
    if save is not None:
        _check_save(save)
    real = _opened(first, resolution, features)
    fake = None if second is None else _opened(second, resolution, features)
    evaluator = Evaluator(features, metrics=tuple(metrics))
    if isinstance(fake, Dataset):
        _check_number(second, fake.reference_size(), evaluator)
    _tell_unsuited(features, real, fake)
    sizes = _sizes({"first": (first, real), "second": (second, fake)})
    features.check()
    if save is not None:
        _save(save, _statistics(real, evaluator), features, getattr(real, "item_shape", None))
    if fake is None:
        return None
    if isinstance(real, Statistics) or isinstance(fake, Statistics):
        real, fake = _statistics(real, evaluator), _statistics(fake, evaluator)
        found, shown = _of_statistics(real, fake, evaluator), None
        if evidence is not None:
            evidence.reference, evidence.sample = real, fake
    else:
        found, shown = _of_images(real, fake, features, metrics, evidence), real
    if evidence is not None:
        evaluation_pictures.draw(drawn, evidence, features, shown, called="images of the first set")
    about = {"features": features.name, "first": str(first), "second": str(second)}
    return found | about | sizes


def _check(metrics):
    all_metrics.check(list(metrics))
    if not metrics:
        raise ConfigError(f"--metrics names one or several of {', '.join(all_metrics.NAMES)}. Received: none")
    others = [name for name in metrics if name in all_metrics.OF_A_GENERATOR]
    if others:
        raise ConfigError(
            f"{others[0]} needs a generator, not its images alone: evaluate measures it of a run"
        )


def _tell_unsuited(features, *sides):
    """A line if features that are for some data say nothing about these; they were asked for all the same."""
    if hasattr(features, "unsuited"):
        reasons = [features.unsuited(side) for side in sides if isinstance(side, Dataset)]
        told = "; ".join(reason for reason in reasons if reason)
        if told:
            logger.warning("%s", told)


def _sizes(sides_named):
    """What the result says of the images' sizes; a line says so if those of the two sets differ.

    Args: sides_named: {"first" or "second": (what the user calls it, `Dataset`, `Statistics` or None)}.
    Returns: {"first_size", "second_size"}: [height, width], of those that are known.
    """
    found = {}
    for name, (_, side) in sides_named.items():
        size = side.item_shape[:2] if isinstance(side, Dataset) else side and side.size
        if size is not None and len(size) == 2:
            found[f"{name}_size"] = [int(pixels) for pixels in size]
    if len(found) == 2 and found["first_size"] != found["second_size"]:
        pairs = zip(sides_named.values(), found.values(), strict=True)
        told = [f"{called} are {size_words(size)}" for (called, _), size in pairs]
        logger.warning("images of %s, and those of %s: --resolution brings both to one size", *told)
    return found


def _opened(text, resolution, features):
    """The `Dataset` or the `Statistics` that a text names."""
    text, split = _without_split(str(text))
    path = files.expanded(text)
    if str(path).endswith(".npz") and os.path.isfile(path):
        with readers.reading(path, "a set of images"), zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if "mu.npy" in names and "sigma.npy" in names:
            arrays = readers.read_npz(path, "statistics")
            _check_size(path, arrays, resolution)
            return _loaded(path, arrays, features)
    options = {} if split is None else {"split": split, "evaluation_split": split}
    if resolution is not None:
        options["resolution"] = resolution
    source = source_of(text, "a set of images")
    return Dataset(source, use_labels=False, **{"evaluation_split": "train"} | options)


def _without_split(text):
    """`(source, split)`: what comes after the last `@`, unless there is a file or folder of the whole path."""
    source, at, split = text.rpartition("@")
    paths = {text, text.partition(":")[2]} - {""}  # `folder:me@home` has a path, too
    if not at or not source or "/" in split or any(os.path.exists(files.expanded(path)) for path in paths):
        return text, None
    return source, split


def _place_for_pictures(folder, second):
    """The `Evidence` to fill. Raises: ConfigError if pictures of it cannot be written into a folder."""
    if second is None:
        raise ConfigError("--pictures shows two sets of images: name the second one, too")
    require_place(files.expanded(folder), f"--pictures={folder}")
    return Evidence()


def _of_images(real, fake, features, metrics, evidence):
    evaluator = Evaluator(features, num_samples=fake.reference_size(), metrics=tuple(metrics))
    return evaluator(_Stream(fake), real, evidence=evidence)


class _Stream:
    """`generate(count)` of a set: its images in an order drawn once for all, so that parts of it are alike."""

    def __init__(self, data):
        order = np.random.RandomState(_ORDER_SEED).permutation(data.reference_size())
        self._batches, self._left = data.reference(indices=order), []

    def __call__(self, count):
        taken = []
        while count:
            images = self._left if len(self._left) else next(self._batches)[0]
            taken.append(images[:count])
            self._left = images[count:]
            count -= len(taken[-1])
        return np.concatenate(taken)


def _check_number(name, count, evaluator):
    """Raises ConfigError if a generated set has fewer images than there must be."""
    scored = "inception_score" in evaluator.metrics
    least = max(2, evaluator.inception_splits if scored else 0)
    if count < least:
        why = f": inception_score is over {least} parts, --metrics names others" if count > 1 else ""
        raise ConfigError(
            f"{name} has {count} image{'s' * (count > 1)}, and at least {least} are needed{why}"
        )


def _statistics(side, evaluator):
    if isinstance(side, Statistics):
        return side
    keep = max(_LEAST_KEPT, evaluator.kernel_samples, evaluator.neighbour_samples)
    return cached_reference(side, evaluator.features, keep)


def _of_statistics(real, fake, evaluator):
    metrics = evaluator.metrics
    of_images = [name for name in metrics if name not in all_metrics.OF_STATISTICS]
    if of_images:
        raise ConfigError(
            f"{of_images[0]} needs the images of both sets: statistics give fid, and what is of features alone"
        )
    others = [name for name in metrics if name != "fid"]
    if others and not (len(real.kept) and len(fake.kept)):
        raise ConfigError(f"{others[0]} needs features: these statistics hold mean and covariance alone")
    found = {"fid": frechet_distance(real.moments, fake.moments)} if "fid" in metrics else {}
    sizes = evaluator.kernel_samples, evaluator.neighbour_samples
    found |= all_metrics.of_features(others, real.kept, fake.kept, *sizes)
    found = {name: json_number(value) for name, value in found.items()}
    return found | {"num_samples": fake.images, "num_reference": real.images}


def _check_save(path):
    """Raises ConfigError, before any image is looked at, if statistics cannot be saved there."""
    place = Path(files.expanded(path))
    require_place(place.parent, f"--save={path}")
    if place.is_dir():
        raise ConfigError(f"--save={path} cannot be written: it is a folder")
    if place.suffix != ".npz":
        raise ConfigError(
            f"--save is a file whose name ends in .npz, by which it is read again. Received: {path}"
        )
    refuse_other_file(place, f"--save={path}", "statistics", _has_statistics)


def _has_statistics(path):
    return {"mu", "sigma"} <= set(readers.read_npz(path, "statistics", ()))


def _save(path, statistics, features, shape):
    """Writes statistics of images of a shape, None if that is not known; pytorch-fid reads `mu` and `sigma`, too."""
    moments = statistics.moments
    arrays = {
        "mu": moments.mean,
        "sigma": moments.covariance,
        "count": moments.count,
        "kept": statistics.kept,
    }
    of = {"features": np.array(features.name), "weights": np.array(features.fingerprint())}
    if shape is not None:
        of["size"] = np.array(shape[:2])
    save_arrays(files.expanded(path), arrays | of)


def _check_size(path, arrays, resolution):
    """Statistics cannot be brought to a size. Raises: ConfigError if they say that theirs is another."""
    if resolution is None:
        return
    if "size" not in arrays:
        logger.warning(
            "%s does not say of which size its images were: the resolution is that of the others", path
        )
        return
    with readers.reading(path, "statistics"):
        height, width = map(int, arrays["size"])
    if (height, width) != sides(resolution):
        raise ConfigError(
            f"{path} has statistics of images of {size_words((height, width))}. Received: --resolution={resolution}"
        )


def _loaded(path, arrays, features):
    """What `_save` or pytorch-fid wrote; the latter does not say of how many images."""
    with readers.reading(path, "statistics"):
        mean, covariance = (np.asarray(arrays[name], np.float64) for name in ("mu", "sigma"))
        if mean.ndim != 1 or covariance.shape != 2 * mean.shape:
            raise ValueError("mu and sigma are of different widths")
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise ValueError("mu and sigma are not all finite")
        of = [str(arrays[name]) if name in arrays else None for name in ("features", "weights")]
        images = int(arrays["count"]) if "count" in arrays else None
        size = tuple(map(int, arrays["size"])) if "size" in arrays else None
        kept = (
            np.asarray(arrays["kept"], np.float32)
            if "kept" in arrays
            else np.empty((0, len(mean)), np.float32)
        )
    if of[0] is None:
        logger.warning("%s does not say of which features it is: taken for %s", path, features.name)
    elif of != [features.name, features.fingerprint()]:
        other = of[0] if of[0] != features.name else f"{of[0]} with other weights"
        raise ConfigError(f"{path} has statistics of {other}, not of {features.name}")
    return Statistics(Moments.of(mean, covariance, images or 2), kept, images is not None, size)
