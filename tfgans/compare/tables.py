"""Tables of a comparison: the same rows for the page and for Markdown, every cell already text."""

import dataclasses
import itertools
import statistics

from tfgans.compare.comparison import OUTCOMES, ranking

NOTHING = "–"


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of cells already written out; the columns called `configuration` show its key beside the label."""

    header: list
    rows: list
    text_columns: frozenset = frozenset({"configuration"})  # aligned to the left, may wrap


def number(value):
    """About four significant digits, thousands separated; whole numbers whole; a dash for None."""
    if value is None:
        return NOTHING
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.3e}"
    return f"{value:,.0f}" if abs(value) >= 999.95 else f"{value:#.4g}"


def interval(bounds):
    """`[low, high]`, or a dash for None."""
    return NOTHING if bounds is None else f"[{number(bounds[0])}, {number(bounds[1])}]"


def percent(comparison):
    return f"{100 * comparison['settings']['confidence']:g} %"


def summary(configuration, metric, at):
    empty = dict.fromkeys(("mean", "standard_deviation", "median", "t_interval", "bootstrap_interval"))
    return {**empty, "count": 0, "values": []} | configuration["summary"].get(metric, {}).get(at, {})


def pairs_with(comparison, metric, at):
    return [pair for pair in comparison["pairs"] if pair["metric"] == metric and pair["at"] == at]


def ranking_table(comparison):
    """Table of the configurations, best mean of the last primary metric first, those without one at the end."""
    metric = comparison["settings"]["primary_metric"]
    header = ["", "configuration", "mean", f"{percent(comparison)} interval (t)", "interval (bootstrap)",
              "standard deviation", "median", "values", "mean of best", *OUTCOMES, "suspicious"]  # fmt: skip
    rows = []
    for rank, configuration in enumerate(ranking(comparison), 1):
        last, best = (summary(configuration, metric, at) for at in ("last", "best"))
        rows.append(
            [
                NOTHING if last["mean"] is None else str(rank),
                configuration["label"],
                *_spread(last),
                number(last["count"]),
                number(best["mean"]),
                *(number(configuration["counts"][name]) for name in OUTCOMES),
                number(configuration["suspicious"]),
            ]
        )
    return Table(header, rows)


def _spread(found):
    return [number(found["mean"]), interval(found["t_interval"]), interval(found["bootstrap_interval"]),
            number(found["standard_deviation"]), number(found["median"])]  # fmt: skip


def pair_table(comparison, metric, at):
    """Table of every pair of configurations with one metric, at its last or best evaluation."""
    header = ["first", "second", "better", "difference of means", f"{percent(comparison)} interval (Welch)",
              "interval (bootstrap)", "p (permutation)", "smallest possible p",
              "probability of superiority"]  # fmt: skip
    rows = [
        [
            pair["first"],
            pair["second"],
            pair["better"] or ("not separated" if pair["t_interval"] else NOTHING),
            number(pair["difference"]),
            interval(pair["t_interval"]),
            interval(pair["bootstrap_interval"]),
            number(pair["p_value"]),
            number(pair["smallest_p_value"]),
            number(pair["probability_of_superiority"]),
        ]
        for pair in pairs_with(comparison, metric, at)
    ]
    return Table(header, rows, frozenset(header[:3]))


def value_table(comparison, metric):
    """Table of one metric: last and best evaluations of each configuration, with the value of every run."""
    header = ["configuration", "evaluation", "mean", f"{percent(comparison)} interval (t)",
              "interval (bootstrap)", "standard deviation", "median", "values of the runs"]  # fmt: skip
    rows = []
    for configuration, at in itertools.product(comparison["configurations"], ("last", "best")):
        found = summary(configuration, metric, at)
        values = "  ".join(map(number, found["values"]))
        rows.append([configuration["label"], at, *_spread(found), values])
    return Table(header, rows, frozenset({"configuration", "evaluation", "values of the runs"}))


def _median(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def cost_table(comparison):
    """Table of sizes and times; seconds are medians over a configuration's runs."""
    header = ["configuration", "parameters of G", "parameters of D", "MACs of G", "MACs of D",
              "ms per update", "training, s", "compiling, s", "evaluating, s"]  # fmt: skip
    rows = []
    for configuration in comparison["configurations"]:
        sizes = [configuration[what] or {} for what in ("parameters", "macs")]
        seconds = [
            _median(run[f"{what}_seconds"] for run in configuration["runs"])
            for what in ("train", "compile", "eval")
        ]
        cells = [size.get(part) for size in sizes for part in ("generator", "discriminator")]
        cells += [configuration["milliseconds_per_step"], *seconds]
        rows.append([configuration["label"], *map(number, cells)])
    return Table(header, rows)


def difference_table(comparison):
    """Table of the bindings that are not the same in all configurations."""
    configurations = comparison["configurations"]
    names = list(dict.fromkeys(name for c in configurations for name in c["differences"]))
    header = ["binding", *(configuration["label"] for configuration in configurations)]
    rows = [
        [
            name,
            *(
                NOTHING if c["differences"].get(name) is None else c["differences"][name]
                for c in configurations
            ),
        ]
        for name in names
    ]
    return Table(header, rows, frozenset(header))


def run_table(comparison):
    """Table of all runs: how each ended, and where it is."""
    header = ["configuration", "seed", "outcome", "updates", "training, s", "compiling, s", "evaluating, s",
              "folder", "message"]  # fmt: skip
    rows = [
        [
            configuration["label"],
            NOTHING if run["seed"] is None else str(run["seed"]),
            run["outcome"],
            *(number(run[key]) for key in ("step", "train_seconds", "compile_seconds", "eval_seconds")),
            str(run["folder"]),
            run["message"] or (f"suspicious: {run['suspicious']}" if run["suspicious"] else ""),
        ]
        for configuration in comparison["configurations"]
        for run in configuration["runs"]
    ]
    return Table(header, rows, frozenset({"configuration", "outcome", "folder", "message"}))
