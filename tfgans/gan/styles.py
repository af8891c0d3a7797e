"""Generators with styles (StyleGAN): truncation towards the mean of w, mixing of styles, styles out of each layer."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError, Count, Share, check_count
from tfgans.data.scaling import to_uint8
from tfgans.gan.given import checked_floats, checked_labels
from tfgans.layers.embedding import mixed_classes


@dataclasses.dataclass(frozen=True)
class Truncation:
    """The options about truncation that `generate`, `interpolate`, `mix` and `styles` share; see `Generation`."""

    truncation: float | None = None
    truncated_slots: int | None = None


class StyleGeneration:
    """The part of `Generation` that is for generators with styles.

    A generator has styles if it consists of the layers `mapping` (latents -> styles, with a tracked `mean_w`)
    and `synthesis` (styles -> images), as `stylegan2_generator`.
    """

    @property
    def style_slots(self):
        """How many style slots the generator has; 0 if it has no styles."""
        layers = style_layers(self.generator)
        return layers[1].num_slots if layers else 0

    @property
    def style_layers(self):
        """How many dense layers map latents to W_1, W_2, ...; 0 if the generator has no styles."""
        layers = style_layers(self.generator)
        return layers[0].num_layers if layers else 0

    def styles(self, latents, weights=None, style_layer=None, labels=None, **truncation):
        """Styles [N, slots, style_dim] of latents [N, latent_dim], truncated as `Generation` says.

        Args: labels: [N], of a mapping that takes them, or shares of classes [N, num_classes]; None draws some, for
            the same count always the same.
        Raises: ConfigError as `render`, and if the generator has no styles.
        """
        self.require_styles("styles")
        latents, truncation = self.checked_latents(latents), Truncation(**truncation)
        _, psi = self.truncations(truncation)
        mapping, _ = style_layers(self._shown(weights))
        layer = self.fed_layer(style_layer)
        options = {"truncation": psi, "truncated_slots": truncation.truncated_slots, "style_layer": layer}
        if labels is not None:
            labels = self._checked_classes(labels, len(latents))
        elif getattr(mapping, "num_classes", None):
            labels = self.labels_at(0, len(latents), None, 0, 0)
        return mapped(mapping, latents, labels, **options, training=False).numpy()

    def _checked_classes(self, labels, count):
        """Labels [count], or shares of the classes [count, num_classes]. Raises: ConfigError if they are neither."""
        if not self.num_classes or np.ndim(labels) != 2:
            return checked_labels(self, labels, count)
        shares = checked_floats(labels, "shares of the classes", (self.num_classes,))
        if len(shares) != count:
            raise ConfigError(
                f"shares of the classes are [{count}, {self.num_classes}]. Received: {len(shares)} rows"
            )
        return shares

    def render_styles(self, styles, weights=None):
        """Images uint8 [N, H, W, C] for styles [N, slots, style_dim].

        Raises: ConfigError if these are no styles of the generator, or it has none.
        """
        self.require_styles("styles")
        shape = self.style_slots, style_layers(self.generator)[0].style_dim
        styles = checked_floats(styles, f"styles of {self.generator.name}", shape)
        if not len(styles):
            return self._no_pictures()
        with self.shown(weights) as generator:
            return self._compiled(_style_renderer, generator)(styles).numpy()

    def require_images(self, what):
        """Raises ConfigError, naming what is of images (`a walk is`), if the generator makes points."""
        if len(self.sample_shape) != 3:
            raise ConfigError(f"{what} of images, and this generator makes points")

    def require_styles(self, what):
        """Raises ConfigError, naming what was asked for, if the generator has no styles."""
        if not self.style_slots:
            raise ConfigError(f"{what}: the generator has no styles, as stylegan2_generator has")

    def fed_layer(self, style_layer):
        """The layer i whose W_i all style slots are to take; None if they take what they were trained with.

        Raises: ConfigError if there is no such layer, or the generator has no styles.
        """
        if style_layer is None:
            return None
        self.require_styles("style_layer")
        check_count("style_layer", style_layer)
        if style_layer > self.style_layers:
            raise ConfigError(f"style_layer is in [1, {self.style_layers}]. Received: {style_layer}")
        usual = set(style_layers(self.generator)[0].style_layers)
        return None if usual == {style_layer} else style_layer

    def truncations(self, options):
        """`(bound of the latents, psi)` of a `Truncation` with this generator, each None where it is not meant."""
        truncation, slots = options.truncation, options.truncated_slots
        if slots is not None:
            self.require_styles("truncated_slots")
            if truncation is None:
                raise ConfigError("truncated_slots says where to truncate: give truncation too")
            if not Count.allows(slots) or slots > self.style_slots:
                raise ConfigError(f"truncated_slots is in [1, {self.style_slots}]. Received: {slots!r}")
        if not self.style_slots:
            return truncation, None
        if truncation is not None and not Share.allows(truncation):
            raise ConfigError(
                f"truncation is psi, in [0, 1], where the generator has styles. Received: {truncation!r}"
            )
        # Rounding would change bits in mean_w + 1 (w - mean_w).
        return None, None if truncation == 1.0 else truncation

    def mix(
        self,
        rows,
        columns,
        mixed_slots=None,
        seed=0,
        weights=None,
        batch_size=64,
        **truncation,
    ):
        """StyleGAN's figure of mixed styles (Karras et al. 2019, figure 3).

        Args:
            rows, columns: sources at the left, the first latents of the stream, and at the top, the next ones.
            mixed_slots: `(A, B)`: style slots A, A + 1, ..., B - 1 of an image are those of its row's source, the
                others its column's. None: the first four, the coarse styles of maps of 4x4 and 8x8 pixels,
                or the first half if there are less than eight.
            truncation: `truncation` and `truncated_slots`, see `Generation`; they hold for sources and mixtures.
        Returns: uint8 [rows + 1, columns + 1, H, W, C]: sources in the first column and row, white where they meet.
        Raises: ConfigError if a value leaves its range, or without styles.
        """
        self.require_styles("style mixing")
        check_count("rows", rows)
        check_count("columns", columns)
        slots = self.style_slots
        first, end = mixed_slots or (0, min(4, slots // 2))
        if not 0 <= first <= end <= slots:
            raise ConfigError(f"mixed slots are A:B with 0 <= A <= B <= {slots}. Received: {first}:{end}")
        latents = self.latents_at(0, rows + columns, seed)
        labels = self.labels_at(0, rows + columns, None, 0, seed)
        sources = self.styles(latents, weights, labels=labels, **truncation)
        mixed = np.tile(sources[None, rows:], (rows, 1, 1, 1))  # [rows, columns, slots, style_dim]
        mixed[:, :, first:end] = sources[:rows, None, first:end]
        styles = np.concatenate([sources, mixed.reshape(-1, *sources.shape[1:])])
        images = in_batches(lambda part: self.render_styles(part, weights), batch_size, styles)
        figure = np.full((rows + 1, columns + 1, *images.shape[1:]), 255, np.uint8)
        figure[1:, 0], figure[0, 1:] = images[:rows], images[rows : rows + columns]
        figure[1:, 1:] = images[rows + columns :].reshape(rows, columns, *images.shape[1:])
        return figure

    def by_style_layer(self, columns, **options):
        """The same latents through W_1, W_2, ... in turn (Tian et al. 2021, Fig. 6).

        With StyleGAN2 the last row is the usual images: only the last W is what its layers were trained with.

        Args:
            columns: latents, the first of the stream.
            options: of `generate`: seed, weights, truncation, truncated_slots, batch_size.
        Returns: uint8 [L, columns, H, W, C]: in row i all style slots take W_i, the output of dense layer i of L.
        Raises: ConfigError if a value leaves its range, or without styles.
        """
        self.require_styles("style_layer")
        check_count("columns", columns)
        options = {"start": 0, "seed": 0} | options
        return np.stack(
            [self.generate(columns, style_layer=i + 1, **options) for i in range(self.style_layers)]
        )


def _style_renderer(gan, generator):
    """A function styles -> uint8 images."""
    _, synthesis = style_layers(generator)
    return lambda styles: to_uint8(synthesis(styles))


def style_layers(generator):
    """The layers `(mapping, synthesis)` of a generator with styles, or None."""
    layers = {layer.name: layer for layer in generator.layers}
    mapping, synthesis = layers.get("mapping"), layers.get("synthesis")
    has_styles = hasattr(mapping, "mean_w") and hasattr(synthesis, "num_slots")
    return (mapping, synthesis) if has_styles else None


def mapped(mapping, latents, labels, **options):
    """The styles that a mapping makes of latents, and of labels [N], or shares [N, classes], if it has classes."""
    if getattr(mapping, "num_classes", None) is None:
        return mapping(latents, **options)
    if len(labels.shape) == 1:
        return mapping(latents, labels, **options)
    with mixed_classes(labels):
        return mapping(latents, tf.argmax(labels, 1), **options)


def in_batches(render, size, *arrays):
    """What `render` makes of arrays [N, ...], `size` rows at a time."""
    parts = [render(*(a[i : i + size] for a in arrays)) for i in range(0, len(arrays[0]), size)]
    return np.concatenate(parts)
