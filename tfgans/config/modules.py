"""Modules that gin files import: where they are looked for, and what is said of one that is missing."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

from tfgans.errors import ConfigError

_origins = {}  # {name of a module: its file when a run was trained with it}


def came_from(origins):
    """Notes where modules came from, `{name: path}`, for messages."""
    _origins.update(origins)


def look_here():
    """Has Python look for modules in the current folder, before all others unless it does already."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def look_in(folder, first):
    """Has Python look for modules in a folder, before all others or else after them."""
    folder = str(folder)
    if first or folder not in sys.path:
        sys.path[:] = [place for place in sys.path if place != folder]
        sys.path.insert(0 if first else len(sys.path), folder)
        importlib.invalidate_caches()


def check(name):
    """Raises ConfigError, in one line that says where it was looked for, if there is no module of that name."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        if not _exists(".".join(parts[:count])):
            raise ConfigError(_missing(name))


def _exists(name):
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # below what is no package
        return False


def _missing(name):
    looked = [os.getcwd(), *(p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p)]
    line = f"there is no module {name} in {', '.join(dict.fromkeys(looked))}, nor is one installed"
    origin = _origins.get(name)
    if origin is None:
        return f"{line}: start in the folder that has it, or name that folder in PYTHONPATH"
    return f"{line}; the run had it from {origin}: put it back there, or name its folder in PYTHONPATH"


def file_of(name):
    """The path of an imported module's own file; None of what has none, such as a built-in module."""
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    return None if path is None else Path(os.path.abspath(path))
