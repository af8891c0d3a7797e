"""Libraries that trackers need, and which not everybody has."""

import importlib

from tfgans.config import ConfigError


def library(name, tracker):
    """The imported library. Raises: ConfigError that says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"{tracker} needs {name}: pip install 'tfgans[{name}]'") from error
