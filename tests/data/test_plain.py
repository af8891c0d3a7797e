"""Images that are decoded without Pillow: which they are, that they are, and to the same bits."""

import io

import numpy as np
import pytest
from image_sets import assert_same_batches, packed
from PIL import Image, PngImagePlugin

from tfgans.data import Dataset, manifest, recoding, store
from tfgans.data.decode import decode, header, open_image, to_array
from tfgans.data.packed import Packed
from tfgans.data.plain import is_plain, pixels

COLOURS = np.random.default_rng(0).integers(0, 256, (21, 34, 3), np.uint8)
SMOOTH = np.array(Image.fromarray(COLOURS).resize((61, 45)))
RGB, GRAY = Image.fromarray(SMOOTH), Image.fromarray(SMOOTH).convert("L")


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def chunk(name, data):
    """Options of a PNG with one more chunk."""
    info = PngImagePlugin.PngInfo()
    info.add(name, data)
    return {"pnginfo": info}


LEVELS = Image.fromarray(np.arange(45 * 61, dtype=np.uint16).reshape(45, 61) * 20)
GAMMA = chunk(b"gAMA", (100_000).to_bytes(4))
FILES = {  # name: (image, format, options, whether it is plain)
    "jpeg": (RGB, "JPEG", {}, True),
    "jpeg, whole colours": (RGB, "JPEG", {"subsampling": 0, "quality": 100}, True),
    "jpeg, half colours": (RGB, "JPEG", {"subsampling": 1}, True),
    "jpeg, progressive": (RGB, "JPEG", {"progressive": True}, True),
    "jpeg, not of YCbCr": (RGB, "JPEG", {"keep_rgb": True}, True),
    "jpeg, gray": (GRAY, "JPEG", {}, True),
    "jpeg, CMYK": (RGB.convert("CMYK"), "JPEG", {}, False),
    "jpeg, turned": (RGB, "JPEG", {"exif": turned()}, False),
    "png": (RGB, "PNG", {}, True),
    "png, gray": (GRAY, "PNG", {}, True),
    "png, of two levels": (GRAY.convert("1"), "PNG", {}, True),
    "png, with a gamma": (RGB, "PNG", GAMMA, True),
    "png, turned": (RGB, "PNG", {"exif": turned()}, False),
    "png, a colour transparent": (RGB, "PNG", {"transparency": tuple(SMOOTH[0, 0].tolist())}, False),
    "png, alpha": (RGB.convert("RGBA"), "PNG", {}, False),
    "png, of 16 bits": (LEVELS, "PNG", {}, False),
    "webp": (RGB, "WEBP", {}, False),
    "bmp": (RGB, "BMP", {}, False),
    "gif": (RGB, "GIF", {}, False),
}


def encoded(name):
    image, kind, options, _ = FILES[name]
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def by_pillow(data):
    _, gray = header(open_image(io.BytesIO(data)))
    return to_array(decode(open_image(io.BytesIO(data)), 1 if gray else 3))


@pytest.mark.parametrize("name", FILES)
def test_which_are_plain(name):
    data = encoded(name)
    expected = by_pillow(data)
    assert is_plain(data, expected) == FILES[name][3]
    if FILES[name][3]:
        np.testing.assert_array_equal(pixels(data), expected)
        assert not is_plain(data, expected[:, ::-1])


def test_a_palette_is_plain_where_it_has_the_same_colours():
    file = io.BytesIO()
    RGB.convert("P").save(file, "PNG")
    np.testing.assert_array_equal(pixels(file.getvalue()), by_pillow(file.getvalue()))


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\x89PNG", encoded("png")[:-40], encoded("webp")])
def test_what_the_libraries_do_not_take(data):
    assert pixels(data) is None and not is_plain(data, SMOOTH)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("plain") / "images"
    root.mkdir()
    for name in FILES:
        (root / f"{name}.{FILES[name][1].lower()}").write_bytes(encoded(name))
    return root


@pytest.mark.parametrize("form", [None, {"resolution": 16}, {"resolution": 72, "crop": "random"}])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_packed_set_decodes_them_so(folder, tmp_path, monkeypatch, form, channels):
    """Pillow is asked for the others alone, and batches are those of the folder."""
    source = packed(folder, tmp_path / "x", form and form | {"channels": channels})
    options = {"channels": channels, "batch_size": 4, "resolution": 40, "memory_limit_gb": 0.0} | (form or {})
    found, asked = Dataset(source, **options), []
    monkeypatch.setattr(store, "decode", lambda *args: asked.append(1) or decode(*args))
    images = found._store.read(np.arange(len(FILES)))[0]
    gray = 3 + 1  # without a resolution: JPEG and PNG, of two levels and of 16 bits
    plain = {1: gray - 1, 3: sum(each[3] for each in FILES.values()) - gray + 1, 4: 0}[channels]
    plain = (0 if channels == 4 else len(FILES)) if form else plain
    assert len(asked) == len(FILES) - plain
    monkeypatch.undo()
    original = Dataset(f"folder:{folder}", **options)
    for one, other in zip(images, original._store.read(np.arange(len(FILES)))[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert_same_batches(original, found, steps=1)


@pytest.mark.parametrize("said", ["now", "by an older version"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_what_is_transparent_gets_its_background(tmp_path, monkeypatch, mode, said):
    """White that is transparent is the same on white, where packing compares, and another on black.

    Older versions called it plain, and their sets are still there.
    """
    root = tmp_path / "images"
    root.mkdir()
    for k in range(2):
        image = Image.new("RGB", (8, 8), (255, 255, 255))
        image.putpixel((k, 0), (40, 40, 40))
        image = image.quantize(2) if mode == "P" else image.convert(mode)
        transparent = image.getpixel((7, 7))
        image.save(root / f"{k}.png", transparency=transparent)
    if said == "by an older version":
        monkeypatch.setattr(recoding, "is_plain", lambda data, expected: True)
    source = packed(root, tmp_path / "x")
    options = {"background": "black", "channels": 1 if mode == "L" else 3, "batch_size": 2}
    (images, _), (expected, _) = (
        next(Dataset(name, **options).reference()) for name in (source, f"folder:{root}")
    )
    assert images[0, 7, 7].max() == 0 and images[0, 0, 0].min() == 40
    np.testing.assert_array_equal(images, expected)


def test_an_index_that_does_not_say(folder, tmp_path, monkeypatch):
    """As the first packed sets were written: Pillow decodes all."""
    write = manifest.write_index
    without = lambda path, arrays, names: write(path, {k: arrays[k] for k in arrays if k != "plain"}, names)  # noqa: E731
    monkeypatch.setattr(manifest, "write_index", without)
    source = packed(folder, tmp_path / "x")
    assert "plain" not in np.load(tmp_path / "x/train.index.npz")
    items = Packed(tmp_path / "x").open("train")
    assert all(items.pixels(i, channels) is None for i in range(len(FILES)) for channels in (1, 3))
    options = {"resolution": 16, "batch_size": 4}
    assert_same_batches(Dataset(f"folder:{folder}", **options), Dataset(source, **options), steps=1)
