"""Short runs for the tests: their configuration, how to train them, kill them and compare them."""

import importlib.util
import json
import pathlib
import re

import keras
import pytest

from tfgans.gan import generation
from tfgans.run import build, searching, training

ROOT = pathlib.Path(__file__).parent.parent


STEPS = 12


CONFIG = """
include "gin_configs/data/digits.gin"
include "gin_configs/networks/dcgan.gin"
dcgan_generator.base_channels = 8
dcgan_generator.latent_dim = 8
dcgan_discriminator.base_channels = 8
batch_size = 16
GAN.ema_decay = 0.9
Evaluator.features = @DigitsFeatures()
Evaluator.num_samples = 64
train.steps = 12
train.save_every = 4
train.evaluate_every = 4
train.sample_every = 4
train.log_every = 2
train.num_samples_shown = 20
"""


STYLED = """
include "gin_configs/data/digits.gin"
include "gin_configs/networks/stylegan2.gin"
num_classes = None
batch_size = 16
stylegan2_generator.latent_dim = 8
stylegan2_generator.style_dim = 8
stylegan2_generator.mapping_layers = 2
stylegan2_generator.max_channels = 8
stylegan2_discriminator.max_channels = 8
"""


POINTS = """
include "gin_configs/data/ring.gin"
include "gin_configs/networks/mlp.gin"
batch_size = 16
Evaluator.features = @PointFeatures()
Evaluator.num_samples = 64
Evaluator.metrics = ["fid"]
"""
RING = (
    POINTS
    + """
train.steps = 4
train.save_every = 2
train.evaluate_every = 2
train.sample_every = 2
"""
)


_specification = importlib.util.spec_from_file_location(
    "kill_and_resume", ROOT / "benchmarks/kill_and_resume.py"
)
kill_and_resume = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(kill_and_resume)


# A phase with its seconds, or a bar.
PROGRESS = re.compile(r".* \.\.\. \d+ s|.*: +\d+%\|.*\|.*")


def without_progress(said):
    """What a command has said on stderr besides what shows that it moves."""
    return "".join(
        line for line in said.splitlines(keepends=True) if not PROGRESS.fullmatch(line.rstrip("\n"))
    )


class Crash(BaseException):
    """The process dies here: nothing of ours catches this."""


def export_nothing(gan, generator, folder):
    """In the place of a SavedModel, which takes longer to write than a short run to train."""
    folder.mkdir()
    (folder / "saved_model.pb").touch()  # by which an export knows one that it may replace


def run(gin_file, model_dir, *bindings, exports=False):
    """`launch/train.py` without its process.

    Args: exports: whether there is a SavedModel, which takes longer to write than a short run to train, in `export`.
    """
    keras.backend.clear_session()
    build.prepare([gin_file], bindings)
    with pytest.MonkeyPatch.context() as patch:
        if not exports:
            patch.setattr(generation, "_export", export_nothing)
        return training.train(str(model_dir))


def search(gin_file, model_dir, *bindings):
    """`launch/search.py` without its process."""
    keras.backend.clear_session()
    build.prepare([str(gin_file)], bindings)
    return searching.search(str(model_dir))


def assert_same_run(first, second):
    found = kill_and_resume.differences(first, second)
    assert found == [], found


def rows(folder, name="metrics.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def history(folder):
    """The rows of a search."""
    return rows(folder, "search.jsonl")


def contents(folder):
    """Every file with its time of change and bytes, the lock aside."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "train.lock"]
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in paths}


def crash_at(monkeypatch, owner, name, when, before=True):
    """Makes the process die in `owner.name`, once `when(arguments)` is true."""
    original = getattr(owner, name)

    def dies(*args, **kwargs):
        doomed = when(*args)
        if doomed and before:
            raise Crash
        result = original(*args, **kwargs)
        if doomed:
            raise Crash
        return result

    monkeypatch.setattr(owner, name, dies)
