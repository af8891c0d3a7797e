"""Convolutions of AlphaGAN's operations, as layers on [N, H, W, C], and how their weights start.

Every one is preceded by its ReLU, and nothing follows an operation's last layer. The initialization `retraining` is
the authors': convolutions Glorot uniform (depthwise ones too), gamma of batch norms from N(1, 0.02), all the rest
PyTorch's default, uniform on +-1 / sqrt(fan_in). With `search` the default goes for all kernels, and gamma is 1.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.depthwise import DepthwiseConv2D
from tfgans.layers.initializers import bias_initializer, glorot_uniform
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.spectral import SpectralConv2D

INITIALIZATIONS = ("retraining", "search")


def check_initialization(owner, initialization):
    if initialization not in INITIALIZATIONS:
        allowed = " or ".join(INITIALIZATIONS)
        raise ConfigError(f"{owner}: initialization is {allowed}. Received: {initialization}")


def build_convolution(
    filters, kernel_size, channels, initialization, spectral_normalization=False, use_bias=True, **options
):
    """A built convolution of stride 1 that keeps the size of [N, H, W, channels]."""
    fan_in = kernel_size**2 * channels
    retraining = initialization == "retraining"
    layer = (SpectralConv2D if spectral_normalization else keras.layers.Conv2D)(
        filters,
        kernel_size,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=glorot_uniform() if retraining else bias_initializer("fan_in_uniform", fan_in),
        bias_initializer=bias_initializer("fan_in_uniform", fan_in),
        **options,
    )
    layer.build((None, None, None, channels))
    return layer


def build_normalization(channels, initialization, affine=True, **options):
    """A built batch norm of [N, H, W, channels]."""
    layer = BatchNormalization(center=affine, scale=affine, **options)
    layer.build((None, None, None, channels))
    if affine and initialization == "retraining":
        gamma = layer.gamma
        gamma.assign(keras.initializers.RandomNormal(1.0, 0.02)(gamma.shape, gamma.dtype))
    return layer


class Operation(keras.layers.Layer):
    """What operations with weights share.

    Args:
        filters: output channels.
        initialization: `retraining` or `search`, see above.
    """

    def __init__(self, filters, initialization="retraining", **kwargs):
        super().__init__(**kwargs)
        check_initialization(type(self).__name__, initialization)
        self.filters = filters
        self.initialization = initialization

    def get_config(self):
        return super().get_config() | {"filters": self.filters, "initialization": self.initialization}


class ActivatedOperation(Operation):
    """An operation that begins with a ReLU: `activated=True` says that its input has been through it already."""

    starts_with_relu = True

    def call(self, inputs, training=False, activated=False):
        return self._transform(inputs if activated else tf.nn.relu(inputs), training)


@keras.saving.register_keras_serializable(package="tfgans")
class ActivatedConvolution(ActivatedOperation):
    """ReLU, [batch norm], convolution with a bias (`conv_k`, `conv_k_SN`, `conv_k_bn`).

    Args:
        kernel_size: of the square kernel, odd.
        spectral_normalization: of the convolution.
        batch_normalization: an affine batch norm comes between.
    Input: [N, H, W, C]. Output: [N, H, W, filters].
    """

    def __init__(
        self, filters, kernel_size=3, spectral_normalization=False, batch_normalization=False, **kwargs
    ):
        super().__init__(filters, **kwargs)
        self.kernel_size = kernel_size
        self.spectral_normalization = spectral_normalization
        self.batch_normalization = batch_normalization

    def build(self, inputs_shape):
        channels, options = inputs_shape[-1], {"dtype": self.dtype_policy}
        self.normalization = None
        if self.batch_normalization:
            self.normalization = build_normalization(channels, self.initialization, **options)
        self.convolution = build_convolution(
            self.filters,
            self.kernel_size,
            channels,
            self.initialization,
            self.spectral_normalization,
            **options,
        )

    def _transform(self, x, training):
        if self.normalization is not None:
            x = self.normalization(x, training=training)
        return self.convolution(x, training=training) if self.spectral_normalization else self.convolution(x)

    def get_config(self):
        return super().get_config() | {
            "kernel_size": self.kernel_size,
            "spectral_normalization": self.spectral_normalization,
            "batch_normalization": self.batch_normalization,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class ActivatedSeparableConvolution(ActivatedOperation):
    """ReLU, depthwise convolution, 1x1 convolution, batch norm; as often as there are stages (`sep_conv_k`).

    Args:
        kernel_size: of the depthwise convolutions, odd.
        stages: 2, or 1 for `sep_conv_k_single`.
        affine: whether the batch norms have gamma and beta: not while an architecture is searched for.
    Input: [N, H, W, C]. Output: [N, H, W, filters].
    """

    def __init__(self, filters, kernel_size=3, stages=2, affine=True, **kwargs):
        super().__init__(filters, **kwargs)
        self.kernel_size = kernel_size
        self.stages = stages
        self.affine = affine

    def build(self, inputs_shape):
        channels, options = inputs_shape[-1], {"dtype": self.dtype_policy}
        self.depthwise, self.pointwise, self.normalizations = [], [], []
        for _ in range(self.stages):
            self.depthwise.append(self._build_depthwise(channels))
            pointwise = build_convolution(
                self.filters, 1, channels, self.initialization, use_bias=False, **options
            )
            self.pointwise.append(pointwise)
            normalization = build_normalization(self.filters, self.initialization, self.affine, **options)
            self.normalizations.append(normalization)
            channels = self.filters

    def _build_depthwise(self, channels):
        if self.initialization == "retraining":
            initializer = glorot_uniform()
        else:
            initializer = bias_initializer("fan_in_uniform", self.kernel_size**2)
        layer = DepthwiseConv2D(
            self.kernel_size,
            padding="same",
            use_bias=False,
            depthwise_initializer=initializer,
            dtype=self.dtype_policy,
        )
        layer.build((None, None, None, channels))
        return layer

    def _transform(self, x, training):
        return self.normalizations[-1](self._before_last_norm(x, training), training=training)

    def weighted(self, activated, weight, training=False):
        """`weight`, a scalar, times the outputs of maps that have been through the first ReLU."""
        last = self.normalizations[-1]
        return last.weighted(self._before_last_norm(activated, training), weight, training)

    def _before_last_norm(self, x, training):
        for stage in range(self.stages):
            if stage:
                x = tf.nn.relu(self.normalizations[stage - 1](x, training=training))
            x = self.pointwise[stage](self.depthwise[stage](x))
        return x

    def get_config(self):
        return super().get_config() | {
            "kernel_size": self.kernel_size,
            "stages": self.stages,
            "affine": self.affine,
        }
