"""Files that are whole or not there: written beside, flushed to disk, then renamed."""

import contextlib
import json
import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def replacing(path, mode="wb"):
    """Opens a file that takes the name `path` only when the block ends without an error."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part{os.getpid()}")
    try:
        with open(part, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and not error.filename:
            raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk names no file
        raise
    _sync_folder(path.parent)


def _sync_folder(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partial(folder):
    """Removes what processes killed in the middle of `replacing` left behind in a folder."""
    for part in Path(folder).glob(".*.part*"):
        part.unlink(missing_ok=True)


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


def write_text(path, text):
    """Writes a text file, whole or not at all."""
    with replacing(path, "w") as file:
        file.write(text)


class JsonLines:
    """A file of one JSON object a line (`metrics.jsonl`)."""

    def __init__(self, path):
        self.path = Path(path)

    def read(self):
        """All whole rows; a last line torn by a crash is left out."""
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
        return rows

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
        """Drops every row for which `wanted(row)` is false, and whatever is torn."""
        if self.path.exists():
            rows = [row for row in self.read() if wanted(row)]
            write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))
