"""The pictures of one run within its page: sample grids over time, and whatever else was drawn.

The pictures of the slider share 12 MB (16 MB as text in the page): each that is larger than its share is stored as
WebP, and made smaller, down to 256 pixels, until it fits. Of more than 400 steps, 400 evenly spaced ones are
shown, the first and the last among them.
"""

import base64
import io

import numpy as np
from PIL import Image

from tfgans import files, progress, readers
from tfgans.compare.embedded import picture
from tfgans.config import ConfigError

BYTES, STEPS = 12_000_000, 400
_WEBP = 16383  # pixels that a side has at most
_WIDTHS = (1024, 768, 512, 384, 256)
_KINDS = {"": "samples", "raw_": "raw weights"}


def samples(folder):
    """The frames of the slider, in the order of steps, and how many steps are left out.

    Returns: `([{"step", "samples", "raw weights"}], left out)`; the pictures are {"uri", "width", "sharp"}, or None
        where there are none.
    """
    there = {
        kind: {
            files.step_of(path.name.removeprefix(kind)): path
            for path in (folder / "samples").glob(f"{kind}step_*.png")
        }
        for kind in _KINDS
    }
    steps = sorted(step for step in there[""] if step >= 0)
    if not steps:
        return [], 0
    shown = [
        steps[i]
        for i in np.unique(np.linspace(0, len(steps) - 1, min(STEPS, len(steps))).round().astype(int))
    ]
    count = sum(step in there[kind] for kind in _KINDS for step in shown)
    frames = []
    with progress.Bar("embedding pictures", len(shown), "step") as bar:
        for step in shown:
            frames.append(
                {"step": step}
                | {
                    name: _fitted(there[kind][step], BYTES // count) if step in there[kind] else None
                    for kind, name in _KINDS.items()
                }
            )
            bar.update()
    frames = [frame for frame in frames if frame["samples"]]
    return frames, len(steps) - len(shown)


def real(folder):
    """The picture of training images, or None."""
    return picture(folder, "samples/real.png", 2)


def others(folder, drawn):
    """`(title, picture)` of what `evaluate --pictures` drew and of pictures that lie in the folder itself.

    Args: drawn: `collect.drawn` of a step, or None.
    """
    found = [] if drawn is None else [(name, drawn[key]) for key, name in PICTURES.items() if drawn[key]]
    found += [(path.stem.replace("_", " "), path.name) for path in sorted(folder.glob("*.png"))]
    embedded = [(title, picture(folder, path, 1)) for title, path in found]
    return [(title, each) for title, each in embedded if each]


PICTURES = {"nearest": "nearest training images", "map": "map of features"}


def _fitted(path, share):
    """A picture of about `share` bytes at most, as `embedded.picture` gives one; None if it is damaged."""
    found = picture(path.parent, path.name, 2)
    if found is None or path.stat().st_size <= share:
        return found
    try:
        with readers.reading(path, "a picture"), Image.open(path) as image:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
            data = _webp(image, image.width)
            for width in _WIDTHS:
                if len(data) <= share:
                    break
                if width < image.width:
                    data = _webp(image, width)
    except ConfigError:
        return None
    return found | {"uri": "data:image/webp;base64," + base64.b64encode(data).decode(), "sharp": False}


def _webp(image, width):
    """A picture of this width as WebP, bytes; smaller if it has more lines or columns than that can have."""
    data = io.BytesIO()
    width = max(1, min(width, _WEBP, image.width * _WEBP // image.height))
    if width < image.width:
        image = image.resize(
            (width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS
        )
    image.save(data, "WEBP", quality=80, method=2)
    return data.getvalue()
