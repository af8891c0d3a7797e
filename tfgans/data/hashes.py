"""SHA-256 of files, kept in the user's cache so that a large folder is hashed once and not at every start."""

import hashlib
import logging
import os
import time

import numpy as np

from tfgans import files

logger = logging.getLogger(__name__)

# Clocks of file systems are coarse, at worst (FAT) two seconds: a file that was changed twice within that time may
# look the same both times. The hash of so young a file is not kept.
_TOO_YOUNG_NS = 2_000_000_000


class FileHashes:
    """The SHA-256 of files below a folder.

    A kept hash counts while the file's size, time of modification, time of its inode's last change and inode number
    are the same to the nanosecond. The third cannot be set by tools that give a file an old date, so an edit is
    noticed even if it keeps the size and puts the date back. The hash of a file younger than two seconds, or of one
    that changes while it is read, is not kept.

    Args:
        root: the folder. The cache is one file for each, in `files.user_cache()`; one that is damaged or cannot be
            read or written costs the time to hash again, and a line in the log if it cannot be written.
    """

    def __init__(self, root):
        self.root = os.path.realpath(root)
        self._kept = (
            None  # {file's path below root: ((size, mtime, ctime, inode), digest)}, read when first asked
        )
        self._new = {}

    def digest(self, name):
        """SHA-256 (bytes [32]) of the file `name`, a path below the root. Raises OSError."""
        path = os.path.join(self.root, name)
        before, now = _state(path), time.time_ns()
        state, digest = self._read().get(name, (None, None))
        if state == before:
            return digest
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if _state(path) == before and now - max(before[1:3]) >= _TOO_YOUNG_NS:
            self._new[name] = before, digest
        return digest

    def remember(self, names):
        """Keeps what has been hashed, for the next process; forgets files that are not among `names`."""
        if not self._new:
            return
        kept = {name: self._read()[name] for name in names if name in self._read()} | self._new
        self._kept, self._new = kept, {}
        try:
            path = self._path()
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(path) as file:
                np.savez(
                    file,
                    names=np.frombuffer(b"\0".join(map(os.fsencode, kept)), np.uint8),
                    states=np.array([state for state, _ in kept.values()], np.int64),
                    digests=np.frombuffer(b"".join(digest for _, digest in kept.values()), np.uint8),
                )
        except OSError as error:
            logger.warning("hashes of the images are not kept for the next start: %s", error)

    def _path(self):
        key = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:32]
        return files.user_cache() / "hashes" / f"{key}.npz"

    def _read(self):
        if self._kept is None:
            try:
                with np.load(self._path()) as data:
                    names = [os.fsdecode(name) for name in data["names"].tobytes().split(b"\0")]
                    digests = [row.tobytes() for row in data["digests"].reshape(-1, 32)]
                    states = [tuple(state) for state in data["states"].tolist()]
                self._kept = dict(zip(names, zip(states, digests, strict=True), strict=True))
            except (
                Exception
            ):  # there is none, or its bytes are anything: numpy, zipfile, zlib raise their own
                self._kept = {}
        return self._kept


def _state(path):
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
