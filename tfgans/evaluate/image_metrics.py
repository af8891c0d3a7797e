"""Metrics of images themselves rather than of their features: sliced Wasserstein distance and power spectrum."""

import numpy as np

from tfgans.evaluate import spectrum
from tfgans.evaluate.sliced_wasserstein import sliced_wasserstein

# Those of `spectrum.compare` that have a direction which is better
SPECTRAL = ("spectrum_distance", "spectrum_distance_high", "spectrum_distance_all")


class ImageMetrics:
    """Compares generated images with as many of a dataset's reference, drawn evenly from it.

    Args:
        sliced_samples: up to so many a side for the sliced Wasserstein distance, 0 for none.
        spectrum_samples: up to so many a side for the spectrum, 0 for none.
    Attributes: `keep`, how many generated images are needed; `spectra`, the (real, generated)
        `MeanSpectrum`s of the last call, None without them.
    """

    def __init__(self, sliced_samples, spectrum_samples):
        self.sliced_samples, self.spectrum_samples = sliced_samples, spectrum_samples
        self.keep = max(sliced_samples, spectrum_samples)
        self.spectra, self._real_spectra = None, {}

    def __call__(self, dataset, batches):
        """`sliced_wasserstein` and the distances of spectra (`SPECTRAL`), as far as the images allow.

        Args:
            dataset: see `Evaluator`. Its spectrum is computed at the first call only.
            batches: list of arrays of generated images [n, H, W, C], together `keep` if there are as many.
        """
        result, self.spectra = {}, None
        if not batches:
            return result
        images = np.concatenate(batches)
        if self.sliced_samples:
            result |= self._sliced(dataset, images[: self.sliced_samples])
        if self.spectrum_samples and spectrum.has_spectrum(images):
            real = self._real_spectrum(dataset, images.shape[1:])
            if real is not None:
                generated = spectrum.MeanSpectrum(real.size).update(images[: self.spectrum_samples])
                self.spectra, distances = (real, generated), spectrum.compare(real, generated)
                result |= {name: distances[name] for name in SPECTRAL}
        return result

    def _sliced(self, dataset, images):
        """Absent unless all images are of one shape, of sides of at least 8. Alpha counts as any channel."""
        fake = images[: dataset.reference_size()]
        real = np.concatenate(list(_evenly_spaced(dataset, len(fake))))
        if real.shape != fake.shape or min(real.shape[1:3]) < 8:
            return {}
        return {"sliced_wasserstein": float(np.mean(sliced_wasserstein(real, fake)))}

    def _real_spectrum(self, dataset, shape):
        """`MeanSpectrum` of the reference; None if its images are of another shape."""
        key = (dataset.fingerprint(), shape)
        if key not in self._real_spectra:
            mean = spectrum.MeanSpectrum(shape[0] if shape[0] == shape[1] else shape[:2])
            for images in _evenly_spaced(dataset, min(self.spectrum_samples, dataset.reference_size())):
                if images.shape[1:] != shape:
                    return None
                mean.update(images)
            self._real_spectra = {key: mean}
        return self._real_spectra[key]


def _evenly_spaced(dataset, count):
    """Yields arrays of reference images, `count` in all, drawn evenly: they may be sorted by class."""
    chosen = np.linspace(0, dataset.reference_size() - 1, count).astype(int)
    seen = 0
    for images, _ in dataset.reference():
        here = chosen[(seen <= chosen) & (chosen < seen + len(images))] - seen
        if len(here):
            yield np.asarray(images)[here]
        seen += len(images)
