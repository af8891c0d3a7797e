"""Every benchmark that has flags begins: it finds what it imports, and its docstring is its help."""

import json
import runpy
import sys
from types import SimpleNamespace

import forks
import gin
import numpy as np
import pytest

from tfgans.compare import plan
from tfgans.run import build

BENCHMARKS = sorted(
    path for path in (forks.ROOT / "benchmarks").glob("*.py") if "__doc__" in path.read_text()
)


def finished(path, *arguments):
    """`(exit code, stdout, stderr)` of a benchmark."""
    found = f"sys.path.insert(0, {str(path.parent)!r})"  # where Python looks for what a script imports
    code = f"import runpy, sys; {found}; runpy.run_path({str(path)!r}, run_name='__main__')"
    return forks.Fork(code, path, *arguments).finish()


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_it_begins(path):
    done, said, errors = finished(path, "--help")
    assert done == 0 and said.startswith("usage: ") and "Traceback" not in errors


def test_an_update_exchanges_each_gradient_once():
    """Of perceptrons, four layers with weights and biases each; they have no statistics."""
    path = forks.ROOT / "benchmarks" / "communication.py"
    ring = "--configuration=gin_configs/base/ring.gin"
    done, said, errors = finished(path, ring, "--steps=1", "--gpus=2")
    assert done == 0, errors
    (row,) = json.loads(said.splitlines()[-1])["results"]
    assert row["generator_bytes"] == 4 * (16 * 128 + 128 + 2 * (128 * 128 + 128) + 128 * 2 + 2)
    assert row["bytes"] == row["generator_bytes"] + row["discriminator_bytes"] and row["exchanges"] == 16
    assert row["ethernet_seconds"] == pytest.approx(row["bytes"] / 1.25e9, rel=1e-6)


def test_peak_memory_goes_on_by_a_straight_line(monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])  # which the script adds to
    script = runpy.run_path(str(forks.ROOT / "benchmarks" / "peak_memory.py"))
    rows = [{"name": "a", "batch_size": n, "peak_megabytes": 100 + 30 * n} for n in (1, 2)]
    alone = {"name": "b", "batch_size": 2, "peak_megabytes": 50}
    assert script["lines"]([*rows, alone, {**alone, "name": "c", "batch_size": None}]) == {
        "a": {4: 220, 8: 340}
    }


def test_what_the_first_step_of_a_search_favours(monkeypatch, tmp_path):
    """By hand: of four edges in two draws, and of a search of three edges whose first favourites are a, b and b."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    script = runpy.run_path(str(forks.ROOT / "benchmarks" / "search_bias.py"))
    gradient = np.array([[[-3.0, 1.0], [2.0, -1.0]], [[-1.0, 0.0], [-0.5, 0.5]]])
    np.testing.assert_array_equal(script["favoured"](gradient), [0.75, 0.25])
    rows = [
        {"mixing": {"up": [[0.5, 0.5], [0.6, 0.4]], "normal": [[0.3, 0.7]]}, "genotype": {}},
        {"mixing": {"up": [[0.6, 0.4], [0.55, 0.45]], "normal": [[0.2, 0.8]]}, "genotype": {}},
        {
            "mixing": {"up": [[0.9, 0.1], [0.8, 0.2]], "normal": [[0.1, 0.9]]},
            "genotype": {"up": [["a"], ["a"]], "normal": ["b"]},
        },
    ]
    (tmp_path / "search.jsonl").write_text(
        "".join(json.dumps({"step": n} | row) + "\n" for n, row in enumerate(rows))
    )
    assert script["searched"](tmp_path) == ({"a": 2, "b": 1}, 2, 3)


@pytest.mark.parametrize("family", ["stylegan2", "progan", "biggan"])
def test_a_family_is_measured_with_recompute_and_without(family, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])
    script = runpy.run_path(str(forks.ROOT / "benchmarks" / "peak_memory.py"))
    plain, again = script["contenders"](SimpleNamespace(gin_file=[], family=[family]))
    assert plain == (family, script["FAMILIES"][family], []) and again[:2] == (
        f"{family}, recompute",
        plain[1],
    )
    files, own = plan.parts(plain[1])
    build.prepare(files, [*own, *again[2]])  # which refuses names that are none
    for network in ("generator", "discriminator"):
        name = gin.query_parameter(f"build.{network}").selector.rsplit(".", 1)[-1]
        assert name == f"{family}_{network}" and gin.query_parameter(f"{name}.recompute") is True
        assert gin.query_parameter(f"{name}.resolution") is not None
