"""What `fuzz.py` damages and reads: for every kind of file how a sound one is made, and how tfgans reads it."""

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import fuzz_packed
import gin
import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import toys
from PIL import Image

from tfgans import checkpoint, distribute, files
from tfgans.compare import collect, comparison, processes
from tfgans.config import ConfigError
from tfgans.data import Dataset, hashes
from tfgans.data.contents import Blocks, Contents
from tfgans.data.decode import BadImage, decode, header, open_image
from tfgans.data.headers import FileHeaders
from tfgans.data.stylegan_labels import read_labels
from tfgans.data.subset import read_classes
from tfgans.evaluate import classifier, spectrum_figure
from tfgans.evaluate.classifier_features import ClassifierFeatures
from tfgans.evaluate.features import DigitsFeatures, InceptionFeatures
from tfgans.evaluate.frechet import Moments
from tfgans.evaluate.stability import FixedSamples
from tfgans.evaluate.statistics import Statistics
from tfgans.gan import GAN
from tfgans.methods.alphagan.spaces.autogan.genotype import load_genotype
from tfgans.methods.alphagan.spaces.biggan.genotype import load_biggan_genotype
from tfgans.methods.alphagan.spaces.stylegan2.published import load_stylegan2_genotype
from tfgans.networks.stylegan2_pickles import read_stylegan2
from tfgans.run import build, classes, hand_over, identity, shown

REFUSALS = (ConfigError, BadImage)


@dataclass(frozen=True)
class Reader:
    """A kind of file.

    Args:
        make: makes a sound file in an empty folder and returns its path.
        read: reads the file at a path, as a command would.
        share: of all cases, as many as this times those of a reader with 1.
        named: whether a refusal must name the file; a few readers' callers do.
    """

    name: str
    make: object
    read: object
    share: float = 1.0
    named: bool = True

    def says(self, path, error):
        """Whether the message of a refusal is what a user needs: a reason, and which file."""
        first = str(error).splitlines()[0].strip() if str(error).strip() else ""
        return bool(first) and (not self.named or path.name in first)


def _in(name, write):
    """`make` of a file of that name, which `write(path)` writes."""

    def make(folder):
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
        return path

    return make


NVIDIA = Path(__file__).parent / "golden/nvidia.pkl"
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)


def _npz(save):
    return lambda path: save(path, images=IMAGES, labels=np.arange(4) % 2)


def _read_npz(path):
    Dataset(f"npz:{path}", batch_size=2, on_bad_image="skip").fingerprint()


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


def _statistics(path):
    moments = Moments(5).update(np.random.default_rng(1).normal(size=(20, 5)))
    Statistics(moments, np.zeros((4, 5), np.float32)).save(path)


def _fixed_samples(path):
    samples = FixedSamples(path, 0)
    samples.seen(IMAGES)
    samples.metrics()


def _read_fixed_samples(path):
    sound, samples = path.read_bytes(), FixedSamples(path, 2)
    samples.seen(IMAGES)
    change = samples.metrics().get("stability_mse", 0.0)
    path.write_bytes(sound)
    assert 0.0 <= change <= 1.0


def _classifier(path):
    path.write_bytes(DigitsFeatures.path.read_bytes())


def _read_classifier(path):
    features = DigitsFeatures()
    features.path = path
    features.fingerprint()
    features.check()


def _own_classifier(path):
    about = {"name": "own", "class_names": ["a", "b"], "accuracy": 0.5, "class_accuracy": [0.5, 0.5]}
    classifier.save(classifier.network((4, 4, 1), 2), path, about)


def _inception(path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3), name="pixels")])
    def serve(pixels):
        return {"pool_3": pixels[:, 0, 0], "logits": pixels[:, -1, -1]}

    module.serve = serve
    tf.saved_model.save(module, str(path.parent), signatures={"serving_default": serve})


def _read_inception(path):
    features = InceptionFeatures(path=str(path.parent))
    features.fingerprint()
    features.check()


def _genotype(load, name):
    return lambda path: load(name).save(path)


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


def _labels(path):
    path.write_text(json.dumps({"labels": [["a/0.png", 0], ["a/1.png", 1]]}))


def _hashes(folder):
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    (folder / "a.txt").write_text("a")
    os.utime(folder / "a.txt", (1e9, 1e9))
    kept = hashes.FileHashes(folder)
    kept._new["a.txt"] = hashes._state(folder / "a.txt"), b"\0" * 32
    kept.remember(["a.txt"])
    return kept._path()


def _read_hashes(path):
    """A kept hash, which is not that of the file here, or the file's own."""
    folder = path.parents[3]
    found = hashes.FileHashes(folder).digest("a.txt")
    assert found in (b"\0" * 32, hashlib.sha256(b"a").digest())


def _headers(folder):
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    _image("PNG")(folder / "a.png")
    os.utime(folder / "a.png", (1e9, 1e9))
    kept = FileHeaders(folder, ["a.png"])
    kept.of([0])
    kept._keep[:] = True
    kept.remember()
    return hashes.cache_file("headers", kept.root)


def _read_headers(path):
    """What is kept of a file, or its own header."""
    sizes, gray, bad = FileHeaders(path.parents[3], ["a.png"]).of([0])
    assert (sizes.shape, sizes.dtype, gray.dtype, bad) == ((1, 2), np.int32, bool, {})


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


def _image(kind, **options):
    def write(path):
        noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (12, 12, 3), np.uint8))
        file = io.BytesIO()
        noise.save(file, kind, **options)
        path.write_bytes(file.getvalue())

    return write


def _read_image(path):
    image = open_image(path)
    header(image)
    decode(image, 3)


class FuzzSquares(tfds.core.GeneratorBasedBuilder):
    """Eight images of two classes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(8, 8, 3)),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(8):
            yield i, {"image": np.full((8, 8, 3), 10 * i, np.uint8), "label": i % 2}


def _prepared(kind, pattern):
    """`make` of a prepared data set's one file of a pattern."""

    def make(folder):
        FuzzSquares(data_dir=str(folder), file_format=kind).download_and_prepare()
        (path,) = Path(folder).rglob(pattern)
        return path

    return make


def _read_prepared(path):
    folder = str(path.parents[2])
    dataset = Dataset("tfds:fuzz_squares", data_dir=folder, batch_size=2, resolution=8, on_bad_image="skip")
    list(dataset.reference("train"))


READERS = [
    Reader("npz", _in("set.npz", _npz(np.savez)), _read_npz, 3),
    Reader("npz compressed", _in("set.npz", _npz(np.savez_compressed)), _read_npz, 3),
    Reader("checkpoint", _in("step_00000004.npz", _write_checkpoints), _read_checkpoints, 3),
    Reader("statistics", _in("reference.npz", _statistics), Statistics.load),
    Reader("fixed samples", _in("fixed_samples.npz", _fixed_samples), _read_fixed_samples),
    Reader("digits classifier", _in("classifier.npz", _classifier), _read_classifier, 0.3),
    Reader("own classifier", _in("own.keras", _own_classifier), lambda p: ClassifierFeatures(p).check(), 0.1),
    Reader("inception", _in("saved_model.pb", _inception), _read_inception, 0.1, named=False),
    Reader("genotype", _in("a.json", _genotype(load_genotype, "alphaGAN_s")), load_genotype),
    Reader("genotype biggan", _in("a.json", _genotype(load_biggan_genotype, "biggan")), load_biggan_genotype),
    Reader(
        "genotype stylegan2",
        _in("a.json", _genotype(load_stylegan2_genotype, "adversarialnas_celeba_micro_w")),
        load_stylegan2_genotype,
    ),
    Reader("nvidia pickle", _in("a.pkl", lambda p: p.write_bytes(NVIDIA.read_bytes())), read_stylegan2),
    Reader("classes", _in("list.txt", lambda p: p.write_text("# two\n1\nn02085620\n")), read_classes),
    Reader("metrics", _in("metrics.jsonl", _lines(ROWS)), _read_rows, named=False),
    Reader("search history", _in("search.jsonl", _lines(SEARCHED)), lambda p: files.JsonLines(p).read()),
    Reader("gin", _in("a.gin", lambda p: p.write_text(GIN)), _read_gin, named=False),
    Reader("gin included", _in("a.gin", lambda p: p.write_text(GIN)), _read_included, 0.5, named=False),
    Reader("operative", _in("operative.gin", _taken_up), _read_taken_up, named=False),
    Reader("data", _in("data.json", _taken_up), _read_taken_up, named=False),
    Reader(
        "data, many",
        _in("data.json", lambda p: _taken_up(p, MANY)),
        lambda p: _read_taken_up(p, MANY),
        0.5,
        named=False,
    ),
    Reader("run's classes", _in("classes.json", _classes), lambda p: classes.read(p.parent)),
    Reader("dataset.json", _in("dataset.json", _labels), lambda p: read_labels(p, ["a/0.png", "a/1.png"])),
    Reader("hashes", _hashes, _read_hashes),
    Reader("headers", _headers, _read_headers),
    Reader("zip", _in("x.zip", fuzz_packed.make_zip), fuzz_packed.read_zip),
    Reader("manifest", fuzz_packed.part_of_packed("manifest.json"), fuzz_packed.read_packed, named=False),
    Reader("index", fuzz_packed.part_of_packed("*.npz"), fuzz_packed.read_packed),
    Reader("shard", fuzz_packed.part_of_packed("*.array_record"), fuzz_packed.read_packed),
    Reader("run, operative", _in("run/operative.gin", _run), _read_run, 0.5),
    Reader("run, metrics", _in("run/metrics.jsonl", _run), _read_run, 0.5),
    Reader("run, spectra", _in("run/spectra/step_00000030.json", _run), _read_run, 0.5),
    Reader("run, curves", _in("run/train/events.out.tfevents.1.host", _run), _read_run, 0.5),
    Reader("spectra", _in("run/spectra/step_00000030.json", _run), _read_figure, 0.1),
    Reader("events", _in("run/train/events.out.tfevents.1.host", _run), _read_events, 0.5),
    Reader("stamp", _in("a/seed_0.json", _stamp), _read_stamp, 0.5),
    Reader(
        "export step",
        _in("export/assets.extra/step.txt", lambda p: p.write_text("12\n")),
        _read_export_step,
        0.5,
    ),
    Reader("lock", _in("train.lock", lambda p: p.write_text("12\n")), _read_lock, 0.2),
    Reader(
        "TF_CONFIG", _in("c.json", lambda p: p.write_text(json.dumps(CLUSTER))), _read_cluster, named=False
    ),
    Reader("png", _in("a.png", _image("PNG")), _read_image, named=False),
    Reader("jpeg", _in("a.jpg", _image("JPEG")), _read_image, named=False),
    Reader("webp", _in("a.webp", _image("WEBP")), _read_image, named=False),
    Reader("gif", _in("a.gif", _image("GIF")), _read_image, 0.5, named=False),
    Reader("bmp", _in("a.bmp", _image("BMP")), _read_image, 0.5, named=False),
    Reader("tfrecord", _prepared("tfrecord", "*.tfrecord*"), _read_prepared, 0.1, named=False),
    Reader("array record", _prepared("array_record", "*.array_record*"), _read_prepared, 0.1, named=False),
    Reader("tfds info", _prepared("array_record", "dataset_info.json"), _read_prepared, 0.1, named=False),
]
