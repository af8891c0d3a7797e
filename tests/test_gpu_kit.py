"""The kit for GPU machines: what can be told without one."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "benchmarks"))

import gpu_check
import gpu_configurations
import gpu_table

from tfgans.compare import plan

ROOT = pathlib.Path(__file__).parent.parent


def test_every_case_is_an_experiment_of_its_own():
    cases = gpu_configurations.FAMILIES + gpu_configurations.REPLICAS + gpu_configurations.SPEED
    assert len({case["name"] for case in cases}) == len(cases)
    for case in cases:
        gin_files, _ = plan.parts(case["configuration"])
        assert gin_files and all((ROOT / file).exists() for file in gin_files)


def test_every_part_has_its_turn_and_its_limit():
    turns = [part for row in gpu_check.ORDER for part in row]
    assert sorted(turns) == sorted(gpu_check.PARTS) == sorted(gpu_check.LIMITS)


def test_the_page_shows_the_file():
    report = json.loads((ROOT / "docs" / "gpu" / "h200.json").read_text())
    page = (ROOT / "docs" / "gpu.md").read_text()
    rows = [line for line in gpu_table.table(report).splitlines() if line.startswith("| ")]
    of_cases = [
        row
        for row in rows
        if row.split(" | ")[0][2:] in {r["name"] for r in report["families"] + report["speed"]}
    ]
    assert len(of_cases) == len(report["families"]) + len(report["speed"])
    assert [row for row in of_cases if row not in page] == []


def test_a_share_is_that_of_its_own_precision():
    row = {
        "name": "a: TF32, XLA",
        "seconds_per_update": 0.5,
        "images_per_second": 64.0,
        "seconds_per_kimg": 15.625,
    }
    row |= {"tflops_per_second": 30.0, "peak_mib": 7, "seconds_to_first_update": 1.0}
    shown = gpu_table.speed_row(row, {"float32": 50.0, "tf32": 300.0})
    assert shown == ["a: TF32, XLA", "500.0", "64", "15.62", "30.00", "10.0%", 7, 1.0]


@pytest.mark.parametrize("late", [False, True])
def test_what_is_not_begun_or_goes_wrong_is_a_row(monkeypatch, late):
    class Case:
        def __init__(self, name):
            self.name = name

        def end(self):
            ended.append(self.name)

    ended = []
    monkeypatch.setattr(gpu_check, "Case", Case)
    until = 0 if late else float("inf")
    rows = gpu_check.each(
        [{"name": "a"}, {"name": "b"}], 1, until, lambda case: {"error": f"{case.name} failed"}
    )
    assert [row["name"] for row in rows] == ["a", "b"] and sorted(ended) == ([] if late else ["a", "b"])
    assert rows[1]["error"] == ("not begun within the limit" if late else "b failed")
