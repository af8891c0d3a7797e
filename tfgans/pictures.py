"""Pictures of what a generator makes: grids of images, and scatter plots of points."""

import numpy as np
from PIL import Image

from tfgans import files


def grid(images, columns=None, border=2):
    """One uint8 picture [H', W', C] of uint8 images [N, H, W, C] row by row, small ones enlarged.

    Args:
        columns: images a row; near a square if not given.
        border: white pixels between images, before enlarging.
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
    enlarge = max(1, 48 // max(height, width))
    return page.repeat(enlarge, 0).repeat(enlarge, 1)


def save_png(path, picture):
    """Writes a uint8 picture [H, W, 1 or 3] as a PNG, whole or not at all."""
    picture = picture[..., 0] if picture.shape[-1] == 1 else picture
    with files.replacing(path) as file:
        Image.fromarray(picture).save(file, "PNG")


def scatter(points, modes=None, pixels=480):
    """A uint8 picture [pixels, pixels, 3] of 2-D points [N, 2], with the true modes [M, 2] as crosses."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(pixels / 100, pixels / 100), dpi=100)
    canvas = matplotlib.backends.backend_agg.FigureCanvasAgg(figure)
    axes = figure.add_axes((0.08, 0.06, 0.9, 0.92))
    axes.scatter(points[:, 0], points[:, 1], s=4, alpha=0.5, label="generated")
    if modes is not None:
        axes.scatter(
            modes[:, 0], modes[:, 1], s=40, marker="x", color="black", linewidths=1, label="true modes"
        )
    axes.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2))
    axes.legend(loc="upper right")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def page(images, columns=None, modes=None):
    """The picture of what a model made: a grid of images, or a plot of points."""
    return grid(images, columns) if images.ndim == 4 else scatter(images, modes)
