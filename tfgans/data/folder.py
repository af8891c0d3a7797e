"""A folder of image files: flat, with one sub-folder a class, or as StyleGAN's data tool makes them."""

import functools
import logging
import os
import re
from pathlib import Path

import numpy as np

from tfgans.config import ConfigError
from tfgans.data import stylegan_labels
from tfgans.data.decode import BadImage, open_image
from tfgans.data.labels import listed, natural

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
logger = logging.getLogger(__name__)


class Folder:
    """Images below `path`, in the order of their paths.

    Images directly in it: no labels. Images in sub-folders: one class for each sub-folder, also for one
    without an image (nobody can train on such a class, see `Dataset.check_classes`); deeper folders belong to
    the class above them. Classes are sorted by name, in which numbers count as numbers: 2 is before 10. With a
    file `dataset.json` in it, as StyleGAN's data tool writes (`00000/`, `00001/` ...), labels come from there,
    and sub-folders are no classes. Extensions count in either case; other files, names that begin with a dot,
    and `__MACOSX` are ignored. There is only one split, `train`.
    """

    splits = ("train",)
    default_resolution = None

    def __init__(self, path):
        self.path = Path(path).expanduser()

    def open(self, split):
        if not self.path.is_dir():
            found = "it is not a folder" if self.path.exists() else "it does not exist"
            raise ConfigError(f"folder {self.path} has no images: {found}")
        files, folders = _image_files(self.path)
        if not files:
            raise ConfigError(f"folder {self.path} has no images; looked for {', '.join(EXTENSIONS)}")
        flat = [file for file in files if len(file.parts) == 1]
        if (self.path / stylegan_labels.FILE).exists():
            return FileItems(self.path, files, lambda: self._from_json(files))
        if len(flat) == len(files):
            return FileItems(self.path, files)
        if flat:
            raise ConfigError(
                f"folder {self.path} has images both directly in it ({len(flat)}, as {flat[0]}) and in "
                f"sub-folders ({len(files) - len(flat)}); it must be flat or have one sub-folder a class"
            )
        return FileItems(self.path, files, lambda: self._from_folders(files, folders))

    def _from_json(self, files):
        names = [file.as_posix() for file in files]
        labels, class_names = stylegan_labels.read_labels(self.path / stylegan_labels.FILE, names)
        found = (
            "no labels" if labels is None else f"labels of {len(class_names or np.unique(labels))} classes"
        )
        logger.info("folder %s: %s from %s", self.path, found, stylegan_labels.FILE)
        return labels, class_names

    def _from_folders(self, files, folders):
        class_names = sorted(folders, key=natural)
        places = {name: k for k, name in enumerate(class_names)}
        shards = all(re.fullmatch("[0-9]{5}", name) for name in class_names)
        hint = f"; are they parts of one set, without its {stylegan_labels.FILE}? Then Dataset.use_labels = False"
        kinds = f"{len(folders)} sub-folder{'s are' if len(folders) > 1 else ' is'} {len(folders)}"
        line = "folder %s: %s class%s: %s%s"
        plural = "es" if len(folders) > 1 else ""
        logger.info(line, self.path, kinds, plural, listed(class_names), hint if shards else "")
        return np.array([places[file.parts[0]] for file in files], np.int32), class_names


class FileItems:
    """Image files, decoded when read.

    `classes()` finds out (labels, class names), once and only if asked for: without labels it does not matter what is
    wrong with them.
    """

    def __init__(self, root, files, classes=lambda: (None, None)):
        self.root, self.files = root, files
        self._classes = functools.cache(classes)

    @property
    def labels(self):
        return self._classes()[0]

    @property
    def class_names(self):
        return self._classes()[1]

    def __len__(self):
        return len(self.files)

    def name(self, i):
        return self.files[i].as_posix()

    def read(self, i):
        path = self.root / self.files[i]
        try:
            if path.stat().st_size == 0:
                raise BadImage("empty file")
        except OSError as error:
            raise BadImage("cannot be opened") from error
        return open_image(path)

    def content(self, i):
        return (self.root / self.files[i]).read_bytes()


def _image_files(root):
    """Image files, and names of the folders in `root`: both relative to it, sorted; links are followed, each once."""
    files, tops, seen = [], [], set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        if real in seen:
            folders[:] = []
            continue
        seen.add(real)
        if os.path.dirname(folder) == str(root):
            tops.append(os.path.basename(folder))
        for name in names:
            if not name.startswith(".") and name.lower().endswith(EXTENSIONS):
                files.append((Path(folder) / name).relative_to(root))
    return sorted(files, key=lambda file: file.parts), sorted(tops)
