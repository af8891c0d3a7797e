"""What `generate` leaves in its folder: samples in a folder of their own, and pictures beside that.

`images/image_00000.png`, `image_00001.png` ... are the samples alone, so that `images` is a data set and a folder for
other FID tools. Beside it lie `grid.png`, `interpolation.png` and `.gif`, `style_mixing.png` or
`style_layers.png`; points are in `points.npy` and `points.png`.
"""

import contextlib
import os
import re
import shutil
from pathlib import Path

import numpy as np

from tfgans import files, pictures, progress
from tfgans.config import ConfigError
from tfgans.data.folder import EXTENSIONS

_SAMPLE = re.compile(r"image_\d{5,}\.png")
_PICTURES = (
    "grid.png",
    "points.npy",
    "points.png",
    "interpolation.png",
    "interpolation.gif",
    "style_mixing.png",
    "style_layers.png",
)


class SampleFolder:
    """The folder that one call of `generate` fills, all at once: samples of two calls are never mixed.

    Args:
        path: the folder; it need not be there.
        overwrite: remove what an earlier call made, when the new files are ready. Other files always stay.
    Raises: ConfigError if the folder cannot be written to, or holds samples or other images and `overwrite` is false,
        or if there are files in `images` that `generate` has not made.
    """

    def __init__(self, path, overwrite=False):
        self.path = Path(files.expanded(path))
        self.images = self.path / "images"
        try:
            files.check_place(self.path)
            self._check_contents(overwrite)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written to: {error}") from error

    def _check_contents(self, overwrite):
        if not self.path.exists():
            return
        foreign = [path for path in _visible(self.images) if not _SAMPLE.fullmatch(path.name)]
        if foreign or (self.images.exists() and not self.images.is_dir()):
            other = foreign[0] if foreign else self.images
            raise ConfigError(f"{other} was not made by generate, which needs that place for its samples")
        if overwrite:
            return
        made = self._made()
        if made:
            raise ConfigError(
                f"{self.path} holds {len(made)} files of an earlier generate, such as {made[0].name}: choose another "
                "folder, or --overwrite to replace them"
            )
        others = [path for path in _visible(self.path) if path.name.lower().endswith(EXTENSIONS)]
        if others:
            raise ConfigError(
                f"{self.path} holds {len(others)} other images, such as {others[0].name}: choose another folder, or "
                "--overwrite to write beside them"
            )

    def _made(self):
        """What earlier calls made, also those that put samples beside the grid."""
        beside = [path for path in _visible(self.path) if _is_made(path)]
        return [path for path in _visible(self.images) if _is_made(path)] + beside

    def fill(self, write):
        """Takes the place of what was there with what `write(part)` writes into the folder `part`, or with nothing.

        Args:
            write: returns the paths of what it has written.
        Returns: the paths at which that lies now.
        """
        new = not self.path.exists()
        self.path.mkdir(parents=True, exist_ok=True)
        for left in self.path.glob(".generate.part*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        part = self.path / f".generate.part{os.getpid()}"
        try:
            part.mkdir()
            paths = write(part)
            self._replace(part)
            return [self.path / path.relative_to(part) for path in paths]
        finally:
            shutil.rmtree(part, ignore_errors=True)
            if new:
                with contextlib.suppress(OSError):
                    self.path.rmdir()  # if it is still empty

    def _replace(self, part):
        for path in self._made():
            path.unlink()
        if self.images.is_dir():
            self.images.rmdir()
        for path in sorted(part.iterdir(), reverse=True):  # the samples, then the pictures
            path.rename(self.path / path.name)


def write_images(folder, images, columns=None):
    """Writes samples and their grid (or points and their plot) into a folder; returns the paths.

    Args:
        images: uint8 [N, H, W, C], or points float32 [N, 2]. columns: of the grid.
    """
    if images.ndim == 2:
        with files.replacing(folder / "points.npy") as file:
            np.save(file, images)
        pictures.save_png(folder / "points.png", pictures.scatter(images))
        return [folder / "points.npy", folder / "points.png"]
    (folder / "images").mkdir()
    paths = [folder / "images" / f"image_{i:05d}.png" for i in range(len(images))]
    with progress.Bar("writing", len(paths), "image") as bar:
        for path, image in zip(paths, images, strict=True):
            pictures.save_png(path, image)
            bar.update()
    pictures.save_png(folder / "grid.png", pictures.grid(images[:400], columns))
    return [*paths, folder / "grid.png"]


def _visible(folder):
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _is_made(path):
    return path.is_file() and bool(path.name in _PICTURES or _SAMPLE.fullmatch(path.name))
