"""Of what `fuzz.py` damages: configurations, and what lies in the folders of runs and comparisons."""

import json
import os
from types import SimpleNamespace

import gin
import keras
import numpy as np
import tensorflow as tf
import toys
from fuzz_kinds import Reader, within

from tfgans import checkpoint, distribute, files
from tfgans.compare import collect, comparison, processes
from tfgans.config import ConfigError
from tfgans.data import hashes
from tfgans.data.contents import Blocks, Contents
from tfgans.evaluate import spectrum_figure
from tfgans.gan import GAN
from tfgans.run import build, classes, hand_over, identity, shown


def _model():
    if not hasattr(_model, "made"):
        _model.made = GAN(*toys.image_networks(), ema_decay=0.9)
        _model.made.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
        _model.states = {}
    return _model.made


def _write_checkpoints(path):
    model, checkpoints = _model(), checkpoint.Checkpoints(path.parent)
    for step in (2, 4):
        for number, variable in enumerate(model.variables):
            variable.assign(np.full(variable.shape, step + number % 7, variable.dtype))
        checkpoints.save(model, step, {"train_seconds": 1.5 * step})
        _model.states[step] = checkpoint.read_state(model)


def _read_checkpoints(path):
    """Whatever is damaged, the run goes on exactly from one of the two steps."""
    checkpoints = checkpoint.Checkpoints(path.parent)
    try:
        checkpoints.load(4)
        damaged = None
    except ConfigError as error:
        damaged = error
    about = checkpoints.restore(_model())
    assert about == {"step": 2 if damaged else 4, "train_seconds": 3.0 if damaged else 6.0}, about
    toys.assert_same(checkpoint.read_state(_model()), _model.states[about["step"]])
    if damaged:
        raise damaged


ROWS = [
    {"step": 10 * k, "fid": 9.0 - k, "recall": 0.5, "train_seconds": 2.0 * k, "eval_seconds": 0.5}
    | {"features": "points", "num_samples": 64, "real_images": 640 * k, "generator_flops": 1e9 * k}
    for k in range(4)
]


def _lines(rows):
    return lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _read_rows(path):
    """As a run that goes on does, and `--step=best`."""
    rows = files.JsonLines(path)
    found = rows.read()
    rows.keep(lambda row: row["step"] <= 20)
    rows.append(ROWS[3])
    assert rows.read()[-1] == ROWS[3] and len(rows.read()) <= len(found) + 1
    build.best_step(path.parent, [10, 20, 30])


SEARCHED = [
    {
        "step": k,
        "entropy": 1.0 / (k + 1),
        "genotype": {"normal": ["conv_1x1"]},
        "mixing": {"up": [[0.5, 0.5]]},
    }
    for k in range(4)
]
GIN = """
include "gin_configs/data/digits.gin"
include "gin_configs/networks/dcgan.gin"
# a comment
batch_size = 16
GAN.ema_decay = 0.9
build.methods = [@R1GAN, @DiffAugmentGAN]
R1GAN.r1_weight = 1e-1
dcgan_generator.latent_dim = 8
generator/Adam.learning_rate = 2e-4
Dataset.classes = ['1', "two"]
train.steps = 12
"""
OPERATIVE = """
# Parameters for GAN:
# ==============================================================================
GAN.ema_decay = 0.9
GAN.num_classes = None

# Parameters for numerics:
# ==============================================================================
numerics.seed = 3
train.best_metric = 'fid'
train.steps = 30
"""


def _read_gin(path):
    try:
        build.prepare([str(path)], build.ON_ONE_DEVICE)
    finally:
        gin.clear_config()


def _read_included(path):
    (path.parent / "outer.gin").write_text(f'include "{path}"\nbatch_size = 8\n')
    _read_gin(path.parent / "outer.gin")


def _identity(folder, contents):
    dataset = SimpleNamespace(source="npz:set.npz", contents=lambda like=None: contents)
    return identity.Identity(folder, OPERATIVE, dataset)


CONTENTS = Contents("ab" * 32, 2, ["a.png", "b.png"], ["0" * 16, "1" * 16], [0, 1], ["cat", "dog"])

BLOCKS = Blocks(["a.png", "b.png"], [1000, 999], ["0" * 16, "1" * 16])
MANY = Contents("ab" * 32, 1999, class_names=["cat", "dog"], kind=hashes.ENDS, blocks=BLOCKS)


def _taken_up(path, contents=CONTENTS):
    (path.parent / "operative.gin").write_text(OPERATIVE)
    _identity(path.parent, contents).write(0)


def _read_taken_up(path, contents=CONTENTS):
    """The configuration and the data of a run that is there, as `train` compares them."""
    _identity(path.parent, contents).check(accept_changed_data=True)


def _classes(path):
    record = {"num_classes": 2, "names": ["cat", "dog"], "counts": [5, 6], "balance": False}
    path.write_text(json.dumps(record) + "\n")


def _run(path):
    """A finished run's folder."""
    folder = path.parent if path.suffix in (".gin", ".jsonl") else path.parent.parent
    (folder / "spectra").mkdir(parents=True, exist_ok=True)
    (folder / "export").mkdir(exist_ok=True)
    (folder / "operative.gin").write_text(OPERATIVE)
    _lines(ROWS)(folder / "metrics.jsonl")
    side = {"decibels": [1.0, 2.0, 3.0], "decibels_std": [0.1, 0.1, 0.1], "count": 64}
    spectra = {"frequency": [0.0, 0.5, 1.0], "real": side, "generated": side}
    spectra |= {"spectrum_distance": 1.0, "spectrum_distance_high": 2.0}
    (folder / "spectra" / "step_00000030.json").write_text(json.dumps(spectra) + "\n")
    with tf.summary.create_file_writer(str(folder / "train")).as_default():
        for step in range(5):
            tf.summary.scalar("d/adversarial", 1.0 / (step + 1), step=step)
            tf.summary.scalar("g/adversarial", 2.0, step=step)
    for events in (folder / "train").glob("events*"):
        events.rename(folder / "train" / "events.out.tfevents.1.host")


def _read_run(path):
    """As a comparison does: a run that cannot be read has failed, and says why."""
    folder = next(p for p in path.parents if (p / "operative.gin").exists())
    runs = [collect.read_run(folder, folder.parent) | {"operative": ""} for _ in range(2)]
    for run in runs:
        assert run["outcome"] != "failed" or run["message"]
    found = [{"label": "a", "gin_files": [], "gin_params": [], "runs": runs}]
    settings = {"seeds": [0, 1], "steps": None, "seconds": None, "primary_metric": "fid"}
    result = comparison.compare(found, settings)
    build.to_json(result)
    if any(run["evaluations"] for run in runs) and "fid" in result["metrics"]:
        comparison.table(result)


def _read_figure(path):
    spectrum_figure.SpectrumFigure(path.parent).again(int(path.stem[5:]))


def _stamp(path):
    stamp = {"configuration": "abc", "outcome": None, "message": None, "contents": {"a": "b"}}
    path.write_text(json.dumps(stamp) + "\n")


def _read_stamp(path):
    configuration = SimpleNamespace(label="a", digest=lambda: "abc", contents={"a": "b"})
    run = processes.Run(path.parent.parent, configuration, 0)
    assert run.stamp == path
    run.is_done()


def _read_events(path):
    sound = path.read_bytes()
    shown.forget_events_from(path.parent, 3)
    path.write_bytes(sound)


def _read_export_step(path):
    step = hand_over.handed_over(path.parents[2])
    assert step is None or step >= 0


def _read_lock(path):
    with checkpoint.Lock(path.parent):
        try:
            checkpoint.Lock(path.parent).__enter__()
        except ConfigError as error:
            assert str(os.getpid()) in str(error)


def _read_cluster(path):
    """TF_CONFIG, which is a text and not a file."""
    os.environ["TF_CONFIG"] = path.read_bytes().decode(errors="ignore").replace("\0", "")
    try:
        distribute.workers()
    finally:
        del os.environ["TF_CONFIG"]


CLUSTER = {"cluster": {"worker": ["localhost:1234"]}, "task": {"type": "worker", "index": 0}}


READERS = [
    Reader("checkpoint", within("step_00000004.npz", _write_checkpoints), _read_checkpoints, 3),
    Reader("metrics", within("metrics.jsonl", _lines(ROWS)), _read_rows, named=False),
    Reader("search history", within("search.jsonl", _lines(SEARCHED)), lambda p: files.JsonLines(p).read()),
    Reader("gin", within("a.gin", lambda p: p.write_text(GIN)), _read_gin, named=False),
    Reader("gin included", within("a.gin", lambda p: p.write_text(GIN)), _read_included, 0.5, named=False),
    Reader("operative", within("operative.gin", _taken_up), _read_taken_up, named=False),
    Reader("data", within("data.json", _taken_up), _read_taken_up, named=False),
    Reader(
        "data, many",
        within("data.json", lambda p: _taken_up(p, MANY)),
        lambda p: _read_taken_up(p, MANY),
        0.5,
        named=False,
    ),
    Reader("run's classes", within("classes.json", _classes), lambda p: classes.read(p.parent)),
    Reader("run, operative", within("run/operative.gin", _run), _read_run, 0.5),
    Reader("run, metrics", within("run/metrics.jsonl", _run), _read_run, 0.5),
    Reader("run, spectra", within("run/spectra/step_00000030.json", _run), _read_run, 0.5),
    Reader("run, curves", within("run/train/events.out.tfevents.1.host", _run), _read_run, 0.5),
    Reader("spectra", within("run/spectra/step_00000030.json", _run), _read_figure, 0.1),
    Reader("events", within("run/train/events.out.tfevents.1.host", _run), _read_events, 0.5),
    Reader("stamp", within("a/seed_0.json", _stamp), _read_stamp, 0.5),
    Reader(
        "export step",
        within("export/assets.extra/step.txt", lambda p: p.write_text("12\n")),
        _read_export_step,
        0.5,
    ),
    Reader("lock", within("train.lock", lambda p: p.write_text("12\n")), _read_lock, 0.2),
    Reader(
        "TF_CONFIG", within("c.json", lambda p: p.write_text(json.dumps(CLUSTER))), _read_cluster, named=False
    ),
]
