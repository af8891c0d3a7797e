"""The supernet of StyleGAN2's discriminator, for the AdversarialNAS baseline, which searches both networks."""

import keras
import tensorflow as tf

from tfgans.config import Count, Positive, Several, Side, configurable
from tfgans.layers.equalized import EqualizedConv2D, EqualizedDense, convolve, scaled_leaky_relu
from tfgans.layers.minibatch import MinibatchStandardDeviation
from tfgans.methods.alphagan.spaces.autogan.mixed import summed_kernels
from tfgans.methods.alphagan.spaces.autogan.supernet import Supernet
from tfgans.methods.alphagan.spaces.stylegan2 import space
from tfgans.networks.parts import float_dtype
from tfgans.networks.stylegan2 import map_widths


@keras.saving.register_keras_serializable(package="tfgans")
class MixedEqualizedConv2D(keras.layers.Layer):
    """The weighted sum of convolutions of several sizes, then their activation.

    They are linear and centred on the same pixels, so they are run as one with the weighted sum of their kernels, the
    small ones padded: the price of the largest.

    Args:
        operations: names such as `conv_3x3`.
        filters: output channels.
        downsample: see `EqualizedConv2D`.
        activation: applied to the sum.
    Input: [N, H, W, C] and weights [operations]. Output: that of an `EqualizedConv2D`.
    """

    def __init__(self, operations, filters, downsample=False, activation="leaky_relu", **kwargs):
        super().__init__(autocast=False, **kwargs)  # the weights stay float32
        self.operations, self.filters, self.downsample = tuple(operations), filters, downsample
        self.activation = keras.activations.get(activation)

    def build(self, inputs_shape, *_):
        self.candidates = []
        for name in self.operations:
            options = {"downsample": self.downsample, "name": name, "dtype": self.dtype_policy}
            candidate = EqualizedConv2D(self.filters, int(name[-1]), **options)
            candidate.build(inputs_shape)
            self.candidates.append(candidate)

    def call(self, inputs, weights):
        kernel, bias = summed_kernels(
            [
                (weight, tf.convert_to_tensor(each.kernel) * each.scale, tf.convert_to_tensor(each.bias))
                for weight, each in zip(tf.unstack(weights), self.candidates, strict=True)
            ]
        )
        inputs = tf.cast(inputs, self.compute_dtype)
        outputs = convolve(inputs, tf.cast(kernel, self.compute_dtype), self.downsample)
        return self.activation(outputs + tf.cast(bias, self.compute_dtype))

    def get_config(self):
        return super().get_config() | {
            "operations": self.operations,
            "filters": self.filters,
            "downsample": self.downsample,
            "activation": keras.activations.serialize(self.activation),
        }


@configurable(name="alphagan_stylegan2_search_discriminator")
@keras.saving.register_keras_serializable(package="tfgans")
class StyleGAN2DiscriminatorSupernet(Supernet):
    """StyleGAN2's residual discriminator that mixes kernel sizes in both convolutions of every block.

    The convolutions are mixed before their activation: the paper does not say where. `architecture_variables` are
    `discriminator_normal` and `discriminator_down`, a row for each size of map from 8x8 on.

    Args:
        resolution: of the square images, a power of two of at least 8.
        channels, channel_multiplier, max_channels, base_channels, minibatch_group, minibatch_features: as
            `stylegan2_discriminator`; the default is an eighth of config-f's channels.
        operations: the pool of both, of `conv_1x1`, `conv_3x3`, `conv_5x5`.
    Input: images [N, resolution, resolution, channels]; `mixing`, None for the model's own, or a list of two
        tensors [edges, operations].
    Output: {"adversarial": [N, 1]}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """

    def __init__(
        self,
        resolution: Side = 128,
        channels: Count = 3,
        channel_multiplier: Positive = 0.25,
        max_channels: Count = 64,
        base_channels: Count | None = None,
        operations: Several(str) = space.DISCRIMINATOR_OPERATIONS,
        minibatch_group: Count | None = 4,
        minibatch_features: Count = 1,
        **kwargs,
    ):
        name = "alphagan_stylegan2_search_discriminator"
        space.check_resolution(name, resolution)
        widths = map_widths(name, resolution, channel_multiplier, max_channels, base_channels)
        rows = space.discriminator_rows(resolution, operations)
        super().__init__((resolution, resolution, channels), rows, **{"name": name} | kwargs)
        self.resolution, self.channels, self.operations = resolution, channels, tuple(operations)
        self.channel_multiplier, self.max_channels = channel_multiplier, max_channels
        self.base_channels = base_channels
        self.minibatch_group, self.minibatch_features = minibatch_group, minibatch_features
        self._build_layers(widths)
        self.built = True

    def _build_layers(self, widths):
        options = {"dtype": self.dtype_policy}
        active = options | {"activation": scaled_leaky_relu}
        self.from_rgb = EqualizedConv2D(widths[-1], 1, name="from_rgb", **active)
        self.from_rgb.build((None, self.resolution, self.resolution, self.channels))
        self.convolutions, self.halvings, self.shortcuts = [], [], []
        for inner, outer in zip(widths[:0:-1], widths[-2::-1], strict=True):
            side = self.resolution // 2 ** len(self.convolutions)
            # 1 / sqrt(2) of the sum is taken into the second activation and the shortcut, as in the block itself
            convolution = MixedEqualizedConv2D(self.operations, inner, name=f"normal{side}", **active)
            halving = MixedEqualizedConv2D(
                self.operations, outer, downsample=True, name=f"down{side}", **options
            )
            shortcut = EqualizedConv2D(
                outer, 1, downsample=True, gain=0.5, use_bias=False, name=f"shortcut{side}", **options
            )
            for layers, layer in (
                (self.convolutions, convolution),
                (self.halvings, halving),
                (self.shortcuts, shortcut),
            ):
                layer.build((None, side, side, inner))
                layers.append(layer)
        width = widths[0]
        self.deviation = MinibatchStandardDeviation(self.minibatch_group, self.minibatch_features, **options)
        self.last_convolution = EqualizedConv2D(width, name="last_convolution", **active)
        self.last_convolution.build((None, 4, 4, width + self.minibatch_features))
        self.dense = EqualizedDense(width, name="dense", **active)
        self.dense.build((None, 16 * width))
        self.head = EqualizedDense(1, dtype=float_dtype(), name="adversarial_head")
        self.head.build((None, width))

    def call(self, inputs, training=False, mixing=None):
        normal, down = (tf.unstack(rows) for rows in self.named(mixing).values())
        x = self.from_rgb(inputs)
        # the rows begin with the map of 8x8, the layers with the image
        layers = zip(self.convolutions, self.halvings, self.shortcuts, normal[::-1], down[::-1], strict=True)
        for convolution, halving, shortcut, first, second in layers:
            x = halving(convolution(x, first), second) + shortcut(x)
        x = self.last_convolution(self.deviation(x))
        x = self.dense(tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3])))
        return {"adversarial": self.head(x)}

    retrained_by = "alphagan_stylegan2_discriminator.genotype"  # the parameter that takes what was found

    def chosen(self):
        """The operations of the largest weights, as fields of a `StyleGAN2Genotype` (`dataclasses.replace`)."""
        return {
            name: tuple(self.operations[i] for i in array.argmax(-1))
            for name, array in zip(self.architecture_names, self.architecture_arrays(), strict=True)
        }

    def get_config(self):
        return super().get_config() | {
            "resolution": self.resolution,
            "channels": self.channels,
            "channel_multiplier": self.channel_multiplier,
            "max_channels": self.max_channels,
            "base_channels": self.base_channels,
            "operations": self.operations,
            "minibatch_group": self.minibatch_group,
            "minibatch_features": self.minibatch_features,
        }


alphagan_stylegan2_search_discriminator = StyleGAN2DiscriminatorSupernet
