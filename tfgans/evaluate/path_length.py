"""Perceptual path length: how much images change, in a network's features, along short steps between latents."""

import numpy as np

from tfgans import progress
from tfgans.config import AtLeast, ConfigError, Count, Instance, OneOf, Positive, configurable
from tfgans.pictures import opaque

SPACES = {"ppl_z": "z", "ppl_w": "w"}  # of the metrics
_SMALLER = 256


@configurable
class PathLength:
    """The mean of |f(G(t + e)) - f(G(t))|^2 / e^2 over paths between latents (Karras et al. 2019, 2020).

    As in those, values below the 1st percentile and above the 99th are left out, and images of 512 pixels or more are
    shrunk by averages to 256 first. Images are not rounded to 8 bits, which would hide a step of 1e-4.

    Published numbers have LPIPS with VGG16 for the distance, whose weights do not come with this package: unless
    `features` is a network whose outputs differ by it, such as NVIDIA's `vgg16` as a SavedModel, this is the path
    length in other features, and compares runs of the same features alone. So the value's name says all of it:
    `ppl_w_end_inception_legacy_tensorflow`, or with `crop` `ppl_w_end_crop_...`; `ppl_samples` is beside it.
    Departures besides: one fixed noise for all images, and labels drawn as the model draws them. A generator that
    computes in bfloat16 has too few digits for such a step: measure it with `numerics.precision = "float32"`.

    Args:
        samples: paths; 50,000 in the papers.
        sampling: `end`: t = 0, as in StyleGAN2; `full`: t uniform in [0, 1).
        crop: only rows 3/8 to 7/8 and columns 2/8 to 6/8 count, the face in FFHQ (StyleGAN's own numbers).
        epsilon: e.
        features: an extractor for the distance; None for that of the evaluation.
        batch_size: paths at a time, two images each.
    """

    def __init__(
        self,
        samples: AtLeast(2) = 10000,
        sampling: OneOf("end", "full") = "end",
        crop: bool = False,
        epsilon: Positive = 1e-4,
        features: Instance("@KerasFeatures()") | None = None,
        batch_size: Count = 32,
    ):
        self.samples, self.sampling, self.crop, self.epsilon = samples, sampling, crop, epsilon
        self.features, self.batch_size = features, batch_size

    def check(self, features):
        """Raises ConfigError, in one line, if images that are not rounded cannot be measured.

        Args: features: the extractor of the evaluation.
        """
        features = self._chosen(features)
        if not hasattr(features, "of_pixels"):
            raise ConfigError(
                f"path lengths need features of images that are not rounded, and {features.name} has none: bind "
                "PathLength.features"
            )
        features.check()
        features.of_pixels(np.zeros((1, 32, 32, 3), np.float32))

    def __call__(self, paths, space, features):
        """Measures.

        Args:
            paths: `paths(space, step, full)` -> `pairs(count)` -> two arrays of images float32 [count, H, W, C] in
                [-1, 1], such as `GAN.paths` gives; None for points.
            space: "z" or "w". features: the extractor of the evaluation.
        Returns: {its name: the path length, "ppl_samples"}; {} without `paths`.
        """
        if paths is None:
            return {}
        features, pairs = self._chosen(features), paths(space, self.epsilon, self.sampling == "full")
        distances = []
        with progress.Bar(f"paths in {space}", self.samples, "path", leave=False) as bar:
            for start in range(0, self.samples, self.batch_size):
                count = min(self.batch_size, self.samples - start)
                first, last = (features.of_pixels(self._seen(images)) for images in pairs(count))
                change = np.asarray(last, np.float64) - np.asarray(first, np.float64)
                distances.append(np.sum(np.square(change), axis=1) / self.epsilon**2)
                bar.update(count)
        name = self.name(f"ppl_{space}", features)
        return {name: trimmed_mean(np.concatenate(distances)), "ppl_samples": self.samples}

    def name(self, metric, features):
        """What the value of `ppl_z` or `ppl_w` is called. Args: features: the extractor of the evaluation."""
        return f"{metric}_{self.sampling}{'_crop' if self.crop else ''}_{self._chosen(features).name}"

    def _chosen(self, features):
        return features if self.features is None else self.features

    def _seen(self, images):
        """Pixels in [0, 255] as the features see them, cropped and shrunk; alpha is put on white."""
        height, width = images.shape[1:3]
        if self.crop:
            images = images[:, height * 3 // 8 : height * 7 // 8, width * 2 // 8 : width * 6 // 8]
        if min(height, width) >= 2 * _SMALLER:
            images = _shrunk(images, min(height, width) // _SMALLER)
        return opaque((images + np.float32(1.0)) * np.float32(127.5))


def trimmed_mean(distances):
    """The mean of what lies between the 1st and the 99th percentile, both included; nan if one is not finite."""
    if not np.isfinite(distances).all():
        return float("nan")
    low = np.percentile(distances, 1, method="lower")
    high = np.percentile(distances, 99, method="higher")
    return float(distances[(low <= distances) & (distances <= high)].mean())


def _shrunk(images, factor):
    """Means of blocks of factor x factor pixels, of [n, H, W, C]; a rest at the border is left out."""
    count, height, width, channels = images.shape
    rows, columns = height // factor, width // factor
    blocks = images[:, : rows * factor, : columns * factor]
    return blocks.reshape(count, rows, factor, columns, factor, channels).mean(axis=(2, 4))
