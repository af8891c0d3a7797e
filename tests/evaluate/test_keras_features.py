"""Features of any Keras model: what it sees, which layer counts, and what is refused."""

import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate.keras_features import KerasFeatures
from tfgans.evaluate.spatial_features import SpatialFeatures

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A model of 4x4 images: `maps` doubles them, `pooled` is their mean, `classes` two logits."""
    images = keras.Input((4, 4, 3))
    maps = keras.layers.Rescaling(2.0, name="maps")(images)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(maps)
    classes = keras.layers.Dense(2, name="classes", kernel_initializer="ones")(pooled)
    file = tmp_path_factory.mktemp("model") / "own.keras"
    keras.Model(images, classes).save(file)
    return str(file)


def pictures():
    images = np.zeros((3, 4, 4, 3), np.uint8)
    images[1] = 255
    images[2, ..., 1] = 51
    return images


def test_a_layer_and_logits_by_hand(path):
    features = KerasFeatures(path, "own", "pooled", "classes", size=4, batch_size=2, **PLAIN)
    outputs = features(pictures())
    np.testing.assert_allclose(outputs["features"], [[0, 0, 0], [2, 2, 2], [0, 0.4, 0]], atol=1e-6)
    np.testing.assert_allclose(outputs["logits"], [[0, 0], [6, 6], [0.4, 0.4]], atol=1e-6)
    assert features.name == "own"


def test_without_a_layer_it_is_the_output_and_there_are_no_logits(path):
    outputs = KerasFeatures(path, "own", size=4, **PLAIN)(pictures())
    assert list(outputs) == ["features"]
    np.testing.assert_allclose(outputs["features"], [[0, 0], [6, 6], [0.4, 0.4]], atol=1e-6)


def test_mean_and_deviation_of_each_channel(path):
    scale = {"mean": (0.5, 0.0, 0.25), "std": (0.5, 0.25, 1.0)}
    outputs = KerasFeatures(path, "own", "pooled", size=4, **scale)(pictures())
    np.testing.assert_allclose(outputs["features"], [[-2, 0, -0.5], [2, 8, 1.5], [-2, 1.6, -0.5]], atol=1e-6)


@pytest.mark.parametrize(
    ("take", "expected"), [("all", [2.0] * 48), ("mean", [2.0, 2.0, 2.0]), ("first", [0.0, 2.0, 2.0])]
)
def test_what_of_maps_is_taken(path, take, expected):
    image = np.full((1, 4, 4, 3), 255, np.uint8)
    image[0, 0, 0, 0] = 0
    found = KerasFeatures(path, "own", "maps", size=4, take=take, **PLAIN)(image)["features"][0]
    expected = np.array(expected)
    if take == "all":
        expected[0] = 0.0
    if take == "mean":
        expected[0] = 2.0 * 15 / 16
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_gray_images_are_repeated_and_others_resized(path):
    features = KerasFeatures(path, "own", "pooled", size=4, **PLAIN)
    found = features(np.full((2, 9, 7, 1), 51, np.uint8))["features"]
    np.testing.assert_allclose(found, np.full((2, 3), 0.4), atol=1e-6)
    with pytest.raises(ConfigError, match="own needs images with 1 or 3 channels"):
        features(np.zeros((1, 4, 4, 5), np.uint8))
    hidden = np.array([[[[0, 51]]]], np.uint8)  # 0.8 of white, a fifth of black
    np.testing.assert_allclose(features(hidden)["features"], [[1.6] * 3], atol=1e-6)


def test_a_saved_model(path, tmp_path):
    keras.models.load_model(path).export(tmp_path / "exported", verbose=False)
    found = KerasFeatures(str(tmp_path / "exported"), "own", size=4, **PLAIN)(pictures())["features"]
    np.testing.assert_allclose(found, [[0, 0], [6, 6], [0.4, 0.4]], atol=1e-6)


def test_the_fingerprint_is_of_weights_and_rules(path, tmp_path):
    def fingerprint(file=path, **options):
        return KerasFeatures(file, "own", size=4, **options).fingerprint()

    other = keras.models.load_model(path)
    other.layers[-1].set_weights([np.zeros((3, 2)), np.zeros(2)])
    other.save(tmp_path / "other.keras")
    found = {fingerprint(), fingerprint(layer="pooled"), fingerprint(resize="bicubic"), fingerprint(**PLAIN)}
    assert len(found | {fingerprint(str(tmp_path / "other.keras"))}) == 5
    assert fingerprint() in found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "nowhere.keras"}, "KerasFeatures.model: .*nowhere.keras cannot be read"),
        ({"layer": "poled"}, "KerasFeatures.layer: .*own.keras: No such layer: poled"),
        ({"size": 5}, "KerasFeatures.model: .*own.keras does not take images"),
        ({"std": (1.0, 0.0, 1.0)}, "KerasFeatures.std is above 0"),
        ({"resize": "nearest"}, "KerasFeatures.resize is one of asymmetric"),
        ({"model": "preset:dinov2_base"}, "keras-hub is not installed: pip install 'tfgans.features.'"),
    ],
)
def test_what_cannot_be_is_one_line(path, monkeypatch, options, message):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ConfigError, match=message) as error:
        KerasFeatures(**{"model": path, "name": "own", "size": 4} | options).check()
    assert "\n" not in str(error.value)


def test_a_preset_is_keras_hubs_backbone(path, monkeypatch):
    """Not installed here: what is asked of it."""
    asked = []

    class Backbone:
        @staticmethod
        def from_preset(name):
            asked.append(name)
            tokens = keras.layers.Reshape((16, 3))(images := keras.Input((4, 4, 3)))
            return keras.Model(images, tokens)

    models = types.SimpleNamespace(Backbone=Backbone)
    monkeypatch.setitem(sys.modules, "keras_hub", types.SimpleNamespace(models=models))
    features = KerasFeatures("preset:dinov2_large", "dinov2_large", size=4, take="first", **PLAIN)
    image = tf.reshape(tf.range(48), (1, 4, 4, 3)).numpy().astype(np.uint8)
    np.testing.assert_allclose(features(image)["features"], [[0, 1 / 255, 2 / 255]], atol=1e-6)
    assert asked == ["dinov2_large"]


def test_spatial_features_are_the_first_seven_channels_row_by_row(tmp_path):
    images = keras.Input((4, 4, 3))
    maps = keras.layers.Conv2D(9, 2, 2, name="maps", use_bias=False)(images)
    file = str(tmp_path / "wide.keras")
    model = keras.Model(images, keras.layers.GlobalAveragePooling2D()(maps))
    kernel = np.zeros((2, 2, 3, 9), np.float32)
    kernel[0, 0, 0] = np.arange(1, 10)  # channel k is k + 1 times the red of a block's first pixel
    model.get_layer("maps").set_weights([kernel])
    model.save(file)
    features = KerasFeatures(file, "own", spatial_layer="maps", size=4, batch_size=2, **PLAIN)
    image = np.zeros((3, 4, 4, 3), np.uint8)
    image[0, 0, 0, 0], image[0, 0, 2, 0], image[0, 2, 0, 0] = 255, 51, 102
    found = features(image, spatial=True)
    expected = np.outer([1.0, 0.2, 0.4, 0.0], np.arange(1, 8)).ravel()
    np.testing.assert_allclose(found["spatial"], [expected, 0 * expected, 0 * expected], atol=1e-6)
    assert list(found) == ["features", "spatial"] and list(features(image)) == ["features"]
    assert SpatialFeatures(features)(image)["features"].shape == (3, 28)
    names = {SpatialFeatures(KerasFeatures(file, "own", spatial_layer=layer)).fingerprint() for layer in "ab"}
    assert len(names) == 2


def test_spatial_features_that_cannot_be_are_one_line(path, tmp_path):
    images = keras.Input((64, 64, 3))
    maps = keras.layers.Conv2D(8, 1, name="maps")(images)
    keras.Model(images, keras.layers.GlobalAveragePooling2D()(maps)).save(tmp_path / "fine.keras")
    for options, message in (
        ({"spatial_layer": "pooled", "size": 4}, r"spatial features are maps.*Received: \[1, 3\]"),
        ({"spatial_layer": "map", "size": 4}, "KerasFeatures.layer: .*No such layer: map"),
        (
            {"model": str(tmp_path / "fine.keras"), "spatial_layer": "maps", "size": 64},
            "spatial features of 64 x 64 positions are 28672 numbers, more than 8192",
        ),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            KerasFeatures(**{"model": path, "name": "own"} | options).check()
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="sfid needs spatial features, and own has none"):
        SpatialFeatures(KerasFeatures(path, "own", size=4))
