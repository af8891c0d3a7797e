"""What a configuration leaves to the data and the machine: those of its macros that are "auto".

- `resolution`: the largest power of two that half of the images reach with their shorter side; at least 8, at most
  128, or 256 where there is a GPU: squares, also of images that all have one other shape, which is then named.
- `channels`: 1 if the images are gray, else 3: alpha is a channel for those who ask for it.
- `num_classes`: that of the data if each class has at least 10 images, else None.
- `batch_size`, `r1_weight`, `ema_half_life`: by StyleGAN2-ADA's rules for any data (Karras et al. 2020; `auto` in the
  authors' code). With g GPUs, or one processor, max(min(g * min(4096 // resolution, 32), 64), g) images, here no more
  than there are for each of the batches of a step, rounded down to what replicas and micro-batches can share;
  0.0002 * resolution^2 / batch_size; and 10,000 / 32 images for each of a batch. Of (height, width) the resolution
  here is the root of their product.
- `channel_multiplier`, `learning_rate`, `minibatch_group`, `updates`: by the same rules. 2 from 512 pixels on, else 1
  (the code's `fmaps` of 1 and 1/2); 0.002 from 1024 on, else 0.0025; a device's share of the batch, at most 4; and as
  many as 25 million images fill batches.

The images are those that are trained on: of `Dataset.classes`, `fraction` and `half`, and without the bad ones where
`on_bad_image` is `skip`. Sizes and colours are those in the headers of up to 1,000 of them, evenly spread over all. A
run that is taken up keeps what it began with.
"""

import ast
import logging
import math
from pathlib import Path

import gin
import numpy as np
import tensorflow as tf

from tfgans import config, distribute, losses, readers
from tfgans.config import sides, size_words
from tfgans.config.bindings import MACRO
from tfgans.run.auto_images import Images

logger = logging.getLogger(__name__)

NAMES = (
    "resolution", "channels", "num_classes", "batch_size", "r1_weight", "ema_half_life", "channel_multiplier",
    "learning_rate", "minibatch_group", "updates",
)  # fmt: skip
_IMAGES_SHOWN = 25_000_000
_LEAST_OF_CLASS = 10
_LARGEST = {"cpu": 128, "gpu": 256}


def wanted(given):
    """Whether a configuration, as `config.read` gives it, leaves anything to this module."""
    macros = {scope: bound["value"].value for (scope, full), bound in given.items() if full == MACRO}
    return any(macros.get(name) == "auto" for name in NAMES)


def values(run_folder=None):
    """`{name: value}` of the macros that are "auto" in what gin has read last; the log has each, with its reason.

    Args: run_folder: of a run to take up, or None.
    Raises: ConfigError if the data cannot be looked at.
    """
    names = [name for name in NAMES if _macro(name) == "auto"]
    there = kept(run_folder)
    if all(name in there for name in names):
        return {name: ast.literal_eval(there[name]) for name in names}
    given = {name: _macro(name) for name in NAMES if name not in names}
    given = {name: value for name, value in given.items() if value is not None}
    found, reasons = _decided(given, Images("num_classes" in names))
    for name in names:
        logger.info("auto: %s = %s, %s", name, found[name], reasons[name])
    return {name: found[name] for name in names}


def _macro(name):
    """What a macro is bound to, followed to its end; None if there is none."""
    seen = set()
    while name not in seen:
        seen.add(name)
        try:
            value = gin.query_parameter(f"%{name}")
        except ValueError:
            return None
        if not isinstance(value, gin.config.ConfigurableReference):
            return value
        name = "/".join(value.scopes) or name
    return None


def followed(value):
    """A bound value; of a macro, what that stands for in the end."""
    return _macro("/".join(value.scopes)) if isinstance(value, gin.config.ConfigurableReference) else value


def kept(run_folder):
    """What the run in a folder began with: {name: text}."""
    path = run_folder and Path(run_folder) / "operative.gin"
    if not path or not path.exists():
        return {}
    return config.bindings_of(readers.read_text(path, "the run's configuration"))


def _decided(given, images):
    """`(values, reasons)` of all names; those of `given` stay."""
    gpus = len(tf.config.list_physical_devices("GPU"))
    largest, devices = _LARGEST["gpu" if gpus else "cpu"], max(gpus, 1)
    found = {
        "resolution": int(np.clip(2 ** int(np.log2(max(images.side, 1))), 8, largest)),
        "channels": 1 if images.gray else 3,
    } | given
    images.narrow(found["resolution"])
    counts, count, least = images.class_counts, images.count, min(images.class_counts, default=0)
    found = {"num_classes": len(counts) if len(counts) > 1 and least >= _LEAST_OF_CLASS else None} | found
    height, width = sides(found["resolution"])
    area, shape = height * width, f"{height}^2" if height == width else f"{height} * {width}"
    side = math.isqrt(area)
    found = {"batch_size": _batch(side, devices, count)} | found
    size = found["batch_size"]
    found = {
        "r1_weight": 0.0002 * area / size,
        "ema_half_life": size * 10_000 / 32,
        "channel_multiplier": 2 if side >= 512 else 1,
        "learning_rate": 0.002 if side >= 1024 else 0.0025,
        "minibatch_group": max(min(size // devices, 4), 1),
        "updates": -(-_IMAGES_SHOWN // size),
    } | found
    reasons = {
        "resolution": f"as half of the images have {images.side:,} pixels or more in their shorter side; at most "
        f"{largest}{images.shape}",
        "channels": ("as the images are gray" if images.gray else "as there are colours") + images.alpha,
        "num_classes": _of_classes(counts, least) if images.use_labels else "as Dataset.use_labels is False",
        "batch_size": f"for {count:,} images of {size_words(found['resolution'])} on {devices} "
        + ("processor" if not gpus else "GPU" if gpus == 1 else "GPUs"),
        "r1_weight": f"0.0002 * {shape} / {size}",
        "ema_half_life": f"images, {size} * 10,000 / 32",
        "channel_multiplier": f"for {size_words(found['resolution'])}",
        "learning_rate": f"for {size_words(found['resolution'])}",
        "minibatch_group": f"images, of {size} on {devices} {'device' if devices == 1 else 'devices'}",
        "updates": f"of {size} images each for {_IMAGES_SHOWN:,}",
    }
    return found, reasons


def _batch(side, devices, count):
    """The batch of `count` images of a side, which can be cut: no more than there are for each batch of a step."""
    batch = max(min(devices * min(4096 // side, 32), 64), devices)
    steps = _count_of("GAN", "discriminator_steps")
    steps += losses.of_pairs(gin.get_bindings("GAN").get("generator_loss"))
    kind = followed(gin.get_bindings("strategy").get("kind", "auto"))
    virtual = _count_of("strategy", "virtual_devices")
    shares = distribute.foreseen_replicas(kind, virtual) * _count_of("build", "accumulation_steps")
    return max(min(batch, count // steps) // shares, 1) * shares


def _count_of(owner, parameter):
    """What a parameter is bound to, 1 if it is not or to None. Raises: ConfigError for anything but a count."""
    value = followed(gin.get_bindings(owner).get(parameter))
    value = 1 if value is None else value
    config.Count.check(f"{owner}.{parameter}", value)
    return value


def _of_classes(counts, least):
    if len(counts) < 2:
        return "as all images are of one class" if len(counts) else "as the images have no classes"
    if least < _LEAST_OF_CLASS:
        return f"as the smallest of {len(counts)} classes has fewer than {_LEAST_OF_CLASS} images: {least}"
    return f"classes of at least {least:,} images"
