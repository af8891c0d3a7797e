"""What the files say that a configuration names, so that a comparison notices when one is edited."""

import hashlib
import os

from tfgans import files
from tfgans.config import ConfigError
from tfgans.run import own_code


def contents(given):
    """{name: SHA-256} of the parsed configuration's own modules and of the files that its bindings name.

    Those are genotypes, weights and the like; data are not among them, nor are folders.

    Args:
        given: what the configuration says, see `config.given`.
    Raises: ConfigError if a file cannot be read.
    """
    found = {name: digest for entry in own_code.entries() for name, digest in entry["files"].items()}
    for bound in given.values():
        for one in bound.values():
            for text in _texts(one.value):
                if os.path.isfile(files.expanded(text)):
                    found[text] = _digest(files.expanded(text))
    return found


def changed(then, now):
    """The first name of a file that says something else now than it did, or None; one that is gone says nothing."""
    return next((name for name in sorted(now) if then.get(name, now[name]) != now[name]), None)


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.items():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
