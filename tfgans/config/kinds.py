"""What a parameter may be, written as its annotation: `steps: Count = 1`, `classes: Count | None`, `flip: bool`.

`config.configurable` looks at every value that a caller or gin hands over, and `config.parse` at every binding as
soon as the files are read. A parameter without an annotation, or with one of another sort, takes anything.
"""

import functools
import inspect
import math
import numbers
import os
import re
import types

from tfgans.errors import ConfigError


class Kind:
    """A kind of value. `a | b` is a value of either, `a | None` may be None, too.

    Args:
        words: what is allowed, so that "Name.parameter is {words}" is a sentence.
        allows: function of a value, whether it is of this kind.
    """

    def __init__(self, words, allows):
        self.words, self.allows = words, allows

    def __or__(self, other):
        return either(self, kind_of(other))

    def __ror__(self, other):
        return either(kind_of(other), self)

    def check(self, name, value):
        """Raises ConfigError naming the parameter, what is allowed and what was received."""
        if not self.allows(value):
            raise ConfigError(f"{name} is {self.words}. Received: {shown(value)}")


def either(first, second):
    """A value of one of two kinds."""
    return Kind(f"{first.words} or {second.words}", lambda v: first.allows(v) or second.allows(v))


def shown(value):
    """A value in one line of at most 200 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 200 else text[:197] + "..."


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def AtLeast(bound):  # noqa: N802 - these are written as types are
    """An integer of at least `bound`."""
    return Kind(f"an integer of at least {bound}", lambda v: _is_integer(v) and v >= bound)


def Within(interval):  # noqa: N802
    """A number in an interval, such as `Within("(0, 1]")`."""
    found = re.fullmatch(r"([\[(])(.+), (.+)([\])])", interval)
    low, high = float(found[2]), float(found[3])

    def allows(value):
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            return False
        above = value > low or (value == low and found[1] == "[")
        return above and (value < high or (value == high and found[4] == "]"))

    return Kind(f"a number in {interval}", allows)


def OneOf(*allowed):  # noqa: N802
    """One of a few values."""
    words = f"one of {', '.join(map(str, allowed))}" if len(allowed) > 1 else str(allowed[0])
    return Kind(words, lambda v: any(type(v) is type(a) and v == a for a in allowed))


def Several(kind, count=None):  # noqa: N802
    """A list or tuple, of `count` entries if that is given, each of one kind."""
    kind = kind_of(kind)
    words = f"a list {'' if count is None else f'of {count} '}(each {kind.words})"
    return Kind(
        words,
        lambda v: (
            isinstance(v, (list, tuple))
            and count in (None, len(v))
            and all(kind.allows(entry) for entry in v)
        ),
    )


def Function(example):  # noqa: N802
    """A function or a class, in gin a reference."""
    return Kind(f"a function or class (such as {example})", callable)


def Made(example):  # noqa: N802
    """An object, in gin a reference that is called, or a function that makes one: no number, text or list."""
    plain = (bool, numbers.Number, str, bytes, list, tuple, dict, types.NoneType)
    return Kind(f"an object (such as {example})", lambda v: not isinstance(v, plain))


def Instance(example):  # noqa: N802
    """An object that is there already: in gin a reference that is called."""
    made = Made(example)
    return Kind(made.words, lambda v: made.allows(v) and not inspect.isroutine(v) and not inspect.isclass(v))


FilePath = Kind("a path", lambda v: isinstance(v, (str, os.PathLike)) and str(v) != "")
Count = AtLeast(1)
Natural = AtLeast(0)
Seed = Kind("an integer in [0, 2**32)", lambda v: _is_integer(v) and 0 <= v < 2**32)
Number = Kind("a number", _is_number)
Positive = Kind("a number above 0", lambda v: _is_number(v) and v > 0)
NotNegative = Kind("a number of at least 0", lambda v: _is_number(v) and v >= 0)
Share = Within("[0, 1]")
Side = Kind("an integer of at least 1, the side of squares", Count.allows)
Size = Kind(
    "an integer of at least 1 or (height, width)", lambda v: Count.allows(v) or Several(Count, 2).allows(v)
)


def sides(size):
    """(height, width) of a `Size`."""
    return tuple(map(int, size)) if isinstance(size, (list, tuple)) else (int(size), int(size))


def size_words(size):
    """A `Size` for a message: `64x64`, or `32 high and 64 wide`: flags have the height first, viewers the width."""
    height, width = sides(size)
    return f"{height}x{width}" if height == width else f"{height} high and {width} wide"


_OF_PYTHON = {
    bool: Kind("True or False", lambda v: isinstance(v, bool)),
    int: Kind("an integer", _is_integer),
    float: Number,
    str: Kind("a text", lambda v: isinstance(v, str)),
    None: Kind("None", lambda v: v is None),
    types.NoneType: Kind("None", lambda v: v is None),
}


def kind_of(annotation):
    """The kind that an annotation says; None if it says none."""
    if isinstance(annotation, Kind):
        return annotation
    if isinstance(annotation, types.UnionType):
        parts = [kind_of(part) for part in annotation.__args__]
        return None if None in parts else functools.reduce(either, parts)
    return _OF_PYTHON.get(annotation) if isinstance(annotation, type | None) else None


def kinds_of(signature):
    """`{parameter: Kind}` of a signature's parameters that have a kind."""
    found = {name: kind_of(p.annotation) for name, p in signature.parameters.items()}
    return {name: kind for name, kind in found.items() if kind is not None}
