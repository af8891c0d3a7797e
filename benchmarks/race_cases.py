"""What `race_torch.py` races: configurations of ours, and the modules that have the same in PyTorch.

Imports neither framework: both sides read it, each in its own environment.
"""

from dataclasses import dataclass

UNLABELLED = ("num_classes=None",)


@dataclass(frozen=True)
class Case:
    """One race.

    Args:
        title: for tables.
        configuration: gin files, as of `train`.
        gin_params: bindings that make it the same, and small enough to time.
        module: of this folder, with a function `make(batch_size, precision)` for PyTorch.
        batch_size: of the discriminator.
        updates: of the generator in a turn; a multiple of the intervals of lazy regularizers. A search: outer steps.
    """

    title: str
    configuration: str
    gin_params: tuple
    module: str
    batch_size: int
    updates: int = 1


CASES = {
    "sngan": Case(
        "SNGAN, 32x32, 256 and 128 channels, batch 64",
        "--gin_file=gin_configs/data/cifar10.gin --gin_file=gin_configs/networks/resnet.gin",
        (*UNLABELLED, "GAN.discriminator_steps=1", "GAN.freeze_discriminator_state=False"),
        "race_sngan",
        64,
    ),
    "stylegan2": Case(
        "StyleGAN2, 64x64, 128 channels at most, batch 8, R1 and path length lazy",
        "--gin_file=gin_configs/data/photos64.gin --gin_file=gin_configs/networks/stylegan2.gin",
        (
            *UNLABELLED,
            "stylegan2_generator.max_channels=128",
            "stylegan2_discriminator.max_channels=128",
        ),
        "race_stylegan2",
        8,
        16,
    ),
    "octave": Case(
        "octave DCGAN, 64x64, 64 channels at the largest map, alpha 0.5, batch 32",
        "--gin_file=gin_configs/data/photos64.gin --gin_file=gin_configs/networks/octave_dcgan.gin "
        "--gin_file=gin_configs/losses/non_saturating.gin",
        (
            *UNLABELLED,
            "octave_generator.base_channels=64",
            "octave_discriminator.base_channels=64",
        ),
        "race_octave",
        32,
        4,
    ),
    "advas": Case(
        "AutoGAN-A with AdvAs, 32x32, 256 and 128 channels, batch 16",
        "--gin_file=gin_configs/advas/cifar10_autogan.gin",
        ("GAN.discriminator_steps=1", "GAN.generator_batch_ratio=1", "AdvAsGAN.advas_norms=False"),
        "race_advas",
        16,
    ),
    "alphagan": Case(
        "AlphaGAN's outer step, T = R = S = 2, 32x32, 64 channels, batch 32",
        "--gin_file=gin_configs/alphagan/cifar10_search.gin --gin_file=gin_configs/presets/alphagan_paper.gin",
        (
            "alphagan_supernet.base_channels=64",
            "autogan_discriminator.base_channels=64",
            *(f"AlphaGAN.{name}_steps=2" for name in ("weight", "test", "architecture")),
        ),
        "race_alphagan",
        32,
    ),
}
# Of ours, by the name that a race has for them; TF32 is float32 where there is no GPU.
POLICIES = {"float32": "float32", "tf32": "tf32", "bfloat16": "mixed_bfloat16"}
