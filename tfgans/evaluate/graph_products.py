"""Counts the multiply-accumulates in a traced graph, function calls included; for `cost.py`."""

import numpy as np
import tensorflow as tf

from tfgans import keras_internals
from tfgans.config import ConfigError

DATA, WEIGHTS = 1, 2  # what a tensor's value depends on, as bits

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_BRANCHES = ("If", "StatelessIf")
_LOOPS = ("While", "StatelessWhile")
_SHAPES = ("Shape", "ShapeN", "Size", "Rank")
_MATRIX = {"MatMul": "transpose_a", "BatchMatMulV2": "adj_x", "BatchMatMulV3": "adj_x"}
_FORWARD = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
_TRANSPOSED = ("Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput")


def graph_products(graph):
    """Finds every product in a FuncGraph whose arguments are data and whose captured variables weights.

    Returns: list of (graph, index of the operation in it, enclosing (graph, index) or None, amount,
        whether both factors depend on the data).
    Raises: ConfigError for a product of unknown size or in a loop.
    """
    captured = {id(inner): outer for outer, inner in graph.captures}
    sources = []
    for tensor in graph.inputs:
        if id(tensor) not in captured:
            sources.append(DATA)
        else:
            sources.append(WEIGHTS if tensor.dtype == tf.resource else 0)
    return _walk(graph, sources, None)[0]


def _walk(graph, sources, caller):
    """Returns the products found and what each output of the graph depends on."""
    depends = {id(tensor): source for tensor, source in zip(graph.inputs, sources, strict=True)}
    products = []
    for index, operation in enumerate(graph.get_operations()):
        if operation.type == "Placeholder":
            continue
        inputs = [depends.get(id(tensor), 0) for tensor in operation.inputs]
        place = caller or (graph, index)
        if operation.type in _CALLS + _BRANCHES + _LOOPS:
            found, outputs = _enter(graph, operation, inputs, place)
            products += found
        else:
            outputs = [_result(operation, inputs)] * len(operation.outputs)
            both = _counted(operation.type, inputs)
            if both is not None:
                products.append((graph, index, caller, _amount(operation), both))
        depends |= {id(tensor): value for tensor, value in zip(operation.outputs, outputs, strict=True)}
    return products, [depends.get(id(tensor), 0) for tensor in graph.outputs]


def _enter(graph, operation, inputs, place):
    """Follows a call, the dearer branch of a conditional, or a loop, in which nothing may be counted."""

    def follow(attribute, arguments):
        name = operation.get_attr(attribute).name
        inner = keras_internals.function_of(graph, name).graph
        return _walk(inner, arguments, place)

    if operation.type in _CALLS:
        return follow("f", inputs)
    if operation.type in _LOOPS:
        found, outputs = follow("body", inputs)
        if found:
            raise ConfigError(f"products in a loop cannot be counted: {operation.name}")
        return [], [before | after for before, after in zip(inputs, outputs, strict=True)]
    first, outputs = follow("then_branch", inputs[1:])
    second, others = follow("else_branch", inputs[1:])
    dearer = max(first, second, key=lambda found: sum(product[3] for product in found))
    return dearer, [a | b | inputs[0] for a, b in zip(outputs, others, strict=True)]


def _result(operation, inputs):
    if operation.type in _SHAPES:
        return 0
    drawn = DATA if "Random" in operation.type else 0
    return int(np.bitwise_or.reduce([drawn, *inputs]))


def _counted(kind, inputs):
    """None for what is no product of the network's, else whether both factors are data.

    A factor that depends on nothing (a fixed filter, a one-off matrix) is resampling, not a weight. A
    kernel that depends on the data is a modulated weight.
    """
    if kind in _MATRIX or kind == "Einsum":
        data = [bool(value & DATA) for value in inputs]
        if len(inputs) < 2 or not any(data) or 0 in inputs:
            return None
        return all(data)
    if kind in _FORWARD + _TRANSPOSED:
        values, kernel = (inputs[0], inputs[1]) if kind in _FORWARD else (inputs[2], inputs[1])
        return False if kernel and (values | kernel) & DATA else None
    return None


def _amount(operation):
    kind = operation.type
    if kind == "Einsum":
        return _einsum_amount(operation)
    if kind in _MATRIX:
        left = _shape(operation, operation.inputs[0])
        inner = left[-2] if operation.get_attr(_MATRIX[kind]) else left[-1]
        return _product(_shape(operation, operation.outputs[0])) * inner
    kernel = _shape(operation, operation.inputs[1])
    kernel = kernel[:-2] if kind.startswith("Depthwise") else kernel[:-1]
    grid = operation.outputs[0] if kind in _FORWARD else operation.inputs[2]
    return _product(_shape(operation, grid)) * _product(kernel)


def _einsum_amount(operation):
    """Product of the sizes of all indices; an ellipsis stands for the axes of the operand with most."""
    terms = operation.get_attr("equation").decode().split("->")[0].split(",")
    sizes, rest = {}, ()
    for term, tensor in zip(terms, operation.inputs, strict=True):
        shape = _shape(operation, tensor)
        head, _, tail = term.partition("...")
        spread = len(shape) - len(head) - len(tail)
        for label, size in zip(head, shape, strict=False):
            sizes[label] = size
        for label, size in zip(tail, shape[len(head) + spread :], strict=True):
            sizes[label] = size
        rest = max(rest, tuple(shape[len(head) : len(head) + spread]), key=_product)
    return _product(sizes.values()) * _product(rest)


def _product(sizes):
    return int(np.prod(list(sizes), dtype=np.int64))


def _shape(operation, tensor):
    if not tensor.shape.is_fully_defined():
        raise ConfigError(f"products of {operation.name} cannot be counted: its shape is {tensor.shape}")
    return tensor.shape.as_list()
