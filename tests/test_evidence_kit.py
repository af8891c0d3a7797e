"""The kit of trials: its parts can be parsed, its measures and tables are right."""

import argparse
import json
import math
import pathlib
import shutil
import signal
import sys
import time
from types import SimpleNamespace

import gin
import numpy as np
import PIL.Image
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "benchmarks"))

import evidence
import evidence_page
import evidence_report
import evidence_run
import evidence_table
import short_runs
from evidence_parts import PARTS
from evidence_report import rounded
from evidence_trial import Clock, EvidenceRun, SearchRun, Trial

from tfgans import config, files, pictures
from tfgans.compare import plan
from tfgans.evaluate.metrics import HIGHER_IS_BETTER
from tfgans.run import build

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def trial(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    options = argparse.Namespace(
        output=tmp_path, data="D", classifiers="C", seeds=None, gin_param=[], updates=None, processes=2
    )
    return lambda name, left=None: Trial(name, PARTS[name], options, Clock(left, time.monotonic()))


@pytest.mark.parametrize("name", PARTS)
def test_every_arm_is_a_configuration_of_its_own(trial, name, tmp_path):
    part, made, seen = PARTS[name], trial(name), set()
    made.searches = {each: [argparse.Namespace(folder=tmp_path / each)] for each in part.searches}
    assert {*part.found.values()} <= {*part.searches, "drawn"}
    for each in part.searches:
        build.prepare(*plan.parts(made.search_flags(each)))
        assert gin.query_parameter("train.steps") > 1
    assert set(part.times) <= set(part.arms) and part.equal in ("updates", "seconds")
    for arm in part.arms:
        for rate in part.rates or {None: ()}:
            files, params = plan.parts(
                made.flags(arm, 60 * part.times.get(arm, 1), rate, ["train.steps = 60"])
            )
            build.prepare(files, params)
            seen.add((*files, *params))
            assert config.is_bound("Evaluator", "features") and "{" not in gin.config_str()
    assert len(seen) == len(part.arms) * max(1, len(part.rates))


def test_flags_know_the_length_of_the_run(trial):
    text = trial("regan").flags("tickets, 2 rounds", 9000)
    assert "TicketGAN.round_length = 3000" in text and "{" not in text
    assert "ReGAN.length_unit = 300" in trial("regan").flags("Re-SNGAN", 3000)
    assert "updates = 700" in trial("octave").flags("RAMP", 700)


def test_arms_of_more_updates_go_last(trial):
    order = trial("regan").counted()
    whole = len(order) * 5 // 6  # of six arms
    assert all(arm == "tickets, 2 rounds" for arm, _ in order[whole:])
    assert "tickets, 2 rounds" not in [arm for arm, _ in order[:whole]]
    assert [seed for _, seed in order[:whole]] == sorted(seed for _, seed in order[:whole])


def test_ten_are_drawn_however_many_are_searched(trial):
    made = trial("alphagan")
    assert (made.seeds_of("drawn"), made.seeds_of("AlphaGAN")) == (10, 5)
    made.seeds = 2
    assert (made.seeds_of("drawn"), made.seeds_of("AlphaGAN")) == (10, 2)


def test_an_architecture_is_no_file_that_runs_write(trial):
    """An arm of drawn ones may be called so: how its runs ended lies in its own folder."""
    made = trial("alphagan")
    run = EvidenceRun(made.folder, argparse.Namespace(label="drawn"), 3)
    assert made.genotype("drawn", 3) not in (run.stamp, run.log)


def test_what_fits_is_known_from_the_probe(trial):
    """12 runs by 2 processes are 6 waves of 0.92 * 1000 / 6 s = 153 s, less 3 + 6 * 2, at 0.012 an update."""
    made = trial("octave", left=1000.0)
    probed = {"seconds_per_update": 0.01, "eval_seconds": 2.0, "other_seconds": 3.0}
    assert made._fitting(probed) == 11_000
    assert made._fitting(probed | {"seconds_per_update": 1.0}) == 1000
    assert made._fitting(probed | {"seconds_per_update": 1e-6, "eval_seconds": 0.0}) == 20_000


def test_variety_by_hand():
    """Three images of one pixel, 0, 51 and 255 of 255: squared distances 0.04, 1, 0.64; nearest 0.2, 0.2, 0.8."""
    images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    mean, nearest = evidence_run.spread(images)
    assert mean == pytest.approx((0.04 + 1 + 0.64) / 3, abs=1e-6) and nearest == pytest.approx(0.2, abs=1e-6)
    halves = np.array([0, 25, 127], np.uint8).reshape(3, 1, 1, 1)
    found = evidence_run.variety(images, halves)
    assert found["pixel_nearest"] == pytest.approx(25 / 51, abs=1e-6)
    assert found["pixel_variety"] == pytest.approx(
        (25**2 + 127**2 + 102**2) / (51**2 + 255**2 + 204**2), abs=1e-6
    )
    assert evidence_run.variety(images, np.zeros_like(images)) == {"pixel_variety": 0.0, "pixel_nearest": 0.0}


def run(seed, values, outcome="finished", **more):
    rows = [
        {"step": 100 * n, "fid": value, "validation_fid": -value, "pixel_variety": 1.0} | more
        for n, value in enumerate(values)
    ]
    return {"seed": seed, "outcome": outcome, "evaluations": rows}


def test_a_run_measures_more_and_is_the_same_run(tmp_path, eagerly, monkeypatch):
    for name in ("VALIDATION_SAMPLES", "SLOPE_SAMPLES"):
        monkeypatch.setattr(evidence_run, name, 64)
    monkeypatch.chdir(ROOT)
    gin_file, more = tmp_path / "run.gin", ["train.steps = 4", "train.duality_gap = @DualityGap()"]
    more += ["DualityGap.steps = 1", "DualityGap.num_samples = 64"]
    gin_file.write_text(short_runs.CONFIG)
    given = {"gin_file": [str(gin_file)], "gin_param": more, "seed": 0, "model_dir": str(tmp_path / "more")}
    monkeypatch.setattr(evidence_run, "FLAGS", argparse.Namespace(**given, advas_r=True))
    evidence_run.train()
    short_runs.run(gin_file, tmp_path / "plain", *more)
    ours, plain = (files.JsonLines(tmp_path / name / "metrics.jsonl").read() for name in ("more", "plain"))
    assert [row["step"] for row in ours] == [0, 4]
    for row, other in zip(ours, plain, strict=True):
        same = set(other) - {name for name in other if name.endswith("_seconds")}
        assert {name: row[name] for name in same} == {name: other[name] for name in same}
        added = {name: row[name] for name in set(row) - set(other)}
        assert set(added) == {"validation_fid", "pixel_variety", "pixel_nearest", "advas_r"}
        assert all(value > 0 for value in added.values())


@pytest.fixture
def report():
    return {
        "part": "p",
        "metric": "fid",
        "updates": {"a": 300, "b": 300, "c": 900},
        "arms": {
            "a": {"runs": [run(0, [9, 5, 4, 3]), run(1, [9, 6, 5, 1])]},
            "b": {"runs": [run(0, [9, 8, 7], "unfinished"), run(1, [9, 2], "diverged")]},
            "c": {"runs": [run(0, [9, 8, 7, 6, 5], pixel_variety=0.1)]},
        },
    }


def test_arms_of_one_length_are_compared_after_as_many_updates(report):
    assert [evidence_table.common_step(report, arm) for arm in "abc"] == [200, 200, 400]
    assert evidence_table.values(report, "a", "fid") == [4, 5]
    assert evidence_table.values(report, "b", "fid") == [7, None]
    best = evidence_table.values(report, "a", "fid", "best")
    assert best == [5, 6]  # the lowest validation FID is of step 100


def test_runs_that_have_not_begun_hold_nothing_up(report):
    """A trial that its time ended early is looked at where its runs are, and what has no images has not collapsed."""
    report["arms"]["b"]["runs"][0] = run(0, [9], "unfinished", pixel_variety=0.0)
    report["arms"]["c"]["runs"][0] = run(0, [9], "unfinished", pixel_variety=0.0)
    assert [evidence_table.common_step(report, arm) for arm in "abc"] == [300, 300, None]
    assert evidence_table.counts(report, "b") == "2 runs, 0 collapsed, 1 diverged, 1 unfinished"
    assert evidence_table.counts(report, "c") == "1 runs, 0 collapsed, 1 unfinished"


@pytest.mark.parametrize("classes", [None, 10])
@pytest.mark.parametrize("side", [8, 32])
def test_two_whole_rows_of_each_arm_are_shown(side, classes, tmp_path, monkeypatch):
    """Whether the grid is square or of a class a column, and small images are enlarged."""
    images = np.arange(60, dtype=np.uint8)[:, None, None, None] * np.ones((1, side, side, 1), np.uint8)
    (tmp_path / "samples").mkdir()
    shown = pictures.grid(images, classes)
    PIL.Image.fromarray(shown[..., 0]).save(tmp_path / "samples" / "step_00000003.png")
    np.savez(tmp_path / "fixed_samples.npz", **{"3": images[:2].astype(np.float32)})
    monkeypatch.setattr(evidence_report, "common_step", lambda told, arm: 3)
    trial = argparse.Namespace(runs={"a": [argparse.Namespace(folder=tmp_path)], "b": []})
    evidence_report.draw_samples(trial, None, tmp_path / "a.png")
    found = np.asarray(PIL.Image.open(tmp_path / "a.png"))[16:, :, 0]
    columns = classes or 8
    assert set(np.unique(found)) == {*range(2 * columns), 255}
    last = np.argwhere(found == 2 * columns - 1)[:, 0]
    assert len(set(last)) == len(set(np.argwhere(found == 0)[:, 0]))  # as high as the first


def test_the_page_is_what_its_files_say(tmp_path, monkeypatch):
    """That in the repository is made anew; samples are shown where they lie."""
    for path in (ROOT / "docs" / "evidence").iterdir():
        if path.suffix == ".json" or path.name.endswith("_samples.png"):
            shutil.copy(path, tmp_path)
    for module in (evidence_page, evidence_page.evidence_overview):
        monkeypatch.setattr(module, "draw", lambda report, path: None)
    arguments = ["evidence_page.py", f"--folder={tmp_path}", f"--page={tmp_path / 'page.md'}"]
    monkeypatch.setattr(sys, "argv", arguments)
    evidence_page.main()
    made = (tmp_path / "page.md").read_text()
    assert made == (ROOT / "docs" / "evidence.md").read_text()
    shown = {path.name for path in tmp_path.glob("*_samples.png")}
    assert shown and {name for name in shown if f"(evidence/{name})" in made} == shown


def test_a_verdict_is_one_sentence():
    verdicts = json.loads((ROOT / "docs" / "evidence" / "verdicts.json").read_text())
    for told in verdicts.values():
        assert told["verdict"].endswith(".") and ". " not in told["verdict"]


def test_what_is_seen_at_a_glance(report):
    """A dot for each run that has a value, hollow where it has collapsed; a row of the table for each trial."""
    dots, label = evidence_page.evidence_overview.dots, evidence_page.evidence_overview.label
    assert [len(dots(report, arm)) for arm in report["arms"]] == [2, 1, 1]
    assert dots(report, "b") == [(7, False)] and dots(report, "c")[0][1] is True
    assert [label(report, arm) for arm in "abc"] == ["a", "b (1 of 2)", "c"]
    table = evidence_page.evidence_overview.overview([report | {"claim": "It is."}], {report["part"]: "No."})
    assert table.splitlines()[2:] == [f"| [{report['part']}](#{report['part']}) | It is. | No. |"]


def test_every_run_is_counted(report):
    assert evidence_table.counts(report, "b") == "2 runs, 0 collapsed, 1 diverged, 1 unfinished"
    assert evidence_table.counts(report, "c") == "1 runs, 1 collapsed"
    text = evidence_table.table(report)
    assert "| b | 200 | 7 | – | 7, – | – |" in text


GENOTYPE = {
    "normal": [["conv_1x1"] * 3] * 3,
    "up": [["deconv", "nearest"], ["deconv", "deconv"], ["bilinear", "nearest"]],
    "skip_2": ["nearest"],
    "skip_3": ["deconv", "bilinear"],
}


def test_ranks_are_among_the_architectures_drawn(report):
    del report["arms"]["c"]
    report["arms"] = {"drawn" if arm == "a" else "found": about for arm, about in report["arms"].items()}
    report["updates"] = {"drawn": 300, "found": 300}
    report["found"] = {
        "drawn": [{"last": GENOTYPE, "first": None}],
        "found": [{"last": GENOTYPE, "first": GENOTYPE}, {"last": None, "first": None}],
    }
    assert evidence_table.architecture_table(report).splitlines()[2:] == [
        "| drawn |  | 4 | – |",
        "| found | 3, – of 3 | 4, – | 4, – |",  # 7 is worse than the drawn ones' 4 and 5
    ]
    report["arms"] = {"found": report["arms"]["found"]}
    assert evidence_table.architecture_table(report).splitlines()[3] == "| found | 4, – | 4, – |"


def test_the_least_that_counts_as_varied():
    assert evidence_table.collapsed({"pixel_variety": 0.29, "pixel_nearest": 0.9}) is True
    assert evidence_table.collapsed({"pixel_variety": 0.31, "pixel_nearest": 0.9}) is False
    assert evidence_table.collapsed(None) is None
    assert {"pixel_variety", "pixel_nearest"} == evidence_table.HIGHER - HIGHER_IS_BETTER


def test_digits_that_are_kept():
    assert rounded(1234567.0) == 1234600.0 and rounded(math.inf) == math.inf and rounded(7) == 7


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--part=octave,none"], "parts are octave"),
        (["--part=octave", "--updates=auto"], "needs --seconds"),
        (["--part=octave", "--updates=0"], "above 0"),
    ],
)
def test_what_cannot_be_is_refused(flags, said, capsys):
    with pytest.raises(SystemExit):
        evidence.parse([*flags, "--output=O", "--data=D", "--classifiers=C"])
    assert said in capsys.readouterr().err


def test_the_clock_ends_runs():
    class Endless:
        processes = {}

    got, clock = [], Clock(1.0, time.monotonic())
    previous = signal.signal(signal.SIGTERM, lambda number, _: got.append(number))
    try:
        clock.watch(Endless())
        until = time.monotonic() + 10
        while not got and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        clock.rest()
        signal.signal(signal.SIGTERM, previous)
    assert got == [signal.SIGTERM] and clock.left() <= 0


def test_a_search_whose_genotype_is_gone_is_not_done(tmp_path):
    configuration = SimpleNamespace(label="search a", digest=lambda: "abc", contents={})
    one = SearchRun(tmp_path, configuration, 0)
    (one.folder / "export").mkdir(parents=True)
    (one.folder / "metrics.jsonl").write_text('{"step": 2, "fid": 1.0}\n')
    one.log.write_text("")
    one.ended(0)
    assert not one.is_done()
    (one.folder / "genotype.json").write_text("{}")
    assert one.is_done()
