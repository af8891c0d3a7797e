"""Files that are whole or not there: written beside, flushed to disk, then renamed."""

import contextlib
import errno
import fcntl
import glob
import json
import logging
import os
import re
import shutil
import tempfile
import threading
from pathlib import Path

from tfgans import readers

logger = logging.getLogger(__name__)

open_parts = set()  # what this process is in the middle of writing: files, and folders of `filling`
new_folders = set()  # that `in_folder` made: they go, empty, with what was to be written into them
_ending = threading.Event()


def expanded(path):
    """A user's path or address as text, a `~` at its start replaced: shells leave that of `--flag=~/x` as it is."""
    return os.path.expanduser(os.fspath(path))


@contextlib.contextmanager
def replacing(path, mode="wb"):
    """Opens a file that takes the name `path` only when the block ends without an error."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part{os.getpid()}")
    open_parts.add(part)
    try:
        with _locked(part, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        wait_if_ending()
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and not error.filename:
            raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk names no file
        raise
    finally:
        open_parts.discard(part)
    to_disk(path.parent)


def _locked(part, mode):
    """Opens a file to be written; it is locked until it is closed, so that `remove_left` sees that it is in use.

    That may have taken it for left behind before it was locked: it is made again then.
    """
    while True:
        file = open(part, mode, encoding=None if "b" in mode else "utf-8")  # noqa: SIM115 - the caller closes it
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.exists(part):
            return file
        file.close()


def to_disk(path):
    """Has the system write what it holds of a file, or of a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def raise_fault_of_disk(error):
    """Raises OSError if an error is one or comes from a full disk, which TensorFlow and converters say in words."""
    if isinstance(error, OSError):
        raise error
    full, cause = os.strerror(errno.ENOSPC), error
    while cause is not None:
        if full in str(cause):
            raise OSError(errno.ENOSPC, full) from error
        cause = cause.__cause__ or cause.__context__


def remove_partial(folder):
    """Removes what processes killed in the middle of `replacing` left behind in a folder, see `remove_left`."""
    _remove_dead(Path(folder), "*")


def remove_left(path):
    """Removes what processes killed in the middle of `replacing` this file left beside it; what one that lives is
    writing stays."""
    path = Path(path)
    _remove_dead(path.parent, glob.escape(path.name))


def _remove_dead(folder, names):
    for part in folder.glob(f".{names}.part*"):
        if not re.fullmatch(r"\..+\.part\d+", part.name, re.DOTALL):
            continue
        # Another has the lock, the file system has none, or it is a folder (`filling.part_of`).
        with contextlib.suppress(OSError), open(part, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def remove_open():
    """Removes what this process is in the middle of writing, from any thread: the process is about to end."""
    _ending.set()
    for part in list(open_parts):
        if part.is_dir():
            _remove_written(part)
        else:
            part.unlink(missing_ok=True)
    _remove_empty(list(new_folders))


@contextlib.contextmanager
def in_folder(folder):
    """Makes a folder, and those above it, for the length of the block; of new ones the empty go at its end."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    new_folders.update(new)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        _remove_empty(new)
        new_folders.difference_update(new)


def _remove_empty(folders):
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        with contextlib.suppress(OSError):  # there is something in it, or it was never made
            folder.rmdir()


def _remove_written(folder):
    """Removes a folder that another thread goes on writing into, under a name that it does not know."""
    away = folder.with_name(f"{folder.name}_left")  # which `filling.part_of` would remove, too
    with contextlib.suppress(OSError):
        folder = folder.rename(away)
    shutil.rmtree(folder, ignore_errors=True)


def wait_if_ending():
    """Does not return once `remove_open` was called: what fails from then on fails for that alone."""
    if _ending.is_set():
        threading.Event().wait()


def check_place(folder):
    """Raises OSError if a folder, which need not be there, cannot be made or written to."""
    place = Path(folder)
    while not place.exists() and place != place.parent:
        if place.is_symlink():
            raise NotADirectoryError(f"{place} is a link to what is not there")
        place = place.parent
    if not place.is_dir():
        raise NotADirectoryError(f"{place} is not a folder")
    with tempfile.TemporaryFile(dir=place):  # permission bits do not tell of read-only file systems
        pass


def user_cache():
    """The folder for what can be computed again: `$XDG_CACHE_HOME/tfgans`, or `~/.cache/tfgans`.

    Raises: OSError where the user has no home.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfgans"
    except RuntimeError as error:
        raise OSError(f"no folder for caches: {error}; set XDG_CACHE_HOME") from error


@contextlib.contextmanager
def if_possible(what):
    """Goes on without a file that cannot be written, with one line in the log that says so."""
    try:
        yield
    except OSError as error:
        logger.warning("%s could not be written: %s", what, error)


def step_of(path):
    """The number in a file's name `step_00001000.png`; -1 if it has another name."""
    found = re.fullmatch("step_([0-9]+)", Path(path).stem)
    return int(found[1]) if found else -1


def write_text(path, text):
    """Writes a text file, whole or not at all."""
    with replacing(path, "w") as file:
        file.write(text)


class JsonLines:
    """A file of one JSON object a line (`metrics.jsonl`), which tells of a `step`."""

    def __init__(self, path):
        self.path = Path(path)

    def read(self):
        """All whole rows; a last line torn by a crash, and whatever else is no row, is left out.

        Raises: ConfigError if the file cannot be read.
        """
        return [row for row in self._lines() if row is not None]

    def _lines(self):
        """Every line's row, or None if it is none."""
        if not self.path.exists():
            return []
        with readers.reading(self.path, "rows of JSON"):
            return [_row(line) for line in self.path.read_bytes().split(b"\n") if line.strip()]

    def append(self, row):
        """Adds a row in one write, on a line of its own even after a torn one."""
        line = json.dumps(row, allow_nan=False) + "\n"
        with open(self.path, "ab+") as file:
            if file.tell() and not self._ends_a_line(file):
                line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    @staticmethod
    def _ends_a_line(file):
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"

    def keep(self, wanted):
        """Drops every row for which `wanted(row)` is false, and whatever is torn or no row."""
        if not self.path.exists():
            return
        rows = self._lines()
        damaged = rows[:-1].count(None)  # the last one is torn when a process is killed
        if damaged:
            logger.warning("%s: %d damaged line%s left out", self.path, damaged, "s" * (damaged > 1))
        rows = [row for row in rows if row is not None and wanted(row)]
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))


def _row(line):
    """The row that a line of bytes holds: an object with an integer `step`; None if it holds none."""
    try:
        row = readers.parse_json(line.decode())
    except Exception:  # whatever is wrong with the bytes
        return None
    step = row.get("step") if isinstance(row, dict) else None
    return row if isinstance(step, int) and not isinstance(step, bool) else None
