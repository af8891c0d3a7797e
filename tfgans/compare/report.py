"""The page of a comparison: `report.html` (one file, needs no network), its pictures and `report.md`."""

import html
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from tfgans import files
from tfgans.compare import evaluations, figures, spectra, tables
from tfgans.compare.embedded import drawn, samples
from tfgans.compare.tables import number, pairs_with, percent, summary


def write(output_dir, comparison):
    """Writes `report.html`, `report.png` and `report.md` into `output_dir`, each whole or not at all.

    And `spectra.png`, if a run has a spectrum, and `evaluations.png`, if one was evaluated with pictures; otherwise
    one that is there is removed.

    Args:
        output_dir: the folder that paths of samples are relative to.
        comparison: the contents of `compare.json`.
    """
    output_dir = Path(output_dir)
    with files.replacing(output_dir / "report.png") as file:
        figures.picture(comparison, file)
    for part, name in ((spectra, "spectra.png"), (evaluations, "evaluations.png")):
        if part.measured(comparison):
            with files.replacing(output_dir / name) as file:
                part.picture(comparison, file)
        else:
            (output_dir / name).unlink(missing_ok=True)
    for name, make in (("report.html", page), ("report.md", markdown)):
        with files.replacing(output_dir / name) as file:
            file.write(make(output_dir, comparison).encode("utf-8", "replace"))


def _listed(names):
    """`a`, `a and b`, `a, b and c`."""
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _direction(comparison, metric):
    return "higher is better" if comparison["metrics"][metric]["higher_is_better"] else "lower is better"


def _loser(pair):
    return pair["second"] if pair["better"] == pair["first"] else pair["first"]


def _named(labels):
    return _listed(figures.short(label, 40) for label in labels)


def verdict(comparison):
    """One sentence: which configurations are better than which by the last primary metric, or that none is."""
    settings, metric = comparison["settings"], comparison["settings"]["primary_metric"]
    if metric not in comparison["metrics"]:
        return f"No run has a value of {figures.metric_name(metric)}: there is nothing to compare."
    budget = "at the end of training"
    if settings["steps"]:
        budget = f"after {settings['steps']:,} generator updates"
    elif settings["seconds"]:
        budget = f"after {number(settings['seconds'])} seconds of training"
    subject = f"By {figures.metric_name(metric)} {budget} ({_direction(comparison, metric)}), "
    pairs = pairs_with(comparison, metric, "last")
    known = [pair for pair in pairs if pair["t_interval"] is not None]
    decided = [pair for pair in known if pair["better"] is not None]
    if not known:
        return subject + "nothing can be said: an interval needs two configurations with two values each."
    some = "" if len(known) == len(pairs) else " that could be estimated"
    if not decided:
        reason = f"the {percent(comparison)} interval of every difference{some} includes 0."
        return f"{subject}the runs do not separate the configurations: {reason}"
    losers = {pair["better"]: () for pair in decided}
    for pair in decided:
        losers[pair["better"]] += (_loser(pair),)
    winners = {beaten: [w for w in losers if losers[w] == beaten] for beaten in losers.values()}
    clauses = [
        f"{_named(names)} {'is' if len(names) == 1 else 'are'} better than {_named(beaten)}"
        for beaten, names in winners.items()
    ]
    reason = f" (the {percent(comparison)} interval of the difference excludes 0)"
    return subject + "; ".join(clauses) + reason + _undecided(pairs) + "."


def _undecided(pairs):
    rest = [pair for pair in pairs if pair["better"] is None and pair["t_interval"] is not None]
    unknown = sum(pair["t_interval"] is None for pair in pairs)
    text = "; the runs do not separate " if rest else ""
    if len(rest) > 3:
        text += f"the other {len(rest)} pairs"
    else:
        text += ", nor ".join(_named((pair["first"], pair["second"])) for pair in rest)
    if unknown:
        text += f"; {unknown} {'pair has' if unknown == 1 else 'pairs have'} too few values to compare"
    return text


def lost_runs(comparison):
    """A line on the runs without a value, or an empty one if all finished."""
    parts = []
    for configuration in comparison["configurations"]:
        counts = configuration["counts"]
        bad = [f"{counts[name]} {name}" for name in tables.OUTCOMES[1:] if counts.get(name)]
        if bad:
            parts.append(f"{configuration['label']}: {_listed(bad)} of {len(configuration['runs'])}")
    if not parts:
        return ""
    return f"Not every run finished: {'; '.join(parts)}. The others alone count in the means."


def suspicious_runs(comparison):
    """A line on the runs that finished with values as of a collapsed generator, or an empty one."""
    parts = [
        f"{configuration['label']}: {configuration['suspicious']} of {len(configuration['runs'])}"
        for configuration in comparison["configurations"]
        if configuration["suspicious"]
    ]
    if not parts:
        return ""
    return (
        "Some runs finished with suspicious values, such as a generator gives that has collapsed or was hardly "
        f"trained: {'; '.join(parts)}. They count in the means."
    )


def _on_runs(comparison):
    return lost_runs(comparison), suspicious_runs(comparison)


def statement(comparison):
    """What the intervals show and do not show: pairs of a short sentence and its explanation."""
    metric = comparison["settings"]["primary_metric"]
    counts = [f"{summary(c, metric, 'last')['count']} ({c['label']})" for c in comparison["configurations"]]
    smallest = [
        pair["smallest_p_value"]
        for pair in pairs_with(comparison, metric, "last")
        if pair["smallest_p_value"] is not None
    ]
    compared = sum(pair["t_interval"] is not None for pair in comparison["pairs"])
    chance = f"{100 - 100 * comparison['settings']['confidence']:g} in 100"
    samples = _listed(f"{count:,}" for count in comparison["num_samples"]) or "an unknown number of"
    features = _listed(comparison["features"]) or "unknown features"
    points = [
        ("The intervals show the spread over seeds, and nothing else.",
         "They hold for this data, this budget and these settings. Another data set, a longer run or better "
         "tuned options may turn the order round."),
        (f"The numbers of runs behind the means: {_listed(counts) or 'none'}.",
         f"The {percent(comparison)} t interval assumes values distributed about normally over seeds, which so "
         "few runs cannot confirm."),
        ("Bootstrap intervals of few runs are too narrow.",
         "They only draw again from the values that are there; below about ten runs trust the t interval."),
        (_smallest_p(smallest),
         "The permutation test counts the ways to deal the values out to two groups, and there are only so many."),
        (f"Nothing is corrected for the {compared} comparisons on this page.",
         f"Where nothing differs, about {chance} such intervals still exclude 0. Decide by one metric chosen "
         "beforehand; the others explain."),
        ("The best evaluation of a run is optimistic.",
         "It is chosen by the number it reports, the more so the more often a run was evaluated. Judge by the "
         "last one."),
        (f"Scores are comparable within this page only: {features}, {samples} samples.",
         "FID and its like depend on the features and on the number of samples."),
        ("The same seeds do not make the runs of two configurations pairs.",
         "A seed fixes the order of the data and the latents, but different configurations turn them into "
         "unrelated runs. All intervals treat the runs as independent."),
        ("Runs that diverged or failed have no value, so the means of the rest are optimistic.",
         "A configuration that loses runs is worse than its mean says. Suspicious runs count with their values."),
    ]  # fmt: skip
    return points


def _smallest_p(smallest):
    if not smallest:
        return "No pair has enough runs for a p value."
    low, high = number(min(smallest)), number(max(smallest))
    text = f"p values here cannot be below {low if low == high else f'{low} to {high}'}, whatever the difference."
    return text + (" No pair can reach 0.05." if min(smallest) > 0.05 else "")


def cautions(comparison):
    """Lines on what makes the numbers of this page hard to compare, then the problems met on the way."""
    lines = [
        f"Evaluations differ in their {what}: {_listed(map(str, values))}. Do not compare their scores."
        for what, values in (
            ("features", comparison["features"]),
            ("number of samples", comparison["num_samples"]),
        )
        if len(values) > 1
    ]
    return lines + list(comparison["problems"])


def markup(svgs):
    """Those figures there are, as markup."""
    return [Markup(svg) for svg in svgs if svg]


def _of_last_evaluations(comparison):
    """What the page draws of the spectra and the curves of last evaluations, with titles and captions."""
    return {
        "spectra": spectra.measured(comparison) and Markup(spectra.svg(comparison, "spectra")),
        "spectra_title": spectra.TITLE,
        "spectra_caption": spectra.caption(comparison),
        "evaluations": markup(evaluations.svgs(comparison, "evaluations")),
        "evaluations_title": evaluations.TITLE,
        "evaluations_caption": evaluations.caption(comparison),
    }


def page(output_dir, comparison):
    """The text of `report.html`."""
    metrics, configurations = comparison["metrics"], comparison["configurations"]
    primary = comparison["settings"]["primary_metric"]
    curves = list(dict.fromkeys(key for c in configurations for run in c["runs"] for key in run["curves"]))
    rows, left_out = samples(output_dir, comparison)
    last = figures.last_values_svg(comparison, primary, "last") if primary in metrics else None
    against = {
        metric: markup(
            figures.metric_svg(comparison, metric, axis, f"m{i}{axis[0]}") for axis in figures.AGAINST
        )
        for i, metric in enumerate(metrics)
    }
    return template("report.html.jinja").render(
        comparison=comparison,
        primary=primary,
        percent=percent(comparison),
        index={configuration["label"]: i for i, configuration in enumerate(configurations)},
        keys=[Markup(figures.key_uri(i)) for i in range(len(configurations))],
        verdict=verdict(comparison),
        cautions=[line for line in (*_on_runs(comparison), *cautions(comparison)) if line],
        statement=statement(comparison),
        ranking=tables.ranking_table(comparison),
        pairs={(m, at): tables.pair_table(comparison, m, at) for m in metrics for at in ("last", "best")},
        values={metric: tables.value_table(comparison, metric) for metric in metrics},
        costs=tables.cost_table(comparison),
        differences=tables.difference_table(comparison),
        runs=tables.run_table(comparison),
        samples=rows,
        samples_left_out=left_out,
        last_values=last and Markup(last),
        metric_figures={metric: svgs for metric, svgs in against.items() if svgs},
        **_of_last_evaluations(comparison),
        drawn=drawn(output_dir, comparison),
        curve_figures=markup(figures.curve_svg(comparison, key, f"c{i}") for i, key in enumerate(curves)),
        metric_name=figures.metric_name,
        direction=lambda metric: _direction(comparison, metric),
        number=number,
    )


def template(name):
    """A template of this folder; all text that it shows is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)


def _escape(text):
    """Text that GitHub shows as it stands, on one line, also within a table."""
    return re.sub(r"([\\`*_\[\]|~#@])", r"\\\1", html.escape(" ".join(str(text).split()), quote=False))


def _markdown_table(table):
    aligned = [":---" if name in table.text_columns else "---:" for name in table.header]
    rows = [map(_escape, table.header), aligned, *(map(_escape, row) for row in table.rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def markdown(output_dir, comparison):
    """The text of `report.md`, in GitHub's dialect; it shows `report.png` and the other pictures beside it."""
    metric = comparison["settings"]["primary_metric"]
    parts = ["# Comparison of " + _escape(_listed(c["label"] for c in comparison["configurations"]))]
    parts += [_escape(line) for line in (verdict(comparison), *_on_runs(comparison)) if line]
    parts += ["![Curves and last values of every configuration](report.png)"]
    sections = {f"Ranking by the last {figures.metric_name(metric)}": tables.ranking_table(comparison),
                "Pairs": tables.pair_table(comparison, metric, "last"),
                "Size and time": tables.cost_table(comparison)}  # fmt: skip
    for title, table in sections.items():
        if table.rows:
            parts += [f"## {title}", _markdown_table(table)]
    if spectra.measured(comparison):
        picture = "![Power spectra of the configurations and of the real images](spectra.png)"
        parts += [f"## {spectra.TITLE}", picture, _escape(spectra.caption(comparison))]
    if evaluations.measured(comparison):
        picture = "![Precision-recall curves and FID by the number of samples](evaluations.png)"
        parts += [f"## {evaluations.TITLE}", picture, _escape(evaluations.caption(comparison))]
    problems = cautions(comparison)
    if problems:
        parts += ["## Problems", "\n".join(f"- {_escape(line)}" for line in problems)]
    parts += ["## What this does and does not show"]
    parts += ["\n".join(f"- {_escape(short)}" for short, _ in statement(comparison))]
    return "\n\n".join(parts) + "\n"
