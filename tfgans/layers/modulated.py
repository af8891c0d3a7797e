"""Convolutions whose kernel a style scales, sample by sample (StyleGAN2; Karras et al., 2020, section 2.2).

The scales act on the input and the demodulation on the output of one ordinary convolution, which is the same
function as a kernel of its own for every sample, and needs no grouped convolution and no loop.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.equalized import GAIN, SLOPE, TAPS, EqualizedDense, _Equalized, convolve
from tfgans.layers.fir import separable_upfirdn2d

_EPSILON = 1e-8


def inverse_norm(squares, power):
    """1 / |s W| over the input channels, [N, filters], of s^2 [N, C] and the sums of W^2, [C, filters]."""
    return tf.math.rsqrt(tf.reduce_sum(tf.expand_dims(squares, 2) * power, 1) + _EPSILON)


@keras.saving.register_keras_serializable(package="tfgans")
class ModulatedConv2D(_Equalized):
    """Convolution with the kernel W' = d_o s_i W, W equalized, s = affine(style), d = 1 / |s_i W| over i.

    Args:
        filters: output channels.
        kernel_size: side of the square kernel.
        resample: None keeps the map. `up` doubles it: transposed convolution of stride 2 without padding, then
            the low-pass (taps 1, 3, 3, 1; gain 4) with what padding gives 2H; that is 1 pixel on each side
            for a 3x3 kernel, 2 for 1x1, none for 5x5. `down` halves it, as `EqualizedConv2D` does.
        demodulate: whether d applies: output channels then have the mean square of the input's.
        learning_rate_multiplier, gain, use_bias, bias_initializer, activation: as in `EqualizedConv2D`, but
            without a bias unless asked for.
    Input: [N, H, W, C] and styles [N, D], and `factor`, a number that the convolution is multiplied by. Output:
        [N, H', W', filters]. Under mixed precision s and d are computed in float32.
    """

    def __init__(self, filters, kernel_size=3, resample=None, demodulate=True, use_bias=False, **kwargs):
        super().__init__(use_bias=use_bias, autocast=False, **kwargs)
        self._check_positive(filters=filters, kernel_size=kernel_size)
        if resample not in (None, "up", "down"):
            raise ConfigError(f"{type(self).__name__}: resample is None, up or down. Received: {resample}")
        if resample == "up" and kernel_size > 5:
            raise ConfigError(
                f"{type(self).__name__}: kernel_size is at most 5 where it doubles. Received: {kernel_size}"
            )
        self.filters, self.kernel_size = filters, kernel_size
        self.resample, self.demodulate = resample, demodulate

    def build(self, inputs_shape, styles_shape):
        if self.resample == "down":
            self._check_even(inputs_shape)
        channels = inputs_shape[-1]
        last = (self.filters, channels) if self.resample == "up" else (channels, self.filters)
        self._add_weights(
            (self.kernel_size, self.kernel_size, *last), self.kernel_size**2 * channels, self.filters
        )
        self.modulation = EqualizedDense(
            channels, bias_initializer="ones", name="modulation", dtype=self.variable_dtype
        )
        self.modulation.build(styles_shape)

    def call(self, inputs, styles, factor=1.0):
        # the kernel's own scale goes with the style's, which have fewer numbers
        factor = factor * self._factor
        scales = self.modulation(styles) * (self.scale if self.demodulate else self.scale * factor)  # [N, C]
        kernel = tf.convert_to_tensor(self.kernel)
        outputs = tf.cast(inputs, self.compute_dtype) * self._beside(scales)
        outputs = self._convolve(outputs, tf.cast(kernel, self.compute_dtype))
        if self.demodulate:
            outputs = outputs * self._beside(self._demodulation(kernel, scales) * factor)
        return self._finish(outputs)

    def _demodulation(self, kernel, scales):
        """d [N, filters]. Squares and sums, as of any norm: a matrix product would count as one of the network's."""
        power = tf.reduce_sum(tf.square(kernel), (0, 1))
        power = tf.transpose(power) if self.resample == "up" else power
        return inverse_norm(tf.square(scales), power)

    def _beside(self, factors):
        # not [:, None, None, :], which is six operations in the graph and as many in each of its gradients
        return tf.reshape(tf.cast(factors, self.compute_dtype), (-1, 1, 1, factors.shape[-1]))

    def _convolve(self, images, kernel):
        if self.resample != "up":
            return convolve(images, kernel, self.resample == "down")
        height, width = (2 * size + self.kernel_size - 2 for size in images.shape[1:3])
        shape = (tf.shape(images)[0], height, width, self.filters)
        images = tf.nn.conv2d_transpose(images, kernel, shape, 2, "VALID")
        excess = len(TAPS) - 1 - self.kernel_size
        around = ((excess + 1) // 2 + 1, excess // 2 + 1)
        return separable_upfirdn2d(images, [2.0 * tap for tap in TAPS], padding=around)

    def compute_output_shape(self, inputs_shape, styles_shape=None):
        factor = {None: 1.0, "up": 2.0, "down": 0.5}[self.resample]
        sides = (None if size is None else int(size * factor) for size in inputs_shape[1:3])
        return (inputs_shape[0], *sides, self.filters)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "resample": self.resample,
            "demodulate": self.demodulate,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class ToRGB(ModulatedConv2D):
    """Modulated 1x1 convolution to image channels: no demodulation, with bias.

    Args:
        filters: channels of the image.
    Input: [N, H, W, C] and styles [N, D]. Output: [N, H, W, filters].
    """

    def __init__(self, filters=3, **kwargs):
        super().__init__(filters, **{"kernel_size": 1, "demodulate": False, "use_bias": True} | kwargs)


@keras.saving.register_keras_serializable(package="tfgans")
class NoiseInjection(keras.layers.Layer):
    """x + strength * noise, with a learned scalar that starts at 0 and noise that channels share.

    Noise is not drawn here: who trains passes standard normal numbers drawn outside. Without them the layer
    has its own, the same for every sample and call, so that images are a function of the styles alone.

    Args:
        seed: of the layer's own noise, which is a pure function of (seed, H, W).
        stored: whether the own noise is a weight `own_noise` that does not train, so that it can be another one.
    Input: [N, H, W, C], and noise [N, H, W, 1] or [1, H, W, 1] or None, and `factor`, a number that the noise is
        multiplied by.
    """

    def __init__(self, seed=0, stored=False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.seed, self.stored = seed, stored

    def build(self, inputs_shape, noise_shape=None):
        if None in inputs_shape[1:3]:
            raise ConfigError(f"{self.name} must know the map's sides. Received: {tuple(inputs_shape)}")
        self.strength = self.add_weight(name="strength", shape=(), initializer="zeros", autocast=False)
        with tf.init_scope():  # a number of the layer, not an operation of whatever graph builds it
            drawn = tf.random.stateless_normal([1, *inputs_shape[1:3], 1], [self.seed, 0], alg="philox")
            drawn = drawn.numpy()
        self.own_noise = drawn
        if self.stored:
            options = {"trainable": False, "autocast": False}
            draw = lambda shape, dtype: tf.constant(drawn, dtype)  # noqa: E731
            self.own_noise = self.add_weight(drawn.shape, draw, name="own_noise", **options)
            self.copied_state = ("own_noise",)

    def call(self, inputs, noise=None, factor=1.0):
        noise = tf.convert_to_tensor(self.own_noise) if noise is None else noise
        strength = tf.convert_to_tensor(self.strength) * factor
        inputs = tf.cast(inputs, self.compute_dtype)
        return inputs + tf.cast(strength * tf.cast(noise, strength.dtype), self.compute_dtype)

    def compute_output_shape(self, inputs_shape, noise_shape=None):
        return inputs_shape

    def get_config(self):
        return super().get_config() | {"seed": self.seed, "stored": self.stored}


@keras.saving.register_keras_serializable(package="tfgans")
class StyledConv2D(keras.layers.Layer):
    """StyleGAN2's layer: demodulated convolution, noise, bias, `scaled_leaky_relu`; the first three have its factor.

    Args:
        filters, kernel_size: of the convolution.
        up: whether it doubles the map.
        seed, stored_noise: of the noise that replaces what is not given, see `NoiseInjection`.
    Input: [N, H, W, C], styles [N, D], and noise [N, H', W', 1] or [1, H', W', 1] or None.
    Output: [N, H', W', filters].
    """

    def __init__(self, filters, kernel_size=3, up=False, seed=0, stored_noise=False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.filters, self.kernel_size = filters, kernel_size
        self.up, self.seed, self.stored_noise = up, seed, stored_noise

    def build(self, inputs_shape, styles_shape, noise_shape=None):
        self.convolution = self._make_convolution(name="convolution", dtype=self.dtype_policy)
        self.convolution.build(inputs_shape, styles_shape)
        self.noise = NoiseInjection(self.seed, self.stored_noise, name="noise", dtype=self.dtype_policy)
        self.noise.build(self.compute_output_shape(inputs_shape))
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros", autocast=False)

    def _make_convolution(self, **options):
        resample = "up" if self.up else None
        return ModulatedConv2D(self.filters, self.kernel_size, resample=resample, **options)

    def call(self, inputs, styles, noise=None):
        outputs = self.noise(self.convolution(inputs, styles, factor=GAIN), noise, factor=GAIN)
        bias = tf.convert_to_tensor(self.bias) * GAIN
        return tf.nn.leaky_relu(outputs + tf.cast(bias, outputs.dtype), SLOPE)

    def compute_output_shape(self, inputs_shape, styles_shape=None, noise_shape=None):
        factor = 2 if self.up else 1
        sides = (None if size is None else size * factor for size in inputs_shape[1:3])
        return (inputs_shape[0], *sides, self.filters)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "up": self.up,
            "seed": self.seed,
            "stored_noise": self.stored_noise,
        }
