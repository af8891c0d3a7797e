"""What the lightweight GAN's networks (Liu et al., 2021) tell the method that trains them, and take from it.

By themselves both are networks as any other: latents to images, images to logits. Inside `looking` the generator also
takes noise and hands out its small image, and the discriminator takes a fake's small image and hands out the logits
of patches and, where it is told the quarter, what its decoders make of its maps.
"""

import contextlib

import keras
import tensorflow as tf

from tfgans import keras_internals
from tfgans.layers.modulated import NoiseInjection
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.scopes import inside, local
from tfgans.layers.spectral import SpectralConv2D

DECODED = ("whole", "small", "part")


@contextlib.contextmanager
def looking(**given):
    """Inside it, the networks use what is given and put what they are asked for into the dictionary that this gives.

    Args: given, each may be None or left out:
        noise: {layer's name: [N, h, w, 1]}, of a generator.
        small: images that the discriminator sees in place of smaller ones of its own, enlarged to its own size.
        part: int32, [N] of one number from 0 to 3: the quarter (upper left, upper right, lower left, lower right)
            whose map is decoded.
    Found: "small" [N, s, s, C] of a generator; "patches" [N, P], and with a part "<decoded>_image" and
        "<decoded>_copy" [N, s, s, C] for each of `DECODED`, of a discriminator.
    Under `tf.distribute` enter it inside the replica function.
    """
    found = {}
    with inside(looking=(given, found)):
        yield found


def _given(name):
    given, _ = getattr(local, "looking", ({}, {}))
    return given.get(name)


def _found(values):
    _, found = getattr(local, "looking", ({}, {}))
    found.update(values)


def noise_shapes(generator):
    """{name: [h, w, 1]} of the layers of a generator that take noise inside `looking`."""
    layers = keras_internals.layers_of(generator)
    return {layer.name: layer.own_noise.shape[1:] for layer in layers if isinstance(layer, GivenNoise)}


def patch_count(discriminator):
    """How many patches a discriminator with decoders judges; 0 for one without."""
    layers = keras_internals.layers_of(discriminator)
    return sum(layer.patches for layer in layers if isinstance(layer, Decoders))


def nearest(images, side):
    """[N, H, H, C] -> [N, side, side, C]: the first pixel of every square, H a multiple of the side."""
    factor = images.shape[1] // side
    if factor == 1:
        return images
    width, channels = images.shape[2:]
    # by `split`, as third derivatives of slices are wrong in graphs
    rows = tf.reshape(images, (-1, side, factor * width * channels))
    rows = tf.split(rows, [width * channels, -1], 2)[0]
    squares = tf.split(tf.reshape(rows, (-1, side, side, factor * channels)), [channels, -1], 3)
    return squares[0]


def quarter(maps, part):
    """[N, H, W, C] -> [N, H / 2, W / 2, C]; part: a scalar from 0 to 3."""
    upper, lower = tf.split(maps, 2, 1)
    quarters = [*tf.split(upper, 2, 2), *tf.split(lower, 2, 2)]
    chosen = tf.one_hot(part, 4, dtype=maps.dtype)
    return tf.add_n([chosen[index] * each for index, each in enumerate(quarters)])


@keras.saving.register_keras_serializable(package="tfgans")
class GivenNoise(NoiseInjection):
    """Noise with a learned strength: what `looking` gives by the layer's name, or its own, the same for every image.

    Input: [N, H, W, C].
    """

    def build(self, inputs_shape):
        super().build(inputs_shape)

    def call(self, inputs):
        return super().call(inputs, (_given("noise") or {}).get(self.name))

    def compute_output_shape(self, inputs_shape):
        return inputs_shape


@keras.saving.register_keras_serializable(package="tfgans")
class WithSmallImage(keras.layers.Layer):
    """Images and small ones -> the images; `looking` gets the small ones."""

    def call(self, images, small):
        _found({"small": small})
        return images

    def compute_output_shape(self, images_shape, small_shape):
        return images_shape


@keras.saving.register_keras_serializable(package="tfgans")
class SmallImage(keras.layers.Layer):
    """Images [N, H, H, C] -> [N, side, side, C], every H / side-th pixel; of those that `looking` gives, if it does.

    Args: side: of the small images, a divisor of H.
    """

    def __init__(self, side, **kwargs):
        super().__init__(**kwargs)
        self.side = side

    def call(self, images):
        small = _given("small")
        return nearest(images if small is None else tf.cast(small, images.dtype), self.side)

    def compute_output_shape(self, images_shape):
        return (images_shape[0], self.side, self.side, images_shape[-1])

    def get_config(self):
        return super().get_config() | {"side": self.side}


def up_widths(side):
    """Channels of a decoder's maps of 16, 32, ... pixels, up to a side of at most 128."""
    return [{16: 128, 32: 64, 64: 64, 128: 32}[size] for size in (16, 32, 64, 128) if size <= side]


class _Decoder(keras.layers.Layer):
    """[N, 8, 8, C] -> [N, side, side, channels] in [-1, 1]: doubling, convolution, norm, gate, ...; tanh."""

    def __init__(self, side, channels, **kwargs):
        super().__init__(**kwargs)
        self.widths, self.channels = up_widths(side), channels

    def build(self, maps_shape):
        inputs, self.convolutions, self.norms = maps_shape[-1], [], []
        for width in self.widths:
            number = len(self.norms) + 1
            self.convolutions.append(
                self._convolution(f"convolution{number}", inputs, 2 * width, upsampling=2)
            )
            self.norms.append(BatchNormalization(name=f"norm{number}", dtype=self.dtype_policy))
            self.norms[-1].build((None, None, None, 2 * width))
            inputs = width
        self.last = self._convolution("image", inputs, self.channels)

    def _convolution(self, name, inputs, filters, **more):
        options = dict(padding="same", use_bias=False, kernel_initializer=normal(), dtype=self.dtype_policy)
        layer = SpectralConv2D(filters, 3, name=name, **options, **more)
        layer.build((None, None, None, inputs))
        return layer

    def call(self, maps, training=False):
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            maps = norm(convolution(maps, training=training), training=training)
            values, gates = tf.split(maps, 2, -1)
            maps = values * tf.sigmoid(gates)
        return tf.tanh(self.last(maps, training=training))


@keras.saving.register_keras_serializable(package="tfgans")
class Decoders(keras.layers.Layer):
    """Logits of patches [N, P] -> their means [N, 1]; inside `looking` it hands these out, and what decoders make.

    Of three maps, 8x8 of the whole image, 8x8 of the small one and a quarter of 16x16 of the whole, decoders make
    images of the small one's size, that of the quarter being the quarter of the image. They run if `looking` has a
    part. The other inputs are the images that they are compared with and the maps, in this order.

    Args: side: of the small images.
    """

    def __init__(self, side, **kwargs):
        super().__init__(**kwargs)
        self.side = side

    def build(self, patches_shape, images_shape, small_shape, middle_shape, whole_shape):
        self.patches = patches_shape[-1]
        for name, shape in zip(DECODED, (whole_shape, small_shape, middle_shape), strict=True):
            decoder = _Decoder(self.side, images_shape[-1], name=name, dtype=self.dtype_policy)
            decoder.build((None, 8, 8, shape[-1]))
            setattr(self, name, decoder)

    def call(self, patches, images, small, middle, whole, training=False):
        _found({"patches": patches})
        parts = _given("part")
        if parts is not None:
            part = parts[0]
            sources = whole, small, quarter(middle, part)
            for name, maps, seen in zip(
                DECODED, sources, (images, images, quarter(images, part)), strict=True
            ):
                copy = getattr(self, name)(maps, training=training)
                _found({f"{name}_image": nearest(seen, self.side), f"{name}_copy": copy})
        return tf.reduce_mean(patches, 1, keepdims=True)

    def compute_output_shape(self, patches_shape, *_):
        return (patches_shape[0], 1)

    def get_config(self):
        return super().get_config() | {"side": self.side}


def normal():
    """Kernels at first, as in the authors' code."""
    return keras.initializers.RandomNormal(stddev=0.02)
