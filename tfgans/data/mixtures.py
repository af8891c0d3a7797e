"""Two-dimensional Gaussian mixtures, on which mode collapse can be counted."""

import numpy as np

from tfgans.config import ConfigError
from tfgans.data import philox

_TRAIN, _TEST = 5000, 1000  # points of every mode


class Mixture:
    """`ring`: 8 modes on a circle of radius 2, standard deviation 0.02 (Metz et al., 2017);
    `grid`: 5 x 5 modes at -4, -2, 0, 2, 4, standard deviation 0.05 (Srivastava et al., 2017).

    Points and standard deviations are divided by 2.5 (ring) or 5 (grid), so that the outermost
    centres have coordinate 0.8 and everything lies in [-1, 1], within reach of a tanh. 5,000 training
    and 1,000 test points of every mode, drawn once for all; mode k belongs to label k.
    """

    splits = ("train", "test")

    def __init__(self, kind):
        if kind == "ring":
            angles = np.arange(8) * (2.0 * np.pi / 8)
            centers, std, scale = 2.0 * np.stack([np.cos(angles), np.sin(angles)], 1), 0.02, 2.5
        elif kind == "grid":
            sides = np.arange(-4.0, 5.0, 2.0)
            centers, std, scale = (
                np.stack(np.meshgrid(sides, sides, indexing="ij"), -1).reshape(-1, 2),
                0.05,
                5.0,
            )
        else:
            raise ConfigError(f"a mixture is ring or grid. Received: {kind!r}")
        self.modes = (centers / scale).astype(np.float32)
        self.mode_std = std / scale

    def open(self, split):
        count = len(self.modes) * (_TEST if split == "test" else _TRAIN)
        labels = (np.arange(count) % len(self.modes)).astype(np.int32)
        noise = philox.normal_pairs(count, split == "test", philox.POINTS, len(self.modes))
        points = self.modes[labels] + self.mode_std * noise
        return PointItems(np.clip(points, -1.0, 1.0).astype(np.float32), labels)


class PointItems:
    """Points float32 [n, 2] in [-1, 1] with the mode each was drawn from."""

    class_names = None

    def __init__(self, points, labels):
        self.points, self.labels = points, labels

    def __len__(self):
        return len(self.points)
