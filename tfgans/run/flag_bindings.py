"""Plain flags as gin bindings: `--data`, `--resolution`, `--batch_size`, ... beside `--gin_file` and `--gin_param`.

A flag has the last word: it sets what `Dataset` takes, and the macro of the same name that networks and methods take.
Where a file has `Dataset.batch_size = %batch_size` that is the macro, where it has a number it is the number. A
`--gin_param` that says something else is refused, rather than one of the two being ignored.
"""

import os

import gin

from tfgans.config.bindings import MACRO, name_of, references
from tfgans.data.manifest import is_packed
from tfgans.errors import ConfigError
from tfgans.files import expanded

# The parameter that each flag sets; those of `Dataset` have a macro in most of the files in gin_configs.
PARAMETERS = {
    "steps": "train.steps",
    "initialize_from": "train.initialize_from",
    "seed": "numerics.seed",
    "data": "Dataset.source",
    "resolution": "Dataset.resolution",
    "channels": "Dataset.channels",
    "num_classes": "Dataset.num_classes",
    "batch_size": "Dataset.batch_size",
}
# Those that say of which images the batches are.
OF_IMAGES = ("data", "resolution", "channels", "num_classes", "batch_size")
_SOURCES = ("digits", "photos", "glyphs", "ring", "grid")
_PREFIXES = ("folder:", "packed:", "zip:", "npz:", "tfds:")
_DATA = "a folder, a .zip or .npz file, or a source: " + ", ".join(
    (*_SOURCES, *(f"{p}<...>" for p in _PREFIXES))
)


def source_of(text, flag="--data"):
    """`Dataset.source` for what `--data`, or another flag, says.

    The name of a source is that source (`digits`, `tfds:cifar10`), even if there is a folder of that name, which
    `./digits` reaches. Anything else is a path: of a folder, which holds images or is packed, or of a file whose name
    ends in `.zip` or `.npz`; a leading `~` is the home folder.

    Raises: ConfigError if there is neither.
    """
    if text in _SOURCES or (text.startswith("tfds:") and text != "tfds:"):
        return text
    for prefix in ("folder:", "packed:", "zip:", "npz:"):
        if text.startswith(prefix) and text != prefix:
            return prefix + expanded(text.removeprefix(prefix))
    path = expanded(text)
    if os.path.isdir(path):
        return f"packed:{path}" if is_packed(path) else f"folder:{path}"
    kind = os.path.splitext(path)[1].lower()
    if os.path.isfile(path) and kind in (".npz", ".zip"):
        return f"{kind[1:]}:{path}"
    there = "is a file of another kind" if os.path.exists(path) else "is not there"
    raise ConfigError(f"{flag} is {_DATA}. Received: {text!r}, which {there}")


def bindings(flags, given):
    """The bindings that flags stand for, to be read after everything else.

    Args:
        flags: {name: value} of those that were given; `num_classes` 0 stands for none.
        given: what files and `--gin_param`s say, see `gin_reader.Reader`.
    Raises: ConfigError if a `--gin_param` contradicts a flag.
    """
    found = []
    for flag, value in flags.items():
        if flag == "data":
            value = source_of(value)
        elif flag == "num_classes":
            value = value or None
        keys = _keys(flag, given)
        for scope, full, parameter in keys:
            refuse_contradiction(flag, value, given.get((scope, full), {}).get(parameter))
        found += [f"{name_of(scope, full, parameter)} = {value!r}" for scope, full, parameter in keys]
    return found


def texts(flags):
    """Flags as they are written on a command line. Args: flags: as of `bindings`."""
    return [f"--{k}={'x'.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in flags.items()]


def refuse_binding(parameter, gin_params, instead):
    """Refuses a `--gin_param` that a flag would override, or the command has no use for.

    Args:
        parameter: such as `Evaluator.num_samples`. gin_params: bindings. instead: what to do, for the message.
    Raises: ConfigError if one of them binds the parameter.
    """
    for binding in gin_params:
        name = binding.partition("=")[0].strip()
        if f".{name}".endswith(f".{parameter}"):
            raise ConfigError(f"--gin_param={binding} would be ignored: {instead}")


def value_of(parameter, given, default=None):
    """What a parameter such as `train.steps` is bound to, macros followed; `default` if it is not."""
    scope, full, name = _target(_key(parameter, given), given)
    one = given.get((scope, full), {}).get(name)
    return default if one is None else one.value


def on_command_line(parameter, given):
    """What a `--gin_param` says of a parameter such as `train.steps` itself, a `Given`; None if none does."""
    scope, full, name = _key(parameter, given)
    one = given.get((scope, full), {}).get(name)
    return None if one is None or one.place.binding is None else one


def refuse_contradiction(flag, value, one):
    """Raises ConfigError if what a `--gin_param` says, a `Given` or None, is not what a flag says."""
    if one is not None and one.place.binding is not None and one.value != value:
        raise ConfigError(
            f"--{flag} says {value!r}, --gin_param={one.place.binding} something else: leave one of them out"
        )


def _key(parameter, given):
    """The key of a parameter such as `train.steps` without a scope."""
    name, parameter = parameter.split(".")
    full = next((full for scope, full in given if not scope and full.rsplit(".", 1)[-1] == name), name)
    return "", full, parameter


def _keys(flag, given):
    """What a flag sets: a parameter or the macro that it takes, and the macro of its name if there is one."""
    parameter = PARAMETERS[flag].split(".")[1]
    keys = [_target(_key(PARAMETERS[flag], given), given)]
    values = [one.value for bound in given.values() for one in bound.values()]
    macros = {scope for scope, full in given if full == MACRO}
    macros |= {"/".join(r.scopes) for value in values for r in references(value) if r.config_key[1] == MACRO}
    if flag == parameter and flag in macros:
        keys.append((flag, MACRO, "value"))
    return list(dict.fromkeys(keys))


def _target(key, given):
    """A parameter, or the macro that it takes its value from, followed to its end."""
    seen = []
    while key not in seen:
        seen.append(key)
        one = given.get(key[:2], {}).get(key[2])
        value = one and one.value
        if not isinstance(value, gin.config.ConfigurableReference) or value.config_key[1] != MACRO:
            break
        key = ("/".join(value.scopes), MACRO, "value")
    return key
