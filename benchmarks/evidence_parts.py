"""The trials of `evidence.py`, {name: Part}: those on emoji at 64x64, which want a GPU, and those of MNIST."""

import evidence_mnist
import evidence_r3gan
import evidence_search
from evidence_pieces import Part, features, together

EMOJI = ("data/npz.gin", 'Dataset.source = "npz:{data}/emoji64.npz"', *features("emoji"))
# Few samples: an evaluation is to take less than a tenth of the time of a thousand updates.
SHORT_EVALUATION = (
    "Evaluator.num_samples = 1000",
    "Evaluator.sliced_samples = 256",
    "Evaluator.spectrum_samples = 512",
    'Evaluator.metrics = ["fid", "mind", "precision_recall", "density_coverage", "sliced_wasserstein", "spectrum"]',
)
TORCH_ADAM = (
    "build.generator_optimizer = @TorchAdam",
    "build.discriminator_optimizer = @TorchAdam",
    "TorchAdam.learning_rate = 2e-4",
    "TorchAdam.beta_1 = 0.5",
    "TorchAdam.beta_2 = 0.999",
    "TorchAdam.epsilon = 1e-8",
)
SOFT = ("octave/combi.gin", "updates = {updates}")


def _octave(loss, name):
    """The networks of the paper's code, which has 32 channels, and its rates; `loss` is a file."""
    transposed = ("networks/dcgan.gin", loss, "dcgan_generator.latent_dim = 100")
    transposed += ("dcgan_generator.base_channels = 32", "dcgan_discriminator.base_channels = 32")
    return Part(
        claim=f"{name}: the vanilla network collapses, octave networks do not; soft ones (RAMP, COMBI) bring high "
        "frequencies nearer to the real ones'.",
        source="Durall, Pfreundt, Keuper 2019, sections 4.2 and 4.3, figures 4, 7 and 10",
        common=(
            *EMOJI,
            "networks/octave_dcgan.gin",
            loss,
            "Dataset.use_labels = False",
            *TORCH_ADAM,
            *SHORT_EVALUATION,
        ),
        arms={
            "vanilla": ("alpha = 0.0",),
            "transposed": transposed,
            "octave": (),
            "LOW": ("alpha = 0.99",),
            "RAMP": (*SOFT, "OctaveGAN.beta_schedule = @ramp"),
            "COMBI": SOFT,
        },
        metric="mind",
        updates=20_000,
        seeds=2,
    )


PARTS = {
    "octave": _octave("losses/non_saturating.gin", "DCGAN"),
    "octave_lsgan": _octave("losses/least_squares.gin", "LSGAN"),
    **evidence_mnist.PARTS,
    "octave_advas": together(
        "Octave networks and AdvAs together are better than each alone, on emoji at 32x32.",
        (
            *EMOJI,
            "networks/octave_dcgan.gin",
            "losses/non_saturating.gin",
            "resolution = 32",
            "Dataset.use_labels = False",
            *TORCH_ADAM,
            *SHORT_EVALUATION,
        ),
        {
            "both": ("build.methods = [@AdvAsGAN]",),
            "AdvAs": ("build.methods = [@AdvAsGAN]", "alpha = 0.0"),
            "octave": (),
            "neither": ("alpha = 0.0",),
        },
        updates=1500,
    ),
    **evidence_search.PARTS,
    **evidence_r3gan.PARTS,
}
