"""Exported generators: what they give where they run, what is refused, and that nothing wrong is left behind."""

import json
import os
import re
import stat

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import families

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.networks.stylegan2 import stylegan2_generator
from tfgans.run import export_formats, exporting
from tfgans.run.export_formats import LiteRT, Onnx, SavedModel, TensorFlowJS


def trial_of(generator, num_classes=None):
    model = GAN(generator, families.critic(generator.outputs[0].shape[1:]), num_classes=num_classes)
    return exporting.Trial(model, exporting.exported(model, generator))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "writers"),
    [
        ("biggan", 3, (Onnx, LiteRT)),
        ("stylegan2", None, (Onnx, LiteRT)),
        ("autogan", None, (Onnx,)),
        ("octave", None, (LiteRT,)),
        ("mlp", 3, (Onnx,)),
    ],
)
def test_families_give_kerass_images_where_they_run(name, classes, writers, tmp_path):
    generator = families.shaken(families.FAMILIES[name]())
    trial = trial_of(generator, classes)
    assert trial.wanted.shape == (64, *generator.outputs[0].shape[1:]) and trial.wanted.std() > 1e-3
    for writer in writers:
        told = trial(writer(), tmp_path)
        assert 0 <= told["mean_error"] <= told["max_error"] <= 1e-4
        assert told["bytes"] == (tmp_path / told["file"]).stat().st_size > 0
        assert told["ms_per_image"] > 0


@pytest.mark.slow
def test_what_is_no_square_is_exported_with_its_channels(tmp_path):
    generator = stylegan2_generator((6, 12), 4, latent_dim=4, style_dim=4, max_channels=4, mapping_layers=1)
    trial = trial_of(families.shaken(generator))
    assert trial.wanted.shape == (64, 6, 12, 4)
    for writer in (Onnx(), LiteRT()):
        assert trial(writer, tmp_path)["max_error"] <= 1e-4


@pytest.mark.parametrize(("stage", "alpha"), [(0, 1.0), (1, 0.3)])
def test_a_network_that_grows_is_exported_as_far_as_it_is(stage, alpha, tmp_path):
    generator = families.shaken(families.FAMILIES["progan"]())
    synthesis = generator.get_layer("synthesis")
    synthesis.stage.assign(stage)
    synthesis.alpha.assign(alpha)
    trial = trial_of(generator)
    expected = generator(trial.given["latents"]).numpy()  # its images are in (-1, 1) but for those of stage 0
    np.testing.assert_allclose(trial.wanted, np.clip(expected, -1, 1), atol=1e-6)
    for writer in (Onnx(), LiteRT()) if stage else ():
        assert trial(writer, tmp_path)["max_error"] <= 1e-4


def test_images_are_clipped_and_points_are_not():
    for shape, top in (((4, 4, 1), 1.0), ((2,), None)):
        latents = keras.Input((3,))
        units = int(np.prod(shape))
        outputs = keras.layers.Reshape(shape)(keras.layers.Dense(units, kernel_initializer="ones")(latents))
        trial = trial_of(keras.Model(latents, outputs))
        sums = np.broadcast_to(trial.given["latents"].sum(1).reshape(64, *[1] * len(shape)), (64, *shape))
        assert np.abs(sums).max() > 1
        expected = sums if top is None else np.clip(sums, -top, top)
        np.testing.assert_allclose(trial.wanted, expected, atol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
class Factored(keras.layers.Layer):
    def call(self, x):
        return tf.linalg.cholesky(x[:, :, None] * x[:, None] + 4.0 * tf.eye(4))[:, 0]


def test_an_operation_that_a_format_lacks_is_named_with_its_layer(tmp_path):
    latents = keras.Input((4,))
    outputs = keras.layers.Dense(2, name="after")(Factored(name="factored")(latents))
    trial = trial_of(keras.Model(latents, outputs, name="made"))
    for writer, name in ((Onnx(), "ONNX"), (LiteRT(), "LiteRT")):
        with pytest.raises(
            ValueError,
            match=rf"^{name} has no operation Cholesky, which made\w*/factored\w*/Cholesky\w* needs$",
        ) as caught:
            trial(writer, tmp_path)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_quantized_files_are_smaller_and_further_off(tmp_path):
    random = np.random.default_rng(0)
    latents = keras.Input((8,))
    x = keras.layers.Dense(4 * 4 * 32)(latents)
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(keras.layers.Reshape((4, 4, 32))(x))
    generator = keras.Model(latents, keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(x))
    for weight in generator.weights:
        weight.assign(random.normal(size=weight.shape) * 0.1)
    trial = trial_of(generator)
    exact, half, eighth = (trial(LiteRT(kind), tmp_path) for kind in (None, "float16", "int8"))
    assert exact["bytes"] > 1.5 * half["bytes"] and half["bytes"] > 1.1 * eighth["bytes"]
    assert exact["max_error"] < 1e-5 < half["max_error"] < eighth["max_error"]
    assert half["mean_error"] < 1e-3 and eighth["mean_error"] < 0.05


class Wrong(SavedModel):
    """A format whose files give what is said."""

    def __init__(self, change, exact=True):
        self.change, self.exact = change, exact

    def opened(self, path):
        import contextlib

        return contextlib.nullcontext(lambda **given: self.change(given["latents"]))

    def write(self, network, signature, path):
        path.mkdir()
        (path / "file").write_bytes(b"12345")


@pytest.fixture(scope="module")
def straight():
    """A trial whose outputs are the latents."""
    latents = keras.Input((2,))
    generator = keras.Model(latents, keras.layers.Activation("linear")(latents))
    return trial_of(generator)


@pytest.mark.parametrize(
    ("change", "exact", "said"),
    [
        (lambda x: x + 2e-4, True, "its images are 0.0002 off Keras's, and 0.0001 is allowed"),
        (lambda x: x + 5e-5, True, None),
        (lambda x: x + 0.11, False, "its images are 0.11 off Keras's on average, and 0.1 is allowed"),
        (lambda x: x + 0.09, False, None),
        (lambda x: x * np.nan, True, "its images are inf off"),
        (lambda x: x[:, :1], True, r"it gives \[64, 1\], Keras gives \[64, 2\]"),
        (lambda x: x + (len(x) > 1), True, "its images are 1 off"),
        (lambda x: x + (len(x) == 1), True, "its images are 1 off"),
    ],
)
def test_what_is_wrong_in_any_way_is_refused(straight, tmp_path, change, exact, said):
    writer = Wrong(change, exact)
    if said is None:
        assert straight(writer, tmp_path)["bytes"] == 5
        return
    with pytest.raises(ValueError, match=said):
        straight(writer, tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"formats": ["onnx", "pdf"]}, "--formats are of saved_model, onnx, litert, tfjs. Received: 'pdf'"),
        ({"formats": []}, "--formats are of saved_model, onnx, litert, tfjs. Received: none"),
        ({"quantize": ["int4"]}, "--quantize are of float16, int8. Received: 'int4'"),
        (
            {"formats": ["onnx"], "quantize": ["int8"]},
            "--quantize is for LiteRT: --formats has no litert. Received: onnx",
        ),
    ],
)
def test_mistakes_are_refused_before_the_run_is_loaded(tmp_path, options, said):
    with pytest.raises(ConfigError) as caught:
        exporting.export(tmp_path / "none", tmp_path / "out", **options)
    assert str(caught.value) == said
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_take_files_is_refused_before_the_run_is_loaded(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file/out cannot be written to: .*file is not a folder"):
        exporting.export(tmp_path / "none", tmp_path / "file" / "out", ["saved_model"])
    (tmp_path / "generator.onnx").touch()
    with pytest.raises(
        ConfigError, match="holds generator.onnx of an earlier export: choose .* or --overwrite"
    ):
        exporting.export(tmp_path / "none", tmp_path, ["saved_model"])


def test_what_is_not_installed_is_named(tmp_path, monkeypatch):
    found = export_formats.importlib.util.find_spec
    gone = lambda name: None if name in ("tf2onnx", "ai_edge_litert") else found(name)  # noqa: E731
    monkeypatch.setattr(export_formats.importlib.util, "find_spec", gone)
    for options, said in (
        ({"formats": ["onnx"]}, "--formats=onnx needs tf2onnx: pip install 'tfgans[export]'"),
        ({"formats": ["litert"]}, "--formats=litert needs ai_edge_litert: pip install 'tfgans[export]'"),
    ):
        with pytest.raises(ConfigError) as caught:
            exporting.export(tmp_path / "none", tmp_path / "out", **options)
        assert str(caught.value) == said


CONVERTER = """#!/bin/sh
test -f "$3/saved_model.pb" || exit 7
test "$FAILS" && { echo 'what went wrong' >&2; exit 1; }
mkdir "$4" && echo "$1 $2" > "$4/model.json"
"""
NODE = """#!/bin/sh
case "$2" in require.resolve*) exit ${NO_PACKAGE:-0};; esac
test "$DIES" && { echo 'Error: no such kernel' >&2; exit 1; }
echo '"4.22.0"'
while read line; do case "$line" in
  *'[1, 3]'*) echo '[[0, 0], [1, 2]]';;
  *'[4, 3]'*) echo '[[0, 0, 0, 0, 0, 0, 0, 0], [4, 2]]';;
esac; done
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A converter and a Node.js that stand in for the real ones; they know networks whose outputs are 0."""
    for name, text in (("tensorflowjs_converter", CONVERTER), ("node", NODE)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path / "bin"


def test_tensorflow_js_by_way_of_its_programs(programs, tmp_path, monkeypatch):
    latents = keras.Input((3,))
    zeros = keras.layers.Dense(2, kernel_initializer="zeros")(latents)
    trial, writer = trial_of(keras.Model(latents, zeros)), TensorFlowJS()
    assert writer.missing() is None
    (tmp_path / "one").mkdir()
    told = trial(writer, tmp_path / "one")
    assert (told["file"], told["max_error"], told["runtime"]) == ("tfjs", 0.0, "tensorflow.js 4.22.0")
    assert (tmp_path / "one/tfjs/model.json").read_text().split() == [
        "--input_format=tf_saved_model", "--output_format=tfjs_graph_model",
    ]  # fmt: skip
    for variable, said in (("FAILS", "tensorflowjs_converter failed: what went wrong"),
                           ("DIES", "TensorFlow.js cannot run it: Error: no such kernel")):  # fmt: skip
        monkeypatch.setenv(variable, "yes")
        (tmp_path / variable).mkdir()
        with pytest.raises(ValueError, match=said):
            trial(writer, tmp_path / variable)
        monkeypatch.delenv(variable)
    monkeypatch.setenv("NO_PACKAGE", "1")
    assert "npm install @tensorflow/tfjs" in writer.missing()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "tfjs/bin/pip install tensorflowjs==4.22.0" in writer.missing() and "\n" not in writer.missing()
    with pytest.raises(ConfigError, match="--formats=tfjs needs tensorflowjs_converter, which does"):
        exporting.export(tmp_path / "none", tmp_path / "out", ["tfjs"])


def test_what_an_earlier_export_left_is_replaced_and_other_files_stay(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("generator.onnx", "export.json", "mine.txt", "generator_int8.tflite"):
        (folder / name).write_text("old")
    (folder / ".export.part123").mkdir()  # of a process that was killed
    latents = keras.Input((2,))
    model = GAN(keras.Model(latents, keras.layers.Dense(2)(latents)), families.critic((2,)))
    monkeypatch.setattr(exporting.Which, "load", lambda which, folder: (model, 7))
    report = exporting.export(tmp_path, folder, ["saved_model"], overwrite=True)
    assert sorted(os.listdir(folder)) == ["export.json", "mine.txt", "saved_model"]
    assert json.loads((folder / "export.json").read_text()) == report
    assert (report["step"], report["latent_dim"], report["num_classes"], report["image_shape"]) == (
        7,
        2,
        None,
        [2],
    )
    assert report["failed"] == {} and report["formats"]["saved_model"]["max_error"] == 0.0
    monkeypatch.setattr(exporting, "LARGEST_ERROR", -1.0)
    report = exporting.export(tmp_path, folder, ["saved_model"], overwrite=True)
    assert report["formats"] == {} and "its images are 0 off" in report["failed"]["saved_model"]
    assert sorted(os.listdir(folder)) == ["export.json", "mine.txt"]


def test_what_another_export_wrote_meanwhile_stays(tmp_path, monkeypatch):
    def overtaken(writer, network, signature, path):
        (tmp_path / "out" / "export.json").write_text("another's")
        written(writer, network, signature, path)

    latents, written = keras.Input((2,)), SavedModel.write
    model = GAN(keras.Model(latents, keras.layers.Dense(2)(latents)), families.critic((2,)))
    monkeypatch.setattr(exporting.Which, "load", lambda which, folder: (model, 7))
    monkeypatch.setattr(SavedModel, "write", overtaken)
    with pytest.raises(ConfigError, match="out holds export.json of an earlier export"):
        exporting.export(tmp_path, tmp_path / "out", ["saved_model"])
    assert os.listdir(tmp_path / "out") == ["export.json"]
    assert (tmp_path / "out" / "export.json").read_text() == "another's"


def test_a_folder_in_which_tensorflow_opens_no_saved_model_is_refused_at_once(tmp_path):
    for name, said in (("run[1]", "has [1] in its name"), ("a\\b", "has \\ in its name")):
        with pytest.raises(ConfigError, match=re.escape(said)):
            exporting.export(tmp_path / "no_run", tmp_path / name / "out", ["saved_model"])
        with pytest.raises(ConfigError, match="no_run"):
            exporting.export(tmp_path / "no_run", tmp_path / name / "out", ["litert"])
        inner = keras.Input((2,))
        keras.Model(inner, keras.layers.Dense(2)(inner)).export(tmp_path / name, verbose=False)
        with pytest.raises(Exception, match="Failed to find any matching files"):  # if not, take the rule out
            tf.saved_model.load(str(tmp_path / name))


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    latents = keras.Input((2,))
    model = GAN(keras.Model(latents, keras.layers.Dense(2)(latents)), families.critic((2,)))
    monkeypatch.setattr(exporting.Which, "load", lambda which, folder: (model, 7))
    monkeypatch.setattr(SavedModel, "write", full)
    with pytest.raises(OSError, match="No space left"):
        exporting.export(tmp_path, tmp_path / "out", ["saved_model"])
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_an_earlier_export(tmp_path, monkeypatch):
    """TensorFlow's own error has it in words alone, and converters wrap it."""

    def full(*_):
        try:
            raise tf.errors.ResourceExhaustedError(
                None, None, "x/variables; No space left on device [Op:SaveV2]"
            )
        except tf.errors.ResourceExhaustedError as error:
            raise ValueError("the converter failed") from error

    latents = keras.Input((2,))
    model = GAN(keras.Model(latents, keras.layers.Dense(2)(latents)), families.critic((2,)))
    monkeypatch.setattr(exporting.Which, "load", lambda which, folder: (model, 7))
    exporting.export(tmp_path, tmp_path / "out", ["saved_model"])
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    monkeypatch.setattr(SavedModel, "write", full)
    with pytest.raises(OSError, match="No space left"):
        exporting.export(tmp_path, tmp_path / "out", ["saved_model"], overwrite=True)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
