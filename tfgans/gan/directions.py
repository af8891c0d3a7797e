"""Directions in which pictures change: by SeFa (Shen & Zhou, 2021) and by PCA of w (GANSpace; Harkonen et al., 2020).

Both are closed forms. SeFa looks at the first thing that is done with a code, A c + b: the unit vectors n of largest
|A n| are the eigenvectors of A^T A. Where the generator has styles A is every modulation's kernel, one under the
other, of the slots that are moved; else the kernel of the first dense layer on the latent. (The authors' code
gives every row of A the length 1 first; the paper, and this, does not.) PCA takes the axes along which the styles of
many latents vary most.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfgans import keras_internals
from tfgans.config import ConfigError, check_count
from tfgans.gan.styles import style_layers

_SAMPLES = 10_000  # of w, for PCA and for the spread along a direction


@dataclasses.dataclass(frozen=True)
class Directions:
    """Unit vectors in the space of codes, the first of which changes pictures most.

    Attributes:
        method: `sefa` or `pca`.
        space: `z` or `w`.
        vectors: float32 [K, D], of length 1; the largest entry of each is positive.
        values: float64 [K], falling: eigenvalues of A^T A, or variances of w.
        deviations: float64 [K], the standard deviation of codes along each.
        slots: `(A, B)`: only style slots A, ..., B - 1 are moved; None in `z`.
    """

    method: str
    space: str
    vectors: np.ndarray
    values: np.ndarray
    deviations: np.ndarray
    slots: tuple | None = None

    def __len__(self):
        return len(self.vectors)

    def first(self, count):
        """The first `count` of them."""
        arrays = (getattr(self, name)[:count] for name in ("vectors", "values", "deviations"))
        return Directions(self.method, self.space, *arrays, self.slots)

    def move(self, codes, number, strengths):
        """Codes moved along direction `number`: of N codes and S strengths N * S `Codes`, code by code.

        Args:
            codes: `Codes` in the same space.
            strengths: in standard deviations of codes along the direction, [S]; 0 moves nothing.
        """
        strengths = np.asarray(strengths, np.float64)
        step = (self.deviations[number] * self.vectors[number].astype(np.float64)).astype(np.float32)
        moved = codes.rows(np.repeat(np.arange(len(codes)), len(strengths)))
        steps = np.tile(strengths, len(codes)).astype(np.float32)[:, None] * step
        values = moved.values.copy()
        if self.space == "z":
            values += steps
        else:
            values[:, slice(*self.slots)] += steps[:, None]
        return dataclasses.replace(moved, values=values, seeds=None)


class DirectionGeneration:
    """The part of `Generation` that finds directions."""

    def directions(self, method, count=10, slots=None, weights=None):
        """The first directions of a method, as `Directions`: in `w` where the generator has styles, else in `z`.

        Args:
            method: `sefa`, or `pca` of generators with styles.
            count: how many; less where the space has not so many dimensions.
            slots: `(A, B)`: moves style slots A, ..., B - 1 alone, and SeFa looks at their modulations alone; None
                is all.
        Raises: ConfigError if a value leaves its range, or the generator does not suit the method.
        """
        if method not in ("sefa", "pca"):
            raise ConfigError(f"directions are found by sefa or pca. Received: {method!r}")
        check_count("the number of directions", count)
        if method == "pca" or slots is not None:
            self.require_styles("directions by pca, and of slots")
        slots = self._moved_slots(slots)
        with self.shown(weights) as generator:
            if not self.style_slots:
                vectors, values = sefa([self._first_kernel(generator)], count)
                return Directions("sefa", "z", vectors, values, np.ones(len(values)))
            samples = self.styles(self.latents_at(0, _SAMPLES), weights)[:, slots[0] : slots[1]]
            samples = samples.reshape(-1, samples.shape[-1])
            if method == "pca":
                vectors, values = principal_axes(samples, count)
                return Directions("pca", "w", vectors, values, np.sqrt(values), slots)
            vectors, values = sefa(_modulations(generator, slots), count)
            return Directions("sefa", "w", vectors, values, np.std(samples @ vectors.T, 0), slots)

    def _moved_slots(self, slots):
        if not self.style_slots:
            return None
        first, end = slots or (0, self.style_slots)
        if not 0 <= first < end <= self.style_slots:
            raise ConfigError(
                f"moved slots are A:B with 0 <= A < B <= {self.style_slots}. Received: {first}:{end}"
            )
        return first, end

    def check_directions(self, directions):
        """Raises ConfigError, one line, if `Directions` are not of this generator's space."""
        space = "w" if self.style_slots else "z"
        size = style_layers(self.generator)[0].style_dim if self.style_slots else self.latent_dim
        if directions.space != space or directions.vectors.shape[1] != size:
            raise ConfigError(
                f"directions of this generator are in {space}, of {size} numbers. "
                f"Received: in {directions.space}, of {directions.vectors.shape[1]}"
            )
        self._moved_slots(directions.slots)

    def _first_kernel(self, generator):
        """A^T of the first dense layer on the latent, [latent_dim, units]."""
        for layer in keras_internals.layers_of(generator):
            kernel = getattr(layer, "kernel", None)
            if kernel is not None and len(kernel.shape) == 2:
                kernel = keras.ops.convert_to_numpy(kernel) * getattr(layer, "scale", 1.0)
                direct = len(kernel) == self.latent_dim
                return kernel if direct else self._seen_by(layer, generator) @ kernel
        raise ConfigError("directions by sefa: the generator has no dense layer on its latent")

    def _seen_by(self, layer, generator):
        """How a layer's input moves with the latent, [latent_dim, inputs]: a mean over latents.

        It is constant where the input is a part of the latent, or the latent beside an embedding of the class.
        """
        try:
            before = keras.Model(generator.inputs, layer.input)
        except (AttributeError, ValueError) as error:
            raise ConfigError(
                f"directions by sefa: what {layer.name} sees of the latent is not told"
            ) from error
        latents, labels = tf.constant(self.latents_at(0, 64)), self.labels_at(0, 64, None, 0)
        with tf.GradientTape() as tape:
            tape.watch(latents)
            seen = before([latents, *([] if labels is None else [tf.constant(labels)])][: len(before.inputs)])
        return tf.reduce_mean(tape.batch_jacobian(seen, latents), 0).numpy().T


def sefa(kernels, count):
    """`(vectors float32 [K, D], values float64 [K])` of kernels [D, units] that are applied to the same code.

    The eigenvectors of the largest eigenvalues of A^T A, A^T being the kernels side by side.
    """
    kernels = np.concatenate([np.asarray(kernel, np.float64) for kernel in kernels], 1)
    return _largest(kernels @ kernels.T, count)


def principal_axes(samples, count):
    """`(vectors float32 [K, D], variances float64 [K])` of samples [n, D], with n - 1 in the denominator."""
    samples = np.asarray(samples, np.float64)
    return _largest(np.cov(samples, rowvar=False).reshape(samples.shape[1], -1), count)


def _largest(matrix, count):
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1][:count], vectors.T[::-1][:count]
    largest = vectors[np.arange(len(vectors)), np.abs(vectors).argmax(1)]
    return (vectors * np.sign(largest)[:, None]).astype(np.float32), np.maximum(values, 0.0)


def _modulations(generator, slots):
    """The kernels [style_dim, channels] that styles of the slots first meet."""
    _, synthesis = style_layers(generator)
    fed = [(slot, layer) for slot, layer in enumerate(synthesis.convolutions)]
    fed += [(2 * level + 1, layer) for level, layer in enumerate(synthesis.images)]
    found = [
        keras.ops.convert_to_numpy(part.modulation.kernel) * part.modulation.scale
        for slot, layer in fed
        if slots[0] <= slot < slots[1]
        for part in keras_internals.layers_of(layer)
        if hasattr(part, "modulation")
    ]
    if not found:
        raise ConfigError("directions by sefa: the layers of these slots have no modulation by styles")
    return found
