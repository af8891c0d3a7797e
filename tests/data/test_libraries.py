"""Data sets of other libraries as sources; Hugging Face's by an object that does as its tables do."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow

from tfgans.config import ConfigError
from tfgans.data import Dataset, FromKeras, FromTensorFlow, HuggingFace

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3), np.uint8)
LABELS = np.array([2, 0, 1, 1, 0, 2])


class Batches(keras.utils.PyDataset):
    """Batches of 4 and 2, as `form` makes them."""

    def __init__(self, form):
        super().__init__()
        self.form = form

    @property
    def num_batches(self):
        return 2

    def __getitem__(self, i):
        part = np.s_[4 * i : 4 * i + 4]
        return self.form(IMAGES[part], LABELS[part])


FORMS = {
    "images": lambda images, labels: images,
    "pairs": lambda images, labels: (images, labels),
    "columns": lambda images, labels: (images, labels[:, None]),
    "dictionaries": lambda images, labels: {"images": images, "labels": labels},
    "image and label": lambda images, labels: {"image": images, "label": labels},
}


@pytest.mark.parametrize("form", FORMS)
def test_keras_and_tensorflow(form):
    elements = FORMS[form](IMAGES, LABELS)
    sources = {
        "FromKeras": FromKeras(Batches(FORMS[form]), ["a", "b", "c"]),
        "FromTensorFlow": FromTensorFlow(tf.data.Dataset.from_tensor_slices(elements), ["a", "b", "c"]),
        "batches": FromTensorFlow(tf.data.Dataset.from_tensor_slices(elements).batch(4), ["a", "b", "c"]),
    }
    for name, source in sources.items():
        found = Dataset(source, batch_size=2)
        images, labels = next(found.reference())
        np.testing.assert_array_equal(images, IMAGES)
        assert (None if labels is None else labels.tolist()) == (
            None if form == "images" else LABELS.tolist()
        )
        assert found.class_names == (None if form == "images" else ["a", "b", "c"])
        assert found.source == ("FromTensorFlow" if name == "batches" else name)


def test_images_of_several_sizes():
    parts = [np.full((4 + i, 6, 1), 9 * i, np.uint8) for i in range(3)]
    signature = tf.TensorSpec((None, 6, 1), tf.uint8)
    data = tf.data.Dataset.from_generator(lambda: iter(parts), output_signature=signature)
    found = Dataset(FromTensorFlow(data), resolution=4, batch_size=1)
    assert next(found.reference())[0][:, 0, 0, 0].tolist() == [0, 9, 18]


def test_what_they_may_not_give():
    def refused(elements, line, source=FromTensorFlow):
        with pytest.raises(ConfigError, match=line):
            source(elements).open("train")

    of = tf.data.Dataset.from_tensor_slices
    refused(of(IMAGES).repeat(), "FromTensorFlow takes a data set that ends")
    refused(of(IMAGES / 255), r"images are uint8 \[H, W, C\] or .*Received: float64 \[5, 7, 3\]")
    refused(of(IMAGES[..., 0]), r"Received: uint8 \[5, 7\]")
    refused(of((IMAGES, LABELS / 2)), r"labels are integers, one an image. Received: float64 \[\] for 1")
    refused(of({"picture": IMAGES}), "an element has no 'image'. Received: picture")
    refused(of(IMAGES[:0]), "the data set has no image")
    endless = Batches(FORMS["images"])
    endless.__class__ = type("Endless", (Batches,), {"num_batches": None})
    refused(endless, "FromKeras takes a data set that ends", FromKeras)
    for other in ([IMAGES], keras.utils.PyDataset()):  # which has no length
        refused(
            other,
            r"FromKeras.data is a keras.utils.PyDataset with `__len__` or `num_batches`. Rec",
            FromKeras,
        )
    refused([IMAGES], "FromTensorFlow.data is a tf.data.Dataset. Received")
    refused(
        Batches(lambda images, labels: (None, labels)), "an element has no images. Received: None", FromKeras
    )
    mixed = Batches(lambda images, labels: (images, labels) if len(images) == 4 else images)
    refused(mixed, "4 of 6 images have a label", FromKeras)


class Image:
    """As the feature `datasets.Image`."""

    def __init__(self, decode=True):
        self.decode = decode


class ClassLabel:
    """As the feature `datasets.ClassLabel`."""

    names = ["a", "b", "c"]


class Table:
    """As `datasets.Dataset`, as far as it is used; rows of {"bytes", "path"} once its images are not decoded."""

    def __init__(self, columns, features):
        self.columns, self.features = columns, features

    def cast_column(self, name, feature):
        assert not feature.decode
        return Table(self.columns, self.features | {name: feature})

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return self.columns[key]
        assert type(key) is int and not self.features["picture"].decode
        return {name: column[key] for name, column in self.columns.items()}


@pytest.fixture
def table(tmp_path):
    """Images as bytes, but the second, which is a file."""
    rows = []
    for pixels in IMAGES:
        file = io.BytesIO()
        Pillow.fromarray(pixels).save(file, "PNG")
        rows.append({"bytes": file.getvalue(), "path": None})
    (tmp_path / "1.png").write_bytes(rows[1]["bytes"])
    rows[1] = {"bytes": None, "path": str(tmp_path / "1.png")}
    columns = {"id": list(range(6)), "picture": rows, "kind": LABELS.tolist()}
    return Table(columns, {"id": object(), "picture": Image(), "kind": ClassLabel()})


def test_hugging_face(table):
    found = Dataset(HuggingFace(table), batch_size=2)
    images, labels = next(found.reference())
    np.testing.assert_array_equal(images, IMAGES)
    assert labels.tolist() == LABELS.tolist() and found.class_names == ["a", "b", "c"]
    assert found.source == "HuggingFace" and found._origin.splits == ("train",)
    splits = HuggingFace({"train": table, "test": table}, label="id")
    found = Dataset(splits, batch_size=2)
    assert found.labels.tolist() == list(range(6)) and found.reference_split() == "test"


def test_hugging_faces_columns(table):
    for options, line in (
        ({"image": "x"}, "HuggingFace.image is one of id, picture, kind. Received: 'x'"),
        ({"image": "id"}, r"HuggingFace.image is a column of images: \['picture'\]. Received: 'id'"),
        ({"label": "x"}, "HuggingFace.label is one of id, picture, kind. Received: 'x'"),
        ({"label": "picture"}, "HuggingFace.label is a column of integers. Received: 'picture', object"),
    ):
        with pytest.raises(ConfigError, match=line):
            HuggingFace(table, **options).open("train")
    with pytest.raises(ConfigError, match="there is no column of images. Columns: id"):
        HuggingFace(Table({"id": [1]}, {"id": object()})).open("train")
    with pytest.raises(
        ConfigError, match=r"HuggingFace.data is a datasets.Dataset or a dictionary of them .*Received: \[1\]"
    ):
        HuggingFace([1])
    with pytest.raises(
        ConfigError, match=r"HuggingFace.data is a datasets.Dataset or .*Received: {'train': 1}"
    ):
        HuggingFace({"train": 1})
    with pytest.raises(ConfigError, match="HuggingFace.data is missing"):
        HuggingFace()


def test_a_row_without_an_image_is_a_bad_one(table):
    table.columns["picture"][2] = None
    table.columns["picture"][4] = {"bytes": None, "path": "/no/such/file"}
    with pytest.raises(
        ConfigError, match=r"2 of 6 images .*row 2 \(it has no image\), row 4 \(it has no image\)"
    ):
        Dataset(HuggingFace(table))
    assert Dataset(HuggingFace(table), batch_size=2, on_bad_image="skip").num_examples == 4


def test_a_saved_set_needs_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"needs the library datasets: pip install 'tfgans\[huggingface\]'"):
        HuggingFace(str(tmp_path))
