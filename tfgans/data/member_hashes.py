"""SHA-256 of the images in one archive, kept in the user's cache as `hashes` keeps those of files."""

import hashlib
import logging
import os
import threading
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
        self._state, self._opened, self._lock = _state(file), time.time_ns(), threading.Lock()
        self._digests, self._known, self._new = None, None, False

    def digest(self, i, content):
        """SHA-256 (bytes [32]) of member i, whose bytes `content()` gives."""
        self._read()
        if not self._known[i]:
            found = hashlib.sha256(content()).digest()
            self._digests[i] = np.frombuffer(found, np.uint8)
            self._known[i] = self._new = True
        return self._digests[i].tobytes()

    def digests(self, indices):
        """uint8 [k, 32] of members whose hashes are all known; else None."""
        self._read()
        return self._digests[indices] if self._known[indices].all() else None

    def remember(self):
        """Keeps what has been hashed for the next process, unless the archive is too young or has changed."""
        if not self._new or not self._is_old_and_the_same():
            return
        self._new = False
        try:
            path = self._cache()
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(path) as file:
                state = np.array(self._state, np.int64)
                np.savez(file, state=state, digests=self._digests, known=self._known)
        except OSError as error:
            logger.warning("hashes of the images are not kept for the next start: %s", error)

    def _is_old_and_the_same(self):
        age = self._opened - max(self._state[1:3])
        return age >= hashes._TOO_YOUNG_NS and _state(self._file) == self._state

    def _cache(self):
        key = hashlib.sha256(b"archive " + os.fsencode(self._path)).hexdigest()[:32]
        return files.user_cache() / "hashes" / f"{key}.npz"

    def _read(self):
        with self._lock:
            if self._digests is not None:
                return
            try:
                kept = self._kept()
            except (OSError, ConfigError):  # the user has no cache, or one that is damaged: made anew
                kept = None
            if kept is None:
                kept = np.zeros(self._count, bool), np.zeros((self._count, 32), np.uint8)
            self._known, self._digests = kept

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
