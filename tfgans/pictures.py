"""Pictures of what a generator makes: grids of images, and scatter plots of points."""

import numpy as np
from PIL import Image

from tfgans import files


def opaque(images):
    """Images [..., C] without alpha, which is the last of 2 or 4 channels: put on white. Others as they are.

    Args:
        images: uint8, whose colours are rounded to the nearest level, or float in about [0, 255].
    """
    if images.shape[-1] not in (2, 4):
        return images
    if images.dtype == np.uint8:
        colors, alpha = images[..., :-1].astype(np.uint32), images[..., -1:].astype(np.uint32)
        return ((alpha * colors + (255 - alpha) * 255 + 127) // 255).astype(np.uint8)
    alpha = np.clip(images[..., -1:] / 255, 0, 1)
    return alpha * images[..., :-1] + (1 - alpha) * 255


def grid(images, columns=None, border=2):
    """One uint8 picture [H', W', C] of uint8 images [N, H, W, C] row by row, small ones enlarged.

    Args:
        columns: images a row; near a square if not given.
        border: white, opaque pixels between images, before enlarging.
    """
    count, height, width, channels = images.shape
    columns = columns or int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    page = np.full(
        (rows * (height + border) + border, columns * (width + border) + border, channels), 255, np.uint8
    )
    for i, image in enumerate(images):
        top, left = (border + (i // columns) * (height + border), border + (i % columns) * (width + border))
        page[top : top + height, left : left + width] = image
    return _enlarged(page, height, width)


def strips(images, columns, border=2):
    """One uint8 picture of rows of `columns` images that touch, with white lines between rows.

    Args:
        images: uint8 [N, H, W, C], whole rows, one after the other; small ones are enlarged.
    """
    height, width, channels = images.shape[1:]
    rows = images.reshape(-1, columns, height, width, channels).swapaxes(1, 2)  # [rows, H, columns, W, C]
    rows = rows.reshape(-1, height, columns * width, channels)
    return grid(np.stack([_enlarged(row, height, width) for row in rows]), 1, border)


def _enlarged(picture, height, width):
    """A picture whose images of `height` x `width` get the larger side of about 48 pixels if it is smaller."""
    return _repeated(picture, max(1, 48 // max(height, width)))


def enlarged(picture, side):
    """A picture [H, W, C] whose larger side is made about `side` pixels, by whole numbers, if it is smaller."""
    return _repeated(picture, max(1, side // max(picture.shape[:2])))


def _repeated(picture, factor):
    return picture.repeat(factor, 0).repeat(factor, 1)


def save_png(path, picture):
    """Writes a uint8 picture [H, W, 1 to 4] as a PNG, which has alpha if that has, whole or not at all."""
    picture = picture[..., 0] if picture.shape[-1] == 1 else picture
    with files.replacing(path) as file:
        Image.fromarray(picture).save(file, "PNG")


def save_gif(path, frames, frames_per_second=20.0, back=True):
    """Writes uint8 pictures [F, H, W, 1 to 4] as a GIF that goes on for ever, whole or not at all.

    With `back` it goes there and back; the way back leaves out both ends: 2 F - 2 frames. Grey pictures keep their
    values; coloured ones get 256 colours of their own each, and errors are diffused. Frames that are the same become
    one that lasts longer. What has alpha is put on white.

    Args:
        frames_per_second: GIF counts in 1/100 s, so a frame takes the nearest number of those. Above 50, what
            a reader sees is slow: browsers take a frame of 1/100 s for one of a tenth.
    """
    there = [_paletted(frame) for frame in frames]
    first, *others = there + (there[-2:0:-1] if back else [])
    duration = 10 * round(100 / frames_per_second)
    options = {"save_all": True, "append_images": others, "duration": duration, "loop": 0}
    with files.replacing(path) as file:
        first.save(file, "GIF", **options)


def _paletted(picture):
    picture = opaque(picture)
    if picture.shape[-1] == 1:
        return Image.fromarray(picture[..., 0])
    image = Image.fromarray(picture)
    # A part of the pixels is enough to choose colours from, and takes a fraction of the time.
    part = image.resize([min(128, side) for side in image.size], Image.Resampling.NEAREST)
    palette = part.quantize(256, Image.Quantize.MEDIANCUT, kmeans=1)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)  # no bands in soft colours


def scatter(points, modes=None, pixels=480, label="generated"):
    """A uint8 picture [pixels, pixels, 3] of 2-D points [N, 2], with the true modes [M, 2] as crosses."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(pixels / 100, pixels / 100), dpi=100)
    canvas = matplotlib.backends.backend_agg.FigureCanvasAgg(figure)
    axes = figure.add_axes((0.08, 0.06, 0.9, 0.92))
    axes.scatter(points[:, 0], points[:, 1], s=4, alpha=0.5, label=label)
    if modes is not None:
        axes.scatter(
            modes[:, 0], modes[:, 1], s=40, marker="x", color="black", linewidths=1, label="true modes"
        )
    axes.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2))
    axes.legend(loc="upper right")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def page(images, columns=None, modes=None, label="generated"):
    """The picture of some images or points: a grid, or a plot in which the points are called `label`."""
    return grid(images, columns) if images.ndim == 4 else scatter(images, modes, label=label)


def layout(count, num_classes, points):
    """How a page of about `count` samples is laid out.

    Returns: (number of samples, labels to go round or None, columns or None): a class a column, or some columns, if
        there are classes and not more than samples. Of points there are 1,000.
    """
    if points:
        return 1000, None, None
    if not num_classes or num_classes > count:
        return count, None, None
    each = max(round(count**0.5 / num_classes), 1)  # columns of a class: about a square in all
    labels = [label for label in range(num_classes) for _ in range(each)]
    return max(count // len(labels), 1) * len(labels), labels, len(labels)
