"""A fault that `mutants.py` puts into the library."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Fault:
    """In `path`, `new` in the place of `old`, which is there once; `tests`, arguments of pytest, must then fail."""

    name: str
    path: str
    old: str
    new: str
    tests: str
