"""The published resizing rules against what the published programs gave."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgans.evaluate import resizing

SIZES = ["s32", "s48", "s64", "h75w100", "s256", "s299"]
IMAGENET = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def dinov2(resized):
    mean, std = IMAGENET
    return (np.asarray(resized, np.float64) / 255.0 - mean) / std


MODES = {  # name in the golden file: (function, size, tolerance, tolerance at 256 and more)
    "legacy_tensorflow": (resizing.legacy_tensorflow, 299, 1e-5, 5e-5),
    "legacy_pytorch": (resizing.legacy_pytorch, 299, 1e-5, 5e-5),
    "clean": (resizing.clean, 299, 5e-7, 5e-7),
    "dinov2_dgm": (lambda x: dinov2(resizing.bicubic_uint8(x, 224)), 224, 1e-6, 1e-6),
    "dinov2_dgm_clean": (lambda x: dinov2(resizing.bicubic(x, 224)), 224, 5e-6, 5e-6),
    "dinov2_torchfidelity": (lambda x: dinov2(resizing.asymmetric(x, 224)), 224, 5e-5, 2e-4),
    "cmmd": (lambda x: resizing.cropped_bicubic_uint8(x, 336) / 255.0, 336, 1e-6, 1e-6),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_the_networks_input_is_the_published_one(golden, mode, size):
    stored, (function, side, near, far) = golden("fid_resize"), MODES[mode]
    found = np.asarray(function(stored[f"{size}/input"]), np.float64)
    tolerance = far if size in ("s256", "s299") else near
    places = stored[f"index_{side}"]
    assert found.shape[1:] == (side, side, 3)
    expected = stored[f"{size}/{mode}/samples"]
    np.testing.assert_allclose(found[:, places][:, :, places], expected, rtol=0, atol=tolerance)
    for name, value in (("mean", found.mean(axis=(1, 2))), ("std", found.std(axis=(1, 2)))):
        np.testing.assert_allclose(value, stored[f"{size}/{mode}/{name}"], rtol=0, atol=tolerance)
    wave = np.cos(0.37 * np.arange(side)[:, None] + 0.11 * np.arange(side))
    checksum = (found * wave[..., None]).mean(axis=(1, 2))
    np.testing.assert_allclose(checksum, stored[f"{size}/{mode}/checksum"], rtol=0, atol=tolerance)


def test_the_modes_are_not_each_other(golden):
    """Else a golden test could pass with one rule for all: at 32 pixels they are 2 to 14 levels apart."""
    images = golden("fid_resize")["s32/input"]
    tensorflow, pytorch, clean = (
        np.asarray(mode(images))
        for mode in (resizing.legacy_tensorflow, resizing.legacy_pytorch, resizing.clean)
    )
    levels = [
        127.5 * np.abs(a - b).mean()
        for a, b in ((tensorflow, pytorch), (tensorflow, clean), (pytorch, clean))
    ]
    np.testing.assert_allclose(levels, [13.3, 14.1, 2.4], atol=0.1)


def test_asymmetric_by_hand():
    """Output i of 2 -> 4 lies at i / 2: 0, half-way, 1, and the last one is held."""
    images = np.array([[0, 100], [0, 100]], np.uint8).reshape(1, 2, 2, 1)
    row = resizing.asymmetric(images, 4)[0, 0, :, 0]
    np.testing.assert_array_equal(row, [0.0, 50.0, 100.0, 100.0])
    np.testing.assert_allclose(255 * resizing.half_pixel(images, 4)[0, 0, :, 0], [0, 25, 75, 100], rtol=1e-6)


def test_clean_is_pillows_float_path_bit_for_bit():
    image = np.random.default_rng(0).integers(0, 256, (23, 31, 3), dtype=np.uint8)
    found = resizing.bicubic(image[None], 40)[0]
    for channel in range(3):
        picture = Image.fromarray(image[..., channel].astype(np.float32), mode="F")
        expected = np.clip(np.asarray(picture.resize((40, 40), Image.Resampling.BICUBIC)), 0, 255)
        np.testing.assert_array_equal(found[..., channel], expected)
    assert found.min() >= 0 and found.max() <= 255


def test_the_middle_of_a_wide_image():
    """A wide image whose sides are white: the crop leaves its black middle, whichever comes first."""
    images = np.full((1, 10, 30, 3), 255, np.uint8)
    images[:, :, 10:20] = 0
    np.testing.assert_array_equal(resizing.cropped_bicubic_uint8(images, 20), 0)
    found = resizing.shorter_side_uint8(images, 20)
    assert found.shape == (1, 20, 20, 3) and found[:, :, 2:-2].max() == 0


def test_the_longer_side_is_rounded_down_as_torchvision_does():
    """Of 40 x 45 pixels the longer side becomes 224 * 45 / 40 = 252, of which columns 14 to 237 stay."""
    image = np.random.default_rng(0).integers(0, 256, (40, 45, 3), np.uint8)
    for turned, size in ((False, (252, 224)), (True, (224, 252))):
        given = image.swapaxes(0, 1) if turned else image
        expected = np.asarray(Image.fromarray(given).resize(size, Image.Resampling.BICUBIC))
        expected = expected[14:238] if turned else expected[:, 14:238]
        np.testing.assert_array_equal(resizing.shorter_side_uint8(given[None], 224)[0], expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_stay(channels):
    images = tf.random.uniform((2, 8, 8, channels), 0, 256, tf.int32).numpy().astype(np.uint8)
    for function in (
        resizing.bicubic,
        resizing.bicubic_uint8,
        resizing.asymmetric,
        resizing.shorter_side_uint8,
    ):
        assert np.shape(function(images, 12)) == (2, 12, 12, channels)
