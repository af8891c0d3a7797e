"""`launch/pack.py`: a source's images in a form that opens at once, or that other tools take."""

import dataclasses
import logging
import os
from pathlib import Path

from tfgans.config import ConfigError
from tfgans.data import packing
from tfgans.data.items import shown
from tfgans.data.looking import look_at
from tfgans.data.sources import find_source
from tfgans.data.zip_writing import write_zip
from tfgans.run.flag_bindings import source_of
from tfgans.run.places import require_place

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Origin:
    """What to pack.

    Args:
        source: as `--data` of training. splits: names of some, or None for all.
        use_labels: whether its labels are packed, too.
        where: `data_dir`, `image_key`, `label_key`, `memory_limit_gb` of `find_source`, which are of TensorFlow
            Datasets alone.
    """

    source: str
    splits: list | None = None
    use_labels: bool = True
    where: dict = dataclasses.field(default_factory=dict)


def pack(origin, output, form, options, kind="packed"):
    """Packs a source.

    Args:
        origin: an `Origin`. output: the folder, or the file of a zip. form: a `recoding.Form`.
        options: `packing.Options`. kind: `packed`, or `zip` for one that StyleGAN takes.
    Returns: what was written, a dictionary that JSON takes.
    Raises: ConfigError in one line for what cannot be packed, OSError for what cannot be written.
    """
    text = source_of(origin.source, "--source")
    _refuse_itself(text, output)
    _refuse_where(origin)
    _check_place(output, kind)
    source = find_source(text, **origin.where)
    if kind == "packed":
        _refuse_unused(form)
    form = _of_packed(source, form, kind)
    names = [name.strip() for name in origin.splits] if origin.splits else list(source.splits)
    if kind == "zip" and len(names) > 1:
        raise ConfigError(f"--format=zip is of one split: --splits={names[0]}. Received: {', '.join(names)}")
    contents = [look_at(source, name, text, form, origin.use_labels) for name in names]
    if kind == "zip":
        counts = write_zip(contents[0], form, output, options.skip, options.overwrite)
        return {"zip": str(output), "source": text, "bytes": os.path.getsize(output)} | counts
    found = packing.pack(contents, form, text, output, options)
    _tell_skipped(found)
    return _about(output, found)


def verify(folder):
    """What a packed data set has, once all of it is compared with its hashes. Raises: as `packing.verify`."""
    return _about(folder, packing.verify(folder)) | {"verified": True}


def _about(folder, found):
    shards = [shard for split in found.splits.values() for shard in split.shards]
    return {
        "packed": str(folder),
        "source": found.source,
        "images": {name: split.images for name, split in found.splits.items()},
        "records": {name: split.records for name, split in found.splits.items()},
        "skipped": sum(len(split.skipped) for split in found.splits.values()),
        "files": len(shards),
        "bytes": sum(shard.bytes for shard in shards),
    }


def _tell_skipped(found):
    for name, split in found.splits.items():
        if split.skipped:
            image, why = split.skipped[0]
            line = "split %s: %d images are left out, such as %s (%s); manifest.json has all of them"
            logger.warning(line, name, len(split.skipped), shown(image), why)


def _of_packed(source, form, kind):
    """`form`, or that of a set packed at a resolution which is packed again as it is.

    Raises: ConfigError for one that needs the originals of such a set.
    """
    made = getattr(source, "form", None)
    if made is not None and form.size is not None:
        source.check_use(form.resolution, form.crop, None, form.background, form.channels)
    return form if made is None or form.size is not None or kind == "zip" else made


def _refuse_unused(form):
    """Raises ConfigError for what is of no use without a resolution, where images are kept as they were."""
    if form.size is None:
        for name, absent in (("channels", None), ("crop", "center"), ("background", "white")):
            if getattr(form, name) != absent:
                raise ConfigError(
                    f"--{name}={getattr(form, name)} needs --resolution: without one images are packed as they are"
                )


def _check_place(output, kind):
    """Raises ConfigError, before the images are looked at, if there is no place for what is written."""
    folder = Path(output) if kind == "packed" else Path(output).parent
    require_place(folder, f"--output={output}")


def _refuse_where(origin):
    """Raises ConfigError for what says which images of TensorFlow Datasets to take, where the source is another."""
    for name, value in origin.where.items():
        if value is not None and not origin.source.startswith("tfds:"):
            raise ConfigError(
                f"--{name}={value} is for --source=tfds:<name> alone. Received: --source={origin.source}"
            )


def _refuse_itself(text, output):
    """Raises ConfigError if what is written would lie in what is read."""
    kind, _, path = text.partition(":")
    if kind in ("folder", "packed", "zip"):
        source, target = Path(path).resolve(), Path(output).resolve()
        if target == source or (kind == "folder" and source in target.parents):
            raise ConfigError(f"--output={output} lies in --source={path}: give another place")
