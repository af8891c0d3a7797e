"""One uninterrupted run, to compare with."""

import pytest
from short_runs import CONFIG, run


@pytest.fixture(scope="session")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "run.gin"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture(scope="session")
def whole(gin_file, tmp_path_factory):
    """The uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(gin_file, folder)
    return folder
