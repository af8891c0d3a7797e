"""Architecture search in one folder: a training run of a supernet that hands over a genotype."""

import dataclasses
import json
import logging
import os

import numpy as np
import tensorflow as tf

from tfgans import distribute, files, pictures, progress
from tfgans.config import ConfigError, Count, FilePath, Several, configurable
from tfgans.data import Dataset
from tfgans.evaluate import value_names
from tfgans.evaluate.duality import GAP_VALUES, WithDualityGap
from tfgans.evaluate.metrics import higher_is_better, is_value
from tfgans.methods.alphagan.gap import entropy
from tfgans.methods.alphagan.records import Record
from tfgans.run import build, callbacks, classes, training
from tfgans.run.plan import Plan, check_multiple

logger = logging.getLogger(__name__)

# What a search asks supernets and genotypes for.
_OF_SUPERNETS = ("architecture_variables", "architecture_names", "architecture_operations", "mixing", "named")
_OF_CANDIDATES = ("random_genotype", "mixing_of")
_OF_GENOTYPES = ("text", "save", "line", "table")


@configurable
def search(
    model_dir: FilePath,
    retrain_gin_file: str | Several(str) | None = None,
    retrain_gin_params: Several(str) = (),
    note_every: Count = 1,
):
    """Searches as long as `train.steps` says; a folder that holds a part of the same search is taken up there.

    It is a training run, with the options of `train`, and its folder has what a training run's has. In addition there
    are `search.jsonl` (for every noted step the genotype, the operations' weights on each edge, the mean entropy of
    the generator's edges in nats, and the measured duality gap, with `build.steps_per_execution` a mean over those
    steps of the execution that have one), `genotypes/step_<n>.json` for every evaluation (each can be trained),
    `architecture.png` and `duality_gap.png` (the weights and the gap over time), and at the end `genotype.json` and
    `genotype.png`. Random search tells in `candidates.json` what it has chosen by, and of each candidate the genotype
    and the row of its metrics.

    Args:
        model_dir: the search's folder.
        retrain_gin_file: what trains the genotype, a file or several, for the flags that are told at the end.
        retrain_gin_params: bindings besides, such as `("train.steps=625000",)`.
        note_every: steps between two rows of `search.jsonl`. With `build.steps_per_execution` it is a multiple of
            that, or 1, which notes every execution.
    Returns: the flags with which `train` trains what was found, or None without `retrain_gin_file`.
    Raises: as `training.train`.
    """
    run = SearchRun(model_dir, Plan(), note_every)
    run.train()
    if retrain_gin_file is None:
        return None
    gin_files = [retrain_gin_file] if isinstance(retrain_gin_file, str) else retrain_gin_file
    networks = (run.model.generator, run.model.discriminator)
    parameters = [network.retrained_by for network in networks if hasattr(network, "retrained_by")]
    folder, genotype = os.path.normpath(model_dir), os.path.join(model_dir, "genotype.json")
    bindings = [*retrain_gin_params, *(f"{parameter}={genotype!r}" for parameter in parameters)]
    return [
        *(f"--gin_file={path}" for path in gin_files),
        f"--model_dir={folder}-retrained",
        *(f"--gin_param={binding}" for binding in bindings),
    ]


def genotype_of(generator, discriminator):
    """What the largest architecture weights choose; with the discriminator's choice, if genotypes hold one."""
    chosen = discriminator.chosen() if hasattr(discriminator, "chosen") else {}
    return dataclasses.replace(generator.genotype(), **chosen)


class SearchRun(training.Run):
    """A run whose model has a supernet for a generator."""

    halves = (
        None  # of the training data, for a model that trains weights on one and architectures on the other
    )

    def __init__(self, model_dir, plan, note_every=1):
        super().__init__(model_dir, plan)
        if note_every > 1:
            check_multiple("search.note_every", note_every, self.model.steps_per_execution)
        self.note_every = note_every
        self.history = files.JsonLines(self.folder / "search.jsonl")
        self._notes = None  # the rows of `history`, once they are read
        if _has_candidates(self.model):
            _check_choice(self)

    def open_data(self):
        if not hasattr(self.model.generator, "architecture_variables"):
            raise ConfigError(
                "a search needs a generator that is a supernet: include 'gin_configs/networks/alphagan_supernet.gin'"
            )
        _check_supernets(self.model)
        dataset = Dataset()
        if self.model.on_halves:
            self.halves = dataset.halves()
        for half in self.halves or ():
            half.check(1)
        return dataset

    def examples(self):
        """As in training; of the training half, if there are halves."""
        return self.halves[0].batches(1, self.model.seed) if self.halves else super().examples()

    def labelled_data(self):
        """The half that trains the weights, where there are two."""
        return self.halves[0] if self.halves else self.dataset

    def _check_data(self):
        super()._check_data()
        for half in self.halves or ():
            classes.check(self.model, half)

    def batches(self, start):
        """Of a model that is `on_halves`: of each step those of the training half, then of the validation half."""
        if self.halves is None:
            return super().batches(start)
        first, count = distribute.local_replicas(self.strategy)
        shares = dict(
            first_replica=first,
            local_replicas=count,
            total_replicas=self.strategy.num_replicas_in_sync,
            discriminator_steps=1,
            seed=self.model.seed,
        )
        parts = self.model.batches_of

        def interleaved(context=None):
            before = np.sum([parts(step) for step in range(start)], axis=0, initial=0, dtype=np.int64)
            before = before if start else np.zeros(2, np.int64)
            sources = [
                half.batches(start_step=int(n), **shares) for half, n in zip(self.halves, before, strict=True)
            ]

            def order():
                step = start
                while True:
                    for half, batches in enumerate(parts(step)):
                        yield from [half] * (batches * count)
                    step += 1

            choice = tf.data.Dataset.from_generator(order, output_signature=tf.TensorSpec((), tf.int64))
            return tf.data.Dataset.choose_from_datasets(sources, choice, stop_on_empty_dataset=False)

        if self.strategy.num_replicas_in_sync == 1:
            return interleaved()
        return self.strategy.distribute_datasets_from_function(interleaved)

    def _open_files(self, stack):
        last = -1 if self.saved_step is None else self.saved_step
        self.history.keep(lambda row: row["step"] <= last)
        for path in (self.folder / "genotypes").glob("step_*.json"):
            if files.step_of(path) > last:  # by which `evaluate` would take that step for told
                path.unlink()
        super()._open_files(stack)

    def _is_finished(self):
        return super()._is_finished() and (self.folder / "genotype.png").exists()

    def watchers(self):
        return [callbacks.Every(self.note_every, self.note)]

    def save(self, step):
        """As in training; a step is noted before it is saved, so that a run killed in between has its row."""
        if step % self.note_every == 0:
            self.note(step)
        super().save(step)

    def genotype(self):
        """That of the networks as they are."""
        return genotype_of(self.model.generator, self.model.discriminator)

    def mixing(self):
        """The operations' weights on every edge of the searched networks, by the architecture weight's name."""
        return self._of_networks(lambda network: network.named(None))

    def _of_networks(self, values):
        """What a function of a supernet gives by name, of the generator and of a searched discriminator."""
        found, discriminator = dict(values(self.model.generator)), self.model.discriminator
        if hasattr(discriminator, "architecture_variables"):
            own = values(discriminator)
            found |= {f"discriminator_{k.removeprefix('discriminator_')}": v for k, v in own.items()}
        return found

    def note(self, step):
        """Adds the architecture of `step` to the history; only the chief does, and once."""
        if not self.is_chief or any(row["step"] == step for row in self._rows()[-1:]):
            return
        mixing = self.mixing()
        measured = {k.removeprefix("search/"): v for k, v in self._logs().items() if k.startswith("search/")}
        found = self.genotype()
        own = [mixing[name] for name in self.model.generator.architecture_names]
        # What is logged is a mean over an execution, its entropy as well: here that of this mixing.
        row = {"step": step} | measured | {"entropy": float(entropy(own))}
        row |= {
            "genotype": json.loads(found.text()),
            "mixing": {k: np.round(np.asarray(v, float), 6).tolist() for k, v in mixing.items()},
        }
        self._notes = [*self._rows(), row]
        self.history.append(row)

    def _rows(self):
        if self._notes is None:
            self._notes = self.history.read()
        return self._notes

    def evaluate(self, step):
        """As in training; tells and draws what has been found so far as well."""
        super().evaluate(step)
        path = self.folder / "genotypes" / f"step_{step:08d}.json"
        if not self.is_chief or path.exists():
            return
        self.note(step)
        found, row = self.genotype(), self._rows()[-1]
        path.parent.mkdir(exist_ok=True)
        gap = f"duality gap {row['duality_gap']:.4g}, " if "duality_gap" in row else ""
        logger.info("step %d: %sentropy %.4g, %s", step, gap, row["entropy"], found.line())
        self._draw_history()
        found.save(path)  # last: it says that the step is told and drawn

    def _measured(self, step, fixed):
        metrics = super()._measured(step, fixed)
        if _has_candidates(self.model):
            _value_of_choice(self.plan.best_metric, metrics)  # refused now, not after the search
        return metrics

    def _draw_history(self):
        # Here, as they bring Matplotlib.
        from tfgans.methods.alphagan.curves import draw_architecture_heat_map, draw_gap_curve

        rows = self._rows()
        operations = self._of_networks(lambda network: network.architecture_operations)
        history = [[np.array(row["mixing"][name]) for name in operations] for row in rows]
        picture = draw_architecture_heat_map(history, operations, [row["step"] for row in rows])
        pictures.save_png(self.folder / "architecture.png", picture)
        measured = [row for row in rows if "duality_gap" in row]
        if measured:
            columns = ([row[name] for row in measured] for name in ("step", "minmax", "maxmin"))
            pictures.save_png(self.folder / "duality_gap.png", draw_gap_curve(*columns))

    def conclude(self):
        """The genotype; that of a shorter search may lie there."""
        found = self._final_genotype()
        found.save(self.folder / "genotype.json")
        pictures.save_png(self.folder / "genotype.png", self.model.generator.draw(found))
        logger.info("found:\n%s", found.table())

    def _final_genotype(self):
        if not _has_candidates(self.model):
            return self.genotype()
        name = self.plan.best_metric
        more = self.plan.best_is_highest or higher_is_better(name)
        # The gap is of architectures drawn anew, the same for all candidates.
        evaluator = self.evaluator.evaluator if isinstance(self.evaluator, WithDualityGap) else self.evaluator
        measured = []

        def score(generate):
            of_class = self.model.streams_of_classes(self.model.seed)
            paths = self.model.paths(self.model.seed)
            measured.append(evaluator(generate, self.dataset, of_class, paths))
            bar.update()
            value = _value_of_choice(name, measured[-1])
            return float("inf") if value is None else -value if more else value

        with progress.Bar("candidates", self.model.num_candidates) as bar:
            found, _ = self.model.final_genotype(score)
        pairs = zip(self.model.candidates(), measured, strict=True)
        rows = [{"genotype": json.loads(genotype.text())} | row for genotype, row in pairs]
        told = {"chosen_by": name, "higher_is_better": more, "candidates": rows}
        files.write_text(self.folder / "candidates.json", build.to_json(told) + "\n")
        return found


def _check_supernets(model):
    """Raises ConfigError, before a search, for supernets of one's own that lack something that it asks them for."""
    generator, discriminator = model.generator, model.discriminator
    needed = [(generator, (*_OF_SUPERNETS, "genotype", "draw", *_OF_CANDIDATES * _has_candidates(model)))]
    if hasattr(discriminator, "architecture_variables"):
        needed.append((discriminator, _OF_SUPERNETS))
    for network, names in needed:
        _check_has(network, network.name, names, "tfgans.methods.alphagan.spaces.autogan.supernet.Supernet")
    found = genotype_of(generator, discriminator)
    _check_has(found, f"what {generator.name}.genotype gives", _OF_GENOTYPES, f"{Record.__module__}.Record")


def _check_has(thing, told, names, model):
    lacking = [name for name in names if not hasattr(thing, name)]
    if lacking:
        raise ConfigError(f"a search needs more of {told}, as {model} tells: it has no {', '.join(lacking)}")


def _has_candidates(model):
    """Whether a search ends with a choice of the best of several candidates, by `train.best_metric`."""
    return hasattr(model, "final_genotype")


def _check_choice(run):
    """Raises ConfigError, before a search, if candidates cannot be compared by its `train.best_metric`."""
    name, evaluator = run.plan.best_metric, run.evaluator
    if evaluator is None:
        raise ConfigError(
            "random search chooses by train.best_metric, and nothing is measured: bind Evaluator.features"
        )
    if name in GAP_VALUES:
        raise ConfigError(
            "random search chooses by train.best_metric, and the duality gap is not that of a candidate, but of "
            f"architectures drawn anew. Received: {name}"
        )
    known = [value for value in evaluator.values(run.dataset, run.model) if value not in GAP_VALUES]
    value_names.check("random search chooses by train.best_metric, which", name, known)


def _value_of_choice(name, measured):
    """The metric's value, a number or None. Raises: ConfigError if it is not among those measured."""
    if not is_value(name, measured.get(name, "")):
        raise ConfigError(f"random search chooses by train.best_metric, and no {name} is measured")
    return measured[name]
