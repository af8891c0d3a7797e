"""Labels of generated images: in the shares of the training set's, in training and outside."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import distribute
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.digits import digits_split
from tfgans.data.labels import count_labels
from tfgans.evaluate.duality import as_game
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.features import DigitsFeatures
from tfgans.gan import GAN


def networks(num_classes=3):
    """G and D of points [1], each with an embedding of the label."""
    layers = keras.layers
    inputs = [keras.Input((1,)), keras.Input((), dtype="int32")]
    pair = []
    for _ in range(2):
        x = layers.Concatenate()([inputs[0], layers.Embedding(num_classes, 1)(inputs[1])])
        pair.append(keras.Model(inputs, layers.Dense(1)(x)))
    return pair


@pytest.fixture(scope="module")
def shared():
    """A model of three classes, whose shares each test sets."""
    return GAN(*networks(), num_classes=3, seed=4)


@pytest.fixture
def model(shared):
    shared.set_label_shares(None)
    shared.draws.assign(0)
    yield shared
    shared.class_names = None


def as_always(model, count):
    """Labels as all versions drew them uniformly."""
    values = tf.random.stateless_uniform([count], model.stream("labels"), 0, 3, dtype=tf.int32, alg="philox")
    return values.numpy()


@pytest.mark.parametrize("shares", [None, [0.2, 0.2, 0.2], [700, 700, 700]])
def test_equal_shares_are_the_old_bits(model, shares):
    before = model.labels_at(3, 100, None, 3, seed=1)
    model.set_label_shares(shares)
    np.testing.assert_array_equal(model.draw_latents(64)["labels"], as_always(model, 64))
    np.testing.assert_array_equal(model.labels_at(3, 100, None, 3, seed=1), before)


def test_uniform_on_request_is_the_old_bits():
    model = GAN(*networks(), num_classes=3, label_distribution="uniform")
    model.follow_labels([90, 9, 1])
    np.testing.assert_array_equal(model.draw_latents(64)["labels"], as_always(model, 64))
    assert model.stated_labels() == {"label_distribution": "uniform"}


def test_labels_are_the_inverse_of_the_shares_distribution(model):
    model.set_label_shares([1, 0, 3])  # bounds 1/4 and 1/4: class 1 never
    labels = model.draw_latents(4000)["labels"]
    uniform = tf.random.stateless_uniform([4000], model.stream("labels"), dtype=tf.float64, alg="philox")
    np.testing.assert_array_equal(labels, np.where(uniform.numpy() < 0.25, 0, 2))
    assert labels.dtype == tf.int32
    assert abs(np.mean(labels.numpy() == 0) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)
    other = model.draw_latents(4000)["labels"]
    assert np.any(labels.numpy() != other.numpy())


@pytest.mark.parametrize("shares", [[0, 1, 0], [0.1, 0.7, 0.0], [1e-300, 1e-300, 0]])
def test_a_class_without_a_share_is_never_drawn(model, shares):
    model.set_label_shares(shares)
    never = np.flatnonzero(np.array(shares) == 0)
    edges = tf.constant([0.0, 1 / 8, 1 - 2.0**-53], tf.float64)
    for labels in (model.draw_latents(999)["labels"], model._labels_of(edges)):
        assert not np.isin(labels, never).any()


def test_replicas_draw_the_global_batch(model, monkeypatch):
    model.set_label_shares([5, 3, 1])
    whole = model.draw_latents(8)["labels"].numpy()
    parts = []
    for replica in range(2):
        model.draws.assign(0)
        monkeypatch.setattr(distribute, "num_replicas", lambda: 2)
        monkeypatch.setattr(distribute, "replica_id", lambda replica=replica: replica)
        parts.append(model.draw_latents(4)["labels"].numpy())
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_stream_of_labels_follows_the_shares_however_it_is_cut(model):
    model.set_label_shares([90, 9, 1])
    whole = model.labels_at(0, 2000, None, 0, seed=1)
    parts = [model.labels_at(a, b - a, None, a, seed=1) for a, b in ((0, 7), (7, 100), (100, 2000))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_allclose(np.bincount(whole) / 2000, [0.9, 0.09, 0.01], atol=0.03)
    assert np.any(whole != model.labels_at(0, 2000, None, 0, seed=2))


def test_labels_by_name_give_the_images_of_their_index(model):
    model.class_names = ("cat", "dog", "0")
    expected = model.generate(4, labels=[1, 2], seed=0)
    np.testing.assert_array_equal(model.generate(4, labels=["dog", "0"], seed=0), expected)
    with pytest.raises(ConfigError, match=r"'dgo' \(did you mean 'dog'\?\). Allowed: 0 to 2 or cat, dog, 0"):
        model.generate(4, labels=["dgo"])


class Watching(GAN):
    """Logs the mean label of the fakes."""

    def generator_losses(self, real, fake):
        return super().generator_losses(real, fake) | {
            "g/label": tf.reduce_mean(tf.cast(fake["labels"], tf.float32))
        }


def test_shares_that_change_later_are_compiled_anew():
    model = Watching(*networks(), num_classes=3)
    model.compile()
    data = np.zeros((4, 1), "float32"), np.arange(4) % 3
    means = []
    for shares in ([1, 0, 0], [0, 0, 1], [0, 0, 7]):
        model.set_label_shares(shares)
        function = model.train_function
        means.append(model.fit(*data, batch_size=4, verbose=0).history["g/label"][0])
    assert means == [0.0, 2.0, 2.0]
    assert model.train_function is function  # the same shares again


def test_a_copy_of_the_game_has_its_labels(model):
    model.compile()
    model.set_label_shares([0, 1, 0])
    with as_game(model) as game:
        assert game.draw_latents(9)["labels"].numpy().tolist() == [1] * 9


@pytest.mark.parametrize(
    ("shares", "line"),
    [
        ([0.5, 0.5], r"label shares are \[3\], one a class. Received: \[2\]"),
        (0.5, r"label shares are \[3\], one a class. Received: \[\]"),
        ([0.5, -0.1, 0.6], r"label shares are at least 0, and not all 0. Received: \[0.5, -0.1, 0.6\]"),
        ([0, 0, 0], "label shares are at least 0, and not all 0"),
        ([1, float("nan"), 1], "label shares are at least 0, and not all 0"),
        ([1, float("inf"), 1], "label shares are at least 0, and not all 0"),
        (["a", 1, 2], "label shares are numbers, one a class. Received: "),
        ([[1], [2, 3], 4], "label shares are numbers, one a class. Received: "),
    ],
)
def test_shares_that_are_none(model, shares, line):
    with pytest.raises(ConfigError, match=line):
        model.set_label_shares(shares)
    assert model.label_shares is None


def test_options():
    with pytest.raises(ConfigError, match="label_distribution is one of data, uniform. Received: 'dta'"):
        GAN(*networks(), num_classes=3, label_distribution="dta")
    with pytest.raises(ConfigError, match="label_shares is for GAN.label_distribution = 'data'"):
        GAN(*networks(), num_classes=3, label_distribution="uniform", label_shares=[1, 1, 2])
    with pytest.raises(ConfigError, match="GAN.num_classes is None"):
        GAN(*toys.scalar_networks(), label_shares=[1])
    given = GAN(*networks(), num_classes=3, label_shares=[0, 0, 2])
    assert given.stated_labels() == {"label_distribution": "given"}
    given.follow_labels([1, 0, 0])
    assert given.draw_latents(5)["labels"].numpy().tolist() == [2] * 5
    given.set_label_shares(None)  # those of the data from here on
    given.follow_labels([1, 0, 0])
    assert given.draw_latents(5)["labels"].numpy().tolist() == [0] * 5
    counted = GAN(*networks(), num_classes=3)
    assert counted.stated_labels() == {"label_distribution": "uniform"}  # nothing is known yet
    counted.follow_labels(count_labels([2, 2, 1, 1], 3))
    assert counted.stated_labels() == {"label_distribution": "data"}
    assert counted.label_shares == (0.0, 0.5, 0.5)
    assert GAN(*toys.scalar_networks()).stated_labels() == {}


class Pictures(keras.layers.Layer):
    """A perfect conditional generator: one of the held-out images [K, M, H, W, 1] of the label, in [-1, 1]."""

    def __init__(self, images, **kwargs):
        super().__init__(**kwargs)
        self.images = images

    def call(self, latents, labels):
        uniform = 0.5 * (1 + tf.math.erf(latents[:, 0] / 2**0.5))
        place = tf.cast(uniform * self.images.shape[1], tf.int32)
        return tf.gather_nd(tf.constant(self.images), tf.stack([labels, place], 1))


def test_a_perfect_generator_of_unbalanced_classes_scores_well(tmp_path):
    """90 % zeros, 10 % ones: with all classes alike its distance is that of the wrong shares, some 440."""
    images, labels, _, _ = digits_split()
    images = np.repeat(np.repeat(images[..., None], 2, 1), 2, 2)
    by_class = [images[labels == k] for k in range(2)]
    random = np.random.RandomState(0)
    real = [part[::2][random.randint(0, 70, n)] for part, n in zip(by_class, (900, 100), strict=True)]
    np.savez(tmp_path / "x.npz", images=np.concatenate(real), labels=np.repeat([0, 1], [900, 100]))
    dataset = Dataset(f"npz:{tmp_path / 'x.npz'}", num_classes=2)

    held_out = np.stack([part[1::2][:70] for part in by_class]).astype("float32") / 127.5 - 1
    latents, given = keras.Input((1,)), keras.Input((), dtype="int32")
    generator = keras.Model([latents, given], Pictures(held_out)(latents, given))
    seen = keras.Input((16, 16, 1))
    discriminator = keras.Model(seen, keras.layers.Dense(1)(keras.layers.Flatten()(seen)))
    evaluator = Evaluator(DigitsFeatures(), num_samples=1000, metrics=["fid"], cache_dir=tmp_path / "cache")
    found = {}
    for rule in ("data", "uniform"):
        model = GAN(generator, discriminator, num_classes=2, label_distribution=rule)
        model.follow_labels(dataset.label_counts)
        found[rule] = evaluator(model.stream_of(0), dataset)["fid"]
    assert found["data"] < 60 and found["uniform"] > 300, found
