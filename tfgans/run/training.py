"""One training run in one folder: start or resume, fit, evaluate, hand over."""

import contextlib
import logging
import time
from pathlib import Path

import tensorflow as tf

from tfgans import checkpoint, config, distribute, files
from tfgans.config import ConfigError, Count, FilePath, Function, Made, Positive, configurable
from tfgans.data import Dataset
from tfgans.evaluate.spectrum_figure import SpectrumFigure
from tfgans.evaluate.stability import FixedSamples
from tfgans.progress import phase
from tfgans.run import build, callbacks, classes, identity, own_code, real_images, summary
from tfgans.run.hand_over import hand_over, handed_over

logger = logging.getLogger(__name__)


@configurable
def train(
    model_dir: FilePath,
    steps: Count,
    save_every: Count = 500,
    evaluate_every: Count = 1000,
    sample_every: Count = 1000,
    log_every: Count = 50,
    num_samples_shown: Count = 64,
    keep_checkpoints: Count = 3,
    best_metric: str = "fid",
    best_is_highest: bool = False,
    histograms: bool = False,
    seconds: Positive | None = None,
    evaluate_every_seconds: Positive | None = None,
    duality_gap: Made("@DualityGap()") | None = None,
    run_class: Function("a class made from Run") | None = None,
    accept_changed_data: bool = False,
):
    """Trains to `steps` generator updates; a folder that holds a part of the same run is taken up exactly there.

    Args:
        model_dir: the run's folder.
        steps: generator updates of the whole run.
        save_every, evaluate_every, sample_every: updates between two checkpoints, evaluations, sample grids.
            Each happens at step 0 and at the end, too.
        log_every: updates between two points of a training curve.
        num_samples_shown: images in a sample grid.
        keep_checkpoints: newest checkpoints that stay; the one best by `best_metric` stays besides.
        best_metric, best_is_highest: which metric of an evaluation, and whether more of it is better.
        histograms: write histograms of the weights to TensorBoard.
        seconds: end the run sooner, at the first step after so many seconds of training, compilation and
            evaluations not counted; None for no limit. Such a run does not repeat exactly.
        evaluate_every_seconds: evaluate after every so many of those seconds, too; None for not.
        duality_gap: `@DualityGap()` adds the duality gap to each evaluation; None for not.
        run_class: what runs it, a `Run` or a class made from it.
        accept_changed_data: go on with data that are not what the folder's run was trained on, see `identity`.
    Returns: the metrics of the last evaluation, or None.
    Raises: ConfigError before anything is written if something cannot be run; `Diverged`; `Interrupted`.
    """
    intervals = dict(save_every=save_every, evaluate_every=evaluate_every, sample_every=sample_every)
    counts = dict(steps=steps, log_every=log_every, **intervals)
    times = dict(seconds=seconds, evaluate_every_seconds=evaluate_every_seconds)
    run = (run_class or Run)(
        model_dir, steps, keep_checkpoints, best_metric, best_is_highest, duality_gap, **times
    )
    run.check_multiples(counts)
    with run.opened(num_samples_shown, accept_changed_data):
        return run.fit(intervals, log_every, histograms)


class Run:
    """What one call of `train` holds: the model, its data, its folder, and how far it has come."""

    def __init__(
        self,
        model_dir,
        steps,
        keep_checkpoints=3,
        best_metric="fid",
        best_is_highest=False,
        duality_gap=None,
        seconds=None,
        evaluate_every_seconds=None,
    ):
        self.folder, self.steps = Path(files.expanded(model_dir)), steps
        self.seconds, self.evaluate_every_seconds = seconds, evaluate_every_seconds
        self.best_metric, self.best_is_highest = best_metric, best_is_highest
        self.model, self.strategy = build.build_model()
        with build.explained():
            self.dataset = self.open_data()
            self.dataset.check(self.model.batches_per_step, self.strategy.num_replicas_in_sync)
            self._check_data()
            classes.follow(self.model, self.labelled_data())
        self.signals = callbacks.StopOnSignal(self.save)
        self.evaluator = build.build_evaluator(self.model, self.dataset, duality_gap, self.signals.check)
        self.configuration = config.operative()
        config.refuse_unused()
        self.identity = identity.Identity(self.folder, self.configuration, self.dataset)
        self.identity.check_workers(self.strategy)
        self.checkpoints = checkpoint.Checkpoints(self.folder / "checkpoints", keep_checkpoints)
        self.rows = files.JsonLines(self.folder / "metrics.jsonl")
        self.is_chief = distribute.worker_index(self.strategy) == 0
        if (seconds or evaluate_every_seconds) and distribute.workers() > 1:
            raise ConfigError("train.seconds is for one worker: several would not stop at the same step")
        self.about, self.restored = {}, None

    def examples(self):
        """Batches as they are trained on, from the first one, for a look at them."""
        return self.dataset.batches(self.model.batches_per_step, self.model.seed)

    def open_data(self):
        """The data to train on."""
        if hasattr(self.model, "batches_of"):
            raise ConfigError(f"{type(self.model).__name__} is for launch/search.py")
        return Dataset()

    def labelled_data(self):
        """The data whose labels those of fakes follow."""
        return self.dataset

    def _check_data(self):
        if self.dataset.item_shape != self.model.sample_shape:
            raise ConfigError(
                f"the data's items are {self.dataset.item_shape}, the generator makes {self.model.sample_shape}"
            )
        classes.check(self.model, self.dataset)

    def check_multiples(self, counts):
        """Refuses numbers of steps that fall inside an execution of several."""
        for name, value in counts.items():
            if value % self.model.steps_per_execution:
                raise ConfigError(
                    f"train.{name} = {value} is not a multiple of build.steps_per_execution = "
                    f"{self.model.steps_per_execution}"
                )

    def opened(self, num_samples_shown, accept_changed_data=False):
        """Takes the folder: alone, and only if it holds this run or nothing."""
        stack = contextlib.ExitStack()
        try:
            if self.is_chief:
                self._take_folder(stack, accept_changed_data)
            else:
                self.identity.check(accept_changed_data)
            stack.enter_context(self.strategy.scope())
            self._resume()
            samples, modes = self.folder / "samples", self.dataset.modes
            self.draw = callbacks.SampleGrid(self.model, samples, None, num_samples_shown, modes)
            self.draw_spectra = SpectrumFigure(self.folder / "spectra")
            self.signals.saved_at(self.restored or 0)
            self.finished = self._is_finished()
            stack.enter_context(self.signals)
            if self.is_chief and (not self.finished or self.identity.is_new_to_folder):
                own_code.tell_changes(self.folder)
                own_code.write(self.folder)
                self.identity.write(self.restored or 0, self.evaluator)
            if self.is_chief and not self.finished:
                self._open_files(stack)
        except BaseException:
            stack.close()
            raise
        return stack

    def _take_folder(self, stack, accept_changed_data):
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"{self.folder} is not a folder")
        try:
            self.identity.check(accept_changed_data)
            self.folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(checkpoint.Lock(self.folder))
        except OSError as error:
            raise ConfigError(f"{self.folder} cannot be trained in: {error}") from error
        for name in (".", "checkpoints", "samples", "spectra"):
            files.remove_partial(self.folder / name)

    def _open_files(self, stack):
        """Opens what the run writes, after dropping what an earlier process wrote past its last checkpoint.

        Pictures and TensorBoard's events of the restored step itself come again: that process may have died
        in the middle of writing them.
        """
        classes.save(self.folder, self.model, self.labelled_data())
        step = self.restored or 0
        last = -1 if self.restored is None else step
        self.rows.keep(lambda row: row["step"] <= last or "command" in row)
        callbacks.forget_events_from(self.folder / "eval", step)
        self.writer = tf.summary.create_file_writer(str(self.folder / "eval"))
        self.draw.writer = self.draw_spectra.writer = self.writer
        stack.callback(self.writer.close)
        if self.draw.forget_from(step):
            self.draw(step)
        real_images.draw(self, step)
        row = self._row(step)
        self.draw_spectra.forget_from(step if row is None else step + 1)
        if row is not None:
            self._show(step, row)
            self.draw_spectra.again(step)

    def _is_finished(self):
        evaluated, drawn = self._row(self.steps) is not None, self.draw.path(self.steps).exists()
        return self.restored == self.steps == handed_over(self.folder) and evaluated and drawn

    def _row(self, step):
        """The evaluation in training of one step, or None."""
        rows = [row for row in self.rows.read() if row["step"] == step and "command" not in row]
        return rows[-1] if rows else None

    def _resume(self):
        about = self.checkpoints.restore(self.model)
        if about is None:
            return
        self.restored = about.pop("step")
        self.about.update(about)
        logger.info("resumed at step %d", self.restored)
        if self.restored > self.steps:
            raise ConfigError(
                f"{self.folder} has been trained for {self.restored} steps already, more than {self.steps}"
            )
        if self.seconds is not None and self.about.get("train_seconds", 0.0) >= self.seconds:
            self.steps = self.restored

    def fit(self, intervals, log_every, histograms):
        """Trains what is left, then leaves the folder complete."""
        if self.finished:
            return self._row(self.steps)
        start = self.restored or 0
        if self.is_chief:
            summary.introduce(self, intervals, start)
        images_per_step = self.dataset.batch_size * self.model.batches_per_step
        bar = callbacks.ProgressBar(None if self.seconds else self.steps, images_per_step)
        watchers = [
            callbacks.Every(1, self.signals.trained_to),
            callbacks.TrainingClock(self.about),
            callbacks.StopWhenDiverged(),
            callbacks.CostMeter(self.about, self.dataset.batch_size),
        ]
        if self.is_chief:
            watchers += [
                callbacks.TrainingCurves(self.folder / "train", log_every, images_per_step, histograms),
                bar,
            ]
        watchers += [
            callbacks.Every(intervals["save_every"], self.save),
            callbacks.Every(intervals["evaluate_every"], self.evaluate),
            callbacks.Every(intervals["sample_every"], self.draw_samples),
        ]
        if self.evaluate_every_seconds is not None:
            watchers.append(callbacks.EverySeconds(self.evaluate_every_seconds, self.about, self.evaluate))
        if self.seconds is not None:
            watchers.append(callbacks.StopAfterSeconds(self.seconds, self.about, self._end_at))
        watchers += [*self.watchers(), self.signals]
        try:
            if start < self.steps:
                self.model.fit_batches(
                    self.batches(start),
                    steps_per_epoch=self.steps - start,
                    verbose=0,
                    callbacks=watchers,
                )
            bar.close()
            return self.complete()
        except callbacks.Diverged as error:
            last = self.checkpoints.steps()
            kept = f"the checkpoint of step {last[-1]} is kept" if last else "nothing was saved yet"
            raise callbacks.Diverged(f"training diverged: {error}; {kept}") from error
        finally:
            bar.close()

    def watchers(self):
        """More callbacks, for kinds of runs that have some."""
        return []

    def _end_at(self, step):
        self.steps = step

    def batches(self, start):
        """The training batches from generator update `start` on, for this worker's replicas."""
        return distribute.batches(self.strategy, self.dataset, self.model, start)

    def save(self, step):
        """Saves the run, unless it has just been restored from this very step."""
        if step == self.restored:
            return
        self.about["logs"] = self._logs()
        try:
            self.checkpoints.save(self.model, step, self.about, write=self.is_chief)
        except FloatingPointError as error:
            raise callbacks.Diverged(f"{error} at step {step}") from error
        self.restored = step
        if self.is_chief:
            self.checkpoints.prune(self._best())
        self.signals.saved_at(step)

    def _best(self):
        try:
            steps = self.checkpoints.steps()
            return {build.best_step(self.folder, steps, self.best_metric, self.best_is_highest)}
        except ConfigError:
            return set()  # nothing evaluated yet

    def evaluate(self, step):
        """Evaluates once at `step`, after saving it; only the chief does."""
        if self.evaluator is not None:
            self.save(step)
        if not self.is_chief or self._row(step) is not None:
            return
        began, fixed = time.perf_counter(), FixedSamples(self.folder / "fixed_samples.npz", step)
        with phase(f"evaluating at step {step}"):
            metrics = self._noted(fixed) if self.evaluator is None else self._measured(step, fixed)
        metrics |= self.model.stated_labels() | fixed.metrics()
        if self.evaluator is not None and self.best_metric not in metrics:
            raise ConfigError(
                f"train.best_metric is none of {', '.join(metrics)}. Received: {self.best_metric}"
            )
        spent = {k: round(v, 3) for k, v in self.about.items() if k.endswith("_seconds")}
        spent["eval_seconds"] = round(time.perf_counter() - began, 3)
        spent |= {k: v for k, v in self.about.items() if k == "real_images" or k.endswith("_flops")}
        self._show(step, metrics)
        self.rows.append({"step": step} | metrics | spent)
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
        metrics = self.evaluator(generate, self.dataset, of_class)
        metrics |= self.model.row_of_weights(self.evaluator, self.signals.check)
        self.draw_spectra(step, self.evaluator.spectra)
        return metrics

    def _noted(self, fixed):
        """Without an evaluator: losses and whatever else the last step logged; `fixed` sees some samples."""
        fixed.seen(self.model.generate(fixed.count(self.model.sample_shape), seed=self.model.seed))
        return dict(self._logs()) | self.model.row_of_weights()

    def _logs(self):
        """What the last step logged; until this process makes one, as it was saved with the checkpoint."""
        return self.model.step_logs or self.about.get("logs", {})

    def _show(self, step, metrics):
        with self.writer.as_default(step=step):
            for name, value in _numbers(metrics).items():
                tf.summary.scalar(name, value)
        self.writer.flush()

    def draw_samples(self, step):
        """Draws the sample grid of `step`; only the chief does."""
        if self.is_chief:
            self.draw(step)

    def complete(self):
        """The last checkpoint, evaluation and samples, and the generator to take away; done once."""
        self.save(self.steps)
        self.evaluate(self.steps)
        self.draw_samples(self.steps)
        if self.is_chief:
            with phase("handing over the generator"):
                hand_over(self.model, self.folder, self.steps)
        return self._row(self.steps)


def _numbers(metrics):
    """The floats of a row that TensorBoard shows under `eval/`: no seconds, and no losses, which `train/` has."""
    return {
        k: v
        for k, v in metrics.items()
        if isinstance(v, float) and not k.endswith("_seconds") and "/" not in k
    }
