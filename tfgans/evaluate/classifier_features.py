"""Features of a classifier of one's own domain, which `launch/classifier.py` trains."""

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


@configurable
class ClassifierFeatures:
    """The 128 features and K logits of a classifier's file.

    Call: uint8 [n, H, W, C] with C 1 or 3 -> {"features": float32 [n, 128], "logits": float32 [n, K]}. Images of
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
            if shapes != [(1, classifier.WIDTH), (1, len(self.class_names))]:
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

    def _seen(self, images):
        side, _, channels = self.shape
        if images.shape[-1] != channels:
            images = images.repeat(3, axis=-1) if channels == 3 else np.stack([_gray(i) for i in images])
        if images.shape[1:3] != (side, side):
            images = resizing.bicubic_uint8(images, side)
        return self._run(tf.constant(images, tf.float32))


def _gray(image):
    return np.asarray(Image.fromarray(image).convert("L"))[..., None]
