"""The comparison itself: configurations with their runs, summarised and set against each other."""

import datetime
import importlib.metadata
import itertools
import os
import platform
import sys

import numpy as np

from tfgans import config, files
from tfgans.compare import collect, statistics
from tfgans.config import ConfigError
from tfgans.run import build

_OF_THE_CONFIGURATION = ("operative", "bindings", "features", "num_samples", "num_reference")
OUTCOMES = (collect.FINISHED, "diverged", "unfinished", "failed")


def compare(configurations, settings, problems=()):
    """The contents of `compare.json`.

    Args:
        configurations: [{"label", "gin_files", "gin_params", "runs": [what `collect.read_run` gives]}].
        settings: dict of `seeds`, `steps`, `seconds`, `primary_metric`, and whatever else should stand there.
        problems: lines about what could not be compared.
    Returns: a dict that JSON takes; every configuration with `summary`, every pair of them with each metric.
    """
    problems = [*problems, *_problems(configurations, settings)]
    metrics = collect.ordered_metrics(configurations, settings["primary_metric"])
    firsts = [_first_with_text(configuration["runs"]) for configuration in configurations]
    differing = collect.differences([first["bindings"] for first in firsts])
    done = []
    for configuration, first, differences in zip(configurations, firsts, differing, strict=True):
        runs = configuration["runs"]
        sizes, problem = describe(configuration["label"], first["operative"])
        problems += problem
        done.append(
            {
                **configuration,
                "operative": first["operative"],
                "differences": differences,
                **sizes,
                "milliseconds_per_step": milliseconds_per_step(runs),
                "counts": {name: sum(run["outcome"] == name for run in runs) for name in OUTCOMES},
                "suspicious": sum(run["suspicious"] is not None for run in runs),
                "runs": [{k: v for k, v in run.items() if k not in _OF_THE_CONFIGURATION} for run in runs],
                "summary": {name: _summaries(runs, name, **about) for name, about in metrics.items()},
            }
        )
    runs = [run for configuration in configurations for run in configuration["runs"]]
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": machine(),
        "settings": {**settings, "confidence": statistics.CONFIDENCE},
        "metrics": metrics,
        "features": sorted({run["features"] for run in runs if run["features"]}),
        "num_samples": sorted({run["num_samples"] for run in runs if run["num_samples"]}),
        "configurations": done,
        "pairs": _pairs(done, metrics),
        "problems": problems,
    }


def _first_with_text(runs):
    return next(
        (run for run in runs if run["operative"]), runs[0] if runs else {"operative": "", "bindings": {}}
    )


def _problems(configurations, settings):
    for configuration in configurations:
        for run in configuration["runs"]:
            for kind, message in ((run["outcome"], run["message"]), ("suspicious", run["suspicious"])):
                if message:
                    yield f"{configuration['label']}, seed {run['seed']}: {kind}: {message}"
        yield from _data_problems(configuration)
    yield from _measured_otherwise([run for each in configurations for run in each["runs"]])
    if settings.get("jobs", 1) > 1 and settings.get("seconds"):
        yield "several runs shared the machine: seconds of training are longer than alone, and not equally so"


def _measured_otherwise(runs):
    if len(of_data(runs, "evaluated")) > 1:
        yield "the runs were evaluated against different images: their numbers cannot be compared"
    if len(of_data(runs, "measured_in")) > 1:
        yield "the runs were evaluated in different features of one name: their numbers cannot be compared"


def of_data(runs, name):
    """What the runs that say so were trained on, or evaluated against: a set of fingerprints.

    Those of different kinds cannot be compared: it is of the kind of which there are most.
    """
    kinds = {}
    for run in runs:
        fingerprint = (run.get("data") or {}).get(name)
        if fingerprint:
            kinds.setdefault(fingerprint.rpartition(" ")[0], set()).add(fingerprint)
    return max(kinds.values(), key=len, default=set())


def _data_problems(configuration):
    label, runs = configuration["label"], configuration["runs"]
    if len(of_data(runs, "trained_on")) > 1:
        yield f"{label}: its runs were trained on different images"
    for run in runs:
        for step in (run.get("data") or {}).get("changed_at", ()):
            yield f"{label}, seed {run['seed']}: its images were changed at step {step}"
        if left_out := not_compared(run):
            yield f"{label}, seed {run['seed']}: {left_out}"


def not_compared(run):
    """What is said of a run whose evaluations do not all compare with its last; None if they do."""
    steps = [each["step"] for each in run["evaluations"] if not each["comparable"]]
    if not steps:
        return None
    return (
        f"evaluated up to step {max(steps):,} in other features, against other images or of other numbers of them "
        "than at its end: those values are in no curve and no best"
    )


def value_of(run, metric, at, higher_is_better):
    """A run's value of a metric at its `last` evaluation, or its `best` after step 0; None without one.

    The best is of those evaluations that were measured like the last.
    """
    if run["outcome"] != collect.FINISHED:
        return None
    rows = run["evaluations"]
    rows = rows[-1:] if at == "last" else [row for row in rows if row["step"] > 0 and row["comparable"]]
    values = [row["metrics"].get(metric) for row in rows]
    values = [value for value in values if value is not None]
    return (max if higher_is_better else min)(values, default=None)


def _summaries(runs, metric, higher_is_better):
    return {
        at: statistics.summary([value_of(run, metric, at, higher_is_better) for run in runs])
        for at in ("last", "best")
    }


def _pairs(configurations, metrics):
    found = []
    for first, second in itertools.combinations(configurations, 2):
        for (metric, about), at in itertools.product(metrics.items(), ("last", "best")):
            values = [each["summary"][metric][at]["values"] for each in (first, second)]
            result = statistics.pair(*values, about["higher_is_better"])
            first_is_better = result.pop("first_is_better")
            better = None if first_is_better is None else (first if first_is_better else second)["label"]
            names = {"first": first["label"], "second": second["label"], "metric": metric, "at": at}
            found.append({**names, **result, "better": better})
    return found


def milliseconds_per_step(runs):
    """Median over runs; the first execution of a process, which compiles, is not in `train_seconds`."""
    known = [
        1000 * run["train_seconds"] / run["step"] for run in runs if run["step"] and run["train_seconds"]
    ]
    return float(np.median(known)) if known else None


def describe(label, operative):
    """`({"parameters", "macs"}, problems)` of a configuration given as text."""
    nothing = {"parameters": None, "macs": None}
    if not operative:
        return nothing, []
    try:
        facts, _ = build.describe([], [operative, *build.ON_ONE_DEVICE])
    except ConfigError as error:
        return nothing, [f"{label}: cannot be described: {config.first_line(error)}"]
    networks = ("generator", "discriminator")
    return {
        "parameters": {name: facts[name]["parameters"] for name in networks},
        "macs": {name: facts[name]["macs"] for name in networks},
    }, []


def versions():
    """What the numbers were made with."""
    found = {"python": platform.python_version()}
    for name in ("tfgans", "tensorflow", "keras", "numpy"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = getattr(sys.modules.get(name), "__version__", "not installed")
    return found


def machine():
    """Where the comparison ran."""
    import tensorflow as tf

    memory = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": memory,
        "devices": [device.name for device in tf.config.list_logical_devices()],
    }


def _processor():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.processor()
    except OSError:
        return platform.processor()


def ranking(comparison):
    """The configurations, best first by the mean of the primary metric's last values; those without one last."""
    name = comparison["settings"]["primary_metric"]
    sign = -1 if comparison["metrics"].get(name, {}).get("higher_is_better") else 1

    def place(configuration):
        mean = configuration["summary"].get(name, {"last": {"mean": None}})["last"]["mean"]
        return (mean is None, 0 if mean is None else sign * mean)

    return sorted(comparison["configurations"], key=place)


def table(comparison):
    """The ranking as lines of text."""
    name = comparison["settings"]["primary_metric"]
    width = max(len(configuration["label"]) for configuration in comparison["configurations"])
    lines = [f"{'':{width}}  {name + ' (last)':>12}   95 % interval          best  runs"]
    for configuration in ranking(comparison):
        summary = configuration["summary"].get(name, {})  # empty where nothing was measured
        last, best = (summary.get(at, {"mean": None, "t_interval": None}) for at in ("last", "best"))
        interval = "-" if last["t_interval"] is None else " to ".join(f"{x:.4g}" for x in last["t_interval"])
        mean, mean_of_best = ("-" if x is None else f"{x:.4g}" for x in (last["mean"], best["mean"]))
        ended = ", ".join(f"{count} {kind}" for kind, count in configuration["counts"].items() if count)
        if configuration["suspicious"]:
            ended += f"; {configuration['suspicious']} suspicious"
        lines.append(
            f"{configuration['label']:{width}}  {mean:>12}   {interval:20} {mean_of_best:>6}  {ended}"
        )
    return "\n".join(lines)


def write(output_dir, comparison):
    """Writes `compare.json` and the page into a folder."""
    from tfgans.compare import report

    files.write_text(output_dir / "compare.json", build.to_json(comparison) + "\n")
    report.write(output_dir, comparison)
