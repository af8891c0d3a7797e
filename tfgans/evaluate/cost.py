"""What a network costs: trainable parameters and multiply-accumulates, exactly, by tracing its graph.

Nothing is computed: the network is traced once, in inference mode, for one sample. A multiply-accumulate
is counted for every product of a weight with a value that depends on the input, in convolutions (also
transposed, depthwise, grouped), matrix products and einsums, whatever layer, sub-model or raw operation
they come from. What depends on weights alone is done once, not once a sample, and is not counted: the power
iteration and the sum behind a spectral norm, for example. Products of two values that both depend on the
input (attention's maps) are counted apart and left out of `macs`, as the published tables do; so are
biases, norms, activations and resampling.

A transposed convolution costs its kernel once per *input* pixel, the true number of products. A convolution of a
map that is doubled, or whose outputs are pooled, counts as published tables have it, on the large map, although it
is computed with fewer (`layers.resampled`).
"""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfgans import keras_internals
from tfgans.config import ConfigError
from tfgans.evaluate.graph_products import graph_products
from tfgans.layers.resampled import as_written


@dataclass(frozen=True)
class LayerCost:
    """One layer's own share: `name` (path from the network down), trainable `parameters`, `macs` of
    weights and `attention_macs` of products of two activations, each for one sample."""

    name: str
    parameters: int
    macs: int
    attention_macs: int


def parameters(network):
    """Number of trainable scalars of a built layer or model, so without statistics and spectral `u`."""
    return sum(_size(variable) for variable in network.trainable_variables)


def macs(network, inputs=None):
    """Multiply-accumulates of one forward pass of one sample; an int. See `layer_costs`."""
    return sum(layer.macs for layer in layer_costs(network, inputs))


def layer_costs(network, inputs=None):
    """Costs of every layer that has any, in the order of the network's layers.

    A layer called twice counts twice; a weight shared by two layers counts for the first.

    Args:
        network: a built keras layer or model, functional, sequential or subclassed.
        inputs: what it is called with, as a structure of `tf.TensorSpec` with a leading batch axis (its
            size is taken as 1); a tuple is several arguments. None reads it from the model, which works
            if the model is functional or was built on one floating-point input (or a dict of them).
    Returns: list of LayerCost; the sums of its columns are the network's totals.
    Raises: ConfigError if the inputs are not known, or a weighted operation has an unknown shape or sits
        in a loop.
    """
    rows, totals = _layer_totals(network, inputs)
    seen, costs = set(), []
    for layer, name in rows:
        own = sum(_size(variable) for variable in _own_variables(layer, seen))
        if own or any(totals[id(layer)]):
            costs.append(LayerCost(name, own, *totals[id(layer)]))
    return costs


def weight_macs(network, inputs=None):
    """Multiply-accumulates of one forward of one sample by trainable variable, in the network's order, and the rest.

    A layer's go to its own trainable variables of two axes or more (kernels), in proportion to their sizes where
    there are several; all other variables have 0. The rest, the last number, are those of layers without such, as
    frozen ones are. All add up to `macs`. Arguments and errors are those of `layer_costs`.
    """
    rows, totals = _layer_totals(network, inputs)
    seen, given, rest = set(), {}, 0
    for layer, _ in rows:
        kernels = [v for v in _own_variables(layer, seen) if len(v.shape) > 1]
        size = sum(map(_size, kernels))
        given |= {id(v): totals[id(layer)][0] * _size(v) / size for v in kernels}
        rest += 0 if kernels else totals[id(layer)][0]
    return [*(given.get(id(v), 0) for v in network.trainable_variables), rest]


def _layer_totals(network, inputs):
    """(layer, path) of all layers, and by the layer's id its [macs, attention_macs]."""
    structure = _input_structure(network) if inputs is None else inputs
    specs = tf.nest.map_structure(_one_sample, structure)
    arguments = specs if isinstance(specs, tuple) else (specs,)
    calls = []
    with as_written(), _recorded_calls(calls):
        function = tf.function(lambda *x: network(*x, training=False), autograph=False)
        graph = function.get_concrete_function(*arguments).graph
    rows = _layer_rows(network)
    owners = _owners(calls, {id(layer) for layer, _ in rows})
    totals = {id(layer): [0, 0] for layer, _ in rows}
    for place, index, caller, amount, both in graph_products(graph):
        owner = _owner(owners, place, index)
        if owner is None and caller is not None:
            owner = _owner(owners, *caller)
        totals[id(network) if owner is None else owner][both] += amount
    return rows, totals


def _one_sample(spec):
    shape = (1, *tuple(spec.shape)[1:])
    if None in shape:
        raise ConfigError(f"the input's size must be known to count products. Received: {tuple(spec.shape)}")
    return tf.TensorSpec(shape, spec.dtype)


def _input_structure(network):
    if isinstance(network, keras.Model) and getattr(network, "inputs", None):
        return network.input
    config = network.get_build_config() or {}
    if config.get("input_shape"):
        return tf.nest.map_structure(
            lambda shape: tf.TensorSpec(tuple(shape), network.variable_dtype),
            _shapes_as_leaves(config["input_shape"]),
        )
    raise ConfigError(f"{network.name}: its input is not known; pass inputs=tf.TensorSpec((1, ...))")


def _shapes_as_leaves(shape):
    """A structure whose leaves are tensor shapes: tuples of numbers would be taken apart otherwise."""
    if isinstance(shape, dict):
        return {name: _shapes_as_leaves(value) for name, value in shape.items()}
    if all(size is None or isinstance(size, int) for size in shape):
        return tf.TensorShape(shape)
    return [_shapes_as_leaves(value) for value in shape]


def _size(variable):
    return int(np.prod(variable.shape, dtype=np.int64))


def _layer_rows(network, name=None, seen=None):
    """(layer, path) of the network and everything inside it, once each."""
    seen = set() if seen is None else seen
    name = name or network.name
    seen.add(id(network))
    rows = [(network, name)]
    for child in keras_internals.layers_inside(network):
        if id(child) not in seen:
            rows += _layer_rows(child, f"{name}/{child.name}", seen)
    return rows


def _own_variables(layer, seen):
    """Trainable variables of the layer that neither its sub-layers hold nor a layer before (ids `seen`)."""
    children = keras_internals.layers_inside(layer)
    inner = {id(variable) for child in children for variable in child.trainable_variables}
    own = [v for v in layer.trainable_variables if id(v) not in inner and id(v) not in seen]
    seen |= {id(variable) for variable in own}
    return own


def _recorded_calls(calls):
    """A context that notes which graph operations each layer's call creates: (layer, graph, first, last + 1).

    Name scopes would not do: they are made unique by suffixes and lost in functions.
    """

    def call(original, layer, *args, **kwargs):
        if not tf.inside_function():
            return original(layer, *args, **kwargs)
        graph = tf.compat.v1.get_default_graph()
        first = len(graph.get_operations())
        outputs = original(layer, *args, **kwargs)
        calls.append((layer, graph, first, len(graph.get_operations())))
        return outputs

    return keras_internals.calls_through(call)


def _owners(calls, known):
    """For each graph, operation index -> id of the innermost layer of the network that made it."""
    owners = {}
    for layer, graph, first, end in calls:  # an inner call ends, and so is noted, before its outer one
        if id(layer) in known:
            indices = owners.setdefault(id(graph), {})
            for index in range(first, end):
                indices.setdefault(index, id(layer))
    return owners


def _owner(owners, graph, index):
    return owners.get(id(graph), {}).get(index)
