"""Whether networks and optimizers can be a GAN's: what is found when it is built and compiled, not in training."""

import contextlib
import inspect
import re
import warnings

import keras

from tfgans import keras_internals
from tfgans.config import ConfigError, check_count

EXAMPLES = 2  # images in the symbolic run of a network
# Activations without negative values, by name.
_NOT_NEGATIVE = ("sigmoid", "hard_sigmoid", "softmax", "relu", "relu6", "softplus", "exponential")
# What a call adds is of one of several calls in a step, and not all of those are for the network's own update.
_ADDED = "of a GAN's networks only regularizers of weights are minimised; extend GAN's losses in a subclass"
# Of lines of Keras that say where, and not what.
_BEFORE_THE_REASON = ("Exception encountered when calling", "Could not automatically infer the output shape")
# Layers that move values and change none.
_MOVING = (keras.layers.Reshape, keras.layers.Flatten, keras.layers.Permute, keras.layers.Cropping2D)


def check_models(generator, discriminator):
    """Refuses networks that are no Keras models, or one. Raises: ConfigError."""
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(network, keras.layers.Layer):
            shown = getattr(network, "__name__", type(network).__name__)
            raise ConfigError(f"GAN.{name} is a Keras model. Received: {shown}")
    if generator is discriminator:
        raise ConfigError(f"GAN.generator and GAN.discriminator are one network, {generator.name}")


def checked_latent_dim(generator, latent_dim):
    """The size of latents that is given, or for None the generator's. Raises: ConfigError if it takes others."""
    inputs = getattr(generator, "inputs", None)
    if latent_dim is None:
        if not inputs:
            raise ConfigError("GAN.latent_dim must be given: the generator does not tell its input's size")
        latent_dim = inputs[0].shape[-1]
    check_count("GAN.latent_dim", latent_dim)
    if inputs and tuple(inputs[0].shape[1:]) != (latent_dim,):
        raise ConfigError(
            f"GAN.latent_dim is {latent_dim}, but the first input of {generator.name} is [N, latents] of shape "
            f"{tuple(inputs[0].shape)}"
        )
    return latent_dim


@contextlib.contextmanager
def explained(what):
    """Turns what Keras raises in a symbolic run of a network into one line."""
    try:
        yield
    except ConfigError:
        raise
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ConfigError(f"{what}: {reason(error)}") from error


def reason(error):
    """The line of an exception of Keras that says what is wrong."""
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line).strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(_BEFORE_THE_REASON)]
    return lines[0] if lines else type(error).__name__


def check_built(gan, *networks):
    """Refuses networks that compute in float16 anywhere, regularize activities, or share a weight.

    Nothing scales the losses, without which gradients in float16 vanish.

    Raises: ConfigError naming the network and the layer, or the weight.
    """
    layers = [(layer, network) for network in networks for layer in keras_internals.layers_of(network)]
    for layer, network in [*layers, (gan, gan)]:
        if getattr(layer, "activity_regularizer", None) is not None:
            raise ConfigError(f"{layer.name} of {network.name} has an activity_regularizer: {_ADDED}")
        if layer.compute_dtype == "float16":
            of = "" if layer is network else f" of {network.name}"
            raise ConfigError(
                f"{layer.name}{of} computes in float16, which needs loss scaling: take mixed_bfloat16 or float32"
            )
    one, other = ({id(v): v for v in network.variables} for network in networks)
    for key in one.keys() & other.keys():
        names = " and ".join(network.name for network in networks)
        raise ConfigError(f"{names} share the weight {one[key].path}, which both optimizers would move")


def check_added(network):
    """Refuses a network whose last call has added losses, which nothing would minimise. Raises: ConfigError."""
    for layer in keras_internals.layers_of(network):
        if keras_internals.losses_added_by(layer):
            raise ConfigError(f"{layer.name} of {network.name} adds a loss in its call (add_loss): {_ADDED}")


def check_images(generator, images):
    """Refuses an output of the generator, as a symbolic run gave it, that no data can be like."""
    shape = getattr(images, "shape", None)
    if shape is None or len(shape) < 2 or None in shape[1:]:
        found = type(images).__name__ if shape is None else tuple(shape)
        raise ConfigError(f"{generator.name} gives images [N, H, W, C] or points [N, D]. Received: {found}")
    if shape[0] not in (None, EXAMPLES):
        raise ConfigError(
            f"{generator.name} gives an image for each latent. Received: {shape[0]} of {EXAMPLES} latents"
        )
    activation = _last_activation(generator)
    if len(shape) == 4 and activation in _NOT_NEGATIVE:
        raise ConfigError(f"{generator.name} ends in {activation}, but images are in [-1, 1]: end in tanh")


def check_images_taken(discriminator, shape):
    """Refuses a discriminator for images of other sizes or channels, of which Keras (3.15) lets some through.

    Args: shape: of one image.
    """
    inputs = getattr(discriminator, "inputs", None)
    if not inputs or len(inputs[0].shape) != len(shape) + 1:
        return  # what Keras makes fit, or refuses
    wanted = tuple(inputs[0].shape[1:])
    if any(size not in (None, other) for size, other in zip(wanted, shape, strict=True)):
        raise ConfigError(f"{discriminator.name} takes images {wanted}, the generator makes {shape}")


def check_outputs(discriminator, outputs, num_classes, labelled):
    """Refuses outputs of the discriminator, a dictionary of symbolic tensors, that the losses cannot take.

    Args: labelled: whether either network takes labels.
    """
    adversarial = getattr(outputs.get("adversarial"), "shape", None)
    if adversarial is None:
        raise ConfigError(
            f"{discriminator.name} gives logits, or a dictionary that has 'adversarial'. Received: {list(outputs)}"
        )
    if len(adversarial) < 2 or adversarial[-1] != 1:
        raise ConfigError(f"{discriminator.name} gives logits [N, 1]. Received: {tuple(adversarial)}")
    if adversarial[0] not in (None, EXAMPLES):
        raise ConfigError(
            f"{discriminator.name} gives logits [N, 1] of N images. Received: {tuple(adversarial)} of {EXAMPLES}"
        )
    if "class" in outputs and outputs["class"].shape[-1] != num_classes:
        raise ConfigError(
            f"{discriminator.name} tells {outputs['class'].shape[-1]} classes apart, GAN.num_classes is {num_classes}"
        )
    if num_classes and not labelled and "class" not in outputs:
        raise ConfigError(
            f"GAN.num_classes is {num_classes}, but neither network has to do with labels: set it to None"
        )
    activation = _last_activation(discriminator)
    if activation in _NOT_NEGATIVE:
        warnings.warn(
            f"{discriminator.name} ends in {activation}: the losses of tfgans take logits, without it",
            stacklevel=2,
        )


def _last_activation(network):
    """The name of the activation that a network ends in, or None if it has none or does not tell."""
    if getattr(network, "inputs", None) is None or len(getattr(network, "outputs", ())) != 1:
        return None
    last = next((layer for layer in reversed(network.layers) if not isinstance(layer, _MOVING)), None)
    if hasattr(last, "layers"):
        return _last_activation(last)
    if isinstance(last, (keras.layers.ReLU, keras.layers.Softmax)):
        return type(last).__name__.lower()
    return getattr(getattr(last, "activation", None), "__name__", None)


def checked_optimizers(optimizer, discriminator_optimizer):
    """Both optimizers, made from what `compile` was given.

    Raises: ConfigError for what is none, one for both, and one that keeps an average or scales losses of its own.
    """
    both = _made("optimizer", optimizer), _made("discriminator_optimizer", discriminator_optimizer)
    if both[0] is both[1]:
        raise ConfigError("compile: both networks have one optimizer: each needs one of its own")
    return both


def _made(name, given):
    if given is None or inspect.isclass(given):
        shown = getattr(given, "__name__", given)
        raise ConfigError(f"compile: {name} is an optimizer or the name of one. Received: {shown}")
    try:
        optimizer = keras.optimizers.get(given)
    except KeyError as error:
        raise ConfigError(
            f"compile: {name} is no configuration of an optimizer: it has no {error}"
        ) from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"compile: {name}: {reason(error)}") from error
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or optimizer.loss_scale_factor is not None:
        raise ConfigError(f"compile: {name} scales gradients down, but nothing scales a GAN's losses up")
    if optimizer.use_ema:
        raise ConfigError(f"compile: {name} has use_ema: GAN.ema_decay averages the generator")
    return optimizer


def check_free(both, networks, moved):
    """Refuses optimizers, two, that were built for other weights of their networks than they are to move."""
    for optimizer, network, own in zip(both, networks, moved, strict=True):
        if not optimizer.built:
            continue
        built = keras_internals.trained_by(optimizer)
        if not {id(v) for v in built} <= {id(v) for v in network.variables}:
            raise ConfigError(
                f"compile: the optimizer of {network.name} belongs to another model: give a new one"
            )
        if _others_train(optimizer, own):
            raise ConfigError(
                f"compile: other weights of {network.name} train than those its optimizer was built for: give a new "
                "one"
            )


def check_unchanged(both, networks, moved):
    """Refuses layers that were frozen or freed since their optimizers, two, were built: steps may know or not.

    Raises: ConfigError naming the network.
    """
    for optimizer, network, own in zip(both, networks, moved, strict=True):
        if _others_train(optimizer, own):
            raise ConfigError(
                f"other weights of {network.name} train than when the model was compiled: compile it again, with new "
                "optimizers"
            )


def _others_train(optimizer, own):
    """Whether an optimizer was built for other weights than it is to move."""
    return {id(v) for v in keras_internals.trained_by(optimizer)} != {id(v) for v in own}


def check_places(names, trained, networks):
    """Refuses layers that were frozen or freed since a model was built that keeps something for each weight.

    Args:
        names: of the options by which it does, of which the first is told; () for none.
        trained: the numbers (`id`) of the weights of each network that trained then.
    Raises: ConfigError.
    """
    for then, network in zip(trained, networks, strict=True):
        if names and then != weights_that_train(network):
            raise ConfigError(
                f"{names[0]}: other weights of {network.name} train than when the model was built: set trainable "
                "before that"
            )


def weights_that_train(network):
    """The numbers (`id`) of a network's weights that train, in their order."""
    return tuple(id(v) for v in network.trainable_variables)
