"""Walks with a run's generator: through key pictures, and from class to class."""

import numpy as np

from tfgans import pictures, progress
from tfgans.run import latents
from tfgans.run.look import Look, refuse_too_many
from tfgans.run.samples import Moving

_IN_A_SHEET = 4  # pictures from one class to the next
_LARGEST = 256  # pixels that a walk of smaller pictures is enlarged to


def walk(model_dir, output_dir, chosen, space=None, moving=None, **look):
    """Writes a film `walk` that goes through key pictures and back to the first, those, and their latents.

    `grid.png` and `latents.npz` are of the key pictures in their order; frame k * frames of the film is number k.

    Args:
        chosen: `Chosen`, the key pictures, at least 2; one may come again.
        space: see `GAN.walk`.
        moving: a `Moving`; its frames are from one key picture to the next, the next not counted.
        look: see `Look`.
    Returns: the paths of the files.
    """
    moving, look = moving or Moving(), Look(**look)
    folder, model = look.open(model_dir, output_dir)
    model.require_images("a walk is")
    keys = chosen.codes(model, look, truncates=False)
    side = max(1, _LARGEST // max(model.sample_shape[:2]))
    refuse_too_many(model, len(keys) * moving.frames, side**2)
    way = model.walk(keys, moving.frames, space, **look.truncating())
    with progress.phase(f"making {len(way)} frames"):
        images = model.show(way)
    keys = slice(None, None, moving.frames)

    def write(part):
        latents.save(part / latents.FILE, way.rows(keys))
        pictures.save_png(part / "grid.png", pictures.grid(images[keys][:400]))
        film = moving.save(part / "walk", [pictures.enlarged(image, _LARGEST) for image in images])
        return [part / latents.FILE, part / "grid.png", *film]

    return folder.fill(write)


def class_walk(model_dir, output_dir, chosen, labels, moving=None, **look):
    """Writes `class_walk.png`, a row for each picture that goes through classes and back to the first, and a film.

    Args:
        chosen: `Chosen`, whose latents stay as they are; the film shows the first 16.
        labels: classes in their order, at least 2; see `GAN.class_walk`.
        moving: a `Moving`; its frames are from one class to the next, the next not counted.
        look: see `Look`.
    Returns: the paths of the files.
    """
    moving, look = moving or Moving(), Look(**look)
    folder, model = look.open(model_dir, output_dir)
    model.require_images("a walk is")
    codes, truncating = chosen.codes(model, look, truncates=False), look.truncating()
    refuse_too_many(model, len(labels) * (len(codes) * _IN_A_SHEET + min(len(codes), 16) * moving.frames))
    with progress.phase("making the images"):
        rows = [model.show(way) for way in model.class_walk(codes, labels, _IN_A_SHEET, **truncating)]
    with progress.phase("making the frames between"):
        films = model.class_walk(codes.rows(slice(16)), labels, moving.frames, **truncating)
        films = [model.show(way) for way in films]

    def write(part):
        latents.save(part / latents.FILE, codes)
        sheet = np.concatenate([np.concatenate([row, row[:1]]) for row in rows])
        pictures.save_png(part / "class_walk.png", pictures.strips(sheet, len(rows[0]) + 1))
        film = moving.save_rows(part / "class_walk", films)
        return [part / latents.FILE, part / "class_walk.png", *film]

    return folder.fill(write)
