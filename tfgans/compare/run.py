"""Trains every configuration with every seed, or takes runs that are there, and compares them."""

import contextlib
import re
from pathlib import Path

from tfgans import checkpoint, config, files
from tfgans.compare import collect, comparison, plan
from tfgans.compare.processes import Drawing, Run, Runner
from tfgans.config import ConfigError
from tfgans.run.folder import refuse_other_bytes


class NotWritten(OSError):
    """The comparison is made, and its page could not be written; `comparison` is what stands in it."""

    def __init__(self, made, error):
        super().__init__(f"the page of the comparison could not be written: {error}")
        self.comparison = made


def compare_configurations(
    output_dir,
    gin_files,
    labels=(),
    gin_params=(),
    primary_metric=None,
    jobs=1,
    pictures=False,
    images=None,
    **terms,
):
    """Trains, evaluates and compares; what an earlier call finished in the folder is not run again.

    Args:
        output_dir: gets `<label>/seed_<n>/` (runs) and `seed_<n>.log`, `compare.json`, `report.html`, `.png`, `.md`,
            `spectra.png` if the runs measure spectra, and `evaluations.png` if they have pictures.
        gin_files: a file for each configuration, or its flags in one text (`plan.parts`).
        labels: their names, or none for the files'.
        gin_params: bindings for all configurations.
        primary_metric: what ranks the configurations; None: `train.best_metric`, if it is the same in all of them and
            was measured, otherwise `fid`.
        jobs: runs at a time.
        pictures: has `evaluate --pictures` draw the runs that finished.
        images: see `plan.Configuration`; those of all configurations.
        terms: of `plan.Terms`, such as `seeds` and `steps`.
    Returns: `(comparison, problems)`: the contents of `compare.json`, and a line for each configuration that could
        not be run; the others are compared all the same.
    Raises: ConfigError if nothing can be run; `NotWritten`; `signals.Interrupted` after a signal, with the runs
        saved.
    """
    output_dir = Path(files.expanded(output_dir))
    if not gin_files:
        raise ConfigError("--gin_file must have a value, or --from_runs name finished runs")
    if jobs < 1:
        raise ConfigError(f"--jobs is at least 1. Received: {jobs}")
    terms = plan.Terms(**terms)
    terms.check()
    configurations, problems = _configurations(gin_files, labels, gin_params, terms, images)
    plan.refuse_unmeasured("--metric", [] if primary_metric is None else [primary_metric], configurations)
    with contextlib.ExitStack() as stack:
        take(output_dir, stack)
        runs = [Run(output_dir, each, seed) for seed in range(terms.seeds) for each in configurations]
        Runner(runs, jobs).train()
        if pictures:
            problems += _draw(runs, jobs)
        steps = None if terms.seconds or terms.own_steps else configurations[0].steps
        settings = {
            "seeds": list(range(terms.seeds)),
            "steps": steps,
            "seconds": terms.seconds,
            "evaluate_every": terms.evaluate_every,
            "primary_metric": primary_metric,
            "jobs": jobs,
        }
        refused = [f"{run.name}: {run.message}" for run in runs if run.refused]
        found = [
            {
                "label": each.label,
                "gin_files": each.gin_files,
                "gin_params": each.gin_params,
                "runs": [run.facts(output_dir) for run in runs if run.configuration is each],
            }
            for each in configurations
        ]
        return _finish(output_dir, found, settings, problems), problems + refused


def _configurations(gin_files, labels, gin_params, terms, images=None):
    """`(configurations, problems)`: those that can be run, with their lengths, and a line for each other one."""
    found, problems = [], []
    for label, gin_file in zip(plan.labels_of(gin_files, labels), gin_files, strict=True):
        try:
            length = terms.steps, terms.seconds
            found.append(plan.Configuration(label, gin_file, gin_params, *length, images))
        except ConfigError as error:
            problems.append(f"{label}: {config.first_line(error)}")
    if not found:
        raise ConfigError(
            problems[0] if len(problems) == 1 else f"no configuration can be run: {problems[0]}"
        )
    terms.check_steps(found)
    plan.refuse_different_features([(each.label, each.features) for each in found])
    for configuration in found:
        configuration.set_length(terms.seconds, terms.evaluate_every)
    return found, problems


def _draw(runs, jobs):
    """Draws the runs that finished; returns a line for each that could not be drawn."""
    drawings = [Drawing(run) for run in runs if run.outcome is None and not run.refused]
    Runner(drawings, jobs, "drawing").train()
    return [f"{each.name}: no pictures: {each.message}" for each in drawings if each.message]


def compare_runs(output_dir, paths, labels=(), primary_metric=None):
    """Compares runs that are there already.

    Args:
        paths: model_dirs, or folders of such; a run that is reached twice is one. Runs that differ in nothing but
            the seed are one configuration, see `collect.same_configuration`.
        labels: names of the configurations in the order in which they are found, or none for their folders'.
    Returns, raises: as `compare_configurations`.
    """
    output_dir = Path(files.expanded(output_dir))
    groups, problems = _grouped(paths, output_dir)
    if not groups:
        raise ConfigError(problems[0] if problems else "--from_runs names no folder")
    if labels and len(labels) != len(groups):
        raise ConfigError(
            f"--label: {len(labels)} names for {len(groups)} configurations: "
            + ", ".join(str(members[0][0]) for members in groups.values())
        )
    plan.check_names(labels)
    names = labels or _numbered(
        [_group_name([folder for folder, _ in members]) for members in groups.values()]
    )
    firsts = [[run["features"] for _, run in members] for members in groups.values()]
    plan.refuse_different_features(
        [(label, name) for label, found in zip(names, firsts, strict=True) for name in found]
    )
    found, notes = [], []
    for label, members in zip(names, groups.values(), strict=True):
        runs = sorted((run for _, run in members), key=lambda run: run["seed"])
        if len(runs) < 2:
            notes.append(f"{label}: one run shows no spread, so it has no interval")
        problems += _equal_seeds(label, members)
        found.append({"label": label, "gin_files": [], "gin_params": [], "runs": runs})
    seeds = sorted({run["seed"] for each in found for run in each["runs"]})
    settings = {"seeds": seeds, "steps": None, "seconds": None, "primary_metric": primary_metric}
    with contextlib.ExitStack() as stack:
        take(output_dir, stack)
        return _finish(output_dir, found, settings, problems + notes), problems


def _grouped(paths, output_dir):
    """`(groups, problems)`: {configuration: [(folder, run)]}, and a line for what holds no run to compare."""
    groups, problems, seen = {}, [], set()
    for path in paths:
        folders = collect.run_folders(path)
        if not folders:
            problems.append(f"{path} holds no run: nothing there has an operative.gin")
        for folder in folders:
            if folder.resolve() in seen:
                continue
            seen.add(folder.resolve())
            refuse_other_bytes(folder)
            run = collect.read_run(folder, output_dir)
            if not run["evaluations"]:
                why = run["message"] if run["step"] is None else "nothing evaluated it"
                problems.append(f"{folder}: {why}")
                continue
            groups.setdefault(collect.same_configuration(run), []).append((folder, run))
    return groups, problems


def _equal_seeds(label, members):
    """A line for each seed that several runs of a configuration have whose values count."""
    of_seeds = {}
    for folder, run in members:
        if run["outcome"] == collect.FINISHED:
            of_seeds.setdefault(run["seed"], []).append(str(folder))
    for seed, folders in sorted(of_seeds.items()):
        if len(folders) > 1:
            yield (
                f"{label}: {', '.join(folders)} have one seed, {seed}: they are no independent runs, so the "
                "interval is too narrow"
            )


def _primary(found, measured):
    """The metric that all runs keep their best checkpoint by, or `fid`."""
    best = {
        collect.best_metric(run["bindings"])[0] for each in found for run in each["runs"] if run["bindings"]
    }
    return best.pop() if len(best) == 1 and best <= measured else "fid"


def _finish(output_dir, found, settings, problems):
    measured = {
        name for each in found for run in each["runs"] for e in run["evaluations"] for name in e["metrics"]
    }
    if settings["primary_metric"] is None:
        settings["primary_metric"] = _primary(found, measured)
    if measured and settings["primary_metric"] not in measured:
        given, allowed = settings["primary_metric"], ", ".join(sorted(measured))
        raise ConfigError(f"--metric is one of {allowed}. Received: {given}")
    result = comparison.compare(found, settings, problems)
    try:
        comparison.write(output_dir, result)
    except OSError as error:
        raise NotWritten(result, error) from error
    return result


def _numbered(names):
    """Names, with a number behind those that come more than once."""
    return [f"{n}_{names[:i].count(n) + 1}" if names.count(n) > 1 else n for i, n in enumerate(names)]


def _group_name(folders):
    """`digits/hinge/seed_0`, `digits/hinge/seed_1` are `hinge`; a single folder keeps its own name."""
    parents = {folder.resolve().parent for folder in folders}
    seeds = all(re.fullmatch(r"(seed)?[_-]?\d+", folder.name) for folder in folders)
    if len(parents) == 1 and (len(folders) > 1 or seeds):
        return parents.pop().name
    return folders[0].resolve().name


def take(folder, stack):
    """Makes a folder, if need be, and keeps other processes out of it. Raises: ConfigError if that cannot be."""
    refuse_other_bytes(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(checkpoint.Lock(folder))
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written to: {error}") from error
    files.remove_partial(folder)
