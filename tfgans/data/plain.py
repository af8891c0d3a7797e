"""Pixels of encoded images by libjpeg-turbo and libspng (imagecodecs), in half of Pillow's time.

They are used for images alone of which it was seen, when they were packed, that they have the pixels of `decode`. So
whatever only Pillow sees to (rotation by EXIF, transparency, 16 bits) stays with Pillow.
"""

import numpy as np

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"


def pixels(data):
    """uint8 [H, W, C] of a JPEG or PNG; None of what the libraries do not take, and of colours that are transparent.

    On a white background these may be the same by Pillow, on another one they are not.
    """
    if _has_transparent_colours(data):
        return None
    import imagecodecs  # a quarter of a second, for those who have a packed set

    try:
        found = imagecodecs.jpeg8_decode(data) if data.startswith(_JPEG) else imagecodecs.spng_decode(data)
    except Exception:  # each codec has a type of its own
        return None
    return found if found.ndim == 3 else found[..., None]


def is_plain(data, expected):
    """Whether `pixels` gives exactly these of a file, uint8 [H, W, C], with C 1 or 3."""
    return expected.shape[-1] in (1, 3) and np.array_equal(pixels(data), expected)


def _has_transparent_colours(data):
    """Whether a PNG has the chunk that says which colours are transparent; libspng passes over it."""
    start = len(_PNG)
    while data.startswith(_PNG) and start + 8 <= len(data):
        if data[start + 4 : start + 8] == b"tRNS":
            return True
        start += 12 + int.from_bytes(data[start : start + 4])
    return False
