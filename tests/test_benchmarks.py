"""Every benchmark begins: it finds what it imports and says what it takes."""

import json

import forks
import pytest

BENCHMARKS = sorted(
    path for path in (forks.ROOT / "benchmarks").glob("*.py") if "add_argument" in path.read_text()
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
