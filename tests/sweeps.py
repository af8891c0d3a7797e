"""Harnesses that try a property on hundreds of cases: some of them in `make test`, all in `make test-all`."""

import pytest


def some(cases, every):
    """Parameters of a test: each `every`th of the cases, and the others as `sweep`, which `make test` leaves out.

    Which these are depends on their order alone. A case that comes newly shifts them, so that in time all are tried.
    """
    sweep = pytest.mark.sweep
    return [case if i % every == 0 else pytest.param(case, marks=sweep) for i, case in enumerate(cases)]
