"""Alpha and images that are no squares: pixels by hand."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset, to_uint8
from tfgans.data.decode import colour, decode, fit, from_array, open_image, to_array
from tfgans.data.pipeline import view
from tfgans.data.single import read_image


def reopened(image, file_format="PNG", **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    file.seek(0)
    return open_image(file)


def pixels(image, channels, background=(255, 255, 255), **options):
    return to_array(decode(reopened(image, **options), channels, background)).tolist()


RGBA = Image.fromarray(np.array([[[9, 8, 7, 0], [9, 8, 7, 255], [100, 0, 255, 51]]], np.uint8))


def test_alpha_on_a_colour():
    """Alpha 51 is a fifth: 0.2 * (100, 0, 255) + 0.8 * (0, 255, 10) = (20, 204, 59)."""
    assert pixels(RGBA, 3, (0, 255, 10)) == [[[0, 255, 10], [9, 8, 7], [20, 204, 59]]]


def test_every_level_is_rounded_to_the_nearest():
    """round((alpha * c + (255 - alpha) * background) / 255), of all alphas and of 32 colours."""
    alpha, level = np.meshgrid(np.arange(256), np.arange(0, 256, 8), indexing="ij")
    image = np.stack([level] * 3 + [alpha], -1).astype(np.uint8)
    for background in (0, 77, 255):
        exact = np.floor((alpha * level + (255 - alpha) * background) / 255 + 0.5)
        np.testing.assert_array_equal(
            np.array(pixels(from_array(image), 3, (background,) * 3))[..., 0], exact
        )


def test_alpha_as_a_channel():
    """What does not show is black; luma of (100, 0, 255) is 29.9 + 29.07."""
    assert pixels(RGBA, 4) == [[[0, 0, 0, 0], [9, 8, 7, 255], [100, 0, 255, 51]]]
    assert pixels(RGBA, 2) == [[[0, 0], [8, 255], [59, 51]]]


def test_gray_with_alpha():
    image = from_array(np.array([[[10, 0], [10, 255], [100, 51]]], np.uint8))
    assert image.mode == "LA"
    assert pixels(image, 2) == [[[0, 0], [10, 255], [100, 51]]]
    assert pixels(image, 4) == [[[0] * 4, [10, 10, 10, 255], [100, 100, 100, 51]]]
    assert pixels(image, 1, (0, 0, 0)) == [[[0], [10], [20]]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "I;16"])
def test_images_without_alpha_are_opaque(mode):
    file_format = "JPEG" if mode == "CMYK" else "PNG"
    image = Image.new(mode, (3, 2))
    for channels in (2, 4):
        found = np.array(pixels(image, channels, file_format=file_format))
        assert found.shape == (2, 3, channels) and (found[..., -1] == 255).all()


def palette_image():
    image = Image.new("P", (3, 1))
    image.putpalette([1, 2, 3, 250, 0, 4, 7, 7, 7])
    image.putdata([0, 1, 2])
    return image


def test_palettes():
    """One transparent colour, and an alpha for each colour."""
    image = palette_image()
    assert pixels(image, 4, transparency=0) == [[[0] * 4, [250, 0, 4, 255], [7, 7, 7, 255]]]
    assert pixels(image, 4, transparency=bytes([255, 51, 0])) == [[[1, 2, 3, 255], [250, 0, 4, 51], [0] * 4]]
    assert pixels(image, 3, (0, 0, 9), transparency=bytes([255, 51, 0])) == [
        [[1, 2, 3], [50, 0, 8], [0, 0, 9]]
    ]


def test_a_transparent_level_of_gray_and_a_transparent_colour():
    gray = from_array(np.array([[[3], [200]]], np.uint8))
    assert pixels(gray, 2, transparency=3) == [[[0, 0], [200, 255]]]
    color = from_array(np.array([[[3, 4, 5], [3, 4, 6]]], np.uint8))
    assert pixels(color, 3, (1, 1, 1), transparency=(3, 4, 5)) == [[[1, 1, 1], [3, 4, 6]]]


def png(bits, kind, rows, *chunks):
    """A PNG by hand: kind 0 is gray, 4 gray and alpha; rows of bytes."""
    parts = [
        (
            b"IHDR",
            struct.pack(
                ">IIBBBBB",
                len(rows[0]) * 8 // bits // (2 if kind == 4 else 1),
                len(rows),
                bits,
                kind,
                0,
                0,
                0,
            ),
        )
    ]
    parts += [*chunks, (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    file = b"\x89PNG\r\n\x1a\n"
    for name, data in parts:
        file += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return open_image(io.BytesIO(file))


def test_sixteen_bits():
    """Levels 25700 (100) and 1000 (4), which is transparent; then gray and alpha, upper bytes 100 and 51."""
    level = struct.pack(">HH", 25700, 1000)
    transparent = (b"tRNS", struct.pack(">H", 1000))
    assert to_array(decode(png(16, 0, [level], transparent), 2)).tolist() == [[[100, 255], [0, 0]]]
    assert to_array(decode(png(16, 0, [level], transparent), 1)).tolist() == [[[100], [255]]]
    assert to_array(decode(png(16, 0, [level]), 2)).tolist() == [[[100, 255], [4, 255]]]
    both = png(16, 4, [struct.pack(">HH", 25700, 51 * 257)])
    assert to_array(decode(both, 2)).tolist() == [[[100, 51]]]


@pytest.mark.parametrize("size", [(4, 4), (1, 1), (2, 7)])
@pytest.mark.parametrize("channels", [2, 4])
def test_nothing_bleeds_from_what_does_not_show(size, channels):
    """Half of the image is 200, half is 50 and does not show: what shows after resizing is 200, but for rounding."""
    image = np.full((2, 2, channels), 200, np.uint8)
    image[..., -1] = 255
    image[:, 1, :-1], image[:, 1, -1] = 50, 0
    found = to_array(fit(from_array(image), size, "none"))
    shown = found[found[..., -1] > 0][:, :-1].astype(int)
    assert shown.size and abs(shown - 200).max() <= 2
    assert 100 <= found[..., -1].mean() <= 155
    window = view(image, size, np.array([0.9, 0.0, 0.0, 0.99]), (1.0, 1.0))
    shown = window[window[..., -1] > 0][:, :-1].astype(int)
    assert shown.size and abs(shown - 200).max() <= 2


def test_alpha_0_everywhere():
    image = Image.new("RGBA", (3, 2), (5, 6, 7, 0))
    assert np.unique(pixels(image, 4)).tolist() == [0]
    assert np.unique(pixels(image, 3)).tolist() == [255]
    assert to_array(fit(decode(reopened(image), 4), (5, 4), "center")).shape == (5, 4, 4)


def test_colours():
    assert colour("white", "x") == (255, 255, 255) and colour("#0102ff", "x") == (1, 2, 255)
    for wrong in ("", "#12", "nothing", "#01020304"):
        with pytest.raises(
            ConfigError, match="^x is the name of a colour, such as white, or #rrggbb. Received: "
        ):
            colour(wrong, "x")


def archive(folder, images, **options):
    path = folder / "images.npz"
    np.savez(path, images=images)
    return Dataset(f"npz:{path}", **options)


def all_of(dataset):
    return np.concatenate([images for images, _ in dataset.reference()])


def test_channels_of_an_archive(tmp_path):
    """None composites; gray and alpha is gray."""
    images = np.array([[[[10, 0], [100, 51]]]], np.uint8)
    assert archive(tmp_path, images).item_shape == (1, 2, 1)
    assert all_of(archive(tmp_path, images)).tolist() == [[[[255], [224]]]]
    assert all_of(archive(tmp_path, images, background="black")).tolist() == [[[[0], [20]]]]
    assert all_of(archive(tmp_path, images, channels=2)).tolist() == [[[[0, 0], [100, 51]]]]
    assert archive(tmp_path, images.repeat(2, -1)).item_shape == (1, 2, 3)
    with pytest.raises(ConfigError, match=r"with c from 1 to 4\. Received: uint8 \[1, 1, 2, 5\]"):
        archive(tmp_path, np.zeros((1, 1, 2, 5), np.uint8))


def test_what_is_compared_with_has_the_same_background(tmp_path):
    images = np.array([[[[10, 0], [100, 51]]]] * 2, np.uint8)
    data = archive(tmp_path, images, background="black")
    other = Dataset(data.source, evaluation_source=data.source, background="black", batch_size=2)
    np.testing.assert_array_equal(all_of(other), all_of(data))
    assert data.fingerprint() == other.fingerprint() != Dataset(data.source).fingerprint()
    assert Dataset(data.source).fingerprint() == Dataset(data.source, background="white").fingerprint()


def ramps(height, width, count=6):
    """RGB images whose red is 10 x column and whose green is 10 x row."""
    rows, columns = np.indices((height, width), dtype=np.uint8) * 10
    return np.stack([np.stack([columns, rows, rows], -1)] * count)


def test_crops_of_other_shapes_by_hand(tmp_path):
    """4x8 to (4, 4): the middle four columns; to (2, 4): half the size, Lanczos; `none` squashes."""
    data = archive(tmp_path, ramps(4, 8), resolution=(4, 4))
    assert all_of(data)[0, 0, :, 0].tolist() == [20, 30, 40, 50]
    data = archive(tmp_path, ramps(8, 4), resolution=(2, 4))
    assert all_of(data)[0, :, 0, 1].tolist() == [30, 40] and data.item_shape == (2, 4, 3)
    half = np.array(Image.fromarray(ramps(4, 8)[0]).resize((4, 2), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(all_of(archive(tmp_path, ramps(4, 8), resolution=(2, 4)))[0], half)
    squashed = np.array(Image.fromarray(ramps(4, 8)[0]).resize((3, 7), Image.Resampling.LANCZOS))
    data = archive(tmp_path, ramps(4, 8), resolution=[7, 3], crop="none")
    np.testing.assert_array_equal(all_of(data)[0], squashed)


def test_one_shape_is_kept_where_none_is_asked_for(tmp_path):
    assert archive(tmp_path, ramps(4, 8)).item_shape == (4, 8, 3)
    assert archive(tmp_path, ramps(1, 9), resolution=(4, 9), min_size=1).item_shape == (4, 9, 3)
    assert archive(tmp_path, ramps(16, 1), resolution=(16, 1)).item_shape == (16, 1, 3)
    assert "too small" not in str(archive(tmp_path, ramps(2, 64), resolution=(8, 64)))  # a quarter of 8
    with pytest.raises(ConfigError, match="too small, 64x1"):
        archive(tmp_path, ramps(1, 64), resolution=(8, 64))


def test_windows_have_the_shape_that_is_asked_for(tmp_path):
    """`random` cuts (2, 4) anywhere in the (4, 4) that covers it; `random_area` keeps the proportions 1:2."""
    data = archive(tmp_path, ramps(4, 4, 40), resolution=(2, 4), crop="random", batch_size=40)
    batch = to_uint8(next(iter(data.batches(1, 0)))["images"])[0].numpy()
    assert batch.shape == (40, 2, 4, 3)
    assert set(batch[:, 0, 0, 1].tolist()) == {0, 10, 20} and (batch[..., 0] == np.arange(4) * 10).all()
    whole = view(ramps(4, 8)[0], (2, 4), np.array([0.9, 0.0, 0.0, 0.0]), (1.0, 1.0))
    halved = np.array(Image.fromarray(ramps(4, 8)[0]).resize((4, 2), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(whole, halved)


@pytest.mark.slow
def test_built_in_images_of_other_shapes():
    glyphs = Dataset("glyphs", resolution=(16, 8), fraction=0.001, batch_size=1)
    assert glyphs.item_shape == (16, 8, 3)
    square = Dataset("glyphs", resolution=16, fraction=0.001, batch_size=1)
    (tall, _), (whole, _) = next(glyphs.reference(indices=[0])), next(square.reference(indices=[0]))
    np.testing.assert_array_equal(tall, whole[:, :, 4:12])
    assert Dataset("glyphs", resolution=[16, 16], fraction=0.001).item_shape == (16, 16, 3)


def test_one_file_as_the_data_set_reads_it(tmp_path):
    RGBA.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (1, 3, 3), background="#00ff0a")[0, 2].tolist() == [20, 204, 59]
    assert read_image(tmp_path / "a.png", (1, 3, 4))[0, 2].tolist() == [100, 0, 255, 51]
    data = Dataset(f"folder:{tmp_path}", channels=4)
    np.testing.assert_array_equal(all_of(data)[0], read_image(tmp_path / "a.png", (1, 3, 4)))
