"""Ctrl-C and SIGTERM, answered soon, whatever the process is busy with.

Python calls a signal's handler in the main thread, between two of its instructions: not while TensorFlow loads a
library, compiles or runs a step. A command therefore has a thread that watches (`watch`). If nothing would be lost
it ends the process at once; files are whole at any moment, as after `kill -9`. If something would be lost, whoever
keeps it (`Keeper`) is told to save it and stop, and a second Ctrl-C ends the process at once.

Used as a library the process is not ours to end: handlers are there only while a keeper is, and they raise.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time

NUMBERS = (signal.SIGINT, signal.SIGTERM)
_GRACE_SECONDS = 5.0  # for the way out once everything is saved
_keepers = []
_watch = {"thread": None}


class Interrupted(BaseException):
    """A signal asked for the end, and nothing is lost by it; `number` is the signal's.

    As KeyboardInterrupt, it is no Exception: it may come up anywhere and must pass through `except Exception`.
    """

    def __init__(self, number):
        super().__init__(f"stopped by signal {int(number)}")
        self.number = int(number)


class Keeper:
    """Keeps something that a signal must not destroy, in a `with` block; the innermost one is asked."""

    received = None  # the signal that has come

    def at_risk(self):
        """Whether something would be lost if the process ended now. Called from any thread."""
        return False

    def told(self, number):
        """A signal has come while something is at risk: the work must end soon. Called from any thread."""

    def standing(self):
        """The second half of the line that is written when a signal ends the process: what is left."""
        return ""

    def __enter__(self):
        _keepers.append(self)
        self._previous = {}
        if _watch["thread"] is None:
            self._previous = {number: signal.signal(number, _raise) for number in NUMBERS}
        return self

    def __exit__(self, *error):
        _keepers.remove(self)
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def _asked(number):
    """Whether to end at once now that a signal has come: `(at once, by a repeated Ctrl-C)`."""
    keeper = _keepers[-1] if _keepers else None
    if keeper is None:
        return True, False
    if keeper.received is not None and keeper.at_risk():
        again = number == signal.SIGINT
        return again, again
    keeper.received = number
    if not keeper.at_risk():
        return True, False
    keeper.told(number)
    return False, False


def _raise(number, frame):
    at_once, again = _asked(number)
    if again:
        raise KeyboardInterrupt
    if at_once:
        raise Interrupted(number)


def write(line):
    """Writes a line to stderr at once, past Python's buffers: a signal may come in the middle of a print."""
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        descriptor = 2
    below = "\n" if os.isatty(descriptor) else ""  # a bar may stand there
    with contextlib.suppress(OSError):  # nobody reads it any more
        os.write(descriptor, f"{below}{line}\n".encode())


def watch(say, before_the_end=lambda: None):
    """Starts the thread that answers signals for the rest of the process, which is a command's.

    Args:
        say: called with the line for the user when the process ends by a signal.
        before_the_end: called before that.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in NUMBERS:
        signal.signal(number, lambda *_: None)  # so that Python notes it in the pipe
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def leave(number, again=False):
        try:
            before_the_end()
            standing = _keepers[-1].standing() if _keepers else ""
            how = f"stopped at once by signal {number}" if again else f"stopped by signal {number}"
            say(f"{how}; {standing}" if standing else how)
        finally:
            os._exit(128 + number)

    _watch["thread"] = threading.Thread(target=_answer, args=(reader, leave), daemon=True)
    _watch["thread"].start()


def _answer(reader, leave):
    told, safe_since = None, None
    while True:
        if select.select([reader], [], [], None if told is None else 0.2)[0]:
            for number in os.read(reader, 64):
                if number not in NUMBERS:
                    continue
                at_once, again = _asked(number)
                if at_once:
                    leave(number, again)
                told = told or number
        if told is not None and not any(keeper.at_risk() for keeper in _keepers):
            safe_since = safe_since or time.monotonic()
            if time.monotonic() > safe_since + _GRACE_SECONDS:  # saved, but the main thread does not get out
                leave(told)
        else:
            safe_since = None
