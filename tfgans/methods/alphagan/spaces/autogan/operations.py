"""The operations that AlphaGAN chooses from, as layers on [N, H, W, C]; `make_operation` makes one by its name.

Every convolution but a transposed one is preceded by its ReLU, and nothing follows an operation's last layer. The
initialization `retraining` is the authors': convolutions Glorot uniform (depthwise ones too), gamma of batch norms
from N(1, 0.02), all the rest PyTorch's default, uniform on +-1 / sqrt(fan_in). With `search` the default goes for all
kernels, and gamma is 1.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.initializers import bias_initializer, glorot_uniform
from tfgans.layers.norms import BatchNormalization, moments
from tfgans.layers.resample import upsample_bilinear, upsample_nearest
from tfgans.layers.spectral import SpectralConv2D
from tfgans.layers.state import state_is_frozen

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


class _Operation(keras.layers.Layer):
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


class _ActivatedOperation(_Operation):
    """An operation that begins with a ReLU: `activated=True` says that its input has been through it already."""

    starts_with_relu = True

    def call(self, inputs, training=False, activated=False):
        return self._transform(inputs if activated else tf.nn.relu(inputs), training)


@keras.saving.register_keras_serializable(package="tfgans")
class ActivatedConvolution(_ActivatedOperation):
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
class ActivatedSeparableConvolution(_ActivatedOperation):
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
        layer = keras.layers.DepthwiseConv2D(
            self.kernel_size,
            padding="same",
            use_bias=False,
            depthwise_initializer=initializer,
            dtype=self.dtype_policy,
        )
        layer.build((None, None, None, channels))
        return layer

    def _transform(self, x, training):
        for stage in range(self.stages):
            x = tf.nn.relu(x) if stage else x
            x = self.pointwise[stage](self.depthwise[stage](x))
            x = self.normalizations[stage](x, training=training)
        return x

    def get_config(self):
        return super().get_config() | {
            "kernel_size": self.kernel_size,
            "stages": self.stages,
            "affine": self.affine,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class TrackedInstanceNormalization(BatchNormalization):
    """Instance norm with moving statistics: PyTorch's `InstanceNorm2d(affine=True, track_running_stats=True)`.

    In training each sample is normalized by its own statistics, whose means over the batch (of the unbiased
    variance) move the averages; otherwise the averages normalize, as in a batch norm.

    Args: as `BatchNormalization`.
    Input: [N, H, W, C].
    """

    def _statistics(self, inputs, training):
        if not training:
            return super()._statistics(inputs, training)
        mean, variance = moments(inputs, [1, 2], keepdims=True)
        if not state_is_frozen():
            count = inputs.shape[1] * inputs.shape[2]
            there = tf.shape(inputs)[0] > 0 if inputs.shape[0] is None else True
            variance_over_batch = tf.reduce_mean(variance, (0, 1, 2)) * count / max(count - 1, 1)
            self._move(self.moving_mean, tf.reduce_mean(mean, (0, 1, 2)), there)
            self._move(self.moving_variance, variance_over_batch, there)
        return mean, variance


@keras.saving.register_keras_serializable(package="tfgans")
class Deconvolution(_Operation):
    """2x2 transposed convolution of stride 2 with a bias, no ReLU before it (`deconv`, `deconv_norm`).

    Args:
        stride: 2, or 4, where the same weights are used twice.
        instance_normalization: an affine instance norm with moving statistics and a ReLU follow.
    Input: [N, H, W, filters]. Output: [N, H * stride, W * stride, filters].
    """

    def __init__(self, filters, stride=2, instance_normalization=False, **kwargs):
        super().__init__(filters, **kwargs)
        self.stride = _check_stride(type(self).__name__, stride)
        self.instance_normalization = instance_normalization

    def build(self, inputs_shape):
        # PyTorch's fan_in of a transposed kernel [in, out, 2, 2] is 4 * out.
        self.convolution = keras.layers.Conv2DTranspose(
            self.filters,
            2,
            strides=2,
            kernel_initializer=bias_initializer("fan_in_uniform", 4 * self.filters),
            bias_initializer=bias_initializer("fan_in_uniform", 4 * self.filters),
            dtype=self.dtype_policy,
        )
        self.convolution.build((None, None, None, inputs_shape[-1]))
        self.normalization = None
        if self.instance_normalization:
            self.normalization = TrackedInstanceNormalization(dtype=self.dtype_policy)
            self.normalization.build((None, None, None, self.filters))

    def call(self, inputs, training=False):
        x = self.convolution(inputs)
        x = self.convolution(x) if self.stride == 4 else x
        return x if self.normalization is None else tf.nn.relu(self.normalization(x, training=training))

    def get_config(self):
        return super().get_config() | {
            "stride": self.stride,
            "instance_normalization": self.instance_normalization,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class Interpolation(keras.layers.Layer):
    """Nearest or bilinear up-sampling without weights (`nearest`, `bilinear`).

    Args:
        interpolation: `nearest` or `bilinear`.
        stride: 2, or 4, which is 2 twice.
    Input: [N, H, W, C]. Output: [N, H * stride, W * stride, C].
    """

    def __init__(self, interpolation="nearest", stride=2, **kwargs):
        super().__init__(**kwargs)
        if interpolation not in ("nearest", "bilinear"):
            raise ConfigError(f"interpolation is nearest or bilinear. Received: {interpolation}")
        self.interpolation = interpolation
        self.stride = _check_stride(type(self).__name__, stride)

    def call(self, inputs):
        if self.interpolation == "nearest":
            return upsample_nearest(inputs, self.stride)
        x = upsample_bilinear(inputs)
        return upsample_bilinear(x) if self.stride == 4 else x

    def get_config(self):
        return super().get_config() | {"interpolation": self.interpolation, "stride": self.stride}


@keras.saving.register_keras_serializable(package="tfgans")
class LearnableInterpolation(_Operation):
    """1x1 convolution without bias, then up-sampling (`nearest_conv`, `bilinear_conv`).

    Args: as `Interpolation`.
    Input: [N, H, W, C]. Output: [N, H * stride, W * stride, filters].
    """

    def __init__(self, filters, interpolation="nearest", stride=2, **kwargs):
        super().__init__(filters, **kwargs)
        self.interpolation = Interpolation(interpolation, stride, dtype=self.dtype_policy)

    def build(self, inputs_shape):
        self.convolution = build_convolution(
            self.filters, 1, inputs_shape[-1], self.initialization, use_bias=False, dtype=self.dtype_policy
        )

    def call(self, inputs):
        return self.interpolation(self.convolution(inputs))

    def get_config(self):
        return super().get_config() | {
            "interpolation": self.interpolation.interpolation,
            "stride": self.interpolation.stride,
        }


@keras.saving.register_keras_serializable(package="tfgans")
class Skip(keras.layers.Layer):
    """The input itself (`skip_connect`)."""

    def call(self, inputs):
        return inputs


@keras.saving.register_keras_serializable(package="tfgans")
class Zero(keras.layers.Layer):
    """Zeros of the input's shape (`none`)."""

    def call(self, inputs):
        return tf.zeros_like(inputs)


def _check_stride(owner, stride):
    if stride not in (2, 4):
        raise ConfigError(f"{owner}: stride is 2 or 4. Received: {stride}")
    return stride


# Genotypes are data, so an operation is made from its name: its class, and what sets it apart.
NORMAL = {
    "none": (Zero, {}),
    "skip_connect": (Skip, {}),
    **{f"conv_{k}x{k}": (ActivatedConvolution, {"kernel_size": k}) for k in (1, 3, 5)},
    **{f"sep_conv_{k}x{k}": (ActivatedSeparableConvolution, {"kernel_size": k}) for k in (3, 5, 7)},
    **{
        f"sep_conv_{k}x{k}_single": (ActivatedSeparableConvolution, {"kernel_size": k, "stages": 1})
        for k in (3, 5, 7)
    },
    **{
        f"conv_{k}x{k}_SN": (ActivatedConvolution, {"kernel_size": k, "spectral_normalization": True})
        for k in (1, 3, 5)
    },
    **{
        f"conv_{k}x{k}_bn": (
            ActivatedConvolution,
            {"kernel_size": k, "spectral_normalization": True, "batch_normalization": True},
        )
        for k in (1, 3, 5)
    },
}
UP = {
    "deconv": (Deconvolution, {}),
    "deconv_norm": (Deconvolution, {"instance_normalization": True}),
    "nearest": (Interpolation, {"interpolation": "nearest"}),
    "bilinear": (Interpolation, {"interpolation": "bilinear"}),
    "nearest_conv": (LearnableInterpolation, {"interpolation": "nearest"}),
    "bilinear_conv": (LearnableInterpolation, {"interpolation": "bilinear"}),
}


def check_operations(owner, kind, names):
    """Raises ConfigError unless `names` are different operations, at least one, of a kind, `normal` or `up`."""
    allowed = NORMAL if kind == "normal" else UP
    listed = isinstance(names, (list, tuple)) and names
    if not listed or any(n not in allowed for n in names) or len(set(names)) < len(names):
        raise ConfigError(
            f"{owner}: {kind} operations are different ones of {', '.join(allowed)}. Received: {names}"
        )


def make_operation(operation, channels, affine=True, initialization="retraining", stride=1, **kwargs):
    """The layer of an operation.

    Args:
        operation: its name, a key of `NORMAL` or `UP`.
        channels: the output's.
        affine: whether batch norms of separable convolutions have gamma and beta.
        initialization: `retraining` or `search`.
        stride: 1 of a normal operation, 2 or 4 of an up-sampling one.
        kwargs: of the layer, such as `name` and `dtype`.
    Raises: ConfigError if the name is unknown or the stride is not one of the operation.
    """
    kind = "normal" if stride == 1 else "up"
    check_operations("make_operation", kind, (operation,))
    layer, options = (NORMAL if stride == 1 else UP)[operation]
    if issubclass(layer, _Operation):
        options = options | {"filters": channels, "initialization": initialization}
    if layer is ActivatedSeparableConvolution:
        options = options | {"affine": affine}
    if kind == "up":
        options = options | {"stride": stride}
    return layer(**options, **kwargs)
