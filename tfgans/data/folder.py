"""A folder of image files: flat, with one sub-folder a class, or as StyleGAN's data tool makes them."""

import collections
import functools
import os
from pathlib import Path

from tfgans import readers
from tfgans.config import ConfigError
from tfgans.data import stylegan_labels
from tfgans.data.decode import BadImage, Unreachable, open_file, open_image
from tfgans.data.hashes import FileHashes
from tfgans.data.headers import FileHeaders
from tfgans.data.layout import LaidOut, Layout, in_order, is_hidden, sort_out
from tfgans.files import expanded


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
        labels = self.path / stylegan_labels.FILE
        read = functools.partial(stylegan_labels.read_labels, labels) if labels.exists() else None
        return FileItems(self.path, Layout(f"folder {self.path}", *_image_files(self.path), read))


class FileItems(LaidOut):
    """Image files, decoded when read."""

    def __init__(self, root, layout):
        super().__init__(layout)
        self.root = root
        self.hashes, self.known = FileHashes(root), FileHeaders(root, self.files)

    def read(self, i):
        self.known.check_unchanged(i)
        return open_image(self.root / self.files[i])

    def headers(self, indices):
        return self.known.of(indices)

    def encoded(self, i):
        try:
            with open_file(self.root / self.files[i]) as file:
                data = file.read()
        except OSError as error:
            raise Unreachable("cannot be opened") from error
        if not data:
            raise BadImage("empty file")
        return data

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


def refuse_unreadable(error):
    """Raises ConfigError for a folder whose names the system does not tell, by the OSError that says so."""
    raise ConfigError(f"folder {error.filename} cannot be read: {readers.reason(error)}") from error


def _image_files(root):
    """Image files, names of the folders in `root`, and {extension: number} of images that are not read.

    Files, with `/`, and folders are relative to `root` and sorted; links are followed, each folder once.
    Raises: ConfigError naming a folder that cannot be read, whose images would else be missing without a word.
    """
    files, tops, seen, left_out = [], [], set(), collections.Counter()
    for folder, folders, names in os.walk(root, onerror=refuse_unreadable, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if real in seen:
            folders[:] = []
            continue
        seen.add(real)
        if os.path.dirname(folder) == str(root):
            tops.append(os.path.basename(folder))
        within = "" if folder == str(root) else f"{os.path.relpath(folder, root)}/"
        for name in names:
            if not name.startswith(".") and sort_out(name, left_out):
                files.append(within + name)
    return in_order(files), sorted(tops), left_out
