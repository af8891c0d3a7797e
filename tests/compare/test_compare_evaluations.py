"""Pictures of evaluations in a comparison: which are read, what is drawn of them, and how they are made."""

import copy
import json
import logging
import re

import invented
import numpy as np
import pytest
from left_by_runs import make_run
from matplotlib.figure import Figure
from pages import Page, read, two
from PIL import Image

from tfgans.compare import collect, embedded, evaluations, figures, processes, report, run

AT = 20  # the last step of `make_run`


def curves(limit=10.0, slope=100.0, recall=(1.0, 0.5, 0.25)):
    counts = [10, 50, 100]
    return {
        "precision_recall": {"precision": [0.1, 0.5, 0.9], "recall": list(recall)},
        "fid_by_samples": {"num_samples": counts, "fid": [limit + slope / n for n in counts],
                           "fid_infinity": limit, "fid_infinity_slope": slope},
    }  # fmt: skip


def leave(folder, step, found):
    """What `evaluate --pictures` leaves of a step."""
    place = folder / "evaluation" / f"step_{step:08d}"
    place.mkdir(parents=True)
    Image.new("RGB", (1120, 40)).save(place / "nearest.png")
    (place / "curves.json").write_text(found if isinstance(found, str) else json.dumps(found))


@pytest.fixture
def drawn(small, tmp_path):
    """Two configurations of three runs; the first has two runs with pictures, the second one, which lacks a map."""
    for name in ("near_0", "near_1", "map_0"):
        Image.new("RGB", (1120, 40)).save(tmp_path / f"{name}.png")
    first, second = (each["runs"] for each in small["configurations"])
    first[1]["drawn"] = {"nearest": "near_0.png", "map": "map_0.png", **curves(10.0, 100.0)}
    first[2]["drawn"] = {"nearest": "near_1.png", "map": None, **curves(14.0, 300.0, (0.8, 0.3, 0.05))}
    second[0]["drawn"] = {"nearest": "near_1.png", "map": None, **curves(30.0)}
    return small


def test_the_pictures_of_the_last_evaluation_are_read(tmp_path, caplog):
    folder = make_run(tmp_path / "a", 0, 0.9, [100.0, 20.0, 10.0])
    assert collect.read_run(folder, tmp_path)["drawn"] is None
    leave(folder, 10, curves())
    assert collect.read_run(folder, tmp_path)["drawn"] is None
    found = {"features": "x", **curves()}
    found["precision_recall"] |= {"f_8": 0.5, "f_1_8": 0.5}
    leave(folder, AT, found)
    place = "a/evaluation/step_00000020"
    assert collect.read_run(folder, tmp_path)["drawn"] == {
        "nearest": f"{place}/nearest.png", "map": None, **curves(),
    }  # fmt: skip
    (tmp_path / place / "curves.json").write_text('{"features": "x"}')
    few = dict.fromkeys(("map", "precision_recall", "fid_by_samples"))
    assert collect.read_run(folder, tmp_path)["drawn"] == {"nearest": f"{place}/nearest.png", **few}
    uneven = curves()
    uneven["precision_recall"]["recall"].pop()
    for damaged in (
        b"",
        b"\xff",
        b"[]",
        b'{"fid_by_samples": {}}',
        json.dumps(uneven).encode(),
        b"[" * 10**5,
    ):
        caplog.clear()
        (tmp_path / place / "curves.json").write_bytes(damaged)
        with caplog.at_level(logging.WARNING):
            assert collect.read_run(folder, tmp_path)["drawn"] == {"nearest": f"{place}/nearest.png", **few}
        assert "curves.json cannot be read as curves of an evaluation" in caplog.messages[0], damaged


def lines(draw, comparison):
    """`[(colour, style, x, y)]` of what is drawn."""
    axes = Figure().add_subplot()
    draw(axes, comparison)
    return [(line.get_color(), line.get_linestyle(), *line.get_data()) for line in axes.get_lines()]


def test_curves_are_each_run_and_the_mean(drawn):
    found = lines(evaluations._draw_precision_recall, drawn)
    blue, red = figures.COLOURS[:2]
    assert [line[0] for line in found[:-1]] == [blue, blue, blue, red]  # the last is the best corner
    np.testing.assert_allclose(found[2][2], [0.9, 0.4, 0.15])
    np.testing.assert_allclose(found[2][3], [0.1, 0.5, 0.9])
    np.testing.assert_allclose(found[3][2], [1.0, 0.5, 0.25])
    found = lines(evaluations._draw_fid_by_samples, drawn)
    mean = found[4]  # after dots and curve of each of two runs
    assert mean[0] == blue and (mean[2][0], mean[2][-1]) == (10.0, 100.0)
    np.testing.assert_allclose([mean[3][0], mean[3][-1]], [12.0 + 20.0, 12.0 + 2.0])
    limits = [(line[0], line[3][0]) for line in found if line[1] == "--"]
    assert limits == [(blue, 12.0), (red, 30.0)]
    drawn["configurations"][0]["runs"][1]["outcome"] = "diverged"
    found = lines(evaluations._draw_fid_by_samples, drawn)
    np.testing.assert_allclose(found[1][3][-1], 14.0 + 3.0)
    assert evaluations.shown(drawn["configurations"][0])["drawn"]["nearest"] == "near_1.png"


def test_curves_at_different_slopes_have_no_mean():
    found = [curves()["precision_recall"], {"precision": [0.5], "recall": [0.5]}]
    assert evaluations.mean_precision_recall(found) is None
    assert evaluations.mean_precision_recall([]) is None


def test_page_has_curves_and_pictures_and_says_what_lacks(drawn, tmp_path):
    before = read(two([10.0, 11.0, 12.0], [20.0, 21.0, 23.0]), tmp_path)
    report.write(tmp_path, drawn)
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert page.count["svg"] == before.count["svg"] + 2 and page.count["img"] == 3
    assert len(set(page.ids)) == len(page.ids) and {"evaluations"} == set(page.ids) & {"evaluations"}
    assert evaluations.caption(drawn) in page.text and "a: 2 of 3; b: 1 of 3." in page.text
    assert "nearest training images" in page.text and "map of features" in page.text
    svg = re.findall("<svg.*?</svg>", text.split('id="evaluations"')[1], re.DOTALL)[0]
    assert "currentColor" in svg and all(colour in svg for colour in figures.COLOURS[:2])
    rows = embedded.drawn(tmp_path, drawn)
    assert [(name, [bool(picture) for picture in pictures]) for name, pictures in rows] == [
        ("nearest training images", [True, True]), ("map of features", [True, False]),
    ]  # fmt: skip
    with Image.open(tmp_path / "evaluations.png") as image:
        assert image.size == (1500, 780)
    assert "](evaluations.png)" in (tmp_path / "report.md").read_text()


@pytest.mark.slow
def test_without_pictures_there_is_no_section_and_an_old_picture_goes(drawn, tmp_path):
    report.write(tmp_path, drawn)
    first = (tmp_path / "evaluations.png").read_bytes()
    report.write(tmp_path, copy.deepcopy(drawn))
    assert (tmp_path / "evaluations.png").read_bytes() == first
    for each in drawn["configurations"]:
        for one in each["runs"]:
            one["drawn"] = None
    report.write(tmp_path, drawn)
    assert not (tmp_path / "evaluations.png").exists()
    assert "evaluations" not in Page((tmp_path / "report.html").read_text()).ids
    assert "evaluations.png" not in (tmp_path / "report.md").read_text()


def test_one_kind_of_curve_alone(drawn, tmp_path):
    for each in drawn["configurations"]:
        for one in each["runs"]:
            if one["drawn"]:
                one["drawn"] |= {"precision_recall": None, "nearest": None, "map": None}
    comparison = invented.summarised(drawn["configurations"], drawn["metrics"])
    report.write(tmp_path, comparison)
    assert len(evaluations.svgs(comparison, "e")) == 1 and embedded.drawn(tmp_path, comparison) == []


class Trained:
    """A run as `compare` has trained it."""

    def __init__(self, folder, outcome=None):
        self.folder, self.name, self.outcome, self.refused = folder, folder.name, outcome, False


def test_finished_runs_without_pictures_are_drawn(tmp_path, monkeypatch):
    runs = [Trained(make_run(tmp_path / name, 0, 0.9, [100.0, 20.0, 10.0])) for name in ("a", "b", "c")]
    leave(runs[0].folder, AT, curves())
    runs.append(Trained(make_run(tmp_path / "d", 0, 0.9, [100.0]), "diverged"))
    asked = []

    class Evaluate:
        """`evaluate`, which cannot evaluate c."""

        def __init__(self, command, stderr, **_):
            asked.append(command[1:])
            self.folder = tmp_path / command[4].rpartition("/")[2]
            stderr.write(b"evaluating ... 3 s\ntfgans: no such checkpoint\n")

        def wait(self):
            if self.folder.name == "c":
                return 2
            leave(self.folder, AT, curves())
            return 0

    monkeypatch.setattr(processes.subprocess, "Popen", Evaluate)
    assert run._draw(runs, 1) == ["c: no pictures: no such checkpoint"]
    flags = [["-m", "tfgans", "evaluate", f"--model_dir={tmp_path / name}", "--pictures"] for name in "bc"]
    assert asked == flags
    assert (tmp_path / "b.pictures.log").read_text().startswith("evaluating")
    assert run._draw(runs[:2], 1) == [] and len(asked) == 2
