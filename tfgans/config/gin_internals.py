"""The one door to what gin keeps private: each function names what it needs and why.

A name that is gone raises ConfigError, in one line with the versions.
"""

import gin

from tfgans.private_names import private


def _of_gin(name):
    return private(gin.config, name, "gin-config")


def used():
    """`{(scope, full name): {parameter: value}}` of what gin has handed to calls; public is only text made of it."""
    return _of_gin("_OPERATIVE_CONFIG")


def selectors():
    """The full names of all that can be configured."""
    return [selector for selector, _ in _of_gin("_REGISTRY").items()]


def configurable_of(target):
    """What gin knows of a function or class that can be configured, or None of another."""
    return _of_gin("_inverse_lookup")(target)


def parse_scope():
    """A context in which a file is read: it finds configurables by what the file imports."""
    return _of_gin("_parse_scope")()


def imports():
    """The set of the imports of all files read, which `gin.operative_config_str` writes."""
    return _of_gin("_IMPORTS")
