"""A `~` means the home folder in every path that a user gives, in flags, bindings and Python."""

import os
import re
import types

import numpy as np
import pytest
from absl import flags

from tfgans import files, inputs
from tfgans.commands import flags as command_flags
from tfgans.commands import picture_flags
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


@pytest.mark.parametrize("command", ["train", "search", "evaluate", "generate", "compare", "architectures"])
def test_flags_that_name_folders(home, monkeypatch, command):
    values = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", values)
    for define in (
        "DEFINE",
        "DEFINE_alias",
        "DEFINE_string",
        "DEFINE_integer",
        "DEFINE_float",
        "DEFINE_bool",
        "DEFINE_list",
        "DEFINE_enum",
    ):
        original = getattr(flags, define)
        monkeypatch.setattr(flags, define, lambda *a, of=original, **k: of(*a, **k | {"flag_values": values}))
    monkeypatch.setattr(
        flags,
        "DEFINE_multi_string",
        lambda *a, of=flags.DEFINE_multi_string, **k: of(*a, flag_values=values, **k),
    )
    monkeypatch.setattr(flags, "register_validator", lambda *a, **k: None)
    getattr(picture_flags if command == "generate" else command_flags, command)()
    folders = [name for name in values if re.search("_dir$", name)]
    values(["command", *(f"--{name}=~/runs/a" for name in folders)])
    assert folders and [values[name].value for name in folders] == [f"{home}/runs/a"] * len(folders)


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
