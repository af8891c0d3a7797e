"""Ways between pictures: from one to another, round through key pictures, and from class to class."""

import dataclasses

import numpy as np

from tfgans.config import ConfigError, check_count
from tfgans.gan.codes import TOGETHER, Codes
from tfgans.gan.paths import slerp
from tfgans.gan.styles import Truncation


class WalkGeneration:
    """The part of `Generation` that goes from picture to picture."""

    def interpolate(self, rows, columns, seed=0, weights=None, space=None, batch_size=TOGETHER, **truncation):
        """Images between pairs of latents, see `interpolation`: uint8 [rows * columns, H, W, C], or points.

        Args: batch_size: images at a time.
        """
        codes = self.interpolation(rows, columns, seed, weights, space, **truncation)
        return self.show(codes, weights, batch_size)

    def interpolation(self, rows, columns, seed=0, weights=None, space=None, **truncation):
        """Codes between pairs of latents.

        Args:
            rows: pairs; row i goes from latent 2i of the stream to latent 2i + 1, its class fixed.
            columns: codes of each row, both ends included.
            space: `z` goes along the great circle through the two latents, `w` straight from the styles of one
                to those of the other; None is `w` where the generator has styles, else `z`.
            truncation: `truncation` and `truncated_slots`, see `Generation`.
        Returns: rows * columns `Codes`, row by row.
        Raises: ConfigError if a value leaves its range, or for `w` without styles.
        """
        space = self.way_space(space)
        check_count("rows", rows)
        check_count("columns", columns)
        truncation = Truncation(**truncation)
        bound, psi = self.truncations(truncation)
        labels = self.labels_at(0, rows, None, 0, seed)
        of_ends = None if labels is None else np.repeat(labels, 2)
        ends = Codes("z", self.latents_at(0, 2 * rows, seed, bound), of_ends)
        steps = np.linspace(0.0, 1.0, columns, dtype=np.float32)[None, :, None]
        if space == "w":
            styles = self.in_w(ends, weights, truncation=truncation).values
            flat = styles.reshape(rows, 2, 1, -1)
            between = (1 - steps) * flat[:, 0] + steps * flat[:, 1]
            return Codes("w", between.reshape(rows * columns, *styles.shape[1:]))
        pairs = ends.values.reshape(rows, 2, 1, self.latent_dim)
        between = _great_circle(pairs[:, 0], pairs[:, 1], steps).reshape(rows * columns, self.latent_dim)
        codes = Codes("z", between, None if labels is None else np.repeat(labels, columns))
        return codes if psi is None else self.in_w(codes, weights, truncation=truncation)

    def way_space(self, space):
        """The space of a way: `space`, or for None `w` where the generator has styles, else `z`.

        Raises: ConfigError for another one, or for `w` without styles.
        """
        space = space or ("w" if self.style_slots else "z")
        if space not in ("z", "w"):
            raise ConfigError(f"interpolation is in z or w. Received: {space!r}")
        if space == "w":
            self.require_styles("interpolation in w")
        return space

    def walk(self, keyframes, frames, space=None, weights=None, **truncation):
        """Codes of a way round: through key pictures in turn, and from the last back to the first.

        In `w` it is the periodic cubic spline through the styles, which turns softly; in `z` a great circle from each
        latent to the next, as `slerp`. Between key pictures of different classes the classes are mixed.

        Args:
            keyframes: `Codes`, at least 2.
            frames: codes from one key picture to the next, the next not counted.
            space, truncation: as in `interpolation`; codes that are in `w` stay there and are not truncated.
        Returns: len(keyframes) * frames `Codes`; number k * frames is key picture k exactly.
        Raises: ConfigError if a value leaves its range, or for `z` of codes that are styles.
        """
        if len(keyframes) < 2:
            raise ConfigError(f"a walk has at least 2 key pictures. Received: {len(keyframes)}")
        check_count("frames", frames)
        truncation = Truncation(**truncation)
        if keyframes.space == "w" and space == "z":
            raise ConfigError("a walk in z needs latents, and these codes are styles, in w")
        _, psi = self.truncations(truncation)
        if keyframes.space == "w" or self.way_space(space) == "w":
            return closed_way(self.in_w(keyframes, weights, truncation=truncation), frames, self.num_classes)
        codes = closed_way(keyframes, frames, self.num_classes)
        return codes if psi is None else self.in_w(codes, weights, truncation=truncation)

    def class_walk(self, codes, labels, frames, weights=None, **truncation):
        """Codes whose pictures go from class to class, and from the last back to the first, all else being the same.

        Args:
            codes: `Codes` in `z`, a row of the result each.
            labels: classes, names or indices, at least 2.
            frames: codes from one class to the next, the next not counted.
            truncation: `truncation` and `truncated_slots`, see `Generation`: of generators with styles.
        Returns: a list with len(labels) * frames `Codes` for each of `codes`.
        Raises: ConfigError without classes, or for labels or options out of their range.
        """
        if not self.num_classes:
            raise ConfigError("a walk through classes: the model has no classes")
        if codes.space != "z":
            raise ConfigError("a walk through classes needs latents, and these codes are styles, in w")
        chosen = self.class_indices(labels)
        if len(chosen) < 2:
            raise ConfigError(f"a walk through classes has at least 2 of them. Received: {len(chosen)}")
        check_count("frames", frames)
        truncation = Truncation(**truncation)
        _, psi = self.truncations(truncation)
        shares = _closed_line(_shares(chosen, self.num_classes), frames)
        ways = [
            Codes("z", np.repeat(codes.values[i : i + 1], len(shares), 0), shares) for i in range(len(codes))
        ]
        return ways if psi is None else [self.in_w(way, weights, truncation=truncation) for way in ways]


def closed_way(keyframes, frames, num_classes=None):
    """The way of `WalkGeneration.walk` through `Codes` as they are."""
    way = _closed_spline if keyframes.space == "w" else _closed_circles
    labels = keyframes.labels
    if labels is not None and np.any(labels != labels[0]):
        labels = _closed_line(labels if labels.ndim == 2 else _shares(labels, num_classes), frames)
    elif labels is not None:
        labels = np.repeat(labels[:1], len(keyframes) * frames, 0)
    noise = tuple(_closed_line(part, frames) for part in keyframes.noise)
    return dataclasses.replace(
        keyframes, values=way(keyframes.values, frames), labels=labels, noise=noise, seeds=None
    )


def _closed(frames, keys, between):
    """Keys and what `between(t)` gives at each t in (0, 1), t of the way from each key to the next."""
    parts = [keys] + [between(frame / frames) for frame in range(1, frames)]
    return np.stack(parts, 1).reshape(-1, *keys.shape[1:]).astype(np.float32)


def _closed_line(keys, frames):
    return _closed(frames, keys, lambda t: (1.0 - t) * keys + t * np.roll(keys, -1, 0))


def _closed_circles(keys, frames):
    return _closed(frames, keys, lambda t: slerp(keys, np.roll(keys, -1, 0), np.full((len(keys), 1), t)))


def _closed_spline(keys, frames):
    from scipy.interpolate import CubicSpline

    places = np.arange(len(keys))
    spline = CubicSpline(
        [*places, len(keys)], np.concatenate([keys, keys[:1]]).astype(np.float64), bc_type="periodic"
    )
    return _closed(frames, keys, lambda t: spline(places + t))


def _shares(labels, num_classes):
    return np.eye(num_classes, dtype=np.float32)[labels]


def _great_circle(first, last, steps):
    """Spherical interpolation of vectors [..., D]; a straight line between those that are parallel."""
    cosine = np.sum(first * last, -1, keepdims=True)
    cosine = cosine / (
        np.linalg.norm(first, axis=-1, keepdims=True) * np.linalg.norm(last, axis=-1, keepdims=True)
    )
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    parallel = sine < 1e-6
    sine = np.where(parallel, 1.0, sine)
    # Divided before they are multiplied, so that both ends are exact.
    before, after = (np.where(parallel, share, np.sin(share * angle) / sine) for share in (1 - steps, steps))
    return before * first + after * last
