"""Files of records (array_record), of which any one is read by itself.

The library says nothing of a file that is missing, cut or was never closed: it counts no records. So every file is
counted when it has been written and when it is opened. What a record holds is checked by the library as it is read.
"""

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np

from tfgans import readers
from tfgans.config import ConfigError
from tfgans.data.decode import BadImage, Unreachable
from tfgans.files import to_disk

_WRITTEN = "group_size:1"  # a record is read without its neighbours
_READ = "readahead_buffer_size:0,max_parallelism:0"


@dataclasses.dataclass(frozen=True)
class Shard:
    """What is known of a file of records: its name, records, bytes and SHA-256 (hexadecimal)."""

    file: str
    images: int
    bytes: int
    sha256: str


def write_records(path, records, compressed):
    """Writes a file of records and counts them.

    Args:
        path: of the file. records: an iterator of bytes. compressed: whether to compress each by itself.
    Returns: a `Shard`. Raises: OSError if the file does not hold them afterwards, as on a full disk.
    """
    from array_record.python import array_record_module

    count, path = 0, Path(path)
    try:
        options = _WRITTEN + (",zstd:3" if compressed else ",uncompressed")
        writer = array_record_module.ArrayRecordWriter(os.fsencode(path), options)  # a name of any bytes
        try:
            for record in records:
                writer.write(record)
                count += 1
        finally:
            writer.close()
    except RuntimeError as error:
        raise OSError(f"{path} cannot be written: {readers.one_line(error)}") from error
    if count and _count(path) != count:
        raise OSError(f"{path} cannot be written: it does not hold its records afterwards")
    to_disk(path)
    return Shard(path.name, count, path.stat().st_size, hash_of(path))


def hash_of(path):
    """SHA-256 of a file, hexadecimal. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(folder, shard):
    """What is wrong with a file, as far as its size and its number of records say, or None."""
    path = Path(folder) / shard.file
    try:
        size = path.stat().st_size
    except OSError as error:
        return f"{path} cannot be opened: {readers.reason(error)}"
    if size != shard.bytes:
        return f"{path} has {size:,} bytes and had {shard.bytes:,} when it was packed"
    try:
        found = _count(path)
    except OSError as error:
        return f"{path} cannot be opened: {readers.reason(error)}"
    if found != shard.images:
        return f"{path} holds {found:,} records that can be read and had {shard.images:,} when it was packed"
    return None


class Records:
    """The records of several files, one after the other. Threads and forked processes may read at once.

    Raises: ConfigError naming the file that is not as it was written.
    """

    def __init__(self, folder, shards):
        self.folder, self.shards = Path(folder), shards
        for shard in shards:
            wrong = check(folder, shard)
            if wrong:
                raise ConfigError(f"{wrong}: pack again, or restore it")
        self._ends = np.cumsum([shard.images for shard in shards])
        self._readers = {}

    def __len__(self):
        return int(self._ends[-1]) if len(self._ends) else 0

    def read(self, i):
        """The bytes of record i. Raises BadImage naming the file."""
        number = int(np.searchsorted(self._ends, i, "right"))
        shard = self.shards[number]
        place = int(i) - int(self._ends[number]) + shard.images
        try:
            return self._reader(number).read(place, place + 1)[0]
        except OSError as error:
            raise Unreachable(f"{self.folder / shard.file}: {readers.reason(error)}") from error
        except (RuntimeError, IndexError) as error:
            path = self.folder / shard.file
            raise BadImage(f"record {place} of {path} is damaged: {readers.one_line(error)[:100]}") from error

    def where(self, i):
        """The file that record i is in."""
        return self.folder / self.shards[int(np.searchsorted(self._ends, i, "right"))].file

    def _reader(self, number):
        found = self._readers.get(number)  # without a lock, which a fork might copy while it is held
        return found or self._readers.setdefault(number, _opened(self.folder / self.shards[number].file))


def _opened(path):
    """A reader, which may be one of a damaged file. Raises OSError where the file itself cannot be opened."""
    reader = _as_it_is(path)
    if not reader.ok():
        with open(path, "rb"):  # the library does not say why
            reader = _as_it_is(path)  # it may have come back in between
    return reader


def _as_it_is(path):
    from array_record.python import array_record_module

    return array_record_module.ArrayRecordReader(
        os.fsencode(path), options=_READ, file_reader_buffer_size=32768
    )


def _count(path):
    """Records that can be read; 0 of a file that is none. Raises OSError where it cannot be opened."""
    try:
        reader = _opened(path)
        return reader.num_records() if reader.ok() else 0
    except (RuntimeError, ValueError):
        return 0
