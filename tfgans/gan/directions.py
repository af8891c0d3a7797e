"""Directions in which pictures change: by SeFa (Shen & Zhou, 2021), in closed form."""

import dataclasses

import keras
import numpy as np

from tfgans import keras_internals
from tfgans.config import ConfigError
from tfgans.gan.styles import style_layers

_SAMPLES = 2_000  # styles, for their spread along a direction


@dataclasses.dataclass(frozen=True)
class Directions:
    """Unit vectors in the space of codes, the first of which changes pictures most.

    Attributes:
        method: `sefa`. space: `z` or `w`.
        vectors: float32 [K, D], of length 1; the largest entry of each is positive.
        values: float64 [K], falling: eigenvalues.
        deviations: float64 [K], the standard deviation of codes along each.
    """

    method: str
    space: str
    vectors: np.ndarray
    values: np.ndarray
    deviations: np.ndarray

    def __len__(self):
        return len(self.vectors)


class DirectionGeneration:
    """The part of `Generation` that finds directions."""

    def directions(self, method, count=10):
        """The first `count` directions, `Directions`: in `w` where the generator has styles, else in `z`.

        Raises: ConfigError for another method than `sefa`, or if the generator has no dense layer on its latent.
        """
        if method != "sefa":
            raise ConfigError(f"directions are found by sefa. Received: {method!r}")
        with self.shown() as generator:
            if not self.style_slots:
                vectors, values = sefa([_first_kernel(generator, self.latent_dim)], count)
                return Directions(method, "z", vectors, values, np.ones(len(values)))
            _, synthesis = style_layers(generator)
            fed = [part for layer in (*synthesis.convolutions, *synthesis.images)
                   for part in keras_internals.layers_of(layer) if hasattr(part, "modulation")]  # fmt: skip
            kernels = [keras.ops.convert_to_numpy(p.modulation.kernel) * p.modulation.scale for p in fed]
            vectors, values = sefa(kernels, count)
            samples = self.styles(self.latents_at(0, _SAMPLES))[:, 0]
        return Directions(method, "w", vectors, values, np.std(samples @ vectors.T, 0))


def sefa(kernels, count):
    """`(vectors float32 [K, D], values float64 [K])` of kernels [D, units] that are applied to the same code.

    The eigenvectors of the largest eigenvalues of A^T A, A^T being the kernels side by side.
    """
    kernels = np.concatenate([np.asarray(kernel, np.float64) for kernel in kernels], 1)
    values, vectors = np.linalg.eigh(kernels @ kernels.T)
    values, vectors = values[::-1][:count], vectors.T[::-1][:count]
    largest = vectors[np.arange(len(vectors)), np.abs(vectors).argmax(1)]
    return (vectors * np.sign(largest)[:, None]).astype(np.float32), np.maximum(values, 0.0)


def _first_kernel(generator, latent_dim):
    """That of the first dense layer on the latent, [latent_dim, units]."""
    for layer in keras_internals.layers_of(generator):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and tuple(kernel.shape)[:-1] == (latent_dim,):
            return keras.ops.convert_to_numpy(kernel) * getattr(layer, "scale", 1.0)
    raise ConfigError("directions by sefa: the generator has no dense layer on its latent")
