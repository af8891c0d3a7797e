"""What `generate` and `project` leave in their folders: samples in a folder of their own, and pictures beside that.

`images/image_00000.png`, `image_00001.png` ... are the samples alone, so that `images` is a data set and a folder for
other FID tools. Beside it lie `latents.npz` (`run.latents`) and `grid.png`, or the figures and films of `_MADE`;
points are in `points.npy` and `points.png`.
"""

import dataclasses
import itertools
import re
from pathlib import Path

import numpy as np

from tfgans import config, files, filling, pictures, progress, videos
from tfgans.config import ConfigError
from tfgans.data.layout import EXTENSIONS
from tfgans.run import latents

_IN_GRID = 400  # of the samples
_SAMPLE = re.compile(r"image_\d{5,}\.png")
_MADE = re.compile(
    r"image_\d{5,}\.png|grid\.png|(latents|directions)\.npz|points\.(npy|png)|style_(mixing|layers)\.png"
    r"|(interpolation|walk|class_walk|direction_\d{2,}|projection)\.(png|gif|mp4)"
    r"|(reconstruction|side_by_side)\.png"
)


class SampleFolder:
    """The folder that one call of a command fills, all at once: samples of two calls are never mixed.

    Args:
        path: the folder; it need not be there.
        overwrite: remove what an earlier call made, when the new files are ready. Other files always stay. Without
            it, what another call makes meanwhile stays, too.
        command: that fills it, for messages.
    Raises: ConfigError if the folder cannot be written to, or holds samples or other images and `overwrite` is false,
        or if there are files in `images` that `generate` has not made.
    """

    def __init__(self, path, overwrite=False, command="generate"):
        self.path, self.overwrite, self.command = Path(files.expanded(path)), overwrite, command
        self.images = self.path / "images"
        try:
            files.check_place(self.path)
            self._check_contents()
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written to: {error}") from error

    def _check_contents(self):
        if not self.path.exists():
            return
        self._refuse_earlier()
        if self.overwrite:
            return
        others = [path for path in _visible(self.path) if path.name.lower().endswith(EXTENSIONS)]
        if others:
            raise ConfigError(
                f"{self.path} holds {len(others)} other images, such as {others[0].name}: choose another folder, or "
                "--overwrite to write beside them"
            )

    def _refuse_earlier(self):
        """Raises ConfigError for what stands where the new files will, and may not be replaced."""
        foreign = [path for path in _visible(self.images) if not _SAMPLE.fullmatch(path.name)]
        no_folder = self.images.is_symlink() or (self.images.exists() and not self.images.is_dir())
        if foreign or no_folder:
            other = foreign[0] if foreign else self.images
            raise ConfigError(
                f"{other} was not made by {self.command}, which needs that place for its samples"
            )
        made = self._made()
        if made and not self.overwrite:
            raise ConfigError(
                f"{self.path} holds {len(made)} files of an earlier {self.command}, such as {made[0].name}: choose "
                "another folder, or --overwrite to replace them"
            )

    def _made(self):
        """What earlier calls made, also those that put samples beside the grid."""
        return [path for path in _visible(self.images) if _is_made(path)] + self._beside()

    def _beside(self):
        return [path for path in _visible(self.path) if _is_made(path)]

    def fill(self, write):
        """Takes the place of what was there with what `write(part)` writes into the folder `part`, or with nothing.

        Args:
            write: returns the paths of what it has written.
        Returns: the paths at which that lies now.
        """
        with filling.part_of(self.path, f".{self.command}.part") as part:
            paths = write(part)
            self._replace(part)
        return [self.path / path.relative_to(part) for path in paths]

    def _replace(self, part):
        self._refuse_earlier()  # that may have come meanwhile
        earlier = self._beside()
        if self.images.is_dir():
            earlier.append(self.images)
            self._keep_hidden(part)
        made = sorted(part.iterdir(), reverse=True)  # the samples, then the pictures
        filling.put(made, earlier, part)

    def _keep_hidden(self, part):
        """Has hidden files beside the samples, which a desktop or the user has put there, stay."""
        hidden = [path for path in self.images.iterdir() if path.name.startswith(".")]
        if hidden:
            (part / "images").mkdir(exist_ok=True)
        for path in hidden:
            path.rename(part / "images" / path.name)


@dataclasses.dataclass(frozen=True)
class Moving:
    """How films are made.

    Attributes:
        frames: from one picture to the next, at least 2.
        frames_per_second: in [1, 50].
        kind: `mp4`, `gif` or `both`.
    Raises: ConfigError if a value leaves its range, or there is no encoder.
    """

    frames: int = 32
    frames_per_second: float = 20.0
    kind: str = "both"

    def __post_init__(self):
        config.check_count("--frames", self.frames, least=2)
        videos.check(self.kind, self.frames_per_second)

    def save(self, path, frames, back=False):
        """Writes pictures as the film `path`, see `videos.save`."""
        with progress.phase(f"writing {path.name}"):
            return videos.save(path, frames, self.kind, self.frames_per_second, back)

    def save_rows(self, path, rows, back=False):
        """Writes images uint8 [R, F, H, W, C] as a film of F frames, in which the rows move in a grid."""
        return self.save(path, [pictures.grid(frame) for frame in np.stack(rows, 1)], back)


def write_images(folder, images, codes, columns=None, numbers=None):
    """Writes samples, their codes and their grid (or points and their plot) into a folder; returns the paths.

    Args:
        images: uint8 [N, H, W, C], or points float32 [N, 2]; or batches of them, one after the other, which need not
            all be held at a time. codes: their `Codes`.
        columns: of the grid. numbers: of the files; None: 0, 1, ...
    """
    latents.save(folder / latents.FILE, codes)
    batches = iter([images] if isinstance(images, np.ndarray) else images)
    first = next(batches)
    batches = itertools.chain([first], batches)
    if first.ndim == 2:
        return [folder / latents.FILE, *_write_points(folder, np.concatenate(list(batches)))]
    (folder / "images").mkdir()
    numbers, in_grid = range(len(codes)) if numbers is None else numbers, []
    paths = [folder / "images" / f"image_{number:05d}.png" for number in numbers]
    with progress.Bar("writing", len(paths), "image") as bar:
        for path, image in zip(paths, itertools.chain.from_iterable(batches), strict=True):
            pictures.save_png(path, image)
            in_grid += [image] if len(in_grid) < _IN_GRID else []
            bar.update()
    pictures.save_png(folder / "grid.png", pictures.grid(np.stack(in_grid), columns))
    return [*paths, folder / latents.FILE, folder / "grid.png"]


def _write_points(folder, points):
    with files.replacing(folder / "points.npy") as file:
        np.save(file, points)
    pictures.save_png(folder / "points.png", pictures.scatter(points))
    return [folder / name for name in ("points.npy", "points.png")]


def _visible(folder):
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _is_made(path):
    return path.is_file() and bool(_MADE.fullmatch(path.name))
