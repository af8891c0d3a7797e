"""What pictures are made of: latents or styles, with classes and noise, so that any picture can be made again."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.data.scaling import to_uint8
from tfgans.gan.styles import Truncation, style_layers
from tfgans.layers.embedding import mixed_classes

BLOCK = 64  # latents are drawn in blocks of this many, so that any part of a stream can be drawn alone
TOGETHER = 8  # pictures made at a time; sums are rounded in another order in a batch of another size


@dataclasses.dataclass(frozen=True)
class Codes:
    """What N pictures are made of.

    Attributes:
        space: `z`, latents, or `w`, styles.
        values: float32, latents [N, latent_dim] or styles [N, slots, style_dim].
        labels: int32 [N]; or shares of the classes, float32 [N, num_classes], to mix them; None without classes.
        noise: of generators with styles, a float32 array [N, h, w, 1] for each of `synthesis.noise_shapes`; (): the
            layers' own noise.
        seeds: the picture's number in the stream it was drawn from, int64 [N]; None if it was not drawn.
    """

    space: str
    values: np.ndarray
    labels: np.ndarray | None = None
    noise: tuple = ()
    seeds: np.ndarray | None = None

    def __len__(self):
        return len(self.values)

    def rows(self, index):
        """Some of them, by a slice or an array of indices."""
        labels, seeds = (None if part is None else part[index] for part in (self.labels, self.seeds))
        return Codes(self.space, self.values[index], labels, tuple(n[index] for n in self.noise), seeds)

    @staticmethod
    def joined(parts):
        """Those of several of one kind, one after the other, without their seeds."""
        labels = None if parts[0].labels is None else np.concatenate([each.labels for each in parts])
        noise = tuple(np.concatenate(maps) for maps in zip(*(each.noise for each in parts), strict=True))
        return Codes(parts[0].space, np.concatenate([each.values for each in parts]), labels, noise)


class CodeGeneration:
    """The part of `Generation` that names what a picture is made of, and makes the picture of it."""

    def codes_at(self, seeds, labels=None, seed=0, weights=None, style_layer=None, **truncation):
        """What the pictures with some numbers of a stream are made of.

        Picture k is a function of (seed, k) alone, whatever others are asked for: it is image k, from 0, of
        `generate(n, seed=seed)`.

        Args:
            seeds: the numbers k, integers from 0 [N], at least one.
            labels: classes to go round: picture k gets number k modulo their count; None draws them, from k, too.
            seed: of the stream.
            style_layer, truncation: see `Generation`. Truncated or fed by another layer, the codes are in `w`.
        Raises: ConfigError as `generate`, and for numbers that are none.
        """
        truncation = Truncation(**truncation)
        bound, psi = self.truncations(truncation)
        layer = self.fed_layer(style_layer)
        seeds = _checked_numbers(seeds)
        values = rows_at(seeds, lambda start: self.latents_at(start, BLOCK, seed, bound))
        codes = Codes("z", values, self._labels_of_seeds(seeds, labels, seed), (), seeds)
        return codes if psi is None and layer is None else self.in_w(codes, weights, layer, truncation)

    def _labels_of_seeds(self, seeds, labels, seed):
        if labels is not None:
            chosen = self.class_indices(labels)
            return chosen[seeds % len(chosen)]
        if not self.num_classes:
            return None
        return rows_at(seeds, lambda start: self.labels_at(0, BLOCK, None, start, seed))

    def in_w(self, codes, weights=None, style_layer=None, truncation=None):
        """The codes as styles, truncated as `Generation` says; those that are styles already stay as they are.

        Args: truncation: a `Truncation`, or None.
        """
        self.require_styles("w")
        if codes.space == "w":
            return codes
        options = dataclasses.asdict(truncation or Truncation())
        arrays = [codes.values, *([] if codes.labels is None else [codes.labels])]
        values = _in_full_batches(
            lambda *part: self._in_w(part, weights, style_layer, options), arrays, BLOCK
        )
        return dataclasses.replace(codes, space="w", values=np.concatenate(list(values)), labels=None)

    def _in_w(self, part, weights, style_layer, options):
        latents, labels = part if len(part) == 2 else (*part, None)
        return self.styles(latents, weights, style_layer, labels, **options)

    def show(self, codes, weights=None, batch_size=TOGETHER):
        """The pictures of codes: uint8 [N, H, W, C], or points float32 [N, D].

        All batches are of one size, the last one filled up, so that a picture's pixels do not depend on how many
        are asked for; another `batch_size` may change some by a level.
        """
        return np.concatenate(list(self.batches_shown(codes, weights, batch_size)))

    def batches_shown(self, codes, weights=None, batch_size=TOGETHER):
        """Yields what `show` gives, a batch after the other: of many pictures few are held at a time."""
        if codes.noise and codes.space == "z":
            codes = self.in_w(codes, weights)
        arrays = [codes.values, *([] if codes.labels is None else [codes.labels]), *codes.noise]
        with self.shown(weights) as generator:
            render = self._compiled(self._renderer_of(codes), generator)
            yield from _in_full_batches(render, arrays, batch_size)

    def _renderer_of(self, codes):
        if codes.space == "w":
            return _of_styles_and_noise if codes.noise else _of_styles
        mixes = codes.labels is not None and codes.labels.ndim == 2
        return _of_mixed_classes if mixes else renderer


def check_codes(codes, model):
    """Raises ConfigError, one line, if codes are not of a model: of another size, in w without styles, and so on."""
    if codes.space == "w":
        model.require_styles("codes in w")
        wanted = (model.style_slots, style_layers(model.generator)[0].style_dim)
    else:
        wanted = (model.latent_dim,)
    if codes.values.shape[1:] != wanted:
        raise ConfigError(
            f"codes in {codes.space} of this generator are [N, {', '.join(map(str, wanted))}]. "
            f"Received: {list(codes.values.shape)}"
        )
    _check_labels(codes, model)
    if codes.noise:
        model.require_styles("codes with noise")
        shapes = [tuple(shape) for shape in style_layers(model.generator)[1].noise_shapes]
        found = [part.shape[1:] for part in codes.noise]
        if found != shapes:
            raise ConfigError(f"noise of this generator is of sizes {shapes}. Received: {found}")


def _check_labels(codes, model):
    labels, classes = codes.labels, model.num_classes
    if codes.space == "w" or (labels is None and not classes):
        return
    if labels is None or not classes:
        has, have = ("has classes", "have none") if classes else ("has no classes", "have labels")
        raise ConfigError(f"this generator {has}, and the codes {have}")
    outside = labels.shape[1] != classes if labels.ndim == 2 else np.any((labels < 0) | (labels >= classes))
    if outside:
        received = f"shares of {labels.shape[1]}" if labels.ndim == 2 else f"{labels.min()} to {labels.max()}"
        raise ConfigError(f"labels of the codes are of classes in [0, {classes}). Received: {received}")


def _checked_numbers(seeds):
    """Numbers of pictures as int64 [N]. Raises: ConfigError for other things."""
    numbers = np.asarray(seeds)
    fits = numbers.ndim == 1 and numbers.size and numbers.dtype.kind in "iu"
    if not fits or np.any(numbers.astype(np.int64) < 0):  # larger ones than int64 has are below 0 then
        raise ConfigError(
            f"numbers of pictures are integers from 0 [N], at least one. Received: {seeds!r:.80}"
        )
    return numbers.astype(np.int64)


def rows_at(places, block_at):
    """Rows at some places of the endless array whose block from `start` is `block_at(start)`."""
    blocks, which = np.unique(places // BLOCK, return_inverse=True)
    drawn = np.stack([block_at(int(block) * BLOCK) for block in blocks])
    return drawn[which, places % BLOCK]


def _in_full_batches(render, arrays, size):
    """Yields what `render` makes of the rows of arrays, all in batches of `size`, the last one filled up."""
    for start in range(0, len(arrays[0]), size):
        parts = [array[start : start + size] for array in arrays]
        count = len(parts[0])
        index = np.minimum(np.arange(size), count - 1)
        yield np.asarray(render(*(tf.constant(part[index]) for part in parts)))[:count]


def renderer(gan, generator):
    """A function (latents, labels) -> what people see: uint8 images, or points as they are."""

    def render(latents, labels=None):
        return _seen(gan.synthesize({"latents": latents, "labels": labels}, generator=generator))

    return render


def _of_mixed_classes(gan, generator):
    def render(latents, shares):
        labels = tf.argmax(shares, 1, tf.int32)  # where none is mixed
        with mixed_classes(shares) as lookups:
            images = gan.synthesize({"latents": latents, "labels": labels}, generator=generator)
        if not lookups:
            raise ConfigError("classes cannot be mixed: the generator looks none up in a table of tfgans")
        return _seen(images)

    return render


def _of_styles(gan, generator):
    _, synthesis = style_layers(generator)
    return lambda styles: _seen(synthesis(styles))


def _of_styles_and_noise(gan, generator):
    """Apart from `_of_styles`: TensorFlow cannot trace a function again with more arguments than at first."""
    _, synthesis = style_layers(generator)
    return lambda styles, *noise: _seen(synthesis(styles, list(noise)))


def _seen(images):
    return to_uint8(images) if images.shape.rank == 4 else images
