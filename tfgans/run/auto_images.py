"""The images that the rules of "auto" are about: those that `Dataset` will train on, as far as is known before it."""

import inspect

import gin
import numpy as np

from tfgans.config import ConfigError, kinds_of, sides
from tfgans.data import Dataset, passes
from tfgans.data.decode import BadImage, least_side
from tfgans.data.sources import check_split, find_source, title
from tfgans.data.store import CHECKED_ONCE
from tfgans.data.subset import classes_given, items_of_classes, select_fraction, select_half

_LOOKED_AT = 1000
_WHERE = ("data_dir", "image_key", "label_key", "memory_limit_gb")
_WHICH = (
    "source", "split", "classes", "classes_file", "use_labels", "fraction", "fraction_order", "fraction_seed", "half",
    "half_order", "on_bad_image", "min_size",
)  # fmt: skip


class Images:
    """What headers say of the images of the bound `Dataset`: of its classes, its fraction and its half.

    Bad ones are left out where `on_bad_image` is `skip`; else they end the run, and it does not matter what they are.

    Args: with_classes: whether labels are of use; if not, what is wrong with them does not matter.
    Attributes: seen, ((height, width), whether gray) of up to 1,000; transparent, how many of these have alpha.
    Raises: ConfigError if they cannot be looked at.
    """

    def __init__(self, with_classes=True):
        self._how = how = _options()
        self._title, split = title(how["source"]), how["split"]
        origin = find_source(how["source"], **{name: how[name] for name in _WHERE})
        check_split(origin, split, self._title)
        self._items = items = origin.open(split)
        if hasattr(items, "points"):
            raise ConfigError(f"{self._title} has points: what is 'auto' is for images")
        classes = classes_given(how["classes"], how["classes_file"])
        self.use_labels = how["use_labels"]
        wanted = with_classes and self.use_labels
        (chosen, labels, self._names), _ = items_of_classes(items, classes, wanted, self._title, split)
        self._labels = None if labels is None else np.asarray(labels)
        self._sources = np.arange(len(items)) if chosen is None else chosen
        self._usable, self._skips = np.arange(len(self._sources)), how["on_bad_image"] == "skip"
        if self._skips:
            self._sizes, _, bad = passes.headers(items, self._sources, self._title)
            self._usable = np.delete(self._usable, list(bad))
        self._take()
        self._look()

    def narrow(self, resolution):
        """Leaves out the images that `skip` will at a resolution: too small ones, and those that do not decode.

        Each is decoded only where few are trained on, and `Dataset` decodes them at its start, too: of many images a
        few less make no difference.
        """
        if not self._skips:
            return
        shortest = least_side(sides(resolution), self._how["min_size"])
        self._usable = self._usable[self._sizes[self._usable].min(1) >= shortest]
        self._take()
        if self.count < _LOOKED_AT and len(self._sources) <= CHECKED_ONCE:
            bad = passes.undecodable(self._items, self._sources[self._usable], self._title)
            self._usable = np.delete(self._usable, list(bad))
            self._take()

    @property
    def count(self):
        return len(self._taken)

    @property
    def class_counts(self):
        if self._labels is None:
            return np.zeros(0, int)
        labels = self._labels[self._taken]
        return np.bincount(labels[labels >= 0], minlength=len(self._names or ()))

    @property
    def side(self):
        """The largest number of pixels that half of the images have in their shorter side."""
        return sorted(min(size) for size, _ in self.seen)[len(self.seen) // 2]

    @property
    def shape(self):
        """What is said of images that all have one shape, which is no square."""
        sizes = {size for size, _ in self.seen}
        height, width = min(sizes)
        if len(sizes) > 1 or height == width:
            return ""
        return f"; squares are cut out, as all are {height} high and {width} wide: HxW keeps a shape"

    @property
    def alpha(self):
        """What is said of images with alpha."""
        if not self.transparent:
            return ""
        kept = 2 if self.gray else 4
        return f"; {self.transparent:,} of {len(self.seen):,} have alpha, which channels = {kept} keeps"

    @property
    def gray(self):
        return all(gray for _, gray in self.seen)

    def _take(self):
        """Notes which of the images of the classes are trained on, as `Dataset` takes them."""
        if not len(self._usable):
            raise ConfigError(f"{self._title}: none of {len(self._sources)} images can be used")
        how = self._how
        order, seed = how["fraction_order"], how["fraction_seed"]
        some = select_fraction(self._usable, how["fraction"], order, seed)
        self._taken = select_half(some, how["half"], how["half_order"], seed)

    def _look(self):
        places = np.unique(np.linspace(0, self.count - 1, min(self.count, _LOOKED_AT)).astype(int))
        self.transparent = 0
        seen = [self._header(int(i)) for i in self._sources[self._taken[places]]]
        self.seen = [each for each in seen if each is not None]
        if not self.seen:
            raise ConfigError(f"{self._title}: none of {len(places)} images can be read")

    def _header(self, i):
        """Of one image; None of one that cannot be read, which is named when the data are checked."""
        try:
            with self._items.read(i) as image:
                self.transparent += image.has_transparency_data
            return self._items.header(i)
        except BadImage:
            return None


def _options():
    """What decides which images there are, as bound or by default. Raises ConfigError if it is of another kind."""
    signature, bound = inspect.signature(Dataset.__init__), gin.get_bindings("Dataset")
    kinds = kinds_of(signature)
    found = {name: bound.get(name, signature.parameters[name].default) for name in _WHERE + _WHICH}
    for name, value in found.items():
        kinds[name].check(f"Dataset.{name}", value)
    return found
