"""What good and bad architectures look like: many drawn at random, each trained briefly and evaluated."""

import contextlib
import dataclasses
import json
import math
from pathlib import Path

import gin

from tfgans import config, files, pictures
from tfgans.compare import comparison
from tfgans.compare.plan import Configuration, refuse_unmeasured
from tfgans.compare.processes import Run, Runner
from tfgans.compare.run import take
from tfgans.config import ConfigError
from tfgans.evaluate.metrics import higher_is_better
from tfgans.methods.alphagan.spaces.autogan.distribution import draw_distribution
from tfgans.methods.alphagan.spaces.autogan.genotype import Genotype, load_genotype, random_genotype

_GENOTYPE = "alphagan_generator.genotype"
_KINDS, _ROWS = ("normal", "up"), "architectures.jsonl"
# What trainings whose metrics compare have in common: by what their rows and their folders say.
_OF_ROWS = ("features", "num_samples", "num_reference")
_OF_DATA = {
    "trained_on": "trained on different images",
    "evaluated": "evaluated against different images",
    "measured_in": "evaluated in different features of one name",
}


def study(output_dir, gin_file, gin_params=(), count=20, seed=0, jobs=1, flags=None, **groups):
    """Draws architectures uniformly, trains each in a process of its own, and draws what tells good from bad.

    The folder gets `architecture_<i>/seed_<seed>/` (runs), `architecture_<i>/genotype.json`, `architectures.jsonl`
    (a row each: genotype, outcome, metrics of the last evaluation, group), and `normal.png` and `up.png` (Tian et al.
    2021, Figs. 12 and 13). What an earlier call trained there is not trained again; a larger `count` adds, a smaller
    one looks at the first. Architecture i is a function of (seed, i); all are trained with that seed.

    Args:
        gin_file: trains an `alphagan_generator` and evaluates it. gin_params: more bindings, for all of them.
        count: architectures, at least 2.
        jobs: runs at a time.
        flags: of `train`, of all: `steps`, and those that say of which images the batches are, {"data": ..., ...}.
        groups: of `Groups`: `metric` or `thresholds`.
    Returns: `(rows, problems)`: those of `architectures.jsonl`, and a line for each run that was refused.
    Raises: ConfigError if nothing can be trained, the folder holds other architectures, some that earlier calls
        trained or measured otherwise, or a group is empty; `signals.Interrupted` after a signal, with the runs saved.
    """
    groups = Groups(**groups)
    config.check_count("--count", count, least=2)
    config.check_count("--jobs", jobs)
    if any(binding.replace(" ", "").startswith(f"{_GENOTYPE}=") for binding in gin_params):
        raise ConfigError(f"{_GENOTYPE} is what is drawn here: leave its --gin_param out")
    output_dir, images = Path(files.expanded(output_dir)), dict(flags or {})
    steps = images.pop("steps", None)
    configuration = Configuration("", gin_file, gin_params, steps, None, images)
    _check_generator(configuration)
    refuse_unmeasured(*groups.judged_by(), [configuration])
    with contextlib.ExitStack() as stack:
        take(output_dir, stack)
        genotypes = {output_dir / f"architecture_{i:03d}": random_genotype((seed, i)) for i in range(count)}
        _keep(genotypes)
        runs = []
        for folder in genotypes:
            binding = f"{_GENOTYPE}={str(folder / 'genotype.json')!r}"
            configuration = Configuration(folder.name, gin_file, [*gin_params, binding], steps, None, images)
            configuration.set_length(None, None, parts=1)
            runs.append(Run(output_dir, configuration, seed))
        Runner(runs, jobs, "architectures").train()
        facts = [run.facts(output_dir) for run in runs]
        rows = [
            {"architecture": i, "genotype": json.loads(genotype.text())} | _measured(each)
            for i, (genotype, each) in enumerate(zip(genotypes.values(), facts, strict=True))
        ]
        problems = [f"{run.name}: {run.message}" for run in runs if run.refused]
        try:
            _finish(output_dir, rows, facts, groups)
        except ConfigError as error:
            raise ConfigError("; ".join([*problems[:1], str(error)])) from error  # the first is why
    return rows, problems


@dataclasses.dataclass(frozen=True)
class Groups:
    """What makes an architecture superior or inferior; see `split`."""

    metric: str = "fid"
    thresholds: dict | None = None

    def judged_by(self):
        """The flag that says by which metrics, and their names."""
        return (
            ("--metric", [self.metric])
            if self.thresholds is None
            else ("--thresholds", list(self.thresholds))
        )


def split(rows, metric="fid", thresholds=None):
    """The indices of superior and of inferior rows: `(superior, inferior)`.

    Args:
        rows: with `metrics`; those without a finite value of what decides are in neither group.
        metric: the best third by it is superior, the worst third inferior: thirds of the rows that have a value,
            rounded down, of at least one. The paper has no such thirds but thresholds, IS 8 and FID 15.
        thresholds: {metric: value} instead: superior is better in all of them, inferior worse in all.
    Raises: ConfigError if no row has the metric, or less than two for thirds.
    """
    decisive = dict.fromkeys([metric]) if thresholds is None else thresholds
    for name in decisive:
        measured = sorted({key for row in rows for key in row["metrics"]})
        if name not in measured:
            named = ", ".join(measured) or "nothing: no training came to its end"
            raise ConfigError(f"the architectures are judged by what was measured, {named}. Received: {name}")
    signs = {name: -1.0 if higher_is_better(name) else 1.0 for name in decisive}  # less is better
    values = {}
    for i, row in enumerate(rows):
        found = [row["metrics"].get(name) for name in decisive]
        if all(value is not None and math.isfinite(value) for value in found):
            values[i] = [sign * value for sign, value in zip(signs.values(), found, strict=True)]
    if thresholds is not None:
        bounds = [signs[name] * bound for name, bound in thresholds.items()]
        superior = [i for i, v in values.items() if all(a < b for a, b in zip(v, bounds, strict=True))]
        inferior = [i for i, v in values.items() if all(a > b for a, b in zip(v, bounds, strict=True))]
        return superior, inferior
    if len(values) < 2:
        raise ConfigError(
            f"two groups need two architectures with a finite {metric}. Received: {len(values)}"
        )
    order = sorted(values, key=values.get)
    third = max(len(order) // 3, 1)
    return sorted(order[:third]), sorted(order[-third:])


def _finish(folder, rows, facts, groups):
    """Writes the rows, with their groups if there are any, and draws; `facts` of each row's run."""
    for kind in _KINDS:
        (folder / f"{kind}.png").unlink(missing_ok=True)  # of other rows
    try:
        _refuse_unlike([each for each, row in zip(facts, rows, strict=True) if row["metrics"]])
        found = split(rows, groups.metric, groups.thresholds)
    except ConfigError:
        _write(folder, rows)
        raise
    members_of = dict(zip(("superior", "inferior"), found, strict=True))
    for i, row in enumerate(rows):
        row["group"] = next((name for name, members in members_of.items() if i in members), None)
    _write(folder, rows)
    for name, members in members_of.items():
        if not members:
            raise ConfigError(f"no architecture is {name}: {folder / _ROWS} has their metrics")
    genotypes = [[Genotype(**rows[i]["genotype"]) for i in members] for members in members_of.values()]
    for kind in _KINDS:
        pictures.save_png(folder / f"{kind}.png", draw_distribution(*genotypes, kind))


def _write(folder, rows):
    files.write_text(folder / _ROWS, "".join(json.dumps(row) + "\n" for row in rows))


def _refuse_unlike(runs):
    """Raises ConfigError if runs, facts of each, were trained on or measured by different things."""
    unlike = [f"were {what}" for name, what in _OF_DATA.items() if len(comparison.of_data(runs, name)) > 1]
    for name in _OF_ROWS:
        firsts = {}
        for each in runs:
            firsts.setdefault(each[name], each["folder"])
        if len(firsts) > 1:
            told = ", ".join(f"{value} in {folder}" for value, folder in firsts.items())
            unlike.append(f"were evaluated by different {name}, {told}")
    if unlike:
        raise ConfigError(
            f"the architectures {unlike[0]}: their numbers cannot be compared; choose another --output_dir, or "
            "remove the runs that are to be trained again"
        )


def _measured(facts):
    finished = facts["outcome"] == "finished" and facts["evaluations"]
    metrics = facts["evaluations"][-1]["metrics"] if finished else {}
    return {"outcome": facts["outcome"], "step": facts["step"], "metrics": metrics}


def _check_generator(configuration):
    """Refuses what trains no conventional genotype; `configuration` was parsed last."""
    generator = gin.query_parameter("build.generator") if config.is_bound("build", "generator") else None
    if getattr(generator, "selector", "").rsplit(".", 1)[-1] != "alphagan_generator":
        raise ConfigError(
            "architectures are drawn for alphagan_generator: include 'gin_configs/networks/alphagan.gin'"
        )
    if configuration.steps is None:
        raise ConfigError("how long to train is not set: give --steps or bind train.steps")


def _keep(genotypes):
    """Writes the drawn genotypes; refuses a folder that holds others in their places, before it writes any."""
    for folder, genotype in genotypes.items():
        path = folder / "genotype.json"
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"{folder} is not a folder: choose another --output_dir")
        if path.exists() and load_genotype(path) != genotype:
            raise ConfigError(f"{path} is not what this --seed draws: choose another --output_dir")
    for folder, genotype in genotypes.items():
        folder.mkdir(exist_ok=True)
        if not (folder / "genotype.json").exists():
            genotype.save(folder / "genotype.json")
