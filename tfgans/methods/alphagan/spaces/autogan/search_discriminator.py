"""The discriminator's supernet, for searches of both networks (AlphaGAN; Tian et al., 2021, section 5.6)."""

import keras
import tensorflow as tf

from tfgans.config import ConfigError, Count, Several, Side, configurable
from tfgans.layers.initializers import bias_initializer
from tfgans.layers.resample import average_pool
from tfgans.layers.spectral import SpectralDense
from tfgans.layers.statistics import widen
from tfgans.methods.alphagan.spaces.autogan import space
from tfgans.methods.alphagan.spaces.autogan.convolutions import build_convolution
from tfgans.methods.alphagan.spaces.autogan.mixed import MixedOperation
from tfgans.methods.alphagan.spaces.autogan.operations import check_operations
from tfgans.methods.alphagan.spaces.autogan.supernet import Supernet
from tfgans.networks.parts import float_dtype

_RAISING = ("conv_1x1", "conv_3x3", "conv_5x5")
_CELLS = 4
_HALVING = 2  # so many cells, the first ones, halve the map


@configurable(name="alphagan_search_discriminator")
@keras.saving.register_keras_serializable(package="tfgans")
class DiscriminatorSupernet(Supernet):
    """Four residual cells of two mixed operations each; ReLU, sum over the map, dense without a bias.

    A cell is ReLU, mixed, ReLU, mixed, plus a shortcut. The first two halve the map at their end and have a
    spectrally normalized 1x1 convolution of the halved input for a shortcut, the others the input itself. The
    first operation of all goes from the image to `base_channels`, mixes plain convolutions of 1x1, 3x3 and 5x5, and
    has a ReLU on the image too, as the authors' code. Weights start by PyTorch's defaults.

    Args:
        resolution: of the square images, a multiple of 4.
        base_channels: of every map.
        channels: of the images.
        normal_operations: the pool of the other seven operations, such as `space.DISCRIMINATOR_OPERATIONS`.
        first_cell_softmax: whether the first cell mixes by softmax, as the paper says; False mixes it by its raw
            architecture weights, as the released code, unless there is Gumbel noise.
    Input: images [N, resolution, resolution, channels]; `mixing`, None for the model's own, or a list of five
        tensors [edges, operations] in the order of `architecture_names`: `channels_raise` (1 edge, 3 operations),
        `normal_1` (1 edge), `normal_2`, `normal_3`, `normal_4` (2 edges).
    Output: {"adversarial": [N, 1]}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """

    def __init__(
        self,
        resolution: Side = 32,
        base_channels: Count = 128,
        channels: Count = 3,
        normal_operations: Several(str) = space.DISCRIMINATOR_OPERATIONS,
        first_cell_softmax: bool = True,
        **kwargs,
    ):
        name = "alphagan_search_discriminator"
        if resolution % 2**_HALVING:
            raise ConfigError(f"{name}: resolution is a multiple of 4. Received: {resolution}")
        check_operations(name, "normal", normal_operations)
        pool = tuple(normal_operations)
        rows = {"channels_raise": (1, _RAISING), "normal_1": (1, pool)}
        rows |= {f"normal_{cell}": (2, pool) for cell in range(2, _CELLS + 1)}
        super().__init__((resolution, resolution, channels), rows, **{"name": name} | kwargs)
        self.resolution, self.base_channels, self.channels = resolution, base_channels, channels
        self.normal_operations, self.first_cell_softmax = pool, first_cell_softmax
        self._build_layers()
        self.built = True

    def _build_layers(self):
        options, image, maps = {"dtype": self.dtype_policy}, self.channels, self.base_channels
        self.mixed, self.shortcuts = [], []
        for index in range(2 * _CELLS):
            pool, depth = (self.normal_operations, maps) if index else (_RAISING, image)
            layer = MixedOperation(pool, maps, name=f"cell_{index // 2 + 1}_mixed_{index % 2}", **options)
            layer.build((None, None, None, depth))
            self.mixed.append(layer)
        for depth in (image, maps)[:_HALVING]:
            shortcut = build_convolution(maps, 1, depth, "search", spectral_normalization=True, **options)
            self.shortcuts.append(shortcut)
        self.head = SpectralDense(
            1,
            use_bias=False,
            kernel_initializer=bias_initializer("fan_in_uniform", maps),
            dtype=float_dtype(),
            name="adversarial",
        )
        self.head.build((None, maps))

    def mixing(self, noise=None, temperature=0.5):
        mixing = super().mixing(noise, temperature)
        if self.first_cell_softmax or noise is not None:
            return mixing
        return [tf.convert_to_tensor(weight.value) for weight in self.architecture_variables[:2]] + mixing[2:]

    def call(self, inputs, training=False, mixing=None):
        mixing = self.named(mixing)
        raising, *groups = mixing.values()
        rows = [raising[0]] + [row for group in groups for row in tf.unstack(group)]
        x = tf.cast(inputs, self.compute_dtype)
        for cell in range(_CELLS):
            shortcut = x
            for index in (2 * cell, 2 * cell + 1):
                x = self.mixed[index](tf.nn.relu(x), rows[index], training=training)
            if cell < _HALVING:
                x = average_pool(x)
                shortcut = self.shortcuts[cell](average_pool(shortcut), training=training)
            x = x + shortcut
        features = tf.reduce_sum(widen(tf.nn.relu(x)), (1, 2))
        return {"adversarial": self.head(features, training=training)}

    def get_config(self):
        return super().get_config() | {
            "resolution": self.resolution,
            "base_channels": self.base_channels,
            "channels": self.channels,
            "normal_operations": self.normal_operations,
            "first_cell_softmax": self.first_cell_softmax,
        }


alphagan_search_discriminator = DiscriminatorSupernet
