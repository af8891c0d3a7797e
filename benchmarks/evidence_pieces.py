"""What the trials of `evidence.py` are made of.

An arm is a list of gin files below `gin_configs` and of bindings, as `launch/train.py` takes them. In bindings,
{data} is the folder of the data sets, {classifiers} that of the classifiers whose features are compared, {updates}
the generator updates of the run, {length} those of a run of the first arm, {tenth} a tenth of {length}.
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
    flags: tuple = ()
    times: dict = dataclasses.field(default_factory=dict)


def features(name):
    """Bindings for the features of a classifier that `launch/classifier.py` trained."""
    return (
        "Evaluator.features = @ClassifierFeatures()",
        f'ClassifierFeatures.path = "{{classifiers}}/{name}.keras"',
    )
