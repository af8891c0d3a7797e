"""Pictures: where every image lands, and what is written."""

import numpy as np
import pytest
from PIL import Image

from tfgans import pictures
from tfgans.data.decode import decode, to_array


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


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_png_holds_the_same_pixels(tmp_path, channels, mode):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    pictures.save_png(tmp_path / "a.png", picture)
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.mode) == ("PNG", mode)
        np.testing.assert_array_equal(np.asarray(image).reshape(picture.shape), picture)


def test_alpha_is_put_on_white():
    """Alpha 51 is a fifth: 0.2 * 100 + 0.8 * 255 = 224; the rounding is that of images that are read."""
    image = np.array([[[100, 51], [9, 0], [9, 255]]], np.uint8)
    assert pictures.opaque(image).tolist() == [[[224], [255], [9]]]
    np.testing.assert_allclose(pictures.opaque(image.astype("float32")), [[[224], [255], [9]]], rtol=1e-6)
    assert pictures.opaque(np.array([300.0, 300.0])).tolist() == [300.0]  # what is not rounded may pass 255
    alpha, level = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    every = np.stack([level, level, level, alpha], -1).astype(np.uint8)
    np.testing.assert_array_equal(pictures.opaque(every), to_array(decode(Image.fromarray(every), 3)))
    for channels in (1, 3):
        same = every[..., :channels]
        assert pictures.opaque(same) is same


def test_a_grid_of_images_with_alpha(tmp_path):
    """Their pixels as they are, in white lines that show."""
    images = np.full((3, 48, 60, 4), 7, np.uint8)
    page = pictures.grid(images, columns=2)
    assert page.shape == (2 * 50 + 2, 2 * 62 + 2, 4)
    assert (page[2:50, 2:62] == 7).all() and (page[:2] == 255).all() and (page[52:, 64:] == 255).all()


@pytest.mark.parametrize("channels", [2, 4])
def test_a_gif_of_images_with_alpha(tmp_path, channels):
    frames = np.zeros((2, 6, 9, channels), np.uint8)  # nothing shows in the first one
    frames[1, ..., -1] = 255
    pictures.save_gif(tmp_path / "a.gif", frames, back=False)
    with Image.open(tmp_path / "a.gif") as film:
        seen = []
        for number in range(film.n_frames):
            film.seek(number)
            seen.append(np.asarray(film.convert("RGB")))
    assert [np.unique(frame).tolist() for frame in seen] == [[255], [0]] and seen[0].shape == (6, 9, 3)


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
