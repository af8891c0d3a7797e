"""The two parts of StyleGAN2's generator: latents to styles, styles to images (Karras et al., 2020)."""

import functools

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.modulated import StyledConv2D, ToRGB
from tfgans.layers.norms import PixelNormalization
from tfgans.layers.recompute import recomputed
from tfgans.layers.resample import FIRUpsampling2D
from tfgans.layers.state import state_is_frozen
from tfgans.layers.statistics import widen
from tfgans.networks.stylegan2_labels import LabelEmbedding, mapping_dense


@keras.saving.register_keras_serializable(package="tfgans")
class StyleMapping(keras.layers.Layer):
    """Latents to styles: pixel norm, then dense layers whose outputs W_1, W_2, ... the style slots choose from.

    Every dense layer has an equalized kernel, learning rate multiplier 0.01 and `scaled_leaky_relu`.

    Args:
        style_dim: width of every dense layer.
        num_layers: L, dense layers.
        style_layers: for each style slot the number, 1 to L, of the dense layer whose output it takes
            (AlphaGAN's dynamic W); all L for StyleGAN2 itself.
        mean_decay: of `mean_w`, for each training forward.
        num_classes: of labels, whose embedding (`LabelEmbedding`) stands beside the latents; None: there are none.
    Weight: `mean_w` [L, style_dim], not trainable, the moving averages of the batch means of W_1 .. W_L. It
        starts at 0 and moves in calls with `training=True` outside `frozen_state()`.
    Input: latents [N, D], and labels [N] if there are classes. Output: styles [N, slots, style_dim].
    Raises: ConfigError if a number leaves its range, for labels without classes, or for none with classes.
    """

    depends_on_batch = True

    def __init__(self, style_dim, num_layers, style_layers, mean_decay=0.995, num_classes=None, **kwargs):
        super().__init__(**kwargs)
        self.style_dim, self.num_layers, self.num_classes = style_dim, num_layers, num_classes
        self.style_layers, self.mean_decay = tuple(style_layers), mean_decay
        wrong = [number for number in self.style_layers if not 1 <= number <= num_layers]
        if wrong:
            raise ConfigError(
                f"StyleMapping: style_layers are numbers from 1 to {num_layers}. Received: {wrong[0]}"
            )
        if not 0.0 <= mean_decay < 1.0:
            raise ConfigError(f"StyleMapping: mean_decay is in [0, 1). Received: {mean_decay}")

    def build(self, latents_shape, labels_shape=None):
        self.normalization = PixelNormalization(dtype=self.dtype_policy)
        numbers, width = range(1, self.num_layers + 1), latents_shape[-1]
        self.dense = [mapping_dense(self.style_dim, number, self.dtype_policy) for number in numbers]
        if self.num_classes is not None:
            options = {"name": "label_embedding", "dtype": self.dtype_policy}
            self.embedding = LabelEmbedding(self.num_classes, self.style_dim, **options)
            self.embedding.build()
            width += self.style_dim
        for index, layer in enumerate(self.dense):
            layer.build((None, self.style_dim if index else width))
        self.mean_w = self.add_weight(
            name="mean_w",
            shape=(self.num_layers, self.style_dim),
            initializer="zeros",
            trainable=False,
            autocast=False,
        )

    def call(
        self, latents, labels=None, truncation=None, truncated_slots=None, training=False, style_layer=None
    ):
        """Styles [N, slots, style_dim].

        Args:
            truncation: psi, a number or scalar tensor; slots become mean_w + psi (w - mean_w), each with the
                mean of the W it takes. None leaves them.
            truncated_slots: how many of the first slots to truncate; None: all.
            style_layer: i, of the W_i that all slots take; None: those of `style_layers`.
        """
        outputs = self.intermediates(latents, labels)
        if training and not state_is_frozen():
            self._move_mean(outputs)
        numbers = self.style_layers if style_layer is None else (style_layer,) * len(self.style_layers)
        styles = tf.stack([outputs[number - 1] for number in numbers], 1)
        return styles if truncation is None else self._truncate(styles, numbers, truncation, truncated_slots)

    def intermediates(self, latents, labels=None):
        """[W_1, ..., W_L], each [N, style_dim]; moves nothing."""
        if (labels is None) != (self.num_classes is None):
            raise ConfigError(
                f"{self.name} takes {'no labels' if labels is not None else 'labels beside latents'}: "
                f"it has {self.num_classes or 'no'} classes"
            )
        outputs, features = [], self.normalization(latents)
        if labels is not None:
            features = tf.concat([features, self.embedding(labels)], 1)
        for layer in self.dense:
            features = layer(features)
            outputs.append(features)
        return outputs

    def _move_mean(self, outputs):
        batch = tf.stack([tf.reduce_mean(widen(w), 0) for w in outputs])
        old = tf.convert_to_tensor(self.mean_w.value)
        self.mean_w.assign(old + (1.0 - self.mean_decay) * (tf.stop_gradient(batch) - old))

    def _truncate(self, styles, numbers, truncation, truncated_slots):
        means = tf.unstack(tf.cast(tf.convert_to_tensor(self.mean_w.value), styles.dtype))
        center = tf.stack([means[number - 1] for number in numbers])
        truncated = center + tf.cast(truncation, styles.dtype) * (styles - center)
        return truncated if truncated_slots is None else mix_styles(truncated, styles, truncated_slots)

    def get_config(self):
        labelled = {} if self.num_classes is None else {"num_classes": self.num_classes}
        own = {"style_dim": self.style_dim, "num_layers": self.num_layers, "style_layers": self.style_layers}
        return super().get_config() | own | {"mean_decay": self.mean_decay} | labelled


def mix_styles(first, second, crossover):
    """Style mixing: slots before `crossover` from `first`, the others from `second`.

    Args:
        first, second: styles [N, slots, style_dim].
        crossover: an integer, or integers [N], in 0 (all of `second`) .. slots (all of `first`).
    """
    slots = tf.range(first.shape[1])[None, :, None]
    return tf.where(slots < tf.reshape(tf.cast(crossover, tf.int32), (-1, 1, 1)), first, second)


@keras.saving.register_keras_serializable(package="tfgans")
class StyleSynthesis(keras.layers.Layer):
    """Styles to images: a learned map, styled convolutions, and at each size an image added to the last one's.

    The learned map, 4x4 of squares, goes through one convolution, every larger one through two, of which the first
    doubles the map. Slot 0 is for the first convolution; up-convolution, convolution and to-RGB of the block of size
    8 * 2^k take slots 2k + 1, 2k + 2 and 2k + 3, the to-RGB at 4x4 slot 1, so that a to-RGB shares its slot with the
    next up-convolution. Images are doubled by zero-insertion and low-pass, added in float32.

    Args:
        channels: of the image.
        widths: channels of the maps of 4, 8, 16 ... pixels a side.
        kernel_sizes: of the convolutions that keep their map's size, one for each of those.
        stored_noise: whether the fixed noise is a weight of each convolution, see `NoiseInjection`.
        first_size: (height, width) of the learned map.
        recompute: in training the activations of each size are computed again in the backward pass.
    Input: styles [N, 2 * len(widths), D]; `noise` is a list of normal numbers of shapes [N, *s], one for each s of
        `noise_shapes` (N may be 1), or None for fixed noise. Output: [N, H, W, channels], not bounded.
    """

    def __init__(
        self,
        channels,
        widths,
        kernel_sizes,
        stored_noise=False,
        first_size=(4, 4),
        recompute=False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.channels, self.stored_noise, self.recompute = channels, stored_noise, recompute
        self.widths, self.kernel_sizes = tuple(widths), tuple(kernel_sizes)
        self.first_size = tuple(first_size)

    @property
    def num_slots(self):
        return 2 * len(self.widths)

    @property
    def noise_shapes(self):
        """[H, W, 1] of the noise of each styled convolution, in the order of `noise`."""
        return [(*self._size((i + 1) // 2), 1) for i in range(self.num_slots - 1)]

    def _size(self, level):
        """(height, width) of the maps that have been doubled `level` times."""
        return tuple(side * 2**level for side in self.first_size)

    def build(self, styles_shape, noise_shape=None):
        if styles_shape[1] != self.num_slots:
            raise ConfigError(
                f"{self.name} takes {self.num_slots} styles a sample. Received: {styles_shape[1]}"
            )
        style_shape = (None, styles_shape[2])
        self.constant = self.add_weight(
            name="constant",
            shape=(*self.first_size, self.widths[0]),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            autocast=False,
        )
        self.convolutions, self.images = [], []
        shape = (None, *self.first_size, self.widths[0])
        for level, (width, kernel_size) in enumerate(zip(self.widths, self.kernel_sizes, strict=True)):
            side = min(self._size(level))
            if level:
                shape = self._add(f"up{side}", shape, style_shape, width, 3, up=True)
            shape = self._add(f"convolution{side}", shape, style_shape, width, kernel_size)
            image = ToRGB(self.channels, name=f"to_rgb{side}", dtype=self.dtype_policy)
            image.build(shape, style_shape)
            self.images.append(image)
        self.upsampling = FIRUpsampling2D(dtype=self.variable_dtype)

    def _add(self, name, shape, style_shape, width, kernel_size, up=False):
        options = {"seed": len(self.convolutions), "name": name, "dtype": self.dtype_policy}
        options |= {"stored_noise": True} if self.stored_noise else {}
        layer = self._make_convolution(width, kernel_size, up, **options)
        layer.build(shape, style_shape)
        self.convolutions.append(layer)
        return layer.compute_output_shape(shape)

    def _make_convolution(self, width, kernel_size, up, **options):
        return StyledConv2D(width, kernel_size, up=up, **options)

    def call(self, styles, noise=None, training=False):
        return self._synthesize(styles, noise, self.convolutions, recompute=training and self.recompute)

    def _synthesize(self, styles, noise, convolutions, recompute=False):
        """Images by functions (map, style, noise) -> map in place of the layers `convolutions`."""
        styles = tf.unstack(styles, axis=1)
        noise = [None] * len(convolutions) if noise is None else noise
        constant = tf.cast(tf.convert_to_tensor(self.constant), self.compute_dtype)
        x = [tf.tile(constant[None], (tf.shape(styles[0])[0], 1, 1, 1))]
        images = 0.0
        for level in range(len(self.images)):
            slots = slice(max(0, 2 * level - 1), 2 * level + 1)
            layers = [*convolutions[slots], self.images[level]]
            block = functools.partial(self._block, layers)
            block = functools.partial(recomputed, layers, block) if recompute else block
            *x, image = block(*x, styles[2 * level + 1], *styles[slots], *noise[slots])
            images = (self.upsampling(images) if level else 0.0) + widen(image)
        return images

    def _block(self, layers, x, last_style, *given):
        """[map, image] of one size, of the last size [image] alone."""
        *convolutions, to_rgb = layers
        styles, noise = given[: len(convolutions)], given[len(convolutions) :]
        for convolution, style, own_noise in zip(convolutions, styles, noise, strict=True):
            x = convolution(x, style, own_noise)
        image = to_rgb(x, last_style)
        return [image] if to_rgb is self.images[-1] else [x, image]

    def compute_output_shape(self, styles_shape, noise_shape=None):
        return (styles_shape[0], *self._size(len(self.widths) - 1), self.channels)

    def get_config(self):
        config = super().get_config() | {
            "channels": self.channels,
            "widths": self.widths,
            "kernel_sizes": self.kernel_sizes,
            "stored_noise": self.stored_noise,
            "recompute": self.recompute,
        }
        return config if self.first_size == (4, 4) else config | {"first_size": self.first_size}
