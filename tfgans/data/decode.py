"""From an opened image file to pixels of the wanted mode and size, by Pillow.

Rules: EXIF rotation is applied; 16-bit gray is scaled (not clipped) to 8 bits; alpha, and the
transparent colour of a palette, is composited on white; palette, CMYK and 1-bit images are converted; of an
image that moves (GIF, WebP, PNG) the first frame counts.
A size changes by Lanczos when a side shrinks, else bilinearly.
"""

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_ORIENTATION = 0x0112  # EXIF tag; values 5 to 8 turn the image by 90 degrees


class BadImage(Exception):
    """An image that cannot be used; the message is the reason in a few words."""


def open_image(file):
    """Opens a path or binary file without decoding it. Raises BadImage."""
    try:
        return Image.open(file, formats=_FORMATS)
    except Exception as error:
        raise BadImage(_reason(error)) from error


def header(image):
    """((height, width) after EXIF rotation, whether gray) of an opened image. Raises BadImage."""
    try:
        # Pillow decodes a whole PNG to look for EXIF data behind its pixels.
        known = image.format != "PNG" or "exif" in image.info
        turned = known and image.getexif().get(_ORIENTATION, 1) >= 5
    except Exception as error:
        raise BadImage(_reason(error)) from error
    gray = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
    return (image.size if turned else image.size[::-1]), gray


def decode(image, channels):
    """An opened image as a Pillow image of mode L (`channels` 1) or RGB (3). Raises BadImage."""
    try:
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            levels = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
            image = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
        elif image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA"))
        return image.convert("L" if channels == 1 else "RGB")
    except Exception as error:
        raise BadImage(_reason(error)) from error


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


def cover(shape, size):
    """The smallest (height, width) of the proportions of `shape` that covers `size`."""
    scale = max(size[0] / shape[0], size[1] / shape[1])
    return tuple(max(wanted, round(side * scale)) for side, wanted in zip(shape, size, strict=True))


def to_array(image):
    """A decoded image as uint8 [H, W, C]."""
    pixels = np.array(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def from_array(pixels):
    """uint8 [H, W, C] as a Pillow image; C is 1, 3 or 4."""
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def _resize(image, size):
    if size == (image.height, image.width):
        return image
    shrinks = size[0] < image.height or size[1] < image.width
    method = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BILINEAR
    return image.resize(size[::-1], method)


def _reason(error):
    """Pillow's readers raise nearly every type of exception on broken files, hence no list of types."""
    if isinstance(error, UnidentifiedImageError):
        return "not a jpg, png, webp, bmp or gif image"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return "cannot be opened"
    return "truncated" if "truncated" in str(error).lower() else "broken data"
