"""Lets a process end while tf.data still prefetches through Python functions.

A thread of tf.data that enters Python while the interpreter shuts down never comes back, and the
iterator's destructor waits for it for ever: without this, a training script hangs at its end more often
than not. So at exit, reads are answered at once until the prefetch buffers are full and nobody asks.
"""

import atexit
import functools
import threading
import time

_QUIET_SECONDS = 0.25  # no read began or ended for so long: the buffers are full
_PATIENCE_SECONDS = 10.0

_lock = threading.Lock()
_state = {"closing": False, "running": 0, "changed": 0.0, "used": False}


def guarded(read, empty):
    """`read`, answered by `empty()` instead once the process is ending."""

    @functools.wraps(read)
    def call(*arguments):
        _change(+1)
        try:
            return empty() if _state["closing"] else read(*arguments)
        except RuntimeError:
            if threading.main_thread().is_alive():
                raise
            return empty()  # thread pools close before functions registered with atexit run
        finally:
            _change(-1)

    return call


def _change(by):
    with _lock:
        _state["running"] += by
        _state["changed"] = time.monotonic()
        _state["used"] = True


@atexit.register
def _wait():
    _state["closing"] = True
    _state["changed"] = time.monotonic()  # a thread may be on its way in already
    end = time.monotonic() + _PATIENCE_SECONDS
    while _state["used"] and time.monotonic() < end:
        if not _state["running"] and time.monotonic() - _state["changed"] > _QUIET_SECONDS:
            return
        time.sleep(0.02)
