"""`project`: images onto a run's generator; each gets a folder of its own, whole or not there."""

import logging
from pathlib import Path

import gin
import numpy as np

from tfgans import files, pictures, progress
from tfgans.config import ConfigError
from tfgans.data.single import image_files, read_image
from tfgans.gan.codes import Codes
from tfgans.gan.projection import ProjectionOptions, Projector
from tfgans.run import latents
from tfgans.run.look import Which
from tfgans.run.samples import Moving, SampleFolder

logger = logging.getLogger(__name__)
_FRAMES = 100  # of the film, about
_SIDE = 256  # pixels that smaller pictures are enlarged to
_TOGETHER = (latents.FILE, "side_by_side.png")  # the files of all images
_TAKEN = (*_TOGETHER, "images", ".", "..")  # what the folder of an image cannot be called


def project(model_dir, output_dir, images, options=None, labels=None, moving=None, overwrite=False, **which):
    """Projects images, see `Projector`; returns what became of each, a list of dictionaries.

    Image `cat.jpg` gets the folder `cat` with `latents.npz`, which `generate --latents` takes, `reconstruction.png`,
    `side_by_side.png` (the image as the networks see it at the left) and a film of the way, `projection`. Beside the
    folders lie `latents.npz` and `side_by_side.png` of all.

    Args:
        images: paths of images and of folders of them. They are read as the run's data set reads its own.
        options: `ProjectionOptions`. labels: classes of the images in turn; None finds them.
        moving: a `Moving`, whose `frames` are not used. overwrite: replace what an earlier call left there.
        which: see `Which`.
    Returns: dictionaries of `image`, `folder`, `losses` (see `Projected`) and, of conditional generators, `label`.
    Raises: ConfigError, one line, before any file is written, if an image cannot be used.
    """
    moving, which, output_dir = moving or Moving(), Which(**which), Path(files.expanded(output_dir))
    paths = image_files(images)
    everything = SampleFolder(output_dir, overwrite, "project")
    folders = [SampleFolder(output_dir / name, overwrite, "project") for name in _names(paths)]
    model, _ = which.load_alone(model_dir)
    projector = Projector(model, options or ProjectionOptions(), labels)
    how = gin.get_bindings("Dataset")
    how = {name: how[name] for name in ("crop", "min_size", "background") if name in how}
    targets = [read_image(path, model.sample_shape, **how) for path in paths]
    _tell_features(projector)
    found, steps = [], projector.options.steps
    with progress.Bar("projecting", len(paths) * steps, "step") as bar:
        for number, (target, folder) in enumerate(zip(targets, folders, strict=True)):
            result = projector(target, number, max(1, steps // _FRAMES), bar.update)
            folder.fill(
                lambda part, target=target, result=result: _write(part, model, target, result, moving)
            )
            found.append(result)
    codes = Codes.joined([result.codes for result in found])

    def write(part):
        latents.save(part / latents.FILE, codes)
        both = np.stack([targets, model.show(codes)]).reshape(-1, *model.sample_shape)
        pictures.save_png(part / "side_by_side.png", pictures.grid(both, len(targets)))
        return [part / name for name in _TOGETHER]

    everything.fill(write)
    return [_told(*row, model) for row in zip(paths, folders, found, strict=True)]


def _write(part, model, target, result, moving):
    (image,) = model.show(result.codes)
    latents.save(part / latents.FILE, result.codes)
    pictures.save_png(part / "reconstruction.png", image)
    pictures.save_png(part / "side_by_side.png", _beside(target, image))
    frames = [_beside(target, seen) for seen in model.show(result.history)]
    frames += frames[-1:] * round(moving.frames_per_second)  # the last one stays for a second
    made = [latents.FILE, "reconstruction.png", "side_by_side.png"]
    return [*(part / name for name in made), *moving.save(part / "projection", frames)]


def _beside(target, image):
    return pictures.enlarged(pictures.grid(np.stack([target, image]), 2), 2 * _SIDE)


def _told(path, folder, result, model):
    row = {"image": str(path), "folder": str(folder.path), "losses": result.losses}
    if result.label is None:
        return row
    return row | {"label": model.class_names[result.label] if model.class_names else result.label}


def _tell_features(projector):
    if projector.distance.layers:
        logger.info("features: the run's discriminator, after %s", ", ".join(projector.distance.layers))
    elif projector.model.discriminator_is_untrained:
        logger.info("features: none, there is no trained discriminator; pixels alone count")
    elif projector.options.feature_weight > 0:
        logger.info("features: none, the discriminator does not show its maps; pixels alone count")


def _names(paths):
    """A folder's name for each image: its own without the ending, with a number if that comes again."""
    names = []
    for path in paths:
        name, number = path.stem, 1
        while name in names:
            number += 1
            name = f"{path.stem}_{number}"
        names.append(name)
    for path, name in zip(paths, names, strict=True):
        if name in _TAKEN:
            raise ConfigError(
                f"{path} cannot get a folder called {name}, which has another meaning: rename it"
            )
    return names
