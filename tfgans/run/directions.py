"""Sheets and films along the directions of a run's generator, and `directions.npz`, which keeps them.

Arrays of the file: `method` and `space`, texts; `vectors` float32 [K, D], of length 1; `values` and `deviations`
float64 [K]; in `w` `slots` [2]. See `tfgans.gan.directions.Directions`.
"""

import os

import numpy as np

from tfgans import config, files, pictures, progress
from tfgans.config import ConfigError
from tfgans.gan.directions import Directions
from tfgans.run import latents
from tfgans.run.look import Look, refuse_too_many
from tfgans.run.samples import Moving

FILE = "directions.npz"
_WHAT = "directions that generate wrote"
_COLUMNS = 7  # of a sheet


def explore(model_dir, output_dir, chosen, along, moving=None, **look):
    """Writes a sheet and a film along each direction, `direction_00.png` ..., `directions.npz` and `latents.npz`.

    A sheet has a row for each picture, moved from -strength to strength in seven steps, with itself in the middle;
    the film shows the first 16 there and back.

    Args:
        chosen: `Chosen`, the pictures that are moved.
        along: `Along`.
        moving: a `Moving`; its frames are from one end to the other, both included.
        look: see `Look`.
    Returns: the paths of the files.
    """
    moving, look = moving or Moving(), Look(**look)
    folder, model = look.open(model_dir, output_dir)
    model.require_images("directions are")
    directions = along.directions(model)
    codes = chosen.codes(model, look)
    refuse_too_many(model, len(codes) * _COLUMNS + min(len(codes), 16) * moving.frames)
    codes = model.in_w(codes) if directions.space == "w" else codes
    if codes.space != directions.space:
        raise ConfigError("directions of latents, in z, move latents, and these codes are styles, in w")

    def write(part):
        save(part / FILE, directions)
        latents.save(part / latents.FILE, codes)
        made = [part / FILE, part / latents.FILE]
        with progress.Bar("drawing", len(directions), "direction") as bar:
            for number in range(len(directions)):
                made += _draw(part, model, directions, number, codes, along.strength, moving)
                bar.update()
        return made

    return folder.fill(write)


def _draw(part, model, directions, number, codes, strength, moving):
    path = part / f"direction_{number:02d}"
    moved = directions.move(codes, number, np.linspace(-strength, strength, _COLUMNS))
    sheet = path.with_name(f"{path.name}.png")
    pictures.save_png(sheet, pictures.strips(model.show(moved), _COLUMNS))
    few = codes.rows(slice(16))
    images = model.show(directions.move(few, number, np.linspace(-strength, strength, moving.frames)))
    images = images.reshape(len(few), moving.frames, *images.shape[1:])
    return [sheet, *moving.save_rows(path, images, back=True)]


class Along:
    """Which directions are drawn.

    Args:
        source: `sefa` or `pca`, see `GAN.directions`; or a `directions.npz` that `generate` wrote.
        count: the first so many; None: 5, or all of a file.
        strength: how far, in standard deviations of codes along the direction, above 0.
        slots: `(A, B)`, the style slots that are moved; None: all, or those of the file.
    Raises: ConfigError if a value leaves its range, or there is no such file.
    """

    def __init__(self, source, count=None, strength=3.0, slots=None):
        self.source, self.count, self.strength, self.slots = source, count, strength, slots
        if count is not None:
            config.check_count("--num_directions", count)
        if not 0.0 < strength <= 1000.0:
            raise ConfigError(f"--strength is in (0, 1000]. Received: {strength}")
        if source not in ("sefa", "pca") and not os.path.exists(files.expanded(source)):
            raise ConfigError(
                f"--directions is sefa, pca or a file. Received: {source!r}, which is not there"
            )

    def directions(self, model):
        """The `Directions`. Raises: ConfigError if they are not of this model."""
        if self.source in ("sefa", "pca"):
            return model.directions(self.source, self.count or 5, self.slots)
        found = load(self.source, model)
        if self.slots is not None:
            raise ConfigError("--moved_slots is for directions that are looked for, not for those of a file")
        return found.first(self.count or len(found))


def save(path, directions):
    """Writes `Directions`, whole or not at all."""
    arrays = {name: np.array(getattr(directions, name)) for name in ("method", "space")}
    arrays |= {name: getattr(directions, name) for name in ("vectors", "values", "deviations")}
    if directions.slots is not None:
        arrays["slots"] = np.array(directions.slots)
    with files.replacing(path) as file:
        np.savez(file, **arrays)


def load(path, model):
    """The `Directions` in a file. Raises: ConfigError, one line, if it is no such file, or not of this model."""
    return latents.read(path, _WHAT, _directions, model.check_directions)


def _directions(arrays):
    vectors, values, deviations = (arrays[name] for name in ("vectors", "values", "deviations"))
    numbers = (vectors, values, deviations)
    if not all(map(latents.are_numbers, numbers)):
        raise ValueError("they are not finite numbers")
    if (
        vectors.ndim != 2
        or not len(vectors)
        or values.shape != deviations.shape
        or values.shape != vectors.shape[:1]
    ):
        raise ValueError(f"there are {list(vectors.shape)} numbers and {values.size} values")
    slots = arrays.get("slots")
    if slots is not None and (slots.dtype.kind not in "iu" or slots.shape != (2,)):
        raise ValueError("slots are two integers")
    slots = None if slots is None else tuple(int(slot) for slot in slots)
    method, space = (str(arrays[name]) for name in ("method", "space"))
    if space not in ("z", "w") or (space == "w") != (slots is not None):
        raise ValueError(f"space is z, or w with slots, and it says {space[:20]!r}")
    return Directions(method, space, vectors.astype(np.float32), *numbers[1:], slots)
