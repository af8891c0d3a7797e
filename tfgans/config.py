"""Configuration by gin files: parse, check names, refuse what nothing used, record what was used.

gin resolves every name itself (`@resnet_generator`), so nothing here is a registry.
"""

import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from pathlib import Path

import gin

_ROOMS = (
    "tfgans.data",
    "tfgans.networks",
    "tfgans.methods",
    "tfgans.evaluate",
    "tfgans.augment",
    "tfgans.optimizers",
    "tfgans.schedules",
)
_bindings = {}
# gin's other reader takes a file's folder for a Python package, and fails at one without `__init__.py` before it
# looks into the search paths that `parse` adds.
del gin.config._FILE_READERS[1:]


class ConfigError(ValueError):
    """A configuration or an input that cannot be run; its message is one line for the user."""


def configurable(target):
    """Registers a function or class with gin under its own name.

    gin replaces `__init__` by a wrapper that hides the arguments Keras looks for when it builds a
    layer or model, so the true signature is put back on it.
    """
    if not inspect.isclass(target):
        return gin.configurable(target)
    signature = inspect.signature(target.__init__)
    target = gin.configurable(target)
    target.__init__.__signature__ = signature
    return target


def import_rooms(rooms=_ROOMS):
    """Imports every module of the rooms whose names gin files use, so that no list has to be kept."""
    for room in rooms:
        if importlib.util.find_spec(room) is None:
            continue
        found = importlib.import_module(room)
        for module in pkgutil.walk_packages(getattr(found, "__path__", ()), f"{room}."):
            importlib.import_module(module.name)


def parse(gin_files, bindings=()):
    """Reads gin files, then single bindings, from a clean slate.

    Args:
        gin_files: paths; a relative one is looked up in the working directory, beside the package
            (a checkout) and inside it (an installed package).
        bindings: strings such as `GAN.latent_dim=64`; they override the files.
    Raises: ConfigError naming the file, name or parameter that is wrong.
    """
    for path in gin_files:
        check_file(path)
    gin.clear_config()
    _bindings.clear()
    package = Path(__file__).resolve().parent
    for prefix in (package.parent, package):
        gin.add_config_file_search_path(str(prefix))
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # gin's `import my_networks` finds the user's own modules
    try:
        gin.parse_config_files_and_bindings(list(gin_files), list(bindings))
    except (ValueError, SyntaxError, ImportError, OSError, RuntimeError) as error:
        raise ConfigError(first_line(error)) from error
    for (_, selector), parameters in _bindings.items():
        _check_names(selector, parameters)


def check_file(path):
    """Raises ConfigError if there is no gin file of that name where `parse` looks for it."""
    package = Path(__file__).resolve().parent
    if not any((place / path).is_file() for place in (Path.cwd(), package.parent, package)):
        raise ConfigError(f"no such gin file: {path}")


def check_count(name, value, least=1):
    """Raises ConfigError unless a value is an integer (and no bool) of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} is an integer of at least {least}. Received: {value!r}")


def first_line(error):
    """The first line of an exception's message: gin and Keras append several more."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@gin.config.register_finalize_hook
def _remember(config):
    _bindings.update({key: dict(parameters) for key, parameters in config.items()})


def _check_names(selector, parameters):
    """Refuses a parameter that no constructor of the class takes; gin lets `**kwargs` swallow it."""
    target = gin.get_configurable(selector)
    classes = inspect.getmro(target) if inspect.isclass(target) else ()
    signatures = [inspect.signature(c.__init__) for c in classes if c.__init__ is not object.__init__]
    signatures = signatures or [inspect.signature(target)]
    allowed, first = {}, signatures[0]
    for signature in signatures:
        if signature is not first and not _takes_keywords(first):
            break
        allowed |= {
            name: None
            for name, parameter in signature.parameters.items()
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name != "self"
        }
    for name in parameters:
        if name not in allowed and (classes or not _takes_keywords(first)):
            short = selector.rsplit(".", 1)[-1]
            raise ConfigError(f"{short} has no parameter '{name}'. Allowed: {', '.join(allowed)}")


def _takes_keywords(signature):
    return any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())


def unused_bindings():
    """Names of the bindings given that nothing built so far has used, in the order given."""
    used = gin.config._OPERATIVE_CONFIG  # no public view of it but a formatted string
    unused = []
    for (scope, selector), parameters in _bindings.items():
        applied = set()
        for (at, name), values in used.items():
            if name == selector and (at == scope or not scope or at.startswith(scope + "/")):
                applied |= set(values)
        prefix = f"{scope}/" if scope else ""
        for parameter in parameters:
            if parameter not in applied:
                macro = selector == "gin.macro"
                short = scope if macro else f"{prefix}{selector.rsplit('.', 1)[-1]}.{parameter}"
                unused.append(short)
    return unused


def is_bound(name, parameter=None):
    """Whether the configuration sets the parameter, or any, of `name`."""
    return any(
        selector.rsplit(".", 1)[-1] == name and (parameter is None or parameter in parameters)
        for (_, selector), parameters in _bindings.items()
    )


def refuse_unused(only=None):
    """Raises ConfigError if a binding had no effect: a misspelt class is otherwise silently ignored.

    Args:
        only: look at these bindings alone, `name.parameter=value` each.
    """
    unused = unused_bindings()
    if only is not None:
        given = [binding.partition("=")[0].strip() for binding in only]
        unused = [name for name in unused if any(g == name or g.endswith(f".{name}") for g in given)]
    if unused:
        raise ConfigError(f"nothing used these bindings: {', '.join(unused)}")


def operative():
    """What was used, defaults included, as text that parses as a gin file."""
    return gin.operative_config_str()


def bindings_of(text):
    """The bindings of an operative configuration, `{"Name.parameter": "value"}`."""
    bindings, name = {}, None
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace() and name:
            bindings[name] += " " + line.strip()
            continue
        name, _, value = (part.strip() for part in line.partition("="))
        bindings[name] = value.rstrip("\\").strip()
    return {k: " ".join(v.split()) for k, v in bindings.items()}
