"""Uninterrupted runs, to compare with."""

import pytest
import tensorflow as tf
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
    run(gin_file, folder, exports=True)
    return folder


@pytest.fixture(scope="session")
def eager_run(gin_file, tmp_path_factory):
    """An uninterrupted run without graphs."""
    folder = tmp_path_factory.mktemp("eager") / "run"
    tf.config.run_functions_eagerly(True)
    run(gin_file, folder)
    tf.config.run_functions_eagerly(False)
    return folder


@pytest.fixture
def whole_eagerly(eager_run, eagerly):
    """An uninterrupted run without graphs, and so are those of the test."""
    return eager_run
