"""`tf.custom_gradient` whose graphs are freed with the functions that they are of.

TensorFlow (2.21) keeps the gradient of each call in a graph in a list of its own, for ever, and with it all tensors
that the gradient refers to and their graph: a process that builds one model after another grows with each. Here the
list has no more than a name, by which the graph is asked.
"""

import functools
import weakref

import tensorflow as tf

from tfgans import keras_internals

_TYPE = "_gradient_op_type"  # the attribute by which an operation names its gradient
_HELD = "_tfgans_gradients"  # {name: gradient}, of a graph


def custom_gradient(function):
    """As `tf.custom_gradient`, for functions of tensors that give one or several tensors."""
    made = tf.custom_gradient(function)

    @functools.wraps(function)
    def call(*arguments):
        outputs = made(*arguments)
        first = tf.nest.flatten(outputs)[0]
        if tf.is_symbolic_tensor(first):
            _hand_over(first.op)
        return outputs

    return call


def _hand_over(operation):
    """Has an operation's graph hold its gradient in place of TensorFlow's list."""
    graph, name = operation.graph, operation.get_attr(_TYPE).decode()
    entry = keras_internals.gradients_of_operations()[name]
    if not hasattr(graph, _HELD):
        setattr(graph, _HELD, {})
    getattr(graph, _HELD)[name] = entry["type"]
    entry["type"] = functools.partial(_by_the_graph, weakref.ref(graph), name)


def _by_the_graph(graph, name, operation, *upstream):
    if graph() is None:
        raise LookupError(f"the graph that has the gradient {name} is gone")
    return getattr(graph(), _HELD)[name](operation, *upstream)
