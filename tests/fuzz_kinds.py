"""A kind of file that `fuzz.py` damages: how a sound one is made, how it is read, and what a refusal says."""

from dataclasses import dataclass
from pathlib import Path

from tfgans.config import ConfigError
from tfgans.data.decode import BadImage

REFUSALS = (ConfigError, BadImage)


@dataclass(frozen=True)
class Reader:
    """A kind of file.

    Args:
        make: makes a sound file in an empty folder and returns its path.
        read: reads the file at a path, as a command would.
        share: of all cases, as many as this times those of a reader with 1.
        named: whether a refusal must name the file; a few readers' callers do.
    """

    name: str
    make: object
    read: object
    share: float = 1.0
    named: bool = True

    def says(self, path, error):
        """Whether the message of a refusal is what a user needs: a reason, and which file."""
        first = str(error).splitlines()[0].strip() if str(error).strip() else ""
        return bool(first) and (not self.named or path.name in first)


def within(name, write):
    """`make` of a file of that name, which `write(path)` writes."""

    def make(folder):
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
        return path

    return make
