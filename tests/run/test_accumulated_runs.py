"""Runs whose updates are computed in micro-batches: `build.accumulation_steps`."""

import numpy as np
import pytest
from short_runs import RING, assert_same_run, run

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.run import build

CUT = "build.accumulation_steps = 4"


@pytest.fixture(scope="module")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("ring") / "ring.gin"
    path.write_text(RING)
    return str(path)


def state(folder, step):
    return checkpoint.Checkpoints(folder / "checkpoints").load(step)[0]


@pytest.mark.slow
def test_a_run_in_micro_batches_is_the_run(gin_file, tmp_path, eagerly):
    """It trains on the same images, resumes with the same bits, and may go on in other micro-batches."""
    whole, cut, resumed, other = (tmp_path / name for name in ("whole", "cut", "resumed", "other"))
    run(gin_file, whole)
    run(gin_file, cut, CUT)
    run(gin_file, resumed, CUT, "train.steps = 2")
    run(gin_file, resumed, CUT)
    assert_same_run(cut, resumed)
    run(gin_file, other, CUT, "train.steps = 2")
    run(gin_file, other, "build.accumulation_steps = 2")
    expected, first = state(whole, 4), state(whole, 0)
    for folder in (cut, other):
        found = state(folder, 4)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(
                found[name], value, rtol=1e-4, atol=2e-5, err_msg=f"{folder.name} {name}"
            )
    assert any(np.abs(expected[name] - value).max() > 1e-3 for name, value in first.items())


def test_a_batch_that_cannot_be_cut_is_refused_before_any_work(gin_file):
    build.prepare([gin_file], ["build.accumulation_steps = 5"])
    with pytest.raises(ConfigError, match="^a batch of 16 images cannot be cut into .* 1 x 5 micro-batches$"):
        build.build_model()
    with pytest.raises(ConfigError, match="build.accumulation_steps"):
        build.prepare([gin_file], ["build.accumulation_steps = 0"])
        build.build_model()


def test_a_loss_of_the_whole_batch_is_refused_by_its_name(gin_file):
    build.prepare([gin_file], [CUT, "build.methods = [@TopKGAN]"])
    message = "^TopKGAN.top_k_decay: a loss of the whole batch has no parts for accumulation_steps = 4$"
    with pytest.raises(ConfigError, match=message):
        build.build_model()
    build.prepare([gin_file], [CUT, "build.methods = [@TopKGAN]", "TopKGAN.top_k_decay = 1.0"])
    assert build.build_model()[0].accumulation_steps == 4
