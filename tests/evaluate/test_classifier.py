"""A classifier of one's own: its file, the features it gives, and what is refused."""

import json
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

from tfgans.config import ConfigError
from tfgans.evaluate import classifier, resizing
from tfgans.evaluate.classifier_features import ClassifierFeatures

ABOUT = {"name": "own", "class_names": ["a", "b", "c"], "accuracy": 0.5, "class_accuracy": [0.5, None, 0.5]}


def written(path, channels=3):
    keras.utils.set_random_seed(0)
    model = classifier.network((8, 8, channels), 3)
    classifier.save(model, path, ABOUT)
    return model


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """`(path, model)` of an untrained classifier of RGB images of 8x8."""
    path = tmp_path_factory.mktemp("classifier") / "file.keras"
    return path, written(path)


def pictures(size=8, channels=3, count=3):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, channels)).astype(np.uint8)


def test_widths_follow_the_size_of_maps():
    shapes = {layer.output.shape[1:] for layer in classifier.network((28, 28, 1), 10).layers[2:]}
    assert {(28, 28, 16), (14, 14, 32), (7, 7, 64), (4, 4, 128), (2048,), (128,), (10,)} == shapes
    sides = {layer.output.shape[1:] for layer in classifier.network((64, 64, 3), 2).layers[2:]}
    assert {(64, 64, 16), (32, 32, 16), (16, 16, 32), (8, 8, 64), (4, 4, 128)} < sides


def test_a_width_of_ones_own(tmp_path):
    """48 channels at 4x4, about half as many at twice the sides: powers of two, at least 16."""
    keras.utils.set_random_seed(0)
    model = classifier.network((32, 32, 3), 36, width=48)
    shapes = {layer.output.shape[1:] for layer in model.layers[2:]}
    assert {(32, 32, 16), (16, 16, 16), (8, 8, 32), (4, 4, 48), (768,), (48,), (36,)} == shapes
    classifier.save(model, tmp_path / "own.keras", ABOUT | {"class_names": list(map(str, range(36)))})
    features = ClassifierFeatures(tmp_path / "own.keras")
    assert features(pictures(32))["features"].shape == (3, 48)
    about, _ = classifier.read_about(tmp_path / "own.keras")
    assert (about["width"], about["shape"]) == (48, [32, 32, 3])


def test_an_older_file_has_the_usual_width(own, tmp_path):
    def without(name, content):
        if name != "metadata.json":
            return content
        found = json.loads(content)
        assert found["classifier"].pop("width") == 128
        return json.dumps(found).encode()

    entries(own[0], tmp_path / "older.keras", without)
    assert ClassifierFeatures(tmp_path / "older.keras")(pictures())["features"].shape == (3, 128)


def test_features_and_logits_are_those_of_the_file(own):
    path, model = own
    features = ClassifierFeatures(str(path), batch_size=2)
    outputs = features(pictures())
    logits = model(pictures().astype(np.float32), training=False)
    np.testing.assert_allclose(outputs["logits"], logits, atol=1e-5)
    assert outputs["features"].shape == (3, 128) and outputs["features"].dtype == np.float32
    kernel, bias = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(outputs["features"] @ kernel + bias, logits, atol=1e-4)
    digest = features.fingerprint()
    assert features.name == f"classifier_own_{digest[:8]}" and len(digest) == 64
    assert (features.class_names, features.shape, features.accuracy) == (["a", "b", "c"], [8, 8, 3], 0.5)


def test_the_file_is_one_that_keras_opens(own):
    path, model = own
    opened = keras.models.load_model(path)
    np.testing.assert_array_equal(opened.predict(pictures(), verbose=0), model.predict(pictures(), verbose=0))


def test_other_sizes_and_channels_come_by_the_rule(own, tmp_path):
    path, model = own
    features = ClassifierFeatures(str(path))
    squashed = resizing.bicubic_uint8(pictures(13), 8).astype(np.float32)
    found = features(pictures(13))["logits"]
    np.testing.assert_allclose(found, model(squashed, training=False), atol=1e-5)
    repeated = pictures(channels=1).repeat(3, axis=-1)
    np.testing.assert_allclose(
        features(pictures(channels=1))["logits"], features(repeated)["logits"], atol=1e-5
    )
    gray_model = written(tmp_path / "gray.keras", channels=1)
    gray = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in pictures()])[..., None]
    found = ClassifierFeatures(tmp_path / "gray.keras")(pictures())["logits"]
    np.testing.assert_allclose(found, gray_model(gray.astype(np.float32), training=False), atol=1e-5)
    with pytest.raises(ConfigError, match="classifier_own_.* needs images with 1 or 3 channels"):
        features(np.zeros((1, 8, 8, 5), np.uint8))


def test_the_same_classifier_is_the_same_file_and_name(own, tmp_path):
    path, model = own
    written(tmp_path / "again.keras")
    assert (tmp_path / "again.keras").read_bytes() == path.read_bytes()
    model.get_layer("logits").bias.assign([1.0, 0.0, 0.0])
    classifier.save(model, tmp_path / "other.keras", ABOUT)
    model.get_layer("logits").bias.assign([0.0, 0.0, 0.0])
    names = {ClassifierFeatures(tmp_path / f"{stem}.keras").name for stem in ("again", "other")}
    assert len(names) == 2 and ClassifierFeatures(path).name in names


def test_accuracies_by_hand(own):
    _, model = own
    images = pictures(count=20)
    found = np.argmax(model(images.astype(np.float32), training=False), axis=1)
    labels = found.copy()
    labels[:2] = (found[:2] + 1) % 3  # two are wrong
    labels[-3:] = -1  # and three are of no known class
    of_classes, accuracy = classifier.accuracies(
        model, [(images[:7], labels[:7]), (images[7:], labels[7:])], 4
    )
    assert accuracy == pytest.approx(15 / 17)
    for k in range(3):
        known = labels[:17] == k
        expected = np.mean(found[:17][known] == k) if known.any() else np.nan
        assert of_classes[k] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(of_classes[3])


def entries(path, target, spoil):
    """A copy of an archive, its members changed by `spoil(name, bytes)`."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, spoil(name, old.read(name)))


def test_what_is_no_such_file_is_one_line(own, tmp_path):
    path, model = own

    def metadata(change):
        def spoil(name, content):
            if name != "metadata.json":
                return content
            about = json.loads(content)
            change(about)
            return json.dumps(about).encode()

        return spoil

    def file(name):
        return tmp_path / f"{name}.keras"

    model.save(file("foreign"))
    file("cut").write_bytes(path.read_bytes()[:-100])
    file("text").write_text("no zip")
    entries(path, file("nameless"), metadata(lambda m: m["classifier"].pop("name")))
    entries(path, file("path"), metadata(lambda m: m["classifier"].update(name="../own")))
    entries(path, file("flat"), metadata(lambda m: m["classifier"].update(shape=[8, 8])))
    entries(path, file("four"), metadata(lambda m: m["classifier"].update(shape=[8, 8, 4])))
    entries(path, file("large"), metadata(lambda m: m["classifier"].update(shape=[16, 16, 3])))
    entries(path, file("narrow"), metadata(lambda m: m["classifier"].update(width=64)))
    entries(path, file("short"), metadata(lambda m: m["classifier"].update(class_names=["a", "b"])))
    entries(path, file("empty"), lambda name, content: content if name != "model.weights.h5" else b"")
    for name, message in (
        ("none", "ClassifierFeatures.path: there is no file .*none.keras"),
        ("foreign", "foreign.keras is no classifier that launch/classifier.py wrote; see KerasFeatures"),
        ("cut", "cut.keras cannot be read as a classifier"),
        ("text", "text.keras cannot be read as a classifier: File is not a zip file"),
        ("nameless", "nameless.keras cannot be read as a classifier: it has no 'name'"),
        ("path", "path.keras cannot be read as a classifier: its name is '../own'"),
        ("flat", r"flat.keras cannot be read as a classifier: its images are \[8, 8\]"),
        ("four", r"its images are \[8, 8, 4\]"),
        ("large", "large.keras cannot be read as a classifier"),
        ("narrow", r"narrow.keras cannot be read as a classifier: it gives .*\(1, 128\)"),
        ("short", r"short.keras cannot be read as a classifier: it gives .*\(1, 3\)"),
        ("empty", "empty.keras cannot be read as a classifier"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            ClassifierFeatures(str(file(name))).check()
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="there is no file /"):
        ClassifierFeatures("~/no_such_classifier.keras")
