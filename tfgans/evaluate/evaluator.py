"""One evaluation: generated samples against a dataset's reference images, as a flat dictionary."""

import logging

import numpy as np

from tfgans.config import (
    AtLeast,
    ConfigError,
    Count,
    FilePath,
    Function,
    Instance,
    Several,
    check_count,
    configurable,
)
from tfgans.config.kinds import Kind
from tfgans.evaluate import coverage, value_names
from tfgans.evaluate import metrics as _metrics
from tfgans.evaluate.classification_score import ClassificationScore
from tfgans.evaluate.evidence import KEPT
from tfgans.evaluate.features import NoFeatures, PointFeatures
from tfgans.evaluate.frechet import frechet_distance
from tfgans.evaluate.image_metrics import ImageMetrics
from tfgans.evaluate.intra_class import LEAST, IntraClass
from tfgans.evaluate.memorization import Copying
from tfgans.evaluate.metrics import HIGHER_IS_BETTER as HIGHER_IS_BETTER  # others look for it here
from tfgans.evaluate.path_length import SPACES, PathLength
from tfgans.evaluate.spatial_features import SpatialFeatures
from tfgans.evaluate.statistics import batches_of, cached_reference, collect
from tfgans.evaluate.watch import Watch

logger = logging.getLogger(__name__)

_MOST = 100_000_000  # samples: which are kept is drawn in memory
_NAME = Kind("a metric's name", lambda value: isinstance(value, str))


@configurable
class Evaluator:
    """Measures a generator; call it with `generate` and a dataset.

    All samples count for the Frechet distance, the Inception score and the coverage of classes and
    modes. Of features themselves only max(kernel_samples, neighbour_samples) vectors a side are kept, in
    float32, so memory does not grow with the number of samples; but `fid_infinity` keeps those of all generated
    samples, and `copying` those of up to 50,000 training images.

    Args:
        features: an extractor of `features.py`, e.g. `@DigitsFeatures()`; with `@NoFeatures()` the metrics are those
            of images alone, and others among `metrics` are left out.
        num_samples: samples to generate, at least 2, with the metric `inception_score` at least `inception_splits`,
            at most 100,000,000.
        batch_size: samples asked of `generate` at a time.
        metrics: names of `tfgans.evaluate.metrics`, such as `["fid", "kid", "spectrum"]`, and metrics of one's own:
            functions of the features of real images, float32 [n, F], and of generated ones, [m, F], from up to
            `neighbour_samples` a side, that return a number; rows call it by the function's name.
        inception_splits: parts of the Inception score.
        kernel_samples, neighbour_samples, sliced_samples, spectrum_samples: samples a side of the metrics that the
            table of `tfgans.evaluate.metrics` says it of.
        intra_samples: images of each class for `intra_class`, generated and real alike, at least 4; classes with
            fewer real ones are left out. None: as many as the smallest class of at least 4 has, at most 500.
        second_split: also compare with this split of the data, by the metrics of features that have a reference;
            with `test` they are called `fid_test`, `kid_test`, ..., and there is `num_reference_test`.
        path_length: what measures `ppl_z` and `ppl_w`; None for `@PathLength()` as it is.
        classification: what measures `classification_accuracy_score`; None for `@ClassificationScore()` as it is.
        cache_dir: where reference statistics are cached; None is the user's cache folder.
    Raises: ConfigError for counts out of range, and for a name that no metric has.
    """

    # Each metric had a parameter of its own once; see `tfgans.config.retired`.
    retired_parameters = {  # noqa: RUF012
        "inception_score": ("inception_score", True),
        "kernel_distance": ("kid", True),
        "precision_recall": ("precision_recall", True),
        "density_coverage": ("density_coverage", True),
        "class_coverage": ("class_coverage", False),
        "intra_class": ("intra_class", False),
        "sliced_wasserstein": ("sliced_wasserstein", False),
        "spectrum": ("spectrum", False),
    }

    def __init__(
        self,
        features: Instance("@DigitsFeatures()"),
        num_samples: AtLeast(2) = 10000,
        batch_size: Count = 256,
        metrics: Several(_NAME | Function("@my_metric")) = _metrics.DEFAULT,
        inception_splits: Count = _metrics.COUNTS["inception_splits"],
        kernel_samples: AtLeast(2) = _metrics.COUNTS["kernel_samples"],
        neighbour_samples: AtLeast(_metrics.DENSITY_NEIGHBOURS + 1) = _metrics.COUNTS["neighbour_samples"],
        sliced_samples: Count = _metrics.COUNTS["sliced_samples"],
        spectrum_samples: Count = _metrics.COUNTS["spectrum_samples"],
        intra_samples: AtLeast(LEAST) | None = None,
        cache_dir: FilePath | None = None,
        second_split: str | None = None,
        path_length: Instance("@PathLength()") | None = None,
        classification: Instance("@ClassificationScore()") | None = None,
    ):
        _metrics.check(metrics)
        if num_samples > _MOST:
            raise ConfigError(f"Evaluator.num_samples is at most {_MOST:,}. Received: {num_samples}")
        self.second_split = second_split
        self.features, self.num_samples, self.batch_size = features, num_samples, batch_size
        self.metrics, self.inception_splits, self.cache_dir = tuple(metrics), inception_splits, cache_dir
        self.kernel_samples, self.neighbour_samples = kernel_samples, neighbour_samples
        counts = inception_splits, kernel_samples, neighbour_samples, sliced_samples, spectrum_samples
        self._counts = dict(zip(_metrics.COUNTS, counts, strict=True))
        if "inception_score" in metrics:
            check_count("Evaluator.num_samples", num_samples, least=inception_splits)
        within = "intra_class" in metrics
        self._within_classes = IntraClass(features, intra_samples, batch_size) if within else None
        self._image_metrics = ImageMetrics(
            sliced_samples if "sliced_wasserstein" in metrics else 0,
            spectrum_samples if "spectrum" in metrics else 0,
        )
        scored = "classification_accuracy_score" in metrics
        self._classification = (classification or ClassificationScore()) if scored else None
        self._spaces = {name: space for name, space in SPACES.items() if name in metrics}
        self._path_length = (path_length or PathLength()) if self._spaces else None
        self._copying = Copying() if "copying" in metrics else None
        self._spatial = None
        self._asked = self.values()
        self._blind_to = []  # metrics that want features, where there are none
        if isinstance(features, NoFeatures):
            self._blind_to = self._leave_features_out()
        elif "sfid" in metrics:
            self._spatial = SpatialFeatures(features)

    @property
    def of_images_alone(self):
        """Whether no metric is of features."""
        return isinstance(self.features, NoFeatures)

    @property
    def of_classes(self):
        """The metrics that compare generated images of a class with real ones of the same."""
        within = "intra_class" if self._within_classes is not None else None
        scored = "classification_accuracy_score" if self._classification is not None else None
        return [name for name in (within, scored) if name is not None]

    def values(self, dataset=None, model=None):
        """The names of the metrics' values in rows, before anything is measured.

        Args: dataset, model: what will be measured, to leave out what these do not allow; or None.
        """
        metrics = value_names.allowed(self.metrics, self.features, dataset, model)
        found = value_names.named(metrics, self.second_split)
        found += [self._path_length.name(name, self.features) for name in metrics if name in SPACES]
        of_points = isinstance(self.features, PointFeatures) if dataset is None else dataset.modes is not None
        return found + list(value_names.OF_MODES) * of_points

    @property
    def values_left_out(self):
        """Names of values of features, which is what may be asked for of an evaluator that goes on without them."""
        return {*self._asked, *value_names.EVERY} if self.of_images_alone else set()

    def suit(self, dataset):
        """Leaves out the metrics of features that say nothing about a data set, with one line in the log; it names
        those, too, that were left out because there are no features.

        Returns: why the features say nothing about them; None if they do, or were asked for whatever it is.
        Raises: ConfigError if the data have no `second_split`.

        For runs, whose features may come from a file that was written for other data. Who hands features to an
        `Evaluator` in Python has asked for them.
        """
        if self.second_split is not None:
            dataset.against(self.second_split)
        if self._blind_to:
            left = ", ".join(self._blind_to)
            logger.info(
                "no features, so left out: %s; Evaluator.features = @InceptionFeatures() has them", left
            )
        reason = self.features.unsuited(dataset) if hasattr(self.features, "unsuited") else None
        if reason is None:
            return None
        asked = f"{type(self.features).__name__}.any_images = True"
        left = ", ".join(self._leave_features_out())
        line = "%s: %s left out; Evaluator.features = @InceptionFeatures() has them, or bind %s"
        if left:
            logger.warning(line, reason, left, asked)
        return reason

    def _leave_features_out(self):
        """Goes on without features; returns the names of the metrics that are left out."""
        left = [metric for metric in self.metrics if metric not in _metrics.OF_IMAGES]
        left += ["second_split"] if self.second_split is not None else []
        self.metrics = tuple(metric for metric in self.metrics if metric in _metrics.OF_IMAGES)
        self.features, self._spaces = NoFeatures(), {}
        self._within_classes = self._spatial = self._copying = self.second_split = None
        return [getattr(metric, "__name__", metric) for metric in left]

    def check(self, dataset=None, model=None):
        """Raises ConfigError, before any training, if the feature extractor cannot be loaded.

        Args:
            dataset: of a model with classes; then also if `intra_class` finds no class of it to measure, or
                `classification_accuracy_score` cannot be.
            model: a `GAN`; then also if `ppl_w` is asked of one without styles, or a classifier of one on several
                devices.
        """
        self.features.check()
        if self._spatial is not None:
            self._spatial.check()
        if self._spaces:
            self._path_length.check(self.features)
        for name, space in self._spaces.items():
            if model is not None and model.path_spaces and space not in model.path_spaces:
                raise ConfigError(f"{name}: the generator has no styles, as stylegan2_generator has")
        if dataset is not None and self._within_classes is not None:
            self._within_classes.check(dataset)
        if dataset is not None and self._classification is not None:
            self._classification.check(dataset, model)

    def __call__(self, generate, dataset, of_class=None, paths=None, evidence=None):
        """Generates and measures.

        Args:
            generate: `generate(count)` -> uint8 [count, H, W, C] in [0, 255], or float points
                [count, d]; successive calls continue one stream.
            dataset: has `reference()` (iterator of (images, labels or None)), `reference_size()`,
                `fingerprint()`; a Gaussian mixture also has `modes` [m, d] and `mode_std`. For `intra_class`
                see `IntraClass`, for `copying` `memorization.Copying`.
            of_class: for `intra_class` and `classification_accuracy_score`, `of_class(label)` -> a `generate(count)`
                of that class alone, such as `GAN.streams_of_classes` gives; None for a generator without classes.
            paths: for `ppl_z` and `ppl_w`, what `GAN.paths` gives; None where there are none.
            evidence: `evidence.Evidence` to fill; the features of all samples are kept then.
        Returns: dict that JSON takes: the metrics, `features` (the extractor's name), `num_samples`,
            `num_reference`, those of `metrics.COUNTS` that are not as usual, and what `Dataset.reference_facts` says
            of those images. A metric switched off, or that these data do not allow, is absent; one that is not a
            finite number (a generator that diverged) is None.
        Raises: ConfigError if `generate` returns another shape, type or number of samples, or as `check` does.
        """
        reference = self._statistics(dataset, None if evidence is None else max(KEPT, self._keep()))
        self._reference = reference.moments
        splits, images = self.inception_splits, self._image_metrics.keep
        watch = Watch(self.metrics, self.num_samples, splits, images, evidence)
        batches = self._generated(generate, self.num_samples)
        every = evidence is not None or "fid_infinity" in self.metrics
        keep = self.num_samples if every else self._keep()
        sample = collect(self._extract, batches, self.num_samples, keep, 1, watch, label="generated images")
        if evidence is not None:
            evidence.reference, evidence.sample = reference, sample
        result = self._compared(reference, sample) | self._spatially(dataset, watch.spatial)
        counts = {"num_reference": reference.moments.count}
        if self.second_split is not None:
            other, end = dataset.against(self.second_split), f"_{self.second_split}"
            second = self._statistics(other)
            found = self._compared(second, sample) | self._spatially(other, watch.spatial)
            result |= {name + end: value for name, value in found.items()}
            counts |= {f"num_reference{end}": second.moments.count}
        result |= watch.results()
        result |= self._image_metrics(dataset, watch.images)
        if self._copying is not None:
            result |= self._copying(dataset, sample.kept, self._statistics, self.neighbour_samples)
        if not sample.finite:
            result = dict.fromkeys(result)
        if getattr(dataset, "modes", None) is not None and watch.points:
            result |= coverage.mode_coverage(np.concatenate(watch.points), dataset.modes, dataset.mode_std)
        result |= self._of_generator(dataset, of_class, paths)
        result = {name: json_number(value) for name, value in result.items()}
        counts |= dataset.reference_facts() if hasattr(dataset, "reference_facts") else {}
        counts |= self._other_counts()
        return {**result, "features": self.features.name, "num_samples": self.num_samples, **counts}

    def _other_counts(self):
        """Of how many samples or parts the metrics are, where that is not the usual: {parameter: count}."""
        return _metrics.unusual({name: self._counts[name] for name in _metrics.counts_of(self.metrics)})

    def _of_generator(self, dataset, of_class, paths):
        """The metrics that have the generator make more than its samples."""
        found = {}
        if self._within_classes is not None:
            found |= self._within_classes(of_class, dataset)
        if self._classification is not None:
            found |= self._classification(of_class, dataset, self.batch_size)
        for space in self._spaces.values():
            found |= self._path_length(paths, space, self.features)
        return found

    def _statistics(self, dataset, keep=None):
        """Of the reference of a data set, with so many feature vectors, or as many as the metrics need."""
        return cached_reference(dataset, self.features, keep or self._keep(), self.cache_dir)

    def _compared(self, reference, sample):
        """The metrics of features that have a reference."""
        found = {}
        if "fid" in self.metrics:
            found["fid"] = frechet_distance(reference.moments, sample.moments)
        found |= _metrics.infinity(self.metrics, reference.moments, sample.kept)
        sizes = self.kernel_samples, self.neighbour_samples
        return found | _metrics.of_features(self.metrics, reference.kept, sample.kept, *sizes)

    def _extract(self, images):
        return self.features(images) if self._spatial is None else self.features(images, spatial=True)

    def _spatially(self, dataset, moments):
        """`sfid`, if it is asked for; of generated images that came with `moments` of their spatial features."""
        if self._spatial is None:
            return {}
        real = cached_reference(dataset, self._spatial, 0, self.cache_dir)
        return {"sfid": frechet_distance(real.moments, moments)}

    def distance_of(self, generate, most):
        """`(fid, samples)`: the Frechet distance alone of another generator, to the reference of the last call.

        Args:
            generate: as in the call.
            most: samples at most; otherwise as many as the call takes.
        """
        count = min(self.num_samples, most)
        sample = collect(self.features, self._generated(generate, count), count, 0, label="generated images")
        return json_number(
            frechet_distance(self._reference, sample.moments) if sample.finite else None
        ), count

    @property
    def spectra(self):
        """The (real, generated) `MeanSpectrum`s of the last call; None if it measured none."""
        return self._image_metrics.spectra

    def _keep(self):
        return _metrics.kept(self.metrics, self.kernel_samples, self.neighbour_samples)

    def _generated(self, generate, total):
        return batches_of(generate, total, self.batch_size)


def json_number(value):
    """A metric's value as JSON takes it, which has no nan and no infinity: they become None."""
    if isinstance(value, list):
        return [json_number(entry) for entry in value]
    return None if value is None or not np.isfinite(value) else value
