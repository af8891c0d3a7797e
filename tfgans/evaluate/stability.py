"""Stability of training: how much the images of fixed latents change from one evaluation to the next."""

import logging

import numpy as np

from tfgans import files, readers
from tfgans.config import ConfigError

logger = logging.getLogger(__name__)

STABILITY = "stability_mse"
_SAMPLES, _PIXELS = 64, 2**22
_KEPT = 3  # evaluations whose images stay: a run may resume before the last one


class FixedSamples:
    """The first samples of an evaluation, whose latents are the same each time, beside those of the one before.

    `stability_mse` is the mean squared difference of their pixels, in [0, 1] as images are saved, or of points'
    coordinates (Re-GAN, Saxena et al. 2023, Fig. 7). As there, it is of 64 images; of large ones it is of as many as
    have 4,194,304 pixels, at least 16.

    Args:
        path: file, npz, that keeps the samples between evaluations.
        step: generator updates done at this evaluation.
    """

    def __init__(self, path, step):
        self.path, self.step = path, step
        self._parts, self._missing = [], _SAMPLES

    @staticmethod
    def count(shape):
        """How many samples of a shape, [H, W, C] or [D], it needs."""
        return _SAMPLES if len(shape) < 3 else min(_SAMPLES, max(16, _PIXELS // (shape[0] * shape[1])))

    def seen(self, samples):
        """Notes what it needs of a generated batch, which it returns."""
        if not self._parts:
            self._missing = self.count(samples.shape[1:])
        if self._missing > 0:
            self._parts.append(np.asarray(samples[: self._missing]))
            self._missing -= len(self._parts[-1])
        return samples

    def metrics(self):
        """{"stability_mse": number} if there was an evaluation before this step; keeps the samples for the next."""
        samples = np.concatenate(self._parts)
        kept = {
            step: images for step, images in self._read().items() if images.shape[1:] == samples.shape[1:]
        }
        before = [step for step in kept if step < self.step]
        kept = {step: kept[step] for step in sorted(before)[1 - _KEPT :]} | {self.step: samples}
        with files.replacing(self.path) as file:
            np.savez(file, **{str(step): images for step, images in kept.items()})
        if not before:
            return {}
        pairs = zip(samples, kept[max(before)])  # noqa: B905 - fewer, if the number of samples has changed
        change = [_unit(new) - _unit(old) for new, old in pairs]
        return {STABILITY: float(np.mean(np.square(change)))}

    def _read(self):
        """{step: samples} of earlier evaluations; a file that cannot be read is as if it were not there."""
        if not self.path.exists():
            return {}
        try:
            arrays = readers.read_npz(self.path, "samples of earlier evaluations")
            with readers.reading(self.path, "samples of earlier evaluations"):
                return {int(name): images for name, images in arrays.items()}
        except ConfigError as error:
            logger.warning("%s; stability_mse is left out once", error)
            return {}


def _unit(samples):
    return samples.astype(np.float64) / (255.0 if samples.dtype == np.uint8 else 1.0)
