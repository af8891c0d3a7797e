"""Copies of networks."""

import random
import types
import warnings

import keras
import numpy as np

from tfgans import keras_internals
from tfgans.config import ConfigError

_ELSE = "Keras's copy computes something else"


def clone(network, refusal):
    """A network of the same layers and values with weights and seeds of its own, which Keras draws.

    What is frozen is frozen in it, too: `keras.models.clone_model` frees the layers within a layer, and weights. A
    layer that models nested in a functional one share stays one.

    Raises: ConfigError, saying `refusal`, if Keras cannot copy it, or its copy has other weights or computes
        something else, as where the `get_config` of a layer leaves out what the layer was made with.
    """
    copy = _remade(network, refusal)
    if _shapes(copy) != _shapes(network):
        _build(copy, network)
    if _shapes(copy) != _shapes(network):
        raise ConfigError(f"{refusal}: Keras's copy has other weights{_advice(network)}")
    _follow(copy, network)
    if _differs(copy, network):
        raise ConfigError(f"{refusal}: {_ELSE}{_advice(network)}")
    return copy


def changed(network):
    """How a network that Keras makes of its file is another one, in words; None where it is not, or is not known."""
    if found := _mistaken(network):
        return found
    if not _own_classes(network):
        return None
    state = random.getstate()
    try:
        copy = _remade(network, "")
    except ConfigError:
        return None  # some that Keras does not copy it writes and opens
    finally:
        random.setstate(state)  # Keras draws the seeds of new layers from it
    if _shapes(copy) != _shapes(network):
        name = type(network).__name__
        called = (
            "" if keras_internals.is_functional(network) else f", or {name} a build_from_config that calls it"
        )
        return f"Keras would open it with other weights{_advice(network)}{called}"
    _follow(copy, network)
    return _ELSE + _advice(network) if _differs(copy, network) else None


def _remade(network, refusal):
    """What Keras makes of a network's configuration, as its copy and of a file; perhaps with other weights."""
    copy = _cloned(network, refusal)
    if _shapes(copy) != _shapes(network) and keras_internals.is_functional(network):
        copy = _cloned(network, refusal, recursive=True)  # a layer that nested models share stays one
    return copy


def _build(copy, network):
    """Calls a copy, so that its layers get weights; Keras builds a subclassed model by numbers, not by labels."""
    kinds = _example_kinds(network)
    if kinds is not None and not keras_internals.is_functional(network):
        inputs = [keras.KerasTensor((2, *shape[1:]), dtype) for shape, dtype in kinds]
        copy(inputs if len(inputs) > 1 else inputs[0])


def _follow(copy, network):
    copy.set_weights(network.get_weights())
    freeze_as(network, copy)


def _differs(copy, network):
    """Whether a copy with a network's weights gives other numbers than the network, in inference or in training.

    Keras takes a copy's arguments from `get_config`, and where a model has none of its own, it takes the defaults of
    `__init__`. Only layers of a user's own are asked, and only networks of known sizes.
    """
    inputs = _example_inputs(network) if _own_classes(network) else None
    if inputs is None:
        return False
    for training in (False, True):
        first = _outputs(network, network, inputs, training)
        if not _far(_outputs(copy, network, inputs, training), first):
            continue
        # what draws from no seed of its own gives other numbers every time
        if not _far(_outputs(network, network, inputs, training), first):
            return True
    return False


def _own_classes(network):
    """{name: class} of the layers in a network, at any depth, that are neither Keras's nor ours."""
    classes = {type(layer) for layer in keras_internals.layers_of(network)}
    return {cls.__name__: cls for cls in classes if cls.__module__.split(".")[0] not in ("keras", "tfgans")}


def named_code(network):
    """Inside it Keras finds a network's own classes, and the functions that its layers call, by their names.

    Raises: ConfigError if two of the functions have one name.
    """
    return keras.saving.custom_object_scope(_own_functions(network) | _own_classes(network))


def _mistaken(network):
    """Which activation of a user's own Keras copies as its own of the same name, in words, or None."""
    for layer, key, function in _functions(network):
        own = function.__module__.split(".")[0] not in ("keras", "tensorflow", "tfgans")
        if own and key != "function" and hasattr(keras.activations, function.__name__):
            name = function.__name__
            return (
                f"Keras takes the activation {name} of {layer.name} for its own {name}: give it another name"
            )
    return None


def _own_functions(network):
    """{name: function} of the functions in a network's layers that are not Keras's."""
    found = {}
    for layer, _, function in _functions(network):
        name = function.__name__
        if name == "<lambda>" or function.__module__.startswith("keras."):
            continue  # Keras copies none, or knows it
        if found.setdefault(name, function) is not function:
            raise ConfigError(
                f"{network.name} has two functions of the name {name}, one of them in {layer.name}"
            )
    return found


def _functions(network):
    """(layer, attribute, function) of the functions that a network's layers have been given."""
    for layer in keras_internals.layers_of(network):
        for key in ("activation", "recurrent_activation", "function"):
            if isinstance(function := getattr(layer, key, None), types.FunctionType):
                yield layer, key, function


def what_to_give(network):
    """What to do, in words, where Keras cannot copy a network or layer."""
    for layer, _, function in _functions(network):
        if function.__name__ == "<lambda>":
            return f"write a function with a name in place of the lambda in {layer.name}"
    return "give it a get_config"


def _advice(network):
    """What to do, in words, where a copy is not as the network; "" where nothing is known."""
    names = " and ".join(sorted(_own_classes(network)))
    return f": give {names} a get_config with all that __init__ takes" if names else ""


def _example_kinds(network):
    """[(shape, dtype)] of what a GAN calls a built network with; None where sizes are not known."""
    if getattr(network, "inputs", None):
        kinds = [(tuple(x.shape), x.dtype) for x in network.inputs]
    else:
        shapes = (network.get_build_config() or {}).get("input_shape", (None, None))
        shapes = shapes if isinstance(shapes[0], (tuple, list)) else [shapes]
        kinds = [(shape, "int32" if len(shape) == 1 else "float32") for shape in shapes]  # [N] are labels
    return None if any(None in shape[1:] for shape, _ in kinds) else kinds


def _example_inputs(network):
    """Two items of numbers for each input of a network, a list if it has several; None where sizes are not known."""
    kinds = _example_kinds(network)
    if kinds is None:
        return None
    numbers = np.random.default_rng(0).random
    # in [0, 1): whole numbers, such as labels, are 0, which is one of any number of classes
    inputs = [keras.ops.cast(numbers(size=(2, *shape[1:])), dtype) for shape, dtype in kinds]
    return inputs if len(inputs) > 1 else inputs[0]


def _outputs(network, state, inputs, training):
    """All numbers that a network gives, with the weights and seeds of `state`; nothing is moved."""
    pairs = zip(network.variables, state.variables, strict=True)
    with keras.StatelessScope(state_mapping=[(own, value.value) for own, value in pairs]):
        outputs = keras.tree.flatten(network(inputs, training=training))
    return np.concatenate([keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")).ravel() for x in outputs])


def _far(one, other):
    return np.linalg.norm(one - other) > 1e-3 * np.linalg.norm(other)


def _cloned(network, refusal, **options):
    if found := _mistaken(network):
        raise ConfigError(f"{refusal}: {found}")
    names = named_code(network)
    try:
        with names, warnings.catch_warnings():
            # of models that Keras cannot build: whoever asked looks at the weights
            warnings.simplefilter("ignore")
            return keras.models.clone_model(network, **options)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ConfigError(f"{refusal}: {what_to_give(network)}") from error


def _shapes(network):
    return [tuple(v.shape) for v in network.weights]


def freeze_as(network, copy):
    """Makes the layers and weights of a copy train where those of the network do."""
    layers = zip(keras_internals.layers_of(copy), keras_internals.layers_of(network), strict=True)
    for new, old in layers:  # a layer before those in it, which it sets, too
        if new.trainable != old.trainable:
            new.trainable = old.trainable
    for new, old in zip(copy.variables, network.variables, strict=True):
        new.trainable = old.trainable


def shared_inside(network):
    """The first layer that two layers of a functional model hold, in words, or None.

    What Keras makes of such a model's configuration has two of it, or cannot be made.
    """
    holders = {}
    for layer in network.layers if keras_internals.is_functional(network) else ():
        for inner in keras_internals.layers_of(layer):
            holder = holders.setdefault(id(inner), layer)
            if holder is not layer:
                return f"{holder.name} and {layer.name} share {inner.name}"
    return None
