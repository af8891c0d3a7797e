"""The page of a comparison: what it says, that it needs nothing but itself, and how it looks in a browser."""

import base64
import copy
import html.parser
import re

import browser
import invented
import numpy as np
import pytest
from PIL import Image

from tfgans.compare import figures, report, tables

VOID = {"meta", "link", "img", "br", "hr", "input", "path", "use", "rect"}
REFERENCES = {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}


class Page(html.parser.HTMLParser):
    """Tables by the id of the heading above, ids, and references of a page whose tags must match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.references, self.styles = [], [], [], []
        self.tables, self.heading, self.count, self.text = {}, None, {}, ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_startendtag(self, tag, attributes):
        self._begin(tag, attributes)

    def handle_starttag(self, tag, attributes):
        self._begin(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def _begin(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        attributes = dict(attributes)
        self.references += [attributes[name] for name in REFERENCES & attributes.keys()]
        self.styles.append(attributes.get("style", "") + attributes.get("clip-path", ""))
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag in ("h2", "h3"):
            self.heading = attributes.get("id", "")
        if tag == "table":
            self.tables.setdefault(self.heading, []).append([])
        if tag == "tr":
            self.tables[self.heading][-1].append([])
        if tag in ("td", "th"):
            self.tables[self.heading][-1][-1].append("")

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "style" in self.open:
            self.styles.append(data)
        elif "td" in self.open or "th" in self.open:
            row = self.tables[self.heading][-1][-1]
            row[-1] = (row[-1] + data).strip()


def read(comparison, folder):
    return Page(report.page(folder, comparison))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """`(folder, comparison)` of three losses x five seeds, written."""
    folder = tmp_path_factory.mktemp("three")
    comparison = invented.three_losses(folder)
    report.write(folder, comparison)
    return folder, comparison


@pytest.fixture
def small():
    """Two configurations x three seeds whose last FIDs are 10, 11, 12 and 20, 21, 23."""
    return two([10.0, 11.0, 12.0], [20.0, 21.0, 23.0])


def simple_run(seed, points, seconds_a_step=0.1, outcome="finished"):
    """A run that has only a FID: `points` is {step: value}."""
    evaluations = [
        {"step": step, "train_seconds": step * seconds_a_step, "metrics": {"fid": value}}
        for step, value in points.items()
    ]
    return {"seed": seed, "folder": f"seed_{seed}", "outcome": outcome, "message": None, "step": max(points),
            "train_seconds": 1.0, "compile_seconds": None, "eval_seconds": None, "evaluations": evaluations,
            "curves": {}, "samples": None}  # fmt: skip


def two(first, second, third=None, labels=("a", "b", "c"), **settings):
    """Configurations with these last FIDs, a run each; None is a run that diverged."""
    configurations = []
    for label, values in zip(labels, (first, second, third), strict=True):
        runs = [
            simple_run(i, {0: 100.0, 1000: v}, outcome="diverged" if v is None else "finished")
            for i, v in enumerate(values or ())
        ]
        configurations += [invented.configuration(label, runs)] if values else []
    return invented.summarised(configurations, {"fid": {"higher_is_better": False}}, **settings)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (8.0, "8"), (4276739, "4,276,739"), (12.9, "12.90"), (800.123, "800.1"),
     (999.96, "1,000"), (1234.5, "1,234"), (-0.012345, "-0.01235"), (0.00001234, "1.234e-05"),
     (1e20, "1.000e+20"), (0.5, "0.5000")],
)  # fmt: skip
def test_numbers_have_four_digits_and_thousands_are_separated(value, text):
    assert tables.number(value) == text


def test_verdict_names_who_is_better(small):
    assert report.verdict(small) == (
        "By FID after 1,000 generator updates (lower is better), a is better than b "
        "(the 95 % interval of the difference excludes 0)."
    )


def test_verdict_turns_round_where_higher_is_better(small):
    better = invented.summarised(small["configurations"], {"fid": {"higher_is_better": True}})
    assert "(higher is better), b is better than a (" in report.verdict(better)


def test_verdict_when_nothing_is_separated():
    same = two([10.0, 12.0, 14.0], [11.0, 12.0, 14.0], steps=None, seconds=60.0)
    assert report.verdict(same) == (
        "By FID after 60 seconds of training (lower is better), the runs do not separate the configurations: "
        "the 95 % interval of every difference includes 0."
    )


@pytest.mark.parametrize("second", [[20.0], [None, None], None])
def test_verdict_when_there_is_no_interval(second):
    assert "nothing can be said: an interval needs two" in report.verdict(two([10.0, 11.0], second))


def test_verdict_groups_the_better_and_names_the_others():
    three = two([10.0, 11.0, 12.0], [20.0, 21.0, 23.0], [10.5, 11.0, 12.0])
    assert report.verdict(three) == (
        "By FID after 1,000 generator updates (lower is better), a and c are better than b "
        "(the 95 % interval of the difference excludes 0); the runs do not separate a and c."
    )


def test_verdict_does_not_call_a_pair_without_values_undecided():
    assert report.verdict(two([10.0, 11.0, 12.0], [20.0, 21.0, 23.0], [None, 9.0])).endswith(
        "excludes 0); 2 pairs have too few values to compare."
    )


def test_verdict_without_the_primary_metric(small):
    assert report.verdict(small | {"metrics": {}}).startswith("No run has a value of FID")


def test_band_by_step_is_the_t_interval_over_the_seeds_that_have_the_step():
    runs = [
        simple_run(0, {0: 9.0, 100: 1.0, 150: 7.0}),
        simple_run(1, {0: 9.0, 100: 2.0, 200: None}),
        simple_run(2, {0: None, 100: 3.0}),
    ]
    band = figures.band_by_step(runs, "fid")
    np.testing.assert_array_equal(band.x, [0, 100])  # 150 has one seed, 200 none
    np.testing.assert_allclose(band.centre, [9.0, 2.0])
    half = 4.302652729911275 / np.sqrt(3)  # t(0.975, 2) and a standard deviation of 1
    np.testing.assert_allclose(band.low, [9.0, 2.0 - half])
    np.testing.assert_allclose(band.high, [9.0, 2.0 + half])


def test_band_of_one_run_has_no_interval():
    band = figures.band_by_step([simple_run(0, {0: 5.0, 10: 4.0})], "fid")
    np.testing.assert_array_equal(band.centre, [5.0, 4.0])
    assert np.isnan(band.low).all() and np.isnan(band.high).all()


def test_band_by_seconds_interpolates_within_what_all_runs_cover():
    runs = [
        simple_run(0, {0: 10.0, 100: 0.0}, seconds_a_step=0.1),  # 10 - t
        simple_run(1, {0: 12.0, 100: 2.0}, seconds_a_step=0.05),  # 12 - 2 t, to 5 seconds
        simple_run(2, {0: 500.0, 10: 900.0}, outcome="diverged"),
    ]
    band = figures.band_by_seconds(runs, "fid")
    assert (band.x[0], band.x[-1], len(band.x)) == (0.0, 5.0, figures.GRID_POINTS)
    np.testing.assert_allclose(band.centre, 11.0 - 1.5 * band.x)
    half = 12.706204736174698 * np.abs(2.0 - band.x) / 2  # t(0.975, 1) |difference| / 2
    np.testing.assert_allclose(band.high - band.centre, half, atol=1e-12)
    np.testing.assert_allclose(band.centre - band.low, half, atol=1e-12)


def test_median_line_and_a_curve_with_a_gap():
    runs = [{"curves": {"d": [[50, 1.0], [100, 5.0]]}}, {"curves": {"d": [[50, 2.0], [100, None]]}},
            {"curves": {"d": [[50, 9.0], [100, 7.0]]}}, {"curves": {}}]  # fmt: skip
    band = figures.median_by_step(runs, "d")
    np.testing.assert_array_equal(band.x, [50, 100])
    np.testing.assert_array_equal(band.centre, [2.0, 6.0])
    np.testing.assert_array_equal(figures.curve_points(runs[1], "d")[1], [2.0, np.nan])


def luminance(colour):
    part = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in part]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lines_are_seen_on_light_and_on_dark(written):
    pages = re.findall(r"--page: (#\w{6})", (written[0] / "report.html").read_text())
    assert len(pages) == 2
    for line in figures.COLOURS:
        for ground in pages:
            low, high = sorted((luminance(line), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 3.0, (line, ground)


def test_no_two_configurations_look_the_same():
    looks = {(figures.colour(i), figures.marker(i)) for i in range(20)}
    assert len(looks) == 20 and len({figures.marker(i) for i in range(8)}) == 8


def test_long_labels_keep_both_ends():
    assert figures.short("abc  def\nghi", 11) == "abc def ghi"
    assert figures.short("abcdefghijkl", 11) == "abcde…hijkl"
    assert figures.short("abcdefghijkl", 10) == "abcd…hijkl"
    verdict = report.verdict(two([1.0, 1.1], [3.0, 3.1], labels=("x" * 50 + "1", "y", "z")))
    assert f"{'x' * 19}…{'x' * 19}1 is better than y" in verdict


def test_page_holds_the_numbers(written):
    folder, comparison = written
    page = Page((folder / "report.html").read_text())
    ranked = page.tables["ranking"][0]
    by_label = {row[1]: row for row in ranked[1:]}
    means = []
    for configuration in comparison["configurations"]:
        last = configuration["summary"]["fid"]["last"]
        row = by_label[configuration["label"]]
        low, high = last["t_interval"]
        assert row[2:4] == [f"{last['mean']:.2f}", f"[{low:.2f}, {high:.2f}]"]
        assert row[7] == str(last["count"])
        means.append(last["mean"])
    assert [row[0] for row in ranked[1:]] == ["1", "2", "3"]
    assert [float(row[2]) for row in ranked[1:]] == sorted(round(mean, 2) for mean in means)
    assert by_label["wasserstein_gp"][-4:] == ["4", "0", "1", "0"]  # finished, collapsed, diverged, failed
    assert page.tables["costs"][0][1][1:6] == ["4,276,739", "1,053,824", "123,456,789", "98,765,432", "45.25"]
    assert ["GradientPenaltyGAN.weight", "–", "–", "10.0"] in page.tables["differences"][0]
    assert len(page.tables["runs"][0]) == 1 + 15
    assert "the loss was not finite at step 612" in [row[-1] for row in page.tables["runs"][0]]
    assert report.verdict(comparison) in page.text
    assert all(lead in page.text for lead, _ in report.statement(comparison))


def test_page_has_every_figure_and_picture(written):
    folder, comparison = written
    page = Page((folder / "report.html").read_text())
    assert page.count["svg"] == 1 + 2 * 4 + 4  # last values; metrics against two things; curves
    first = (folder / "hinge_0.png").read_bytes()
    assert "data:image/png;base64," + base64.b64encode(first).decode() in page.references
    assert page.count["img"] == 15
    assert len(set(page.ids)) == len(page.ids) > 20
    assert {r[1:] for r in page.references if r.startswith("#")} <= set(page.ids)


def test_pairs_are_in_the_page(small, tmp_path):
    row = read(small, tmp_path).tables[""][0][1]
    assert row[:4] == ["a", "b", "a", "-10.33"]  # 11 - 64 / 3
    assert row[6:] == ["0.1000", "0.1000", "1"]  # 2 of 20 splits


def test_page_needs_nothing_from_outside(written):
    text = (written[0] / "report.html").read_text()
    page = Page(text)
    assert page.references and all(r.startswith(("#", "data:image/")) for r in page.references)
    urls = [url for style in page.styles for url in re.findall(r"url\((.*?)\)", style)]
    assert urls and all(url.startswith(("#", "data:image/")) for url in urls)
    assert "@import" not in text and "script" not in page.count and "link" not in page.count


def test_the_same_comparison_gives_the_same_files(written, tmp_path):
    folder, comparison = written
    for name in ("report.html", "report.png", "report.md"):
        (tmp_path / name).write_text("old")
    for picture in folder.glob("*_?.png"):
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
    report.write(tmp_path, copy.deepcopy(comparison))
    for name in ("report.html", "report.png", "report.md"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    assert not list(tmp_path.glob(".*"))


def test_labels_are_text_wherever_they_come(tmp_path):
    label = '<b>"a"</b> & $x^2$ | `c` #010203'
    comparison = two([1.0, 2.0], [3.0, 4.0], labels=(label, "_hidden", "c"))
    comparison["problems"] = ["<script>alert(1)</script>"]
    report.write(tmp_path, comparison)
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert [row[1] for row in page.tables["ranking"][0][1:]] == [label, "_hidden"]
    assert "script" not in page.count and "b" not in page.count and "<script>alert(1)</script>" in page.text
    assert (
        figures.short(label) in page.text and "_hidden" in page.text
    )  # in the figure: $ and # as they stand
    row = next(line for line in (tmp_path / "report.md").read_text().splitlines() if line.startswith("| 1 |"))
    assert row.startswith(r'| 1 | &lt;b&gt;"a"&lt;/b&gt; &amp; $x^2$ \| \`c\` \#010203 | 1.500 |')


def test_markdown_is_tables_of_equal_rows(written):
    text = (written[0] / "report.md").read_text()
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 3
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block}) == 1
    assert "![Curves" in text and "4,276,739" in text and "- wasserstein\\_gp, seed 3: diverged" in text
    assert report.verdict(written[1]).replace("_", "\\_") in text


def test_picture_is_wide_and_white(written):
    with Image.open(written[0] / "report.png") as image:
        assert image.width == 1500 and 900 <= image.height <= 1200
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels[-1, -1] == 255).all() and (pixels == 255).all(axis=-1).mean() > 0.7
    for line in figures.COLOURS[:3]:
        wanted = [int(line[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == wanted).all(axis=-1).sum() > 500


def test_samples_stand_in_the_row_of_their_seed(tmp_path, small):
    for i, run in enumerate(small["configurations"][0]["runs"]):
        run["seed"], run["samples"] = (7, 7, None)[i], f"{i}.png"
        Image.new("L", (20 + 300 * i, 20)).save(tmp_path / f"{i}.png")
    run = small["configurations"][1]["runs"][0]
    run["seed"], run["samples"] = 7, str(tmp_path / "1.png")  # not only paths within the folder
    small["configurations"][1]["runs"][1]["samples"] = "not_there.png"
    rows, left_out = report.samples(tmp_path, small)
    widths = [(seed, [picture and picture["width"] for picture in pictures]) for seed, pictures in rows]
    assert widths == [(7, [240, 320]), (7, [320, None]), (None, [540, None])] and left_out == 0
    assert [rows[0][1][0]["sharp"], rows[2][1][0]["sharp"]] == [True, False]


def test_too_many_samples_are_counted(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    comparison = two(list(range(1, 24)), list(range(1, 24)))
    for configuration in comparison["configurations"]:
        for run in configuration["runs"]:
            run["samples"] = "a.png"
    page = read(comparison, tmp_path)
    assert page.count["img"] == 40 and "3 more seeds are left out" in page.text


def eight_configurations():
    random = np.random.default_rng(1)
    return invented.summarised(
        [
            invented.configuration(
                f"{'a long label ' * 8}{i}", [invented.run("x", s, random, 1 + i / 4) for s in range(3)]
            )
            for i in range(8)
        ]
    )


def nothing_measured():
    comparison = two([None, None], [None])
    for configuration in comparison["configurations"]:
        configuration.update(parameters=None, macs=None, milliseconds_per_step=None, operative="")
        for run in configuration["runs"]:
            run.update(step=None, train_seconds=None, evaluations=[], seed=None)
    comparison.update(features=[], num_samples=[])
    comparison["machine"]["memory_gb"] = None
    return comparison


def a_metric_only_one_has():
    comparison = two([10.0, 11.0], [20.0, 21.0])
    for run in comparison["configurations"][0]["runs"]:
        run["evaluations"][-1]["metrics"]["modes_covered"] = 8
    metrics = {"fid": {"higher_is_better": False}, "modes_covered": {"higher_is_better": True}}
    return invented.summarised(comparison["configurations"], metrics)


def points_that_differ():
    runs = [simple_run(i, {0: 90.0, 100 + i: 50.0, 900 - i: 10.0 + i}) for i in range(3)]
    late = simple_run(3, {950: 9.0})  # by then the others are over
    late["train_seconds"] = late["evaluations"][0]["train_seconds"] = 1e6
    return invented.summarised(
        [invented.configuration("a", runs), invented.configuration("b", [*runs, late])],
        {"fid": {"higher_is_better": False}},
    )


def seconds_not_known():
    comparison = two([10.0, 11.0], [20.0, 21.0])
    for configuration in comparison["configurations"]:
        for run in configuration["runs"]:
            run["curves"] = {"d": [[1, -1e9], [2, 3.0], [3, None], [4, -2.0]]}
            for evaluation in run["evaluations"]:
                evaluation["train_seconds"] = None
    return comparison


ODD = {
    "eight configurations": (eight_configurations, 1 + 8 + 4, 8),
    "twenty seeds": (lambda: two(list(np.arange(20.0)), list(np.arange(5.0, 25.0))), 3, 2),
    "one seed": (lambda: two([10.0], [20.0]), 3, 2),
    "one configuration": (lambda: two([10.0, 11.0], None), 3, 1),
    "all of one diverged": (lambda: two([10.0, 11.0], [None, None]), 3, 2),
    "no spread": (lambda: two([10.0, 10.0], [10.0, 10.0]), 3, 2),
    "points that differ": (points_that_differ, 3, 2),
    "nothing measured": (nothing_measured, 0, 2),
    "a metric only one has": (a_metric_only_one_has, 5, 2),
    "seconds not known": (seconds_not_known, 3, 2),
    "nothing": (lambda: invented.summarised([], {}), 0, 0),
}


@pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")
@pytest.mark.parametrize("name", ODD)
def test_odd_comparisons_are_written_too(name, tmp_path):
    make, svgs, ranked = ODD[name]
    report.write(tmp_path, make())
    page = Page((tmp_path / "report.html").read_text())
    assert page.count.get("svg", 0) == svgs
    assert len(page.tables["ranking"][0]) == 1 + ranked
    assert "None" not in page.text and "nan" not in page.text
    assert (tmp_path / "report.md").read_text().startswith("# Comparison of")
    assert Image.open(tmp_path / "report.png").width == 1500


def test_who_has_no_value_is_last_and_has_no_rank(tmp_path):
    comparison = two([None, None], [10.0, 11.0])
    assert [row[:3] for row in tables.ranking_table(comparison).rows] == [
        ["1", "b", "10.50"],
        ["–", "a", "–"],
    ]
    assert report.lost_runs(comparison).startswith("Not every run finished: a: 2 diverged of 2.")
    assert report.lost_runs(two([1.0], [2.0])) == ""


def test_evaluations_that_differ_are_pointed_out(small):
    lines = report.cautions(small | {"num_samples": [359, 1000], "problems": ["p"]})
    assert lines == [
        "Evaluations differ in their number of samples: 359 and 1000. Do not compare their scores.",
        "p",
    ]


def test_statement_says_what_p_can_reach(small):
    leads = [lead for lead, _ in report.statement(small)]
    assert "p values here cannot be below 0.1000, whatever the difference. No pair can reach 0.05." in leads
    assert "The numbers of runs behind the means: 3 (a) and 3 (b)." in leads
    assert "Nothing is corrected for the 2 comparisons on this page." in leads


@pytest.mark.parametrize(("width", "dark"), [(400, False), (1400, True)])
def test_page_in_a_browser(written, tmp_path, width, dark):
    found, console = browser.measure(written[0] / "report.html", width, tmp_path, dark)
    assert console == []
    assert found["window"] == found["page"] == width and found["outside"] == []
    assert found["rows"] == 3 and found["tables"] >= 6
    assert len(found["figures"]) == 13
    least = 360 if width == 400 else 500
    assert all(least <= wide <= width and high > 120 for wide, high in found["figures"])
    assert len(found["pictures"]) == 15
    assert all(
        complete and natural == 384 and 120 <= wide <= 400 for complete, natural, wide in found["pictures"]
    )
    light = ("rgb(28, 31, 36)", "rgb(255, 255, 255)")
    assert (found["ink"], found["background"]) == (
        ("rgb(228, 231, 235)", "rgb(21, 24, 28)") if dark else light
    )


def test_long_labels_stay_within_the_window(tmp_path):
    comparison = two([1.0, 2.0], [3.0, 4.0], labels=("x" * 300, "many words " * 30, ""))
    comparison["problems"] = ["y" * 500]
    report.write(tmp_path, comparison)
    found, console = browser.measure(tmp_path / "report.html", 400, tmp_path)
    assert console == [] and found["page"] == 400 and found["outside"] == []


def test_a_broken_page_would_be_seen(tmp_path):
    (tmp_path / "a.html").write_text('<body><div style="width: 600px">x</div><script>nothing()</script>')
    found, console = browser.measure(tmp_path / "a.html", 400, tmp_path)
    assert found["page"] >= 600 and len(found["outside"]) == 1
    assert len(console) == 1 and "nothing is not defined" in console[0]
