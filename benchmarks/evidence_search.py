"""The trials of `evidence_parts.py` that search architectures."""

from evidence_mnist import MNIST, NO_CLASSES, metrics
from evidence_pieces import DRAWN, Part

GENOTYPE = 'alphagan_generator.genotype = "{genotype}"'
NETWORKS = (
    "alphagan_supernet.base_channels = 16",
    "alphagan_supernet.latent_dim = 32",
    "autogan_discriminator.base_channels = 16",
)
# As many updates of weights as AlphaGAN's: 100 times T = 20.
RANDOM_SEARCH = (
    *NETWORKS,
    "build.methods = [@RandomSearchGAN]",
    "RandomSearchGAN.num_candidates = 20",
    "GAN.discriminator_steps = 1",
    "TorchAdam.learning_rate = 2e-4",
    "TorchAdam.beta_1 = 0.0",
    "TorchAdam.beta_2 = 0.999",
    "TorchAdam.epsilon = 1e-8",
    "train.steps = 2000",
    "train.save_every = 200",
    "train.evaluate_every = 2000",
    "train.sample_every = 2000",
    "search.note_every = 2000",
)
ALPHAGAN = (
    "presets/alphagan_paper.gin",
    *NETWORKS,
    "train.steps = 100",
    "train.save_every = 5",
    "train.evaluate_every = 50",
    "train.sample_every = 50",
)
RETRAINED = (
    "networks/alphagan.gin",
    "alphagan_generator.base_channels = 16",
    "alphagan_generator.latent_dim = 32",
    "autogan_discriminator.base_channels = 16",
    "GAN.ema_decay = 0.99",
    GENOTYPE,
)
README = (  # how the genotypes of digits32_search.gin were trained when their FIDs were 470
    "GAN.discriminator_steps = 2",
    "TorchAdam.learning_rate = 1e-3",
)
PAPER = ("GAN.discriminator_steps = 5", "TorchAdam.learning_rate = 2e-4")

PARTS = {
    "alphagan_digits": Part(
        claim="The genotypes that AlphaGAN found on digits lost most modes because of the rates of their retraining "
        "(1e-3, two discriminator steps), not because of the architectures.",
        source="gin_configs/alphagan/README.md, Digits",
        common=("alphagan/digits32_retrain.gin", GENOTYPE),
        arms={"1e-3, two steps": README, "2e-4, five steps": PAPER, "drawn, 1e-3, two steps": README},
        metric="fid",
        updates=2000,
        evaluations=5,
        search=("alphagan/digits32_search.gin",),
        searches={"AlphaGAN": ()},
        found={
            "1e-3, two steps": "AlphaGAN",
            "2e-4, five steps": "AlphaGAN",
            "drawn, 1e-3, two steps": DRAWN,
        },
    ),
    "alphagan": Part(
        claim="An architecture that AlphaGAN finds is better than architectures drawn at random, trained alike.",
        source="Tian, Shen, Su, Li, Liu 2021, section 5, tables 2 and 3",
        common=(*MNIST, *NO_CLASSES, *RETRAINED, *PAPER, *metrics()),
        arms={name: () for name in (DRAWN, "AlphaGAN", "without deconv", "alpha frozen", "random search")},
        metric="fid",
        updates=2000,
        evaluations=5,
        seeds=5,
        more_seeds={DRAWN: 10},
        search=(*MNIST, *NO_CLASSES, "networks/alphagan_supernet.gin", "batch_size = 32", *metrics()),
        searches={
            "AlphaGAN": ALPHAGAN,
            "without deconv": (*ALPHAGAN, 'alphagan_supernet.up_operations = ("nearest", "bilinear")'),
            "alpha frozen": (*ALPHAGAN, "AlphaGAN.architecture_learning_rate = 0.0"),
            "random search": RANDOM_SEARCH,
        },
        found={name: name for name in (DRAWN, "AlphaGAN", "without deconv", "alpha frozen", "random search")},
    ),
}
