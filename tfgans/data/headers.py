"""What the headers of image files say, kept in the user's cache so that files are opened once, not at every start."""

import io
import os
import threading
import time

import numpy as np
import PIL

from tfgans import readers
from tfgans.config import ConfigError
from tfgans.data.decode import BadImage, Unreachable, header, open_file, open_image
from tfgans.data.hashes import cache_file, ends_of, is_young, keep, packed_names, state_of, unpacked_names

# Of each file: what is known holds while its state is this; `decoded` is (0, 0) until it has been decoded.
_COLUMNS = {
    "states": (np.int64, 4),
    "ends": (np.uint8, 32),
    "sizes": (np.int32, 2),
    "gray": (bool,),
    "decoded": (np.int32, 2),
}
_NO_STATE = -1
_SMALL = 65536  # bytes of a file that is read at once


class FileHeaders:
    """Sizes, colours and light digests of image files below a folder, and which of them have been decoded.

    A file is opened if nothing is known of it, or if its state (see `hashes.state_of`) is another one than it was.
    What is known is kept for the version of Pillow that found it; not of files younger than two seconds, nor of those
    that cannot be used.

    Args:
        root: the folder. The cache is one file for each, as that of `FileHashes`.
        names: of the files, paths below the root, in an order by which methods know them.
    """

    def __init__(self, root, names):
        self.root, self.names = os.path.realpath(root), names
        self._lock, self._read, self._new = threading.Lock(), None, False

    @property
    def _rows(self):
        """{column: array [n, ...]} of all files, read when first asked for."""
        if self._read is None:
            with self._lock:
                self._read = self._read or self._first_rows()
        return self._read

    def _first_rows(self):
        """What the cache knows; states are -1 of files that nothing is known of."""
        count = len(self.names)
        rows = {name: np.zeros((count, *shape), kind) for name, (kind, *shape) in _COLUMNS.items()}
        rows["states"][:] = _NO_STATE
        try:
            names, kept = _kept_in(cache_file("headers", self.root))
        except (OSError, ConfigError):  # the user has no cache, or one that is damaged: made anew
            names, kept = [], None
        if names == self.names:
            rows.update(kept)
        elif names:
            places = {name: place for place, name in enumerate(names)}
            found = np.array([places.get(name, -1) for name in self.names])
            for name in rows:
                rows[name][found >= 0] = kept[name][found[found >= 0]]
        self._keep = rows["states"][:, 0] != _NO_STATE
        self._seen = np.zeros(count, bool)  # whether the state has been compared in this process
        return rows

    def of(self, indices):
        """What the headers of some files say.

        Args:
            indices: int [k].
        Returns: (int32 [k, 2] height and width after EXIF rotation, bool [k] whether gray, {place: BadImage} of those
            among the k that cannot be used).
        """
        rows, bad = self._rows, {}
        same = (rows["states"][indices] == np.array([self._state(i) for i in indices])).all(1)
        for place in np.flatnonzero(~same):
            try:
                self._look(indices[place])
            except BadImage as error:
                bad[place] = error
        self._seen[indices] = True
        return rows["sizes"][indices], rows["gray"][indices], bad

    def ends(self, indices):
        """uint8 [k, 32]: the light digests of some files. Raises BadImage."""
        rows, indices = self._rows, np.asarray(indices)
        unseen = indices[~self._seen[indices]]
        for error in self.of(unseen)[2].values() if len(unseen) else ():
            raise error
        return rows["ends"][indices]

    def decoded(self, i):
        """The size (height, width) that file i has been seen to decode to, or None."""
        height, width = self._rows["decoded"][i]
        return (int(height), int(width)) if height else None

    def note_decoded(self, i, size):
        """File i decodes to an image of this size."""
        self._rows["decoded"][i] = size
        self._new = True

    def check_unchanged(self, i):
        """Raises BadImage if file i is gone, empty, or another one than its header has been read of."""
        state, rows = self._state(i), self._rows
        if state[0] == _NO_STATE:
            raise Unreachable("cannot be opened")
        if state[0] == 0:
            raise BadImage("empty file")
        if not self._seen[i] or tuple(rows["states"][i]) == state:
            return
        with self._opened(i)[0] as file:
            if ends_of(file) != rows["ends"][i].tobytes():
                raise Unreachable("it has been replaced since it was checked")
        self._keep[i] = False  # a new date, or a copy of the same; the next start looks again
        rows["states"][i] = state

    def remember(self):
        """Keeps what is new, for the next process."""
        if not self._new:
            return
        self._new, kept = False, np.flatnonzero(self._keep)
        columns = {name: column[kept] for name, column in self._rows.items()}
        about = {"pillow": np.array(PIL.__version__), "names": packed_names(self.names[i] for i in kept)}
        keep(cache_file("headers", self.root), "headers", **about, **columns)

    def _path(self, i):
        return f"{self.root}/{self.names[i]}"

    def _state(self, i):
        try:
            return state_of(os.stat(self._path(i)))
        except OSError:
            return _NO_STATE, 0, 0, 0

    def _opened(self, i):
        """File i, open, and the state that it has then. Raises BadImage."""
        try:
            file = open_file(self._path(i))  # it is closed where it is used
            return file, state_of(os.fstat(file.fileno()))
        except OSError as error:
            raise Unreachable("cannot be opened") from error

    def _look(self, i):
        """Reads the header of file i. Raises BadImage."""
        rows, now = self._rows, time.time_ns()
        rows["states"][i], self._keep[i] = _NO_STATE, False
        file, state = self._opened(i)
        with file:
            if not state[0]:
                raise BadImage("empty file")
            held = io.BytesIO(file.read()) if state[0] <= _SMALL else file  # one read is faster than several
            ends = ends_of(held)
            held.seek(0)
            with open_image(held) as image:
                size, gray = header(image)
        rows["ends"][i] = np.frombuffer(ends, np.uint8)
        rows["sizes"][i], rows["gray"][i], rows["decoded"][i] = size, gray, 0
        rows["states"][i], self._keep[i] = state, not is_young(state, now)
        self._new = True


def _kept_in(path):
    """(names, {column: array}) of a cache; ([], None) if it is not there or of another Pillow."""
    if not path.exists():
        return [], None
    data = readers.read_npz(path, "headers")
    with readers.reading(path, "headers"):
        names = unpacked_names(data["names"])
        columns = {
            name: data[name].reshape(len(names), *shape).astype(kind, casting="safe")
            for name, (kind, *shape) in _COLUMNS.items()
        }
        return (names, columns) if str(data["pillow"]) == PIL.__version__ else ([], None)
