"""What came of a part of `evidence.py`, as files: JSON, a table, images, and what the runs said."""

import hashlib
import json
import math
import shlex
import tarfile
from pathlib import Path

import numpy as np
from evidence_table import common_step, table
from PIL import Image, ImageDraw

from tfgans import files
from tfgans.compare import comparison
from tfgans.pictures import grid

_DIGITS = 5  # kept of each number
_SHOWN = 2  # rows of images of each arm
_OF_A_RUN = ("seed", "outcome", "message", "step", "train_seconds", "compile_seconds", "eval_seconds")
_SAID = ("metrics.jsonl", "operative.gin", "data.json")  # files of a run's folder that are kept


def write_report(trial):
    """Writes OUTPUT/PART.json, .md, .png and .tar.gz, and prints the table."""
    told, place = report(trial), trial.options.output
    files.write_text(place / f"{trial.name}.json", json.dumps(told) + "\n")
    text = table(told)
    files.write_text(place / f"{trial.name}.md", text)
    print(text, flush=True)
    draw_samples(trial, told, place / f"{trial.name}.png")
    with tarfile.open(place / f"{trial.name}.tar.gz", "w:gz") as tar:
        for path in said(trial.folder):
            tar.add(path, path.relative_to(place))


def report(trial):
    """The contents of PART.json."""
    part = trial.part
    facts = {arm: [run.facts(trial.folder) for run in trial.runs[arm]] for arm in part.arms}
    begun = [run for runs in facts.values() for run in runs if run["data"]]
    return {
        "part": trial.name,
        **{name: getattr(part, name) for name in ("claim", "source", "metric", "equal")},
        "command": command(trial.name, trial.options),
        "versions": comparison.versions(),
        "machine": comparison.machine(),
        "data": begun[0]["data"] if begun else None,
        "features": begun[0]["features"] if begun else None,
        "classifiers": digests(trial.options.classifiers),
        "seeds": trial.seeds,
        "updates": trial.updates,
        "seconds_per_update": trial.cost,
        "probed": trial.probed,
        "rates": {
            arm: {"chosen": name, "validation_fid": trial.tried[arm]} for arm, name in trial.chosen.items()
        },
        "found": {arm: [found(trial, arm, n) for n in range(trial.seeds_of(arm))] for arm in part.found},
        "common": [*part.common, *trial.options.gin_param],
        "arms": {
            arm: {"made_of": list(part.arms[arm]), "runs": [_of_a_run(run) for run in facts[arm]]}
            for arm in part.arms
        },
    }


def found(trial, arm, seed):
    """The architecture that a run of an arm trains, and that which its search chose after its first step, or None."""
    path, name = trial.genotype(arm, seed), trial.part.found[arm]
    rows = files.JsonLines(path.parent / "search.jsonl").read() if name in trial.searches else []
    first = next((row["genotype"] for row in rows if row["step"] == 1), None)
    return {"last": json.loads(path.read_text()) if path.exists() else None, "first": first}


def command(name, options):
    """What repeats the trial, without the places of this machine."""
    words = ["python", "benchmarks/evidence.py", f"--part={name}", "--output=runs/evidence", "--data=DATA"]
    words += ["--classifiers=CLASSIFIERS", f"--processes={options.processes}"]
    for flag in ("seconds", "updates", "seeds"):
        if getattr(options, flag) is not None:
            words.append(f"--{flag}={getattr(options, flag)}")
    return shlex.join([*words, *(f"--gin_param={binding}" for binding in options.gin_param)])


def digests(folder):
    """The SHA-256 of each file of a folder, {name: 16 digits}."""
    paths = sorted(path for path in Path(folder).glob("*.keras"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths}


def _of_a_run(facts):
    evaluations = [
        {"step": row["step"], "train_seconds": rounded(row["train_seconds"])}
        | {name: rounded(value) for name, value in row["metrics"].items()}
        for row in facts["evaluations"]
    ]
    return {name: rounded(facts[name]) for name in _OF_A_RUN} | {"evaluations": evaluations}


def rounded(value):
    """A number with a few digits; anything else as it is."""
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{_DIGITS}g}")
    return value


def said(folder):
    """The small files of all runs: metrics, configuration, log, last spectra, last images."""
    for path in sorted(folder.rglob("*")):
        if path.name in _SAID or path.suffix == ".log" or path == folder / "plan.json":
            yield path
    for run in sorted(path.parent for path in folder.rglob("operative.gin")):
        for pattern in ("spectra/*.json", "samples/*.png"):
            yield from sorted(run.glob(pattern))[-1:]


def _height(folder):
    """How high the rows that are shown are in a run's picture of samples."""
    with np.load(folder / "fixed_samples.npz") as saved:
        image = saved[saved.files[0]][0]
    return len(grid(np.zeros((_SHOWN, *image.shape), np.uint8), columns=1))


def draw_samples(trial, told, path):
    """One picture of the first images of each arm's first run, after as many updates, or at its end."""
    pictures = {}
    for arm, runs in trial.runs.items():
        step = common_step(told, arm)
        place = runs[0].folder / "samples" / f"step_{step:08d}.png" if runs and step else None
        if place and place.exists():
            picture = Image.open(place).convert("RGB")
            shown = (0, 0, picture.width, _height(runs[0].folder))
            pictures[f"{arm}, {step} updates"] = picture.crop(shown)
    if not pictures:
        return
    width = max(picture.width for picture in pictures.values())
    height = sum(16 + picture.height for picture in pictures.values())
    page = Image.new("RGB", (width, height), "white")
    pen, top = ImageDraw.Draw(page), 0
    for name, picture in pictures.items():
        pen.text((4, top + 2), name, "black")
        page.paste(picture, (0, top + 16))
        top += 16 + picture.height
    page.save(path)
