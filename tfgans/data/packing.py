"""Packs the images of any source: `launch/pack.py`.

A shard is the next so many images of the source, less those that are left out. It is written into the folder
`.packing`, counted and flushed; then what the index needs of it is kept there, too. A packing that is killed at any
moment goes on after its last whole shard, and ends with the same bytes as one that was not. All is moved out of
`.packing` at the end, until when a data set that is to be replaced stays whole. The manifest is written last.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import importlib.metadata
import json
import logging
import os
import re
import shutil
from pathlib import Path

import numpy as np
import PIL

from tfgans import files, progress, readers
from tfgans.config import ConfigError
from tfgans.data import manifest, passes
from tfgans.data.decode import BadImage
from tfgans.data.hashes import ENDS
from tfgans.data.labels import listed
from tfgans.data.looking import each
from tfgans.data.recoding import Recoder
from tfgans.data.shards import Shard, check, hash_of, write_records

logger = logging.getLogger(__name__)

IMAGES_PER_SHARD = 10_000
_MOST_SHARDS = (
    400  # each is a file that stays open, of 1,024 that most systems allow for all splits and the rest
)
_WORK, _PLAN = ".packing", "plan.json"
_OURS = re.compile(
    r"(?P<part>\.)?([\w.-]+-\d{5}-of-\d{5}\.array_record|[\w.-]+\.index\.npz|manifest\.json)(?(part)\.part\d+)"
)  # and what `files.replacing` leaves of them when it is killed


@dataclasses.dataclass(frozen=True)
class Options:
    """How a packed data set is written.

    Args:
        images_per_shard: of the source, less those that are left out.
        skip: leave images out that cannot be used, rather than refuse them.
        overwrite: what the folder has packed, or half packed of something else.
    """

    images_per_shard: int = IMAGES_PER_SHARD
    skip: bool = False
    overwrite: bool = False


def pack(contents, form, source, output, options):
    """Writes a packed data set, or goes on with one that was begun.

    Args:
        contents: [`looking.Content`] of the splits. form: a `recoding.Form`. source: its name, for the manifest.
        output: the folder. options: `Options`.
    Returns: the `Manifest`.
    Raises: ConfigError for images that cannot be used, unless they are left out, and a folder that has something
        else; OSError if it cannot be written.
    """
    output = Path(output)
    for content in contents:
        _check(content, options)
    about = dataclasses.asdict(form) | {"images_per_shard": options.images_per_shard}
    about["resolution"] = form.size and list(form.size)
    about |= {"pillow": PIL.__version__, "imagecodecs": importlib.metadata.version("imagecodecs")}
    plan = {"source": source, "options": about, "splits": {each.split: _identity(each) for each in contents}}
    with _taken(output):
        _make_room(output, json.dumps(plan, indent=1), options.overwrite)
        splits = {content.split: _Packing(output, content, form, options).write() for content in contents}
        default = form.size or contents[0].default_resolution
        found = manifest.Manifest(source, about, default, splits)
        _take_place(output, splits.values())
        found.write(output)
        shutil.rmtree(output / _WORK)
    return found


def verify(folder):
    """Reads all of a packed data set and compares it with its hashes.

    Returns: the `Manifest`. Raises: ConfigError naming the files that are not as they were written.
    """
    found, wrong = manifest.Manifest.read(folder), []
    shards = [shard for split in found.splits.values() for shard in (*split.shards, split.index)]
    with progress.Bar(f"reading {folder}", sum(shard.bytes for shard in shards), "B", unit_scale=True) as bar:
        for shard in shards:
            try:
                same = hash_of(Path(folder) / shard.file) == shard.sha256
            except OSError:
                same = False
            wrong += [] if same else [shard.file]
            bar.update(shard.bytes)
    if wrong:
        raise ConfigError(
            f"{folder}: {len(wrong)} of {len(shards)} files are not as they were when packed: {listed(wrong)}"
        )
    return found


def _check(content, options):
    if not options.skip or len(content.bad) == len(content.items):
        content.refuse(content.bad)
    least = -(-len(content.items) // _MOST_SHARDS)
    if options.images_per_shard < least:
        raise ConfigError(
            f"--images_per_shard is at least {least} for {len(content.items)} images: "
            f"there are at most {_MOST_SHARDS} files. Received: {options.images_per_shard}"
        )


def _identity(content):
    """What a packing that goes on must find again."""
    names = hashlib.sha256(b"\0".join(os.fsencode(content.items.name(i)) for i in range(len(content.items))))
    labels = None if content.labels is None else hashlib.sha256(content.labels.tobytes()).hexdigest()
    return {"images": len(content.items), "names": names.hexdigest(), "labels": labels,
            "class_names": content.class_names}  # fmt: skip


@contextlib.contextmanager
def _taken(output):
    """Makes the folder, and keeps other processes from packing into it."""
    (output / _WORK).mkdir(parents=True, exist_ok=True)
    with open(output / _WORK / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"another process is packing into {output}") from error
        yield


def _make_room(output, plan, overwrite):
    """Makes the folder ready to begin, or to go on where it was left."""
    path, finished = output / _WORK / _PLAN, (output / manifest.FILE).exists()
    begun = readers.text_or_none(path) if path.exists() else None
    if begun == plan and (overwrite or not finished):
        for left in output.glob(".*.part*"):
            if _OURS.fullmatch(left.name):
                left.unlink()
        return
    try:
        _refuse(output, finished, begun is not None, overwrite)
    except ConfigError:
        if begun is None:
            shutil.rmtree(output / _WORK)
        raise
    if not finished:
        _remove_ours(output)
    for old in (output / _WORK).iterdir():
        if old.name != "lock":
            old.unlink()
    files.write_text(path, plan)


def _remove_ours(output, but=()):
    """Removes what a packing has written into its folder; hidden files of the user's stay."""
    for old in output.iterdir():
        if _OURS.fullmatch(old.name) and old.name not in but:
            old.unlink()


def _take_place(output, splits):
    """Moves what was packed out of `.packing`, in the place of an earlier data set."""
    names = [part.file for split in splits for part in (*split.shards, split.index)]
    (output / manifest.FILE).unlink(missing_ok=True)  # first: the rest is nothing without it
    for name in names:
        if (output / _WORK / name).exists():  # else it is there already, by a packing that was killed here
            os.replace(output / _WORK / name, output / name)
    _remove_ours(output, names)


def _refuse(output, finished, begun, overwrite):
    if finished and not overwrite:
        raise ConfigError(f"{output} has a packed data set already: --overwrite replaces it")
    if begun and not overwrite:
        raise ConfigError(
            f"{output} has the beginning of another packing, of other images or with other options: "
            "--overwrite begins anew"
        )
    others = [path.name for path in output.iterdir() if path.name != _WORK and not path.name.startswith(".")]
    if overwrite:
        others = [name for name in others if not _OURS.fullmatch(name)]
    if others:
        raise ConfigError(f"{output} is not empty: it has {listed(sorted(others))}")


class _Packing:
    """One split on its way into a folder."""

    def __init__(self, output, content, form, options):
        self.output, self.work, self.content, self.options = output, output / _WORK, content, options
        self.recoder = Recoder(content.items, form, content.sizes, all(content.grays))

    def write(self):
        """Writes what is not there yet. Returns: a `manifest.Split`."""
        total, step, parts = len(self.content.items), self.options.images_per_shard, []
        of = -(-total // step)
        with progress.Bar(f"packing {self.content.title}", total, "image") as bar:
            for k in range(of):
                name = f"{self.content.split}-{k:05}-of-{of:05}.array_record"
                numbers = range(k * step, min((k + 1) * step, total))
                part = self._finished(name)
                if part is None:
                    part = self._write(name, numbers, bar)
                else:
                    bar.initial += len(numbers)
                    bar.update(len(numbers))
                parts.append(part)
        return self._split(parts)

    def _write(self, name, numbers, bar):
        """Writes a shard and what the index needs of it: the arrays of `_finished`."""
        rows, bad = [], {}

        def records():
            for i, found in zip(numbers, each(self.recoder, numbers, bar), strict=True):
                if isinstance(found, BadImage):
                    bad[i] = found
                else:
                    rows.append((i, *found.size, found.gray, found.plain, found.digest, found.origin))
                    yield found.record

        path = self.work / name
        shard = write_records(path, records(), self.recoder.kind == manifest.RAW)
        if not self.options.skip:
            self.content.refuse(bad)
        about = {"shard": dataclasses.asdict(shard), "skipped": [[i, str(why)] for i, why in bad.items()]}
        arrays = {
            "numbers": np.array([row[0] for row in rows], np.int64),
            "sizes": np.array([row[1:3] for row in rows], np.int32).reshape(-1, 2),
            "gray": np.array([row[3] for row in rows], bool),
            "plain": np.array([row[4] for row in rows], bool),
            "digests": np.frombuffer(b"".join(row[5] for row in rows), np.uint8).reshape(-1, 32),
            "origins": np.frombuffer(b"".join(row[6] for row in rows), np.uint8).reshape(-1, 32),
            "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        }
        with files.replacing(self._kept(name)) as file:
            np.savez(file, **arrays)
        return arrays

    def _kept(self, name):
        return self.work / f"{name}.npz"

    def _finished(self, name):
        """The arrays of a shard that is there, whole, and of the images as they are now; else None."""
        if not self._kept(name).exists():
            return None
        try:
            arrays = readers.read_npz(self._kept(name), "rows of an index")
            shard, skipped = _about(arrays)
            origins = passes.digests(self.content.items, arrays["numbers"], ENDS, self.content.title)
        except ConfigError:
            return None
        same = np.array_equal(origins, arrays.get("origins")) and self._are_left_out(skipped)
        place = self.work
        if not (self.work / name).exists() and not (self.output / manifest.FILE).exists():
            place = self.output  # it was killed as it moved them
        return arrays if same and (not shard.images or check(place, shard) is None) else None

    def _are_left_out(self, skipped):
        """Whether these images, [[number, reason]], would be left out once more: they may have been mended."""
        return not skipped or (self.options.skip and all(self._why_not(i) == why for i, why in skipped))

    def _why_not(self, i):
        """Why image i cannot be used, or None."""
        try:
            self.recoder(i)
        except BadImage as error:
            return str(error)

    def _split(self, parts):
        """Writes the index. Returns: a `manifest.Split`."""
        columns = ("numbers", "sizes", "gray", "plain", "digests")
        content, arrays = (
            self.content,
            {name: np.concatenate([part[name] for part in parts]) for name in columns},
        )
        numbers = arrays.pop("numbers")
        about = [_about(part) for part in parts]
        skipped = {i: why for _, bad in about for i, why in bad}
        if not len(numbers):
            content.refuse(skipped)
        if content.labels is not None:
            arrays["labels"] = content.labels[numbers]
        names = [content.items.name(int(i)) for i in numbers]
        index = manifest.write_index(self.work / f"{content.split}.index.npz", arrays, names)
        shards = [shard for shard, _ in about if shard.images]
        named = [[content.items.name(i), why] for i, why in skipped.items()]
        return manifest.Split(self.recoder.kind, len(numbers), content.class_names, index, shards, named)


def _about(arrays):
    """(shard, [[number, reason]] of the images that were left out) of what is kept of a shard."""
    about = readers.parse_json(arrays["about"].tobytes())
    return Shard(**about["shard"]), about["skipped"]
