"""Pictures: where every image lands, and what is written."""

import numpy as np
import pytest
from PIL import Image

from tfgans import pictures


def test_grid_places_images_row_by_row_between_white_lines():
    images = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 48, 48, 1), np.uint8)
    page = pictures.grid(images, columns=3, border=2)
    assert page.shape == (2 * 50 + 2, 3 * 50 + 2, 1)
    for i in range(5):
        top, left = 2 + i // 3 * 50, 2 + i % 3 * 50
        assert (page[top : top + 48, left : left + 48] == i + 1).all()
    assert (page[52:, 102:] == 255).all()  # the sixth place is empty
    assert (page[:2] == 255).all() and (page[:, 50:52] == 255).all()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_grid_is_near_a_square(count, columns):
    page = pictures.grid(np.zeros((count, 48, 48, 3), np.uint8), border=0)
    assert page.shape == (-(-count // columns) * 48, columns * 48, 3)


def test_small_images_are_enlarged_by_repetition():
    image = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    page = pictures.grid(image, border=0)
    assert page.shape == (48, 48, 1)
    np.testing.assert_array_equal(page[::6, ::6], image[0])
    np.testing.assert_array_equal(page[5::6, 5::6], image[0])


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_png_holds_the_same_pixels(tmp_path, channels, mode):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    pictures.save_png(tmp_path / "a.png", picture)
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.mode) == ("PNG", mode)
        np.testing.assert_array_equal(np.asarray(image).reshape(picture.shape), picture)


def test_scatter_shows_points_and_modes_in_their_places():
    empty = pictures.scatter(np.full((1, 2), 9.0))
    right = pictures.scatter(np.full((50, 2), [0.6, 0.0]))
    assert right.shape == (480, 480, 3) and right.dtype == np.uint8
    rows, columns = np.nonzero((right != empty).any(-1))
    assert columns.min() > 300 and rows.min() > 200 and rows.max() < 280
    crossed = pictures.scatter(np.full((1, 2), 9.0), modes=np.array([[-0.6, 0.6]]))
    black = (crossed[60:, :300] != empty[60:, :300]).any(-1)
    rows, columns = np.nonzero(black)
    assert len(rows) and columns.max() < 180 and rows.max() < 180
    np.testing.assert_array_equal(pictures.page(np.full((50, 2), [0.6, 0.0])), right)
