"""`launch/export.py`: a run's generator in formats of other places, each compared with Keras."""

import dataclasses
import re
import shutil
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgans import files, filling, progress, readers
from tfgans.config import ConfigError
from tfgans.gan import takes_labels
from tfgans.run import build
from tfgans.run.after import Which
from tfgans.run.export_formats import LiteRT, Onnx, SavedModel, TensorFlowJS
from tfgans.run.folder import refuse_other_bytes

LATENTS = 64  # that each file is tried with
LARGEST_ERROR = 1e-4  # of a value in [-1, 1]
LARGEST_MEAN_ERROR = 0.1  # of quantized ones, beyond which the pictures are others
REPORT = "export.json"
_TOGETHER = 4  # images at a time where not one by one
_FORMATS = {"saved_model": SavedModel, "onnx": Onnx, "litert": LiteRT, "tfjs": TensorFlowJS}
_QUANTIZED = ("float16", "int8")
_PART = ".export.part"


def export(
    model_dir, output_dir, formats=("saved_model", "onnx", "litert"), quantize=(), overwrite=False, **which
):
    """Writes a run's generator into a folder in several formats; returns what `export.json` there says.

    What is exported takes `latents` float32 [N, latent_dim], and `labels` int32 [N] if the generator has classes,
    and gives `images` float32 [N, H, W, C], clipped to [-1, 1], or `points` [N, D]; N is free. Each file is tried in
    its own runtime with 64 latents, one at a time and four at a time. One that fails, or is off by more than
    `LARGEST_ERROR` anywhere or, quantized, `LARGEST_MEAN_ERROR` on average, is not left behind.

    Args:
        formats: of saved_model, onnx, litert and tfjs.
        quantize: of float16 and int8: further LiteRT files with smaller weights.
        overwrite: replace what an earlier export left; other files always stay.
        which: see `Which`. A run of mixed precision is exported in float32.
    Returns: {"step", "latent_dim", "num_classes", "image_shape", "latents": how many it was tried with, "formats":
        {name: {"file", "bytes", "max_error", "mean_error", "ms_per_image", "runtime"}}, "failed": {name: why}}.
    Raises: ConfigError if a value leaves its range, something is not installed, or the folder cannot be written to or
        holds an export; before the run is loaded. OSError if the disk is full; an earlier export is then left.
    """
    writers = _writers(formats, quantize)
    folder = _checked_folder(output_dir, overwrite)
    _refuse_pattern(folder, formats)
    which = Which(**which)
    which = dataclasses.replace(which, gin_params=(*which.gin_params, "numerics.precision = 'float32'"))
    model, step = which.load_alone(model_dir)
    found, failed = {}, {}
    with filling.part_of(folder, _PART) as part, model.shown() as generator:
        network = exported(model, generator)
        with progress.phase(f"making {LATENTS} images by Keras, to compare with"):
            trial = Trial(model, network)
        for name, writer in writers.items():
            try:
                with progress.quiet(), progress.phase(f"exporting {writer.file}"):
                    found[name] = trial(writer, part)
            except Exception as error:
                files.raise_fault_of_disk(error)
                failed[name] = readers.reason(error)
                _remove(part / writer.file)
        report = _about(model, network, step) | {"formats": found, "failed": failed}
        files.write_text(part / REPORT, build.to_json(report) + "\n")
        _refuse_earlier(folder, overwrite)  # that may have come meanwhile
        made = sorted(part.iterdir(), key=lambda path: path.name == REPORT)  # the report last
        filling.put(made, _earlier(folder), part)
    return report


def _about(model, network, step):
    return {
        "step": step,
        "latent_dim": model.latent_dim,
        "num_classes": model.num_classes if len(network.inputs) > 1 else None,
        "image_shape": list(model.sample_shape),
        "latents": LATENTS,
    }


def exported(model, generator):
    """The Keras model that is exported; see `export`. Its weights are those of `generator`."""
    inputs = [keras.Input((model.latent_dim,), dtype="float32", name="latents")]
    if takes_labels(generator, model.num_classes):
        inputs.append(keras.Input((), dtype="int32", name="labels"))
    layer = _Shown(model, generator)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], layer(inputs), name="exported")


class _Shown(keras.layers.Layer):
    """[latents, labels] -> what is exported.

    Numbers that do not train, such as the stage of a network that grows, are constants of the graph: formats for
    inference have no variables, and what is chosen by them is chosen when it is exported.
    """

    def __init__(self, model, generator):
        super().__init__(name="images", autocast=False)
        self.generator = generator  # tracked, for its weights; the model, with its optimizers, is not
        numbers = [(v, v.numpy()) for v in generator.non_trainable_variables if len(v.shape) == 0]
        points = len(model.sample_shape) == 1
        self.key, shape = ("points" if points else "images"), (None, *model.sample_shape)

        def render(latents, labels=None):
            with keras.StatelessScope(state_mapping=[(v, tf.constant(number)) for v, number in numbers]):
                images = model.synthesize({"latents": latents, "labels": labels}, generator=generator)
            return images if points else tf.clip_by_value(images, -1.0, 1.0)

        self.render, self.spec = render, (lambda: keras.KerasTensor(shape, "float32"))

    def call(self, inputs):
        return {self.key: self.render(*inputs)}

    def compute_output_spec(self, inputs):
        return {self.key: self.spec()}


class Trial:
    """Writes files and tries each with the same latents, the first of the stream of seed 0, and labels of that."""

    def __init__(self, model, network):
        self.network = network
        self.given = {"latents": model.latents_at(0, LATENTS, 0)}
        if len(network.inputs) > 1:
            self.given["labels"] = model.labels_at(0, LATENTS, None, 0, 0).astype("int32")
        specs = [tf.TensorSpec((None, *v.shape[1:]), v.dtype, name) for name, v in self.given.items()]
        self.signature = [specs] if len(specs) > 1 else specs
        self.wanted, _ = self._outputs(tf.function(self._keras, autograph=False), _TOGETHER)

    def _keras(self, **given):
        inputs = [given["latents"], given["labels"]] if "labels" in given else given["latents"]
        (outputs,) = self.network(inputs).values()
        return outputs

    def _outputs(self, run, size):
        """`(outputs for all latents, seconds for an image)` by `size` at a time; the seconds are a median."""
        outputs, took = [], []
        for start in range(0, LATENTS, size):
            part = {name: value[start : start + size] for name, value in self.given.items()}
            began = time.perf_counter()
            outputs.append(np.asarray(run(**part)))
            took.append((time.perf_counter() - began) / size)
        return np.concatenate(outputs), float(np.median(took))

    def __call__(self, writer, folder):
        """Writes a file; returns what `export` tells of it. Raises: ValueError if it is not to be used."""
        path = folder / writer.file
        writer.write(self.network, self.signature, path)
        with writer.opened(path) as run:
            single, seconds = self._outputs(run, 1)
            together, _ = self._outputs(run, _TOGETHER)
        apart = [difference(images, self.wanted) for images in (single, together)]
        largest, mean = (max(values) for values in zip(*apart, strict=True))
        limit, error = (LARGEST_ERROR, largest) if writer.exact else (LARGEST_MEAN_ERROR, mean)
        if not error <= limit:
            kind = "" if writer.exact else " on average"
            raise ValueError(f"its images are {error:.3g} off Keras's{kind}, and {limit:g} is allowed")
        return {
            "file": writer.file,
            "bytes": _size(path),
            "max_error": largest,
            "mean_error": mean,
            "ms_per_image": round(1000 * seconds, 3),
            "runtime": writer.runtime(),
        }


def difference(found, wanted):
    """`(largest, mean)` absolute difference of two arrays; infinite where a number is not finite.

    Raises: ValueError if their shapes differ.
    """
    if found.shape != wanted.shape:
        raise ValueError(f"it gives {list(found.shape)}, Keras gives {list(wanted.shape)}")
    apart = np.abs(np.asarray(found, "float64") - np.asarray(wanted, "float64"))
    return (float(apart.max()), float(apart.mean())) if np.isfinite(apart).all() else (np.inf, np.inf)


def _writers(formats, quantize):
    """`{name: writer}` of what was asked for. Raises: ConfigError if there is no such thing, or not here."""
    for flag, given, allowed in (("formats", formats, _FORMATS), ("quantize", quantize, _QUANTIZED)):
        for name in given:
            if name not in allowed:
                raise ConfigError(f"--{flag} are of {', '.join(allowed)}. Received: {name!r}")
    if not formats:
        raise ConfigError(f"--formats are of {', '.join(_FORMATS)}. Received: none")
    if quantize and "litert" not in formats:
        raise ConfigError(f"--quantize is for LiteRT: --formats has no litert. Received: {','.join(formats)}")
    writers = {name: _FORMATS[name]() for name in formats}
    writers |= {f"litert_{name}": LiteRT(name) for name in quantize}
    for name, writer in writers.items():
        missing = writer.missing()
        if missing:
            raise ConfigError(f"--formats={name.partition('_')[0]} {missing}")
    return writers


def _checked_folder(output_dir, overwrite):
    """The folder as a path. Raises: ConfigError if it cannot be written to, or holds an export."""
    folder = Path(files.expanded(output_dir))
    refuse_other_bytes(folder)
    try:
        files.check_place(folder)
        _refuse_earlier(folder, overwrite)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written to: {error}") from error
    return folder


def _refuse_pattern(folder, formats):
    """Raises ConfigError if a SavedModel in this folder could not be opened: TensorFlow looks for its weights so."""
    found = re.search(r"\\|\[.+\]", str(folder), re.DOTALL)
    if found and "saved_model" in formats:
        raise ConfigError(
            f"{folder} has {found[0]} in its name, which TensorFlow takes for a pattern: it opens no SavedModel "
            "there; choose another folder, or leave saved_model out of --formats"
        )


def _refuse_earlier(folder, overwrite):
    """Raises ConfigError if a folder holds an export that is not to be replaced."""
    made = _earlier(folder)
    if made and not overwrite:
        raise ConfigError(
            f"{folder} holds {made[0].name} of an earlier export: choose another folder, or --overwrite to replace it"
        )


def _earlier(folder):
    """Everything that an export has left in a folder."""
    quantized = [LiteRT(name).file for name in _QUANTIZED]
    others = [writer.file for writer in _FORMATS.values() if writer is not LiteRT]
    names = [REPORT, *others, LiteRT().file, *quantized]
    return [folder / name for name in names if (folder / name).exists()]


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _size(path):
    """Bytes of a file, or of all files of a folder."""
    paths = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in paths if file.is_file())
