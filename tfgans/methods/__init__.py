"""Methods: each room holds one, a subclass of `GAN`. `compose` joins several into one model class."""

from tfgans.config import ConfigError
from tfgans.gan import GAN

HOOKS = (
    "train_step",
    "discriminator_update",
    "discriminator_step",
    "generator_step",
    "discriminator_gradients",
    "generator_gradients",
    "discriminator_losses",
    "generator_losses",
    "update_discriminator",
    "update_generator",
    "finish_step",
    "draw_latents",
    "sample",
    "make_train_function",
)


def compose(*methods):
    """A `GAN` class that does what several methods do; no method at all is `GAN` itself.

    Each hook runs through the methods in the order given, from the last argument inwards to the base. A
    method lists in `replaces` the hooks it does not hand on (it does not call `super()` there); such a method is
    put after those that extend the same hook, and two methods that replace one hook are refused.
    Raises: ConfigError naming both methods and the hook.
    """
    methods = [method for method in methods if method is not GAN]
    for method in methods:
        if not (isinstance(method, type) and issubclass(method, GAN)):
            raise ConfigError(f"a method is a subclass of GAN. Received: {method!r}")
    if len(set(methods)) < len(methods):
        raise ConfigError(f"a method is named twice: {', '.join(m.__name__ for m in methods)}")
    for hook in HOOKS:
        owners = [method.__name__ for method in methods if hook in method.replaces]
        if len(owners) > 1:
            raise ConfigError(f"{owners[0]} and {owners[1]} both replace {hook}: they cannot be combined")
    methods.sort(key=lambda method: bool(method.replaces))
    for later, method in enumerate(methods):
        for hook in method.replaces:
            for below in methods[later + 1 :]:
                if hook in vars(below):
                    raise ConfigError(
                        f"{method.__name__} replaces {hook}, which {below.__name__} extends: they cannot be combined"
                    )
    if len(methods) < 2:
        return methods[0] if methods else GAN
    name = "".join(method.__name__.removesuffix("GAN") for method in methods) + "GAN"
    replaces = tuple(hook for method in methods for hook in method.replaces)
    return type(name, tuple(methods), {"replaces": replaces, "composed_of": tuple(methods)})
