"""A run's generator as the explorer uses it: one picture at a time, from its settings."""

import io
import re
import threading
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from tfgans import files
from tfgans.config import ConfigError
from tfgans.run.explore.settings import parsed

_METHODS = ("sefa", "pca")
_NAME = re.compile(r"seed_\d{6,}_(\d{3,})\.png")
FOLDER = "explored"
SHEET = 12  # pictures of a sheet


class Studio:
    """Makes pictures of a model; calls from several threads wait for one another.

    Args:
        model: whose generator makes images.
        step: updates done.
        folder: the run's, in whose `explored` pictures are saved.
    Attributes:
        slots: style slots, 0 without styles. classes: their names, or None. methods: of finding directions.
        most_directions: how many there are at most.
    Raises: ConfigError if the generator makes points.
    """

    most_directions = 10

    def __init__(self, model, step, folder):
        if len(model.sample_shape) != 3:
            raise ConfigError("explore shows images, and this run makes points: see tfgans report")
        self.model, self.step, self.folder = model, step, Path(folder)
        self.slots, self.classes = model.style_slots, None
        if model.num_classes:
            self.classes = [str(name) for name in model.class_names or range(model.num_classes)]
        self._lock, self._found, self.methods = threading.Lock(), {}, ()
        self.methods = tuple(method for method in _METHODS if self._directions(method) is not None)

    def about(self):
        """What the page needs to know, a dictionary that JSON takes."""
        height, width, _ = self.model.sample_shape
        return {
            "name": self.folder.resolve().name,
            "step": self.step,
            "width": width,
            "height": height,
            "slots": self.slots,
            "classes": self.classes,
            "directions": {method: len(self._directions(method)) for method in self.methods},
            "sheet": SHEET,
        }

    def _directions(self, method):
        """Those of a method, or None if the generator has none."""
        if method not in self._found:
            try:
                self._found[method] = self.model.directions(method, self.most_directions)
            except ConfigError:
                self._found[method] = None
        return self._found[method]

    def parsed(self, query):
        """See `settings.parsed`."""
        return parsed(query, self)

    def picture(self, settings):
        """A PNG, bytes."""
        with self._lock:
            image = self._images(settings, [settings.seed])[0][0]
        return _png(image)

    def sheet(self, settings, first):
        """A PNG of `SHEET` pictures side by side, those of the seeds from `first` on."""
        with self._lock:
            images, _ = self._images(settings, range(first, first + SHEET))
        return _png(np.concatenate(images, 1))

    def _images(self, settings, seeds):
        """`(images, arrays)` of settings with other seeds; arrays say what the images are made of."""
        codes, steps = self._drawn(settings, seeds), self._steps(settings)
        arrays = {"latents": codes.values} | ({} if codes.labels is None else {"labels": codes.labels})
        if not self.slots:
            arrays["latents"] = codes.values + steps
            return self.model.render(arrays["latents"], codes.labels), arrays
        styles = self.model.styles(codes.values, labels=codes.labels, truncation=settings.truncation)
        if settings.mix is not None:
            others, (first, end) = self._drawn(settings, [settings.mix]), settings.slots
            mixed = self.model.styles(others.values, labels=others.labels, truncation=settings.truncation)
            styles[:, first:end] = mixed[:, first:end]
        arrays["styles"] = styles + steps
        return self.model.render_styles(arrays["styles"]), arrays

    def _drawn(self, settings, seeds):
        """Latents as `generate` draws them, `Codes`."""
        labels = None if settings.label is None else [settings.label]
        return self.model.codes_at(seeds, labels, truncation=None if self.slots else settings.truncation)

    def _steps(self, settings):
        if not any(settings.strengths):
            return np.float32(0.0)
        found = self._directions(settings.method)
        strengths = np.zeros(len(found))
        strengths[: len(settings.strengths)] = settings.strengths[: len(found)]
        return ((strengths * found.deviations) @ found.vectors).astype(np.float32)

    def save(self, settings):
        """Writes a picture and what it is made of into the run's folder; returns the picture's name.

        `explored/seed_000007_001.png`, and beside it an `.npz` with `space`, `z` or `w`; `latents` [1, latent_dim],
        `labels` [1] and, of generators with styles, `styles` [1, slots, style_dim], which are the picture's whatever
        was mixed and moved; and `settings`, the text that the page asks for.
        """
        with self._lock:
            (image,), arrays = self._images(settings, [settings.seed])
            folder = self.folder / FOLDER
            folder.mkdir(parents=True, exist_ok=True)
            last = max((int(_NAME.fullmatch(name)[1]) for name in self.saved_names()), default=0)
            name = f"seed_{settings.seed:06d}_{last + 1:03d}.png"
            texts = {"space": "w" if self.slots else "z", "settings": settings.text()}
            with files.replacing(folder / name.replace(".png", ".npz")) as file:
                np.savez(file, **arrays, **{key: np.array(text) for key, text in texts.items()})
            with files.replacing(folder / name) as file:
                file.write(_png(image, settings))
        return name

    def saved_names(self):
        """Names of the pictures that were saved, the oldest first."""
        folder = self.folder / FOLDER
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        found = [name for name in names if _NAME.fullmatch(name)]
        return sorted(found, key=lambda name: int(_NAME.fullmatch(name)[1]))

    def saved(self, name):
        """The bytes of a saved picture; None if there is none of that name."""
        path = self.folder / FOLDER / name
        return path.read_bytes() if _NAME.fullmatch(name) and path.is_file() else None

    def settings_of(self, name):
        """The text of a saved picture's settings, empty if it has none."""
        try:
            with Image.open(self.folder / FOLDER / name) as image:
                return image.text.get("tfgans", "")
        except Exception:  # a damaged picture
            return ""


def _png(image, settings=None):
    """A uint8 image [H, W, C] as a PNG; its settings stand in it."""
    about = PngImagePlugin.PngInfo()
    if settings is not None:
        about.add_text("tfgans", settings.text())
    data = io.BytesIO()
    image = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(image).save(data, "PNG", pnginfo=about, compress_level=1)
    return data.getvalue()
