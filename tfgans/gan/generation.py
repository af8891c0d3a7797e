"""Images out of a trained model: repeatable streams, truncation, export."""

import contextlib
import math
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgans import files, filling, philox
from tfgans.config import ConfigError, Positive, check_count
from tfgans.gan.codes import BLOCK, CodeGeneration, renderer
from tfgans.gan.directions import DirectionGeneration
from tfgans.gan.driver import stream_hash
from tfgans.gan.given import checked_floats, checked_labels
from tfgans.gan.hooks import hook
from tfgans.gan.keras_files import save_network
from tfgans.gan.label_draws import LabelDraws, takes_labels
from tfgans.gan.paths import PathGeneration
from tfgans.gan.styles import StyleGeneration, Truncation
from tfgans.gan.walks import WalkGeneration


class Generation(
    LabelDraws, StyleGeneration, PathGeneration, CodeGeneration, WalkGeneration, DirectionGeneration
):
    """The part of `GAN` that makes images outside training.

    A stream of latents is a pure function of (seed, position): `generate` of 100 images at once, or in parts,
    gives the same images.

    `truncation` means two things. Where the generator has styles (see `StyleGeneration`) it is psi, in [0, 1]:
    a style w becomes mean_w + psi (w - mean_w), so that 1 changes nothing and 0 gives one image, that of the mean
    (Karras et al. 2019, appendix B); `truncated_slots` says for how many of the first style slots, None for all.
    Without styles it is a bound, above 0: the latents are drawn from the normal distribution within it (Brock et
    al. 2019). None truncates nothing.
    """

    discriminator_is_untrained = False  # as of a file of generators alone: nothing is to be asked of it
    _position, _part, _weights = 0, None, None

    def generate(
        self,
        count,
        labels=None,
        weights=None,
        seed=None,
        start=None,
        batch_size=BLOCK,
        style_layer=None,
        **truncation,
    ):
        """Images as they are shown.

        Args:
            count: how many.
            labels: classes to go round in turn, each in [0, num_classes) or a name; None draws them, see
                `label_distribution`.
            weights: "average" or "raw", of the averaged generator or of the one that trains; None is the average, if
                there is one.
            seed: of the stream of latents; None goes on in the model's own from call to call.
            start: position in the stream of the first image; 0 if a seed is given.
            batch_size: images at a time; more need more memory.
            style_layer: i, of generators with styles: all style slots take W_i, the output of the mapping's i-th
                dense layer (Tian et al. 2021, Fig. 6), and are truncated towards its own mean; None: those that
                the generator was trained with, the last in StyleGAN2.
            truncation: `truncation` and `truncated_slots`, see the class.
        Returns: uint8 [count, H, W, C], or float32 points [count, D].
        Raises: ConfigError if one of these leaves its range.
        """
        given = {"count": count, "start": start or 0, "seed": seed or 0}
        for name, value in given.items():
            check_count(f"generate: {name}", value, least=0)
        check_count("generate: batch_size", batch_size)
        truncation = Truncation(**truncation)
        bound, psi = self.truncations(truncation)
        layer = self.fed_layer(style_layer)
        if start is None:
            start = 0 if seed is not None else self._position
        if seed is None:
            self._position = start + count
        parts = []
        with self.shown(weights):
            for first in range(start, start + count, batch_size):
                part = min(batch_size, start + count - first)
                latents = self.latents_at(first, part, seed, bound)
                chosen = self.labels_at(first - start, part, labels, first, seed)
                parts.append(
                    self._render_truncated(latents, chosen, weights, psi, truncation.truncated_slots, layer)
                )
        return np.concatenate(parts) if parts else self._no_pictures()

    def _no_pictures(self):
        """Pictures of none: TensorFlow's convolutions of none have another number of channels."""
        return np.zeros((0, *self.sample_shape), np.float32 if len(self.sample_shape) == 1 else np.uint8)

    def stream_of(self, seed, weights=None, labels=None):
        """`generate(count)` going on from call to call in a stream of its own, as evaluation takes it.

        `weights` and `labels` are those of `generate`; each call begins with the first of `labels`.
        """
        position = 0

        def generate(count):
            nonlocal position
            images = self.generate(count, labels=labels, weights=weights, seed=seed, start=position)
            position += count
            return images

        return generate

    def streams_of_classes(self, seed, weights=None, check=lambda: None):
        """`of_class(label)` -> `stream_of` that class alone, as evaluation within classes takes it.

        The latents of each class are a stream of their own, apart from that of `stream_of(seed)`.

        Args:
            seed, weights: as in `stream_of`. check: called before each batch of images.
        Returns: the function, or None if the model has no classes.
        """

        def of_class(label):
            stream = self.stream_of(seed_of_class(seed, label), weights, [label])

            def generate(count):
                check()
                return stream(count)

            return generate

        return of_class if self.num_classes else None

    def latents_at(self, start, count, seed=None, truncation=None):
        """Latents [count, latent_dim] from position `start` of a stream; `truncation` bounds their values."""
        if truncation is not None and not Positive.allows(truncation):
            raise ConfigError(f"truncation is a bound above 0. Received: {truncation!r}")
        return self._at(start, count, lambda key: _normal(key, self.latent_dim, truncation), seed, "latents")

    def labels_at(self, offset, count, labels, start, seed=None):
        """Labels [count] of the images from position `start`, or None for an unconditional model."""
        if labels is not None:
            labels = self.class_indices(labels)
            return labels[(offset + np.arange(count)) % len(labels)]
        if not self.num_classes:
            return None
        return self._at(start, count, lambda key: self.labels_from(key, BLOCK), seed, "labels")

    def _at(self, start, count, draw, seed, purpose):
        """Rows [start, start + count) of the endless array whose blocks `draw` makes from a key."""
        number = stream_hash(self.seed if seed is None else seed, f"generate/{purpose}")
        first, last = start // BLOCK, (start + count - 1) // BLOCK
        blocks = [draw(tf.constant([number, b], tf.int64)).numpy() for b in range(first, last + 1)]
        return np.concatenate(blocks)[start - first * BLOCK :][:count]

    def render(self, latents, labels=None, weights=None):
        """Images for given latents [N, latent_dim] and labels [N]: uint8 [N, H, W, C], or points [N, D].

        Raises: ConfigError if these are no latents of the generator or no classes, or it takes labels and gets none.
        """
        latents = self.checked_latents(latents)
        if labels is None and takes_labels(self.generator, self.num_classes):
            raise ConfigError(f"{self.generator.name} takes labels [N], and none were given")
        labels = None if labels is None else tf.constant(checked_labels(self, labels, len(latents)))
        if not len(latents):
            return self._no_pictures()
        with self.shown(weights) as generator:
            return self._compiled(renderer, generator)(latents, labels).numpy()

    def checked_latents(self, latents):
        """Latents as float32 [N, latent_dim]. Raises: ConfigError if they are none."""
        return checked_floats(latents, f"latents of {self.generator.name}", (self.latent_dim,))

    def _render_truncated(self, latents, labels, weights, psi, truncated_slots, layer=None):
        if psi is None and layer is None:
            return self.render(latents, labels, weights)
        styles = self.styles(latents, weights, layer, labels, truncation=psi, truncated_slots=truncated_slots)
        return self.render_styles(styles, weights)

    def _compiled(self, make, generator):
        """`make(model, generator)` as a graph, made once for each generator."""
        name = f"{make.__name__}/{'plain' if generator is self.generator else 'averaged'}"
        options = dict(reduce_retracing=True, autograph=False)
        return self._once(name, lambda: tf.function(make(self, generator), **options))

    def _once(self, name, make):
        """The result of `make()`, which is called once for each name."""
        if not hasattr(self, "_renderers"):
            self._renderers = {}
        if name not in self._renderers:
            self._renderers[name] = make()
        return self._renderers[name]

    @hook
    def part_names(self):
        """Names of further generators of a trained model, such as `sparse`; methods extend this."""
        return ()

    @hook
    def part(self, name):
        """One of `part_names` as a network with weights of its own."""
        raise ConfigError(f"there is no {name} generator")

    @hook
    def part_report(self, name, network):
        """What `generator_<name>.json` tells of a part at the end of a run, a dictionary; None for no such file.

        `network` is what `part(name)` gave.
        """
        return None

    @hook
    def densities(self):
        """{path: share of its entries that is not pruned} of pruned weights, by "<network>/<path>"."""
        return {}

    def use_part(self, name):
        """Makes one of `part_names` the generator that images come from.

        Raises: ConfigError if the model has none of that name.
        """
        names = self.part_names()
        if name not in names:
            raise ConfigError(
                f"this run has {'the generators ' + ', '.join(names) if names else 'one generator alone'}. "
                f"Received: --generator={name}"
            )
        self._part, self._renderers = self.part(name), {}

    def use_weights(self, weights):
        """Makes images come from "average" or "raw" weights where a call does not say which; None as at first."""
        self._weights = None if weights is None else self.chosen_weights(weights)

    def _shown(self, weights=None):
        if self._part is not None:
            if weights is not None:
                raise ConfigError(
                    f"a part of the model is shown: it has one kind of weights. Received: {weights!r}"
                )
            return self._part
        chosen = self.chosen_weights(weights or self._weights)
        return self.ema_generator if chosen == "average" else self.generator

    def save_generator(self, path, network=None, weights=None):
        """Writes the generator of `weights` (see `generate`), or `network`, as `keras_files.save_network` does."""
        with contextlib.nullcontext(network) if network is not None else self.shown(weights) as generator:
            save_network(generator, files.expanded(path))

    def export(self, path, weights=None):
        """Writes a SavedModel folder whose `serve` takes latents (and labels) and gives uint8 images.

        Args:
            path: of the folder; a SavedModel that is there is replaced by a whole one.
            weights: those of `generate`.
        Raises: ConfigError if something else is there.
        """
        path = Path(files.expanded(path))
        empty = path.is_dir() and not any(path.iterdir())
        if path.exists() and not empty and not (path / "saved_model.pb").exists():
            raise ConfigError(f"{path} is no SavedModel, which an export would replace: give another place")
        with filling.part_of(path.parent, f".{path.name}.part") as part:
            with self.shown(weights) as generator:
                _export(self, generator, part / path.name)
            filling.put([part / path.name], [path] if path.exists() else [], part)


def seed_of_class(seed, label):
    """The seed of the stream of one class alone, apart from that of all classes."""
    return stream_hash(seed, f"generate/class {label}")


def _export(gan, generator, folder):
    render = renderer(gan, generator)
    signature = [tf.TensorSpec((None, gan.latent_dim), tf.float32, name="latents")]
    if gan.num_classes:
        signature.append(tf.TensorSpec((None,), tf.int32, name="labels"))
    archive = keras.export.ExportArchive()
    archive.track(generator)
    archive.add_endpoint("serve", render, signature)
    archive.write_out(folder, verbose=False)


def _normal(key, size, truncation):
    if truncation is None:
        return philox.normal([BLOCK, size], key)
    inside = math.erf(truncation / math.sqrt(2))  # the probability of [-truncation, truncation]
    uniform = philox.uniform([BLOCK, size], key, dtype=tf.float64)
    return tf.cast(tf.math.erfinv((2 * uniform - 1) * inside) * math.sqrt(2), tf.float32)
