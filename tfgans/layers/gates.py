"""Forwards in which kernels first go through a function, such as the masks of a method that prunes."""

import contextlib

import keras
import tensorflow as tf

from tfgans import keras_internals
from tfgans.layers.scopes import inside, local
from tfgans.layers.state import state_is_frozen


def gated_kernel(variable, kernel):
    """A spectrally normalised `kernel` through the gate of its raw one, `variable`, if a scope gives it one."""
    gate = _gates().get(id(variable))
    return kernel if gate is None else gate(kernel)


def gates_are_open():
    """True where `gated_kernel` has gates."""
    return bool(_gates())


@contextlib.contextmanager
def gated(network, gates):
    """Inside it, layers of a network see some kernels through a function; gradients go through it, too.

    A spectrally normalised kernel goes through it after it was divided by sigma, which is the raw kernel's. What
    layers assign inside, such as moving statistics, is assigned when the scope ends. It is for forwards only.

    Args:
        gates: {place of a kernel among the network's trainable variables: function of a tensor to one of its shape}.
    """
    variables = network.trainable_variables
    layers = keras_internals.layers_of(network)
    after_sigma = {id(layer.kernel) for layer in layers if hasattr(layer, "normalized_kernel")}
    chosen = [(variables[place], gate) for place, gate in gates.items()]
    mapping = [(v, gate(tf.convert_to_tensor(v.value))) for v, gate in chosen if id(v) not in after_sigma]
    opened = _gates() | {id(v): gate for v, gate in chosen if id(v) in after_sigma}
    if keras_internals.in_stateless_scope():  # whose values, of all weights, the inner scope would hide
        known = {id(v) for v, _ in mapping}
        mapping += [(v, tf.convert_to_tensor(v.value)) for v in network.variables if id(v) not in known]
    with inside(gates=opened), keras.StatelessScope(state_mapping=mapping) as scope:
        yield
    if state_is_frozen():
        return
    for variable in network.non_trainable_variables:
        value = scope.get_current_value(variable)
        if value is not None:
            variable.assign(value)


def _gates():
    return getattr(local, "gates", {})
