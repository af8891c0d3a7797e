"""Feature extractors: shapes, accuracy of the embedded classifier, Inception from a path or out of reach."""

import time

import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.data.digits import digits_split
from tfgans.evaluate import digits_network, resizing, train_digits_classifier
from tfgans.evaluate.features import DigitsFeatures, InceptionFeatures, PointFeatures
from tfgans.evaluate.spatial_features import SpatialFeatures


def test_the_split_is_fixed_stratified_and_complete():
    train, train_labels, test, test_labels = digits_split()
    assert (train.shape, test.shape, train.dtype) == ((1438, 8, 8), (359, 8, 8), np.uint8)
    assert np.bincount(test_labels).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    assert (np.bincount(train_labels) + np.bincount(test_labels)).sum() == 1797
    assert (train.min(), train.max(), test.max()) == (0, 255, 255)
    first = (train, train_labels, test, test_labels)
    assert all(np.array_equal(a, b) for a, b in zip(first, digits_split(), strict=True))
    seen = {image.tobytes() for image in train}
    assert not any(image.tobytes() in seen for image in test)


def enlarged(size, method, channels):
    _, _, images, labels = digits_split()
    images = tf.image.resize(images[..., None], (size, size), method)
    images = np.clip(np.rint(images), 0, 255).astype(np.uint8)
    return np.repeat(images, channels, axis=-1), labels


@pytest.mark.parametrize(
    "size, method, channels",
    [(8, "nearest", 1), (16, "bilinear", 1), (32, "bilinear", 3), (32, "nearest", 1), (64, "bicubic", 3)],
)
def test_digits_classifier_on_the_held_out_split(size, method, channels):
    images, labels = enlarged(size, method, channels)
    outputs = DigitsFeatures()(images)
    assert outputs["features"].shape == (359, 64) and outputs["logits"].shape == (359, 10)
    assert outputs["features"].dtype == outputs["logits"].dtype == np.float32
    assert np.mean(outputs["logits"].argmax(1) == labels) > 0.98


def test_digits_weights_are_small():
    assert DigitsFeatures.path.stat().st_size < 300_000


def test_training_script_learns():
    train, train_labels, test, test_labels = digits_split()
    weights = train_digits_classifier.train(train, train_labels, steps=60)
    assert all(weight.dtype == np.float16 for weight in weights.values())
    assert train_digits_classifier.accuracy(weights, test, test_labels) > 0.6


def test_features_do_not_depend_on_the_batch():
    images, _ = enlarged(16, "bilinear", 1)
    whole = DigitsFeatures()(images[:130])
    parts = DigitsFeatures(batch_size=50)(images[:130])
    for key in whole:
        np.testing.assert_allclose(parts[key], whole[key], atol=1e-4)


def test_images_of_another_type_are_refused():
    with pytest.raises(ConfigError, match=r"uint8 images \[n, H, W, C\]. Received: float32 \(2, 8, 8, 1\)"):
        DigitsFeatures()(np.zeros((2, 8, 8, 1), np.float32))
    with pytest.raises(ConfigError, match=r"points \[n, d\]"):
        PointFeatures()(np.zeros((2, 8, 8, 1)))


def test_points_are_their_own_features():
    outputs = PointFeatures()(np.array([[1.0, 2.0]]))
    assert list(outputs) == ["features"] and outputs["features"].tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "File is not a zip file"),
        (lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), "Bad magic number for file header"),
        (lambda path: np.savez(path, other=np.zeros(3)), "it has no 'conv1/kernel'"),
        (lambda path: np.savez(path, **SHAPES | {"hidden/bias": np.zeros(3)}), "it is of another network"),
        (lambda path: np.savez(path, **SHAPES | {"hidden/bias": np.array(["a"] * 64)}), "."),
    ],
    ids=["cut", "a wrong byte", "other arrays", "another shape", "texts"],
)
def test_damaged_weights_of_the_classifier_are_one_line(tmp_path, spoil, reason):
    features = DigitsFeatures()
    features.path = tmp_path / "classifier.npz"
    features.path.write_bytes(DigitsFeatures.path.read_bytes())
    spoil(features.path)
    with pytest.raises(ConfigError, match=f"npz cannot be read as the digits classifier: {reason}") as caught:
        features.check()
    assert "\n" not in str(caught.value)
    features.path.unlink()
    features.path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read as the digits classifier: Is a directory"):
        features.fingerprint()


SHAPES = {name: np.zeros(shape, np.float16) for name, shape in digits_network.SHAPES.items()}


class FakeInception(tf.Module):
    """Answers with the corner's three channels where Inception has 2048 features."""

    @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3))])
    def __call__(self, images):
        return {"pool_3": images[:, :1, :1], "logits": tf.concat([images, images], -1)[:, 0, 0]}


class Signatures(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3), name="pixels")])
    def serve(self, pixels):
        return {"pool_3": pixels[:, 0, 0], "logits": pixels[:, -1, -1]}


@pytest.fixture(scope="module", params=["callable", "signature"])
def saved(request, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("inception"))
    if request.param == "callable":
        tf.saved_model.save(FakeInception(), path)
    else:
        module = Signatures()
        tf.saved_model.save(module, path, signatures={"serving_default": module.serve})
    return path


@pytest.mark.parametrize(
    ("resize", "levels"),
    [("legacy_tensorflow", (-1.0, 127 / 128)), ("legacy_pytorch", (-1.0, 1.0)), ("clean", (-1.0, 127 / 128))],
)
def test_inception_from_a_path(saved, resize, levels):
    """The corner's value of plain images is that of the preprocessing's scale."""
    features = InceptionFeatures(resize=resize, path=saved, batch_size=2)
    features.check()
    assert features.name == f"inception_{resize}"
    low, high = levels
    middle = low + (high - low) * 51 / 255
    images = np.zeros((3, 20, 20, 3), np.uint8)
    images[1, ..., 0] = 255
    images[2] = 51
    outputs = features(images)
    np.testing.assert_allclose(outputs["features"], [[low] * 3, [high, low, low], [middle] * 3], atol=1e-5)
    assert outputs["logits"].shape[0] == 3
    grey = features(images[..., :1])["features"]
    np.testing.assert_allclose(grey, [[low] * 3, [high] * 3, [middle] * 3], atol=1e-5)
    seen = features(np.array([[[[255, 0, 0, 0]]], [[[255, 0, 0, 255]]]], np.uint8))["features"]
    np.testing.assert_allclose(seen, [[high] * 3, [high, low, low]], atol=1e-5)  # on white
    with pytest.raises(ConfigError, match="1 or 3 channels"):
        features(np.zeros((1, 8, 8, 5), np.uint8))


class WithBlocks(tf.Module):
    """An Inception whose operation `mixed_6/conv`, in a function of its own, has 17x17 positions."""

    def __init__(self):
        self.kernel = tf.Variable(np.random.RandomState(0).normal(size=(3, 3, 3, 9)).astype(np.float32))

    @tf.function
    def maps(self, images):
        with tf.name_scope("mixed_6"):
            return tf.nn.relu(tf.nn.conv2d(images, self.kernel, 18, "SAME", name="conv/Conv2D"), name="conv")

    @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3))])
    def __call__(self, images):
        maps = self.maps(images)
        return {"pool_3": tf.reduce_mean(maps, (1, 2), keepdims=True), "logits": tf.reduce_max(maps, (1, 2))}


def test_spatial_features_are_of_an_operation_within(tmp_path):
    module = WithBlocks()
    tf.saved_model.save(module, str(tmp_path))
    features = InceptionFeatures(path=str(tmp_path), batch_size=2)
    images = np.random.RandomState(1).randint(0, 256, (3, 30, 40, 3)).astype(np.uint8)
    found, usual = features(images, spatial=True), features(images)
    assert list(usual) == ["features", "logits"]
    for name, values in usual.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)
    maps = module.maps(resizing.legacy_tensorflow(images)).numpy()
    np.testing.assert_allclose(found["spatial"], maps[..., :7].reshape(3, 2023), rtol=1e-5, atol=1e-6)
    for name, message in (("mixed_5/conv", "no operation"), ("Const", "[0-9]+ operations|no operation")):
        other = InceptionFeatures(path=str(tmp_path), spatial=name)
        with pytest.raises(ConfigError, match=f"has ({message}) called '{name}'"):
            SpatialFeatures(other).check()


def test_the_original_graphs_preprocessing_is_the_default():
    assert InceptionFeatures().name == "inception_legacy_tensorflow"


def test_an_unknown_preprocessing_is_refused_with_those_there_are():
    allowed = "legacy_tensorflow.*legacy_pytorch.*clean"
    with pytest.raises(ConfigError, match=f"InceptionFeatures.resize.*{allowed}.*'bicubic'"):
        InceptionFeatures(resize="bicubic")


def test_fingerprint_follows_the_weights(saved, tmp_path):
    other = str(tmp_path)
    module = FakeInception()
    module.extra = tf.Variable(1.0)
    tf.saved_model.save(module, other)
    assert InceptionFeatures(path=saved).fingerprint() == InceptionFeatures(path=saved).fingerprint()
    assert InceptionFeatures(path=saved).fingerprint() != InceptionFeatures(path=other).fingerprint()
    assert len({DigitsFeatures().fingerprint(), InceptionFeatures().fingerprint()}) == 2


def test_another_network_at_the_path_is_refused(tmp_path):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3))])
        def __call__(self, images):
            return {"logits": images[:, 0, 0]}

    tf.saved_model.save(Other(), str(tmp_path))
    with pytest.raises(ConfigError, match="Inception cannot be loaded.*pool_3") as error:
        InceptionFeatures(path=str(tmp_path)).check()
    assert "\n" not in str(error.value)


def test_missing_path_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="InceptionFeatures.path: no saved_model.pb in"):
        InceptionFeatures(path=str(tmp_path / "nowhere")).check()


def test_unreachable_hub_is_one_clear_line_and_soon(monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    start = time.time()
    features = InceptionFeatures(handle="http://127.0.0.1:9/inception/1")
    assert features.name == "inception_legacy_tensorflow"
    with pytest.raises(ConfigError, match="127.0.0.1:9.*InceptionFeatures.path.*DigitsFeatures") as error:
        features.check()
    assert "\n" not in str(error.value)
    assert time.time() - start < 15


def test_silent_hub_is_given_up(monkeypatch, tmp_path):
    """A host that accepts and never answers."""
    import socket

    from tfgans.evaluate import features as module

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(module, "_TIMEOUT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        handle = f"http://127.0.0.1:{server.getsockname()[1]}/inception/1"
        with pytest.raises(ConfigError, match="timed out"):
            InceptionFeatures(handle=handle).check()
    assert socket.getdefaulttimeout() is None
