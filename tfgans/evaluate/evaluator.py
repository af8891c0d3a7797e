"""One evaluation: generated samples against a dataset's reference images, as a flat dictionary."""

import numpy as np

from tfgans.config import AtLeast, Count, FilePath, Function, Instance, Several, check_count, configurable
from tfgans.evaluate import coverage, scores
from tfgans.evaluate.frechet import frechet_distance
from tfgans.evaluate.image_metrics import ImageMetrics
from tfgans.evaluate.intra_class import LEAST, IntraClass
from tfgans.evaluate.kernel_distances import kernel_distance_of_blocks
from tfgans.evaluate.statistics import batches_of, cached_reference, collect

# Of the metrics below, those of which more is better; of the others (distances, divergences) less is.
HIGHER_IS_BETTER = frozenset(
    (
        "inception_score",
        "precision",
        "recall",
        "intra_recall",
        "intra_recall_worst",
        "density",
        "coverage",
        "classes_covered",
        "modes_covered",
        "high_quality",
        "duality_maxmin",
    )
)
_PRECISION_NEIGHBOURS = 3
_DENSITY_NEIGHBOURS = 5
_KERNEL_BLOCK = 1024


@configurable
class Evaluator:
    """Measures a generator; call it with `generate` and a dataset.

    All samples count for the Frechet distance, the Inception score and the coverage of classes and
    modes. Of features themselves only max(kernel_samples, neighbour_samples) vectors a side are kept, in
    float32, so memory does not grow with the number of samples.

    Args:
        features: an extractor of `features.py`, e.g. `@DigitsFeatures()`.
        num_samples: samples to generate, at least 2 and at least `inception_splits`.
        batch_size: samples asked of `generate` at a time.
        inception_score: `inception_score`, `inception_score_std` (population deviation over
            `inception_splits` parts); absent if the extractor gives no logits.
        inception_splits: parts of the Inception score.
        kernel_distance: `kid` and `kid_std` (standard error of `kid`), from up to `kernel_samples` a side.
        kernel_samples: see above.
        precision_recall: `precision`, `recall` (3 neighbours), from up to `neighbour_samples` a side.
        density_coverage: `density`, `coverage` (5 neighbours), from up to `neighbour_samples` a side.
        neighbour_samples: see above.
        sliced_wasserstein: `sliced_wasserstein`, mean over the pyramid's levels, from up to
            `sliced_samples` square images a side.
        sliced_samples: see above.
        spectrum: `spectrum_distance`, `spectrum_distance_high` (below the Nyquist frequency) and
            `spectrum_distance_all` (up to the corner of the transform, where stripes and checkerboards of period 2
            are; all in decibels, see `spectrum.compare`) from up to `spectrum_samples` images of 1 or 3 channels a
            side; `spectra` then has the curves.
        spectrum_samples: see above.
        class_coverage: `classes_covered` (classes the extractor's classifier gives to at least one
            sample) and `class_kl` (nats, of the classes' shares to the uniform distribution); absent
            without logits.
        intra_class: diversity within classes, of models and reference images with classes: `intra_fid`,
            `intra_recall`, means over classes, `intra_fid_worst`, `intra_recall_worst`, see `IntraClass`.
            Absent, and one line in the log says so, without classes. The other metrics stay as they are.
        intra_samples: images of each class, generated and real alike, at least 4; classes with fewer real
            ones are left out. None: as many as the smallest class of at least 4 has, at most 500.
        metrics: metrics of one's own, functions of the features of real images, float32 [n, F], and of generated
            ones, [m, F], from up to `neighbour_samples` a side, that return a number; rows call it by the function's
            name.
        cache_dir: where reference statistics are cached; None is the user's cache folder.
    Raises: ConfigError for counts out of range.
    """

    def __init__(
        self,
        features: Instance("@DigitsFeatures()"),
        num_samples: AtLeast(2) = 10000,
        batch_size: Count = 256,
        inception_score: bool = True,
        inception_splits: Count = 10,
        kernel_distance: bool = True,
        kernel_samples: AtLeast(2) = 10000,
        precision_recall: bool = True,
        density_coverage: bool = True,
        neighbour_samples: AtLeast(_DENSITY_NEIGHBOURS + 1) = 5000,
        sliced_wasserstein: bool = False,
        sliced_samples: Count = 1024,
        spectrum: bool = False,
        spectrum_samples: Count = 1024,
        class_coverage: bool = False,
        intra_class: bool = False,
        intra_samples: AtLeast(LEAST) | None = None,
        metrics: Several(Function("@my_metric")) = (),
        cache_dir: FilePath | None = None,
    ):
        self.features, self.num_samples, self.batch_size = features, num_samples, batch_size
        self.inception_score, self.inception_splits = inception_score, inception_splits
        self.kernel_distance, self.kernel_samples = kernel_distance, kernel_samples
        self.precision_recall, self.density_coverage = precision_recall, density_coverage
        self.neighbour_samples = neighbour_samples
        self.sliced_wasserstein, self.sliced_samples = sliced_wasserstein, sliced_samples
        self.spectrum, self.spectrum_samples = spectrum, spectrum_samples
        self.class_coverage, self.metrics, self.cache_dir = class_coverage, metrics, cache_dir
        if inception_score:
            check_count("Evaluator.num_samples", num_samples, least=inception_splits)
        self.intra_class, self.intra_samples = intra_class, intra_samples
        self._within_classes = IntraClass(features, intra_samples, batch_size) if intra_class else None
        self._image_metrics = ImageMetrics(
            sliced_samples if sliced_wasserstein else 0, spectrum_samples if spectrum else 0
        )

    def check(self, dataset=None):
        """Raises ConfigError, before any training, if the feature extractor cannot be loaded.

        Args:
            dataset: of a model with classes; then also if `intra_class` finds no class of it to measure.
        """
        self.features.check()
        if dataset is not None and self._within_classes is not None:
            self._within_classes.check(dataset)

    def __call__(self, generate, dataset, of_class=None):
        """Generates and measures.

        Args:
            generate: `generate(count)` -> uint8 [count, H, W, C] in [0, 255], or float points
                [count, d]; successive calls continue one stream.
            dataset: has `reference()` (iterator of (images, labels or None)), `reference_size()`,
                `fingerprint()`; a Gaussian mixture also has `modes` [m, d] and `mode_std`. For `intra_class`
                see `IntraClass`.
            of_class: for `intra_class`, `of_class(label)` -> a `generate(count)` of that class alone, such as
                `GAN.streams_of_classes` gives; None for a generator without classes.
        Returns: dict that JSON takes: the metrics, `features` (the extractor's name), `num_samples`,
            `num_reference`. A metric switched off, or that these data do not allow, is absent; one that
            is not a finite number (a generator that diverged) is None.
        Raises: ConfigError if `generate` returns another shape, type or number of samples, or as `check` does.
        """
        reference = cached_reference(dataset, self.features, self._keep(), self.cache_dir)
        self._reference = reference.moments
        watch = _Watch(self, self._image_metrics.keep)
        batches = self._generated(generate, self.num_samples)
        sample = collect(
            self.features, batches, self.num_samples, self._keep(), 1, watch, label="generated images"
        )
        result = {"fid": frechet_distance(reference.moments, sample.moments)}
        result |= watch.results()
        result |= self._from_features(reference, sample)
        result |= self._image_metrics(dataset, watch.images)
        if not sample.finite:
            result = dict.fromkeys(result)
        if getattr(dataset, "modes", None) is not None and watch.points:
            result |= coverage.mode_coverage(np.concatenate(watch.points), dataset.modes, dataset.mode_std)
        if self._within_classes is not None:
            result |= self._within_classes(of_class, dataset)
        result = {name: _json_number(value) for name, value in result.items()}
        counts = {"num_samples": self.num_samples, "num_reference": reference.moments.count}
        return {**result, "features": self.features.name, **counts}

    def distance_of(self, generate, most):
        """`(fid, samples)`: the Frechet distance alone of another generator, to the reference of the last call.

        Args:
            generate: as in the call.
            most: samples at most; otherwise as many as the call takes.
        """
        count = min(self.num_samples, most)
        sample = collect(self.features, self._generated(generate, count), count, 0, label="generated images")
        return _json_number(
            frechet_distance(self._reference, sample.moments) if sample.finite else None
        ), count

    @property
    def spectra(self):
        """The (real, generated) `MeanSpectrum`s of the last call; None if it measured none."""
        return self._image_metrics.spectra

    def _keep(self):
        kernel = self.kernel_samples if self.kernel_distance else 0
        near = self.precision_recall or self.density_coverage or self.metrics
        neighbours = self.neighbour_samples if near else 0
        return max(kernel, neighbours)

    def _generated(self, generate, total):
        return batches_of(generate, total, self.batch_size)

    def _from_features(self, reference, sample):
        result = {}
        real, fake = reference.kept[: self.kernel_samples], sample.kept[: self.kernel_samples]
        if self.kernel_distance and min(len(real), len(fake)) >= 2:
            blocks = -(-max(len(real), len(fake)) // _KERNEL_BLOCK)
            if min(len(real), len(fake)) < 2 * blocks:  # the smaller set cannot fill the larger one's blocks
                size = min(len(real), len(fake))
                real, fake = real[:size], fake[:size]
            result["kid"], result["kid_std"] = kernel_distance_of_blocks(real, fake, _KERNEL_BLOCK)
        real, fake = reference.kept[: self.neighbour_samples], sample.kept[: self.neighbour_samples]
        if self.precision_recall and min(len(real), len(fake)) > _PRECISION_NEIGHBOURS:
            pair = scores.precision_recall(real, fake, _PRECISION_NEIGHBOURS)
            result["precision"], result["recall"] = pair
        if self.density_coverage and len(real) > _DENSITY_NEIGHBOURS:
            pair = scores.density_coverage(real, fake, _DENSITY_NEIGHBOURS)
            result["density"], result["coverage"] = pair
        return result | {metric.__name__: float(metric(real, fake)) for metric in self.metrics}


class _Watch:
    """Sees every generated batch: sums for scores of logits, and the samples other metrics need."""

    def __init__(self, evaluator, images):
        self._options = evaluator
        self._score = self._histogram = None
        self.points, self.images, self._places = [], [], images

    def __call__(self, samples, outputs):
        if samples.ndim == 2:
            self.points.append(samples)
        elif self._places:
            self.images.append(samples[: self._places])
            self._places -= len(self.images[-1])
        logits = outputs.get("logits")
        if logits is None:
            return
        if self._options.inception_score:
            if self._score is None:
                self._score = scores.InceptionScore(self._options.num_samples, self._options.inception_splits)
            self._score.update(logits)
        if self._options.class_coverage:
            counts = coverage.class_histogram(logits)
            self._histogram = counts if self._histogram is None else self._histogram + counts

    def results(self):
        result = {}
        if self._score is not None:
            result["inception_score"], result["inception_score_std"] = self._score.result()
        if self._histogram is not None:
            result["classes_covered"] = int(np.count_nonzero(self._histogram))
            result["class_kl"] = coverage.kl_to_uniform(self._histogram)
        return result


def _json_number(value):
    """JSON has no nan and no infinity: they become None."""
    if isinstance(value, list):
        return [_json_number(entry) for entry in value]
    return None if value is None or not np.isfinite(value) else value
