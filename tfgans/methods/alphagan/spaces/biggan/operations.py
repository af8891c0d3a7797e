"""BigGAN's blocks with other operations, as layers: those of a genotype, or all of two pools."""

import functools

import keras
import tensorflow as tf

from tfgans.layers.blocks import ResidualUpBlock
from tfgans.layers.resample import upsample_bilinear, upsample_nearest
from tfgans.methods.alphagan.spaces.autogan.mixed import MixedOperation
from tfgans.methods.alphagan.spaces.autogan.operations import make_operation


class _SearchedUpBlock(ResidualUpBlock):
    """`ResidualUpBlock` with other operations: projected norm, ReLU, up, first, norm, ReLU, second; up, conv1x1."""

    def __init__(self, filters, spectral_normalization, kernel_initializer, **kwargs):
        super().__init__(
            filters,
            **{"projected": True, "residual_gain": 1.0} | kwargs,
            spectral_normalization=spectral_normalization,
            kernel_initializer=kernel_initializer,
        )

    def _forward(self, inputs, condition, training, normal, up):
        """By functions: two of `normal`, two of `up`, the main path's and the shortcut's."""
        x = tf.nn.relu(self.normalization1(inputs, condition, training=training))
        x = normal[0](up[0](x), training=training)  # the operations' own ReLU leaves it as it is
        x = normal[1](self.normalization2(x, condition, training=training), training=training)
        return x + self._convolve(self.shortcut, up[1](inputs), training)

    def _named(self, operation):
        """The name in `operations` of one of BigGAN's space."""
        normalized = self.spectral_normalization and not operation.startswith("sep_")
        return f"{operation}_SN" if normalized else operation


@keras.saving.register_keras_serializable(package="tfgans")
class GenotypeUpBlock(_SearchedUpBlock):
    """BigGAN's block with two given operations and two given up-samplings.

    Args:
        filters: output channels.
        normal: names of the two operations.
        up: those of the up-samplings of the main path and of the shortcut.
        spectral_normalization, kernel_initializer, epsilon: see `alphagan_biggan_generator`.
    Input: [N, H, W, C] and vectors [N, D]. Output: [N, 2H, 2W, filters].
    """

    def __init__(self, filters, normal, up, **kwargs):
        super().__init__(filters, **kwargs)
        self.normal, self.up = tuple(normal), tuple(up)

    def _convolution(self, name, channels, filters, kernel_size=3):
        if name == "shortcut":
            return super()._convolution(name, channels, filters, kernel_size)
        operation = self._named(self.normal[name == "convolution2"])
        layer = make_operation(operation, filters, name=name, dtype=self.dtype_policy)
        layer.build((None, None, None, channels))
        return layer

    def call(self, inputs, condition=None, training=False):
        self._check_condition(condition)
        up = [upsample_nearest if name == "nearest" else upsample_bilinear for name in self.up]
        return self._forward(inputs, condition, training, (self.convolution1, self.convolution2), up)

    def get_config(self):
        return super().get_config() | {"normal": self.normal, "up": self.up}


@keras.saving.register_keras_serializable(package="tfgans")
class MixedUpBlock(_SearchedUpBlock):
    """BigGAN's block that mixes operations and up-samplings of two pools.

    Args:
        filters: output channels.
        normal_operations, up_operations: the pools.
        spectral_normalization, kernel_initializer, epsilon: see `alphagan_biggan_generator`.
    Input: [N, H, W, C], vectors [N, D], and weights `normal` [2, operations], `up` [2, operations].
    """

    def __init__(self, filters, normal_operations, up_operations, **kwargs):
        super().__init__(filters, **kwargs)
        self.normal_operations, self.up_operations = tuple(normal_operations), tuple(up_operations)

    def build(self, inputs_shape, condition_shape=None):
        super().build(inputs_shape, condition_shape)
        self.upsamplings = [
            self._mixed(self.up_operations, name, inputs_shape[-1], inputs_shape[-1], 2)
            for name in ("up_main", "up_shortcut")
        ]

    def _convolution(self, name, channels, filters, kernel_size=3):
        if name == "shortcut":
            return super()._convolution(name, channels, filters, kernel_size)
        pool = [self._named(operation) for operation in self.normal_operations]
        return self._mixed(pool, name, channels, filters, 1)

    def _mixed(self, pool, name, channels, filters, stride):
        layer = MixedOperation(pool, filters, stride, name=name, dtype=self.dtype_policy)
        layer.build((None, None, None, channels))
        return layer

    def call(self, inputs, condition, normal, up, training=False):
        layers = ((self.convolution1, self.convolution2), normal), (self.upsamplings, up)
        functions = (
            [functools.partial(layer, weights=w) for layer, w in zip(kind, tf.unstack(rows), strict=True)]
            for kind, rows in layers
        )
        return self._forward(inputs, condition, training, *functions)

    def get_config(self):
        return super().get_config() | {
            "normal_operations": self.normal_operations,
            "up_operations": self.up_operations,
        }
