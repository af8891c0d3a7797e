"""What an evaluation takes from each generated batch besides its features."""

import numpy as np

from tfgans.evaluate import coverage, scores
from tfgans.evaluate.frechet import Moments


class Watch:
    """Sees every generated batch: sums for scores of logits, moments of spatial features, and some samples.

    Args:
        metrics: names of `tfgans.evaluate.metrics`. total: how many samples will come.
        splits: parts of the Inception score. images: how many images to keep.
        evidence: an `evidence.Evidence` that sees the samples, too, or None.
    Attributes: `points`, arrays of all, and `images`, arrays of as many as to keep; `spatial`, `Moments` or None.
    """

    def __init__(self, metrics, total, splits, images, evidence=None):
        self.points, self.images, self.spatial = [], [], None
        self._metrics, self._parts, self._places = metrics, (total, splits), images
        self._score = self._histogram = None
        self._evidence = evidence

    def __call__(self, samples, outputs):
        if self._evidence is not None:
            self._evidence.take(samples, outputs["features"])
        if samples.ndim == 2:
            self.points.append(samples)
        elif self._places:
            self.images.append(samples[: self._places])
            self._places -= len(self.images[-1])
        if "spatial" in outputs:
            self._see_spatial(outputs["spatial"])
        if "logits" in outputs:
            self._see_logits(outputs["logits"])

    def _see_spatial(self, features):
        if self.spatial is None:
            self.spatial = Moments(features.shape[1])
        with np.errstate(invalid="ignore", over="ignore"):  # reported as null by the evaluator
            self.spatial.update(features)

    def _see_logits(self, logits):
        if "inception_score" in self._metrics:
            if self._score is None:
                self._score = scores.InceptionScore(*self._parts)
            self._score.update(logits)
        if "class_coverage" in self._metrics:
            counts = coverage.class_histogram(logits)
            self._histogram = counts if self._histogram is None else self._histogram + counts

    def results(self):
        """The metrics of logits, as far as there were any."""
        result = {}
        if self._score is not None:
            result["inception_score"], result["inception_score_std"] = self._score.result()
        if self._histogram is not None:
            result["classes_covered"] = int(np.count_nonzero(self._histogram))
            result["class_kl"] = coverage.kl_to_uniform(self._histogram)
        return result
