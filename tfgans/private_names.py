"""Names that other libraries keep to themselves: looked up in one way, which says what has changed if one is gone."""

import importlib.metadata

from tfgans.errors import ConfigError

TESTED = {"gin-config": "0.5.0", "keras": "3.15.1", "tensorflow": "2.21.0"}  # as constraints.txt has them


def private(holder, name, *packages):
    """The attribute `name` of a module, class or object of another library.

    Args: packages: the library's name, and those of others that it comes with.
    Raises: ConfigError in one line, with the versions that are installed and those that tfgans was tested with, if
        there is no such attribute.
    """
    found = getattr(holder, name, _GONE)
    if found is _GONE:
        raise gone(f"{getattr(holder, '__name__', type(holder).__name__)}.{name}", *packages)
    return found


def gone(what, *packages):
    """The ConfigError that says that packages of these versions no longer have what tfgans needs."""
    installed = " and ".join(f"{package} {_version(package)}" for package in packages)
    tested = " and ".join(f"{package} {TESTED[package]}" for package in packages)
    have = "has" if len(packages) == 1 else "have"
    return ConfigError(f"{installed} {have} no {what}, which tfgans needs: tfgans is tested with {tested}")


_GONE = object()


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # it comes from elsewhere, such as a nightly build
        return "of an unknown version"
