"""Comparisons with much, little or nothing in them are written too."""

import invented
import numpy as np
import pytest
from pages import Page, simple_run, two
from PIL import Image

from tfgans.compare import report


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
