"""What the trials of `evidence.py` are made of.

An arm is a list of gin files below `gin_configs` and of bindings, as `launch/train.py` takes them. In bindings,
{data} is the folder of the data sets, {classifiers} that of the classifiers whose features are compared, {updates}
the generator updates of the run, {length} those of a run of the first arm, {tenth} a tenth of {length}, {genotype}
the file of an architecture.
"""

import dataclasses

DRAWN = "drawn"  # in place of a search's name: architectures drawn uniformly


@dataclasses.dataclass(frozen=True)
class Part:
    """The trial of one claim.

    Attributes:
        claim, source: what is said, and where in which paper.
        common: what all arms are made of.
        arms: what each arm is made of besides, {name: list}; the others are compared with the first.
        metric: what ranks, one of a row of `metrics.jsonl`.
        updates: generator updates of the first arm.
        searches: searches of architectures, {name: what it is made of}; each is made with each seed.
        search: what all searches are made of.
        found: arms that train what was found, with the same seed, {arm: name of the search or DRAWN}.
            Their bindings have {genotype}, the file.
        more_seeds: arms with another number of counted runs, {name: number}.
        flags: more flags of `evidence_run.py`.
        times: arms that make several times as many, {name: times}.
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
    searches: dict = dataclasses.field(default_factory=dict)
    search: tuple = ()
    found: dict = dataclasses.field(default_factory=dict)
    more_seeds: dict = dataclasses.field(default_factory=dict)
    flags: tuple = ()
    times: dict = dataclasses.field(default_factory=dict)


def features(name):
    """Bindings for the features of a classifier that `launch/classifier.py` trained."""
    return (
        "Evaluator.features = @ClassifierFeatures()",
        f'ClassifierFeatures.path = "{{classifiers}}/{name}.keras"',
    )


def together(claim, common, arms, **options):
    """The trial of a pair of methods, at equal seconds; the first arm is both."""
    return Part(
        claim=claim,
        source="no paper: whether a pair helps more than each alone",
        common=common,
        arms=arms,
        metric="fid",
        equal="seconds",
        evaluations=10,
        **options,
    )
