"""`samples/real.png` shows what is trained on, in the places of the samples of its class."""

import numpy as np
import pytest
import tensorflow as tf

from tfgans import pictures
from tfgans.run import real_images


def batches(images, labels=None, size=2):
    """A dataset as `Dataset.batches` makes it: [1, size, ...] in [-1, 1], again and again."""
    parts = {"images": (images.astype("float32") / 127.5 - 1.0)[:, None]}
    parts |= {} if labels is None else {"labels": np.asarray(labels, "int32")[:, None]}
    data = tf.data.Dataset.from_tensor_slices(parts).repeat().batch(size, drop_remainder=True)
    return data.map(
        lambda batch: {name: tf.transpose(v, [1, 0, *range(2, v.shape.rank)]) for name, v in batch.items()}
    )


@pytest.fixture
def images():
    """Six images of 4x4, each of one value."""
    return np.broadcast_to(np.arange(10, 70, 10, "uint8")[:, None, None, None], (6, 4, 4, 1)).copy()


def values(page, columns):
    """The value of each image of a page of 4x4 images, row by row."""
    factor = 12  # 48 / 4
    small = page[::factor, ::factor, 0]
    return [small[2 + 6 * (i // columns), 2 + 6 * (i % columns)] for i in range(len(small) // 6 * columns)]


def test_the_first_images_stand_in_their_order(images):
    page = real_images.page(batches(images), 6, None, 4)
    assert values(page, 2) == [10, 20, 30, 40]
    page = real_images.page(batches(images), 6, None, 9)  # more than there are: none comes twice
    np.testing.assert_array_equal(page, pictures.grid(images))


@pytest.mark.parametrize("size", [5, 6, 20])
def test_none_comes_twice_where_a_step_takes_more_than_there_are(images, size):
    """The first image of a second go is not the seventh one. Two steps of 5 are more than one go, too."""
    page = real_images.page(batches(images, size=size), 6, None, 9)
    np.testing.assert_array_equal(page, pictures.grid(images[: min(size, 6)]))
    page = real_images.page(batches(images, [1, 1, 0, 1, 2, 1], size), 6, 3, 9)
    assert values(page, 3) == [30, 10, 50, 255, 20, 255, 255, 40, 255]


def test_a_class_stands_in_its_column_and_what_is_missing_stays_white(images):
    page = real_images.page(batches(images, [1, 1, 0, 1, 2, 1]), 6, 3, 6)
    assert values(page, 3) == [30, 10, 50, 255, 20, 255]
    page = real_images.page(batches(images, [1, 1, 0, 1, 2, 1]), 6, 9, 6)  # more classes than places
    assert values(page, 3) == [10, 20, 30, 40, 50, 60]


class Counted:
    """Batches of two images, of classes 0 and 1, that are counted as they are read."""

    def __init__(self, images):
        self.data = batches(images, [0, 1, 0, 1, 0, 1])
        self.element_spec, self.read = self.data.element_spec, 0

    def __iter__(self):
        for batch in self.data:
            self.read += 1
            yield batch


def test_reading_ends_when_every_place_is_taken(images, monkeypatch):
    data = Counted(images)
    real_images.page(data, 6, 2, 4)
    assert data.read == 2
    monkeypatch.setattr(real_images, "_MOST_READ", 4)
    data = Counted(images)
    real_images.page(data, 10**6, 3, 6)  # class 2 never comes
    assert data.read == 2


def test_points_are_a_plot():
    points = np.random.default_rng(0).uniform(-1, 1, (1000, 2)).astype("float32")
    data = tf.data.Dataset.from_tensors({"images": points[None]})
    page = real_images.page(data, 1000, 8, 64, np.zeros((8, 2)))
    np.testing.assert_array_equal(page, pictures.scatter(points, np.zeros((8, 2)), label="real"))
    assert (page != pictures.scatter(points, np.zeros((8, 2)))).any()  # the legend
