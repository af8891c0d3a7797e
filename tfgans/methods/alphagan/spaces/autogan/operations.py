"""The operations that AlphaGAN chooses from, by their names; `make_operation` makes the layer of one."""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.methods.alphagan.spaces.autogan.convolutions import (
    ActivatedConvolution,
    ActivatedSeparableConvolution,
    Operation,
)
from tfgans.methods.alphagan.spaces.autogan.upsampling import (
    Deconvolution,
    Interpolation,
    LearnableInterpolation,
)


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
    if issubclass(layer, Operation):
        options = options | {"filters": channels, "initialization": initialization}
    if layer is ActivatedSeparableConvolution:
        options = options | {"affine": affine}
    if kind == "up":
        options = options | {"stride": stride}
    return layer(**options, **kwargs)
