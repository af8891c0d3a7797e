"""Files that a configuration names and that decide what it builds, such as genotypes: noted when they are read.

A run that is taken up again so notices that such a file has been edited, and does not mind that it has moved.
"""

import hashlib
import os

from tfgans import files

_noted = {}


def forget():
    """Forgets all: another configuration follows."""
    _noted.clear()


def note(path, text):
    """Notes what a file says; `text` is the same for all files that say the same."""
    _noted[_place(path)] = hashlib.sha256(text.encode()).hexdigest()[:16]


def hash_of(path):
    """The hash of what the file at `path` says, if it has been read; else None."""
    return _noted.get(_place(path))


def _place(path):
    return os.path.abspath(files.expanded(path))
