"""Features of classifiers that `launch/classifier.py` trains: of one's own domain, and the embedded one of glyphs."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from tfgans import readers
from tfgans.config import ConfigError, Count, FilePath, configurable
from tfgans.evaluate import classifier, resizing
from tfgans.evaluate.features import as_images, in_batches
from tfgans.files import expanded

_CHARACTERS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")
_LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)  # Pillow's


@configurable
class ClassifierFeatures:
    """The W features, usually 128, and K logits of a classifier's file.

    Call: uint8 [n, H, W, C] with C 1 or 3 -> {"features": float32 [n, W], "logits": float32 [n, K]}. Images of
    another size than the classifier's are squashed to it by Pillow's bicubic on 8 bits; gray ones are repeated for a
    classifier of RGB, RGB ones become gray as data do (Pillow's luma) for one of gray.

    Args:
        path: the `.keras` file.
        batch_size: images a pass.
    Attributes: `name`, "classifier_", the name it was written under and 8 digits of the file's hash; `class_names`,
        `shape` [R, R, C] of its images, `accuracy` on images it was not trained on, in [0, 1].
    Raises: ConfigError, in one line, if there is no such file, or it is damaged or another one.
    """

    def __init__(self, path: FilePath, batch_size: Count = 256):
        self.path, self.batch_size = expanded(path), batch_size
        if not Path(self.path).is_file():
            raise ConfigError(f"ClassifierFeatures.path: there is no file {self.path}")
        about, self._hash = classifier.read_about(self.path)
        self.shape, self.class_names, self.accuracy = about["shape"], about["class_names"], about["accuracy"]
        self._width = about["width"]
        self.name = f"classifier_{about['name']}_{self._hash[:8]}"
        self._run = None

    def check(self):
        """Loads the network and passes one image. Raises: ConfigError, in one line, if it cannot."""
        if self._run is not None:
            return
        with readers.reading(self.path, "a classifier"):
            model = keras.models.load_model(self.path, compile=False)
            outputs = [model.get_layer(name).output for name in (classifier.FEATURES, classifier.LOGITS)]
            part = keras.Model(model.inputs, outputs)

            @tf.function(reduce_retracing=True, autograph=False)
            def run(images):
                return part(images, training=False)

            shapes = [tuple(output.shape) for output in run(tf.zeros((1, *self.shape)))]
            if shapes != [(1, self._width), (1, len(self.class_names))]:
                raise ValueError(f"it gives {shapes}")
        self._run = run

    def fingerprint(self):
        """SHA-256 of the file."""
        return self._hash

    def __call__(self, images):
        self.check()
        images = as_images(images)
        if images.shape[-1] not in (1, 3):
            raise ConfigError(f"{self.name} needs images with 1 or 3 channels. Received: {images.shape}")
        return in_batches(self._seen, images, self.batch_size)

    def of_pixels(self, images):
        """Features [n, W] of images float32 [n, H, W, C] in [0, 255] that are not rounded, resized as floats."""
        self.check()
        side, _, channels = self.shape
        if images.shape[-1] != channels:
            images = images.repeat(3, axis=-1) if channels == 3 else images @ _LUMA
        if images.shape[1:3] != (side, side):
            images = resizing.bicubic(images, side)
        return in_batches(lambda batch: self._run(tf.constant(batch)), images, self.batch_size)["features"]

    def _seen(self, images):
        side, _, channels = self.shape
        if images.shape[-1] != channels:
            images = images.repeat(3, axis=-1) if channels == 3 else np.stack([_gray(i) for i in images])
        if images.shape[1:3] != (side, side):
            images = resizing.bicubic_uint8(images, side)
        return self._run(tf.constant(images, tf.float32))


@configurable
class GlyphsFeatures(ClassifierFeatures):
    """The embedded classifier of the source `glyphs` (48 features, 36 logits): works offline, for any image size.

    It was trained on the training part of `glyphs` at 32x32 and has 97.9 % of the test part right, whose fonts it has
    not seen; of 0, O and E, 79, 85 and 86 %. Frechet distances in these features compare runs on glyphs with each
    other; they are not FIDs in Inception's features.
    `launch/classifier.py --data=glyphs --width=48 --epochs=6` made the file.

    Args:
        batch_size: images a pass.
        any_images: measure whatever the data show. Otherwise a run on data that are not known to be such characters
            has no metrics of these features: they would be numbers that say nothing.
    """

    path = Path(__file__).with_name("glyphs_classifier.keras")

    def __init__(self, batch_size: Count = 256, any_images: bool = False):
        if not self.path.exists():
            raise ConfigError(f"the package lacks {self.path.name}: install tfgans again")
        super().__init__(self.path, batch_size)
        self.name, self.any_images = "glyphs_classifier", any_images

    def unsuited(self, dataset):
        """Why these features do not suit a data set, or None.

        They do if it is `glyphs`, or its classes are called 0 to 9 and A to Z or some of those, a letter among them.
        """
        names = set(dataset.class_names or ())
        if dataset.source == "glyphs" or (names <= _CHARACTERS and not names <= _DIGITS) or self.any_images:
            return None
        return f"the features of a classifier of glyphs say nothing about {dataset.source}"


def _gray(image):
    return np.asarray(Image.fromarray(image).convert("L"))[..., None]
