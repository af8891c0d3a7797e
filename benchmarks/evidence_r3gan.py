"""The trials of `evidence_parts.py` of R3GAN, the present baseline, against two older ones."""

from evidence_pieces import Part, features

METRICS = (
    'Evaluator.metrics = ["fid", "kid", "precision_recall", "density_coverage", "sliced_wasserstein"]',
)
# What moves has its last value after a fifth of the run.
R3GAN = (
    "networks/r3gan.gin",
    "r3gan_generator.blocks = 1",
    "r3gan_discriminator.blocks = 1",
    "r3gan_generator.class_dim = 16",
    "MovingAdam.learning_rate = %rate",
    "R3GAN.gamma = 1.0",
    "R3GAN.last_gamma = 0.1",
    "GAN.ema_half_life = 2000.0",
    "batch_size = 32",
)
SNGAN = (
    "networks/resnet.gin",
    'resnet_discriminator.conditioning = "projection"',
    "TorchAdam.learning_rate = %rate",
    "GAN.ema_half_life = 2000.0",
    "batch_size = 32",
)
STYLEGAN2_ADA = (
    "networks/stylegan2.gin",
    "build.methods = [@ADAGAN, @StyleMixingGAN, @PathLengthGAN, @R1GAN]",
    "ADAGAN.ada_pipe = @AugmentPipe()",
    'AugmentPipe.operations = "bgc"',
    "ADAGAN.augment_penalties = True",
    "ADAGAN.ada_speed = 20.0",  # a run has tens of thousands of images: p may reach 1 after 25,000
    "stylegan2_generator.num_classes = %num_classes",
    "stylegan2_generator.latent_dim = 64",
    "stylegan2_generator.style_dim = 64",
    "stylegan2_generator.mapping_layers = 2",
    "stylegan2_discriminator.num_classes = %num_classes",
    "R1GAN.r1_weight = 1.0",
    "lazy_adam.learning_rate = %rate",
    "GAN.ema_decay = 0.0",
    'GAN.ema_statistics = "own"',
    "GAN.ema_half_life = 2000.0",
    "batch_size = 32",
)


def _channels(most):
    """The widest layers of StyleGAN2."""
    return (f"stylegan2_generator.max_channels = {most}", f"stylegan2_discriminator.max_channels = {most}")


def _width(generator, discriminator):
    """The widths of SNGAN."""
    return (
        f"resnet_generator.base_channels = {generator}",
        f"resnet_discriminator.base_channels = {discriminator}",
    )


def _part(images, common, width, burn_in, narrow, channels, **options):
    return Part(
        claim=f"R3GAN needs none of the tricks of its forerunners and is better than they are; here on {images}, by "
        "class, in the same time.",
        source="Huang, Gokaslan, Kuleshov, Tompkin 2024, section 5: larger networks, days of eight GPUs",
        common=(*common, *METRICS),
        arms={
            "R3GAN": (*R3GAN, f"width = {width}", "group_width = 8", f"R3GAN.burn_in = {burn_in}"),
            "SNGAN, hinge": (*SNGAN, *narrow),
            "StyleGAN2 with ADA": (*STYLEGAN2_ADA, *_channels(channels)),
        },
        metric="fid",
        equal="seconds",
        **options,
    )


PARTS = {
    "r3gan_digits": _part(
        "scikit-learn's digits at 32x32",
        ("data/digits32.gin", "Evaluator.features = @DigitsFeatures()", "Evaluator.num_samples = 5000"),
        (64, 48, 32, 16),
        7680,
        _width(32, 32),
        32,
        updates=1200,
        evaluations=5,
        rates={f"{rate:g}": (f"rate = {rate}",) for rate in (4e-4, 2e-3)},
    ),
    "r3gan_emoji": _part(
        "emoji at 64x64",
        (
            "data/npz.gin",
            'Dataset.source = "npz:{data}/emoji64.npz"',
            "num_classes = 10",
            *features("emoji"),
            "Evaluator.num_samples = 2000",
            "rate = 2e-3",  # which each arm had on the digits
        ),
        (64, 48, 32, 24, 16),
        1920,
        _width(16, 32),
        32,
        updates=300,
        evaluations=5,
    ),
}
