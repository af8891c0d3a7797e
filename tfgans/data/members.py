"""What is found out about the images in one archive, kept in the user's cache as `hashes` and `headers` keep it of
files."""

import contextlib
import os
import time

import numpy as np
import PIL

from tfgans import readers
from tfgans.config import ConfigError
from tfgans.data.hashes import cache_file, is_young, keep, state_of

# What is known of each image; zeros while it is not.
_COLUMNS = {
    "digests": (np.uint8, 32),
    "ends": (np.uint8, 32),
    "sizes": (np.int32, 2),
    "gray": (bool,),
    "decoded": (np.int32, 2),
}
_OF_PILLOW = ("sizes", "gray", "decoded")


class Members:
    """Digests, sizes and colours of the members of an archive, by their numbers, and what they have decoded to.

    What is kept counts while the archive is the same file, see `hashes.FileHashes`, and has as many members; what
    Pillow has found, for that version of it.

    Args:
        path: of the archive. file: it, open. count: of its members.
    Attributes: rows, {column: array [n, ...]}, zeros of what is not known.
    """

    def __init__(self, path, file, count):
        self._path, self._file = os.path.realpath(path), file
        self._state, self._opened = state_of(os.fstat(file.fileno())), time.time_ns()
        self.rows = {name: np.zeros((count, *shape), kind) for name, (kind, *shape) in _COLUMNS.items()}
        self._new = False
        with contextlib.suppress(OSError, ConfigError):  # there is no cache, or a damaged one: made anew
            self.rows |= self._kept(cache_file("archives", self._path))

    def known(self, column, indices):
        """bool [k]: of which of some members a column is known."""
        return self.rows[column][indices].any(1)

    def note(self, column, i, value):
        """Keeps what has been found of member i."""
        self.rows[column][i], self._new = value, True

    def is_unchanged(self):
        """Whether the archive is the file that it was when it was opened."""
        return state_of(os.fstat(self._file.fileno())) == self._state

    def remember(self):
        """Keeps what is new for the next process, unless the archive is too young or has changed."""
        if not self._new or is_young(self._state, self._opened) or not self.is_unchanged():
            return
        self._new = False
        known = {name: column for name, column in self.rows.items() if column.any()}
        about = {"state": np.array(self._state, np.int64), "pillow": np.array(PIL.__version__)}
        keep(cache_file("archives", self._path), "headers and hashes", **about, **known)

    def _kept(self, path):
        """{column: array} of those that are kept of this archive as it is."""
        if not path.exists():
            return {}
        data = readers.read_npz(path, "facts of images")
        with readers.reading(path, "facts of images"):
            if tuple(data["state"].tolist()) != self._state:
                return {}
            names = [name for name in _COLUMNS if name in data]
            if str(data["pillow"]) != PIL.__version__:
                names = [name for name in names if name not in _OF_PILLOW]
            if any((data[name].dtype, data[name].shape) != self._form(name) for name in names):
                raise ValueError("its arrays are of another number of images")
            return {name: data[name] for name in names}

    def _form(self, name):
        return self.rows[name].dtype, self.rows[name].shape
