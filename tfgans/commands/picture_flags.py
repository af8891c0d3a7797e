"""The flags of the commands that make pictures, and which of them go together."""

import re

from absl import flags

from tfgans.commands.flags import (
    OR_PICKLE,
    PathParser,
    define_float,
    define_folder,
    define_paths,
    langevin_flags,
    run_flags,
)
from tfgans.errors import ConfigError

_MOST = 100_000  # pictures that --seeds may name


def generate():
    run_flags(OR_PICKLE)
    define_folder("output_dir", "Folder to write to.")
    flags.DEFINE_bool("overwrite", False, "Replace what an earlier generate left in output_dir.")
    _which_pictures()
    define_float(
        "truncation",
        None,
        "Generators with styles (StyleGAN2): psi in [0, 1], w = mean_w + psi (w - mean_w); 1 changes nothing, 0 "
        "gives the mean's image. Others: bound, above 0, of the latents' absolute values.",
    )
    flags.DEFINE_integer(
        "truncated_slots", None, "With --truncation=psi: only this many of the first style slots; else all."
    )
    _ways()
    _directions()
    _films()
    _style_flags()


def _which_pictures():
    flags.DEFINE_integer(
        "num_images",
        64,
        "Images to write, the first of --seed; if not given 6 for --walk, 4 for --class_walk and --directions, 8 "
        "for --style_layer=all.",
        lower_bound=1,
    )
    flags.DEFINE_string(
        "seeds",
        None,
        "Instead: pictures by their numbers, such as 0-99,120. Number 7 is image 7 of --num_images=100; files are "
        "called by it.",
    )
    flags.DEFINE(
        PathParser(), "latents", None, "Instead: those of a latents.npz that generate or project wrote."
    )
    flags.DEFINE_integer("seed", 0, "Of the stream of latents, in which --seeds are numbers.", 0, 2**32 - 1)
    flags.DEFINE_list(
        "labels",
        None,
        "Classes to go round, by name or index, such as cat,dog or 0,1: picture k gets number k modulo their count; "
        "drawn if not given.",
    )
    langevin_flags()


def _ways():
    flags.DEFINE_bool(
        "interpolate",
        False,
        "Rows of up to 8 images between two latents, also as interpolation.png and a film.",
    )
    flags.DEFINE_bool("walk", False, "A film round through the pictures and back to the first.")
    flags.DEFINE_list(
        "class_walk",
        None,
        "Classes, by name or index: the pictures go from class to class and back to the first, latents fixed.",
    )
    flags.DEFINE_enum(
        "interpolate_in",
        None,
        ["z", "w"],
        "With --interpolate and --walk: z, great circles between latents, or w, lines (a walk: a spline) between "
        "their styles; w if not given and the generator has styles, else z.",
    )


def _directions():
    flags.DEFINE_string(
        "directions",
        None,
        "sefa, pca (of w, for generators with styles) or a directions.npz: sheets and films of the pictures, "
        "moved along each direction.",
    )
    flags.DEFINE_integer("num_directions", None, "With --directions: the first so many; 5 if not given.", 1)
    define_float("strength", 3.0, "With --directions: how far, in standard deviations of latents.")
    flags.DEFINE_string(
        "moved_slots", None, "With --directions: A:B, only style slots A to B - 1; all if not given."
    )


def _films():
    flags.DEFINE_integer("frames", 32, "Of films: frames from each picture to the next.", lower_bound=2)
    _film_flags()


def _film_flags():
    define_float("frames_per_second", 20.0, "Of films, in [1, 50].", 1.0, 50.0)
    flags.DEFINE_enum("video", "both", ["mp4", "gif", "both"], "Of films: which files.")


def _style_flags():
    """Flags that are for generators with styles only."""
    flags.DEFINE_string(
        "style_mixing",
        None,
        "ROWSxCOLUMNS: write style_mixing.png alone: sources at the left and at the top, and their mixtures.",
    )
    flags.DEFINE_string(
        "mixed_slots",
        None,
        "With --style_mixing: A:B, slots A to B - 1 come from the left, the others from the top; if not given 0:4, "
        "the coarse ones, or the first half of less than eight.",
    )
    flags.DEFINE_string(
        "style_layer",
        None,
        "Generators with styles: all style slots take W_i, the output of the mapping's i-th dense layer, truncated "
        "towards its own mean. A number; or `all`: write style_layers.png alone, a row for each W_i, of the same "
        "--num_images latents (8 if not given).",
    )


def project():
    run_flags()
    define_paths("image", "An image, or a folder of images; may be given several times.")
    flags.register_validator("image", bool, message="Flag --image must have a value.")
    define_folder("output_dir", "Folder to write to; each image gets a folder of its own name in it.")
    flags.DEFINE_bool("overwrite", False, "Replace what an earlier project left in output_dir.")
    flags.DEFINE_enum(
        "space",
        None,
        ["w", "w_plus", "z"],
        "w, one style for all slots; w_plus, a style for each, nearer to the image and farther from what the "
        "generator makes; z, a latent. w if not given and the generator has styles, else z.",
    )
    flags.DEFINE_list("labels", None, "Classes of the images in turn, by name or index; found if not given.")
    flags.DEFINE_integer("steps", 1000, "Updates of the latent.", lower_bound=1)
    define_float("learning_rate", 0.1, "Of Adam, at its highest.", 1e-6, 100.0)
    define_float("pixel_weight", 1.0, "Of the mean squared difference of pixels in [-1, 1].", 0.0)
    define_float("feature_weight", 1.0, "Of the distance in the discriminator's features.", 0.0)
    flags.DEFINE_bool("noise", True, "Generators with styles: move their noise, too.")
    define_float("noise_weight", 1e5, "Of what keeps that noise free of structure.", 0.0)
    flags.DEFINE_integer("seed", 0, "Of what is drawn.", 0, 2**32 - 1)
    _film_flags()


# Which of the flags that are for some kinds of pictures each kind takes.
_PLAIN = ("num_images", "seeds", "latents", "labels", "style_layer", "langevin_steps", "langevin_rate")
_FILM = ("frames", "frames_per_second", "video")
_KINDS = {
    "interpolate": ("num_images", "interpolate_in", *_FILM),
    "walk": ("num_images", "seeds", "latents", "labels", "interpolate_in", *_FILM),
    "class_walk": ("num_images", "seeds", "latents", *_FILM),
    "directions": (
        *("num_images", "seeds", "latents", "labels", "num_directions", "strength", "moved_slots"),
        *_FILM,
    ),
    "style_mixing": ("mixed_slots",),
    "style_layer=all": ("num_images", "style_layer"),
}
_APART = (
    ("seeds", ("num_images",)),
    ("latents", ("num_images", "seeds", "seed", "truncation", "truncated_slots", "style_layer")),
)


def kind(values):
    """The kind of pictures that the flags of `generate` ask for, a key of `_KINDS`, or None for plain ones.

    Raises: ConfigError for flags that would have no effect.
    """
    layer = values.style_layer
    if layer is not None and layer != "all" and not re.fullmatch("[0-9]{1,9}", layer):
        raise ConfigError(f"--style_layer is the number of a dense layer or all. Received: {layer!r}")
    asked = [name for name in _KINDS if _is_asked(values, name)]
    if len(asked) > 1:
        raise ConfigError(f"--{asked[0]} does not go with --{asked[1]}")
    taken = _KINDS[asked[0]] if asked else _PLAIN
    for name in dict.fromkeys(name for names in (_PLAIN, *_KINDS.values()) for name in names):
        if values[name].present and name not in taken:
            users = ", ".join(f"--{other}" for other, names in _KINDS.items() if name in names)
            raise ConfigError(
                f"--{name} does not go with --{asked[0]}" if asked else f"--{name} is for {users}"
            )
    for name, others in _APART:
        for other in others:
            if values[name].present and values[other].present:
                raise ConfigError(f"--{other} does not go with --{name}")
    return asked[0] if asked else None


def _is_asked(values, name):
    if name == "style_layer=all":
        return values.style_layer == "all"
    return values[name].value not in (None, False)


def seeds(text):
    """The numbers that a text such as 0-99,120 names, a tuple in its order; None for None."""
    if text is None:
        return None
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,15})(?:-([0-9]{1,15}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise ConfigError(f"--seeds are numbers and ranges, such as 0-99,120. Received: {text!r}")
        if len(found) + last - first >= _MOST:
            raise ConfigError(f"--seeds names at most {_MOST:,} pictures. Received: {text!r}")
        found += range(first, last + 1)
    return tuple(found)


def two_numbers(values, name, separator, form):
    """The numbers of a flag, such as 4x6, or None."""
    if values[name].value is None:
        return None
    found = re.fullmatch(f"([0-9]+){separator}([0-9]+)", values[name].value)
    if not found:
        raise ConfigError(f"--{name} is {form}. Received: {values[name].value!r}")
    return int(found[1]), int(found[2])
