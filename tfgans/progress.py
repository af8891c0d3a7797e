"""What a command shows while it works: bars that move, and phases whose length nobody knows.

On a terminal a bar is drawn anew a few times a second. Elsewhere, in a log, it is a line at once and a line every ten
seconds. Both go on while the work between two items takes long. Used as a library the house is quiet: nothing is
shown of phases, and of bars only what takes more than ten seconds.
"""

import contextlib
import logging
import os
import re
import sys
import threading
import time

import tqdm

_LOG_SECONDS = 10.0  # between two lines of a bar where there is no terminal
_state = {"talks": False}
# A bar of a total, one without, and a phase, as they stand in a log.
_DRAWN = re.compile(r"\d%\|[^|]*\| *\S+/\S+ \[|: \d+\w+ \[\d+:\d\d| \.\.\. \d+ s$")


def talk():
    """From here on bars and phases are shown at once, and the messages of the house go to stderr above them."""
    _state["talks"] = True
    logger = logging.getLogger("tfgans")
    logger.setLevel(logging.INFO)
    logger.handlers, logger.propagate = [_Above()], False


@contextlib.contextmanager
def quiet():
    """Throws away what libraries write to stderr from C++ in the block; what is written to `sys.stderr` is seen."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    own, sys.stderr = sys.stderr, open(kept, "w", closefd=False)  # noqa: SIM115 - what is ours is still seen
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        sys.stderr = own
        os.close(kept)
        os.close(nowhere)


class _Above(logging.Handler):
    def emit(self, record):
        tqdm.tqdm.write(self.format(record), file=sys.stderr)


class _Lines:
    """A file for tqdm where what it draws becomes lines: without returns, moves of the cursor and empty lines."""

    def __init__(self, file):
        self.file = file

    def write(self, text):
        text = text.replace("\x1b[A", "").strip()
        if text:
            self.file.write(f"{text}\n")

    def flush(self):
        self.file.flush()


def _has_size():
    """Whether the terminal tells how large it is; that of `script` and of some servers says 0."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except OSError:
        return False


class Bar(tqdm.tqdm):
    """A bar on stderr that also moves between two items; close it, or use it in `with`.

    Args:
        name: what stands before it.
        total: items in all, or None. done: items that were there before.
        unit: what an item is called.
        leave: whether it stays when it is done; None: if it is not below another bar.
        options: of tqdm.
    """

    _ended, _shown = None, None

    def __init__(self, name, total=None, unit="it", done=0, leave=None, **options):
        terminal = sys.stderr.isatty()
        self._seconds = 1.0 if terminal else _LOG_SECONDS
        place = {"file": _Lines(sys.stderr), "position": 0, "mininterval": _LOG_SECONDS}
        if terminal:
            place = {"mininterval": 0.2} | (
                {"dynamic_ncols": True} if _has_size() else {"ncols": 80, "nrows": 24}
            )
        super().__init__(
            **{"total": total, "desc": name, "unit": unit, "initial": done, "leave": leave, "miniters": 1},
            **{"delay": 0.0 if _state["talks"] else _LOG_SECONDS},
            **(place | options),
        )
        self._ended = threading.Event()
        threading.Thread(target=self._move, daemon=True).start()

    def _move(self):
        """Draws the bar when nothing has for a while, until it is closed."""
        wait = max(self._seconds, self.delay)
        while not self._ended.wait(wait):
            since = time.monotonic() - (self._shown or 0.0)
            if since >= self._seconds:
                self.refresh()
            wait = max(self._seconds - since, 0.0) or self._seconds

    def display(self, *args, **kwargs):
        """Draws it; in a log not twice in a short time, unless it is the end."""
        now, ends = time.monotonic(), self._ended is not None and self._ended.is_set()
        if self._shown is None or ends or self._seconds <= 1.0 or now >= self._shown + self._seconds / 2:
            self._shown = now
            return super().display(*args, **kwargs)
        return False

    def close(self):
        """Draws it for the last time."""
        if self._ended is not None:
            self._ended.set()
        super().close()


class _Phase(Bar):
    """A phase in a log has a last line only if that tells something new."""

    def close(self):
        if self._ended is not None and not self.disable and not sys.stderr.isatty():
            self.leave = self.format_dict["elapsed"] >= 1.0
        super().close()


def is_drawn(line):
    """Whether a line of a log is a bar or a phase: it says how far the work was."""
    return bool(_DRAWN.search(line))


@contextlib.contextmanager
def phase(name):
    """Shows that the work in the block goes on, for how long, and at the end how long it took."""
    if not _state["talks"]:
        yield
        return
    with _Phase(name, bar_format="{desc} ... {elapsed_s:.0f} s"):
        yield
