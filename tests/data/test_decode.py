"""Hand-made files of every kind that Pillow opens."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfgans.data.decode import BadImage, cover, decode, fit, header, open_image, to_array


def reopened(image, file_format="PNG", **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    file.seek(0)
    return open_image(file)


def pixels(image, channels=3, **options):
    return to_array(decode(reopened(image, **options), channels))


def gray(rows):
    return Image.fromarray(np.array(rows, np.uint8))


def test_gray_becomes_rgb_and_back():
    assert pixels(gray([[10, 200]])).tolist() == [[[10] * 3, [200] * 3]]
    assert pixels(gray([[10, 200]]), 1).tolist() == [[[10], [200]]]


def test_rgb_becomes_gray_by_luma():
    """ITU-R 601: 0.299 R + 0.587 G + 0.114 B: 76.2, 149.7, 29.1."""
    image = Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))
    assert pixels(image, 1).ravel().tolist() == [76, 150, 29]


def test_sixteen_bits_are_scaled_and_not_clipped():
    """65535 is 255 and 257 levels are one: 25700 is 100, 1000 is 3.89."""
    image = Image.fromarray(np.array([[0, 1000, 25700, 65535]], np.uint16))
    assert pixels(image, 1).ravel().tolist() == [0, 4, 100, 255]


def test_one_bit():
    assert pixels(gray([[0, 255]]).convert("1"), 1).ravel().tolist() == [0, 255]


def test_alpha_is_composited_on_white():
    """Alpha 0 shows white, 255 the colour, 51 (a fifth) 0.2 * 100 + 0.8 * 255 = 224."""
    image = Image.fromarray(np.array([[[9, 9, 9, 0], [9, 8, 7, 255], [100, 0, 255, 51]]], np.uint8))
    assert pixels(image).tolist() == [[[255] * 3, [9, 8, 7], [224, 204, 255]]]


def test_gray_with_alpha():
    image = Image.merge("LA", (gray([[10, 10]]), gray([[0, 255]])))
    assert pixels(image, 1).ravel().tolist() == [255, 10]


def test_palette_and_its_transparent_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([1, 2, 3, 250, 0, 4])
    image.putdata([0, 1])
    assert pixels(image).tolist() == [[[1, 2, 3], [250, 0, 4]]]
    assert pixels(image, transparency=0).tolist() == [[[255] * 3, [250, 0, 4]]]


def test_cmyk_jpeg():
    """No ink is white; full cyan leaves green and blue. JPEG is off by a few levels."""
    ink = np.zeros((8, 16, 4), np.uint8)
    ink[:, 8:, 0] = 255
    found = pixels(Image.fromarray(ink, "CMYK"), file_format="JPEG", quality=100).astype(int)
    np.testing.assert_allclose(found[4, 2], [255, 255, 255], atol=4)
    np.testing.assert_allclose(found[4, 13], [0, 255, 255], atol=4)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_exif_rotation_is_applied(file_format):
    """Orientation 6: turn by 90 degrees clockwise; the left, black half comes to the top."""
    image = gray(np.repeat([[0, 255]], 16, 0).repeat(16, 1)[:, :32]).convert("RGB").resize((32, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    opened = reopened(image, file_format, exif=exif)
    assert header(opened) == ((32, 8), False)
    found = to_array(decode(opened, 1))[..., 0]
    assert found.shape == (32, 8)
    assert found[:12].max() < 30 and found[20:].min() > 225


def exif_of(*tags):
    """EXIF data of (tag, type, count, value of 4 bytes), whatever they say."""
    entries = b"".join(struct.pack(">HHI", *tag) + value for *tag, value in tags)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(tags)) + entries + bytes(4)


SHORT_6, ASCII, UNDEFINED = (0x0112, 3, 1, b"\0\6\0\0"), 2, 7
COMPRESSION = 0x0103  # a number


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (exif_of(SHORT_6, (COMPRESSION, ASCII, 2, b"x\0\0\0")), True),
        (b"Exif\0\0of another kind", False),
        (exif_of((0x0112, ASCII, 2, b"6\0\0\0")), False),
        (exif_of((0x0112, UNDEFINED, 4, b"\0\6\0\0")), False),
        (exif_of((0x0112, 3, 1, b"\0\x09\0\0")), False),
        (exif_of((0x0112, 3, 1, b"\0\0\0\0")), False),
    ],
    ids=["another tag broken", "no EXIF", "a text", "bytes", "9", "0"],
)
def test_an_image_is_as_whole_as_its_pixels_whatever_its_exif_says(exif, turned, file_format):
    """Orientation 6 turns 4 x 12 pixels, left black and right white, to 12 x 4, black at the top."""
    image = gray(np.repeat([[0] * 6 + [255] * 6], 4, 0)).convert("RGB")
    options = {"lossless": True} if file_format == "WEBP" else {}
    opened = reopened(image, file_format, exif=exif, **options)
    size, _ = header(opened)
    found = to_array(decode(opened, 1))[..., 0]
    assert size == found.shape == ((12, 4) if turned else (4, 12))
    start, end = (found[:4], found[8:]) if turned else (found[:, :4], found[:, 8:])
    assert start.max() < 30 and end.min() > 225


def test_every_orientation():
    """What EXIF 2.3 says of where the first row and the first column of the file are seen."""
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    found = {}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        found[orientation] = pixels(image, 1, exif=exif)[..., 0].tolist()
    assert found == {
        1: [[0, 1, 2], [3, 4, 5]],  # the first row at the top, the first column at the left
        2: [[2, 1, 0], [5, 4, 3]],  # top, right
        3: [[5, 4, 3], [2, 1, 0]],  # bottom, right
        4: [[3, 4, 5], [0, 1, 2]],  # bottom, left
        5: [[0, 3], [1, 4], [2, 5]],  # left, top
        6: [[3, 0], [4, 1], [5, 2]],  # right, top
        7: [[5, 2], [4, 1], [3, 0]],  # right, bottom
        8: [[2, 5], [1, 4], [0, 3]],  # left, bottom
    }


def test_header_knows_gray():
    modes = {
        mode: header(reopened(Image.new(mode, (3, 2))))
        for mode in ("L", "1", "LA", "I;16", "RGB", "P", "RGBA")
    }
    assert {mode: is_gray for mode, (_, is_gray) in modes.items()} == {
        "L": True, "1": True, "LA": True, "I;16": True, "RGB": False, "P": False, "RGBA": False,
    }  # fmt: skip
    assert {size for size, _ in modes.values()} == {(2, 3)}


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP"])
def test_half_a_file_is_truncated(file_format):
    file = io.BytesIO()
    noise = np.random.RandomState(0).randint(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, file_format)
    with pytest.raises(BadImage, match="^truncated$"):
        decode(open_image(io.BytesIO(file.getvalue()[: file.tell() // 2])), 3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_files_cut_anywhere_fail_as_bad_images_only(file_format):
    """Whatever Pillow raises, callers see BadImage, or an image when only padding was lost."""
    file = io.BytesIO()
    noise = np.random.RandomState(1).randint(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, file_format)
    data, refused = file.getvalue(), 0
    for length in range(0, len(data) - 16, 7):
        try:
            image = open_image(io.BytesIO(data[:length]))
            header(image)
            decode(image, 3)
        except BadImage:
            refused += 1
    assert refused >= len(range(0, len(data) - 16, 7)) * 0.9


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


BIG = {
    "zTXt": b"Raw profile\0\0" + zlib.compress(b"a" * 20_000_000),
    "iTXt": b"XML\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000),
    "iCCP": b"profile\0\0" + zlib.compress(np.random.RandomState(0).bytes(2_000_000)),
    "tEXt": b"Comment\0" + b"a" * 2_000_000,
}


@pytest.mark.parametrize("kind", BIG)
def test_texts_and_profiles_of_any_size_do_not_stop_an_image(tmp_path, kind):
    file = io.BytesIO()
    noise = np.random.RandomState(0).randint(0, 256, (5, 4, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned, as the image is read
    Image.fromarray(noise).save(file, "PNG", exif=exif)
    data, text = file.getvalue(), chunk(kind.encode(), BIG[kind])
    first = data.index(b"IDAT") - 4
    for whole in (data[:first] + text + data[first:], data[:-12] + text + data[-12:]):
        (tmp_path / "a.png").write_bytes(whole)
        for source in (tmp_path / "a.png", io.BytesIO(whole)):
            image = open_image(source)
            assert header(image)[0] == (4, 5)
            np.testing.assert_array_equal(to_array(decode(image, 3)), np.rot90(noise, -1))
    with pytest.raises(BadImage, match="^truncated$"):
        decode(open_image(io.BytesIO(data[:first] + text + data[first : first + 20])), 3)


def test_the_reason_is_pillows_own():
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    data = bytearray(file.getvalue())
    data[data.index(b"IDAT") + 10] ^= 255
    with pytest.raises(BadImage, match="^broken data: .*[a-z]{4}"):
        decode(open_image(io.BytesIO(bytes(data))), 3)


@pytest.mark.filterwarnings("ignore:Image size")
def test_an_image_of_too_many_pixels_is_told_how_many_there_may_be(monkeypatch):
    """Pillow refuses twice its limit."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    assert header(reopened(gray(np.zeros((40, 30))))) == ((40, 30), True)
    with pytest.raises(BadImage, match="^more than 1,200 pixels$"):
        reopened(gray(np.zeros((41, 30))))


def test_other_content_is_no_image():
    tiff = io.BytesIO()
    Image.new("L", (4, 4)).save(tiff, "TIFF")
    for content in (b"hello, I am text", b"", tiff.getvalue()):
        with pytest.raises(BadImage, match="^not a jpg, png, webp, bmp or gif image$"):
            open_image(io.BytesIO(content))


def test_cover_keeps_proportions():
    assert cover((100, 200), (50, 50)) == (50, 100)
    assert cover((30, 10), (20, 20)) == (60, 20)
    assert cover((7, 7), (32, 32)) == (32, 32)


def columns(count, height):
    """Column x has value 10 x."""
    return gray(np.tile(np.arange(count) * 10, (height, 1)))


def test_crops():
    """Eight columns and four rows at side 4: no scaling; the middle is columns 2 to 5."""
    image = columns(8, 4)
    assert to_array(fit(image, (4, 4), "center"))[0, :, 0].tolist() == [20, 30, 40, 50]
    assert to_array(fit(image, (4, 4), "random"))[0, :, 0].tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    squashed = to_array(fit(image, (4, 4), "none"))
    assert squashed.shape == (4, 4, 1)
    np.testing.assert_allclose(squashed[0, 1:3, 0], [25, 45], atol=1)


def test_enlarging_is_bilinear():
    """Twice as large: pixel centres lie a quarter and three quarters between the old ones."""
    found = to_array(fit(gray([[0, 100], [0, 100]]), (4, 4), "center"))[0, :, 0]
    assert found.tolist() == [0, 25, 75, 100]
