"""A folder of image files, flat or with one sub-folder a class."""

import collections
import logging
import os
from pathlib import Path

import numpy as np

from tfgans.config import ConfigError
from tfgans.data.decode import BadImage, open_image
from tfgans.data.hashes import FileHashes
from tfgans.data.items import Items

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

    Images directly in it: no labels. Images in sub-folders: one class for each sub-folder with an
    image, sorted by name; deeper folders belong to the class above them. Extensions count in either
    case; images of formats that are not read are left out, which is logged with their number; other files,
    and names that begin with a dot, are ignored. There is only one split, `train`.
    """

    splits = ("train",)
    default_resolution = None

    def __init__(self, path):
        self.path = Path(path).expanduser()

    def open(self, split):
        if not self.path.is_dir():
            found = "it is not a folder" if self.path.exists() else "it does not exist"
            raise ConfigError(f"folder {self.path} has no images: {found}")
        files, left_out = _image_files(self.path)
        others = ", ".join(f"{extension} ({count})" for extension, count in sorted(left_out.items()))
        if not files:
            found = f", and found {others}, which are not read: convert them" if others else ""
            raise ConfigError(f"folder {self.path} has no images; looked for {', '.join(EXTENSIONS)}{found}")
        if others:
            logger.warning(
                "folder %s: images of formats that are not read are left out: %s", self.path, others
            )
        flat = [file for file in files if len(file.parts) == 1]
        if len(flat) == len(files):
            return FileItems(self.path, files)
        if flat:
            raise ConfigError(
                f"folder {self.path} has images both directly in it ({len(flat)}, as {flat[0]}) and in "
                f"sub-folders ({len(files) - len(flat)}); it must be flat or have one sub-folder a class"
            )
        class_names = sorted({file.parts[0] for file in files})
        labels = np.array([class_names.index(file.parts[0]) for file in files], np.int32)
        return FileItems(self.path, files, labels, class_names)


class FileItems(Items):
    """Image files, decoded when read."""

    def __init__(self, root, files, labels=None, class_names=None):
        self.root, self.files = root, files
        self.labels, self.class_names = labels, class_names
        self.hashes = FileHashes(root)

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

    def digest(self, i):
        try:
            return self.hashes.digest(str(self.files[i]))
        except OSError as error:
            raise BadImage("cannot be opened") from error

    def remember(self):
        self.hashes.remember(map(str, self.files))


def _image_files(root):
    """Paths of image files relative to `root`, sorted, and {extension: number} of images that are not read.

    Links are followed, each folder once.
    """
    files, seen, left_out = [], set(), collections.Counter()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if real in seen:
            folders[:] = []
            continue
        seen.add(real)
        for name in names:
            extension = os.path.splitext(name.lower())[1]
            if name.startswith("."):
                continue
            if extension in EXTENSIONS:
                files.append((Path(folder) / name).relative_to(root))
            elif extension in _NOT_READ:
                left_out[extension] += 1
    return sorted(files, key=lambda file: file.parts), left_out
