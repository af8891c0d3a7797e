"""What `gpu_check.py` runs: one experiment of each network and method, and those whose time is taken."""

import re
from pathlib import Path

TABLE = Path(__file__).resolve().parent.parent / "docs" / "configurations.md"
TF32 = "numerics.precision='tf32'"
BF16 = "numerics.precision='mixed_bfloat16'"
XLA = "build.jit_compile=True"
FREE = "numerics.deterministic=False"
ALPHAGAN_SHORT = ("AlphaGAN.weight_steps=2", "AlphaGAN.test_steps=2", "AlphaGAN.architecture_steps=2")


def flags(experiment):
    """The flags of an experiment, by the table of docs/configurations.md."""
    return re.search(rf"^\| `{experiment}` \| `(.+)` \|$", TABLE.read_text(), re.MULTILINE)[1]


def case(name, experiment, params=(), batch_size=None, updates=2, times=2):
    """The arguments of `gpu_check.Case`; `updates` are made `times` times, from the same state."""
    return {
        "name": name,
        "configuration": flags(experiment),
        "gin_params": list(params),
        "batch_size": batch_size,
        "updates": updates,
        "times": times,
    }


def small(given):
    """The same for a rehearsal on a processor: four images, one update."""
    return given | {"batch_size": 4, "updates": 1}


# Those that take long to trace come first.
FAMILIES = [
    case(
        "AlphaGAN on stylegan2",
        "alphagan_stylegan2/celeba128_search_micro_w",
        params=ALPHAGAN_SHORT,
        updates=1,
    ),
    case("AlphaGAN on biggan", "alphagan_biggan/cifar10_search", params=ALPHAGAN_SHORT, updates=1),
    case("AlphaGAN search", "alphagan/cifar10_search_s", params=ALPHAGAN_SHORT, updates=1),
    case("random search", "alphagan/cifar10_random"),
    case("BigGAN", "fastgan/biggan_imagenet", batch_size=16),
    case("stylegan2, ADA", "stylegan2/cifar10_ada"),
    case("stylegan2, DiffAugment", "stylegan2/obama256_diffaugment", batch_size=8),
    case("stylegan2, APA", "stylegan2/obama256_apa", batch_size=8),
    case("AdversarialNAS", "alphagan/cifar10_adversarialnas"),
    case("mlp", "base/ring"),
    case("dcgan", "base/photos64"),
    case("resnet, quickstart", "quickstart"),
    case("sngan", "fastgan/sngan_cifar10"),
    case("wgan-gp", "fastgan/wgan_gp_cifar10"),
    case("FastGAN", "fastgan/cifar10"),
    case("RobGAN", "fastgan/robgan_cifar10"),
    case("ACGAN", "fastgan/acgan_cifar10"),
    case("SAGAN", "fastgan/sagan_imagenet", batch_size=16),
    case("AdvAs, autogan", "advas/cifar10_autogan"),
    case("AdvAs, mnist", "advas/mnist_wgan_gp"),
    case("BEGAN with AdvAs", "advas/celeba64_began"),
    case("octave dcgan", "octave/celeba128_dcgan_combi"),
    case("octave wgan", "octave/celeba128_wgan_combi"),
    case("Re-GAN, sngan", "regan/cifar10_sngan"),
    case("Re-GAN, autogan", "regan/cifar10_autogan_a"),
    case("Re-GAN, stylegan2", "regan/obama256_stylegan2", batch_size=8),
    case("GAN tickets", "regan/cifar10_tickets20"),
    case("progan", "progan/cifar10"),
    case("AlphaGAN", "alphagan/cifar10_retrain_s"),
    case("AdvAs, FastGAN, Re-GAN", "combined/digits"),
    case("AdvAs, octave, ADA", "combined/digits32_octave"),
]
REPLICAS = [
    case("one device", "quickstart", params=["strategy.kind='one_device'"], updates=4),
    case("mirrored", "quickstart", params=["strategy.kind='mirrored'"], updates=4),
]
VARIANTS = {
    "float32": (),
    "TF32": (TF32,),
    "bfloat16": (BF16,),
    "float32, XLA": (XLA,),
    "TF32, XLA": (TF32, XLA),
    "bfloat16, XLA": (BF16, XLA),
    "float32, ten steps a call": ("build.steps_per_execution=10",),
    "TF32, not deterministic": (TF32, FREE),
}
# Network: its experiment, its batch, and which variants; those that compile longest come first.
MEASURED = {
    "StyleGAN2-64": ("stylegan2/celeba64", 32, ("bfloat16, XLA", "float32", "TF32", "bfloat16")),
    "StyleGAN2-128": ("stylegan2/celeba128", 32, ("TF32", "bfloat16")),
    "StyleGAN2-256": ("stylegan2/lsun_church256", 32, ("bfloat16",)),
    "SNGAN-32": (
        "fastgan/sngan_cifar10",
        64,
        ("TF32, XLA", "bfloat16, XLA", "float32", "TF32", "bfloat16", "TF32, not deterministic"),
    ),
    "quickstart": ("quickstart", None, ("float32, XLA", "float32", "float32, ten steps a call")),
}
SPEED = [
    case(f"{network}: {variant}", file, params=VARIANTS[variant], batch_size=batch_size, updates=9, times=1)
    for network, (file, batch_size, variants) in MEASURED.items()
    for variant in variants
]
# Of which it is told what the GPU does.
PROFILED = (
    "quickstart: float32",
    "quickstart: float32, XLA",
    "SNGAN-32: TF32",
    "SNGAN-32: bfloat16, XLA",
    "StyleGAN2-64: bfloat16",
    "StyleGAN2-128: bfloat16",
)
