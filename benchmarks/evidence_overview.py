"""All trials at a glance: each run beside the mean of its trial's first arm, and a table of verdicts."""

from evidence_table import HIGHER, at, collapsed, common_step, compared, markdown, values
from matplotlib import pyplot as plt

from tfgans import files
from tfgans.compare import statistics

COLUMNS = 3
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
COLOURS = {True: "#0072b2", False: "#d55e00", None: "#777777"}  # better, worse, not separated


def overview(reports, verdicts):
    """The table: a row a trial, its claim and its verdict."""
    rows = [[f"[{r['part']}](#{r['part']})", r["claim"], verdicts[r["part"]]] for r in reports]
    return markdown(["trial", "claim", "verdict"], rows)


def draw(reports, path):
    """A panel a trial, a line an arm, a dot a run."""
    lines = -(-len(reports) // COLUMNS)
    figure, places = plt.subplots(lines, COLUMNS, figsize=(13, 2.1 * lines), squeeze=False)
    for place, report in zip(places.flat, reports, strict=False):
        _panel(place, report)
    for place in places.flat[len(reports) :]:
        place.set_axis_off()
    figure.tight_layout(h_pad=1.2)
    with files.replacing(path) as file:
        figure.savefig(file, format="png", dpi=80)
    plt.close(figure)


def _panel(place, report):
    metric, arms = report["metric"], list(report["arms"])
    reference = values(report, arms[0], metric)
    mean = statistics.summary(reference)["mean"]
    for line, arm in enumerate(arms):
        better = compared(values(report, arm, metric), reference, metric)["first_is_better"]
        colour = "black" if line == 0 else COLOURS[better]
        for value, hollow in dots(report, arm) if mean else ():
            place.plot(value / mean, line, "o", ms=5, color=colour, mfc="white" if hollow else colour)
    place.axvline(1.0, color="black", lw=0.6)
    _ratios(place)
    place.set_yticks(range(len(arms)), [label(report, arm) for arm in arms])
    place.set_ylim(len(arms) - 0.5, -0.5)
    place.tick_params(labelsize=7)
    direction = "more" if metric in HIGHER else "less"
    place.set_title(f"{report['part']}: {metric} ({direction} is better)", fontsize=8)


def _ratios(place):
    """A logarithmic axis of ratios that is never so narrow that small differences look large."""
    place.set_xscale("log")
    left, right = place.get_xlim()
    place.set_xlim(min(left, 0.45), max(right, 2.2))
    ticks = [tick for tick in TICKS if place.get_xlim()[0] <= tick <= place.get_xlim()[1]]
    place.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    place.minorticks_off()


def label(report, arm):
    """An arm's name, with how many of its runs have a value where some have none, such as those that diverged."""
    known, runs = len(dots(report, arm)), len(report["arms"][arm]["runs"])
    return arm if known == runs else f"{arm} ({known} of {runs})"


def dots(report, arm):
    """[(value, whether the run has collapsed)] of the runs of an arm that have one, at the end."""
    step, metric = common_step(report, arm), report["metric"]
    rows = [at(run, step) for run in report["arms"][arm]["runs"]]
    return [(row[metric], bool(collapsed(row))) for row in rows if row and row.get(metric) is not None]
