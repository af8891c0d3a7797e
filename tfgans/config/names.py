"""Names that gin files may use: which there are, what parameters they take, and which one a misspelt one means."""

import difflib
import inspect

import gin

from tfgans.config import gin_internals
from tfgans.config.kinds import kind_of
from tfgans.errors import ConfigError


def nearest(name, known):
    """The known name most like `name`, or None if none is much like it."""
    lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.65)
    return lower[found[0]] if found else None


def meant(name, known, sign=""):
    """`": did you mean ...?"` for the known name most like a misspelt one; nothing if none is."""
    found = nearest(name, known)
    return f": did you mean {sign}{found}?" if found else ""


def configurables():
    """Short names of all that can be configured."""
    selectors = (each for each in gin_internals.selectors() if not each.startswith("gin."))
    return [selector.rsplit(".", 1)[-1] for selector in selectors]


def target_of(selector, sign=""):
    """The function or class that a name, with or without its module, stands for.

    Raises: ConfigError with the nearest name there is; `sign` is written before it.
    """
    try:
        return gin.get_configurable(selector)
    except (ValueError, KeyError) as error:
        found = nearest(selector.rsplit(".", 1)[-1], configurables())
        if found is None:
            raise ConfigError(f"No configurable matching '{sign}{selector}'") from error
        raise ConfigError(
            f"no configurable is called {sign}{selector}: did you mean {sign}{found}?"
        ) from error


def parameters_of(target):
    """`({name: annotation}, open)` of all that gin may bind; `open` if others are taken as well.

    gin lets a constructor's `**kwargs` swallow any name, so those of the base classes count as long as each hands
    on what it does not take.
    """
    signatures = _signatures(target)
    found, first = {}, signatures[0]
    for signature in signatures:
        if signature is not first and not _takes_keywords(first):
            break
        for name, parameter in signature.parameters.items():
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name != "self":
                found.setdefault(name, parameter.annotation)
    return found, not inspect.isclass(target) and _takes_keywords(first)


def default_of(selector, parameter):
    """The value that a parameter has where nothing binds it; `inspect.Parameter.empty` if there is none.

    Raises: ConfigError if there is no such configurable.
    """
    signatures = _signatures(target_of(selector))
    defaults = (each.parameters[parameter].default for each in signatures if parameter in each.parameters)
    return next(defaults, inspect.Parameter.empty)


def _signatures(target):
    """That of a function, or those of a class's constructors, its own first."""
    classes = inspect.getmro(target) if inspect.isclass(target) else ()
    found = [inspect.signature(c.__init__) for c in classes if c.__init__ is not object.__init__]
    return found or [inspect.signature(target)]


def _takes_keywords(signature):
    return any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())


def kind_of_parameter(selector, parameter):
    """The kind of values that a parameter takes, or None if it takes any.

    Raises: ConfigError if there is no such configurable, or it has no such parameter.
    """
    parameters, takes_others = parameters_of(target_of(selector))
    if parameter in parameters:
        return kind_of(parameters[parameter])
    if takes_others:
        return None
    short, found = selector.rsplit(".", 1)[-1], nearest(parameter, parameters)
    hint = f": did you mean {found}?" if found else "."
    raise ConfigError(f"{short} has no parameter '{parameter}'{hint} Allowed: {', '.join(parameters)}")
