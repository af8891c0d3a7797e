"""The options of a training run: gin's `train`."""

import dataclasses

from tfgans.config import ConfigError, Count, FilePath, Instance, Made, Positive, Several, configurable
from tfgans.evaluate import value_names


@configurable(name="train")
@dataclasses.dataclass(frozen=True)
class Plan:
    """The options of a run. In gin files its name is `train`.

    Args:
        steps: generator updates of the whole run.
        save_every, evaluate_every, sample_every: updates between two checkpoints, evaluations, sample grids.
            Each happens at step 0 and at the end, too.
        log_every: updates between two points of a training curve.
        num_samples_shown: images in a sample grid.
        keep_checkpoints: how many of the newest checkpoints are kept; the best one by `best_metric` is kept, too.
        best_metric: by which metric of an evaluation the best checkpoint is kept.
        best_is_highest: whether more of it is better: to be said of metrics of one's own, `metrics.higher_is_better`
            knows the others.
        histograms: write histograms of the weights to TensorBoard.
        seconds: end the run sooner, at the first step after so many seconds of training, compilation and
            evaluations not counted; None for no limit. Such a run does not repeat exactly.
        evaluate_every_seconds: evaluate after every so many of those seconds, too; None for not. Both are refused for
            several workers.
        duality_gap: `@DualityGap()` adds the duality gap to each evaluation; None for not.
        accept_changed_data: go on with data that are not what the folder's run was trained on, see `identity`.
        initialize_from: another run's folder, a checkpoint, a Keras file of a generator or a pickle of NVIDIA's,
            whose weights a new run begins with, see `transfer.initialize`; a run that is taken up has them already.
        trackers: what is told of the run besides TensorBoard, such as `[@WandbTracker(), @MLflowTracker()]`.
    """

    steps: Count
    save_every: Count = 500
    evaluate_every: Count = 1000
    sample_every: Count = 1000
    log_every: Count = 50
    num_samples_shown: Count = 64
    keep_checkpoints: Count = 3
    best_metric: str = "fid"
    best_is_highest: bool = False
    histograms: bool = False
    seconds: Positive | None = None
    evaluate_every_seconds: Positive | None = None
    duality_gap: Made("@DualityGap()") | None = None
    accept_changed_data: bool = False
    initialize_from: FilePath | None = None
    trackers: Several(Instance("@WandbTracker()")) = ()

    def check_workers(self, count):
        """Refuses seconds for several workers, whose clocks differ."""
        for name in ("seconds", "evaluate_every_seconds"):
            if getattr(self, name) and count > 1:
                raise ConfigError(
                    f"train.{name} is for one worker: several would not get there at the same step. "
                    f"Received: {getattr(self, name)} for {count} workers"
                )

    def check_best_metric(self, evaluator, known):
        """Refuses a metric that is none of the values that evaluations give; one that is left out may be named."""
        value_names.check("train.best_metric", self.best_metric, known, evaluator.values_left_out)

    def check(self, steps_per_execution):
        """Refuses numbers of steps that fall inside an execution of several."""
        for name in ("steps", "log_every", "save_every", "evaluate_every", "sample_every"):
            check_multiple(f"train.{name}", getattr(self, name), steps_per_execution)


def check_multiple(name, value, steps_per_execution):
    """Raises ConfigError for a number of steps that falls inside an execution of several."""
    if value % steps_per_execution:
        raise ConfigError(
            f"{name} = {value} is not a multiple of build.steps_per_execution = {steps_per_execution}"
        )
