"""A folder of image files: flat, with one sub-folder a class, or as StyleGAN's data tool makes them."""

import collections
import functools
import logging
import os
from pathlib import Path

from tfgans import readers
from tfgans.config import ConfigError
from tfgans.data import stylegan_labels
from tfgans.data.decode import BadImage, Unreachable, open_file, open_image
from tfgans.data.hashes import FileHashes
from tfgans.data.headers import FileHeaders
from tfgans.data.items import shown
from tfgans.data.labels import listed
from tfgans.data.layout import LaidOut, Layout, in_order, is_hidden, sort_out
from tfgans.files import expanded

logger = logging.getLogger(__name__)


class Folder:
    """Images below `path`, in the order of their paths.

    Images directly in it: no labels. Images in sub-folders: one class for each sub-folder, also for one
    without an image (nobody can train on such a class, see `Dataset.check_classes`); deeper folders belong to
    the class above them. Classes are sorted by name, in which numbers count as numbers: 2 is before 10. With a
    file `dataset.json` in it, as StyleGAN's data tool writes (`00000/`, `00001/` ...), labels come from there,
    and sub-folders are no classes. Extensions count in either case; images of formats that are not read are left
    out, which is logged with their number; other files, names that begin with a dot, and `__MACOSX` are ignored.
    Links to folders are folders, wherever they lead; one that is reached by several names is read once, by its own
    name if that is below `path`, and a line says so, as of links that lead nowhere.
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

    Files, with `/`, and folders are relative to `root` and sorted. What links lead to nowhere or twice is logged.
    Raises: ConfigError naming a folder that cannot be read, whose images would else be missing without a word.
    """
    files, tops, left_out, links = [], [], collections.Counter(), Links(root)
    for folder, names in links.folders():
        if os.path.dirname(folder) == str(root):
            tops.append(os.path.basename(folder))
        within = "" if folder == str(root) else f"{os.path.relpath(folder, root)}/"
        for name in names:
            if name.startswith("."):
                continue
            if sort_out(name, left_out):
                files.append(within + name)
            else:
                links.note_if_broken(os.path.join(folder, name))
    links.tell()
    return in_order(files), sorted(tops), left_out


class Links:
    """The folders below one, links followed: each folder once, by its own name if that is below it, too."""

    def __init__(self, root):
        self.root, self._broken, self._twice = str(root), [], []

    def folders(self):
        """Yields (folder, names of what is in it and is no folder)."""
        seen, waiting = {}, collections.deque([self.root])
        while waiting:
            for folder, folders, names in os.walk(waiting.popleft(), onerror=refuse_unreadable):
                first = seen.setdefault(os.path.realpath(folder), folder)
                if first != folder:
                    folders[:] = []
                    self._twice.append(f"{self._told(folder)} (as {self._told(first)})")
                    continue
                folders[:] = sorted(name for name in folders if not is_hidden(name))
                paths = (os.path.join(folder, name) for name in folders)
                waiting.extend(path for path in paths if os.path.islink(path))
                yield folder, names

    def note_if_broken(self, path):
        """Notes a link that leads nowhere: it may have been to a folder of images."""
        if os.path.islink(path) and not os.path.exists(path):
            self._broken.append(self._told(path))

    def tell(self):
        """Logs a line for links that lead nowhere, and one for those to folders that are read by another name."""
        if self._twice:
            told = listed(sorted(self._twice))
            logger.warning("folder %s: links to folders that are read by another name: %s", self.root, told)
        if self._broken:
            told = listed(sorted(self._broken))
            logger.warning("folder %s: links that lead nowhere are left out: %s", self.root, told)

    def _told(self, path):
        return shown(os.path.relpath(path, self.root))
