"""Makes docs/evidence.md of docs/evidence/*.json, which `evidence.py` wrote; curves are drawn beside them.

    python benchmarks/evidence_page.py [--folder=docs/evidence] [--page=docs/evidence.md]

PART.png of `evidence.py` is shown where it lies there as PART_samples.png.
docs/evidence/verdicts.json, {part: {"verdict": sentence, "why": what is behind it}}, has what we make of a trial; a
part that it does not know gets a sentence made of its table. The page begins with all verdicts and a picture of all
runs.
"""

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import matplotlib

matplotlib.use("Agg")

import evidence_overview
from evidence_parts import PARTS
from evidence_table import HIGHER, counts, main_rows, metrics_of, table
from matplotlib import pyplot as plt

from tfgans import files
from tfgans.compare.tables import number

START = """# Evidence

What the methods of this library are worth, tried on real data: what a paper claims, and what came of it here.
Networks and budgets are small beside the papers': a claim that fails here may hold at their size. Every number comes
from the JSON file of its part, which has all evaluations of all runs, and the page from

    python benchmarks/evidence_page.py

Each arm of a trial has the same budget. Where learning rates were tried, each arm has the one with the lowest
validation FID in a run with another seed, which is not counted. FIDs are Frechet distances in the features of a
classifier of the same kind of images (`launch/classifier.py`), named in each part: they compare runs here, and are no
FIDs in Inception's features. They are against the test images where there are some, and else against those trained
on; the validation FID is of other samples and against the images trained on. A run counts as collapsed if two of its
images, or an image and its nearest other one, are less than 0.3 times as far apart in their pixels as real ones are:
the first ratio tells a collapse to one image, the second one to a few.

## At a glance

Each dot is a run at the end of its trial, its trial's metric over the mean of the first arm, which is black; hollow
ones have collapsed. An arm is blue if its mean is better than the first's by a 95 % interval of the difference
(Welch's), orange if it is worse, gray if that does not separate them. Where both have two runs this says little:
a permutation test of two against two separates nothing.

![Every run of every trial beside the first arm of its trial](evidence/overview.png)
"""


def page(reports, verdicts, pictured=()):
    """The text of the page; `reports` in the order of the sections, `pictured` the names of those with samples."""
    told = {r["part"]: verdicts.get(r["part"]) or {"verdict": sentence(r)} for r in reports}
    table_of_all = evidence_overview.overview(reports, {name: each["verdict"] for name, each in told.items()})
    sections = [START, table_of_all + "\n"]
    for report in reports:
        sections.append(section(report, told[report["part"]], report["part"] in pictured))
    missing = [name for name in PARTS if name not in {report["part"] for report in reports}]
    if missing:
        sections.append(
            "## Not done yet\n\n" + "\n".join(f"- `{name}`: {PARTS[name].claim}" for name in missing) + "\n"
        )
    return "\n".join(sections)


def section(report, told, pictured):
    """One part's section; `told`: its `verdict` and perhaps `why`."""
    name = report["part"]
    facts = [
        f"**Claim.** {report['claim']} ({report['source']})",
        f"**Verdict.** {told['verdict']}",
        *([told["why"]] if "why" in told else []),
        f"**Trial.** {budget(report)} Features: {report['features']}. {machine(report)}",
        *([rates(report)] if report["rates"] else []),
        table(report).strip(),
        f"![Curves of every run](evidence/{name}_curves.png)",
        *([f"![Samples of each arm](evidence/{name}_samples.png)"] if pictured else []),
        f"All arms: {code(report['common'])}. Each:",
        "\n".join(
            f"- {arm}: {code(about['made_of']) or 'nothing more'}" for arm, about in report["arms"].items()
        ),
        f"    {report['command']}",
    ]
    return f"## {name}\n\n" + "\n\n".join(facts) + "\n"


def code(pieces):
    """Bindings as Markdown code."""
    return ", ".join(f"`{piece}`" for piece in pieces)


def budget(report):
    """What each arm had, in words."""
    updates = report["updates"]
    if report["equal"] == "seconds":
        cost = report["seconds_per_update"]
        first = next(iter(updates))
        each = ", ".join(f"{arm} {number(n)}" for arm, n in updates.items())
        return (
            f"Equal seconds of training, {number(updates[first] * cost[first])} on one core, by the cost of an "
            f"update that `benchmarks/step_time.py` measured; so many generator updates: {each}. {seeds(report)}"
        )
    several = ", ".join(f"{arm} {number(n)}" for arm, n in updates.items() if n != max(updates.values()))
    more = f" ({several})" if several else ""
    return f"{number(max(updates.values()))} generator updates{more}. {seeds(report)}"


def seeds(report):
    """The number of counted runs of each arm, and of those that have another number."""
    runs = {arm: len(about["runs"]) for arm, about in report["arms"].items()}
    several = ", ".join(f"{arm} {count}" for arm, count in runs.items() if count != report["seeds"])
    return f"{report['seeds']} seeds{f' ({several})' if several else ''}."


def machine(report):
    """Where it ran."""
    about, versions = report["machine"], report["versions"]
    device = ", ".join(device.rsplit("/", 1)[-1] for device in about["devices"])
    return f"{about['processor']}, {device}; TensorFlow {versions['tensorflow']}, Keras {versions['keras']}."


def rates(report):
    """The learning rates chosen and tried."""
    told = []
    for arm, found in report["rates"].items():
        tried = ", ".join(f"{rate}: {number(value)}" for rate, value in found["validation_fid"].items())
        told.append(f"{arm} {found['chosen']} ({tried})")
    return "Learning rates, with the validation FIDs that decided: " + "; ".join(told) + "."


def sentence(report):
    """What the table says, in a sentence."""
    metric, first = report["metric"], next(iter(report["arms"]))
    told = [f"{row[0]} {row[-1]}" for row in main_rows(report, "last") if row[0] != first and row[-1] != "–"]
    against = "; ".join(told) if told else "too few values to tell"
    ended = "; ".join(f"{arm}: {counts(report, arm)}" for arm in report["arms"])
    return f"Of {metric} at the end, against {first}: {against}. How the runs ended: {ended}."


def draw(report, path):
    """Curves of every run: the part's metric, and the other things measured, against updates."""
    names = [name for name in metrics_of(report) if name != "coverage"][:6]
    figure, places = plt.subplots(2, 3, figsize=(12, 6.5), squeeze=False)
    colours = dict(zip(report["arms"], plt.cm.tab10.colors, strict=False))
    for place, name in zip(places.flat, names, strict=False):
        for arm, about in report["arms"].items():
            for n, run in enumerate(about["runs"]):
                points = [(row["step"], row[name]) for row in run["evaluations"] if row.get(name) is not None]
                points = [(step, value) for step, value in points if step > 0]
                if points:
                    place.plot(
                        *zip(*points, strict=True), color=colours[arm], lw=1, label=arm if n == 0 else None
                    )
        place.set_title(f"{name} ({'more' if name in HIGHER else 'less'} is better)", fontsize=9)
        place.set_xlabel("generator updates", fontsize=8)
        place.tick_params(labelsize=7)
        if name not in HIGHER:
            place.set_yscale("log")
    for place in places.flat[len(names) :]:
        place.set_axis_off()
    handles, labels = places.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=6, fontsize=8)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    with files.replacing(path) as file:
        figure.savefig(file, format="png", dpi=80)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("docs/evidence"))
    parser.add_argument("--page", type=Path, default=Path("docs/evidence.md"))
    options = parser.parse_args()
    found = {path.stem: json.loads(path.read_text()) for path in options.folder.glob("*.json")}
    verdicts = found.pop("verdicts", {})
    reports = [found.pop(name) for name in PARTS if name in found]
    if found:
        sys.exit(f"no part of evidence_parts.py: {', '.join(sorted(found))}")
    for report in reports:
        draw(report, options.folder / f"{report['part']}_curves.png")
    evidence_overview.draw(reports, options.folder / "overview.png")
    pictured = [
        report["part"] for report in reports if (options.folder / f"{report['part']}_samples.png").exists()
    ]
    files.write_text(options.page, page(reports, verdicts, pictured))


if __name__ == "__main__":
    main()
