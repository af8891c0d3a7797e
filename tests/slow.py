"""What `make test` leaves out and `make test-all` has: the marker `slow`.

It is on tests of some seconds whose property others show more cheaply, if less fully, and on further cases of
harnesses that try a property on dozens of them. A test that takes over two seconds on a quiet machine gets it, but
for a few that show what nothing else does.
"""

import pytest


def some(cases, every, unpack=False):
    """Parameters of a test: each `every`th of the cases, and the others as `slow`.

    Which these are depends on their order alone. A case that comes newly shifts them, so that in time all are tried.
    With `unpack`, a case is a tuple of several parameters.
    """
    values = [case if unpack else (case,) for case in cases]
    return [pytest.param(*v, marks=[pytest.mark.slow] if i % every else []) for i, v in enumerate(values)]
