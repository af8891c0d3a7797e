"""Tables of what `evidence.py` found: every run counted, at as many updates or at the end."""

from evidence_pieces import DRAWN

from tfgans.compare import statistics
from tfgans.compare.tables import interval, number
from tfgans.evaluate.metrics import HIGHER_IS_BETTER

# A run counts as collapsed if its images vary less than this in their pixels, of what real ones do.
COLLAPSED = {"pixel_variety": 0.3, "pixel_nearest": 0.3}
SHOWN = (
    "fid", "mind", "sliced_wasserstein", "spectrum_distance_all", "spectrum_distance_high", "recall", "coverage",
    "pixel_variety", "pixel_nearest", "intra_fid", "intra_recall", "stability_mse", "fid_raw", "advas_r",
    "duality_gap",
)  # fmt: skip
HIGHER = HIGHER_IS_BETTER | {"pixel_variety", "pixel_nearest"}


def common_step(report, arm):
    """After how many updates an arm is looked at, None if nothing was evaluated.

    It is the most that all runs have reached of the arms that are to make as many, but for those that diverged or
    failed, or have not come to an evaluation yet.
    """
    planned = report["updates"]
    reached = [
        run["evaluations"][-1]["step"]
        for name in report["arms"]
        if planned[name] == planned[arm]
        for run in report["arms"][name]["runs"]
        if run["evaluations"]
        and run["outcome"] not in ("diverged", "failed")
        and run["evaluations"][-1]["step"] > 0
    ]
    return min(reached, default=None)


def at(run, step):
    """The evaluation of a run after so many updates; None if there is none."""
    return next((row for row in run["evaluations"] if row["step"] == step), None)


def best(run, step):
    """Of the evaluations up to `step`, that with the lowest validation FID."""
    rows = [row for row in run["evaluations"] if 0 < row["step"] <= (step or 0)]
    rows = [row for row in rows if row.get("validation_fid") is not None]
    return min(rows, key=lambda row: row["validation_fid"], default=None)


def collapsed(row):
    """Whether the images of an evaluation vary too little; None if it does not tell."""
    known = [row[name] < least for name, least in COLLAPSED.items() if row and row.get(name) is not None]
    return any(known) if known else None


def values(report, arm, metric, which="last"):
    """One value a run, None where it has none."""
    step = common_step(report, arm)
    rows = [(at if which == "last" else best)(run, step) for run in report["arms"][arm]["runs"]]
    return [None if row is None else row.get(metric) for row in rows]


def metrics_of(report):
    """Those of `SHOWN` that some run measured, the part's own first."""
    runs = [run for arm in report["arms"].values() for run in arm["runs"]]
    measured = {name for run in runs for row in run["evaluations"] for name in row}
    own = report["metric"]
    return [own] * (own in measured) + [name for name in SHOWN if name in measured and name != own]


def counts(report, arm):
    """How the runs of an arm ended, in words."""
    step, runs = common_step(report, arm), report["arms"][arm]["runs"]
    told = [collapsed(at(run, step)) for run in runs]
    ever = sum(any(collapsed(row) for row in run["evaluations"] if row["step"] > 0) for run in runs)
    words = [f"{len(runs)} runs", f"{sum(map(bool, told))} collapsed"]
    if ever > sum(map(bool, told)):
        words.append(f"{ever} at some time")
    words += [
        f"{n} {kind}"
        for kind in ("diverged", "failed", "unfinished")
        if (n := sum(r["outcome"] == kind for r in runs))
    ]
    return ", ".join(words)


def main_rows(report, which):
    """Rows of the part's metric: mean, interval, values, and the difference to the first arm."""
    metric, first = report["metric"], next(iter(report["arms"]))
    rows = []
    for arm in report["arms"]:
        ours = values(report, arm, metric, which)
        found = statistics.summary(ours)
        against = "" if arm == first else _against(ours, values(report, first, metric, which), metric)
        step = common_step(report, arm)
        shown = ", ".join(number(value) for value in ours)
        rows.append([arm, number(step), number(found["mean"]), interval(found["t_interval"]), shown, against])
    return rows


def compared(ours, theirs, metric):
    """Values of two arms beside each other, see `statistics.pair`."""
    return statistics.pair(ours, theirs, metric in HIGHER)


def _against(ours, theirs, metric):
    found = compared(ours, theirs, metric)
    if found["p_value"] is None:
        return "–"
    verdict = {True: "better", False: "worse", None: "not separated"}[found["first_is_better"]]
    return f"{verdict}, p = {found['p_value']:.2g} (least possible {found['smallest_p_value']:.2g})"


def architecture_table(report):
    """What arms trained: each run's rank among the architectures drawn at random, if an arm has such, and its
    up-samplings; in Markdown."""
    header = ["arm", "deconv of nine", "after the first step of the search"]
    rows = []
    for arm, found in report["found"].items():
        counts = [[deconvs(one[when]) for one in found] for when in ("last", "first")]
        rows.append([arm, *(", ".join("–" if n is None else str(n) for n in each) for each in counts)])
    if DRAWN in report["arms"]:
        header.insert(1, "ranks among those drawn")
        for row in rows:
            row.insert(1, "" if row[0] == DRAWN else ranks(report, row[0]))
    return markdown(header, rows)


def ranks(report, arm):
    """The rank of each run of an arm among those drawn, 1 the best, in words."""
    ours, drawn = (values(report, name, report["metric"]) for name in (arm, DRAWN))
    drawn = [value for value in drawn if value is not None]
    told = ["–" if v is None or not drawn else f"{1 + sum(other < v for other in drawn)}" for v in ours]
    return f"{', '.join(told)} of {len(drawn) + 1}"


def deconvs(genotype):
    """How many of an architecture's nine up-samplings are `deconv`; None without one."""
    if genotype is None:
        return None
    ups = [*sum(genotype["up"], []), *genotype["skip_2"], *genotype["skip_3"]]
    return ups.count("deconv")


def markdown(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def table(report):
    """All tables of a part, in Markdown."""
    metric, arms = report["metric"], report["arms"]
    header = ["arm", "updates", metric, "95 % interval (t)", "runs", f"against {next(iter(arms))}"]
    parts = [f"**{report['part']}**, at the end", markdown(header, main_rows(report, "last"))]
    if any(value is not None for arm in arms for value in values(report, arm, metric, "best")):
        parts += [
            "At the evaluation with the lowest validation FID",
            markdown(header, main_rows(report, "best")),
        ]
    names = metrics_of(report)
    rows = []
    for arm in arms:
        means = [statistics.summary(values(report, arm, name))["mean"] for name in names]
        rows.append([arm, *map(number, means), counts(report, arm)])
    parts += ["Means at the end", markdown(["arm", *names, "how the runs ended"], rows)]
    if report.get("found"):
        parts += ["Architectures", architecture_table(report)]
    return "\n\n".join(parts) + "\n"
