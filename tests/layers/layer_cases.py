"""A case of every layer the package ships, built and called."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers import (
    attention,
    blocks,
    depthwise,
    embedding,
    equalized,
    grouped,
    minibatch,
    modulated,
    norms,
    resample,
    resampled,
    spectral,
)
from tfgans.layers.state import frozen_state
from tfgans.methods.octave import conv as octave
from tfgans.methods.octave import soft

MAPS = (2, 4, 4, 2)
VECTORS = (2, 3)
PAIR = [(2, 4, 4, 2), (2, 2, 2, 1)]  # high and low maps, one input of an octave layer
LABELS = "labels"  # in place of a shape: integer labels for two samples, 3 classes

# name: (layer class, its arguments, shapes of its inputs)
CASES = {
    "spectral_dense": (spectral.SpectralDense, {"units": 3}, [(3, 4)]),
    "spectral_convolution": (spectral.SpectralConv2D, {"filters": 3, "kernel_size": 3, "strides": 2}, [MAPS]),
    "convolution_of_doubled_maps": (
        resampled.Conv2D,
        {"filters": 3, "kernel_size": 3, "padding": "same", "upsampling": 2, "activation": "tanh"},
        [(2, 8, 8, 2)],
    ),
    "spectral_convolution_of_doubled_maps": (
        spectral.SpectralConv2D,
        {"filters": 3, "kernel_size": 3, "padding": "same", "upsampling": 2},
        [(2, 8, 8, 2)],
    ),
    "equalized_convolution_of_doubled_maps": (
        equalized.EqualizedConv2D,
        {"filters": 3, "upsampling": 2},
        [(2, 8, 8, 2)],
    ),
    "spectral_transposed": (
        spectral.SpectralConv2DTranspose,
        {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same", "activation": "tanh"},
        [MAPS],
    ),
    "spectral_depthwise": (
        spectral.SpectralDepthwiseConv2D,
        {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"},
        [MAPS],
    ),
    "spectral_depthwise_wide": (
        spectral.SpectralDepthwiseConv2D,
        {"kernel_size": 5, "padding": "same"},
        [MAPS],
    ),
    "depthwise": (depthwise.DepthwiseConv2D, {"kernel_size": 5, "padding": "same"}, [MAPS]),
    "depthwise_wider": (
        depthwise.DepthwiseConv2D,
        {"kernel_size": 7, "padding": "same", "use_bias": False, "activation": "tanh"},
        [(3, 4, 6, 2)],
    ),
    "spectral_embedding": (spectral.SpectralEmbedding, {"input_dim": 3, "output_dim": 4}, [LABELS]),
    "embedding": (embedding.ClassEmbedding, {"input_dim": 3, "output_dim": 4}, [LABELS]),
    "batch_norm": (norms.BatchNormalization, {}, [MAPS]),
    "batch_norm_of_points": (norms.BatchNormalization, {"scale": False}, [(5, 3)]),
    "conditional_batch_norm": (norms.ConditionalBatchNormalization, {"num_classes": 3}, [MAPS, LABELS]),
    "projected_batch_norm": (norms.ProjectedBatchNormalization, {}, [MAPS, VECTORS]),
    "projected_batch_norm_of_points": (
        norms.ProjectedBatchNormalization,
        {"spectral_normalization": True, "kernel_initializer": "orthogonal"},
        [(5, 4), (5, 3)],
    ),
    "projected_batch_norm_without_gain": (
        norms.ProjectedBatchNormalization,
        {"scale": False},
        [MAPS, VECTORS],
    ),
    "instance_norm": (norms.InstanceNormalization, {}, [MAPS]),
    "instance_norm_plain": (norms.InstanceNormalization, {"center": False, "scale": False}, [MAPS]),
    "layer_norm": (norms.LayerNormalization, {}, [MAPS]),
    "pixel_norm": (norms.PixelNormalization, {}, [(2, 2, 2, 3)]),
    "attention": (attention.SelfAttention, {}, [(2, 4, 4, 8)]),
    "attention_spectral": (
        attention.SelfAttention,
        {"spectral_normalization": True, "kernel_initializer": "orthogonal"},
        [(2, 4, 4, 8)],
    ),
    "nearest": (resample.NearestUpsampling2D, {"factor": 3}, [(2, 2, 3, 2)]),
    "bilinear": (resample.BilinearUpsampling2D, {}, [(2, 3, 2, 2)]),
    "average": (resample.AverageDownsampling2D, {}, [MAPS]),
    "sum_pool": (resample.GlobalSumPooling2D, {}, [MAPS]),
    "fir_up": (resample.FIRUpsampling2D, {}, [(2, 3, 4, 2)]),
    "fir_down": (resample.FIRDownsampling2D, {"taps": (1, 2, 1)}, [MAPS]),
    "up_block": (blocks.ResidualUpBlock, {"filters": 3}, [MAPS]),
    "up_block_conditional": (
        blocks.ResidualUpBlock,
        {
            "filters": 2,
            "num_classes": 3,
            "upsampling": "bilinear",
            "spectral_normalization": True,
            "bias_initializer": "fan_in_uniform",
            "epsilon": 2e-5,
        },
        [(2, 2, 2, 3), LABELS],
    ),
    "up_block_projected": (
        blocks.ResidualUpBlock,
        {"filters": 2, "projected": True, "spectral_normalization": True, "kernel_initializer": "orthogonal"},
        [(2, 2, 2, 3), VECTORS],
    ),
    "input_block": (blocks.ResidualInputBlock, {"filters": 3, "spectral_normalization": True}, [MAPS]),
    "down_block": (blocks.ResidualDownBlock, {"filters": 3, "residual_gain": 1.0}, [MAPS]),
    "down_block_wide": (
        blocks.ResidualDownBlock,
        {"filters": 3, "wide": True, "spectral_normalization": True},
        [MAPS],
    ),
    "up_block_recomputed": (
        blocks.ResidualUpBlock,
        {"filters": 2, "projected": True, "spectral_normalization": True, "recompute": True},
        [(2, 2, 2, 3), VECTORS],
    ),
    "down_block_recomputed": (
        blocks.ResidualDownBlock,
        {"filters": 3, "spectral_normalization": True, "recompute": True},
        [MAPS],
    ),
    "octave": (octave.OctaveConv2D, {"filters": 3, "kernel_size": 3}, PAIR),
    "octave_first": (octave.OctaveConv2D, {"filters": 3, "kernel_size": 3, "strides": 2}, [MAPS]),
    "octave_last": (octave.OctaveConv2D, {"filters": 2, "kernel_size": 3, "alpha": 0.0}, PAIR),
    "octave_last_low": (
        octave.OctaveConv2D,
        {"filters": 2, "kernel_size": 3, "alpha": 0.0, "strides": 2, "low_resolution": True},
        [(2, 8, 8, 2), (2, 4, 4, 1)],
    ),
    "octave_transposed": (
        octave.OctaveConv2DTranspose,
        {"filters": 5, "kernel_size": 4, "alpha": 0.25, "strides": 2, "activation": "tanh"},
        PAIR,
    ),
    "octave_soft": (
        soft.SoftOctaveConv2D,
        {"filters": 4, "kernel_size": 3, "use_bias": False, "upsampling": 2},
        PAIR,
    ),
    "octave_soft_transposed": (
        soft.SoftOctaveConv2DTranspose,
        {"filters": 4, "kernel_size": 4, "strides": 2},
        PAIR,
    ),
    "octave_spectral": (soft.SpectralSoftOctaveConv2D, {"filters": 4, "kernel_size": 3}, PAIR),
    "equalized_dense": (equalized.EqualizedDense, {"units": 3, "learning_rate_multiplier": 0.5}, [(3, 4)]),
    "equalized_convolution": (
        equalized.EqualizedConv2D,
        {"filters": 3, "padding": "valid", "gain": 2.0, "activation": "tanh"},
        [MAPS],
    ),
    "equalized_down": (
        equalized.EqualizedConv2D,
        {"filters": 3, "downsample": True, "activation": equalized.scaled_leaky_relu},
        [MAPS],
    ),
    "equalized_block": (equalized.EqualizedResidualBlock, {"filters": 3}, [MAPS]),
    "equalized_block_recomputed": (
        equalized.EqualizedResidualBlock,
        {"filters": 3, "recompute": True},
        [MAPS],
    ),
    "modulated": (modulated.ModulatedConv2D, {"filters": 3}, [MAPS, VECTORS]),
    "modulated_up": (
        modulated.ModulatedConv2D,
        {"filters": 3, "resample": "up", "kernel_size": 5, "use_bias": True},
        [MAPS, VECTORS],
    ),
    "modulated_down": (
        modulated.ModulatedConv2D,
        {"filters": 3, "resample": "down", "demodulate": False},
        [MAPS, VECTORS],
    ),
    "to_rgb": (modulated.ToRGB, {"filters": 3}, [MAPS, VECTORS]),
    "noise": (modulated.NoiseInjection, {}, [MAPS, (2, 4, 4, 1)]),
    "noise_of_its_own": (modulated.NoiseInjection, {"seed": 3}, [MAPS]),
    "styled": (modulated.StyledConv2D, {"filters": 3}, [MAPS, VECTORS]),
    "styled_up": (modulated.StyledConv2D, {"filters": 2, "up": True}, [MAPS, VECTORS, (2, 8, 8, 1)]),
    "minibatch_deviation": (minibatch.MinibatchStandardDeviation, {"num_features": 2}, [(6, 2, 2, 4)]),
    "batch_deviation": (minibatch.MinibatchStandardDeviation, {"group_size": None}, [MAPS]),
    "grouped_block": (grouped.GroupedResidualBlock, {"group_width": 2}, [MAPS]),
    "learned_map": (grouped.LearnedMap, {"channels": 2, "size": 3}, [(3, 4)]),
    "readout": (grouped.TemplateReadout, {"units": 3}, [MAPS]),
    "identity_block": (blocks.ResidualDownBlock, {"filters": 2, "downsample": False}, [MAPS]),
}
all_cases = pytest.mark.parametrize("name", CASES)


def make(name, dtype="float32", seed=0):
    """The layer, built, with random weights, and its inputs."""
    layer_class, arguments, shapes = CASES[name]
    random = np.random.default_rng(seed)
    inputs = [
        tf.constant([2, 0]) if shape == LABELS else tf.constant(random.normal(size=shape), dtype)
        for shape in shapes
    ]
    keras.utils.set_random_seed(seed)
    layer = layer_class(dtype=dtype, **arguments)
    layer(*given(layer, inputs))
    for weight in layer.trainable_variables:
        weight.assign(weight + 0.3 * random.normal(size=weight.shape))
    return layer, inputs


def given(layer, inputs):
    """The inputs as the layer is called with them: an octave layer takes a pair as one."""
    return [list(inputs)] if isinstance(layer, octave._Octave) and len(inputs) == 2 else inputs


def state(layer):
    """The variables that calls may move: not betas, which a schedule sets."""
    return [v for v in layer.non_trainable_variables if v.name != "betas"]


def forward(layer, inputs):
    """The outputs; a pair as one tensor [N, ...]."""
    with frozen_state():
        outputs = layer(*given(layer, inputs), training=True)
    if not isinstance(outputs, list):
        return outputs
    return tf.concat([tf.reshape(part, (part.shape[0], -1)) for part in outputs], -1)


def scalar(layer, inputs):
    """A smooth function of the outputs, different for each of them."""
    outputs = forward(layer, inputs)
    wide = tf.cast(outputs, tf.float64 if outputs.dtype == tf.float64 else tf.float32)
    weights = np.random.default_rng(1).normal(size=wide.shape)
    return tf.reduce_sum(tf.nn.softplus(wide) * tf.constant(weights, wide.dtype))
