"""What must hold for every layer the package ships: one case each, collected from the packages that hold layers."""

import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import CASES, all_cases, forward, given, make, scalar, state
from slow import some

import tfgans.layers
import tfgans.methods.octave
from tfgans.layers.state import frozen_state


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


ONE_OF_EACH = {layer: name for name, (layer, _, _) in CASES.items()}.values()


@pytest.mark.parametrize("name", some(ONE_OF_EACH, every=4))
def test_xla_gives_the_same_values_and_gradients(name):
    """Of each layer, its last case."""
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
