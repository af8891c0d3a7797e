"""Octave convolutions: feature maps in two parts, of which the low-frequency one has half the resolution.

Maps are either one tensor [N, H, W, C] or a pair [high, low] of [N, H, W, C_high] and [N, H/2, W/2, C_low]. Of
`filters` output channels int(alpha * filters) are low. With pooling P (2x2 average), repetition U (2x2) and
W_ab the block of the kernel that leads from a to b,

    high' = W_hh * high + U(W_lh * low)          low' = W_hl * P(high) + W_ll * low

(Chen et al. 2019, Eq. 2; Durall et al. 2019, section 3). The four blocks make up one kernel of a plain convolution's
shape, high channels first, so a layer has as many parameters as the convolution it stands for, and alpha = 0 is that
convolution. P(high) and low are convolved together: three convolutions do what the four blocks ask for. Where pixels
are repeated first there are four, of maps that are not enlarged (`layers.resampled`).

Multiply-adds of an inner layer are 1 - 3/4 alpha (2 - alpha) of the plain convolution's.
Departure from the authors' code: a bias is one vector for each output, where theirs (off in their networks) is one
for each of the four blocks, of which only the sums matter.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError, Within
from tfgans.layers.resample import average_pool, upsample_nearest
from tfgans.layers.resampled import enlarged, fits

ALPHA = Within("[0, 1)")  # of the channels that are low


def low_channels(alpha, channels):
    """Channels of the low maps: int(alpha * channels), cut as floating point gives it, as the authors do."""
    return int(alpha * channels)


def is_pair(maps):
    """Whether maps are [high, low]; maps or their shapes."""
    return isinstance(maps, (list, tuple)) and len(maps) == 2 and not isinstance(maps[0], (int, type(None)))


class _Octave:
    """What the octave layers share; comes before the Keras layer in the bases."""

    def __init__(self, filters, kernel_size, alpha=0.5, strides=1, padding="same", **kwargs):
        name = type(self).__name__
        ALPHA.check(f"{name}: alpha", alpha)
        if alpha and not low_channels(alpha, filters):
            raise ConfigError(f"{name}: alpha = {alpha} leaves none of {filters} filters low; use 0 for that")
        if padding != "same" or kwargs.get("data_format") == "channels_first" or kwargs.get("groups", 1) != 1:
            raise ConfigError(f"{name} has padding 'same', channels last and one group")
        super().__init__(filters, kernel_size, strides=strides, padding=padding, **kwargs)
        if self.strides[0] != self.strides[1]:
            raise ConfigError(f"{name}: both strides are the same. Received: {self.strides}")
        self.input_spec = None  # Keras's would ask for one tensor
        self.alpha = alpha
        self.low_filters = low_channels(alpha, filters)
        self._output_channels = [filters - self.low_filters, self.low_filters]

    def build(self, maps_shape):
        pair = is_pair(maps_shape)
        channels = [shape[-1] for shape in maps_shape] if pair else [maps_shape[-1]]
        if pair and any(
            None not in (high, low) and high != 2 * low
            for high, low in zip(maps_shape[0][1:3], maps_shape[1][1:3], strict=True)
        ):
            raise ConfigError(
                f"{self.name}: low maps have half the resolution of the high ones. Received: {maps_shape}"
            )
        self.input_channels = channels
        shape = maps_shape[0] if pair else maps_shape
        super().build((*shape[:-1], sum(channels)))
        self.input_spec = None

    def own_kernel(self, training):
        """The kernel as it is applied to unscaled maps."""
        return tf.cast(tf.convert_to_tensor(self.kernel), self.compute_dtype)

    def applied_kernel(self, training):
        """The kernel that this call convolves with."""
        return self.own_kernel(training)

    def call(self, maps, training=False):
        kernel = self.applied_kernel(training)
        if is_pair(maps):
            outputs = self._from_pair(*maps, kernel)
        elif self.low_filters:
            outputs = self._from_one(maps, kernel)
        else:
            outputs = [self._single(maps, kernel)]
        outputs = [self._finish_part(part, maps) for part, maps in enumerate(outputs)]
        return outputs if self.low_filters else outputs[0]

    def _from_one(self, maps, kernel):
        maps = self._strided(maps)
        to_high, to_low = self._split_outputs(kernel)
        return [self._convolve_resized(maps, to_high), self._convolve(self._pooled(maps), to_low)]

    def _from_pair(self, high, low, kernel):
        high, low = self._strided(high), self._strided(low)
        to_high, to_low = self._split_outputs(kernel)
        high_to_high, low_to_high = tf.split(to_high, self.input_channels, self._input_axis)
        parts = ((high, high_to_high), (low, low_to_high))
        outputs = self._merge(*(self._convolve_resized(*part) for part in parts))
        if not self.low_filters:
            return [outputs]
        return [outputs, self._low_from_pair(high, low, to_low)]

    def _low_from_pair(self, high, low, kernel):
        return self._convolve(tf.concat([self._pooled(high), self._resized(low)], -1), kernel)

    def _merge(self, from_high, from_low):
        return from_high + upsample_nearest(from_low)

    def _strided(self, maps):
        return maps

    def _resized(self, maps):
        return maps

    def _convolve_resized(self, maps, kernel):
        return self._convolve(self._resized(maps), kernel)

    def _pooled(self, maps):
        """P of maps as the convolution takes them."""
        return average_pool(self._resized(maps))

    def _split_outputs(self, kernel):
        if not self.low_filters:
            return kernel, None
        return tf.split(kernel, self._output_channels, self._output_axis)

    def _finish_part(self, part, maps):
        if self.use_bias:
            bias = tf.cast(tf.convert_to_tensor(self.bias), self.compute_dtype)
            maps = maps + tf.split(bias, self._output_channels)[part]
        return maps if self.activation is None else self.activation(maps)

    def compute_output_shape(self, maps_shape):
        pair = is_pair(maps_shape)
        one = maps_shape[0] if pair else maps_shape
        high = super().compute_output_shape((*one[:-1], sum(s[-1] for s in maps_shape) if pair else one[-1]))
        high = self._output_size(tuple(high))
        if not self.low_filters:
            return high
        low = (high[0], *(None if side is None else side // 2 for side in high[1:3]), self.low_filters)
        return [(*high[:-1], self._output_channels[0]), low]

    def _output_size(self, shape):
        return shape

    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)  # the Keras layer would write kernel and bias only

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)

    def get_config(self):
        return super().get_config() | {"alpha": self.alpha}


@keras.saving.register_keras_serializable(package="tfgans")
class OctaveConv2D(_Octave, keras.layers.Conv2D):
    """Octave convolution; see the module's text.

    Args:
        filters: output channels in all.
        kernel_size: integer or two.
        alpha: share of the output channels that are low, in [0, 1); 0 gives one tensor. The input's share is that
            of the maps the layer is called with.
        strides: pairs, and what becomes a pair, are pooled by it and then convolved without stride, as the authors
            do; one tensor to one tensor is `keras.layers.Conv2D`, stride and all.
        upsampling: every pixel is repeated so many times in both directions before the convolution.
        low_resolution: with alpha = 0 and a pair, give the output the low maps' resolution, P(W_hh * high) +
            W_lh * low, as the authors' last discriminator layer does.
        padding: `same` alone, so that both resolutions keep their ratio.
        Others as in `keras.layers.Conv2D`, but for `groups` and `data_format`.
    Input: [N, H, W, C], H and W even if alpha > 0, or a pair. Output: a pair, or one tensor for alpha = 0.
    Raises: ConfigError if an argument is outside what is listed, or a pair's sizes do not fit.
    """

    _input_axis, _output_axis = 2, 3

    def __init__(
        self, filters, kernel_size, alpha=0.5, strides=1, upsampling=1, low_resolution=False, **kwargs
    ):
        super().__init__(filters, kernel_size, alpha=alpha, strides=strides, **kwargs)
        if low_resolution and alpha:
            raise ConfigError(f"{type(self).__name__}: low_resolution needs alpha = 0. Received: {alpha}")
        if upsampling < 1 or (upsampling > 1 and self.strides[0] > 1):
            raise ConfigError(
                f"{type(self).__name__}: upsampling is at least 1, and 1 with strides. Received: {upsampling}"
            )
        self.upsampling, self.low_resolution = upsampling, low_resolution

    def _single(self, maps, kernel):
        if self.upsampling > 1:
            return self._convolve_resized(maps, kernel)
        return self._convolve(maps, kernel, self.strides[0])

    def _strided(self, maps):
        return maps if self.strides[0] == 1 else average_pool(maps, self.strides[0])

    def _resized(self, maps):
        return maps if self.upsampling == 1 else upsample_nearest(maps, self.upsampling)

    def _convolve_resized(self, maps, kernel):
        if self.upsampling > 1 and fits(self):
            return enlarged(self._convolve, maps, kernel, self.upsampling)
        return super()._convolve_resized(maps, kernel)

    def _low_from_pair(self, high, low, kernel):
        if self.upsampling == 1:
            return super()._low_from_pair(high, low, kernel)
        # Apart, as the low maps are then never enlarged.
        from_high, from_low = tf.split(kernel, self.input_channels, self._input_axis)
        return self._convolve(self._pooled(high), from_high) + self._convolve_resized(low, from_low)

    def _pooled(self, maps):
        # P of repeated pixels is what was repeated
        return maps if self.upsampling == 2 else super()._pooled(maps)

    def _merge(self, from_high, from_low):
        if self.low_resolution:
            return average_pool(from_high) + from_low
        return super()._merge(from_high, from_low)

    def _convolve(self, maps, kernel, strides=1):
        return keras.ops.conv(
            maps,
            kernel,
            strides=strides,
            padding="same",
            data_format="channels_last",
            dilation_rate=self.dilation_rate,
        )

    def _output_size(self, shape):
        factor = self.upsampling / (2 if self.low_resolution else 1)
        return (shape[0], *(None if side is None else int(side * factor) for side in shape[1:3]), shape[-1])

    def get_config(self):
        return super().get_config() | {
            "upsampling": self.upsampling,
            "low_resolution": self.low_resolution,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class OctaveConv2DTranspose(_Octave, keras.layers.Conv2DTranspose):
    """Octave transposed convolution: each of the four blocks is one, P comes before it and U after it.

    The authors have none (they repeat pixels and then convolve); this one is ours, for networks such as DCGAN's.

    Args: as `OctaveConv2D`; strides are those of the transposed convolution.
    Input, output: as there, `strides` times as large.
    """

    _input_axis, _output_axis = 3, 2

    def _single(self, maps, kernel):
        return self._convolve(maps, kernel)

    def _convolve(self, maps, kernel):
        return keras.ops.conv_transpose(
            maps,
            kernel,
            strides=self.strides[0],
            padding="same",
            output_padding=self.output_padding,
            data_format="channels_last",
            dilation_rate=self.dilation_rate,
        )


def on_each(make_layer, maps, *inputs):
    """Applies a fresh layer to one tensor, or one layer each to the two of a pair: norms, activations, pooling.

    Args:
        make_layer: function without arguments that makes the layer.
        maps: one tensor or a pair.
        inputs: more inputs of the layer, such as labels.
    """
    if is_pair(maps):
        return [make_layer()(part, *inputs) for part in maps]
    return make_layer()(maps, *inputs)


@keras.saving.register_keras_serializable(package="tfgans")
class PathUniform(keras.initializers.Initializer):
    """Uniform within 1 / sqrt(fan_in), fan_in of each block's own kernel: PyTorch's default for the authors' four
    convolutions.

    Args:
        low_channels: input channels that are low; 0 for one tensor.
    """

    def __init__(self, low_channels=0):
        self.low_channels = low_channels

    def __call__(self, shape, dtype=None):
        height, width, inputs, outputs = shape
        blocks = []
        for channels in (inputs - self.low_channels, self.low_channels):
            bound = (height * width * max(channels, 1)) ** -0.5
            uniform = keras.initializers.RandomUniform(-bound, bound)
            blocks.append(uniform((height, width, channels, outputs), dtype))
        return tf.concat(blocks, 2)

    def get_config(self):
        return {"low_channels": self.low_channels}
