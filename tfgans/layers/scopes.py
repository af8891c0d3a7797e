"""What the scopes around a forward say (frozen state, gates, the stage ...), and how to be inside them again."""

import contextlib
import threading

local = threading.local()  # MirroredStrategy runs each replica in a thread of its own


def entered():
    """What the scopes that this thread is in say."""
    return dict(vars(local))


@contextlib.contextmanager
def again(scopes):
    """Inside it, the thread is in the scopes that `entered` found, and in no others."""
    before = entered()
    _become(scopes)
    try:
        yield
    finally:
        _become(before)


@contextlib.contextmanager
def inside(**said):
    """Inside it, the scopes that this thread is in say this, too."""
    with again(entered() | said):
        yield


def _become(scopes):
    vars(local).clear()
    vars(local).update(scopes)
