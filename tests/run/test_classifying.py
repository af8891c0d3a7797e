"""`launch/classifier.py`: what it trains on, what it holds out, what it writes and what it refuses."""

import numpy as np
import pytest
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate.classifier_features import ClassifierFeatures
from tfgans.run import classifying


def images_of(labels, seed=0):
    """8x8 gray: dark or bright by class, with noise."""
    noise = np.random.default_rng(seed).integers(0, 60, (len(labels), 8, 8))
    return (noise + 180 * np.asarray(labels)[:, None, None]).astype(np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """An npz file of two classes of 60 and 20 images; and another, of 12 to test with."""
    folder = tmp_path_factory.mktemp("labelled")
    labels = np.repeat([0, 1], [60, 20])
    names = np.array(["dark", "bright"])
    np.savez(folder / "train.npz", images=images_of(labels), labels=labels, class_names=names)
    labels = np.repeat([1, 0], 6)  # the other way round
    np.savez(folder / "test.npz", images=images_of(labels, 1), labels=1 - labels, class_names=names[::-1])
    return folder


def train(data, output, **options):
    return classifying.train(str(data / "train.npz"), output, **{"epochs": 4, "batch_size": 12} | options)


@pytest.mark.slow
def test_it_learns_and_says_so_and_repeats_itself(data, tmp_path, caplog):
    caplog.set_level("INFO", "tfgans")
    about = train(data, str(tmp_path / "own.keras"))
    assert about["accuracy"] == 1.0 and about["class_accuracy"] == [1.0, 1.0]
    facts = ("name", "class_names", "images", "held_out", "epochs", "seed")
    assert [about[name] for name in facts] == ["own", ["dark", "bright"], 72, 8, 4, 0]
    assert "accuracy 1.0000 of held-out images; mean of classes 1.0000, worst: bright 1.0000" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["own.keras"]
    features = ClassifierFeatures(about["file"])
    found = features(images_of([0, 1, 1, 0], 2)[..., None])
    assert found["logits"].argmax(axis=1).tolist() == [0, 1, 1, 0] and features.shape == [8, 8, 1]
    (tmp_path / "again").mkdir()
    train(data, tmp_path / "again" / "own.keras")
    assert (tmp_path / "again" / "own.keras").read_bytes() == (tmp_path / "own.keras").read_bytes()


@pytest.mark.slow
def test_a_width_of_ones_own(data, tmp_path):
    about = train(data, tmp_path / "own.keras", epochs=1, width=20)
    found = ClassifierFeatures(about["file"])(images_of([0, 1])[..., None])
    assert found["features"].shape == (2, 20) and found["logits"].shape == (2, 2)


def test_another_source_to_test_with(data):
    """Its classes are called alike and numbered otherwise."""
    dataset = Dataset(f"npz:{data / 'train.npz'}", evaluation_source=f"npz:{data / 'test.npz'}")
    rest, held_out, count = classifying._parts(dataset, 0)
    assert rest is dataset and count == 12
    [(images, labels)] = held_out()
    assert np.array_equal(images.mean(axis=(1, 2, 3)) > 128, labels == 1)


def test_a_split_of_its_own_is_for_the_accuracy():
    dataset = Dataset("digits")
    rest, held_out, count = classifying._parts(dataset, 0)
    assert rest is dataset and count == 359 and sum(len(labels) for _, labels in held_out()) == 359


def test_a_tenth_of_each_class_is_held_out(data):
    dataset = Dataset(f"npz:{data / 'train.npz'}")
    rest, held = dataset.without(0.1, seed=3)
    assert rest.label_counts.tolist() == [54, 18] and held.label_counts.tolist() == [6, 2]
    everything = np.concatenate([images for images, _ in dataset.examples()])
    parts = [np.concatenate([images for images, _ in part.examples(7)]) for part in (rest, held)]
    rows = [sorted(image.tobytes() for image in images) for images in (everything, np.concatenate(parts))]
    assert rows[0] == rows[1]
    labels = np.concatenate([labels for _, labels in held.examples(3)])
    assert np.array_equal(parts[1].mean(axis=(1, 2, 3)) > 128, labels == 1)
    other, _ = dataset.without(0.1, seed=4)
    assert not np.array_equal(other._indices, rest._indices)


def test_a_class_of_two_images_keeps_one():
    counts = [1, 2, 30]
    labels = np.repeat([0, 1, 2], counts)
    from tfgans.data.subset import hold_out

    held = hold_out(labels, 0.1, 0)
    assert [int(held[labels == k].sum()) for k in range(3)] == [0, 1, 3]


def test_what_cannot_be_is_one_line_and_nothing_is_written(data, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    labels = np.repeat([0, 1], 8)
    np.savez(folder / "plain.npz", images=images_of(labels))
    np.savez(folder / "one.npz", images=images_of(labels), labels=0 * labels)
    np.savez(folder / "gap.npz", images=images_of(labels), labels=2 * labels)
    np.savez(folder / "wide.npz", images=images_of(labels)[:, :6], labels=labels)
    np.savez(folder / "single.npz", images=images_of([0, 1]), labels=[0, 1])
    (folder / "flat").mkdir()
    for number in range(4):
        Image.fromarray(images_of([0])[0]).save(folder / "flat" / f"{number}.png")
    (folder / "cats.keras").mkdir()
    (folder / "generator.keras").write_bytes(
        (tmp_path / "data/single.npz").read_bytes()
    )  # a zip as any other
    output = str(tmp_path / "own.keras")
    for source, options, message in (
        (folder / "plain.npz", {}, "plain.npz has no labels: a folder has a folder a class"),
        (folder / "flat", {}, "flat has no labels"),
        (folder / "one.npz", {}, "one.npz has one class alone"),
        (folder / "gap.npz", {}, "has no image to train on of class 1"),
        (folder / "wide.npz", {}, "the images are 6 high and 8 wide: give --resolution"),
        (
            folder / "single.npz",
            {"batch_size": 2},
            "single.npz has one image of each class, and none to hold out",
        ),
        (data / "train.npz", {"batch_size": 100}, "too few images for one step: 72"),
        (data / "train.npz", {"channels": 4}, "the images have alpha as a channel: a classifier is of gray"),
        (folder / "nowhere", {}, "--data is a folder.*nowhere', which is not there"),
        ("ring", {}, "ring has points"),
        (
            data / "train.npz",
            {"test": str(folder / "plain.npz")},
            "images to test with, npz:.*have no labels",
        ),
        (data / "train.npz", {"test": "nowhere"}, "--test_data is a folder.*which is not there"),
        (data / "train.npz", {"gin_params": ["GAN.seed=1"]}, "nothing used these bindings: GAN.seed"),
        (data / "train.npz", {"output": "own.h5"}, "--output is a file whose name ends in .keras.*own.h5"),
        (data / "train.npz", {"output": str(folder / "cats.keras")}, "cannot be written: it is a folder"),
        (
            data / "train.npz",
            {"output": str(folder / "generator.keras")},
            "generator.keras is there already, and is not a classifier",
        ),
        (
            data / "train.npz",
            {"output": "/no/such/own.keras"},
            "/no/such is no folder that can be written to",
        ),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            classifying.train(str(source), **{"output": output} | options)
        assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
