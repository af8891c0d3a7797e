"""The trials of `evidence_parts.py` on MNIST at 32x32, sized for a core a run."""

from evidence_pieces import Part, features, together

MNIST = (
    "data/npz.gin",
    'Dataset.source = "npz:{data}/mnist_train.npz"',
    'Dataset.evaluation_source = "npz:{data}/mnist_test.npz"',
    "resolution = 32",
    "channels = 1",
    *features("mnist"),
    "Evaluator.num_samples = 1500",  # as many as there are test images
    "GAN.ema_decay = 0.99",
)
CLASSES = ("num_classes = 10",)
NO_CLASSES = ("num_classes = None", "Dataset.use_labels = False")
TENTH = ("Dataset.fraction = 0.1",)


def metrics(*more):
    """The binding for the usual metrics and `more`."""
    names = ("fid", "mind", "precision_recall", "density_coverage", *more)
    return (f"Evaluator.metrics = {list(names)}",)


def width(channels):
    """Bindings for the width of residual networks."""
    return (
        f"resnet_generator.base_channels = {channels}",
        f"resnet_discriminator.base_channels = {channels}",
    )


ADAM = (
    "build.generator_optimizer = @generator/TorchAdam",
    "build.discriminator_optimizer = @discriminator/TorchAdam",
    "TorchAdam.beta_1 = 0.0",
    "TorchAdam.beta_2 = 0.9",
    "TorchAdam.epsilon = 1e-8",
)


def adam(generator, discriminator):
    """Bindings for the rates of the two networks."""
    return (
        f"generator/TorchAdam.learning_rate = {generator}",
        f"discriminator/TorchAdam.learning_rate = {discriminator}",
    )


RATES = {  # one rate and two; larger than the papers', as runs are short
    "1e-3": adam(1e-3, 1e-3),
    "G 1e-3, D 2e-4": adam(1e-3, 2e-4),
}
FASTGAN_NETWORKS = ("networks/fastgan_cifar.gin", *width(32))
FASTGAN = (*FASTGAN_NETWORKS, "losses/fastgan.gin", "GAN.discriminator_steps = 1")


def free(radius, steps=2):
    """FastGAN with a perturbation of at most `radius`, of pixels in [-1, 1]."""
    return (
        *FASTGAN,
        "build.methods = [@FastGAN]",
        f"FastGAN.adversarial_steps = {steps}",
        f"FastGAN.perturbation_radius = {radius}",
    )


SNGAN = (
    "networks/sngan_cifar.gin",
    "GAN.discriminator_loss = @hinge_discriminator",
    "GAN.generator_loss = @hinge_generator",
)
REGAN = (
    "build.methods = [@ReGAN]",
    "ReGAN.sparsity = 0.1",
    "ReGAN.warm_up_length = 2",
    "ReGAN.sparse_length = 1",
    "ReGAN.length_unit = {tenth}",
)
RESNET = ("networks/resnet.gin", *width(20), *ADAM, *adam(1e-3, 1e-3), "GAN.discriminator_steps = 2")


def tickets(rounds):
    """Lottery tickets: `rounds` trainings after the first, of 10 % fewer weights each."""
    return (
        "build.methods = [@TicketGAN]",
        f"TicketGAN.ticket_rounds = {rounds}",
        "TicketGAN.round_length = {length}",
        "TicketGAN.round_sparsity = 0.1",
    )


GP = "build.methods = [@GradientPenaltyGAN]"
ADVAS = "build.methods = [@AdvAsGAN, @GradientPenaltyGAN]"


def _regan(share, common):
    return Part(
        claim=f"On {share} of the images a generator that is pruned and grown again in turns is better and steadier "
        "than the dense one, and for less than lottery tickets take.",
        source="Saxena et al. 2023 (Re-GAN), sections 4.1 to 4.3, tables 4 and 7, figures 6 and 7",
        common=(*MNIST, *NO_CLASSES, *common, *RESNET, *metrics()),
        arms={
            "SNGAN": (),
            "Re-SNGAN": REGAN,
            "Re-SNGAN-lr": (*REGAN, "ReGAN.dense_rate = 1.0"),
            "Re-SNGAN-RI": (*REGAN, 'ReGAN.regrow = "initializer"'),
            "tickets, 2 rounds": tickets(2),
            "0.9 of the width": ("resnet_generator.base_channels = 18",),
        },
        metric="fid",
        updates=3000,
        times={"tickets, 2 rounds": 3},
        evaluations=10,
    )


PARTS = {
    "fastgan": Part(
        claim="In the same time FastGAN is better than RobGAN and than SNGAN with five discriminator steps, without "
        "spectral normalisation or a rate for each network; the perturbation is what helps.",
        source="Zhong, Liu, Hsieh 2020, section 4.1, tables 2 and 6",
        common=(*MNIST, *CLASSES, *ADAM, *metrics("intra_class")),
        arms={
            "FastGAN, c = 0.006": free(6e-3),
            "FastGAN, c = 0.1": free(0.1),
            "c = 0, two steps": free(0.0),
            "plain": (*FASTGAN, "build.methods = ()"),
            "RobGAN": (
                *FASTGAN_NETWORKS,
                "losses/robgan.gin",
                "GAN.discriminator_loss = @robgan_discriminator",
                "build.methods = [@RobGAN]",
                "RobGAN.attack_steps = 3",
                "RobGAN.attack_radius = 0.1",
                "RobGAN.attack_step_size = 0.03",
                "GAN.discriminator_steps = 5",
            ),
            "SNGAN": (*SNGAN, *width(32), "GAN.discriminator_steps = 5"),
        },
        metric="fid",
        updates=1000,
        equal="seconds",
        evaluations=10,
        rates=RATES,
    ),
    "fastgan_class": Part(
        claim="The weight of the generator's class term trades recall within classes for fidelity: 0.1 and less "
        "cannot be recognised, 0.8 and more has one mode a class, 0.2 to 0.4 has several.",
        source="Zhong, Liu, Hsieh 2020, section 4.1, figure 2",
        common=(*MNIST, *CLASSES, *ADAM, *free(6e-3), *adam(1e-3, 1e-3), *metrics("intra_class")),
        arms={
            f"{weight}": (f"GAN.generator_class_weight = {weight}",)
            for weight in (1.0, 0.4, 0.2, 0.1, 0.03, 0.0)
        },
        metric="intra_recall",
        updates=1000,
        evaluations=10,
    ),
    "advas": Part(
        claim="In the same time WGAN-GP with AdvAs and one discriminator step is better than with five steps, whose "
        "best FID it betters by 28 %, and than with one step alone; r falls by it.",
        source="Munk, Harvey, Wood 2020, section 5.1, figure 1, appendix E.1",
        common=(
            *MNIST,
            "networks/mnist_wgan_gp.gin",
            "resolution = 28",
            *NO_CLASSES,
            *metrics(),
            "train.duality_gap = @DualityGap()",
            "DualityGap.steps = 30",
            "DualityGap.num_samples = 512",
        ),
        arms={
            "n = 5": (GP, "GAN.discriminator_steps = 5"),
            "n = 2": (GP, "GAN.discriminator_steps = 2"),
            "n = 1": (GP, "GAN.discriminator_steps = 1"),
            "AdvAs, n = 1": (ADVAS, "GAN.discriminator_steps = 1", "AdvAsGAN.advas_weight = None"),
            "AdvAs, 0.01, n = 1": (ADVAS, "GAN.discriminator_steps = 1", "AdvAsGAN.advas_weight = 0.01"),
        },
        metric="fid",
        updates=600,
        equal="seconds",
        evaluations=8,
        seeds=5,
        flags=("--advas_r",),
    ),
    "regan": _regan("100 %", ()),
    "regan10": _regan("10 %", TENTH),
    # 85 images, of which a step takes 64: two batches for the discriminator.
    "regan1": _regan("1 %", ("Dataset.fraction = 0.01", "Dataset.batch_size = 32")),
    "bfloat16": Part(
        claim="Computing in bfloat16 costs no quality.",
        source="no paper: a property of this library",
        common=(*MNIST, *CLASSES, *ADAM, *adam(2e-4, 2e-4), *FASTGAN, "build.methods = ()", *metrics()),
        arms={
            "float32": ('numerics.precision = "float32"',),
            "bfloat16": ('numerics.precision = "mixed_bfloat16"',),
        },
        metric="fid",
        updates=1000,
        evaluations=10,
        seeds=5,
    ),
    "advas_fastgan": together(
        "AdvAs and FastGAN together are better than each alone, on a tenth of MNIST.",
        (*MNIST, *CLASSES, *TENTH, *ADAM, *adam(1e-3, 1e-3), *FASTGAN, *metrics()),
        {
            "both": ("build.methods = [@AdvAsGAN, @FastGAN]",),
            "FastGAN": ("build.methods = [@FastGAN]",),
            "AdvAs": ("build.methods = [@AdvAsGAN]",),
            "neither": ("build.methods = ()",),
        },
        updates=800,
    ),
    "regan_ada": together(
        "Re-GAN and ADA together are better than each alone, on a tenth of MNIST.",
        (*MNIST, *NO_CLASSES, *TENTH, *RESNET, *metrics()),
        {
            "both": (*REGAN, "build.methods = [@ReGAN, @ADAGAN]"),
            "ADA": ("build.methods = [@ADAGAN]",),
            "Re-GAN": REGAN,
            "neither": (),
        },
        updates=1000,
    ),
}
