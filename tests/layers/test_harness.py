"""What must hold for every layer the package ships: one case each, collected from the packages that hold layers."""

import contextlib
import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgans.layers
import tfgans.methods.octave
from tfgans.layers import (
    attention,
    blocks,
    embedding,
    equalized,
    minibatch,
    modulated,
    norms,
    resample,
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
    "identity_block": (blocks.ResidualDownBlock, {"filters": 2, "downsample": False}, [MAPS]),
}
all_cases = pytest.mark.parametrize("name", CASES)


def shipped_layers():
    """Every public layer class defined in the package, so that a new one without a case fails."""
    for package in (tfgans.layers, tfgans.methods.octave):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            yield from layers_of(importlib.import_module(module.name))


def layers_of(module):
    for _, member in inspect.getmembers(module, inspect.isclass):
        if (
            issubclass(member, keras.layers.Layer)
            and not issubclass(member, keras.Model)
            and member.__module__ == module.__name__
            and not member.__name__.startswith("_")
        ):
            yield member


def test_every_shipped_layer_has_a_case():
    shipped = set(shipped_layers())
    assert len(shipped) >= 19
    assert shipped == {layer for layer, _, _ in CASES.values()}


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


def derivatives(function, points, first_direction, tape=None):
    """f, |grad f|^2 and <grad |grad f|^2, d> at points; `tape` will be asked for their gradients."""
    with tape or contextlib.nullcontext():
        if tape:
            tape.watch(points)
        with tf.GradientTape() as middle:
            middle.watch(points)
            with tf.GradientTape() as inner:
                inner.watch(points)
                value = function(points)
            square = tf.add_n([tf.reduce_sum(tf.square(g)) for g in inner.gradient(value, points)])
        slopes = middle.gradient(square, points)
        third = tf.add_n([tf.reduce_sum(s * d) for s, d in zip(slopes, first_direction, strict=True)])
    return value, square, third


def check_three_orders(function, points, seed):
    random = np.random.default_rng(seed)
    first, second = ([tf.constant(random.normal(size=p.shape)) for p in points] for _ in range(2))
    step = 1e-6
    ahead, behind = (
        derivatives(function, [p + sign * step * d for p, d in zip(points, second, strict=True)], first)
        for sign in (1.0, -1.0)
    )
    tape = tf.GradientTape(persistent=True)
    values = derivatives(function, points, first, tape)
    gradients = [tape.gradient(v, points, unconnected_gradients="zero") for v in values]
    for order in range(3):
        pairs = zip(gradients[order], second, strict=True)
        exact = float(tf.add_n([tf.reduce_sum(g * d) for g, d in pairs]))
        difference = float(ahead[order] - behind[order]) / (2.0 * step)
        assert abs(exact) > 1e-6, f"order {order + 1} does not vary: nothing is tested"
        assert exact == pytest.approx(difference, rel=1e-5, abs=1e-6), f"order {order + 1}"


@all_cases
def test_derivatives_by_inputs(name):
    layer, inputs = make(name, "float64")
    points = [x for x in inputs if x.dtype.is_floating]
    rest = inputs[len(points) :]  # labels come last
    if not points:
        assert inputs[0].shape.rank == 1  # labels, one a sample: there is no derivative to check
        return
    check_three_orders(lambda x: scalar(layer, [*x, *rest]), points, seed=2)


@all_cases
def test_derivatives_by_weights(name):
    layer, inputs = make(name, "float64")
    variables = layer.trainable_variables
    if not variables:
        assert not layer.weights
        return

    def function(values):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return scalar(layer, inputs)

    check_three_orders(function, [tf.convert_to_tensor(v) for v in variables], seed=3)


@all_cases
def test_gradients_reach_every_weight_densely(name):
    layer, inputs = make(name, "float64")
    with tf.GradientTape() as tape:
        value = scalar(layer, inputs)
    gradients = tape.gradient(value, layer.trainable_variables)
    for weight, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert isinstance(gradient, tf.Tensor), weight.path
        # a bias in front of a batch norm has none but rounding
        before_norm = name.startswith("up_block") and weight.path.endswith("convolution1/bias")
        assert (np.abs(gradient).max() > 1e-9) != before_norm, weight.path


@all_cases
def test_saved_and_loaded_layer_gives_the_same(name, tmp_path):
    layer, inputs = make(name)
    for weight in layer.non_trainable_variables:
        weight.assign(weight + 0.1)
    symbols = [keras.Input(x.shape[1:], dtype=x.dtype.name) for x in inputs]
    model = keras.Model(symbols, layer(*given(layer, symbols)))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[-1]) is type(layer)
    for mine, theirs in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for training in (False, True):
        with frozen_state():
            mine, theirs = model(inputs, training=training), loaded(inputs, training=training)
        for one, other in zip(tf.nest.flatten(mine), tf.nest.flatten(theirs), strict=True):
            np.testing.assert_array_equal(one, other)


@all_cases
def test_symbolic_shape_is_the_real_one(name):
    layer, inputs = make(name)
    symbols = [keras.KerasTensor((None, *x.shape[1:]), x.dtype.name) for x in inputs]
    outputs = tf.nest.flatten(layer(*given(layer, inputs)))
    expected = tf.nest.flatten(layer(*given(layer, symbols)))
    assert [s.shape[1:] for s in expected] == [tuple(o.shape[1:]) for o in outputs]


@all_cases
def test_mixed_precision(name):
    layer, inputs = make(name)
    mixed = type(layer).from_config(layer.get_config() | {"dtype": "mixed_bfloat16"})
    mixed(*given(layer, inputs))
    mixed.set_weights(layer.get_weights())
    assert {v.dtype for v in mixed.variables} <= {"float32"}
    outputs, exact = forward(mixed, inputs), forward(layer, inputs)
    assert outputs.dtype == tf.bfloat16
    outputs, exact = np.asarray(outputs, "float32"), np.asarray(exact)
    assert np.abs(outputs - exact).max() < 0.03 * np.abs(exact).max()


@all_cases
def test_xla_gives_the_same_values_and_gradients(name):
    layer, inputs = make(name)
    sources = [x for x in inputs if x.dtype.is_floating]

    def values():
        with tf.GradientTape() as tape:
            tape.watch(sources)
            value = scalar(layer, inputs)
        return value, tape.gradient(value, [v.value for v in layer.trainable_variables] + sources)

    eager, gradients = values()
    compiled, compiled_gradients = tf.function(values, jit_compile=True)()
    assert float(compiled) == pytest.approx(float(eager), rel=1e-5)
    scale = max(np.abs(g).max() for g in gradients)  # of all: that of a bias before a norm is rounding
    assert scale > 1e-3
    for mine, theirs in zip(gradients, compiled_gradients, strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=0.0, atol=2e-5 * scale)


@all_cases
def test_frozen_forward_moves_nothing_and_training_moves_state(name):
    layer, inputs = make(name)
    before = [v.numpy() for v in layer.variables]
    forward(layer, inputs)
    for old, new in zip(before, layer.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    layer(*given(layer, inputs), training=False)
    for old, new in zip(before, layer.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    layer(*given(layer, inputs), training=True)
    moved = {v.path for old, v in zip(before, layer.variables, strict=True) if np.any(old != v.numpy())}
    # u of a single output is always 1, and v of a single input
    movable = {v.path for v in state(layer) if np.size(v) > 1}
    assert moved == movable


@all_cases
def test_layer_that_depends_on_the_batch_says_so(name):
    layer, inputs = make(name)
    says = any(getattr(part, "depends_on_batch", False) for part in layer._flatten_layers())
    alone = forward(layer, [x[:1] for x in inputs])
    together = forward(layer, inputs)[:1]
    mixes = not np.allclose(alone, together, atol=1e-4)
    assert says == (mixes or len(state(layer)) > 0)
