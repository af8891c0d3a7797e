"""A look at all images of a split of a source before they are written in another form."""

import dataclasses
import re

import numpy as np

from tfgans import progress
from tfgans.config import ConfigError
from tfgans.data import passes
from tfgans.data.decode import BadImage
from tfgans.data.items import unusable
from tfgans.data.labels import as_int32

_CHUNK = 64  # images handed to the threads at once


@dataclasses.dataclass
class Content:
    """A split of a source, looked at.

    Args:
        split: its name. items: its images, as they are used at their resolution.
        title: what messages call the source. labels: int32 [n], or None. class_names: or None.
        default_resolution: the source's.
        sizes, grays: [(height, width)] and [bool] of the images that `bad` does not have.
        bad: {number: reason} of the images that cannot be used, as far as their headers say.
    """

    split: str
    items: object
    title: str
    labels: np.ndarray | None
    class_names: list | None
    default_resolution: int | None
    sizes: list = dataclasses.field(default_factory=list)
    grays: list = dataclasses.field(default_factory=list)
    bad: dict = dataclasses.field(default_factory=dict)

    def refuse(self, bad):
        """Raises ConfigError that names the images of `bad`, if there are any."""
        if bad:
            hint = "; --on_bad_image=skip leaves them out" if len(bad) < len(self.items) else ""
            raise ConfigError(unusable(self.title, bad, len(self.items), self.items.name) + hint)


def look_at(origin, split, title, form, use_labels=True):
    """The `Content` of a split: every image's header is read.

    Args:
        origin: the source. title: its name. form: a `recoding.Form`. use_labels: False leaves the labels out.
    Raises: ConfigError for points, and whatever is wrong with labels.
    """
    if not re.fullmatch(r"[\w.-]+", split) or split not in origin.splits:
        raise ConfigError(f"{title} has no split {split!r}. Allowed: {', '.join(origin.splits)}")
    with progress.phase(f"opening {title}"):
        items = origin.open(split)
    if hasattr(items, "points"):
        raise ConfigError(f"{title} has points: what is packed is images")
    labels, names = (items.labels, items.class_names) if use_labels else (None, None)
    labels = None if labels is None else as_int32(np.asarray(labels), title)
    names = None if labels is None or names is None else [str(name) for name in names]
    default = getattr(origin, "default_resolution", None)
    items = items.at(max(form.size) if form.size else default)
    content = Content(split, items, title, labels, names, default)
    numbers = range(len(items))
    with progress.Bar(f"checking {title}", len(items), "image") as bar:
        for i, found in zip(numbers, each(items.header, numbers, bar), strict=True):
            if not isinstance(found, BadImage) and min(found[0]) < form.shortest:
                found = BadImage(f"too small, {found[0][1]}x{found[0][0]}")
            if isinstance(found, BadImage):
                content.bad[i] = found
            else:
                content.sizes.append(found[0])
                content.grays.append(found[1])
    return content


def each(function, numbers, bar):
    """`function(i)`, or the BadImage that it raises, of each of some numbers in their order, by threads."""

    def call(i):
        try:
            return function(i)
        except BadImage as error:
            return error

    with passes.threads() as pool:
        under_way = iter(())
        for start in range(0, len(numbers), _CHUNK):
            following = pool.map(call, numbers[start : start + _CHUNK])
            yield from _counted(under_way, bar)
            under_way = following
        yield from _counted(under_way, bar)


def _counted(found, bar):
    for one in found:
        bar.update()
        yield one
