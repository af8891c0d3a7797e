"""Writes a zip that StyleGAN2-ADA, StyleGAN3 and R3GAN train on, as their `dataset_tool` does.

Members are stored, not compressed: `00000/img00000000.png` and so on, named by the number of the image in its source,
PNGs without compression, all of one size, square with a side that is a power of two, all RGB or all gray; last
`dataset.json`, {"labels": [["00000/img00000000.png", 6], ...]}, or {"labels": null}.
"""

import dataclasses
import json
import zipfile
from pathlib import Path

from tfgans import files, progress
from tfgans.config import ConfigError, size_words
from tfgans.data import stylegan_labels
from tfgans.data.decode import BadImage
from tfgans.data.looking import each
from tfgans.data.recoding import Recoder, png


def write_zip(content, form, output, skip, overwrite):
    """Writes a zip, whole or not at all.

    Args:
        content: `looking.Content` of the split. form: a `recoding.Form`.
        output: the file. skip: leave images out that cannot be used. overwrite: a file that is there.
    Returns: {"images", "skipped"}: their numbers.
    Raises: ConfigError for images that cannot be in such a zip, or cannot be used; OSError if it cannot be written.
    """
    output = Path(output)
    if output.suffix.lower() != ".zip" or output.is_dir():
        raise ConfigError(f"--output is a file whose name ends in .zip. Received: {str(output)!r}")
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} is there already: --overwrite replaces it")
    if not skip or not content.sizes:
        content.refuse(content.bad)
    if content.labels is not None and content.labels.min() < 0:
        raise ConfigError(
            f"--format=zip is for labels from 0: {content.title} has images without one, "
            f"{content.labels.min()}; --nolabels leaves all out"
        )
    channels = _channels(content, form)
    recoder = Recoder(content.items, _form(content, form, channels), content.sizes, all(content.grays))
    files.remove_left(output)
    bad, names, numbers = {}, [], range(len(content.items))
    with (
        files.in_folder(output.parent),
        files.replacing(output) as file,
        zipfile.ZipFile(file, "w") as archive,
    ):
        with progress.Bar(f"packing {content.title}", len(numbers), "image") as bar:
            for i, found in zip(numbers, each(recoder.image, numbers, bar), strict=True):
                if isinstance(found, BadImage):
                    bad[i] = found
                    continue
                names.append((f"{i // 1000:05}/img{i:08}.png", i))
                _add(archive, names[-1][0], png(found, level=0))
        if not skip or not names:
            content.refuse(bad)
        pairs = None if content.labels is None else [[name, int(content.labels[i])] for name, i in names]
        _add(archive, stylegan_labels.FILE, json.dumps({"labels": pairs}).encode())
    return {"images": len(names), "skipped": len(bad)}


def _add(archive, name, data):
    info = zipfile.ZipInfo(name)  # of 1980: the same images make the same file
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _channels(content, form):
    if form.channels not in (None, 1, 3):
        raise ConfigError(
            f"--format=zip is for 1 or 3 channels: alpha is unknown there. Received: {form.channels}"
        )
    return form.channels or (1 if all(content.grays) else 3)


def _form(content, form, channels):
    """The form of the zip's images. Raises ConfigError if they are not one square of a power of two."""
    sizes = {form.size} if form.size else set(content.sizes)
    if len(sizes) > 1:
        (a, b), (c, d) = min(sizes), max(sizes)
        raise ConfigError(
            f"--format=zip needs --resolution: images of {content.title} have {len(sizes)} sizes, "
            f"from {b}x{a} to {d}x{c}"
        )
    height, width = sizes.pop()
    if height != width or height & (height - 1):
        raise ConfigError(
            f"--format=zip is for squares whose side is a power of two: give such a --resolution. "
            f"Received: {size_words((height, width))}"
        )
    if form.crop == "random":
        raise ConfigError("--format=zip has no room for --crop=random: its images are of one size")
    return dataclasses.replace(form, resolution=height, channels=channels)
