"""SHA-256 of the images in one archive, kept in the user's cache as `hashes` keeps those of files."""

import hashlib
import logging
import os
import time

import numpy as np

from tfgans import files, readers
from tfgans.config import ConfigError
from tfgans.data import hashes

logger = logging.getLogger(__name__)


class MemberHashes:
    """The SHA-256 of the members of an archive, by their numbers.

    What is kept counts while the archive is the same file, see `hashes.FileHashes`, and has as many members.

    Args:
        path: of the archive. file: it, open. count: of its members.
    """

    def __init__(self, path, file, count):
        self._path, self._file, self._count = os.path.realpath(path), file, count
        self._state, self._opened = _state(file), time.time_ns()
        self._arrays, self._new = (
            None,
            False,
        )  # (known bool [n], digests uint8 [n, 32]), read when first asked

    def digest(self, i, content):
        """SHA-256 (bytes [32]) of member i, whose bytes `content()` gives."""
        known, digests = self._read()
        if not known[i]:
            digests[i] = np.frombuffer(hashlib.sha256(content()).digest(), np.uint8)
            known[i] = self._new = True
        return digests[i].tobytes()

    def digests(self, indices):
        """uint8 [k, 32] of some members, where the hashes of all members are known; else None."""
        known, digests = self._read()
        return digests[indices] if known.all() else None

    def remember(self):
        """Keeps what has been hashed for the next process, unless the archive is too young or has changed."""
        if not self._new or not self._is_old_and_the_same():
            return
        self._new = False
        try:
            path = self._cache()
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(path) as file:
                known, digests = self._arrays
                np.savez(file, state=np.array(self._state, np.int64), known=known, digests=digests)
        except OSError as error:
            logger.warning("hashes of the images are not kept for the next start: %s", error)

    def _is_old_and_the_same(self):
        age = self._opened - max(self._state[1:3])
        return age >= hashes._TOO_YOUNG_NS and _state(self._file) == self._state

    def _cache(self):
        key = hashlib.sha256(b"archive " + os.fsencode(self._path)).hexdigest()[:32]
        return files.user_cache() / "hashes" / f"{key}.npz"

    def _read(self):
        if self._arrays is None:
            try:
                kept = self._kept()
            except (OSError, ConfigError):  # the user has no cache, or one that is damaged: made anew
                kept = None
            if kept is None:
                kept = np.zeros(self._count, bool), np.zeros((self._count, 32), np.uint8)
            self._arrays = self._arrays or kept  # of several threads that come here, all take the same
        return self._arrays

    def _kept(self):
        """(known, digests), or None if nothing is kept of this archive as it is."""
        path = self._cache()
        if not path.exists():
            return None
        data = readers.read_npz(path, "hashes")
        with readers.reading(path, "hashes"):
            state, known, digests = (data[name] for name in ("state", "known", "digests"))
            if tuple(state.tolist()) != self._state or known.shape != (self._count,):
                return None
            if (known.dtype, digests.dtype, digests.shape) != (bool, np.uint8, (self._count, 32)):
                raise ValueError("its arrays are of other kinds")
            return known, digests


def _state(file):
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
