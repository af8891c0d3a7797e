"""The page of a comparison: what it says, and that it needs nothing but itself."""

import base64
import copy
import re

import invented
import numpy as np
import pytest
from pages import Page, read, two
from PIL import Image

from tfgans.compare import figures, report, tables


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
    # finished, diverged, unfinished, failed, and of those that finished the suspicious ones
    assert by_label["wasserstein_gp"][-5:] == ["4", "1", "0", "0", "0"]
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


def test_who_has_no_value_is_last_and_has_no_rank(tmp_path):
    comparison = two([None, None], [10.0, 11.0])
    assert [row[:3] for row in tables.ranking_table(comparison).rows] == [
        ["1", "b", "10.50"],
        ["–", "a", "–"],
    ]
    assert report.lost_runs(comparison).startswith("Not every run finished: a: 2 diverged of 2.")
    assert report.lost_runs(two([1.0], [2.0])) == ""


def test_runs_that_finished_with_suspicious_values_are_counted_as_finished(tmp_path):
    comparison = two([1.0, 2.0], [3.0, 4.0])
    assert report.suspicious_runs(comparison) == ""
    (first, _) = comparison["configurations"]
    for run in first["runs"]:
        run["suspicious"] = "recall 0"
    first["suspicious"] = 2
    assert report.lost_runs(comparison) == ""
    line = report.suspicious_runs(comparison)
    assert line.startswith("Some runs finished with suspicious values") and "a: 2 of 2." in line
    page = read(comparison, tmp_path)
    assert line in page.text and line in report.markdown(tmp_path, comparison)
    ranking = tables.ranking_table(comparison)
    assert ranking.header[-5:] == ["finished", "diverged", "unfinished", "failed", "suspicious"]
    assert [row[-5:] for row in ranking.rows] == [["2", "0", "0", "0", "2"], ["2", "0", "0", "0", "0"]]
    assert [row[2] for row in ranking.rows] == ["1.500", "3.500"]  # their values count
    assert [row[-1] for row in tables.run_table(comparison).rows] == ["suspicious: recall 0"] * 2 + [""] * 2


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
