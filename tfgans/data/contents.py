"""What is trained on, item by item, and how two such lists differ in words."""

import collections
import dataclasses
import hashlib
import json

import numpy as np

from tfgans.data.hashes import WHOLE
from tfgans.data.items import shown
from tfgans.data.labels import same_names

_NAMED = 3  # items a line names of each kind of change
_LISTED = 100_000  # of more items there are blocks instead of lists of all
_BLOCK, _SHORTEST = 1000, 100  # items of a block: about, and at least


@dataclasses.dataclass
class Contents:
    """The items that are trained on, in their order, which is what decides the batches.

    Two are the same if the items have the same bytes and labels in the same order and the classes the same names.
    Where the items lie, what their files are called, and in which Unicode form, makes no difference by itself.

    Attributes: fingerprint (hexadecimal); count; names and hashes (the first 16 digits of each item's digest), lists
    [count], or None for points and for more than 100,000 items; labels, list [count], or None; class_names, list or
    None; kind, of the digests, see `hashes`: only two of one kind can be compared; blocks, `Blocks` of many items, or
    None.
    """

    fingerprint: str
    count: int
    names: list | None = None
    hashes: list | None = None
    labels: list | None = None
    class_names: list | None = None
    kind: str = WHOLE
    blocks: "Blocks | None" = None

    @classmethod
    def of(cls, store, indices, labels, class_names, like=None):
        """Those of a store's items at `indices`; labels int32 [len(indices)] or None.

        Args:
            like: contents to be compared with, of whose kind and form these will be; None for the store's own.
        """
        names = class_names and [str(name) for name in class_names]
        kind = like.kind if like else store.kind
        content = store.content(indices, kind)
        digest = hashlib.sha256(json.dumps(names).encode())
        digest.update(content)
        digest.update(b"" if labels is None else labels.tobytes())
        found = cls(digest.hexdigest(), len(indices), class_names=names, kind=kind)
        if not hasattr(store, "names"):
            return dataclasses.replace(found, labels=None if labels is None else labels.tolist())
        digests = np.frombuffer(content, np.uint8).reshape(-1, 32)
        if like.blocks if like else len(indices) > _LISTED:
            return dataclasses.replace(found, blocks=Blocks.of(store, indices, digests, labels))
        hashes = content.hex()
        return dataclasses.replace(
            found,
            names=store.names(indices),
            hashes=[hashes[start : start + 16] for start in range(0, len(hashes), 64)],
            labels=None if labels is None else labels.tolist(),
        )

    def changes(self, new):
        """In words, what is different in `new`; None if nothing is."""
        if self.fingerprint == new.fingerprint:
            return None
        named = None
        if not same_names(self.class_names, new.class_names):
            both = self.class_names, new.class_names
            then, now = (", ".join(map(shown, names or ["no classes"])) for names in both)
            named = f"the classes were {then} and are {now}"
        if self.blocks and new.blocks:
            found = self.blocks.changes(new.blocks)
            labels = "the labels have changed" if self.class_names == new.class_names else None
            return "; ".join(filter(None, [found, named])) or labels
        removed, added = self._missing_from(new), new._missing_from(self)
        changed = set(removed) & set(added)
        kinds = {
            "added": [name for name in added if name not in changed],
            "removed": [name for name in removed if name not in changed],
            "changed": [name for name in removed if name in changed],
        }
        parts = [f"{len(found)} {kind} ({_listed(found)})" for kind, found in kinds.items() if found]
        if not parts and not named:
            return self._order(new)
        return "; ".join(filter(None, [", ".join(parts), named]))

    def _keys(self):
        """(content, label) of every item: an image in another class counts as changed."""
        if self.hashes is None:
            return []
        return list(zip(self.hashes, self.labels or [None] * self.count, strict=True))

    def _missing_from(self, other):
        """Names of the items that `other` does not have, or not so often."""
        left, missing = collections.Counter(other._keys()), []
        for name, key in zip(self.names or (), self._keys(), strict=True):
            if left[key]:
                left[key] -= 1
            else:
                missing.append(name)
        return missing

    def _order(self, new):
        pairs = list(zip(self._keys(), new._keys(), strict=False))
        first = next((i for i, (old, now) in enumerate(pairs) if old != now), None)
        if first is None and self.class_names != new.class_names:
            return None  # they are in another Unicode form, as on another system's disk
        if first is None:
            return f"{self.count} points before, {new.count} others now"
        return f"the same images come in another order, from {shown(new.names[first])} on"


@dataclasses.dataclass
class Blocks:
    """Many items as blocks of about 1,000, cut where the items themselves say so: an item that is added, removed or
    changed alters its own block, and not those behind it.

    Attributes: lists with an entry a block: names (that of the first item), counts (items), hashes (16 digits, of
    their digests and labels).
    """

    names: list
    counts: list
    hashes: list

    def __post_init__(self):
        columns = {"names": str, "counts": int, "hashes": str}
        if not all(isinstance(each, kind) for name, kind in columns.items() for each in getattr(self, name)):
            raise ValueError("blocks are lists of names, counts and hashes")
        if not len(self.names) == len(self.counts) == len(self.hashes) > 0:
            raise ValueError("blocks have a name, a count and a hash each")

    @classmethod
    def of(cls, store, indices, digests, labels):
        """Those of a store's items at `indices`, digests uint8 [n, 32], labels int32 [n] or None."""
        starts = [0]
        for start in np.flatnonzero(digests[:, :8].copy().view("<u8")[:, 0] % _BLOCK == 0).tolist():
            if start >= starts[-1] + _SHORTEST:
                starts.append(start)
        ends = [*starts[1:], len(indices)]
        parts = [np.s_[start:end] for start, end in zip(starts, ends, strict=True)]
        hashes = [
            hashlib.sha256(digests[part].tobytes() + (b"" if labels is None else labels[part].tobytes()))
            for part in parts
        ]
        counts = [part.stop - part.start for part in parts]
        return cls(store.names(indices[starts]), counts, [digest.hexdigest()[:16] for digest in hashes])

    def changes(self, new):
        """In words, what is different in `new`; None if nothing is."""
        gone, come = self._missing_from(new), new._missing_from(self)
        if gone or come:
            first = shown(new.names[come[0]] if come else self.names[gone[0]])
            count = max(sum(self.counts[i] for i in gone), sum(new.counts[i] for i in come))
            numbers = f"{sum(self.counts):,} images before, {sum(new.counts):,} now"
            return f"{numbers}; what differs is among {count:,} of them, from {first} on"
        pairs = enumerate(zip(self.hashes, new.hashes, strict=True))
        moved = next((i for i, (then, now) in pairs if then != now), None)
        return (
            None if moved is None else f"the images come in another order, from {shown(new.names[moved])} on"
        )

    def _missing_from(self, other):
        """Places of the blocks that `other` does not have, or not so often."""
        left, missing = collections.Counter(other.hashes), []
        for place, key in enumerate(self.hashes):
            left[key] -= 1
            if left[key] < 0:
                missing.append(place)
        return missing


def _listed(names):
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(shown, names[:_NAMED])) + more
