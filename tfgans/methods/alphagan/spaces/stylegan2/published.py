"""The published genotypes of StyleGAN2, by name (Tian et al., 2021, Tables 6, 8, 17, 18, 20, 21), and `load`.

A name is the data's, `celeba` (128x128), `church` (256x256) or `ffhq` (1024x1024), and the paradigm's; those of the
AdversarialNAS baseline begin with `adversarialnas`, and have a discriminator. Table 6 gives FFHQ's micro_w
nearest_conv, Table 8 gives the same architecture bilinear_conv: it is here by Table 6, and by Table 8 as
`ffhq_micro_w_table8`.

Of seven more only the sizes are printed (Table 5). Those that end in `by_size` have exactly these sizes, but their
order and their up-sampling, which no size tells, are guesses, and their latents are all W_8: stand-ins, not the
paper's.
"""

from dataclasses import replace

from tfgans.methods.alphagan.records import named
from tfgans.methods.alphagan.spaces.stylegan2.genotype import StyleGAN2Genotype, micro_genotype, read_genotype


def _convolutions(sizes):
    """Names of operations by their kernels' sides; an `s` before the side is of a separable convolution."""
    parts = [("sep_conv", size[1:]) if size[0] == "s" else ("conv", size) for size in sizes.split()]
    return tuple(f"{kind}_{side}x{side}" for kind, side in parts)


def _up(names):
    short = {"de": "deconv", "ne": "nearest_conv", "bi": "bilinear_conv"}
    return tuple(short[name] for name in names.split())


def _interleaved(normal, up, last):
    """The latents of all layers from those of the normal ones, of the up-sampling ones and of the last to-RGB."""
    numbers = [0] * (len(normal) + len(up) + 1)
    numbers[0:-1:2], numbers[1:-1:2], numbers[-1] = normal, up, last
    return tuple(numbers)


def _searched(genotype, normal, down):
    return replace(
        genotype, discriminator_normal=_convolutions(normal), discriminator_down=_convolutions(down)
    )


_FFHQ_LATENTS = (3, 3, 7, 6, 4, 8, 3, 6, 4, 6, 3, 8, 2, 3, 4, 6, 4, 2)

GENOTYPES = {
    # Table 6
    "celeba_micro_w": micro_genotype("conv_3x3", "nearest_conv", 128, (2, 3, 4, 1, 1, 4, 1, 6, 1, 3, 8, 5)),
    "church_micro_w": micro_genotype(
        "conv_5x5", "bilinear_conv", 256, (7, 6, 8, 4, 8, 4, 1, 2, 1, 4, 2, 2, 4, 3)
    ),
    "ffhq_micro_w": micro_genotype("conv_5x5", "nearest_conv", 1024, _FFHQ_LATENTS),
    # Table 8
    "ffhq_micro_w_table8": micro_genotype("conv_5x5", "bilinear_conv", 1024, _FFHQ_LATENTS),
    "ffhq_micro": micro_genotype("conv_5x5", "bilinear_conv", 1024),
    "ffhq_macro": StyleGAN2Genotype(_convolutions("1 3 5 1 3 5 5 3 3"), _up("de bi ne bi de bi bi de")),
    # Table 20
    "ffhq_macro_separable": StyleGAN2Genotype(
        _convolutions("3 s7 s5 s3 s7 1 s7 3 5"), _up("de bi de bi bi de de de")
    ),
    # Table 21: StyleGAN2 with sep_conv_3x3 wherever it has conv_3x3; it doubles its maps as ever
    "ffhq_separable": micro_genotype("sep_conv_3x3", "deconv", 1024),
    # Table 17
    "adversarialnas_celeba_macro": _searched(
        StyleGAN2Genotype(_convolutions("1 1 1 1 1 1"), _up("ne ne ne ne bi")), "5 1 3 3 1", "1 1 3 3 3"
    ),
    "adversarialnas_church_macro": _searched(
        StyleGAN2Genotype(_convolutions("1 3 1 3 1 1 1"), _up("bi ne ne ne bi bi")),
        "1 5 1 5 1 1",
        "5 3 5 1 5 3",
    ),
    "adversarialnas_ffhq_macro": _searched(
        StyleGAN2Genotype(_convolutions("1 3 1 1 1 1 1 3 3"), _up("ne ne ne de ne ne de ne")),
        "1 3 5 1 1 5 1 1",
        "5 5 1 3 3 1 1 3",
    ),
    # Table 18
    "adversarialnas_celeba_micro_w": _searched(
        micro_genotype("conv_1x1", "nearest_conv", 128, _interleaved((7, 7, 5, 6, 7, 5), (8, 3, 5, 6, 8), 3)),
        "5 5 1 3 3",
        "5 3 5 3 5",
    ),
    "adversarialnas_church_micro_w": _searched(
        micro_genotype(
            "conv_1x1", "nearest_conv", 256, _interleaved((2, 4, 7, 2, 1, 3, 4), (8, 7, 5, 8, 3, 1), 2)
        ),
        "1 5 3 3 1 3",
        "1 1 5 3 3 3",
    ),
    "adversarialnas_ffhq_micro_w": _searched(
        micro_genotype(
            "conv_5x5",
            "deconv",
            1024,
            _interleaved((6, 6, 7, 3, 3, 7, 5, 5, 4), (3, 7, 4, 7, 2, 1, 2, 5), 1),
        ),
        "1 3 3 3 1 5 3 1",
        "1 5 5 3 1 5 3 1",
    ),
}
_BY_SIZE = {  # kernels of the normal layers, up-sampling
    # 29.33M, 52.32M: one kernel for all, which must be 3x3 and 5x5; up-sampling as with dynamic latents
    "celeba_micro_by_size": ("3 3 3 3 3 3", "nearest_conv"),
    "church_micro_by_size": ("5 5 5 5 5 5 5", "bilinear_conv"),
    # 41.39M, 41.44M: the only kernels of the maps of 4 to 64 and of the larger ones that give them, in some order
    "celeba_macro_by_size": ("3 3 5 5 5 1", "bilinear_conv"),
    "church_macro_by_size": ("1 3 5 5 5 5 1", "bilinear_conv"),
    # 35.10M, 35.67M, 30.10M
    "celeba_macro_w_by_size": ("1 3 3 5 5 1", "bilinear_conv"),
    "church_macro_w_by_size": ("1 3 3 5 5 1 1", "bilinear_conv"),
    "ffhq_macro_w_by_size": ("3 3 3 3 3 1 5 3 1", "bilinear_conv"),
}
GENOTYPES |= {
    name: StyleGAN2Genotype(_convolutions(sizes), (up,) * (len(sizes.split()) - 1))
    for name, (sizes, up) in _BY_SIZE.items()
}


def load_stylegan2_genotype(name_or_path):
    """A genotype by name, from a JSON file, or as it is.

    Args:
        name_or_path: a key of `GENOTYPES`, the path of a file that `StyleGAN2Genotype.save` wrote, or a
            `StyleGAN2Genotype`.
    Raises: ConfigError, in one line, if there is no such genotype or file, or the file is not one.
    """
    return named(name_or_path, StyleGAN2Genotype, GENOTYPES, "a genotype of StyleGAN2", read_genotype)
