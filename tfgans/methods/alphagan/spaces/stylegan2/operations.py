"""The operations that AlphaGAN chooses from on StyleGAN2, as layers (map, styles, noise) -> map.

Each is a whole layer of StyleGAN2: a modulated and demodulated convolution with a style affine of its own, noise,
bias, `scaled_leaky_relu`.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.depthwise import depthwise_convolution
from tfgans.layers.modulated import ModulatedConv2D, StyledConv2D, inverse_norm
from tfgans.layers.resample import upsample_bilinear, upsample_nearest
from tfgans.layers.statistics import widen
from tfgans.methods.alphagan.spaces.stylegan2 import space


@keras.saving.register_keras_serializable(package="tfgans")
class InterpolatedStyledConv2D(StyledConv2D):
    """Up-sampling, then StyleGAN2's layer (`nearest_conv`, `bilinear_conv`); no low-pass besides.

    Args:
        interpolation: `nearest` or `bilinear`.
        filters, kernel_size, seed: see `StyledConv2D`.
    Input: [N, H, W, C], styles [N, D], and noise [N, 2H, 2W, 1] or [1, 2H, 2W, 1] or None.
    Output: [N, 2H, 2W, filters].
    """

    def __init__(self, filters, kernel_size=3, interpolation="nearest", **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        if interpolation not in ("nearest", "bilinear"):
            raise ConfigError(f"interpolation is nearest or bilinear. Received: {interpolation}")
        self.interpolation = interpolation

    def call(self, inputs, styles, noise=None):
        upsample = upsample_nearest if self.interpolation == "nearest" else upsample_bilinear
        return super().call(upsample(inputs), styles, noise)

    def compute_output_shape(self, inputs_shape, styles_shape=None, noise_shape=None):
        sides = (None if size is None else size * 2 for size in inputs_shape[1:3])
        return (inputs_shape[0], *sides, self.filters)

    def get_config(self):
        return super().get_config() | {"interpolation": self.interpolation}


@keras.saving.register_keras_serializable(package="tfgans")
class SeparableModulatedConv2D(ModulatedConv2D):
    """Depthwise convolution, then a 1x1 one; the style scales the kernel of one of them.

    The scale of a channel, s_i, may go with either kernel; what differs is what demodulates the outputs. With
    `depthwise`, d_o = 1 / |p_io s_i w_i| over all i and places: of both kernels together. StyleGAN2's rule on the
    depthwise kernel alone would cancel the style, since each of its outputs has one input. With `pointwise`,
    d_o = 1 / |p_io s_i|. The paper compares the two (Table 21) and does not say how it demodulates.

    Args:
        filters: output channels.
        depthwise_size: side of the depthwise kernel, scaled by 1 / depthwise_size.
        modulated: `depthwise` or `pointwise`.
    Input: [N, H, W, C] and styles [N, D]. Output: [N, H, W, filters].
    """

    def __init__(self, filters, depthwise_size=3, modulated="depthwise", **kwargs):
        super().__init__(filters, **{"kernel_size": 1} | kwargs)
        self._check_positive(depthwise_size=depthwise_size)
        check_modulated(type(self).__name__, modulated)
        self.depthwise_size, self.modulated = depthwise_size, modulated

    def build(self, inputs_shape, styles_shape):
        super().build(inputs_shape, styles_shape)
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(self.depthwise_size, self.depthwise_size, inputs_shape[-1], 1),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            autocast=False,
        )

    def _convolve(self, images, kernel):
        depthwise = tf.cast(self._wide_depthwise_kernel(), self.compute_dtype)
        images = depthwise_convolution(images, depthwise)
        return super()._convolve(images, kernel)

    def _demodulation(self, kernel, scales):
        if self.modulated == "pointwise":
            return super()._demodulation(kernel, scales)
        power = tf.reduce_sum(tf.square(self._wide_depthwise_kernel()), (0, 1, 3))  # [C]
        return inverse_norm(tf.square(scales) * power, tf.square(kernel)[0, 0])

    def _wide_depthwise_kernel(self):
        return tf.convert_to_tensor(self.depthwise_kernel) / self.depthwise_size

    def get_config(self):
        return super().get_config() | {"depthwise_size": self.depthwise_size, "modulated": self.modulated}


def check_modulated(owner, modulated):
    if modulated not in ("depthwise", "pointwise"):
        raise ConfigError(f"{owner}: modulated is depthwise or pointwise. Received: {modulated!r}")


@keras.saving.register_keras_serializable(package="tfgans")
class SeparableStyledConv2D(StyledConv2D):
    """StyleGAN2's layer with a `SeparableModulatedConv2D` (`sep_conv_k`): one stage, one style, one bias.

    Args:
        kernel_size: of the depthwise kernel.
        modulated: see `SeparableModulatedConv2D`.
        filters, seed: see `StyledConv2D`.
    """

    def __init__(self, filters, kernel_size=3, modulated="depthwise", **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        check_modulated(type(self).__name__, modulated)
        self.modulated = modulated

    def _make_convolution(self, **options):
        return SeparableModulatedConv2D(self.filters, self.kernel_size, self.modulated, **options)

    def get_config(self):
        return super().get_config() | {"modulated": self.modulated}


def make_operation(operation, filters, modulated="depthwise", **kwargs):
    """The layer of an operation of `space.POOLS`.

    Args:
        filters: output channels.
        modulated: of separable convolutions, see `SeparableModulatedConv2D`.
        kwargs: of the layer: `seed` of its own noise, `name`, `dtype`.
    """
    if operation == "deconv":
        return StyledConv2D(filters, 3, up=True, **kwargs)
    if operation in space.UP_OPERATIONS:
        interpolation = operation.removesuffix("_conv")
        return InterpolatedStyledConv2D(filters, 3, interpolation=interpolation, **kwargs)
    size = int(operation[-1])
    if operation in space.SEPARABLE_OPERATIONS:
        return SeparableStyledConv2D(filters, size, modulated=modulated, **kwargs)
    return StyledConv2D(filters, size, **kwargs)


@keras.saving.register_keras_serializable(package="tfgans")
class MixedStyledConv2D(keras.layers.Layer):
    """All operations of a pool, each a whole layer with weights of its own, and the weighted sum of their outputs.

    Their styles, demodulations and activations differ, so none can be run together. They share the noise.

    Args:
        operations: names, all of one kind; see `make_operation`.
        filters: output channels.
        modulated: of separable convolutions.
        seed: of the noise that replaces what is not given.
    Input: [N, H, W, C], styles [N, D], noise as `StyledConv2D`, and `weights` [operations].
    Output: that of an operation.
    """

    def __init__(self, operations, filters, modulated="depthwise", seed=0, **kwargs):
        super().__init__(autocast=False, **kwargs)  # the weights stay float32
        self.operations, self.filters = tuple(operations), filters
        self.modulated, self.seed = modulated, seed

    def build(self, inputs_shape, styles_shape, *_):
        self.candidates = []
        for name in self.operations:
            options = {"seed": self.seed, "name": name, "dtype": self.dtype_policy}
            candidate = make_operation(name, self.filters, self.modulated, **options)
            candidate.build(inputs_shape, styles_shape)
            self.candidates.append(candidate)

    def call(self, inputs, styles, noise=None, weights=None):
        total = 0.0
        for weight, candidate in zip(tf.unstack(weights), self.candidates, strict=True):
            outputs = widen(candidate(inputs, styles, noise))
            total += tf.cast(weight, outputs.dtype) * outputs
        return tf.cast(total, self.compute_dtype)

    def compute_output_shape(self, inputs_shape, *_):
        return self.candidates[0].compute_output_shape(inputs_shape)

    def get_config(self):
        return super().get_config() | {
            "operations": self.operations,
            "filters": self.filters,
            "modulated": self.modulated,
            "seed": self.seed,
        }
