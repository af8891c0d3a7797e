"""Reading files that may be damaged: whatever is wrong with the bytes is one line naming the file and the reason.

Readers of other libraries raise nearly every type of exception on damaged files, hence no list of types here.
"""

import contextlib
import hashlib
import json
import math
import os
import stat
import zipfile
from pathlib import Path

from tfgans.errors import ConfigError

_DEFLATE_AT_MOST = 1032  # bytes that one compressed byte can stand for


@contextlib.contextmanager
def reading(path, what):
    """Turns whatever goes wrong in its block into `ConfigError`: "<path> cannot be read as <what>: <reason>".

    A path that is no ordinary file, such as a pipe, which a reader would wait for, is refused before the block; one
    that is a folder only if the block opens it. A `ConfigError` of the block itself is passed on as it is.
    """
    try:
        _refuse_device(path)
        yield
    except (ConfigError, MemoryError):
        raise
    except Exception as error:
        raise ConfigError(f"{path} cannot be read as {what}: {reason(error)}") from error


def reason(error):
    """What an exception says, as `one_line`."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return "it is not a text file"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    said = one_line(error)
    if isinstance(error, KeyError):
        return f"it has no {said}"
    return said or type(error).__name__


def one_line(text):
    """A text on one line of at most about 300 printable characters."""
    said = " ".join(str(text).split())
    said = said if len(said) <= 300 else f"{said[:300]} ..."
    return said if said.isprintable() else ascii(said)[1:-1]


def read_text(path, what):
    """The text of a UTF-8 file. Raises: as `reading`."""
    with reading(path, what):
        return Path(path).read_text(encoding="utf-8")


def text_or_none(path):
    """The text of a UTF-8 file; None if there is none, or none that can be read, so that it is made anew."""
    try:
        return read_text(path, "text")
    except ConfigError:
        return None


def read_json(path, what):
    """The value in a JSON file. Raises: as `reading`."""
    with reading(path, what):
        return parse_json(Path(path).read_bytes())


def parse_json(text):
    """The value of a JSON text or its bytes, without NaN and numbers beyond floats.

    Raises: ValueError or RecursionError.
    """
    return json.loads(text, parse_constant=_finite, parse_float=_finite)


def hash_files(path, what, digest):
    """Adds the contents of a file, or names and contents of all files of a folder, to a hash.

    Raises: as `reading`, naming the file.
    """
    path = Path(path)
    for file in sorted(p for p in (path.rglob("*") if path.is_dir() else [path]) if p.is_file()):
        digest.update(str(file.relative_to(path)).encode())
        with reading(file, what), open(file, "rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())


def read_npz(path, what, names=None):
    """The arrays of an `.npz` file, {name: array}.

    Nothing is allocated before a declared size has been compared with what the file and the machine can hold, and
    every byte that is read is checked against the archive's sums.

    Args:
        names: of the arrays wanted, those that are there; the others are None. None is all.
    Raises: as `reading`; arrays of Python objects are refused.
    """
    with reading(path, what), zipfile.ZipFile(path) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        wanted = [name for name in members if names is None or name in names]
        _check_sizes([members[name] for name in wanted], os.path.getsize(path))
        return {
            name: _read_array(archive, member, name) if name in wanted else None
            for name, member in members.items()
        }


def _refuse_device(path):
    with contextlib.suppress(OSError):  # the reader itself says it better
        mode = os.stat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ValueError("it is not an ordinary file")


def _finite(text):
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is not finite")
    return number


def _check_sizes(members, size):
    for member in members:
        held = member.compress_size * (1 if member.compress_type == zipfile.ZIP_STORED else _DEFLATE_AT_MOST)
        if member.compress_size > size or member.file_size > held:
            raise ValueError(
                f"{member.filename} declares {member.file_size:,} bytes, more than the file can hold"
            )
    total, memory = sum(member.file_size for member in members), _memory()
    if total > memory:
        raise ValueError(f"its arrays take {total:,} bytes, more than this machine's memory of {memory:,}")


def _memory():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _read_array(archive, member, name):
    from numpy.lib import format as npy  # here, since commands that only print their flags come by

    headers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in headers:
            raise ValueError(f"array {name} has the unknown format {version[0]}.{version[1]}")
        shape, _, dtype = headers[version](file)
        if dtype.hasobject:
            raise ValueError(f"array {name} holds Python objects")
        if dtype.itemsize == 0 or math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
            raise ValueError(f"array {name} is declared as {dtype} {list(shape)}, its data has another size")
    with archive.open(member) as file:
        array = npy.read_array(file, allow_pickle=False)
        file.read(1)  # the archive compares its sum at the end of the data alone
        return array
