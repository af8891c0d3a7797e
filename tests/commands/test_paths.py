"""A `~` means the home folder in every path that a user gives, in flags, bindings and Python."""

import os
import re
import types

import numpy as np
import pytest
from absl import flags
from defined_flags import defined

from tfgans import files, inputs
from tfgans.commands.actions import COMMANDS
from tfgans.commands.flags import PathParser
from tfgans.compare import collect, run
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate.features import InceptionFeatures, PointFeatures
from tfgans.evaluate.statistics import cached_reference
from tfgans.methods.alphagan.spaces.autogan.genotype import load_genotype
from tfgans.methods.alphagan.spaces.biggan.genotype import load_biggan_genotype
from tfgans.methods.alphagan.spaces.stylegan2.published import load_stylegan2_genotype
from tfgans.run import build
from tfgans.run.plan import Plan
from tfgans.run.samples import SampleFolder
from tfgans.run.training import Run


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_only_a_tilde_at_the_start_is_replaced(home):
    assert files.expanded("~/a b/c") == f"{home}/a b/c"
    assert files.expanded(home) == str(home)
    for path in ("a/~/b", "a~", "$HOME/a", "~no_such_user_here/a", "https://host/~me/x", ""):
        assert files.expanded(path) == path


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_that_name_paths(home, command):
    with defined(command) as found:
        paths = {name: flag for name, flag in found.items() if isinstance(flag.parser, PathParser)}
        named = {name for name in found if re.search("_dir$|^output$|^from_runs$", name)}
        for flag in paths.values():
            flag.parse("~/runs/a")
            assert flag.value in (f"{home}/runs/a", [f"{home}/runs/a"])
            with pytest.raises(flags.IllegalFlagValueError, match="empty"):
                flag.parse("")
    assert named <= set(paths) and (named or command in ("describe", "doctor", "fid"))


@pytest.mark.parametrize(
    "read",
    [
        lambda: Dataset("folder:~/none"),
        lambda: Dataset("npz:~/none.npz"),
        lambda: Dataset("digits", classes_file="~/none.txt"),
        lambda: Dataset("tfds:no_such_data_set", data_dir="~/none"),
        lambda: InceptionFeatures(path="~/none").check(),
        lambda: load_genotype("~/none.json"),
        lambda: load_biggan_genotype("~/none.json"),
        lambda: load_stylegan2_genotype("~/none.json"),
    ],
)
def test_what_bindings_name(home, read):
    with pytest.raises(ConfigError, match=re.escape(f"{home}/none")):
        read()


def test_what_is_there_is_read(home):
    np.savez(home / "data.npz", images=np.zeros((20, 8, 8, 1), np.uint8), labels=np.arange(20) % 2)
    (home / "classes.txt").write_text("1\n")
    dataset = Dataset("npz:~/data.npz", classes_file="~/classes.txt")
    assert dataset.num_examples == 10
    genotype = load_genotype("alphaGAN_s")
    genotype.save(home / "genotype.json")
    assert load_genotype("~/genotype.json") == genotype
    assert inputs.hash_of("~/genotype.json") == inputs.hash_of(home / "genotype.json") is not None


def test_what_is_written(home):
    points = types.SimpleNamespace(
        reference=lambda: iter([(np.eye(4, 2, dtype=np.float32), None)]),
        reference_size=lambda: 4,
        fingerprint=lambda: "points",
    )
    cached_reference(points, PointFeatures(), 2, cache_dir="~/cache")
    assert len(list((home / "cache").iterdir())) == 1
    assert SampleFolder("~/out").path == home / "out"
    assert os.listdir(home.parent) == ["home"]


def test_runs(home):
    (home / "run").mkdir()
    (home / "run" / "operative.gin").write_text("numerics.seed = 'x'\n")
    assert collect.run_folders("~") == [home / "run"]
    with pytest.raises(ConfigError, match="numerics.seed is an integer"):  # it is found and read
        build.load("~/run")
    with pytest.raises(ConfigError, match="holds no run"):
        run.compare_runs("~/out", ["~/none"])
    assert os.listdir(home.parent) == ["home"]


def test_a_run_trains_in_it(home, monkeypatch):
    """Of a run only its folder is looked at: nothing is built."""
    monkeypatch.setattr(build, "build_model", lambda: (_ for _ in ()).throw(ConfigError("not built")))
    one = Run.__new__(Run)
    with pytest.raises(ConfigError, match="not built"):
        one.__init__("~/run", Plan(steps=1))
    assert one.folder == home / "run"
