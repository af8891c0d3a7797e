"""From an opened image file to pixels of the wanted mode and size, by Pillow.

Rules: EXIF rotation is applied, where it can be read; 16-bit gray is scaled (not clipped) to 8 bits; palette, CMYK
and 1-bit images are converted; of an image that moves (GIF, WebP, PNG) the first frame counts.
Alpha, or a transparent colour, is composited on a background, of 255 parts round(alpha colour + (255 - alpha)
background), or kept as the last channel: colours that do not show, where it is 0, are then black.
A size changes by Lanczos when a side shrinks, else bilinearly; of what has alpha, colours times alpha are resized, so
that nothing bleeds from what does not show. Texts and colour profiles are not used, so their
size does not matter, though Pillow refuses PNGs with more than 1 MiB of one.
"""

import io
import os
import stat

import numpy as np
from PIL import Image, ImageColor, UnidentifiedImageError

from tfgans import readers
from tfgans.config import ConfigError

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_PNG, _TEXTS = b"\x89PNG\r\n\x1a\n", (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by the number of channels
if "PILLOW_BLOCKS_MAX" not in os.environ:
    # Images take the memory of earlier ones: to get it anew, page by page, takes longer than to decode a large JPEG.
    Image.core.set_blocks_max(8)
_ORIENTATION = 0x0112  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by its values
_SIDES_CHANGE = (5, 6, 7, 8)


class BadImage(Exception):
    """An image that cannot be used; the message is the reason in a few words."""


class Unreachable(BadImage):
    """An image whose bytes cannot be had now, whatever they are: its file is gone, say, or the disk fails."""


def open_file(path):
    """The file of an image, open to be read. Raises: OSError; BadImage for a pipe, for which one would wait, a device
    or a socket."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise BadImage("not an ordinary file")
    return open(path, "rb")


def open_image(file):
    """Opens a path or binary file without decoding it. Raises BadImage."""
    try:
        return _opened(file)
    except Exception as error:
        raise _bad(error) from error


def header(image):
    """((height, width) after EXIF rotation, whether gray) of an opened image. Raises BadImage."""
    try:
        # Pillow decodes a whole PNG to look for EXIF data behind its pixels.
        known = image.format != "PNG" or "exif" in image.info
        turned = known and _orientation(image) in _SIDES_CHANGE
    except Exception as error:
        raise _bad(error) from error
    gray = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
    return (image.size if turned else image.size[::-1]), gray


def colour(text, name):
    """(red, green, blue) of the name of a colour, or of #rrggbb. Raises ConfigError that calls it `name`."""
    try:
        red, green, blue = ImageColor.getrgb(text)
    except ValueError as error:
        raise ConfigError(
            f"{name} is the name of a colour, such as white, or #rrggbb. Received: {text!r}"
        ) from error
    return red, green, blue


def decode(image, channels, background=(255, 255, 255)):
    """An opened image as a Pillow image. Raises BadImage.

    Args:
        channels: 1 (mode L), 2 (LA), 3 (RGB) or 4 (RGBA).
        background: (red, green, blue) that alpha is composited on, where it is not kept.
    """
    try:
        image = _turned(_loaded(image))
        if image.mode.startswith("I"):
            image = _eight_bits(image)
        if not image.has_transparency_data:
            return _in_mode(_in_mode(image, "L" if channels <= 2 else "RGB"), _MODES[channels])
        image = image.convert("RGBA")
        if channels in (1, 3):
            image = Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image)
            return image.convert(_MODES[channels])
        return _without_hidden(image.convert(_MODES[channels]))
    except Exception as error:
        raise _bad(error) from error


def _orientation(image):
    """EXIF's, of whatever type the file says; 1 if it cannot be read, since no pixel depends on that."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow raises many types on broken EXIF data
        return 1


def _turned(image):
    """A loaded image as its EXIF orientation says; Pillow's own `exif_transpose` writes all EXIF data anew, which
    fails where any other tag is broken."""
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _in_mode(image, mode):
    """`convert`, which copies an image that is of the mode already."""
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image):
    """Mode L of 16-bit gray; LA if it has a transparent level."""
    levels = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
    gray = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    if "transparency" in image.info:
        gray.putalpha(
            Image.fromarray(np.where(levels == image.info["transparency"], 0, 255).astype(np.uint8))
        )
    return gray


def _without_hidden(image):
    """An image with alpha whose colours are black where alpha is 0."""
    pixels = np.array(image)
    pixels[pixels[..., -1] == 0] = 0
    return from_array(pixels)


def _opened(file):
    try:
        return Image.open(file, formats=_FORMATS)
    except ValueError as error:
        if hasattr(file, "read"):
            return _reopened(file, error)
        with open(file, "rb") as binary:
            return _reopened(binary, error)


def _loaded(image):
    try:
        image.load()
        return image
    except ValueError as error:
        with image:
            return _reopened(image.fp, error)


def _reopened(file, error):
    """A PNG that Pillow refused with `error`, without texts and colour profile. Raises `error` if it is none."""
    file.seek(0)
    data = file.read()
    if not data.startswith(_PNG):
        raise error
    kept, start = [_PNG], len(_PNG)
    while start + 8 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4])
        if data[start + 4 : start + 8] not in _TEXTS:
            kept.append(data[start:end])
        start = end
    return Image.open(io.BytesIO(b"".join(kept)), formats=("PNG",))


def fit(image, size, crop):
    """Resizes a decoded image.

    Args:
        size: (height, width) wanted.
        crop: `center`: the image covers `size`, then its middle is cut out; `random`: it covers
            `size` and is not cut yet; `none`: squashed to `size`.
    """
    height, width = size
    if crop == "none":
        return _resize(image, size)
    image = _resize(image, cover((image.height, image.width), size))
    if crop == "center":
        top, left = (image.height - height) // 2, (image.width - width) // 2
        image = image.crop((left, top, left + width, top + height))
    return image


def least_side(size, asked=None):
    """The shorter side of the smallest image that is used at `size`, (height, width): `asked`, if it is set."""
    return max(1, min(size) // 4) if asked is None else asked


def cover(shape, size):
    """The smallest (height, width) of the proportions of `shape` that covers `size`."""
    scale = max(size[0] / shape[0], size[1] / shape[1])
    return tuple(max(wanted, round(side * scale)) for side, wanted in zip(shape, size, strict=True))


def to_array(image):
    """A decoded image as uint8 [H, W, C], not to be written to."""
    return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, -1)


def from_array(pixels):
    """uint8 [H, W, C] as a Pillow image; C is 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha)."""
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def _resize(image, size):
    if size == (image.height, image.width):
        return image
    shrinks = size[0] < image.height or size[1] < image.width
    method = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BILINEAR
    return image.resize(size[::-1], method)


def _bad(error):
    """What an exception makes of an image; those of the system have a number, those of Pillow have none."""
    unreachable = isinstance(error, OSError) and error.errno is not None
    return (Unreachable if unreachable else BadImage)(_reason(error))


def _reason(error):
    """Pillow's readers raise nearly every type of exception on broken files, hence no list of types."""
    if isinstance(error, UnidentifiedImageError):
        return "not a jpg, png, webp, bmp or gif image"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels"  # which Pillow refuses
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return "cannot be opened"
    if "truncated" in str(error).lower():
        return "truncated"
    return f"broken data: {readers.one_line(error)[:100]}" if str(error) else "broken data"
