"""The whole pipeline of StyleGAN2-ADA: which transforms there are, what they draw, in which order they are done."""

import tensorflow as tf

from tfgans.augment import colors, filtered
from tfgans.augment.chosen import Chosen, color_map, geometric_map, outside
from tfgans.config import ConfigError, NotNegative, Several, Within, configurable

GROUPS = {
    "blit": ("xflip", "rotate90", "xint"),
    "geom": ("scale", "rotate", "aniso", "xfrac"),
    "color": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
    "filter": ("imgfilter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
}
JOINED = {
    "bg": ("blit", "geom"),
    "bgc": ("blit", "geom", "color"),
    "bgcf": ("blit", "geom", "color", "filter"),
    "bgcfn": ("blit", "geom", "color", "filter", "noise"),
    "bgcfnc": tuple(GROUPS),
    "r3gan": ("blit", "geom", "color", "cutout"),  # colours half as often
}
_GEOMETRIC = GROUPS["blit"] + GROUPS["geom"]
_OF_COLORS = ("hue", "saturation")  # which gray images do without
_SMALLEST_FILTERED = 22  # pixels a side
# Of each operation, in the order of drawing: the names of its gates, and of the numbers that go with each, how many.
_DRAWN = {
    **{name: ((name, f"{name}_u", 1),) for name in ("xflip", "rotate90", "lumaflip", "hue")},
    **{
        name: ((name, f"{name}_n", 1),) for name in ("scale", "aniso", "brightness", "contrast", "saturation")
    },
    "xint": (("xint", "xint_u", 2),),
    "rotate": (("rotate", "rotate_u", 1), ("rotate2", "rotate2_u", 1)),
    "xfrac": (("xfrac", "xfrac_n", 2),),
    "imgfilter": tuple((f"band{band}", f"band{band}_n", 1) for band in range(4)),
    "noise": (("noise", "noise_sigma_n", 1),),
    "cutout": (("cutout", "cutout_u", 2),),
}


@configurable
class AugmentPipe:
    """StyleGAN2-ADA's transforms of what a discriminator sees (Karras et al. 2020, appendix B, and its code).

    In this order: flips, quarter turns, shifts by whole pixels, scale, rotation, stretch, second rotation, shift by a
    fraction, all in one resampling without aliasing; brightness, contrast, luma flip, hue and saturation in one
    matrix; amplified frequency bands; noise; a hole. Each is done to an image with its multiplier times the
    probability given, both rotations so that an image has at least one of them with that. Images are in [-1, 1],
    with 1 to 4 channels, and not clipped after it. Hue and saturation are for three colours; of two or four channels
    the last is no colour.

    All is affine in the images. Images pass through the resampling at any probability: at 0 they come out equal to
    1e-6, but for sides of 1 to 3 pixels, which have too few to mirror. A flip, too, is exact to about 1e-2 only, as
    the filter is not symmetric. How far images are mirrored is of the whole batch; the differences that makes are
    below 1e-4. All that is as published.

    Args:
        operations: some of `blit`, `geom`, `color`, `filter`, `noise`, `cutout`, joined by commas, or `bg`, `bgc`,
            `bgcf`, `bgcfn`, `bgcfnc` or `r3gan`: those whose multipliers are 1 unless given; of `r3gan`, blit, geom,
            color and cutout, those of colours are 1/2.
        xflip, rotate90, xint, scale, rotate, aniso, xfrac, brightness, contrast, lumaflip, hue, saturation,
            imgfilter, noise, cutout: the multipliers; None: as `operations` says.
        xint_max, xfrac_std: largest shift by whole pixels, and deviation of that by a fraction, as shares of a side.
        scale_std, aniso_std, contrast_std, saturation_std, imgfilter_std: deviations of a factor's logarithm to the
            base 2.
        rotate_max, hue_max: largest angles, as shares of a half turn.
        brightness_std, noise_std: deviations of what is added, and of noise's own deviation.
        imgfilter_bands: multipliers of the four bands, the lowest frequencies first.
        cutout_size: side of the hole, as a share of the image's.
    Raises: ConfigError if `operations` has an unknown name or a number leaves its range.
    """

    def __init__(
        self,
        operations: str = "bgc",
        xflip: NotNegative | None = None,
        rotate90: NotNegative | None = None,
        xint: NotNegative | None = None,
        scale: NotNegative | None = None,
        rotate: NotNegative | None = None,
        aniso: NotNegative | None = None,
        xfrac: NotNegative | None = None,
        brightness: NotNegative | None = None,
        contrast: NotNegative | None = None,
        lumaflip: NotNegative | None = None,
        hue: NotNegative | None = None,
        saturation: NotNegative | None = None,
        imgfilter: NotNegative | None = None,
        noise: NotNegative | None = None,
        cutout: NotNegative | None = None,
        xint_max: Within("[0, 1]") = 0.125,
        scale_std: NotNegative = 0.2,
        rotate_max: NotNegative = 1.0,
        aniso_std: NotNegative = 0.2,
        xfrac_std: NotNegative = 0.125,
        brightness_std: NotNegative = 0.2,
        contrast_std: NotNegative = 0.5,
        hue_max: NotNegative = 1.0,
        saturation_std: NotNegative = 1.0,
        imgfilter_bands: Several(NotNegative, 4) = (1.0, 1.0, 1.0, 1.0),
        imgfilter_std: NotNegative = 1.0,
        noise_std: NotNegative = 0.1,
        cutout_size: NotNegative = 0.5,
    ):
        given = dict(
            xflip=xflip, rotate90=rotate90, xint=xint, scale=scale, rotate=rotate, aniso=aniso, xfrac=xfrac,
            brightness=brightness, contrast=contrast, lumaflip=lumaflip, hue=hue, saturation=saturation,
            imgfilter=imgfilter, noise=noise, cutout=cutout,
        )  # fmt: skip
        named = _multipliers(operations)
        self.multipliers = {name: named[name] if value is None else value for name, value in given.items()}
        self.xint_max, self.xfrac_std = xint_max, xfrac_std
        self.scale_std, self.aniso_std, self.rotate_max = scale_std, aniso_std, rotate_max
        self.brightness_std, self.contrast_std = brightness_std, contrast_std
        self.hue_max, self.saturation_std = hue_max, saturation_std
        self.imgfilter_bands, self.imgfilter_std = tuple(imgfilter_bands), imgfilter_std
        self.noise_std, self.cutout_size = noise_std, cutout_size

    # What is drawn

    def operations(self, shape):
        """The names of the operations that are done to images of a shape (H, W, C), in their order.

        Raises: ConfigError if the images are too small for the filter, or have too many channels for colours.
        """
        names = [name for name, multiplier in self.multipliers.items() if multiplier]
        if "imgfilter" in names and min(shape[:2]) < _SMALLEST_FILTERED:
            raise ConfigError(
                f"AugmentPipe.imgfilter takes images of {_SMALLEST_FILTERED} pixels a side or more. "
                f"Received: {tuple(shape[:2])}"
            )
        if shape[2] > 4 and any(name in GROUPS["color"] for name in names):
            raise ConfigError(f"AugmentPipe takes the colours of 1 to 4 channels. Received: {shape[2]}")
        return [name for name in names if shape[2] > 2 or name not in _OF_COLORS]

    def draw_shapes(self, shape):
        """`{name: [...]}`, what one image of a shape (H, W, C) draws: `_u`, `_gate` in [0, 1), `_n` normal."""
        shapes = {}
        for name in self.operations(shape):
            for gate, number, count in _DRAWN[name]:
                shapes |= {number: (count,), f"{gate}_gate": (1,)}
        return shapes | ({"noise_n": tuple(shape)} if "noise" in self.operations(shape) else {})

    # What they come to

    def transforms(self, draws, probability, shape):
        """What is to be done to each image: `{name: [N, ...]}`, for a call.

        Args:
            draws: {name: [N, ...]}, those of `draw_shapes`.
            probability: scalar of at least 0.
            shape: (H, W, C) of the images.
        """
        names = self.operations(shape)
        chosen = Chosen(self, draws, probability)
        found = {}
        if any(name in names for name in _GEOMETRIC):
            found["maps"] = geometric_map(chosen, names, *shape[:2])
            found["margins"] = filtered.margins(found["maps"], *shape[:2])
        if any(name in names for name in GROUPS["color"]):
            found["colors"] = color_map(chosen, names)
        if "imgfilter" in names:
            factors = [chosen.exponential(f"band{band}", self.imgfilter_std) for band in range(4)]
            found["gains"] = filtered.band_gains(tf.stack(factors, 1))
        if "noise" in names:
            deviation = tf.abs(chosen.number("noise", "noise_sigma_n")) * self.noise_std
            found["noise"] = deviation[:, None, None, None] * draws["noise_n"]
        if "cutout" in names:
            found["hole_size"] = self.cutout_size * chosen.opened("cutout")
            found["hole"] = draws["cutout_u"]
        return found

    # The images

    def __call__(self, images, transforms):
        """The images [N, H, W, C] after `transforms`."""
        if "maps" in transforms:
            images = filtered.resample(images, transforms["maps"], transforms["margins"])
        if "colors" in transforms:
            images = colors.recolor(images, transforms["colors"])
        if "gains" in transforms:
            images = filtered.amplify_bands(images, transforms["gains"])
        if "noise" in transforms:
            images = images + tf.cast(transforms["noise"], images.dtype)
        if "hole" in transforms:
            images = images * tf.cast(
                outside(images.shape, transforms["hole"], transforms["hole_size"]), images.dtype
            )
        return images


def _multipliers(operations):
    """`{operation: multiplier}` of a text such as `blit,color` or `bgc`."""
    names = [name.strip() for name in operations.split(",") if name.strip()]
    groups = [group for name in names for group in JOINED.get(name, (name,))]
    if not set(groups) <= GROUPS.keys() or len(set(groups)) < len(groups):
        allowed = ", ".join((*GROUPS, *JOINED))
        raise ConfigError(
            f"AugmentPipe.operations joins {allowed} by commas, each once. Received: {operations!r}"
        )
    of_group = {group: float(group in groups) for group in GROUPS}
    if "r3gan" in names:
        of_group["color"] = 0.5
    return {name: of_group[group] for group, members in GROUPS.items() for name in members}
