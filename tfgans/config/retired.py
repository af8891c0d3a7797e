"""Parameters that there were once: an older run goes on, a new configuration is told what to write.

A class names its own in `retired_parameters`, {parameter: (entry, default)}: each switched an entry of the list
`metrics` on or off. In a run's record, `operative.gin`, they become that list; elsewhere they are refused.
"""

from pathlib import Path

from tfgans.errors import ConfigError

# Parameters without a successor: as None, which older runs' files have, they mean nothing.
_GONE = {("train", "run_class")}
_RECORD = "operative.gin"
_LIST = "metrics"


def entries(target):
    """`{parameter: (entry, default)}` of a class or function, empty where nothing is retired."""
    return getattr(target, "retired_parameters", {})


def means_nothing(selector, parameter, value):
    """Whether a binding says nothing any more; another value of such a parameter is a mistake."""
    return value is None and (selector.rsplit(".", 1)[-1], parameter) in _GONE


def take(target, parameter, value, file, found):
    """Notes a binding of a retired parameter in `found`.

    Raises: ConfigError with what to write now, unless `file` is a run's record.
    """
    name = getattr(target, "__name__", "")
    if file is None or Path(file).name != _RECORD:
        entry, _ = entries(target)[parameter]
        raise ConfigError(
            f"{name}.{parameter} is an entry of {name}.{_LIST} now: {name}.{_LIST} = [..., '{entry}']"
        )
    found[parameter] = value


def of_list(target, found, own):
    """The list that stands for the bindings in `found`; `own` is what the record has as `metrics`: functions."""
    all_of = entries(target).items()
    chosen = [entry for parameter, (entry, default) in all_of if found.get(parameter, default) is True]
    return ["fid", *chosen, *own]
