"""The trials of `evidence.py`: claims, arms and budgets.

What an arm is made of is a list of gin files below `gin_configs` and of bindings, as `launch/train.py` takes them. In
bindings, {data} is the folder of the data sets, {classifiers} that of the classifiers whose features are compared,
{updates} the generator updates of the run.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Part:
    """The trial of one claim.

    Attributes:
        claim, source: what is said, and where in which paper.
        common: what all arms are made of.
        arms: what each arm is made of besides, {name: list}; the others are compared with the first.
        metric: what ranks, one of a row of `metrics.jsonl`.
        updates: generator updates of the first arm.
        equal: `updates`, or `seconds`: then each arm makes as many updates as take the same time, by what
            `step_time.py` measures.
        evaluations: of each run, at equal distances, besides the one at step 0.
        rates: learning rates, {name: bindings}, of which each arm gets the one that is best on a seed that is not
            counted; {} for those of `common`.
        seeds: counted runs of each arm.
    """

    claim: str
    source: str
    common: tuple
    arms: dict
    metric: str
    updates: int
    equal: str = "updates"
    evaluations: int = 20
    rates: dict = dataclasses.field(default_factory=dict)
    seeds: int = 3


def features(name):
    """Bindings for the features of a classifier that `launch/classifier.py` trained."""
    return (
        "Evaluator.features = @ClassifierFeatures()",
        f'ClassifierFeatures.path = "{{classifiers}}/{name}.keras"',
    )


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
}
