"""The kit for GPU machines: what can be told without one."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "benchmarks"))

import gpu_check
import gpu_configurations
import gpu_processes
import gpu_profile
import gpu_table
import gpu_tests
import op_profile

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
    assert shown == ["a: TF32, XLA", "500.0", "64", "15.62", "30.00", "10.0%", "", "", 7, 1.0]
    shown = gpu_table.speed_row(row | {"work": {"gpu_ms": 125.0, "kernels": 9}}, {})
    assert shown[5:] == ["", "25%", 9, 7, 1.0]


def test_what_a_gpu_did_is_summed_over_its_streams():
    space = op_profile.xplane_pb2.XSpace()
    plane = space.planes.add(name="/device:GPU:0")
    plane.stat_metadata[1].name = "tf_op"
    names = {1: "gemm", 2: "MemcpyH2D"}
    for number, name in names.items():
        plane.event_metadata[number].name = name
    # Two streams: 0 to 4 ms and 2 to 5 ms overlap, 9 to 10 ms is a copy, all of two updates.
    events = [("Stream #1", 1, 0, 4, "a/b:MatMul"), ("Stream #2", 1, 2, 3, "c:MatMul")]
    events += [("Stream #1", 2, 9, 1, "d:_Recv"), ("Steps", 1, 0, 100, "none")]
    for line_name, number, start, length, operation in events:
        line = plane.lines.add(name=line_name)
        event = line.events.add(metadata_id=number, offset_ps=start * 10**9, duration_ps=length * 10**9)
        event.stats.add(metadata_id=1, str_value=operation)
    found = gpu_profile.summary(space, 2)
    assert found == {
        "gpu_ms": 3.0,
        "span_ms": 5.0,
        "kernels": 1,
        "copies": 0,
        "operations": {"MatMul": 3.5, "_Recv": 0.5},
        "kernel_names": {"gemm": 3.5, "MemcpyH2D": 0.5},
    }
    assert gpu_profile.summary(op_profile.xplane_pb2.XSpace(), 2) == {"kernels": 0}


def test_tests_are_counted_by_their_last_words():
    lines = [
        "[gw0] [  1%] PASSED tests/layers/test_a.py::test_one[x y] ",
        "[gw1] [  2%] FAILED tests/layers/test_a.py::test_two ",
        "tests/layers/test_a.py::test_three ",
        "[gw1] [  3%] ERROR tests/layers/test_a.py::test_four",
    ]
    assert gpu_tests.counted(lines) == {
        "passed": 1,
        "failed": ["tests/layers/test_a.py::test_four", "tests/layers/test_a.py::test_two"],
    }


@pytest.mark.parametrize("late", [False, True])
def test_what_is_not_begun_or_goes_wrong_is_a_row(monkeypatch, late):
    class Case:
        def __init__(self, name):
            self.name = name

        def end(self):
            ended.append(self.name)

    ended = []
    monkeypatch.setattr(gpu_processes, "Case", Case)
    until = 0 if late else float("inf")
    rows = gpu_processes.each(
        [{"name": "a"}, {"name": "b"}], 1, until, lambda case: {"error": f"{case.name} failed"}
    )
    assert [row["name"] for row in rows] == ["a", "b"] and sorted(ended) == ([] if late else ["a", "b"])
    assert rows[1]["error"] == ("not begun within the limit" if late else "b failed")
