"""A folder of image files: flat, with one sub-folder a class, or as StyleGAN's data tool makes them."""

import collections
import functools
import logging
import os
import re
from pathlib import Path

import numpy as np

from tfgans.config import ConfigError
from tfgans.data import stylegan_labels
from tfgans.data.decode import Unreachable, open_image
from tfgans.data.hashes import FileHashes
from tfgans.data.headers import FileHeaders
from tfgans.data.items import Items
from tfgans.data.labels import listed, natural
from tfgans.files import expanded

logger = logging.getLogger(__name__)

EXTENSIONS = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif")
# Other images are named where they are left out. TIFF is among them: its library writes lines of its own to stderr,
# and many of its files hold stacks, floats or 16-bit colours, of which the user has to say what becomes 8 bits.
_NOT_READ = (
    ".tif", ".tiff", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".svg", ".psd", ".ico", ".icns", ".tga",
    ".dds", ".exr", ".hdr", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf",
    ".rw2", ".raf", ".dcm", ".npy",
)  # fmt: skip


class Folder:
    """Images below `path`, in the order of their paths.

    Images directly in it: no labels. Images in sub-folders: one class for each sub-folder, also for one
    without an image (nobody can train on such a class, see `Dataset.check_classes`); deeper folders belong to
    the class above them. Classes are sorted by name, in which numbers count as numbers: 2 is before 10. With a
    file `dataset.json` in it, as StyleGAN's data tool writes (`00000/`, `00001/` ...), labels come from there,
    and sub-folders are no classes. Extensions count in either case; images of formats that are not read are left
    out, which is logged with their number; other files, names that begin with a dot, and `__MACOSX` are ignored.
    There is only one split, `train`.
    """

    splits = ("train",)
    default_resolution = None

    def __init__(self, path):
        self.path = Path(expanded(path))

    def open(self, split):
        if not self.path.is_dir():
            found = "it is not a folder" if self.path.exists() else "it does not exist"
            raise ConfigError(f"folder {self.path} has no images: {found}")
        files, folders, left_out = _image_files(self.path)
        others = ", ".join(f"{extension} ({count})" for extension, count in sorted(left_out.items()))
        if not files:
            found = f", and found {others}, which are not read: convert them" if others else ""
            raise ConfigError(f"folder {self.path} has no images; looked for {', '.join(EXTENSIONS)}{found}")
        if others:
            logger.warning(
                "folder %s: images of formats that are not read are left out: %s", self.path, others
            )
        flat = [file for file in files if "/" not in file]
        if (self.path / stylegan_labels.FILE).exists():
            return FileItems(
                self.path, files, lambda: stylegan_labels.read_labels(self.path / stylegan_labels.FILE, files)
            )
        if len(flat) == len(files):
            return FileItems(self.path, files)
        if flat:
            raise ConfigError(
                f"folder {self.path} has images both directly in it ({len(flat)}, as {flat[0]}) and in "
                f"sub-folders ({len(files) - len(flat)}); it must be flat or have one sub-folder a class"
            )
        return FileItems(self.path, files, lambda: self._from_folders(files, folders))

    def _from_folders(self, files, folders):
        class_names = sorted(folders, key=natural)
        places = {name: k for k, name in enumerate(class_names)}
        if all(re.fullmatch("[0-9]{5}", name) for name in class_names):
            logger.info(
                "folder %s: %d folders = %d classes (%s); if they are parts of one set, whose %s is missing, "
                "Dataset.use_labels = False trains without classes",
                self.path, len(folders), len(folders), listed(class_names), stylegan_labels.FILE,
            )  # fmt: skip
        return np.array([places[file.partition("/")[0]] for file in files], np.int32), class_names


class FileItems(Items):
    """Image files, decoded when read.

    Args:
        root: the folder. files: their paths below it, with `/`.
        classes: a function that finds out (labels, class names), called once and only if they are asked for: without
            labels it does not matter what is wrong with them.
    """

    def __init__(self, root, files, classes=lambda: (None, None)):
        self.root, self.files = root, files
        self._classes = functools.cache(classes)
        self.hashes, self.known = FileHashes(root), FileHeaders(root, files)

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

    def read(self, i):
        self.known.check_unchanged(i)
        return open_image(self.root / self.files[i])

    def headers(self, indices):
        return self.known.of(indices)

    def digest(self, i):
        try:
            return self.hashes.digest(self.files[i])
        except OSError as error:
            raise Unreachable("cannot be opened") from error

    def ends(self, indices):
        return self.known.ends(indices)

    def decoded(self, i):
        return self.known.decoded(i)

    def note_decoded(self, i, size):
        self.known.note_decoded(i, size)

    def remember(self):
        self.hashes.remember(self.files)
        self.known.remember()


def _image_files(root):
    """Image files, names of the folders in `root`, and {extension: number} of images that are not read.

    Files, with `/`, and folders are relative to `root` and sorted; links are followed, each folder once.
    """
    files, tops, seen, left_out = [], [], set(), collections.Counter()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        if real in seen:
            folders[:] = []
            continue
        seen.add(real)
        if os.path.dirname(folder) == str(root):
            tops.append(os.path.basename(folder))
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        below = "" if below == "." else f"{below}/"
        for name in names:
            extension = os.path.splitext(name.lower())[1]
            if name.startswith("."):
                continue
            if extension in EXTENSIONS:
                files.append(below + name)
            elif extension in _NOT_READ:
                left_out[extension] += 1
    files.sort(key=lambda file: file.replace("/", "\0"))  # folder by folder: "a/b" before "a.b"
    return files, sorted(tops), left_out
