"""Characters drawn from the fonts that come with matplotlib: images of any size and any number, offline.

Image i of a split is a pure function of the split and i: its class is i modulo 36; its font, place, turn, size and
colours come from `philox`. The splits share no font. Everything is drawn when it is read, nothing at import.
"""

import functools
import math
import threading
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfgans.config import ConfigError
from tfgans.data import philox
from tfgans.data.items import Items

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TRAIN, TEST = 14400, 3600  # images: 400 and 100 of each class
# A font's file and, of fonts that have several alphabets, the code points of 0 and A.
TRAIN_STYLES = (
    ("DejaVuSans", 48, 65),
    ("DejaVuSans-Bold", 48, 65),
    ("DejaVuSans-BoldOblique", 48, 65),
    ("DejaVuSansMono", 48, 65),
    ("DejaVuSansMono-Oblique", 48, 65),
    ("DejaVuSansMono-BoldOblique", 48, 65),
    ("DejaVuSerif-Bold", 48, 65),
    ("DejaVuSerif-Italic", 48, 65),
    ("DejaVuSerif-BoldItalic", 48, 65),
    ("STIXGeneral", 48, 65),
    ("STIXGeneralBol", 48, 65),
    ("STIXGeneralBolIta", 48, 65),
    ("STIXGeneral", 0x1D7EC, 0x1D5D4),  # bold sans serif
    ("STIXGeneral", 0x1D7F6, 0x1D670),  # typewriter
    ("cmr10", 48, 65),
    ("cmss10", 48, 65),
    ("cmti10", 48, 65),
    ("cmtt10", 48, 65),
)
TEST_STYLES = (
    ("DejaVuSans-Oblique", 48, 65),
    ("DejaVuSansMono-Bold", 48, 65),
    ("DejaVuSerif", 48, 65),
    ("STIXGeneralItalic", 48, 65),
    ("STIXGeneral", 0x1D7E2, 0x1D5A0),  # sans serif
    ("cmb10", 48, 65),
)
_CAPITAL = 0.66  # height of an H, as a share of the side
_WIDEST = 0.8  # of a glyph, likewise: wider ones, such as a bold W, are condensed
_DRAWN = 0.6  # height of an H where glyphs are drawn first, so that the widest, a bold W, has room
_TURN = math.radians(10)
_SHIFT = 0.05
_SIZES, _STRETCHES = (0.85, 1.05), (0.9, 1.1)
_DARK, _LIGHT = (0.05, 0.3), (0.62, 0.97)  # luma
_PURITY = (0.3, 1.0)
_LUMA = np.array([0.299, 0.587, 0.114])  # as Pillow makes gray


class Glyphs:
    """The digits and the Latin capitals in 24 styles of font: DejaVu, STIX and Computer Modern.

    14,400 training images, 400 of each of the 36 classes, are of 18 styles, 3,600 test images of six others. A
    glyph is turned by up to 10 degrees, shifted by up to 5 % of the side, made larger or smaller by up to 15 % and
    wider or narrower by up to 10 %. It is dark on light or light on dark, each of any hue, at least 0.32 of the range
    of luma apart. Images are drawn at the resolution that is asked for, 32 if none is.
    """

    splits = ("train", "test")
    default_resolution = 32

    def open(self, split):
        return GlyphItems(*((TEST_STYLES, TEST, 1) if split == "test" else (TRAIN_STYLES, TRAIN, 0)))


class GlyphItems(Items):
    """`count` glyphs of `styles`, RGB of `side` pixels, seeded by `seed`."""

    class_names = list(CHARACTERS)

    def __init__(self, styles, count, seed, side=32):
        self.styles, self.side, self.seed = styles, side, seed
        self.labels = (np.arange(count) % len(CHARACTERS)).astype(np.int32)
        draws = philox.uniform((count, 13), seed, philox.GLYPHS)
        self.style = (draws[:, 0] * len(styles)).astype(np.int32)
        self.place = draws[:, 1:6]
        self.ink, self.paper = _colors(draws[:, 6:].T)
        self._mask = functools.cache(self._drawn)
        self._lock = threading.Lock()  # FreeType's fonts are not for several threads at once

    def __len__(self):
        return len(self.labels)

    def at(self, resolution):
        return type(self)(self.styles, len(self), self.seed, resolution or self.side)

    def name(self, i):
        return f"glyph {i}"

    def header(self, i):
        return (self.side, self.side), False

    def read(self, i):
        with self._lock:
            mask, width = self._mask(self.style[i], self.labels[i])
        place = _placed(self.place[i].tolist(), width, mask.width)
        mask = mask.transform(mask.size, Image.Transform.AFFINE, place, Image.Resampling.BILINEAR)
        mask = mask.reduce(mask.width // self.side)
        ink, paper = (Image.new("RGB", mask.size, tuple(each[i].tolist())) for each in (self.ink, self.paper))
        return Image.composite(ink, paper, mask)

    def content(self, i):
        glyph = repr((self.styles[self.style[i]], CHARACTERS[self.labels[i]])).encode()
        return glyph + self.place[i].tobytes() + self.ink[i].tobytes() + self.paper[i].tobytes()

    def _drawn(self, style, label):
        """`(a glyph in the middle of a square, white on black, larger than it will be; its width in sides)`."""
        side = self.side * (3 if self.side <= 64 else 2)
        file, zero, letter = self.styles[style]
        font = _font(file, side, chr(letter + CHARACTERS.index("H") - 10))
        text = chr(zero + label if label < 10 else letter + label - 10)
        left, top, right, bottom = font.getbbox(text)
        mask = Image.new("L", (side, side))
        ImageDraw.Draw(mask).text(((side - left - right) / 2, (side - top - bottom) / 2), text, 255, font)
        return mask, (right - left) / side


def _font(file, side, capital):
    """A font at the size that gives `capital` the height of capitals in a square of `side` pixels."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{file}.ttf"
    if not path.is_file():
        raise ConfigError(f"glyphs are drawn from matplotlib's fonts, and there is no {path}")
    plain = ImageFont.Layout.BASIC
    _, top, _, bottom = ImageFont.truetype(path, 1000, layout_engine=plain).getbbox(capital)
    return ImageFont.truetype(path, 1000 * _DRAWN * side / (bottom - top), layout_engine=plain)


def _placed(draws, width, side):
    """The six numbers by which Pillow finds, for a pixel of the result, its place in a square of `side` pixels.

    Args:
        draws: of turn, shift to the right, shift downwards, size and stretch, each in [0, 1).
        width: of the glyph, in sides.
    """
    turn, right, down = (2 * each - 1 for each in draws[:3])
    tall = _between(_SIZES, draws[3]) * _CAPITAL / _DRAWN
    wide = min(tall * _between(_STRETCHES, draws[4]), _WIDEST / width)
    cos, sin = math.cos(turn * _TURN), math.sin(turn * _TURN)
    a, b, d, e = cos / wide, sin / wide, -sin / tall, cos / tall
    x, y = (side * (0.5 + _SHIFT * each) for each in (right, down))  # where its middle comes to
    return a, b, side / 2 - a * x - b * y, d, e, side / 2 - d * x - e * y


def _colors(draws):
    """`(ink, paper)`, RGB colours uint8 [n, 3], one dark and the other light; of draws [7, n] in [0, 1)."""
    dark = _color(*draws[:2], _between(_DARK, draws[2]))
    light = _color(*draws[3:5], _between(_LIGHT, draws[5]))
    dark_ink = draws[6, :, None] < 0.5
    return np.where(dark_ink, dark, light), np.where(dark_ink, light, dark)


def _color(hue, purity, luma):
    """RGB colours uint8 [n, 3] of a luma in [0, 1]; with `purity` 1 they are as colourful as that allows."""
    pure = np.clip(np.abs((6 * hue[:, None] + [0, 4, 2]) % 6 - 3) - 1, 0, 1)
    own, luma = (pure @ _LUMA)[:, None], luma[:, None]
    full = np.where(own > luma, pure * luma / own, 1 - (1 - pure) * (1 - luma) / (1 - own))
    return np.rint(255 * (luma + _between(_PURITY, purity)[:, None] * (full - luma))).astype(np.uint8)


def _between(bounds, draw):
    return bounds[0] + (bounds[1] - bounds[0]) * draw
