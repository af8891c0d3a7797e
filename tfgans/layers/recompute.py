"""Blocks whose activations are not kept for the backward pass, but computed again there (Chen et al., 2016).

`keras.remat`, which is `tf.recompute_grad`, has first derivatives alone, and lets a layer move its state a second
time, from where it is by then. Here a block is a function of its inputs and of the values of its weights, trained or
not, as they were at the call. Its derivative is one, too, and computed again where it is differentiated in its turn,
so that gradients of gradients keep no activations either. State moves in the call alone.
"""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers import scopes
from tfgans.layers.custom import custom_gradient
from tfgans.layers.gates import gates_are_open


def recomputed(layers, function, *inputs):
    """`function(*inputs)`, of which a backward pass keeps the inputs alone.

    Args:
        layers: those whose weights the function reads, and whose state it may move.
        function: of the inputs to a tensor or a list of tensors of floating numbers; it draws nothing.
        inputs: tensors, or None.
    Raises: ConfigError inside the gates of `layers.gates.gated`, whose own gradients would be lost.
    """
    if gates_are_open():
        raise ConfigError("recompute: it does not go with kernels that are masked as they are called")
    variables = [variable for layer in layers for variable in layer.variables]
    values = [tf.convert_to_tensor(variable.value) for variable in variables]
    given = [None if value is None else tf.convert_to_tensor(value) for value in inputs]
    places = [i for i, value in enumerate(given) if value is not None and value.dtype.is_floating]
    around, moved = scopes.entered(), {}

    def pure(floats, values):
        arguments = list(given)
        for place, value in zip(places, floats, strict=True):
            arguments[place] = value
        mapping = list(zip(variables, values, strict=True))
        with scopes.again(around), keras.StatelessScope(state_mapping=mapping) as scope:
            before = [scope.get_current_value(variable) for variable in variables]
            outputs = function(*arguments)
            after = [scope.get_current_value(variable) for variable in variables]
        moved.update({i: new for i, new in enumerate(after) if new is not before[i]})
        return outputs

    outputs = _checkpoint(pure, [given[place] for place in places], values)
    for place, value in moved.items():
        variables[place].assign(value)
    return outputs


def _checkpoint(function, inputs, values):
    """`function(inputs, values)`, by lists of tensors of floating numbers, which are all that is kept."""
    count = len(inputs)

    @custom_gradient
    def forward(*tensors):
        def backward(*upstream):
            return _pulled_back(function, tensors[:count], tensors[count:], upstream)

        return function(tensors[:count], tensors[count:]), backward

    return forward(*inputs, *values)


def _pulled_back(function, inputs, values, upstream):
    """The gradients by inputs and values, None where there is none."""
    count, reached = len(inputs), []

    def pull(tensors, values):
        inputs, upstream = tensors[:count], tensors[count:]
        one = _one_after(upstream)
        late = [each * tf.cast(one, each.dtype) for each in inputs]
        values = [tf.identity(value) for value in values]  # a loop's gradient has them in another graph
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([*late, *values])
            outputs = tf.nest.flatten(function(late, values))
        gradients = tape.gradient(outputs, [*late, *values], list(upstream))
        reached[:] = [gradient is not None for gradient in gradients]
        there = [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
        # so that they are sums at once: TensorFlow would put their terms into sums that come much later
        return [gradient * tf.cast(one, gradient.dtype) for gradient in there]

    found = iter(_checkpoint(pull, [*inputs, *upstream], values))
    return [next(found) if there else None for there in reached]


def _one_after(tensors):
    """1, which is not known before the tensors are: what is multiplied by it cannot be computed earlier.

    A dependence of control would do without XLA, which also takes two equal computations for one.
    """
    firsts = [tf.reduce_max(tf.reshape(tf.stop_gradient(each), [-1])[:1]) for each in tensors]
    never = [tf.math.logical_and(tf.math.is_nan(first), tf.equal(first, first)) for first in firsts]
    return tf.logical_not(tf.reduce_any(tf.stack(never)))
