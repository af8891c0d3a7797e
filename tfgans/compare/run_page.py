"""The page of one run, `report.html`: one file that opens from disk, whatever the run has come to."""

import base64
import datetime
import hashlib
import json
from pathlib import Path

from markupsafe import Markup

from tfgans import files
from tfgans.compare import collect, comparison, evaluations, figures, run_pictures, spectra
from tfgans.compare.report import markup, template
from tfgans.compare.tables import NOTHING, Table, number
from tfgans.config import ConfigError
from tfgans.evaluate.features import NoFeatures
from tfgans.evaluate.metrics import made_in_training
from tfgans.run.places import refuse_other_file, require_place

_SECONDS = {"train": "training", "compile": "compiling", "eval": "evaluating"}
_COSTS = {
    "real_images": "real images seen",
    "generator_flops": "operations of the generator",
    "training_flops": "operations of training",
}

_OF_SPECTRA = (
    "Power averaged over all directions at the last evaluation, dashed that of the real images; below, generated "
    "minus real. The right end, above Nyquist's frequency, is in the corners of the transform."
)
_OF_CURVES = (
    "The higher and further right a curve of precision and recall, the better. FID∞, the dashed line, is what the "
    "fitted curve comes to with infinitely many samples."
)


def write(model_dir, output=None):
    """Writes the page of a run, whole or not at all; returns its path.

    Args:
        model_dir: the run's folder; it may be half finished, without an evaluator, of points, or diverged.
        output: the file; None: `report.html` in the folder.
    Raises: ConfigError if that is no run, its files cannot be read, or another file than a page is there.
    """
    folder = Path(files.expanded(model_dir))
    if not (folder / "operative.gin").exists():
        raise ConfigError(f"{model_dir} is not a run: it has no operative.gin")
    output = folder / "report.html" if output is None else Path(output)
    if not output.parent.is_dir() or output.is_dir():
        raise ConfigError(f"--output is a file in a folder that is there. Received: {output}")
    require_place(output.parent, output)
    refuse_other_file(output, output, "a page of report", _is_page)
    text = page(folder)
    files.remove_left(output)
    with files.replacing(output) as file:
        file.write(text.encode("utf-8", "replace"))
    return output


def _is_page(path):
    with open(path, "rb") as file:
        return file.read(15) == b"<!DOCTYPE html>"


def page(folder):
    """The text of the page."""
    run = collect.read_run(folder, folder)
    if run["outcome"] == "failed":
        raise ConfigError(run["message"])
    rows = files.JsonLines(folder / "metrics.jsonl").read()
    in_training = [row for row in rows if made_in_training(row)]
    afterwards = [row for row in rows if not made_in_training(row)]
    alone = _alone(run, folder)
    sizes, problems = comparison.describe(folder.resolve().name, run["operative"])
    frames, left_out = run_pictures.samples(folder)
    script = template("run_page.js.jinja").render()
    return template("run_page.html.jinja").render(
        index={},
        name=folder.resolve().name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        outcome=_outcome(run, in_training),
        verdict=_verdict(alone),
        cautions=[*problems, *_cautions(run)],
        summary=_summary(alone),
        rows=_rows(in_training),
        afterwards=_rows(afterwards),
        metric_figures=markup(
            figures.metric_svg(alone, metric, "step", f"m{i}") for i, metric in enumerate(alone["metrics"])
        ),
        curve_figures=markup(figures.curve_svg(alone, key, f"c{i}") for i, key in enumerate(run["curves"])),
        more_figures=_of_last_evaluation(alone),
        frames=frames,
        frames_json=_in_script([_frame(frame) for frame in frames]),
        left_out=left_out,
        real=run_pictures.real(folder),
        others=run_pictures.others(folder, alone["configurations"][0]["runs"][0]["drawn"]),
        costs=_costs(run, in_training, sizes),
        data=_data(folder),
        operative=run["operative"],
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _cautions(run):
    """What is to be known of the run's numbers, lines."""
    suspicious = run["suspicious"] and f"suspicious: {run['suspicious']}"
    return [line for line in (suspicious, comparison.not_compared(run)) if line]


def _alone(run, folder):
    """A run as a comparison of one, as the figures take it; what it has of its end counts, wherever it stands."""
    steps = [files.step_of(path) for path in (folder / "evaluation").glob("step_*")]
    drawn = collect.drawn(folder, max(steps), folder) if steps else None
    run = run | {"outcome": collect.FINISHED, "drawn": drawn}
    configurations = [{"label": folder.resolve().name, "runs": [run]}]
    best, higher = collect.best_metric(run["bindings"])
    metrics = collect.ordered_metrics(configurations, best)
    if best in metrics:
        metrics[best] = {"higher_is_better": higher}
    return {"configurations": configurations, "metrics": metrics}


def _of_last_evaluation(alone):
    """`(title, caption, figures)` of spectra and of the curves of `evaluate --pictures`, if there are any."""
    found = []
    if spectra.measured(alone):
        found.append((spectra.TITLE, _OF_SPECTRA, markup([spectra.svg(alone, "spectra")])))
    if evaluations.measured(alone):
        svgs = markup(evaluations.svgs(alone, "evaluations"))
        found.append(("Curves of the last evaluation in pictures", _OF_CURVES, svgs))
    return found


def _outcome(run, rows):
    """How far the run has come, in words."""
    if run["outcome"] == collect.FINISHED:
        return f"finished after {number(run['step'])} updates"
    message = run["message"] if rows else "nothing was evaluated or noted yet"
    return f"unfinished: {message}"


def _verdict(alone):
    """The last and the best of the run's own best metric, or if that is not measured of the first one; or nothing."""
    (run,) = alone["configurations"][0]["runs"]
    for metric, about in alone["metrics"].items():
        points = _points(run, metric)
        if not points:
            continue
        (last, at), (best, best_at) = points[-1], _best(points, about)
        name = figures.metric_name(metric)
        text = f"{name[0].upper()}{name[1:]} {number(last)} at step {number(at)}, "
        text += "the best so far" if best == last else f"best {number(best)} at step {number(best_at)}"
        better = "higher" if about["higher_is_better"] else "lower"
        return f"{text} ({_measured_on(run)}{better} is better)."
    return ""


def _measured_on(run):
    """`features: digits_classifier of 64 samples; `, or as much of it as the rows say."""
    features = f"features: {run['features']}" if run["features"] not in (None, NoFeatures.name) else ""
    samples = f"{run['num_samples']:,} samples" if run["num_samples"] else ""
    both = " of ".join(filter(None, [features, samples]))
    return f"{both}; " if both else ""


def _points(run, metric):
    """`[(value, step)]` of a metric where it was measured, like the last evaluation: others do not compare."""
    points = [(e["metrics"].get(metric), e["step"]) for e in run["evaluations"] if e["comparable"]]
    return [(value, step) for value, step in points if value is not None]


def _best(points, about):
    """The first of the best of them."""
    return (max if about["higher_is_better"] else min)(points, key=lambda point: point[0])


def _summary(alone):
    """A table of every metric's first, last and best value."""
    (run,) = alone["configurations"][0]["runs"]
    rows = []
    for metric, about in alone["metrics"].items():
        known = _points(run, metric)
        if known:
            best = _best(known, about)
            better = "higher" if about["higher_is_better"] else "lower"
            values = known[0][0], known[-1][0], best[0], best[1]
            rows.append([figures.metric_name(metric), better, *map(number, values)])
    header = ["metric", "better", "first", "last", "best", "at step"]
    return Table(header, rows, frozenset(header[:2]))


def _rows(rows):
    """`(table, {name: value})`: rows as they stand, the newest first, without what is the same in all of them."""
    names = list(dict.fromkeys(name for row in rows for name in row if name not in ("step", "command")))
    same = {name for name in names if len(rows) > 1 and len({json.dumps(row.get(name)) for row in rows}) == 1}
    texts = {name for name in names if any(isinstance(row.get(name), str) for row in rows)}
    shown = ["step", *(name for name in names if name not in same)]
    cells = [[_cell(row.get(name)) for name in shown] for row in reversed(rows)]
    return Table(shown, cells, frozenset(texts)), {
        name: _cell(rows[0].get(name)) for name in names if name in same
    }


def _cell(value):
    if value is None or isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return str(value)


def _costs(run, rows, sizes):
    """{what: text} of sizes, times and what is counted in the last row."""
    last = rows[-1] if rows else {}
    found = {}
    for what, unit in (("parameters", ""), ("macs", " for one sample")):
        for part, count in (sizes[what] or {}).items():
            name = "parameters" if what == "parameters" else "multiply-accumulates"
            found[f"{name} of the {part}"] = number(count) + unit
    milliseconds = comparison.milliseconds_per_step([run])
    found["an update"] = f"{number(milliseconds)} ms" if milliseconds is not None else NOTHING
    found |= {text: _duration(run[f"{name}_seconds"]) for name, text in _SECONDS.items()}
    found |= {text: number(last[name]) for name, text in _COSTS.items() if last.get(name) is not None}
    return found


def _duration(seconds):
    """`1 h 02 min`, `3 min 20 s`, `4.5 s`, or a dash for None."""
    if seconds is None:
        return NOTHING
    if seconds >= 3600:
        return f"{round(seconds / 60) // 60} h {round(seconds / 60) % 60:02d} min"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def _data(folder):
    """{what: text} on what the run is trained on."""
    from tfgans.run import identity

    kept = identity.read(folder)
    if kept is None:
        return {}
    found = {"source": kept["source"], "examples": number(kept["images"])}
    if kept["classes"]:
        names = [str(name) for name in kept["classes"]]
        found["classes"] = f"{len(names)}: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"
    changed = [str(entry["step"]) for entry in kept["history"] if "changes" in entry]
    return found | ({"changed at step": ", ".join(changed)} if changed else {})


def _frame(frame):
    """A frame for the script: addresses and widths."""
    return {"step": frame["step"]} | {
        short: frame[name]
        and {"uri": frame[name]["uri"], "width": frame[name]["width"], "sharp": frame[name]["sharp"]}
        for short, name in (("samples", "samples"), ("raw", "raw weights"))
    }


def _in_script(value):
    """JSON that may stand within a script element."""
    return Markup(json.dumps(value).replace("<", "\\u003c"))
