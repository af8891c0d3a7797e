"""Methods: each room holds one, a subclass of `GAN`. `compose` joins several into one model class."""

import inspect

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.hooks import function_of, hooks_of


def compose(*methods):
    """A `GAN` class that does what several methods do; no method at all is `GAN` itself.

    Each hook runs through the methods in the order given: the first one's is called, and what it calls by `super()`
    is the second one's, and so on to the base's. A method lists in `replaces` the hooks that it does not hand on.
    Methods that replace something come after those that do not, and each after those that extend what it replaces;
    two methods that replace one hook are refused. A method's parts (classes that it inherits from, besides `GAN`)
    count as the method itself.

    Raises: ConfigError, one line that names the methods and the member, where one is no subclass of GAN, is named
        twice, overrides what is no hook, does not hand on a hook that it does not list, has a member of the same name
        as another's, or where they cannot be brought into an order.
    """
    methods = [method for method in methods if method is not GAN]
    for method in methods:
        if not (isinstance(method, type) and issubclass(method, GAN)):
            raise ConfigError(f"a method is a subclass of GAN. Received: {method!r}")
        check_hooks(method)
    if len(set(methods)) < len(methods):
        raise ConfigError(f"a method is named twice: {', '.join(m.__name__ for m in methods)}")
    for index, method in enumerate(methods):
        for other in methods[:index]:
            _refuse_meeting(other, method)
    methods = _ordered(methods)
    if len(methods) < 2:
        return methods[0] if methods else GAN
    name = "".join(method.__name__.removesuffix("GAN") for method in methods) + "GAN"
    return type(name, tuple(methods), {"composed_of": tuple(methods)})


def check_hooks(method):
    """Raises ConfigError if a method overrides what is no hook, or replaces a hook without saying so."""
    hooks = hooks_of(GAN)
    for part in parts(method):
        for name, member in vars(part).items():
            if name.startswith("__") or name in _OF_EVERY_METHOD or not hasattr(GAN, name):
                continue
            if name not in hooks and _is_ours(name):
                raise ConfigError(f"{part.__name__}.{name} hides GAN.{name}, which is no hook: rename it")
            listed = name in vars(part).get("replaces", ())
            if name in hooks and not hands_on(member) and not listed:
                raise ConfigError(
                    f"{part.__name__}.{name} does not call super(): call it, or list it in {part.__name__}.replaces"
                )


def parts(method):
    """The classes of a method, itself first, without those of GAN."""
    return [cls for cls in method.__mro__ if cls not in GAN.__mro__]


def replaced(method):
    """The hooks that a method does not hand on."""
    return {hook for part in parts(method) for hook in vars(part).get("replaces", ())}


def hands_on(member):
    """Whether a function or property calls `super()`."""
    function = inspect.unwrap(function_of(member))
    return "__class__" in getattr(getattr(function, "__code__", None), "co_freevars", ())


_OF_EVERY_METHOD = ("replaces", "composed_of")


def _is_ours(name):
    """Whether GAN has a member from tfgans, not from Keras alone."""
    return any(name in vars(cls) for cls in GAN.__mro__ if cls.__module__.startswith("tfgans."))


def _members(method, shared):
    """Names of what a method defines besides hooks, those of GAN and those of the parts that another one shares."""
    own = [part for part in parts(method) if part not in shared]
    names = {name for part in own for name in vars(part) if not name.startswith("__")} - {*_OF_EVERY_METHOD}
    return {name for name in names if not any(hasattr(base, name) for base in (GAN, *shared))}


def _refuse_meeting(one, other):
    for hook in sorted(replaced(one) & replaced(other)):
        raise ConfigError(f"{one.__name__} and {other.__name__} both replace {hook}: they cannot be combined")
    shared = set(parts(one)) & set(parts(other))
    for name in sorted(_members(one, shared) & _members(other, shared)):
        raise ConfigError(f"{one.__name__} and {other.__name__} both define {name}: they cannot be combined")


def _ordered(methods):
    """The methods as `compose` orders them."""
    ordered, left = [], sorted(methods, key=lambda method: bool(replaced(method)))
    while left:
        free = [method for method in left if not _extenders(method, left)]
        if not free:
            one = left[0]
            below, hook = _extenders(one, left)[0]
            raise ConfigError(
                f"{one.__name__} replaces {hook}, which {below.__name__} extends, and the other way round: "
                "they cannot be combined"
            )
        ordered.append(free[0])
        left.remove(free[0])
    return ordered


def _extenders(method, methods):
    """(other method, hook) of those that extend a hook that `method` replaces."""
    return [
        (other, hook)
        for hook in sorted(replaced(method))
        for other in methods
        if other is not method and any(hook in vars(part) for part in parts(other))
    ]
