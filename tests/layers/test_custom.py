"""Gradients of our own: graphs that have them are freed, and functions, loops and XLA find them."""

import gc
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

from tfgans.augment.diffaugment import translation
from tfgans.layers import custom
from tfgans.layers.custom import custom_gradient
from tfgans.layers.embedding import class_rows


@custom_gradient
def cubed(x):
    """x^3, by whose derivative 30 x^2 one sees that it is ours; differentiable again."""
    return x**3, lambda upstream: 10.0 * 3.0 * x**2 * upstream


def second(x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = cubed(x)
        slope = inner.gradient(y, x)
    return slope, outer.gradient(slope, x)


def in_a_function_of_its_own(x):
    return second_of(tf.function(cubed, autograph=False, experimental_attributes={"_noinline": True}), x)


def second_of(function, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x), tf.zeros(())


def in_a_loop(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        _, y = tf.while_loop(lambda i, y: i < 1, lambda i, y: (i + 1, cubed(y)), (0, x), maximum_iterations=1)
    return tape.gradient(y, x), tf.zeros(())


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("call", [second, in_a_function_of_its_own, in_a_loop])
def test_graphs_have_their_gradient(call, xla):
    slope, again = tf.function(call, jit_compile=xla, autograph=False)(tf.constant(2.0))
    assert slope == 30.0 * 4.0 and again == (60.0 * 2.0 if call is second else 0.0)


def test_eagerly_it_is_tensorflows_own():
    assert [float(each) for each in second(tf.constant(2.0))] == [120.0, 120.0]


LABELS, ROWS, COLUMNS = (tf.constant(values) for values in ([0, 2, 1], [1.0, -2.0, 0.0], [0.0, 1.0, -1.0]))
WITH_CONSTANTS = {
    "class_rows": ((3, 4), lambda table: class_rows(table, LABELS)),
    "translation": ((3, 5, 5, 2), lambda images: translation(images, ROWS, COLUMNS)),
}
WITHIN = {
    "a branch": lambda f, x: tf.cond(tf.reduce_sum(x) > 0.0, lambda: f(x), lambda: f(x)),
    "a loop": lambda f, x: tf.while_loop(
        lambda i, _: i < 1, lambda i, _: (i + 1, f(x)), (0, tf.zeros_like(f(x)))
    )[1],
    "a map": lambda f, x: tf.map_fn(lambda once: once * f(x), tf.ones((1,)))[0],
}


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("place", WITHIN)
@pytest.mark.parametrize("name", WITH_CONSTANTS)
def test_what_is_known_outside_is_within_reach(name, place, xla):
    """Labels and shifts that are there before the graph is."""
    shape, function = WITH_CONSTANTS[name]
    x = tf.constant(np.random.default_rng(0).normal(size=shape).astype(np.float32))

    def slope(x, call):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(tf.square(call(x)))
        return tape.gradient(value, x)

    compiled = tf.function(slope, jit_compile=xla, autograph=False)
    found = compiled(x, lambda x: WITHIN[place](function, x))
    np.testing.assert_allclose(found, slope(x, function), rtol=1e-6)


def test_two_outputs():
    @custom_gradient
    def both(x, y):
        return (x * y, x + y), lambda by_product, by_sum: (7.0 * by_product, 9.0 * by_sum)

    @tf.function(autograph=False)
    def slopes(x, y):
        return tf.gradients(both(x, y), [x, y], [tf.constant(1.0), tf.constant(2.0)])

    assert [float(each) for each in slopes(tf.constant(3.0), tf.constant(4.0))] == [7.0, 18.0]


def graphs():
    gc.collect()
    return sum(isinstance(each, FuncGraph) for each in gc.get_objects())


def test_a_function_that_goes_takes_its_graphs_along():
    before = graphs()
    for _ in range(3):
        tf.function(second, autograph=False)(tf.constant(np.float32(2.0)))
    assert graphs() == before


def test_a_copied_graph_has_it_as_long_as_there_is_the_one_that_it_is_of():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, (), name="x")
        tf.identity(cubed(x), name="y")
    copied = graph.as_graph_def()
    del graph, x
    gc.collect()
    with tf.Graph().as_default():
        x, y = tf.import_graph_def(copied, return_elements=["x:0", "y:0"], name="")
        with pytest.raises(LookupError, match="is gone"):
            tf.gradients(y, x)


def test_a_saved_model_opens(tmp_path):
    module = tf.Module()
    module.call = tf.function(cubed, input_signature=[tf.TensorSpec((), tf.float32)], autograph=False)
    tf.saved_model.save(module, str(tmp_path))
    assert tf.saved_model.load(str(tmp_path)).call(2.0) == 8.0


def test_no_other_file_has_tensorflows_own():
    files = pathlib.Path(custom.__file__).parent.parent.rglob("*.py")
    assert [str(file) for file in files if "tf.custom_gradient" in file.read_text()] == [custom.__file__]
