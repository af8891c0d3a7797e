"""`latents.npz`: what pictures are made of, beside the pictures, so that each can be made again.

Arrays: `space`, `z` or `w`; `latents` float32 [N, latent_dim] or `styles` [N, slots, style_dim]; of conditional
generators `labels` int32 [N], or `shares` float32 [N, num_classes] where classes are mixed; `noise_0`, `noise_1` ...
float32 [N, h, w, 1], if the generator's noise is not its own; `seeds` int64 [N], if they were drawn: see
`GAN.codes_at`.
"""

import numpy as np

from tfgans import files, readers
from tfgans.config import ConfigError
from tfgans.gan.codes import Codes, check_codes

FILE = "latents.npz"
_WHAT = "latents that generate or project wrote"


def save(path, codes):
    """Writes `Codes`, whole or not at all."""
    arrays = {"space": np.array(codes.space), "latents" if codes.space == "z" else "styles": codes.values}
    if codes.labels is not None:
        arrays["labels" if codes.labels.ndim == 1 else "shares"] = codes.labels
    arrays |= {f"noise_{index}": part for index, part in enumerate(codes.noise)}
    if codes.seeds is not None:
        arrays["seeds"] = codes.seeds
    with files.replacing(path) as file:
        np.savez(file, **arrays)


def load(path, model):
    """The `Codes` in a file. Raises: ConfigError, one line, if it is no such file, or not of this model."""
    return read(path, _WHAT, _codes, lambda codes: check_codes(codes, model))


def read(path, what, parsed, check):
    """What `parsed` makes of the arrays of a file, once `check` has seen it.

    Raises: ConfigError naming the file, if its arrays are not `what` it should hold, or `check` refuses them.
    """
    path = files.expanded(path)
    arrays = readers.read_npz(path, what)
    with readers.reading(path, what):
        found = parsed(arrays)
    try:
        check(found)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return found


def _codes(arrays):
    space = str(arrays["space"])
    if space not in ("z", "w"):
        raise ValueError(f"space is z or w, and it says {space[:20]!r}")
    values = _floats(arrays, "latents" if space == "z" else "styles", 2 if space == "z" else 3)
    if not len(values):
        raise ValueError("it has no picture")
    labels = arrays.get("labels")
    if labels is not None and (labels.dtype.kind not in "iu" or labels.ndim != 1):
        raise ValueError("labels are integers [N]")
    if labels is not None:
        labels, given = labels.astype(np.int32), labels
        if np.any(labels != given):
            raise ValueError("labels are of classes that int32 holds")
    if "shares" in arrays:
        labels = _floats(arrays, "shares", 2)
    names = sorted((name for name in arrays if name.startswith("noise_")), key=lambda name: int(name[6:]))
    noise = tuple(_floats(arrays, name, 4) for name in names)
    if any(len(part) != len(values) for part in (*noise, *([] if labels is None else [labels]))):
        raise ValueError("its arrays are of different numbers of pictures")
    return Codes(space, values, None if space == "w" else labels, noise)  # styles have their class in them


def _floats(arrays, name, rank):
    array = arrays[name]
    if array.ndim != rank or not are_numbers(array):
        raise ValueError(f"{name} are finite numbers with {rank} axes")
    return array.astype(np.float32)


def are_numbers(array):
    """Whether all of an array are numbers that are finite in float32, too."""
    with np.errstate(over="ignore"):
        return array.dtype.kind == "f" and bool(np.all(np.isfinite(array.astype(np.float32))))
