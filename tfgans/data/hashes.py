"""SHA-256 of files, kept in the user's cache so that a large folder is hashed once and not at every start.

Here, too, is what a file's state is, by which whatever is kept about it holds, and the light digest of its ends.
"""

import hashlib
import logging
import os
import time

import numpy as np

from tfgans import files, readers
from tfgans.config import ConfigError
from tfgans.data.decode import open_file

logger = logging.getLogger(__name__)

# Clocks of file systems are coarse, at worst (FAT) two seconds: a file that was changed twice within that time may
# look the same both times. The hash of so young a file is not kept.
_TOO_YOUNG_NS = 2_000_000_000
_END = 4096  # bytes of each end of what is hashed lightly

# The kinds of digest that images are known by: of all bytes, or of their number and both ends.
WHOLE, ENDS = "sha256", "ends"


def state_of(found):
    """(size, time of modification, time of the inode's last change, inode number) of what `os.stat` found."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def is_young(state, now):
    """Whether a file of this state could change once more, after the time `now` (ns), without a trace in it."""
    return now - max(state[1:3]) < _TOO_YOUNG_NS


def cache_file(folder, root):
    """The file of a folder of the user's cache in which facts about the files below `root` are kept."""
    key = hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
    return files.user_cache() / folder / f"{key}.npz"


def keep(path, what, **arrays):
    """Writes arrays to a file of the user's cache; where that cannot be done, a line in the log says what is lost."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.remove_left(path)
        with files.replacing(path) as file:
            np.savez(file, **arrays)
    except OSError as error:
        logger.warning("%s of the images are not kept for the next start: %s", what, error)


def ends_of(file):
    """SHA-256 (bytes [32]) of the length of a binary file, its first and its last 4,096 bytes.

    Files of up to 8,192 bytes that have the same one are the same. Larger ones may differ in between; PNG and WebP
    files hardly ever do in that alone, as sums or lengths at their ends tell of it, BMP files can.
    """
    size = file.seek(0, os.SEEK_END)

    def read(start, end):
        file.seek(start)
        return file.read(end - start)

    return ends_read_by(read, size)


def ends_read_by(read, size):
    """`ends_of` what has `size` bytes, of which `read(start, end)` gives those between two places."""
    digest = hashlib.sha256(size.to_bytes(8, "little") + read(0, min(size, _END)))
    start = min(max(size - _END, _END), size)
    digest.update(read(start, size))
    return digest.digest()


def packed_names(names):
    """Paths as uint8, for an archive."""
    return np.frombuffer(b"\0".join(map(os.fsencode, names)), np.uint8)


def unpacked_names(packed):
    """The paths that `packed_names` made of."""
    return [os.fsdecode(name) for name in packed.tobytes().split(b"\0")]


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
        """SHA-256 (bytes [32]) of the file `name`, a path below the root. Raises: OSError, BadImage."""
        path = os.path.join(self.root, name)
        before, now = _state(path), time.time_ns()
        state, digest = self._read().get(name, (None, None))
        if state == before:
            return digest
        with open_file(path) as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if _state(path) == before and not is_young(before, now):
            self._new[name] = before, digest
        return digest

    def remember(self, names):
        """Keeps what has been hashed, for the next process; forgets files that are not among `names`."""
        if not self._new:
            return
        kept = {name: self._read()[name] for name in names if name in self._read()} | self._new
        self._kept, self._new = kept, {}
        states = np.array([state for state, _ in kept.values()], np.int64)
        digests = np.frombuffer(b"".join(digest for _, digest in kept.values()), np.uint8)
        keep(self._path(), "hashes", names=packed_names(kept), states=states, digests=digests)

    def _path(self):
        return cache_file("hashes", self.root)

    def _read(self):
        if self._kept is None:
            try:
                self._kept = _kept_in(self._path())
            except (OSError, ConfigError):  # the user has no cache, or one that is damaged: made anew
                self._kept = {}
        return self._kept


def _kept_in(path):
    if not path.exists():
        return {}
    data = readers.read_npz(path, "hashes")
    with readers.reading(path, "hashes"):
        names = unpacked_names(data["names"])
        digests = [row.tobytes() for row in data["digests"].reshape(-1, 32)]
        states = [tuple(state) for state in data["states"].tolist()]
        return dict(zip(names, zip(states, digests, strict=True), strict=True))


def _state(path):
    return state_of(os.stat(path))
