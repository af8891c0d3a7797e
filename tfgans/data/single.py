"""One image file, read as training reads the images of its data set."""

from pathlib import Path

from tfgans.config import ConfigError
from tfgans.data.decode import BadImage, colour, decode, fit, header, least_side, open_image, to_array
from tfgans.data.folder import refuse_unreadable
from tfgans.data.layout import EXTENSIONS
from tfgans.files import expanded


def image_files(paths):
    """The files of paths of images and of folders of them (not what is in folders in these), in their order.

    Raises: ConfigError naming what is not there, or a folder without images or one that cannot be read.
    """
    found = []
    for path in (Path(expanded(path)) for path in paths):
        if not path.is_dir():
            if not path.exists():
                raise ConfigError(f"there is no image {path}")
            found.append(path)
            continue
        try:
            inside = [file for file in sorted(path.iterdir()) if _is_image(file)]
        except OSError as error:
            refuse_unreadable(error)
        if not inside:
            raise ConfigError(f"folder {path} has no images; looked for {', '.join(EXTENSIONS)}")
        found += inside
    return found


def read_image(path, shape, crop="center", min_size=None, background="white"):
    """uint8 [H, W, C] of a file, turned, cut and resized as `Dataset` does.

    Args:
        shape: (H, W, C) wanted, C 1 to 4.
        crop: as `Dataset.crop`; `random` takes the middle, as images to compare with.
        min_size: the shorter side has at least so many pixels; None: a quarter of that of `shape`.
        background: as `Dataset.background`.
    Raises: ConfigError naming the file and what is wrong with it.
    """
    height, width, channels = shape
    background = colour(background, "Dataset.background")
    try:
        if not Path(path).is_file():
            raise BadImage("it is no file")
        image = open_image(path)
        size, _ = header(image)
        if min(size) < least_side((height, width), min_size):
            raise BadImage(f"too small, {size[1]}x{size[0]}")
        image = fit(
            decode(image, channels, background), (height, width), "none" if crop == "none" else "center"
        )
        return to_array(image)
    except BadImage as error:
        raise ConfigError(f"{path} cannot be used: {error}") from error


def _is_image(path):
    return not path.name.startswith(".") and path.name.lower().endswith(EXTENSIONS)
