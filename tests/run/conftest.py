"""Uninterrupted runs, to compare with, what the explorer shows, and two sets of images."""

import numpy as np
import pytest
import tensorflow as tf
from explored import made
from PIL import Image
from short_runs import CONFIG, STYLED, run

from tfgans.run.explore.studio import Studio


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


@pytest.fixture(scope="module")
def styled(tmp_path_factory):
    """The explorer's studio, of a StyleGAN2."""
    folder = tmp_path_factory.mktemp("styled")
    return Studio(made(STYLED, folder), 4, folder)


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """The explorer's studio, of a conditional model without styles."""
    folder = tmp_path_factory.mktemp("classes")
    return Studio(made(CONFIG, folder), 4, folder)


@pytest.fixture(params=["styled", "classes"])
def studio(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders of blurred random images, 9x9 RGB, and their arrays."""
    root, arrays = tmp_path_factory.mktemp("sets"), {}
    draws = np.random.default_rng(0)
    for name, count in (("real", 40), ("fake", 30)):
        (root / name).mkdir()
        coarse = draws.integers(0, 256 if name == "real" else 128, (count, 3, 3, 3)).astype(np.uint8)
        arrays[name] = coarse.repeat(3, axis=1).repeat(3, axis=2)
        for number, image in enumerate(arrays[name]):
            Image.fromarray(image).save(root / name / f"{number:03d}.png")
    return root, arrays
