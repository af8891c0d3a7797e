"""One training run in one folder: start or resume, fit, evaluate, hand over."""

import contextlib
import logging
import time
from pathlib import Path

from tfgans import checkpoint, config, distribute, files
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate.metrics import is_value
from tfgans.evaluate.stability import FixedSamples
from tfgans.progress import phase
from tfgans.run import (
    build,
    callbacks,
    classes,
    folder,
    identity,
    own_code,
    real_images,
    shown,
    summary,
    transfer,
)
from tfgans.run.folder import Output
from tfgans.run.hand_over import hand_over, handed_over, refuse_beforehand
from tfgans.run.plan import Plan

logger = logging.getLogger(__name__)


def train(model_dir, **options):
    """Trains as the configuration says; a folder that holds a part of the same run is taken up exactly there.

    Args:
        model_dir: the run's folder.
        options: of `Plan`, in the place of what the configuration says.
    Returns: the metrics of the last evaluation, or None.
    Raises: ConfigError before anything is written if something cannot be run, such as a `train.best_metric` that
        evaluations do not have; `Diverged`; `Interrupted`.
    """
    with build.explained():
        plan = Plan(**options)
    return Run(model_dir, plan).train()


class Run:
    """One process of a training run: the model, its data, its folder, and how far it has come.

    Args:
        model_dir: the run's folder.
        plan: a `Plan`.
    Attributes:
        steps: the last step; of a run that ends by `Plan.seconds`, the step at which it did.
        saved_step: that of the newest checkpoint, None before the first.
        finished: whether nothing is left to do; known once the folder is taken.
        about: what is saved with a checkpoint beside the model's state, such as seconds spent.
    """

    def __init__(self, model_dir, plan):
        self.folder, self.plan, self.steps = Path(files.expanded(model_dir)), plan, plan.steps
        folder.refuse_other_bytes(self.folder)
        self.model, self.strategy = build.build_model()
        refuse_beforehand(self.model, self.folder)
        with build.explained():
            self.dataset = self.open_data()
            self.dataset.check(self.model.batches_per_step, self.strategy.num_replicas_in_sync)
            self._check_data()
            classes.follow(self.model, self.labelled_data())
        self.signals = callbacks.StopOnSignal(self.save, self.strategy)
        self.evaluator = build.build_evaluator(self.model, self.dataset, plan.duality_gap, self.signals.check)
        if self.evaluator is not None:
            plan.check_best_metric(self.evaluator, self.evaluator.values(self.dataset, self.model))
        self.configuration = config.operative()
        config.refuse_unused()
        self.identity = identity.Identity(self.folder, self.configuration, self.dataset)
        self.identity.check_workers(self.strategy)
        self.checkpoints = checkpoint.Checkpoints(self.folder / "checkpoints", plan.keep_checkpoints)
        self.output = Output(
            self.folder, self.model, plan.num_samples_shown, self.dataset.modes, plan.trackers
        )
        self.is_chief = distribute.worker_index(self.strategy) == 0
        plan.check_workers(distribute.workers())
        plan.check(self.model.steps_per_execution)
        self.about, self.saved_step, self.finished = {}, None, False
        self.origin = self._initialize()

    def _initialize(self):
        """Takes weights from where the plan says, for a run that has not begun; returns what was taken, or None."""
        source = self.plan.initialize_from
        if source is None or self.checkpoints.steps():
            return None
        with self.strategy.scope():
            return transfer.initialize(self.model, source)

    def train(self):
        """Trains what the folder does not hold yet; returns the metrics of the last evaluation, or None."""
        with self.in_its_folder():
            return self.fit()

    def examples(self):
        """Batches as they are trained on, from the first one, for a look at them."""
        return self.dataset.batches(self.model.batches_per_step, self.model.seed)

    def open_data(self):
        """The data to train on."""
        if self.model.on_halves:
            raise ConfigError(f"{type(self.model).__name__} is for launch/search.py")
        return Dataset()

    def labelled_data(self):
        """The data set whose shares of labels the labels of fakes are drawn by."""
        return self.dataset

    def _check_data(self):
        if self.dataset.item_shape != self.model.sample_shape:
            raise ConfigError(
                f"the data's items are {self.dataset.item_shape}, the generator makes {self.model.sample_shape}"
            )
        classes.check(self.model, self.dataset)

    @contextlib.contextmanager
    def in_its_folder(self):
        """Holds the folder, alone, and only if there is this run in it or nothing.

        Inside, the model is as the newest checkpoint has it, and a signal stops the run.
        """
        with contextlib.ExitStack() as stack:
            if self.is_chief:
                self._take_folder(stack)
            else:
                self.identity.check(self.plan.accept_changed_data)
            stack.enter_context(self.strategy.scope())
            self._resume()
            self.signals.saved_at(self.saved_step or 0)
            self.finished = self._is_finished()
            stack.enter_context(self.signals)
            if self.is_chief and (not self.finished or self.identity.is_new_to_folder):
                own_code.tell_changes(self.folder)
                own_code.write(self.folder)
                self.identity.write(self.saved_step or 0, self.evaluator)
            if self.is_chief and not self.finished:
                self._open_files(stack)
            yield self

    def _take_folder(self, stack):
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"{self.folder} is not a folder")
        try:
            self.identity.check(self.plan.accept_changed_data)
        except OSError as error:
            raise folder.cannot_be_trained_in(self.folder, error) from error
        folder.take(stack, self.folder)

    def _open_files(self, stack):
        """Opens what the run writes, as far as the newest checkpoint."""
        classes.save(self.folder, self.model, self.labelled_data())
        if self.saved_step is None:
            transfer.tell(self.origin, self.folder)
        self.output.open(stack, self.saved_step, self.configuration)
        step = self.saved_step or 0
        real_images.draw(self, step)
        self.output.show_again(step)

    def _is_finished(self):
        evaluated = self.output.row(self.steps) is not None
        drawn = self.output.draw.path(self.steps).exists()
        return self.saved_step == self.steps == handed_over(self.folder) and evaluated and drawn

    def _resume(self):
        about = self.checkpoints.restore(self.model)
        self.identity.check_resumed(self.strategy, None if about is None else about["step"])
        replicas = self.strategy.num_replicas_in_sync
        if about is None:
            self.about["replicas"] = replicas
            return
        self.saved_step = about.pop("step")
        self.about.update(about)
        before, self.about["replicas"] = self.about.get("replicas", replicas), replicas
        other = f", saved on {before} replicas, with {replicas}: equal to rounding, not to the bit"
        logger.info("resumed at step %d%s", self.saved_step, "" if before == replicas else other)
        if self.saved_step > self.steps:
            raise ConfigError(
                f"{self.folder} has been trained for {self.saved_step} steps already, more than {self.steps}"
            )
        limit = self.plan.seconds
        if limit is not None and self.about.get("train_seconds", 0.0) >= limit:
            self.steps = self.saved_step

    def fit(self):
        """Trains what is left, then leaves the folder complete."""
        if self.finished:
            more = "" if self.plan.seconds else "; a larger --steps goes on from there"
            logger.info("nothing is left to train: %d updates are done%s", self.steps, more)
            return self.output.row(self.steps)
        start = self.saved_step or 0
        if self.is_chief:
            summary.introduce(self, start)
        bar = shown.ProgressBar(None if self.plan.seconds else self.steps, self._images_per_step())
        try:
            if start < self.steps:
                self.model.fit_batches(
                    self.batches(start),
                    steps_per_epoch=self.steps - start,
                    verbose=0,
                    callbacks=self._callbacks(bar),
                )
            bar.close()
            return self.complete()
        except callbacks.Diverged as error:
            last = self.checkpoints.steps()
            kept = f"the checkpoint of step {last[-1]} is kept" if last else "nothing was saved yet"
            raise callbacks.Diverged(f"training diverged: {error}; {kept}") from error
        finally:
            bar.close()

    def _images_per_step(self):
        """Real images that one step sees: a generator update, or an outer step of a search."""
        return self.dataset.batch_size * sum(self.model.batches_of(self.steps - 1))

    def _callbacks(self, bar):
        """The callbacks of the run, in the order in which they are called after a step."""
        plan = self.plan
        watchers = [
            callbacks.Every(1, self.signals.trained_to),
            callbacks.TrainingClock(self.about),
            callbacks.StopWhenDiverged(),
            callbacks.CostMeter(self.about, self.dataset.batch_size),
        ]
        if self.is_chief:
            curves = self.folder / "train", plan.log_every, self._images_per_step(), plan.histograms
            watchers += [shown.TrainingCurves(*curves, self.output.trackers.curves, self.about), bar]
        if plan.evaluate_every_seconds is not None:  # before what saves: it has its step saved, too
            watchers.append(callbacks.EverySeconds(plan.evaluate_every_seconds, self.about, self.evaluate))
        watchers += [
            callbacks.Every(plan.save_every, self.save),
            callbacks.Every(plan.evaluate_every, self.evaluate),
            callbacks.Every(plan.sample_every, self.draw_samples),
        ]
        if plan.seconds is not None:
            watchers.append(callbacks.StopAfterSeconds(plan.seconds, self.about, self._end_at))
        return [*watchers, *self.watchers(), self.signals]

    def watchers(self):
        """More callbacks; subclasses such as `SearchRun` have some."""
        return []

    def _end_at(self, step):
        self.steps = step

    def batches(self, start):
        """The training batches from generator update `start` on, for this worker's replicas."""
        return distribute.batches(self.strategy, self.dataset, self.model, start)

    def save(self, step):
        """Saves the run, unless the newest checkpoint is of this very step."""
        if step == self.saved_step:
            return
        self.about["logs"] = self._logs()
        try:
            self.checkpoints.save(self.model, step, self.about, write=self.is_chief)
        except FloatingPointError as error:
            raise callbacks.Diverged(f"{error} at step {step}") from error
        self.saved_step = step
        if self.is_chief:
            self.checkpoints.prune(self._best())
        self.signals.saved_at(step)

    def _best(self):
        try:
            steps = self.checkpoints.steps()
            return {build.best_step(self.folder, steps, self.plan.best_metric, self.plan.best_is_highest)}
        except ConfigError:
            return set()  # nothing evaluated yet

    def evaluate(self, step):
        """Evaluates once at `step`, after saving it; only the chief does."""
        if self.evaluator is not None:
            self.save(step)
        if not self.is_chief:
            return
        if self.output.row(step) is None:
            self._write_row(step)
        self.model.evaluated(step, self.output.row(step))

    def _write_row(self, step):
        """Evaluates and writes what comes of it."""
        began, fixed = time.perf_counter(), FixedSamples(self.folder / "fixed_samples.npz", step)
        with phase(f"evaluating at step {step}"):
            metrics = self._noted(fixed) if self.evaluator is None else self._measured(step, fixed)
        metrics |= self.model.stated_labels() | fixed.metrics()
        if self.evaluator is not None:  # what too few images allow is seen only now
            known = [name for name, value in metrics.items() if is_value(name, value)]
            self.plan.check_best_metric(self.evaluator, known)
        spent = {k: round(v, 3) for k, v in self.about.items() if k.endswith("_seconds")}
        spent["eval_seconds"] = round(time.perf_counter() - began, 3)
        spent |= {k: v for k, v in self.about.items() if k == "real_images" or k.endswith("_flops")}
        self.output.show(step, metrics)
        self.output.append({"step": step} | metrics | spent)
        told = ", ".join(f"{k} {v:.4g}" for k, v in metrics.items() if isinstance(v, float))
        if told:
            logger.info("step %d: %s", step, told)
        self.checkpoints.prune(self._best())

    def _measured(self, step, fixed):
        """What the evaluator measures; `fixed` sees the samples."""
        stream = self.model.stream_of(self.model.seed)

        def generate(count):
            self.signals.check()  # the step is saved: a long evaluation need not be waited for
            return fixed.seen(stream(count))

        of_class = self.model.streams_of_classes(self.model.seed, check=self.signals.check)
        paths = self.model.paths(self.model.seed, check=self.signals.check)
        metrics = self.evaluator(generate, self.dataset, of_class, paths)
        compared = None if self.evaluator.of_images_alone else self.evaluator
        metrics |= self.model.row_of_weights(compared, self.signals.check)
        self.output.draw_spectra(step, self.evaluator.spectra)
        return metrics

    def _noted(self, fixed):
        """Without an evaluator: losses and whatever else the last step logged; `fixed` sees some samples."""
        fixed.seen(self.model.generate(fixed.count(self.model.sample_shape), seed=self.model.seed))
        return dict(self._logs()) | self.model.row_of_weights()

    def _logs(self):
        """What the last step logged; until this process makes one, as it was saved with the checkpoint."""
        return self.model.step_logs or self.about.get("logs", {})

    def draw_samples(self, step):
        """Draws the sample grid of `step`; only the chief does."""
        if self.is_chief:
            self.output.draw(step)

    def conclude(self):
        """Whatever else a finished run leaves, of its last step; the chief alone. Subclasses have some."""

    def complete(self):
        """The last checkpoint, evaluation and samples, and the generator to take away; done once."""
        self.save(self.steps)
        self.evaluate(self.steps)
        self.draw_samples(self.steps)
        if not self.is_chief:
            return None
        self.conclude()
        with phase("handing over the generator"):  # last: it says that all is there
            hand_over(self.model, self.folder, self.steps)
        return self.output.row(self.steps)
