"""The one door to what Keras and TensorFlow keep private: each function names what it needs and why.

A name that is gone raises ConfigError, in one line with the versions, where it is first used. Nothing is imported at
the top, as importing `tfgans` alone, which asks here where Keras looks classes up, must not import TensorFlow.
The module stands below all rooms, not in `layers`: `distribute`, `evaluate` and `optimizers` need it, too.
"""

import contextlib
import importlib

from tfgans.private_names import gone, private

_PACKAGES = ("keras", "tensorflow")

# By which functions Keras finds the class of a registered name; the first argument of each is the name, or a
# configuration that holds one.
LOOKUPS = {
    "keras.src.saving.object_registration": "get_registered_object",
    "keras.src.saving.serialization_lib": "deserialize_keras_object",
}


def of(holder, name):
    """`holder`'s private attribute `name`."""
    return private(holder, name, *_PACKAGES)


def _imported(module, name):
    """A name of a private module."""
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise gone(module, *_PACKAGES) from error
    return of(found, name)


# Layers


def layers_of(network):
    """A network and every layer in it, at any depth: the public `layers` has those of the first alone."""
    return of(network, "_flatten_layers")()


def layers_inside(layer):
    """The layers that a layer holds itself, not those in them."""
    return of(layer, "_flatten_layers")(include_self=False, recursive=False)


def takes_training(layer):
    """Whether a layer's `call` has an argument `training`."""
    return of(layer, "_call_has_training_arg")


def losses_added_by(layer):
    """What a layer's last call has added with `add_loss`; the public `losses` computes regularizers, too."""
    return of(layer, "_losses")


@contextlib.contextmanager
def calls_through(call):
    """Inside it, a call of any layer is `call(original, layer, *args, **kwargs)`; `original` is Keras's own."""
    import keras

    original = keras.layers.Layer.__call__

    def replaced(self, *args, **kwargs):
        return call(original, self, *args, **kwargs)

    keras.layers.Layer.__call__ = replaced
    try:
        yield
    finally:
        keras.layers.Layer.__call__ = original


def in_stateless_scope():
    """Whether a `keras.StatelessScope` is active."""
    return _imported("keras.src.backend.common.stateless_scope", "in_stateless_scope")()


def take_moments_by(choose):
    """Has Keras take means and variances by `choose(own)`, a function of (x, axes, keepdims); `own` is Keras's."""
    module = importlib.import_module("keras.src.backend.tensorflow.nn")
    module._compute_moments = choose(of(module, "_compute_moments"))


# Functional models


def is_functional(network):
    """Whether a network is a functional Keras model, whose graph can be followed."""
    return isinstance(network, _imported("keras.src.models.functional", "Functional"))


def calls_otherwise(network):
    """Whether a functional Keras model is of a class with a `call` of its own, and so more than its graph."""
    return type(network).call is not _imported("keras.src.models.functional", "Functional").call


def run_graph(network, inputs, call):
    """Runs a functional model with `call(layer, *args, **kwargs)` in the place of each layer's call."""
    return of(network, "_run_through_graph")(inputs, call_fn=call)


def nodes_from_outputs(network):
    """The nodes of a functional model's graph, from its outputs backwards."""
    by_depth = of(network, "_nodes_by_depth")
    return [node for depth in sorted(by_depth) for node in by_depth[depth]]


# Training


def data_adapter():
    """The class that Keras's `fit` takes in the place of data."""
    return _imported("keras.src.trainers.data_adapters.data_adapter", "DataAdapter")


def py_dataset_adapter():
    """Keras's own `data_adapter` of a PyDataset."""
    return _imported("keras.src.trainers.data_adapters.py_dataset_adapter", "PyDatasetAdapter")


def never_built_by_fit(model_class):
    """Class decorator: the models are built, and `fit` takes no batch out of the data to build them."""
    import keras

    of(keras.Model, "_maybe_symbolic_build")  # under another name nothing would replace it

    def nothing(self, *args, **kwargs):
        """Nothing: the networks are built."""

    model_class._maybe_symbolic_build = nothing
    return model_class


# Optimizers


def trained_by(optimizer):
    """The variables that an optimizer was built for."""
    return of(optimizer, "_trainable_variables")


def index_in(optimizer, variable):
    """The place of a variable among `trained_by`."""
    return of(optimizer, "_get_variable_index")(variable)


def is_decayed(optimizer, variable):
    """Whether an optimizer's weight decay is for a variable, too: `exclude_from_weight_decay` says which not."""
    return of(optimizer, "_use_weight_decay")(variable)


def learning_rate_of(optimizer):
    """An optimizer's learning rate as it keeps it: a variable or a schedule, not the schedule's present value."""
    return of(optimizer, "_learning_rate")


def hand_over_sums(optimizer):
    """Tells an optimizer that the gradients it is given are of all replicas, so that it does not add them up."""
    of(optimizer, "_all_reduce_sum_gradients")
    optimizer._all_reduce_sum_gradients = list


# TensorFlow


def function_of(graph, name):
    """The function that a graph's operation calls by its name."""
    return of(graph, "_get_function")(name)


def with_constants(function):
    """A concrete function with its variables as constants and the functions it calls written out, to be pruned."""
    module = "tensorflow.python.framework.convert_to_constants"
    return _imported(module, "convert_variables_to_constants_v2")(function)


def is_for_xla(graph):
    """Whether XLA compiles what is traced in a graph."""
    return _imported("tensorflow.python.ops.control_flow_util", "GraphOrParentsInXlaContext")(graph)


def specs_of_replicas(spec):
    """The spec of each local replica, of one part of distributed data; of one replica's, that itself in a list."""
    several = isinstance(spec, _imported("tensorflow.python.distribute.values", "PerReplicaSpec"))
    return list(of(spec, "_value_specs")) if several else [spec]


def xla_operation(name):
    """One of XLA's own operations, which have no public names."""
    return _imported("tensorflow.compiler.tf2xla.ops.gen_xla_ops", name)


def gradients_of_operations():
    """{name: {"type": function of an operation and the upstream gradients, ...}}, of all that are registered."""
    registry = _imported("tensorflow.python.framework.ops", "gradient_registry")
    return of(registry, "_registry")
