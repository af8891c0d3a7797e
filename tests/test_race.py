"""The race against PyTorch: what can be told without PyTorch, which is in an environment of its own."""

import ast
import pathlib
import sys
import threading

import gin
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "benchmarks"))

import race_torch
from race_cases import CASES
from race_talk import Side, answer

from tfgans.compare import plan
from tfgans.run import build

HERE = pathlib.Path(race_torch.__file__).parent
SAID = {"version": "V", "generator": 7, "discriminator": 5, "average": True, "first_seconds": 0.12}


class Runner:
    """A side without a process: what it says first, and seconds of its turns."""

    def __init__(self, *seconds, **said):
        self.said, self.seconds, self.asked = SAID | said, list(seconds), []

    def hear(self):
        return self.said

    def run(self, updates):
        self.asked.append(updates)
        seconds = self.seconds.pop(0)
        return {"seconds": seconds, "processor_seconds": 2 * seconds}


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_a_configuration_and_a_module(name):
    case = CASES[name]
    files, own = plan.parts(case.configuration)
    build.prepare(files, [*own, *case.gin_params])  # which refuses names that are none
    assert gin.query_parameter("build.generator") is not None
    module = ast.parse((HERE / f"{case.module}.py").read_text())
    (make,) = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "make"]
    assert [argument.arg for argument in make.args.args] == ["batch_size", "precision"]


def test_lazy_regularizers_come_as_often_in_each_turn():
    case = CASES["stylegan2"]
    files, own = plan.parts(case.configuration)
    build.prepare(files, [*own, *case.gin_params])
    module = ast.parse((HERE / "race_stylegan2.py").read_text())
    theirs = {}
    for node in module.body:  # NAME, NAME = number, number
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            theirs |= dict(zip(ast.unparse(node.targets[0])[1:-1].split(", "), node.value.elts, strict=True))
    names = {"R1_INTERVAL": "R1GAN.r1_interval", "PATH_INTERVAL": "generator/lazy_adam.interval"}
    for name, ours in names.items():
        interval = gin.query_parameter(ours)
        assert theirs[name].value == interval and case.updates % interval == 0


def test_sides_take_turns_and_the_first_round_is_not_counted():
    ours, theirs, lines = Runner(9.0, 1.0, 3.0, 2.0), Runner(9.0, 2.0, 2.0, 4.0), []
    row = race_torch.race([ours, theirs], 16, 3, lines.append)
    assert ours.asked == theirs.asked == [16] * 4 and len(lines) == 4
    assert row["rounds"] == 3 and row["seconds"] == [2.0, 2.0] and row["processor_seconds"] == [4.0, 4.0]
    assert row["ratio"] == 0.5 and row["ratio_range"] == [0.5, 1.5]  # of 1/2, 3/2 and 2/4
    assert (row["generator"], row["discriminator"], row["average"]) == (7, 5, True)


def test_turns_are_as_long_as_asked_for_while_no_other_race_is_measured():
    turn = threading.Lock()

    class Timed(Runner):
        def run(self, updates):
            assert turn.locked()
            return super().run(updates)

    ours, theirs = Timed(0.02, 1.0), Timed(0.01, 2.0)  # seconds an update: 16 take 0.16 of the faster side
    row = race_torch.race([ours, theirs], 16, 1, str, least=0.4, turn=turn)
    assert ours.asked == theirs.asked == [16, 48] and row["updates"] == 48 and not turn.locked()


@pytest.mark.parametrize("differs", [{"generator": 8}, {"discriminator": 6}, {"average": False}])
def test_there_is_no_race_of_different_networks(differs):
    ours, theirs = Runner(1.0), Runner(1.0, **differs)
    row = race_torch.race([ours, theirs], 1, 1, print)
    ((name, other),) = differs.items()
    assert row["error"] == f"{name}: {SAID[name]} of ours, {other} of PyTorch's"
    assert ours.asked == theirs.asked == [] and "ratio" not in row


def test_the_table_has_ratios_or_why_there_are_none():
    row = race_torch.race([Runner(1.0, 1.0), Runner(2.0, 2.0)], 1, 1, print)
    results = [{"case": "sngan", "precision": "float32", **row}]
    results.append({"case": "octave", "precision": "bfloat16", "error": "average: ..."})
    head, rule, first, second = race_torch.table(results)
    assert "| float32 | 1.0000 | 2.0000 | 0.50 (0.50 to 0.50) | 0.50 (0.50 to 0.50) | 1 |" in first
    assert "no race: average: ..." in second
    assert len({line.count("|") for line in (head, rule, first, second)}) == 1


def test_a_side_answers_numbers_until_something_else_comes(capsys):
    done = []
    answer(done.append, ["3\n", "2\n", "end\n", "5\n"])
    assert done == [3, 2]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all('"seconds"' in line and '"processor_seconds"' in line for line in lines)


def test_a_process_works_when_told_to():
    code = "from race_talk import *; print('a warning'); say(a=1); answer(lambda n: None)"
    side = Side([sys.executable, "-c", code], cwd=HERE)
    try:
        assert side.hear() == {"a": 1}
        assert 0.0 <= side.run(4)["seconds"] < 1.0
    finally:
        side.end()
    assert side.process.returncode is not None


def test_a_process_that_ends_says_why():
    side = Side([sys.executable, "-c", "raise ValueError('no such network')"], cwd=HERE)
    try:
        with pytest.raises(RuntimeError, match="no such network"):
            side.run(1)
    finally:
        side.end()


def test_an_environment_that_is_there_is_not_made_again(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(race_torch.subprocess, "run", lambda command, **options: asked.append(command))
    monkeypatch.setattr(race_torch, "version", lambda python: race_torch.TORCH)
    python = race_torch.environment(tmp_path)
    assert python.parent.parent == tmp_path and asked == []
    monkeypatch.setattr(race_torch, "version", lambda python: None)
    assert race_torch.environment(tmp_path) == python
    assert [command[1:3] for command in asked] == [["-m", "venv"], ["-m", "pip"]]
    assert asked[1][-1] == f"torch=={race_torch.TORCH}"


def test_a_folder_without_python_has_no_version(tmp_path):
    assert race_torch.version(tmp_path / "bin" / "python") is None
