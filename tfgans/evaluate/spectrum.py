"""Azimuthally averaged power spectra of images, and how far those of generated images are from real ones'.

Two definitions, both from the Fourier transform F of the gray image, without a window:

- Durall, Keuper, Keuper, 2020 ("Watch your up-convolution", section 3), as their code has it: 20 ln |F| averaged
  over rings around a centre half a pixel away from frequency 0, the innermost and outermost ring left out, each
  image's profile scaled to [0, 1].
- A clean one, which the distances and figures here use: |F|^2 averaged over rings around frequency 0 itself, in
  decibels. Its profile up to below the Nyquist frequency is the usual one, and ends before the frequencies at which
  up-sampling leaves its patterns: stripes of period 2 are at the Nyquist frequency, a checkerboard in the corner of
  the transform, at sqrt(2) times that. What is called `all_...` here goes on to the corner.

Images are uint8, taken as gray values in [0, 1], or float, taken as they are; [N, H, W, C], C = 1 or 3 (uint8 also 2
or 4, whose alpha is put on white), H and W at least 8. S is the smaller of H and W; a ring is 1 / S cycles a pixel
wide. All arithmetic is in float64.
"""

import functools
import math

import numpy as np

from tfgans.config import ConfigError
from tfgans.pictures import opaque

_LUMA = np.array([0.2989, 0.5870, 0.1140])
_SMALLEST = 8
_CHUNK = 64  # images transformed at a time
_EPSILON = 1e-8  # the authors', within their logarithm
_ROUNDING = 1e-9  # of a radius: one that is a whole number belongs to the ring that begins there
_FLAT = (
    0.01  # in units of 20 ln: rounding errors of a flat image's transform vary by less, images by far more
)


def has_spectrum(images):
    """Whether an array of images [N, H, W, C] is such that this module can measure it."""
    large = images.ndim == 4 and min(images.shape[1:3]) >= _SMALLEST
    real = images.dtype == np.uint8 or np.issubdtype(images.dtype, np.floating)
    channels = (1, 2, 3, 4) if images.dtype == np.uint8 else (1, 3)
    return bool(large and real and images.shape[3] in channels)


def gray(images):
    """Gray images, float64 [N, H, W]: of three channels the weighted sum, of one channel itself."""
    if not has_spectrum(images):
        raise ConfigError(
            "a spectrum needs images [N, H, W, C], H and W at least 8, C 1 or 3, uint8 or float. "
            f"Received: {images.dtype} {images.shape}"
        )
    images = opaque(images)
    values = images.astype(np.float64)
    if images.dtype == np.uint8:
        values /= 255.0
    return values @ _LUMA if images.shape[3] == 3 else values[..., 0]


def durall_log_profile(images):
    """20 ln |F| averaged over rings: float64 [N, R], R = 88 at 128x128; the last rings are in the corners."""
    return _by_chunks(_durall_logarithms, images)


def durall_profile(images):
    """`durall_log_profile` with each image's values scaled to [0, 1]; zeros for a flat image."""
    return _zero_to_one(durall_log_profile(images))


def power_profile(images):
    """Mean of |F|^2 over rings k <= r < k + 1 around frequency 0, k = 0 ... S/2 - 1: float64 [N, S/2]."""
    return all_power_profile(images)[:, : min(images.shape[1:3]) // 2]


def all_power_profile(images):
    """`power_profile` up to the corner: float64 [N, K], K = 46 at 64x64, where the last ring is the corner alone."""
    return _by_chunks(_power, images)


def relative_power_profile(images):
    """`power_profile` divided by each image's own power at frequency 0, which is its brightness."""
    power = np.maximum(power_profile(images), _rounding_power(images.shape[1:3]))
    return power / power[:, :1]


def decibel_profile(images):
    """`power_profile` in decibels, float64 [N, S/2]; 0 dB is the power at frequency 0 of a white image.

    Not divided by the image's own power at frequency 0: a difference in brightness would then move every frequency.
    Less than the noise of rounding to 8 bits counts as that, so that a flat image has a finite profile.
    """
    return _decibels(power_profile(images), images.shape[1:3])


def frequencies(size):
    """The spatial frequencies of the clean profiles, in parts of the Nyquist frequency: [S/2], from 0 on.

    Args:
        size: W of square images, or (H, W).
    """
    smaller = min(_pair(size))
    return np.arange(smaller // 2) / (smaller / 2)


def all_frequencies(size):
    """Those of `all_power_profile`, from 0 to about sqrt(2): [K]."""
    return _clean_rings(*_pair(size)).numbers / (min(_pair(size)) / 2)


class MeanSpectrum:
    """Mean and standard deviation of the profiles of a stream of images of one size; profiles are not kept.

    Args:
        size: W of square images, or (H, W).
    Attributes: `size` and `count` of the images seen; `all_decibels`, `all_decibels_std` [K] of the clean profiles up
        to the corner, `decibels`, `decibels_std` [S/2] the part of them below the Nyquist frequency, `durall`,
        `durall_std` [R] of Durall's. Deviations are over images (divided by N).
    """

    def __init__(self, size):
        self.size, self.count = size, 0
        height, width = _pair(size)
        self._lengths = len(_clean_rings(height, width).counts), len(_durall_rings(height, width).counts) - 2
        self._mean = self._squares = np.zeros(sum(self._lengths))

    def update(self, images):
        """Adds images [n, H, W, C]; returns itself. Raises: ConfigError if they are of another size."""
        if images.shape[1:3] != _pair(self.size):
            raise ConfigError(f"images of one spectrum are {self.size} wide. Received: {images.shape}")
        for start in range(0, len(images), _CHUNK):
            self._add(_both_profiles(images[start : start + _CHUNK]))
        return self

    def _add(self, profiles):
        """Joins the sums of squares about two means (Chan, Golub, LeVeque, 1979)."""
        added, total = len(profiles), self.count + len(profiles)
        mean = profiles.mean(axis=0)
        gap = mean - self._mean
        squares = ((profiles - mean) ** 2).sum(axis=0)
        self._squares = self._squares + squares + gap**2 * (self.count * added / total)
        self._mean, self.count = self._mean + gap * (added / total), total

    def _part(self, values):
        return np.split(values, self._lengths[:1])

    def _deviation(self):
        return np.sqrt(self._squares / self.count)

    @property
    def all_decibels(self):
        return self._part(self._mean)[0]

    @property
    def decibels(self):
        return self.all_decibels[: min(_pair(self.size)) // 2]

    @property
    def durall(self):
        return self._part(self._mean)[1]

    @property
    def all_decibels_std(self):
        return self._part(self._deviation())[0]

    @property
    def decibels_std(self):
        return self.all_decibels_std[: min(_pair(self.size)) // 2]

    @property
    def durall_std(self):
        return self._part(self._deviation())[1]


def compare(real, generated):
    """Distances of two `MeanSpectrum`s of one size, a dict of floats in decibels.

    `spectrum_distance` is the root mean square of the difference of the mean decibel profiles over the frequencies
    1 ... S/2 - 1, below Nyquist; frequency 0, brightness, is left out. Equal sets have 0, and n images a side of one
    distribution about sqrt(2 / n) standard deviations of a profile. Being a ratio of powers, it does not grow
    with the number of pixels. It does not see patterns of period 2, which are at the Nyquist frequency and beyond.

    `spectrum_distance_all` is the same over all frequencies but 0, up to the corner: it sees them. A checkerboard
    moves one of its K - 1 rings, stripes along an axis another. A pattern must have about 4 / n of the power that
    n images have at its frequency by themselves, or it is lost in their noise.

    `spectrum_distance_high` is that over the highest quarter of the frequencies below Nyquist, where up-sampling
    shows, and `spectrum_difference_high` the mean there, with its sign, of generated minus real: below 0 where
    generated images are blurred, above 0 where they are noisy.

    Raises: ConfigError for two sizes.
    """
    if _pair(real.size) != _pair(generated.size):
        raise ConfigError(f"spectra of images {real.size} and {generated.size} wide cannot be compared")
    everywhere = generated.all_decibels - real.all_decibels
    difference = everywhere[: len(real.decibels)]
    high = difference[-(-3 * len(difference) // 4) :]
    return {
        "spectrum_distance": _root_mean_square(difference[1:]),
        "spectrum_distance_high": _root_mean_square(high),
        "spectrum_distance_all": _root_mean_square(everywhere[1:]),
        "spectrum_difference_high": float(np.mean(high)),
    }


def _root_mean_square(differences):
    return float(np.sqrt(np.mean(differences**2)))


def numbers(real, generated):
    """What a figure of two `MeanSpectrum`s shows, as a dict that JSON takes: `frequency` [S/2] and `all_frequency`
    [K] in parts of Nyquist, `compare`'s distances, and of `real` and `generated` each `count` and the six curves."""
    curves = ("decibels", "decibels_std", "all_decibels", "all_decibels_std", "durall", "durall_std")
    sides = {
        name: {"count": side.count} | {curve: getattr(side, curve).tolist() for curve in curves}
        for name, side in (("real", real), ("generated", generated))
    }
    found = {"frequency": frequencies(real.size), "all_frequency": all_frequencies(real.size)}
    return {name: values.tolist() for name, values in found.items()} | compare(real, generated) | sides


def _pair(size):
    """(H, W) of a size that may be one number."""
    return (size, size) if isinstance(size, int) else tuple(size)


class _Rings:
    """The pixels of a transform [H, W] sorted by the whole part of their radius, an array like it."""

    def __init__(self, radius):
        radius = radius.astype(int).ravel()
        self.order = np.argsort(radius, kind="stable")
        self.numbers, self.counts = np.unique(radius, return_counts=True)
        self.starts = np.cumsum(self.counts) - self.counts

    def means(self, values):
        """Mean of [N, H, W] over each ring: [N, number of rings]."""
        flat = values.reshape(len(values), -1)[:, self.order]
        return np.add.reduceat(flat, self.starts, axis=1) / self.counts


@functools.cache
def _clean_rings(height, width):
    """Around frequency 0; the radius is in cycles over the smaller side."""
    smaller = min(height, width)
    row, column = (np.fft.fftfreq(size, 1 / size) * (smaller / size) for size in (height, width))
    return _Rings(np.hypot(row[:, None], column) + _ROUNDING)


@functools.cache
def _durall_rings(height, width):
    """Around the middle of the shifted transform, half a pixel away from frequency 0 where a side is even."""
    row, column = np.indices((height, width)) - np.array([height - 1, width - 1])[:, None, None] / 2
    return _Rings(np.fft.ifftshift(np.hypot(row, column)))


def _by_chunks(profile, images):
    chunks = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)] or [images]
    return np.concatenate([profile(np.fft.fft2(gray(chunk))) for chunk in chunks])


def _both_profiles(images):
    """Of a few images, the two profiles side by side: [n, K + R]."""
    transform = np.fft.fft2(gray(images))
    decibels = _decibels(_power(transform), images.shape[1:3])
    return np.concatenate([decibels, _zero_to_one(_durall_logarithms(transform))], axis=1)


def _power(transform):
    return _clean_rings(*transform.shape[1:]).means(transform.real**2 + transform.imag**2)


def _durall_logarithms(transform):
    logarithm = 20.0 * np.log(np.abs(transform + _EPSILON))
    return _durall_rings(*transform.shape[1:]).means(logarithm)[:, 1:-1]


def _zero_to_one(profiles):
    low, high = profiles.min(axis=1, keepdims=True), profiles.max(axis=1, keepdims=True)
    return np.where(high - low > _FLAT, (profiles - low) / np.maximum(high - low, _FLAT), 0.0)


def _decibels(power, size):
    return 10.0 * np.log10(np.maximum(power, _rounding_power(size)) / math.prod(size) ** 2)


def _rounding_power(size):
    """Power at each frequency of a gray image's rounding to multiples of 1/255: H * W times its variance."""
    return math.prod(size) / 255**2 / 12
