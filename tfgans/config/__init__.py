"""Configuration by gin files: parse, check names, refuse what nothing used, record what was used.

gin resolves every name itself (`@resnet_generator`), so nothing here is a registry.
"""

import functools
import importlib
import importlib.util
import inspect
import logging
import pkgutil

import gin

from tfgans.config import bindings, gin_internals, modules
from tfgans.config import reader as gin_reader
from tfgans.config.kinds import (
    AtLeast,
    Count,
    FilePath,
    Function,
    Instance,
    Made,
    Natural,
    NotNegative,
    Number,
    OneOf,
    Positive,
    Seed,
    Several,
    Share,
    Side,
    Size,
    Within,
    kind_of,
    kinds_of,
    sides,
    size_words,
)
from tfgans.errors import ConfigError, first_line

__all__ = [
    "AtLeast",
    "ConfigError",
    "Count",
    "FilePath",
    "Function",
    "Instance",
    "Made",
    "Natural",
    "NotNegative",
    "Number",
    "OneOf",
    "Positive",
    "Seed",
    "Several",
    "Share",
    "Side",
    "Size",
    "Within",
    "bindings_of",
    "check_count",
    "check_file",
    "configurable",
    "external",
    "first_line",
    "given",
    "import_rooms",
    "imported",
    "is_bound",
    "kind_of",
    "kinds_of",
    "operative",
    "parse",
    "read",
    "refuse_unused",
    "sides",
    "size_words",
    "unbound",
    "unused_bindings",
]

_ROOMS = (
    "tfgans.data",
    "tfgans.networks",
    "tfgans.methods",
    "tfgans.evaluate",
    "tfgans.augment",
    "tfgans.optimizers",
    "tfgans.schedules",
    "tfgans.run.training",
    "tfgans.run.searching",
    "tfgans.run.trackers",
)
_read = gin_reader.Reader()  # what the last `parse` read
logger = logging.getLogger(__name__)


def configurable(target=None, *, name=None):
    """Registers a function or class with gin under its own name; its annotations say what its parameters may be.

    A value of another kind, of gin's or of a caller's, raises ConfigError (`tfgans.config.kinds`). With a `name`, as
    `@configurable(name="train")`, gin files say that instead.

    gin replaces `__init__` by a wrapper that hides the arguments Keras looks for when it builds a
    layer or model, so the true signature is put back on it.
    """
    if target is None:
        return functools.partial(configurable, name=name)
    name = name or target.__name__
    if not inspect.isclass(target):
        return _in_one_line(gin.configurable(name)(_checking(target, name)))
    signature = inspect.signature(target.__init__)
    # Arguments that are inherited are checked, too: under the name of this class.
    target.__init__ = _checking(target.__init__, name)
    target = gin.configurable(name)(target)
    target.__init__ = _in_one_line(target.__init__)
    target.__init__.__signature__ = signature
    return target


def _in_one_line(function):
    """`function`, whose ConfigErrors are without the lines that gin adds for each configurable they pass through."""

    @functools.wraps(function)
    def calling(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except ConfigError as error:
            raise ConfigError(first_line(error)).with_traceback(error.__traceback__) from None

    return calling


def external(target, name, module, kinds):
    """Registers a class of another library with gin, as a function of the same parameters that makes one.

    Args:
        kinds: those of its parameters by name (`tfgans.config.kinds`); the others take anything.
    """
    signature = inspect.signature(target)
    parameters = [p.replace(annotation=kinds.get(p.name, p.empty)) for p in signature.parameters.values()]

    def made(*args, **kwargs):
        return target(*args, **kwargs)

    made.__name__, made.__doc__ = name, target.__doc__
    made.__signature__ = signature.replace(parameters=parameters)
    return gin.external_configurable(_checking(made, name), name=name, module=module)


def unbound(target, **arguments):
    """Makes an object of a configurable class with the class's own defaults for what is not given, whatever is bound
    in gin files.

    For what a run makes besides what its files describe: a second data set must not take the first one's fraction.
    """
    defaults = {}
    for each in target.__mro__:
        parameters = inspect.signature(each.__init__).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty} | defaults
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break  # what it does not list cannot be bound
    return target(**defaults | arguments)


def _checking(function, name):
    """`function`, which looks at its arguments first: whether they are of their kinds, and all are there."""
    signature = inspect.signature(function)
    kinds, names = kinds_of(signature), list(signature.parameters)
    named = [p for p in signature.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    needed = [p.name for p in named if p.default is p.empty]
    if not kinds:
        return function

    @functools.wraps(function)
    def checking(*args, **kwargs):
        given = dict(zip(names, args, strict=False)) | kwargs
        for parameter, kind in kinds.items():
            if parameter in given:
                kind.check(f"{name}.{parameter}", given[parameter])
        for parameter in needed:
            if parameter not in given:
                words = f": it is {kinds[parameter].words}" if parameter in kinds else ""
                raise ConfigError(f"{name}.{parameter} has to be set{words}")
        return function(*args, **kwargs)

    checking.__signature__ = signature  # gin looks here for the defaults that `operative` is to say
    return checking


def import_rooms(rooms=_ROOMS):
    """Imports every module of the rooms whose names gin files use, so that no list has to be kept."""
    for room in rooms:
        if importlib.util.find_spec(room) is None:
            continue
        found = importlib.import_module(room)
        for module in pkgutil.walk_packages(getattr(found, "__path__", ()), f"{room}."):
            importlib.import_module(module.name)


def read(gin_files, flags=(), left_open=None):
    """Reads gin files, then single bindings, from a clean slate; each overrides what came before.

    Args: as of `parse`, which also looks whether what they say can be.
    Returns: what they say, see `gin_reader.Reader.given`.
    """
    global _read
    gin.clear_config()
    _read = gin_reader.Reader(left_open)
    modules.look_here()  # gin's `import my_networks` finds the user's own modules
    for number, path in enumerate(gin_files, 1):
        _read.file(path, part=number < len(gin_files))
    for binding in flags:
        _read.binding(binding)
    return _read.given


def parse(gin_files, flags=(), left_open=None):
    """Reads a configuration and checks it.

    Args:
        gin_files: paths; a relative one is looked up in the working directory, beside the package
            (a checkout) and inside it (an installed package), one that a file includes beside that file first.
        flags: bindings such as `GAN.latent_dim=64`.
        left_open: {name of a macro: value} to take where the macro is "auto".
    Raises: ConfigError naming the file, line, name or parameter that is wrong.
    """
    bindings.check(read(gin_files, flags, left_open))
    try:
        gin.finalize()
    except Exception as error:  # gin's hooks, and those of a user's modules
        raise ConfigError(first_line(error)) from error


def given():
    """What the configuration that was read last says, see `gin_reader.Reader.given`."""
    return _read.given


def imported():
    """Names of the modules that the configuration imports, in the order of its statements, once each."""
    return list(dict.fromkeys(_read.imported))


def check_file(path):
    """Raises ConfigError if there is no gin file of that name where `parse` looks for it."""
    gin_reader.find(path)


def check_count(name, value, least=1):
    """Raises ConfigError unless a value is an integer (and no bool) of at least `least`."""
    AtLeast(least).check(name, value)


def unused_bindings():
    """Names of the bindings given that nothing built so far has used, in the order given."""
    return [bindings.name_of(*key, parameter) for key, parameter in _unused()]


def _unused():
    return bindings.unused(_read.given, gin_internals.used())


def is_bound(name, parameter=None):
    """Whether the configuration sets the parameter, or any, of `name`."""
    return any(
        full.rsplit(".", 1)[-1] == name and (parameter is None or parameter in bound)
        for (_, full), bound in _read.given.items()
    )


def refuse_unused(only=None, apart_from=()):
    """Raises ConfigError if a binding had no effect: a misspelt class is otherwise silently ignored.

    Bindings of what is no part of the run are let go, and logged, if they stand in an included or an earlier file,
    or served what a later line replaced (`bindings.may_go`).

    Args:
        only: look at these bindings of the command line alone.
        apart_from: names of what is not called here; their bindings, and what those refer to, are not looked at.
    """
    given, unused = _read.given, bindings.without(_unused(), _read.given, apart_from)
    if only is not None:
        wrong = [(key, p) for key, p in unused if given[key][p].place.binding in only]
    else:
        gone = bindings.may_go(given, _read.replaced, gin_internals.used(), unused)
        wrong = [each for each in unused if each not in gone]
    if wrong:
        spelled = [bindings.spelled(bindings.name_of(*key, parameter), given) for key, parameter in wrong]
        raise ConfigError(f"nothing used these bindings: {', '.join(spelled)}")
    if only is None and gone:
        left = ", ".join(bindings.name_of(*key, parameter) for key, parameter in gone)
        logger.info("left out, as nothing here uses them: %s", left)


def operative():
    """What was used, defaults included, as text that parses as a gin file."""
    return gin.operative_config_str()


def bindings_of(text):
    """The bindings of an operative configuration, `{"Name.parameter": "value"}`."""
    bindings, name = {}, None
    for line in text.splitlines():
        if not line.strip() or line.startswith(("#", "import ", "from ")):
            continue
        if line[0].isspace() and name:
            bindings[name] += " " + line.strip()
            continue
        name, _, value = (part.strip() for part in line.partition("="))
        bindings[name] = value.rstrip("\\").strip()
    return {k: " ".join(v.split()) for k, v in bindings.items()}
