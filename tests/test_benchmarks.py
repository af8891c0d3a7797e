"""Every benchmark begins: it finds what it imports and says what it takes."""

import forks
import pytest

BENCHMARKS = sorted(
    path for path in (forks.ROOT / "benchmarks").glob("*.py") if "add_argument" in path.read_text()
)


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_it_begins(path):
    found = f"sys.path.insert(0, {str(path.parent)!r})"  # where Python looks for what a script imports
    code = f"import runpy, sys; {found}; runpy.run_path({str(path)!r}, run_name='__main__')"
    done, said, errors = forks.Fork(code, path, "--help").finish()
    assert done == 0 and said.startswith("usage: ") and "Traceback" not in errors
