"""The source `glyphs`: what is drawn, from which fonts, in which places and colours, and always the same."""

import hashlib
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from configurations import ROOT
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset, glyphs
from tfgans.data.glyphs import CHARACTERS, TEST_STYLES, TRAIN_STYLES, GlyphItems, Glyphs

LUMA = np.array([0.299, 0.587, 0.114])
HASHES = """
import hashlib
from tfgans.data.glyphs import Glyphs
for split in ("train", "test"):
    items = Glyphs().open(split).at(32)
    print(hashlib.sha256(b"".join(items.read(i).tobytes() for i in range(40))).hexdigest())
"""


def drawn(items, indices):
    """uint8 [n, R, R, 3]."""
    return np.stack([np.asarray(items.read(i)) for i in indices])


def _masks(items):
    """The glyphs as they are first drawn, float32 [96, 96], of each style of each character."""
    styles = range(len(items.styles))
    return [[np.asarray(items._mask(style, k)[0], np.float32) for style in styles] for k in range(36)]


def test_counts_by_hand():
    for split, images, each in (("train", 14400, 400), ("test", 3600, 100)):
        items = Glyphs().open(split)
        assert len(items) == images and np.bincount(items.labels).tolist() == [each] * 36
        assert items.class_names == [*"0123456789", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
        assert items.labels[:38].tolist() == [*range(36), 0, 1] and items.name(7) == "glyph 7"
        assert items.header(0) == ((32, 32), False)
        used = np.bincount(items.style)
        assert len(used) == len(items.styles) and used.min() > 0.85 * images / len(used)


def test_no_font_of_the_test_part_is_trained_on():
    """By name, and by shape: each test glyph differs from that character in every training font."""
    assert (len(TRAIN_STYLES), len(TEST_STYLES)) == (18, 6) == (len({*TRAIN_STYLES}), len({*TEST_STYLES}))
    assert not {*TRAIN_STYLES} & {*TEST_STYLES}
    train, test = (_masks(Glyphs().open(split)) for split in ("train", "test"))
    apart = [
        np.abs(a - b).sum() / max(a.sum(), b.sum())
        for known, new in zip(train, test, strict=True)
        for b in new
        for a in known
    ]
    assert len(apart) == 36 * 18 * 6 and min(apart) > 0.02


def test_every_character_is_in_every_font():
    """A font without one draws its box for what is missing, the same for all; and glyphs end before the border."""
    for split in ("train", "test"):
        masks = np.array(_masks(Glyphs().open(split)))  # [36, styles, 96, 96]
        assert masks.shape[0] == 36 and masks.shape[2:] == (96, 96)
        for style in range(masks.shape[1]):
            assert len({mask.tobytes() for mask in masks[:, style]}) == 36
        assert max(masks[..., edge, :].max() for edge in (0, -1)) < 200
        assert max(masks[..., edge].max() for edge in (0, -1)) < 200


def test_an_image_is_a_function_of_its_seed_and_number():
    whole, few, other = (
        Glyphs().open("train"),
        GlyphItems(TRAIN_STYLES, 50, 0),
        GlyphItems(TRAIN_STYLES, 50, 1),
    )
    assert np.array_equal(drawn(whole, range(50)), drawn(few, range(50)))
    assert whole.content(49) == few.content(49) != other.content(49)
    assert not any(
        np.array_equal(a, b) for a, b in zip(drawn(few, range(50)), drawn(other, range(50)), strict=True)
    )
    assert len({whole.content(i) for i in range(3600)}) == 3600


@pytest.mark.slow
def test_a_fresh_process_draws_the_same_bytes():
    script = subprocess.run(
        [sys.executable, "-c", HASHES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    here = [
        hashlib.sha256(drawn(Glyphs().open(split), range(40)).tobytes()).hexdigest()
        for split in ("train", "test")
    ]
    assert script.stdout.split() == here and here[0] != here[1]


@pytest.mark.parametrize("side", [16, 64, 128, 256])
def test_every_resolution_shows_the_same(side):
    indices = range(0, 40, 3)
    there, here = (drawn(Glyphs().open("test").at(size), indices) for size in (side, 32))
    assert there.shape == (14, side, side, 3)
    small = min(side, 32)
    there, here = (
        np.stack(
            [np.asarray(Image.fromarray(each).reduce(each.shape[0] // small), np.float32) for each in images]
        )
        for images in (there, here)
    )
    assert np.abs(there - here).mean() < 3 and there.std() > 40


def test_one_is_light_and_the_other_dark():
    items = Glyphs().open("train")
    ink, paper = (colors @ LUMA / 255 for colors in (items.ink, items.paper))
    assert np.abs(ink - paper).min() >= 0.315
    for luma in (ink, paper):
        assert 0.45 < np.mean(luma < 0.45) < 0.55 and luma.min() >= 0.045 and luma.max() <= 0.975
    assert items.ink.std(axis=0).min() > 50 and len(np.unique(items.ink, axis=0)) > 14000
    image = np.asarray(items.at(64).read(10))
    assert (image[0, 0] == items.paper[10]).all()
    assert (image == items.ink[10]).all(axis=-1).sum() > 100  # an A


def test_colors_by_hand():
    """Red's luma is 0.299, green's 0.587; below it a pure colour becomes darker, above it paler."""
    hue, luma = np.array([0.0, 0.0, 0.0, 1 / 3, 2 / 3]), np.array([0.299, 0.1495, 0.6495, 0.587, 0.0])
    found = glyphs._color(hue, np.ones(5), luma).astype(int)
    expected = [[255, 0, 0], [127.5, 0, 0], [255, 127.5, 127.5], [0, 255, 0], [0, 0, 0]]
    np.testing.assert_allclose(found, expected, atol=1)
    gray = glyphs._color(np.array([0.0]), np.array([0.0]), np.array([0.299]))[0]  # 0.3 of the way to red
    np.testing.assert_allclose(gray, 255 * np.array([0.299 + 0.3 * 0.701, 0.7 * 0.299, 0.7 * 0.299]), atol=1)


def test_places_by_hand():
    """The middle of every range: not turned, not shifted, 0.95 of 0.66 of the side high; then each end of a range."""
    half = [0.5] * 5
    scale = 0.95 * 0.66 / 0.6
    across = glyphs._placed(half, 0.1, 100)
    np.testing.assert_allclose(
        across, [1 / scale, 0, 50 - 50 / scale, 0, 1 / scale, 50 - 50 / scale], atol=1e-9
    )
    a, _, c, _, e, f = glyphs._placed([0.5, 1.0, 0.0, 0.5, 0.5], 0.1, 100)
    assert (a * 55 + c, e * 45 + f) == pytest.approx((50, 50))  # 5 to the right, 5 up
    a, b, _, d, e, _ = glyphs._placed([1.0, 0.5, 0.5, 0.5, 0.5], 0.1, 100)
    assert np.arctan2(b, a) == pytest.approx(np.deg2rad(10)) and (a, b) == pytest.approx((e, -d))
    assert 1 / glyphs._placed([0.5, 0.5, 0.5, 0.0, 1.0], 0.1, 100)[0] == pytest.approx(0.85 * 1.1 * 1.1)
    assert 1 / glyphs._placed(half, 0.99, 100)[0] == pytest.approx(0.8 / 0.99)  # condensed to 0.8 of the side


def test_capitals_have_the_height_that_is_said():
    items = GlyphItems(TRAIN_STYLES, 36, 0, 128)
    items.place[:] = 0.5
    for style in range(18):
        items.style[:] = style
        image = np.asarray(items.read(CHARACTERS.index("H"))).astype(int)
        rows = np.flatnonzero((np.abs(image - image[0, 0]).max(axis=-1) > 20).any(axis=1))
        assert rows[-1] - rows[0] + 1 == pytest.approx(0.95 * 0.66 * 128, abs=3)
        assert (rows[-1] + rows[0] + 1) / 2 == pytest.approx(64, abs=2)


def test_as_a_data_set():
    options = {"classes": ["7", "A"], "batch_size": 8}
    color, gray = Dataset("glyphs", **options), Dataset("glyphs", channels=1, resolution=48, **options)
    assert (color.item_shape, gray.item_shape, color.class_names) == ((32, 32, 3), (48, 48, 1), ["7", "A"])
    assert color.label_counts.tolist() == [400, 400] and color.reference_size() == 200
    images = next(gray.reference())[0]
    ranges = images.max(axis=(1, 2, 3)).astype(int) - images.min(axis=(1, 2, 3))
    assert images.shape[1:] == (48, 48, 1) and ranges.min() >= 0.3 * 255
    batch = next(iter(color.batches(1, 0)))["images"]
    assert (
        batch.shape == (1, 8, 32, 32, 3) and -1 <= batch.numpy().min() < -0.5 < 0.5 < batch.numpy().max() <= 1
    )


def test_a_font_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(matplotlib, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(
        ConfigError, match=r"^glyphs are drawn from matplotlib's fonts, and there is no /.*\.ttf$"
    ):
        Glyphs().open("train").read(0)
