"""What a picture in the explorer is made by, as the page asks for it."""

import dataclasses
import math
import re

from tfgans.config import ConfigError

MOST_SEEDS = 2**31
LARGEST_STRENGTH = 20.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """One picture.

    Attributes:
        seed: its number in the stream of latents of seed 0, from 0.
        truncation: see `Generation`; None is none.
        label: the class, an index; None takes the one drawn with the latent.
        mix: the number of a second picture, whose styles the slots A, ..., B - 1 take; None mixes nothing.
        slots: `(A, B)`.
        method: how directions are found.
        strengths: how far to go along each of the first directions, in standard deviations.
    """

    seed: int = 0
    truncation: float | None = None
    label: int | None = None
    mix: int | None = None
    slots: tuple | None = None
    method: str | None = None
    strengths: tuple = ()

    def text(self):
        """As the query of an address that `parsed` reads, without what is as usual."""
        parts = {"seed": self.seed, "truncation": self.truncation, "label": self.label, "mix": self.mix}
        parts["slots"] = self.slots and f"{self.slots[0]}:{self.slots[1]}"
        if any(self.strengths):
            parts |= {"method": self.method, "strengths": ",".join(f"{s:g}" for s in self.strengths)}
        return "&".join(f"{name}={value}" for name, value in parts.items() if value is not None)


def parsed(query, allowed):
    """Settings of texts by name.

    Args:
        query: {name: text}, names as in `Settings`; slots as `A:B`, strengths joined by commas.
        allowed: a `Studio`, which says what its generator has.
    Raises: ConfigError, one line, for an unknown name or a value out of its range.
    """
    given = {name: text for name, text in query.items() if text != ""}
    names = [field.name for field in dataclasses.fields(Settings)]
    unknown = [name for name in query if name not in names]
    if unknown:
        raise ConfigError(f"a picture is made by {', '.join(names)}. Received: {unknown[0]!r:.80}")
    readers = {
        "seed": _seed,
        "mix": _seed,
        "truncation": _truncation,
        "label": _label,
        "slots": _slots,
        "method": _method,
        "strengths": _strengths,
    }
    settings = Settings(**{name: readers[name](name, text, allowed) for name, text in given.items()})
    if (settings.mix is None) != (settings.slots is None):
        raise ConfigError("mix and slots go together: the second picture, and the slots A:B it gives")
    if settings.strengths and settings.method is None:
        raise ConfigError("strengths go with a method of finding directions")
    return settings


def refuse(name, words, text):
    """Raises the ConfigError about a value."""
    raise ConfigError(f"{name} is {words}. Received: {text!r:.80}")


def number_in(name, text, low, high):
    """A whole number in [low, high)."""
    if not re.fullmatch("[0-9]{1,12}", text) or not low <= int(text) < high:
        refuse(name, f"a whole number in [{low}, {high})", text)
    return int(text)


def _seed(name, text, allowed):
    if name == "mix" and not allowed.slots:
        refuse(name, "for generators with styles, and this one has none", text)
    return number_in(name, text, 0, MOST_SEEDS)


def _real(name, text, words, allows):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or not allows(value):
        refuse(name, words, text)
    return value


def _truncation(name, text, allowed):
    if allowed.slots:
        return _real(name, text, "psi, a number in [0, 1]", lambda value: 0.0 <= value <= 1.0)
    return _real(name, text, "a bound in [0.01, 10]", lambda value: 0.01 <= value <= 10.0)


def _label(name, text, allowed):
    if not allowed.classes:
        refuse(name, "for generators with classes, and this one has none", text)
    return number_in(name, text, 0, len(allowed.classes))


def _slots(name, text, allowed):
    found = re.fullmatch("([0-9]{1,4}):([0-9]{1,4})", text)
    if not allowed.slots or not found or not 0 <= int(found[1]) <= int(found[2]) <= allowed.slots:
        refuse(name, f"A:B with 0 <= A <= B <= {allowed.slots}", text)
    return int(found[1]), int(found[2])


def _method(name, text, allowed):
    if text not in allowed.methods:
        refuse(name, f"one of {', '.join(allowed.methods) or 'none: no directions are known here'}", text)
    return text


def _strengths(name, text, allowed):
    parts = text.split(",")
    if len(parts) > allowed.most_directions:
        refuse(name, f"at most {allowed.most_directions} numbers", text)
    words = f"numbers in [-{LARGEST_STRENGTH:g}, {LARGEST_STRENGTH:g}], joined by commas"
    return tuple(_real(name, part, words, lambda value: abs(value) <= LARGEST_STRENGTH) for part in parts)
