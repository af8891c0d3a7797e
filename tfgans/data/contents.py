"""What is trained on, item by item, and how two such lists differ in words."""

import collections
import dataclasses
import hashlib
import json

_NAMED = 3  # items a line names of each kind of change


@dataclasses.dataclass
class Contents:
    """The items that are trained on, in their order, which is what decides the batches.

    Two are the same if the items have the same bytes and labels in the same order and the classes the same names.
    Where the items lie, and what their files are called, makes no difference by itself.

    Attributes: fingerprint (hexadecimal); count; names and hashes (the first 16 digits of each item's SHA-256), lists
    [count], or None for points; labels, list [count], or None; class_names, list or None.
    """

    fingerprint: str
    count: int
    names: list | None = None
    hashes: list | None = None
    labels: list | None = None
    class_names: list | None = None

    @classmethod
    def of(cls, store, indices, labels, class_names):
        """Those of a store's items at `indices`; labels int32 [len(indices)] or None."""
        names = class_names and [str(name) for name in class_names]
        digest = hashlib.sha256(json.dumps(names).encode())
        digest.update(store.content(indices))
        digest.update(b"" if labels is None else labels.tobytes())
        return cls(
            digest.hexdigest(),
            len(indices),
            None if store.names is None else [store.names[i] for i in indices],
            None if store.names is None else [row.tobytes().hex()[:16] for row in store.digests[indices]],
            None if labels is None else labels.tolist(),
            names,
        )

    def changes(self, new):
        """In words, what is different in `new`; None if nothing is."""
        if self.fingerprint == new.fingerprint:
            return None
        if self.class_names != new.class_names:
            then, now = (", ".join(names or ["no classes"]) for names in (self.class_names, new.class_names))
            named = f"the classes were {then} and are {now}"
        else:
            named = None
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
        if first is None:
            return f"{self.count} points before, {new.count} others now"
        return f"the same images come in another order, from {_shown(new.names[first])} on"


def _listed(names):
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(_shown, names[:_NAMED])) + more


def _shown(name):
    return name if name.isprintable() else ascii(name)
