"""A small classifier of labelled images: its features and logits measure generated images of the same kind.

Its file is a Keras file that opens anywhere: pixels [n, H, W, C] in [0, 255] -> logits [n, K]; the layer `features`
has the numbers before them, 128 or as many as were asked for. What it was trained on stands in the file's
`metadata.json` under `classifier`.
"""

import hashlib
import json
import re
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgans import files, progress, readers
from tfgans.config import ConfigError

FEATURES, LOGITS = "features", "logits"
WIDTH = 128  # of the features, if nothing else is said
_LAST = 4  # sides at which convolutions end
_METADATA, _CONFIGURATION, _ENTRY = "metadata.json", "config.json", "classifier"
_KINDS = {
    "name": str,
    "shape": list,
    "class_names": list,
    "class_accuracy": list,
    "accuracy": float,
    "width": int,
}


def network(shape, num_classes, width=WIDTH):
    """An untrained classifier.

    Pairs of convolutions of 3x3 halve an image until its sides are 4 at most, where they have `width` channels, about
    half as many at twice the sides, and so on down to 16; then two dense layers.

    Args:
        shape: of an image, (R, R, C). width: of the features, at least 16.
    Returns: a keras.Model, float [n, R, R, C] in [0, 255] -> logits float32 [n, num_classes].
    """
    images = keras.Input(shape, name="pixels")
    x = keras.layers.Rescaling(1 / 127.5, -1.0, name="scaled")(images)
    x = _convolution(x, _channels(shape[0], width), 1, "convolution_0")
    while x.shape[1] > _LAST:
        side = -(-x.shape[1] // 2)
        x = _convolution(x, _channels(side, width), 2, f"halving_to_{side}")
        x = _convolution(x, _channels(side, width), 1, f"convolution_at_{side}")
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Dense(width, name="hidden")(x)
    x = keras.layers.LeakyReLU(0.1, name=FEATURES)(x)
    x = keras.layers.Dropout(0.3, name="dropout")(x)
    return keras.Model(images, keras.layers.Dense(num_classes, name=LOGITS)(x), name="classifier")


def _channels(side, width):
    return int(np.clip(2 ** round(np.log2(width * _LAST / side)), 16, width))


def _convolution(x, width, stride, name):
    x = keras.layers.Conv2D(width, 3, stride, "same", use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(name=f"{name}_normalized")(x)
    return keras.layers.LeakyReLU(0.1, name=f"{name}_activated")(x)


def _augmentation():
    """Shifts of up to 8 % of the sides, rotations of up to 10 degrees, sizes of 90 to 110 %; borders go on."""
    return [
        keras.layers.RandomTranslation(0.08, 0.08, fill_mode="nearest"),
        keras.layers.RandomRotation(10 / 360, fill_mode="nearest"),
        keras.layers.RandomZoom((-0.1, 0.1), fill_mode="nearest"),
    ]


def train(data, epochs, seed, width=WIDTH):
    """A classifier trained on a data set; on one machine the same seed gives the same bits.

    AdamW with a rate that falls from 2e-3 by a cosine, on images shifted, turned and scaled a little.

    Args:
        data: a `Dataset` with labels. Images are mirrored only if its `flip` says so.
        epochs: passes over its images. seed: of the first weights, the order and what is drawn.
        width: of the features.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return fit(data, epochs, seed, width)


def fit(data, epochs, seed, width=WIDTH):
    """`train` with the seeds of Keras as they are, from which the first weights and dropout come."""
    model = network(data.item_shape, data.num_classes, width)
    steps = epochs * (data.num_examples // data.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    training = keras.Sequential([*_augmentation(), model])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), loss, metrics=["accuracy"])
    batches = data.batches(1, seed).map(lambda batch: ((batch["images"][0] + 1) * 127.5, batch["labels"][0]))
    with progress.Bar("training", steps, "step") as bar:
        training.fit(
            batches, epochs=1, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[_Shown(bar)]
        )
    return model


class _Shown(keras.callbacks.Callback):
    def __init__(self, bar):
        super().__init__()
        self._bar = bar

    def on_train_batch_end(self, batch, logs=None):
        if not np.isfinite(logs["loss"]):
            raise ConfigError(
                f"the classifier's loss is {logs['loss']} at step {batch + 1}: try --batch_size"
            )
        self._bar.set_postfix({name: f"{value:.3f}" for name, value in logs.items()}, refresh=False)
        self._bar.update(1)


def accuracies(model, batches, num_classes):
    """The share of images classified right, of each class: float [num_classes], nan where it has none; and of all.

    Args:
        batches: of (uint8 [n, H, W, C], labels [n]); labels below 0 are left out.
    """
    right, total = np.zeros(num_classes), np.zeros(num_classes)
    for images, labels in batches:
        images, labels = images[labels >= 0], labels[labels >= 0]
        if len(images):
            found = np.argmax(model.predict_on_batch(images), axis=1)
            total += np.bincount(labels, minlength=num_classes)
            right += np.bincount(labels[found == labels], minlength=num_classes)
    with np.errstate(invalid="ignore"):
        return right / total, float(right.sum() / total.sum())


def save(model, path, about):
    """Writes a classifier, whole or not at all, and the same bytes for the same classifier.

    Args:
        about: what JSON takes of it: `name`, `class_names`, `accuracy`, `class_accuracy` and what else is known.
    """
    files.remove_left(path)
    with tempfile.TemporaryDirectory(prefix="tfgans-") as folder:
        whole = Path(folder) / "classifier.keras"
        model.save(whole)
        with (
            files.replacing(path) as file,
            zipfile.ZipFile(whole) as source,
            zipfile.ZipFile(file, "w") as to,
        ):
            for name in source.namelist():
                content = source.read(name)
                if name == _METADATA:
                    version = json.loads(content)["keras_version"]
                    shape = {
                        "shape": list(model.input_shape[1:]),
                        "width": model.get_layer(FEATURES).output.shape[-1],
                    }
                    content = json.dumps({"keras_version": version, _ENTRY: shape | about}).encode()
                elif name == _CONFIGURATION:
                    content = _numbered(content)
                to.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _numbered(content):
    """Keras numbers shared objects by their places in memory; here by their order."""
    numbers = {}
    return re.sub(
        rb'(?<="shared_object_id": )\d+', lambda m: b"%d" % numbers.setdefault(m[0], len(numbers)), content
    )


def read_about(path):
    """`(about, hash)`: what `save` wrote of a classifier, with its `shape` and `width`; and the file's SHA-256.

    Raises: ConfigError, in one line, if it is damaged, or another file.
    """
    with readers.reading(path, "a classifier"), open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        with zipfile.ZipFile(file) as archive:
            metadata = readers.parse_json(archive.read(_METADATA)) if _METADATA in archive.namelist() else {}
        about = metadata.get(_ENTRY)
        if about is None:
            raise ConfigError(f"{path} is no classifier that launch/classifier.py wrote; see KerasFeatures")
        about = {"width": WIDTH} | about  # older files do not say
        for name, kind in _KINDS.items():
            if not isinstance(about[name], kind):
                raise ValueError(f"{name} is no {kind.__name__}")
        if not re.fullmatch(r"[\w.-]+", about["name"]):  # files of the cache have it in their names
            raise ValueError(f"its name is {about['name']!r}")
        side = about["shape"][0] if about["shape"] else None
        if not isinstance(side, int) or about["shape"] not in ([side, side, 1], [side, side, 3]):
            raise ValueError(f"its images are {about['shape']}")
    return about, digest
