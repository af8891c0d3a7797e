"""Architectures drawn at random: the drawing, groups, shares, pictures, and what a second call trains again."""

import json
import math
import os
import signal
import sys

import gin
import numpy as np
import pytest
from data_records import record
from short_runs import ROOT

from tfgans.commands import architectures
from tfgans.compare import processes
from tfgans.config import ConfigError
from tfgans.methods.alphagan.spaces.autogan import space
from tfgans.methods.alphagan.spaces.autogan.distribution import distribution, draw_distribution
from tfgans.methods.alphagan.spaces.autogan.genotype import (
    GENOTYPES,
    Genotype,
    load_genotype,
    random_genotype,
)
from tfgans.run import build, signals

TINY = """
include "gin_configs/data/digits32.gin"
include "gin_configs/networks/alphagan.gin"
num_classes = None
batch_size = 2
alphagan_generator.base_channels = 2
alphagan_generator.latent_dim = 2
autogan_discriminator.base_channels = 2
train.steps = 2
train.log_every = 1
Evaluator.features = @DigitsFeatures()
Evaluator.num_samples = 64
"""


@pytest.fixture
def gin_file(tmp_path):
    (tmp_path / "tiny.gin").write_text(TINY)
    return str(tmp_path / "tiny.gin")


class Trained:
    """Stands in for the processes: what was trained, by folder, and the metrics that it gets."""

    def __init__(self, monkeypatch):
        self.folders, self.commands, self.values, self.stop_after = [], [], {}, math.inf
        self.row = {}  # what else the rows say
        monkeypatch.setattr(processes.Runner, "_train", lambda runner, run: self(runner, run))

    def __call__(self, runner, run):
        if runner.received is not None:
            return
        if len(self.folders) >= self.stop_after:
            runner.received = signal.SIGTERM
            return
        self.folders.append(run.folder.parent.name)
        self.commands.append(run.command())
        value = self.values.get(run.folder.parent.name, 1.0)
        (run.folder / "export").mkdir(parents=True)
        run.log.write_text("tfgans: a reason\n" if value is None else "")
        row = {
            "step": 2,
            "features": "f",
            "num_samples": 64,
            "fid": value,
            "inception_score": 9.0,
            "train_seconds": 0.1,
        } | self.row
        if value is not None:
            (run.folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
        run.ended(0 if value is not None else 2)


@pytest.fixture
def trained(monkeypatch):
    return Trained(monkeypatch)


def read(folder):
    return [json.loads(line) for line in (folder / "architectures.jsonl").read_text().splitlines()]


def test_operations_are_drawn_uniformly_and_by_seed_alone():
    """Chi-square of each edge below its 1 - 1e-6 quantile with 5 and 2 degrees of freedom: 35.9, 27.6."""
    count = 1200
    drawn = [random_genotype((3, i)) for i in range(count)]
    for edge in space.EDGES:
        pool = space.NORMAL_OPERATIONS if edge.kind == "normal" else space.UP_OPERATIONS
        chosen = [genotype.operation(edge) for genotype in drawn]
        expected = count / len(pool)
        chi_square = sum((chosen.count(name) - expected) ** 2 / expected for name in pool)
        assert chi_square < {6: 35.9, 3: 27.6}[len(pool)], edge
        assert set(chosen) == set(pool)
    assert drawn == [random_genotype((3, i)) for i in range(count)]
    assert len(set(drawn)) == count
    assert not set(drawn) & {random_genotype((4, i)) for i in range(count)}


def rows_of(*values, name="fid"):
    return [{"metrics": {} if value is None else {name: value}} for value in values]


def test_thirds():
    rows = rows_of(5.0, None, 1.0, 9.0, math.inf, 3.0, 7.0, 2.0, 8.0)  # seven values: two in each group
    assert architectures.split(rows) == ([2, 7], [3, 8])
    more_is_better = rows_of(5.0, 1.0, 9.0, 3.0, name="inception_score")
    assert architectures.split(more_is_better, "inception_score") == ([2], [1])
    assert architectures.split(rows_of(4.0, 2.0)) == ([1], [0])


def test_thresholds_are_the_papers():
    pairs = [(14.0, 8.5), (16.0, 7.5), (14.0, 7.5), (16.0, 8.5), (15.0, 8.5), (99.0, 1.0)]
    rows = [{"metrics": {"fid": fid, "inception_score": score}} for fid, score in pairs]
    rows += rows_of(1.0)  # no score
    assert architectures.split(rows, thresholds={"fid": 15.0, "inception_score": 8.0}) == ([0], [1, 5])


def test_groups_that_cannot_be():
    with pytest.raises(ConfigError, match="what was measured, fid. Received: kid"):
        architectures.split(rows_of(1.0, 2.0), "kid")
    with pytest.raises(ConfigError, match="no training came to its end. Received: fid"):
        architectures.split(rows_of(None, None))
    with pytest.raises(ConfigError, match="two architectures with a finite fid. Received: 1"):
        architectures.split(rows_of(1.0, None))


def test_shares_by_hand():
    """The published two: alphaGAN(s) and (l), cell by cell."""
    both = [GENOTYPES["alphaGAN_s"], GENOTYPES["alphaGAN_l"]]
    normal = distribution(both, "normal")
    assert normal[1] == pytest.approx({
        "conv_1x1": 2 / 6, "conv_3x3": 0, "conv_5x5": 2 / 6, "sep_conv_3x3": 1 / 6, "sep_conv_5x5": 1 / 6,
        "sep_conv_7x7": 0,
    })  # fmt: skip
    up = distribution(both[:1], "up")
    assert up[1] == {"deconv": 0.5, "nearest": 0.0, "bilinear": 0.5}
    assert up[2] == pytest.approx({"deconv": 2 / 3, "nearest": 1 / 3, "bilinear": 0.0})
    assert up[3] == {"deconv": 0.5, "nearest": 0.25, "bilinear": 0.25}


def alike(normal, up):
    return Genotype(((normal,) * 3,) * 3, ((up,) * 2,) * 3, (up,), (up,) * 2)


def test_bars_are_as_high_as_shares(monkeypatch):
    bars = []
    from matplotlib.axes import Axes

    drawn = Axes.bar

    def bar(axes, places, heights, *args, **options):
        bars.append((options["label"], list(heights)))
        return drawn(axes, places, heights, *args, **options)

    monkeypatch.setattr(Axes, "bar", bar)
    superior = [alike("conv_3x3", "nearest"), alike("conv_3x3", "bilinear")]
    picture = draw_distribution(superior, [alike("conv_1x1", "deconv")], "up")
    assert picture.dtype == np.uint8 and picture.shape == (396, 1210, 3)
    assert bars == [("superior (2)", [0.0, 0.5, 0.5]), ("inferior (1)", [1.0, 0.0, 0.0])] * 3
    for colour in ((0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)):
        assert (picture == colour).all(-1).sum() > 1000
    with pytest.raises(ConfigError, match="no inferior architecture"):
        draw_distribution(superior, [], "up")


def test_a_study_goes_on_and_adds(gin_file, tmp_path, trained):
    out, names = tmp_path / "out", [f"architecture_{i:03d}" for i in range(4)]
    trained.values = dict(zip(names, (30.0, 10.0, None, 20.0), strict=True))
    trained.stop_after = 1
    with pytest.raises(signals.Interrupted):
        architectures.study(out, gin_file, count=4, seed=5)
    assert trained.folders == names[:1] and not (out / "architectures.jsonl").exists()
    trained.stop_after = math.inf
    rows, problems = architectures.study(out, gin_file, count=2, seed=5)
    assert trained.folders == names[:2] and problems == []
    rows, problems = architectures.study(out, gin_file, count=4, seed=5)
    assert trained.folders == names
    assert problems == ["architecture_002, seed 5: a reason"]
    assert rows == read(out)
    assert [row["genotype"] for row in rows] == [json.loads(random_genotype((5, i)).text()) for i in range(4)]
    assert [row["group"] for row in rows] == ["inferior", "superior", None, None]
    assert [row["metrics"].get("fid") for row in rows] == [30.0, 10.0, None, 20.0]
    assert (out / "normal.png").exists() and (out / "up.png").exists()
    with pytest.raises(ConfigError, match="no architecture is superior"):
        architectures.study(out, gin_file, count=2, seed=5, thresholds={"fid": 1.0})
    assert not (out / "up.png").exists() and len(read(out)) == 2
    with pytest.raises(ConfigError, match="not what this --seed draws"):
        architectures.study(out, gin_file, count=2, seed=6)


def test_what_earlier_calls_measured_otherwise_is_no_group(gin_file, tmp_path, trained):
    """An evaluation's images or features may change between two calls: what is trained is not measured again."""
    out = tmp_path / "out"
    architectures.study(out, gin_file, count=2, seed=5)
    trained.row = {"num_samples": 128}
    told = (
        r"^the architectures were evaluated by different num_samples, 64 in architecture_000/seed_5, 128 in "
        r"architecture_002/seed_5: their numbers cannot be compared; choose another --output_dir, or remove the runs"
    )
    with pytest.raises(ConfigError, match=told):
        architectures.study(out, gin_file, count=3, seed=5)
    assert [row["metrics"]["fid"] for row in read(out)] == [1.0] * 3 and not (out / "up.png").exists()
    assert "group" not in read(out)[0]
    architectures.study(out, gin_file, count=2, seed=5)
    assert (out / "up.png").exists()


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ({"fingerprint": "b"}, "trained on different images"),
        ({"evaluation": {"images": "b", "features": "f 1"}}, "evaluated against different images"),
        ({"evaluation": {"images": "e", "features": "f 2"}}, "evaluated in different features of one name"),
    ],
)
def test_what_earlier_calls_trained_on_other_images_is_no_group(kept, told, gin_file, tmp_path, trained):
    out = tmp_path / "out"
    architectures.study(out, gin_file, count=2, seed=5)
    for i in range(2):
        said = {"fingerprint": "a", "evaluation": {"images": "e", "features": "f 1"}} | (kept if i else {})
        said = record(images=0, source="digits", **said)
        (out / f"architecture_{i:03d}" / "seed_5" / "data.json").write_text(json.dumps(said))
    with pytest.raises(ConfigError, match=f"the architectures were {told}: their numbers cannot be compared"):
        architectures.study(out, gin_file, count=2, seed=5)


def test_why_nothing_could_be_trained_is_told(gin_file, tmp_path, trained):
    """It told alone that nothing was measured, and wanted another metric."""
    trained.values = dict.fromkeys([f"architecture_{i:03d}" for i in range(2)])
    told = "^architecture_000, seed 5: a reason; the architectures are judged by what was measured, nothing: "
    with pytest.raises(ConfigError, match=told):
        architectures.study(tmp_path / "out", gin_file, count=2, seed=5)


def test_studies_that_cannot_be(gin_file, tmp_path, trained):
    out = tmp_path / "out"
    other, endless = str(ROOT / "gin_configs/quickstart.gin"), str(tmp_path / "endless.gin")
    (tmp_path / "endless.gin").write_text(TINY.replace("train.steps = 2\n", ""))
    genotype = ["alphagan_generator.genotype = 'alphaGAN_l'"]
    for message, options in (
        ("--count is an integer of at least 2. Received: 1", {"count": 1}),
        ("--jobs is an integer of at least 1. Received: 0", {"jobs": 0}),
        ("are drawn for alphagan_generator", {"gin_file": other}),
        ("leave its --gin_param out", {"gin_params": genotype}),
        ("how long to train is not set", {"gin_file": endless}),
    ):
        with pytest.raises(ConfigError, match=message):
            architectures.study(out, **{"gin_file": gin_file} | options)
    assert trained.folders == [] and not out.exists()
    out.mkdir()
    (out / "architecture_001").touch()
    with pytest.raises(ConfigError, match="architecture_001 is not a folder: choose another --output_dir"):
        architectures.study(out, gin_file, count=2)
    assert [path.name for path in out.iterdir() if path.name.startswith("arch")] == ["architecture_001"]


def test_each_process_trains_its_own_genotype(gin_file, tmp_path, trained):
    out = tmp_path / "it's out"
    given = ["alphagan_generator.base_channels = 3"]
    with pytest.raises(ConfigError, match="^--steps says 7, --gin_param=train.steps=8 something else: "):
        architectures.study(out, gin_file, ["train.steps=8"], count=2, flags={"steps": 7}, seed=5)
    architectures.study(out, gin_file, given, count=2, flags={"steps": 7}, seed=5)
    for i, command in enumerate(trained.commands):
        flags = dict(
            flag.split("=", 1)
            for flag in command
            if not flag.startswith(("--gin_param", sys.executable)) and "=" in flag
        )
        assert flags == {
            "--gin_file": gin_file,
            "--model_dir": str(out / f"architecture_{i:03d}" / "seed_5"),
            "--seed": "5",
            "--steps": "7",
        }
        bindings = [flag.removeprefix("--gin_param=") for flag in command if flag.startswith("--gin_param=")]
        build.prepare([gin_file], bindings, {"steps": 7})
        of = gin.query_parameter
        assert [of("train.steps"), of("train.evaluate_every"), of("alphagan_generator.base_channels")] == [
            7,
            7,
            3,
        ]
        assert load_genotype(of("alphagan_generator.genotype")) == random_genotype((5, i))
    assert len(trained.commands) == 2
    with pytest.raises(ConfigError, match="^--batch_size says 6, --gin_param=batch_size=5 something else: "):
        architectures.study(out, gin_file, ["batch_size=5"], count=2, flags={"batch_size": 6})
    architectures.study(
        tmp_path / "often", gin_file, ["train.evaluate_every=3"], count=2, flags={"steps": 7}, seed=5
    )
    evaluated = [[flag for flag in command if "evaluate_every" in flag] for command in trained.commands[2:]]
    assert evaluated == [["--gin_param=train.evaluate_every=3"]] * 2


def test_each_process_trains_on_the_images_named(gin_file, tmp_path, trained):
    named = {"data": "digits", "resolution": 16, "channels": 1, "batch_size": 6}
    architectures.study(tmp_path / "out", gin_file, count=2, seed=5, flags=named)
    for command in trained.commands:
        assert {"--data=digits", "--resolution=16", "--channels=1", "--batch_size=6"} <= set(command)


@pytest.mark.parametrize("groups", [{"metric": "fdi"}, {"thresholds": {"fid": 3.0, "fdi": 1.0}}])
def test_a_metric_that_is_not_measured_is_refused_before_training(groups, gin_file, tmp_path, trained):
    flag = f"--{next(iter(groups))}"
    with pytest.raises(ConfigError, match=f"^{flag} is one of fid, .* Received: fdi$"):
        architectures.study(tmp_path / "out", gin_file, count=2, **groups)
    assert not trained.commands and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command(call, refused, gin_file, tmp_path, trained):
    """On a study that is done, so that nothing trains."""
    out = tmp_path / "out"
    trained.values = {f"architecture_{i:03d}": value for i, value in enumerate((30.0, 10.0, 20.0))}
    architectures.study(str(out), gin_file, count=3, seed=5)
    (out / "normal.png").unlink()
    flags = [f"--gin_file={gin_file}", f"--output_dir={out}", "--seed=5"]
    code, said, err = call("architectures", *flags, "--count=3")
    assert (code, err) == (0, ""), err
    pictures = [str(out / f"{kind}.png") for kind in ("normal", "up")]
    found, *paths = said.splitlines()
    assert (json.loads(found), paths) == ({"superior": [1], "inferior": [0]}, pictures)
    assert all(os.path.exists(path) for path in pictures)
    thresholds = "--thresholds=fid=25.5, inception_score=9.5"  # all have 9, which is worse
    line = refused("architectures", *flags, "--count=3", thresholds)
    assert "no architecture is superior" in line
    assert [row["group"] for row in read(out)] == ["inferior", None, None]
    for wrong, message in (
        ([f"--gin_file={gin_file}"], "one --gin_file"),
        (["--thresholds=fid"], "--thresholds are metric=value"),
        (["--thresholds="], "--thresholds are metric=value"),
        (["--thresholds=fid=1", "--metric=fid"], "--metric is for thirds"),
    ):
        assert message in refused("architectures", *flags, *wrong)
