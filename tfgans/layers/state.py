"""Training-mode forwards that leave every layer's state alone."""

import contextlib

import keras
import tensorflow as tf

from tfgans import keras_internals
from tfgans.layers.scopes import inside, local


def state_is_frozen():
    """True inside `frozen_state()`, in the thread that entered it."""
    return getattr(local, "frozen", False)


@contextlib.contextmanager
def frozen_state():
    """Inside it, forwards with `training=True` use batch statistics but move no state.

    Our norms keep their moving statistics, spectral layers make no power iteration and use the stored
    vectors, and whatever stock Keras layers assign is dropped when the scope ends. It is for forwards
    only: a variable assigned inside (by an optimizer, say) keeps its old value outside. Networks must be
    built before. Under `tf.distribute` enter it inside the replica function.
    """
    if state_is_frozen():
        yield
        return
    # a scope that is active already keeps real state still, and may hold values of weights
    still = contextlib.nullcontext() if keras_internals.in_stateless_scope() else keras.StatelessScope()
    with inside(frozen=True), still:
        yield


def copied_state(network):
    """The weights of a network that are neither trained nor averages over batches, at any depth.

    A moving average of the network takes them over as they are. Layers name the attributes that hold them, a weight
    or several, in an attribute `copied_state`; of Keras's own, spectral normalization has such.
    """
    found = []
    for layer in keras_internals.layers_of(network):
        stock = isinstance(layer, keras.layers.SpectralNormalization)
        found += _weights_of(layer, ("vector_u",) if stock else getattr(layer, "copied_state", ()))
    return found


def scheduled_state(network):
    """The weights of a network that a method sets by its schedule, at any depth: nothing that was learnt.

    Another run that begins with a network's weights has its own. Layers name the attributes that hold them in an
    attribute `scheduled_state`.
    """
    layers = keras_internals.layers_of(network)
    return [
        weight for layer in layers for weight in _weights_of(layer, getattr(layer, "scheduled_state", ()))
    ]


def _weights_of(layer, names):
    return [weight for name in names for weight in tf.nest.flatten(getattr(layer, name))]


def depends_on_batch(network):
    """Whether any layer of a network mixes the samples of a batch or changes state with each call.

    True for layers with a true attribute `depends_on_batch` (our batch norms, spectral layers and minibatch
    statistics), at any depth, for Keras's own batch and spectral normalization, and for operations of `keras.ops`
    along the batch. Layers of a user's own and `keras.layers.Lambda` may do either: they count unless that attribute
    of theirs is False. Where the answer is False, the outputs for two batches are those for their concatenation.
    """
    layers = keras_internals.layers_of(network)
    return any(map(_layer_depends_on_batch, layers)) or _operates_along_batch(layers)


def _layer_depends_on_batch(layer):
    said = getattr(layer, "depends_on_batch", None)
    if said is not None:
        return said
    open_ended = keras.layers.BatchNormalization, keras.layers.SpectralNormalization, keras.layers.Lambda
    known = type(layer).__module__.split(".")[0] in ("keras", "tfgans")
    return not known or isinstance(layer, open_ended)


def _operates_along_batch(layers):
    """Whether a functional model among the layers has an operation, no layer, along the first axis or all axes."""
    return any(
        _crosses_samples(node)
        for layer in layers
        if keras_internals.is_functional(layer)
        for node in keras_internals.nodes_from_outputs(layer)
    )


def _crosses_samples(node):
    operation = node.operation
    if isinstance(operation, keras.layers.Layer):
        return False
    axes = getattr(operation, "axis", getattr(operation, "axes", ()))
    if axes is None:
        return True
    rank = len(node.input_tensors[0].shape)
    return any(axis % rank == 0 for axis in (axes if isinstance(axes, (tuple, list)) else [axes]))


def mixes_samples(network, training=True):
    """Whether any layer of a network mixes the samples of a batch, in training or in inference mode.

    That is, in training, batch norms, ours or Keras's, and always operations of `keras.ops` along the batch and
    layers with a true attribute `mixes_samples`: of a layer of a user's own nothing else tells it.
    """
    layers = keras_internals.layers_of(network)
    return _operates_along_batch(layers) or any(
        getattr(layer, "mixes_samples", False) or (training and _is_batch_norm(layer)) for layer in layers
    )


def _is_batch_norm(layer):
    ours = getattr(layer, "depends_on_batch", False) and hasattr(layer, "moving_variance")
    return ours or isinstance(layer, keras.layers.BatchNormalization)
