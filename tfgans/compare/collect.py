"""What finished runs left in their folders, as plain dictionaries."""

import contextlib
import json
import logging
import math
import numbers
import os
import re
from pathlib import Path

from tfgans import files, readers
from tfgans.config import ConfigError, bindings_of
from tfgans.data.folder import refuse_unreadable
from tfgans.evaluate.evaluation_pictures import folder_of_step
from tfgans.evaluate.metrics import higher_is_better, made_in_training, measured_alike, values_of
from tfgans.run import identity
from tfgans.run.free import free_names
from tfgans.run.hand_over import handed_over
from tfgans.run.identity import resolved

logger = logging.getLogger(__name__)

_POINTS_OF_A_CURVE = 200
# How many images a metric takes; `num_samples` is in the rows, as the evaluation had it.
_COUNTS = re.compile(r"Evaluator\.(?!num_)\w+_(samples|splits)")
# Of the curves that `evaluate --pictures` keeps: lists of one length, and numbers.
_CURVES = {
    "precision_recall": (("precision", "recall"), ()),
    "fid_by_samples": (("num_samples", "fid"), ("fid_infinity", "fid_infinity_slope")),
}
SEED = "numerics.seed"
FINISHED = "finished"  # the outcome of runs that came to their end: their last values count


def read_run(folder, root, seed=None, outcome=None, message=None):
    """One run's facts.

    Args:
        folder: the run's model_dir. root: paths are given relative to it where they lie inside.
        outcome, message: `diverged` or `failed` and why, if that is known; otherwise it is found out.
    Returns: dict of `seed`, `folder`, `outcome`, `message`, `suspicious` (why a finished run's last values are, or
        None), `step`, `train_seconds`, `compile_seconds`, `eval_seconds`;
        `evaluations` [{step, train_seconds, metrics, comparable}], of which `comparable` says whether it was measured
        like the last, see `metrics.measured_alike`; `curves` {tag: [[step, value]]}, `samples`,
        `spectrum` (of the last evaluation, or None: lists `frequency`, where Nyquist is 1, `real` and `generated`,
        in decibels); `drawn`, see `drawn`; `data`, see `_data`; and what belongs to the configuration: `operative`,
        `bindings`, `features`, `num_samples`, `num_reference`. A run whose files cannot be read has `failed`, and
        the message says why.
    """
    try:
        with readers.reading(folder, "a run"):
            return _facts(Path(folder), root, seed, outcome, message)
    except ConfigError as error:
        given = seed or 0, relative(folder, root), "failed", str(error)
        return dict(zip(("seed", "folder", "outcome", "message"), given, strict=True)) | _NOTHING


def _facts(folder, root, seed, outcome, message):
    text = _read(folder / "operative.gin")
    bindings = bindings_of(text)
    rows = _rows(folder)
    last, data = rows[-1] if rows else {}, _data(folder)
    changes = data["measured_anew_at"] if data else ()
    alike = [row for row in rows if measured_alike(row, last, changes)]
    if outcome is None:
        outcome, message = _outcome(folder, rows, bindings)
    pictures = sorted((folder / "samples").glob("step_*.png"))
    return {
        "seed": int(bindings.get(SEED, 0)) if seed is None else seed,
        "folder": relative(folder, root),
        "outcome": outcome,
        "message": message,
        "suspicious": suspicion(alike) if outcome == FINISHED else None,
        "step": last.get("step"),
        **{name: last.get(name) for name in ("train_seconds", "compile_seconds")},
        "eval_seconds": sum(row.get("eval_seconds", 0.0) for row in rows) if rows else None,
        "evaluations": [
            {
                "step": row["step"],
                "train_seconds": row.get("train_seconds"),
                "metrics": values_of(row),
                "comparable": row in alike,
            }
            for row in rows
            if was_evaluated(row)
        ],
        "curves": curves(folder / "train") if rows else {},
        "samples": relative(pictures[-1], root) if pictures else None,
        "spectrum": _spectrum(folder, last["step"]) if rows else None,
        "drawn": drawn(folder, last["step"], root) if rows else None,
        "data": data,
        "operative": text,
        "bindings": bindings,
        **{name: last.get(name) for name in ("features", "num_samples", "num_reference")},
    }


# The facts of a run that cannot be read, besides what `read_run` was given.
_NOTHING = {
    "step": None, "train_seconds": None, "compile_seconds": None, "eval_seconds": None, "evaluations": [],
    "curves": {}, "samples": None, "spectrum": None, "drawn": None, "data": None, "operative": "",
    "bindings": {}, "features": None, "num_samples": None, "num_reference": None, "suspicious": None,
}  # fmt: skip


def _read(path):
    return readers.read_text(path, "a configuration") if path.exists() else ""


def has_finished(folder):
    """Whether a folder has what a run leaves that came to its end."""
    try:
        with readers.reading(folder, "a run"):
            return _outcome(Path(folder), _rows(Path(folder)), {})[0] == FINISHED
    except ConfigError:
        return False


def _rows(folder):
    """The evaluations that training made."""
    rows = files.JsonLines(folder / "metrics.jsonl").read()
    return [_checked(row) for row in rows if made_in_training(row)]


def _checked(row):
    """A row whose values are of the kinds that a comparison counts with. Raises: ValueError if they are not."""
    kinds = {"features": str, "num_samples": int, "real_images": numbers.Real}
    kinds |= {name: numbers.Real for name in row if name.endswith("_seconds")}
    for name, kind in kinds.items():
        if not isinstance(row.get(name), kind | None):
            raise ValueError(f"the row of step {row['step']} has {name} = {row[name]!r}")
    return row


def _data(folder):
    """What a run was trained on and measured by; None if it does not say.

    Returns: dict of `trained_on` and `evaluated`, fingerprints of images, before which there is the kind of light
        digests (`tfgans.data.hashes`); `measured_in`, the features' name and fingerprint; `changed_at` and
        `measured_anew_at`, steps after which what is trained on, or measured by, is another. The second and the
        third may be None.
    """
    try:
        kept = identity.read(folder)
    except ConfigError:
        return None
    if kept is None:
        return None
    changed = [entry["step"] for entry in kept["history"] if "changes" in entry]
    evaluated = kept["evaluation"].get("images")
    return {
        "trained_on": _of_kind(kept, kept["fingerprint"]),
        "evaluated": evaluated and _of_kind(kept["evaluation"], evaluated),
        "measured_in": kept["evaluation"].get("features"),
        "changed_at": changed,
        "measured_anew_at": identity.evaluation_changes(kept),
    }


def _of_kind(kept, fingerprint):
    return f"{kept['digests']} {fingerprint}" if "digests" in kept else fingerprint


def _spectrum(folder, step):
    """Of the evaluation at `step`; None if it measured no spectrum, or one that is not finite."""
    path = folder / "spectra" / f"step_{step:08d}.json"
    if not path.exists():
        return None
    with _left_out_if_damaged(path, "spectra"):
        measured = json.loads(path.read_text(encoding="utf-8"))
        part = "all_" if "all_frequency" in measured else ""  # older runs end below Nyquist's
        found = {"frequency": measured[f"{part}frequency"]}
        found |= {side: measured[side][f"{part}decibels"] for side in ("real", "generated")}
        finite = all(math.isfinite(value) for values in found.values() for value in values)
        _refuse_other_lengths(found.values())
        return found if finite else None
    return None


@contextlib.contextmanager
def _left_out_if_damaged(path, what):
    """Leaves the block with a warning where a file that it reads does not hold what it should."""
    try:
        with readers.reading(path, what):
            yield
    except ConfigError as error:
        logger.warning("%s; left out", error)


def _refuse_other_lengths(lists):
    if len({len(values) for values in lists}) > 1:
        raise ValueError("its lists are of different lengths")


def drawn(folder, step, root):
    """What `evaluate --pictures` left of a step; None if nothing.

    Returns: dict of `nearest` and `map`, paths or None; `precision_recall` ({"precision", "recall"}: lists) and
        `fid_by_samples` ({"num_samples", "fid": lists, "fid_infinity", "fid_infinity_slope"}), or None.
    """
    place = folder_of_step(folder, step)
    if not (place / "curves.json").exists():
        return None
    found = {name: place / f"{name}.png" for name in ("nearest", "map")}
    found = {name: relative(path, root) if path.exists() else None for name, path in found.items()}
    return found | dict.fromkeys(_CURVES) | _curves_drawn(place / "curves.json")


def _curves_drawn(path):
    with _left_out_if_damaged(path, "curves of an evaluation"):
        stored, found = json.loads(path.read_text(encoding="utf-8")), {}
        for name in _CURVES.keys() & stored.keys():
            lists, single = _CURVES[name]
            found[name] = {key: [float(x) for x in stored[name][key]] for key in lists}
            found[name] |= {key: float(stored[name][key]) for key in single}
            _refuse_other_lengths(found[name][key] for key in lists)
        return found
    return {}


def relative(path, root):
    """A path as text, relative to `root` where it lies inside."""
    path, root = Path(path).resolve(), Path(root).resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def was_evaluated(row):
    """Whether a row of `metrics.jsonl` comes from an evaluator; those of a run without one hold losses."""
    return "features" in row


def _outcome(folder, rows, bindings):
    """`(outcome, message)` of a run whose process is not known."""
    if not rows:
        return "unfinished", "no evaluations in metrics.jsonl"
    exported = handed_over(folder)  # of the last row's step, unless the run goes on or that row is lost
    if not (folder / "export").exists() or (exported is not None and exported != rows[-1]["step"]):
        steps = bindings.get("train.steps", "an unknown number of")
        return "unfinished", f"last evaluated at step {rows[-1]['step']} of {steps}"
    return FINISHED, None


def suspicion(rows):
    """Why the last evaluation looks as if the generator had collapsed, or None.

    It does with a Frechet distance no better than the untrained generator's; recall or coverage below 0.01; a
    sample of a Gaussian mixture that finds less than a quarter of what the run's best evaluation found. Short runs
    look so as well: their values count all the same.
    """
    if not rows:
        return None
    first, last = rows[0], rows[-1]
    if first["step"] == 0 and last["step"] > 0 and _number(last, "fid") >= _number(first, "fid", math.inf):
        return f"fid {last['fid']:.4g}, untrained {first['fid']:.4g}"
    for name in ("recall", "coverage"):
        if _number(last, name, 1.0) < 0.01:
            return f"{name} {last[name]:.2g}"
    most = max(_number(row, "modes_covered", 0) for row in rows)
    if _number(last, "modes_covered", most) < most / 4:
        return f"{last['modes_covered']} modes, {most} before"
    return None


def _number(row, name, default=-math.inf):
    value = row.get(name)
    return default if value is None else value


def curves(folder):
    """TensorBoard's training curves, {tag: [[step, value]]}: losses and gradients, at most 200 points each.

    {} if they cannot be read.
    """
    with _left_out_if_damaged(folder, "training curves"):
        return _curves(folder)
    return {}


def _curves(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    if not Path(folder).is_dir():
        return {}
    events = EventAccumulator(str(folder), size_guidance={"tensors": _POINTS_OF_A_CURVE, "histograms": 1})
    events.Reload()
    found = {}
    for tag in events.Tags()["tensors"]:
        if not tag.startswith(("d/", "g/")):
            continue
        points = [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in events.Tensors(tag)]
        found[tag] = [[step, value if math.isfinite(value) else None] for step, value in sorted(points)]
    return found


def run_folders(path):
    """The runs at or below a folder: those that have an `operative.gin`, in the order of their names.

    Raises: ConfigError naming a folder that cannot be read, whose runs would else be missing without a word.
    """
    path = Path(files.expanded(path))
    if (path / "operative.gin").exists():
        return [path]
    folders = os.walk(path, onerror=refuse_unreadable) if path.is_dir() else ()
    return sorted(Path(folder) for folder, _, names in folders if "operative.gin" in names)


def same_configuration(run):
    """What two runs of one configuration have in common: every binding but the seed and what only watches.

    Their length is that which they were to have: a run that was killed early is one of its configuration, unfinished.
    What they are measured by is theirs, too, since numbers of other samples, images or features do not compare. Runs
    that say what their data are may have them in different places.
    """
    bindings = resolved(run["bindings"])
    free = free_names(bindings, bool(run["data"]), evaluated_alike=True)
    kept = {name: text for name, text in bindings.items() if name != SEED and name not in free}
    kept |= {name: text for name, text in bindings.items() if _COUNTS.fullmatch(name)}
    lengths = [bindings.get(f"train.{name}", "None") for name in ("steps", "seconds")]
    measured = [run[name] for name in ("features", "num_samples", "num_reference")]
    data = run["data"] and [run["data"][name] for name in ("trained_on", "evaluated", "measured_in")]
    return json.dumps([kept, lengths, measured, data], sort_keys=True)


def differences(all_bindings):
    """For each configuration, the bindings that are not the same in all: [{name: value or None}]."""
    names = sorted({name for bindings in all_bindings for name in bindings})
    odd = [
        name for name in names if name != SEED and len({bindings.get(name) for bindings in all_bindings}) > 1
    ]
    return [{name: bindings.get(name) for name in odd} for bindings in all_bindings]


def best_metric(bindings):
    """`(name, whether more of it is better)` of what a run keeps its best checkpoint by."""
    name = str(bindings.get("train.best_metric", "fid")).strip("\"'")
    return name, higher_is_better(name) or bindings.get("train.best_is_highest") == "True"


def ordered_metrics(configurations, primary):
    """Every metric measured, {name: {"higher_is_better"}}, the primary one first."""
    names = {}
    for configuration in configurations:
        for run in configuration["runs"]:
            for evaluation in run["evaluations"]:
                names |= dict.fromkeys(evaluation["metrics"])
    order = ([primary] if primary in names else []) + [name for name in names if name != primary]
    return {name: {"higher_is_better": higher_is_better(name)} for name in order}
