"""Images of several splits of a source, one after the other."""

import numpy as np

from tfgans.config import ConfigError
from tfgans.data.items import Items


class JoinedItems(Items):
    """All images of the parts, in their order; they have labels if all parts do.

    Args: parts: `Items` of one source. title: what messages call that.
    Raises: ConfigError if parts with labels have other classes.
    """

    def __init__(self, parts, title):
        self.parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self.checked = all(part.checked for part in parts)
        if all(part.labels is not None for part in parts):
            self.labels = np.concatenate([part.labels for part in parts])
            self.class_names = parts[0].class_names
            for part in parts:
                if part.class_names != self.class_names:
                    raise ConfigError(
                        f"{title}: splits that are joined have the same classes. "
                        f"Received: {self.class_names} and {part.class_names}"
                    )

    def __len__(self):
        return int(self._ends[-1])

    def _at(self, i):
        """(part, place in it) of image i."""
        part = int(np.searchsorted(self._ends, i, side="right"))
        return self.parts[part], int(i) - (int(self._ends[part - 1]) if part else 0)

    def name(self, i):
        part, place = self._at(i)
        return part.name(place)

    def header(self, i):
        part, place = self._at(i)
        return part.header(place)

    def content(self, i):
        part, place = self._at(i)
        return part.content(place)

    def digest(self, i):
        part, place = self._at(i)
        return part.digest(place)

    def encoded(self, i):
        part, place = self._at(i)
        return part.encoded(place)

    def read(self, i):
        part, place = self._at(i)
        return part.read(place)

    def pixels(self, i, channels):
        part, place = self._at(i)
        return part.pixels(place, channels)

    def facts(self):
        found = [part.facts() for part in self.parts]
        if any(facts is None for facts in found):
            return None
        return tuple(np.concatenate(column) for column in zip(*found, strict=True))

    def digests(self, indices):
        indices = np.asarray(indices)
        found = np.zeros((len(indices), 32), np.uint8)
        begin = 0
        for part, end in zip(self.parts, self._ends, strict=True):
            inside = (indices >= begin) & (indices < end)
            digests = part.digests(indices[inside] - begin)
            if digests is None:
                return None
            found[inside] = digests
            begin = end
        return found
