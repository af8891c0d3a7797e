"""How image files lie below a root, be it a folder or a zip: what counts as an image, and what is a class."""

import collections
import dataclasses
import functools
import logging
import posixpath
import re

import numpy as np

from tfgans.config import ConfigError
from tfgans.data import stylegan_labels
from tfgans.data.items import Items, shown
from tfgans.data.labels import listed, natural, normal

logger = logging.getLogger(__name__)

EXTENSIONS = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif")
# Other images are named where they are left out. TIFF is among them: its library writes lines of its own to stderr,
# and many of its files hold stacks, floats or 16-bit colours, of which the user has to say what becomes 8 bits.
_NOT_READ = (
    ".tif", ".tiff", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".svg", ".psd", ".ico", ".icns", ".tga",
    ".dds", ".exr", ".hdr", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf",
    ".rw2", ".raf", ".dcm", ".npy",
)  # fmt: skip
# Of macOS's zips, and at the root of Linux's disks, for root alone to read.
_OF_SYSTEMS = ("__MACOSX", "lost+found")


def is_hidden(name):
    """Whether a file or folder of this name, without those above it, is ignored with all that is in it."""
    return name.startswith(".") or name in _OF_SYSTEMS


def sort_out(name, left_out):
    """Whether a file of this name is an image that is read; an image that is not is counted in `left_out`."""
    extension = posixpath.splitext(name.lower())[1]
    if extension in _NOT_READ:
        left_out[extension] += 1
    return extension in EXTENSIONS


def in_order(files):
    """Paths sorted by their parts: what is in a folder stays together."""
    return sorted(files, key=lambda file: file.replace("/", "\0"))


@dataclasses.dataclass
class Layout:
    """What lies below a root.

    Args:
        title: what messages call the root, `folder x`.
        files: paths of the images, relative to it, with `/`, in the order of `in_order`.
        folders: names of the folders directly in it.
        left_out: {extension: number} of images of formats that are not read.
        labels_file: reads `dataset.json`, names -> (labels, class names); None if there is none.
    Raises: ConfigError if there is no image. Images that are left out are logged.
    """

    title: str
    files: list
    folders: list
    left_out: dict
    labels_file: object = None

    def __post_init__(self):
        others = ", ".join(f"{extension} ({count})" for extension, count in sorted(self.left_out.items()))
        if not self.files:
            found = f", and found {others}, which are not read: convert them" if others else ""
            raise ConfigError(f"{self.title} has no images; looked for {', '.join(EXTENSIONS)}{found}")
        if others:
            logger.warning("%s: images of formats that are not read are left out: %s", self.title, others)
        flat = [file for file in self.files if "/" not in file]
        self._flat = len(flat) == len(self.files)
        if flat and not self._flat and self.labels_file is None:
            raise ConfigError(
                f"{self.title} has images both directly in it ({len(flat)}, as {shown(flat[0])}) and in "
                f"sub-folders ({len(self.files) - len(flat)}); it must be flat or have one sub-folder a class"
            )

    def classes(self):
        """(labels [n] or None, class names or None)."""
        if self.labels_file is not None:
            return self.labels_file(self.files)
        return (None, None) if self._flat else self._from_folders()

    def _from_folders(self):
        class_names = sorted(self.folders, key=natural)
        self._tell_alike(class_names)
        places = {name: k for k, name in enumerate(class_names)}
        if all(re.fullmatch("[0-9]{5}", name) for name in class_names):
            logger.info(
                "%s: %d folders = %d classes (%s); if they are parts of one set, whose %s is missing, "
                "Dataset.use_labels = False trains without classes",
                self.title, len(class_names), len(class_names), listed(class_names), stylegan_labels.FILE,
            )  # fmt: skip
        return np.array([places[file.partition("/")[0]] for file in self.files], np.int32), class_names

    def _tell_alike(self, class_names):
        """Warns of classes whose names look the same, since one was written on another system."""
        forms = collections.Counter(map(normal, class_names))
        alike = [ascii(name) for name in class_names if forms[normal(name)] > 1]
        if alike:
            line = "%s: folders of the same name in different Unicode forms are different classes: %s"
            logger.warning(line, self.title, listed(alike))


class LaidOut(Items):
    """Image files of a `Layout`. What their classes are is found out once and only if asked for: without labels it
    does not matter what is wrong with them."""

    def __init__(self, layout):
        self.files = layout.files
        self._classes = functools.cache(layout.classes)

    @property
    def labels(self):
        return self._classes()[0]

    @property
    def class_names(self):
        return self._classes()[1]

    def __len__(self):
        return len(self.files)

    def name(self, i):
        return self.files[i]
