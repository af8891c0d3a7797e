"""Pairs of images a small step apart on paths between latents, as the perceptual path length compares them."""

import numpy as np
import tensorflow as tf

from tfgans.gan.driver import stream_hash
from tfgans.gan.styles import style_layers


class PathGeneration:
    """The part of `Generation` that walks between latents."""

    @property
    def path_spaces(self):
        """The spaces of `paths`: "z" of images, with "w" where the generator has styles; none of points."""
        if len(self.sample_shape) != 3:
            return ()
        return ("z", "w") if self.style_slots else ("z",)

    def paths(self, seed, weights=None, check=lambda: None):
        """`paths(space, step, full)` -> `pairs(count)`, as an evaluation of path lengths takes it; None for points.

        `pairs(count)` gives images at t and at t + `step` of as many paths, two arrays float32 [count, H, W, C] in
        [-1, 1], not clipped; successive calls continue one stream. A path joins two latents of a stream of their own:
        in `z` along a great circle, `slerp`; in `w` straight, between the styles of the two. Both images have one
        class, drawn as for other images, and the same noise, the layers' own. t is 0, or with `full` uniform in
        [0, 1).

        Args:
            seed, weights: as in `stream_of`. check: called before each batch of images.
        Raises: ConfigError for `w` without styles.
        """

        def paths(space, step, full):
            if space == "w":
                self.require_styles("paths in w")
            stream = stream_hash(seed, f"paths/{space}")
            draws, position = np.random.default_rng(stream), 0

            def pairs(count):
                nonlocal position
                check()
                ends = self.latents_at(2 * position, 2 * count, stream)
                labels = self.labels_at(0, count, None, position, stream)
                position += count
                t = draws.random((count, 1)) if full else np.zeros((count, 1))
                places = t, t + step
                if space == "w":
                    return self._between_styles(ends[::2], ends[1::2], places, labels, weights)
                latents = (slerp(ends[::2], ends[1::2], place).astype(np.float32) for place in places)
                return tuple(self._unrounded(latent, labels, weights) for latent in latents)

            return pairs

        return paths if self.path_spaces else None

    def _between_styles(self, first, last, places, labels, weights):
        first, last = (self.styles(latents, weights, labels=labels) for latents in (first, last))
        images = []
        with self.shown(weights) as generator:
            render = self._compiled(_unrounded_of_styles, generator)
            for place in places:
                t = place[..., None].astype(np.float32)
                images.append(render(tf.constant(first + (last - first) * t)).numpy())
        return tuple(images)

    def _unrounded(self, latents, labels, weights):
        labels = None if labels is None else tf.constant(labels, tf.int32)
        with self.shown(weights) as generator:
            return self._compiled(_unrounded_of_latents, generator)(tf.constant(latents), labels).numpy()


def slerp(first, last, t):
    """Spherical interpolation of latents [n, D], float64 [n, D], at `t` [n, 1].

    The direction goes along the great circle as in Karras et al. 2019 (`lerp` of StyleGAN's code, whose vectors have
    length 1); the length, which StyleGAN's mapping does away with, changes evenly from the one's to the other's, so
    that other generators see latents such as they were trained with.
    """
    first, last = np.asarray(first, np.float64), np.asarray(last, np.float64)
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (first, last)]
    a, b = first / lengths[0], last / lengths[1]
    cosine = np.sum(a * b, axis=-1, keepdims=True)
    across = b - cosine * a
    across /= np.maximum(
        np.linalg.norm(across, axis=-1, keepdims=True), 1e-12
    )  # of parallel latents 0: a stays
    angle = t * np.arccos(np.clip(cosine, -1.0, 1.0))
    direction = a * np.cos(angle) + across * np.sin(angle)
    return direction * ((1.0 - t) * lengths[0] + t * lengths[1])


def _unrounded_of_latents(gan, generator):
    def render(latents, labels):
        images = gan.synthesize({"latents": latents, "labels": labels}, generator=generator)
        return tf.cast(images, tf.float32)

    return render


def _unrounded_of_styles(gan, generator):
    _, synthesis = style_layers(generator)
    return lambda styles: tf.cast(synthesis(styles), tf.float32)
