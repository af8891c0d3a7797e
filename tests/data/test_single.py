"""One image file, read as a data set reads it."""

import numpy as np
import pytest
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.single import image_files, read_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A gray PNG, a wide JPEG, one with alpha, a turned one."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(folder / "a.png")
    picture = Image.fromarray(rng.integers(0, 256, (40, 70, 3), np.uint8))
    picture.save(folder / "b.jpg")
    picture.convert("RGBA").resize((33, 50)).save(folder / "c.webp")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "d.jpg", exif=exif)
    return folder


@pytest.mark.parametrize("crop", ["center", "random", "none"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_of_the_data_set(folder, channels, crop):
    dataset = Dataset(f"folder:{folder}", batch_size=1, resolution=16, channels=channels, crop=crop)
    ((expected, _),) = dataset.reference()
    paths = image_files([folder])
    assert [path.name for path in paths] == ["a.png", "b.jpg", "c.webp", "d.jpg"]
    for path, image in zip(paths, expected, strict=True):
        np.testing.assert_array_equal(read_image(path, (16, 16, channels), crop), image)


def test_images_that_cannot_be_used(folder, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "half.jpg").write_bytes((folder / "b.jpg").read_bytes()[:300])
    (tmp_path / "inner").mkdir()
    for path, shape, said in (
        (
            tmp_path / "text.png",
            (16, 16, 3),
            "text.png cannot be used: not a jpg, png, webp, bmp or gif image",
        ),
        (tmp_path / "half.jpg", (16, 16, 3), "half.jpg cannot be used: "),
        (folder / "a.png", (164, 164, 3), "a.png cannot be used: too small, 40x40"),
        (tmp_path / "inner", (16, 16, 3), "inner cannot be used: it is no file"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_image(path, shape)
    assert read_image(folder / "a.png", (160, 160, 3)).shape == (160, 160, 3)
    with pytest.raises(ConfigError, match="too small, 40x40"):
        read_image(folder / "a.png", (16, 16, 3), min_size=41)
    with pytest.raises(ConfigError, match="there is no image .*none.png"):
        image_files([folder, tmp_path / "none.png"])
    with pytest.raises(ConfigError, match="inner has no images; looked for .jpg"):
        image_files([tmp_path / "inner"])
