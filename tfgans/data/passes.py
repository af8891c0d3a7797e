"""Passes over all images of a source, by threads, with a bar: their headers, their pixels, their digests."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfgans import progress
from tfgans.config import ConfigError
from tfgans.data.decode import BadImage, decode
from tfgans.data.hashes import WHOLE
from tfgans.data.items import shown

_CHUNK = 256  # images handed to a thread at once
_DECODED = 32  # images decoded at once, which are large
THREADS = min(8, os.cpu_count() or 1)
_REMEMBERED = 60.0  # seconds after which what has been found is kept, in case the process is killed


def threads():
    return ThreadPoolExecutor(THREADS)


def headers(items, sources, title, shortest=1):
    """What the headers of images say, by `Items.facts` or else by opening them.

    Args:
        items: of a source. sources: int [n], which of them. title: what the bar calls the source.
        shortest: images whose shorter side has fewer pixels are too small.
    Returns: (int32 [n, 2] height and width, bool [n] whether gray, {k: BadImage}).
    """
    facts = items.facts()
    known = facts and (facts[0][sources], facts[1][sources], {})
    sizes, gray, bad = known or _headers(items, sources, title)
    for k in np.flatnonzero(sizes.min(1, initial=shortest) < shortest).tolist():
        bad.setdefault(k, BadImage(f"too small, {sizes[k][1]}x{sizes[k][0]}"))
    return sizes, gray, bad


def _headers(items, sources, title):
    """`headers` of images that have to be opened."""
    sizes, gray, bad = np.zeros((len(sources), 2), np.int32), np.zeros(len(sources), bool), {}
    with threads() as pool:
        parts = _parts(len(sources), _CHUNK)
        found = pool.map(lambda part: items.headers(sources[part]), parts)
        for part, each in _watched(parts, found, f"checking {title}", items):
            sizes[part], gray[part], unusable = each
            bad |= {part.start + place: error for place, error in unusable.items()}
    return sizes, gray, bad


def loaded(items, sources, load, title):
    """Yields (k, `load(sources[k])`), in order. Args: as `headers`; load: a function that threads call."""
    with threads() as pool:
        parts = _parts(len(sources), _DECODED)
        found = (list(pool.map(load, sources[part])) for part in parts)
        for part, each in _watched(parts, found, f"reading {title}", items):
            yield from enumerate(each, part.start)


def undecodable(items, sources, title):
    """{k: BadImage} of the images that do not decode, of which none is kept. Args: as `headers`."""

    def load(i):
        if items.decoded(i) is not None:
            return None
        try:
            image = decode(items.read(i), 3)
        except BadImage as error:
            return error
        items.note_decoded(i, (image.height, image.width))
        return None

    return {k: error for k, error in loaded(items, sources, load, title) if error is not None}


def digests(items, sources, kind, title):
    """uint8 [n, 32]: digests of images, of a kind as `hashes` names them. Args: as `headers`.

    Raises: ConfigError naming an image that cannot be read any more.
    """
    known = items.digests(sources) if kind == WHOLE else None
    if known is not None:
        return known
    found = np.zeros((len(sources), 32), np.uint8)
    take = _whole if kind == WHOLE else type(items).ends
    with threads() as pool:
        parts = _parts(len(sources), _CHUNK)
        taken = pool.map(lambda part: _named(take, items, sources[part], title), parts)
        for part, each in _watched(parts, taken, f"hashing {title}", items):
            found[part] = each
    return found


def gone(items, i, error, title):
    """The ConfigError of an image that could be read before."""
    return ConfigError(f"{title}: {shown(items.name(i))} cannot be read any more ({error})")


def _whole(items, indices):
    return np.frombuffer(b"".join(items.digest(i) for i in indices), np.uint8).reshape(-1, 32)


def _named(take, items, indices, title):
    try:
        return take(items, indices)
    except BadImage:
        for i in indices:
            try:
                take(items, [i])
            except BadImage as error:
                raise gone(items, i, error, title) from error
        raise


def _parts(count, size):
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _watched(parts, found, title, items):
    """Yields (part, what was found of it), with a bar; now and then, and at the end, the items remember it."""
    kept = time.monotonic()
    with progress.Bar(title, parts[-1].stop if parts else 0, "image") as bar:
        try:
            for part, each in zip(parts, found, strict=True):
                yield part, each
                bar.update(part.stop - part.start)
                if time.monotonic() > kept + _REMEMBERED:
                    items.remember()
                    kept = time.monotonic()
        finally:
            items.remember()
