"""Features of any Keras model or SavedModel: DINOv2, VGG16, CLIP's images, a classifier of one's own."""

import hashlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgans import readers
from tfgans.config import ConfigError, Count, Number, OneOf, Several, configurable, first_line
from tfgans.evaluate import resizing, spatial_features
from tfgans.evaluate.features import as_images, in_batches
from tfgans.files import expanded

RESIZES = ("asymmetric", "bicubic", "bicubic_uint8", "cropped_bicubic_uint8", "shorter_side_uint8")
UNROUNDED = ("asymmetric", "bicubic")
_PRESET = "preset:"


@configurable
class KerasFeatures:
    """Features of images by a Keras model: read from a file, so that it works offline.

    Call: uint8 [n, H, W, C] with C 1 (repeated) or 3 -> {"features": float32 [n, F]}, with `logits_layer` also
    "logits" float32 [n, K], and with `spatial=True` also "spatial" float32 [n, h w 7], see `spatial_features`.

    Args:
        model: a `.keras` or `.h5` file; the folder of a SavedModel; or `preset:NAME`, a backbone of keras-hub, NAME
            its name or a folder with it (`pip install 'tfgans[features]'`).
        name: what rows, pages and the cache call the features, such as `dinov2_large`.
        layer: name of the layer whose output they are; None: the model's own output.
        logits_layer: name of the layer that gives logits, for the Inception score; None for none.
        size: height and width that the model takes, in pixels.
        resize: how images come to it, a function of `tfgans.evaluate.resizing`.
        mean, std: of each channel, of pixels in [0, 1]: the model sees (x / 255 - mean) / std. ImageNet's as default.
        take: `all` flattens an output; `mean` is over positions, `first` the first token (a class token comes first).
        batch_size: images a pass.
        spatial_layer: name of the layer that gives the spatial features, maps [n, h, w, c] of which the first 7
            channels count, for `sfid`; None for none.
    `name` should name the preprocessing, too, if there are several in use.
    """

    def __init__(
        self,
        model: str,
        name: str,
        layer: str | None = None,
        logits_layer: str | None = None,
        size: Count = 224,
        resize: OneOf(*RESIZES) = "bicubic_uint8",
        mean: Several(Number, 3) = (0.485, 0.456, 0.406),
        std: Several(Number, 3) = (0.229, 0.224, 0.225),
        take: OneOf("all", "mean", "first") = "all",
        batch_size: Count = 32,
        spatial_layer: str | None = None,
    ):
        self.model = model if model.startswith(_PRESET) else expanded(model)
        self.name, self.layer, self.logits_layer, self.size = name, layer, logits_layer, size
        self.resize, self.take, self.batch_size, self.spatial = resize, take, batch_size, spatial_layer
        optional = {"logits": logits_layer, "spatial": spatial_layer}
        self._named_layers = {"features": layer} | {
            k: name for k, name in optional.items() if name is not None
        }
        self.mean, self.std = np.array(mean, np.float32), np.array(std, np.float32)
        if not np.all(self.std > 0):
            raise ConfigError(f"KerasFeatures.std is above 0. Received: {std}")
        self._run, self.has_logits = None, logits_layer is not None

    def check(self):
        """Loads the model and passes one image.

        Raises: ConfigError, in one line, if it cannot be read, has no such layer or takes other images.
        """
        if self._run is not None:
            return
        network = self._outputs(self._loaded())

        @tf.function(reduce_retracing=True, autograph=False)
        def run(inputs):
            outputs = [tf.cast(value, tf.float32) for value in tf.nest.flatten(network(inputs))]
            outputs = zip(
                self._named_layers, outputs, strict=False
            )  # a model may give more than what is asked for
            return [self._rows(name, output) for name, output in outputs]

        try:
            run(tf.zeros((1, self.size, self.size, 3)))
        except ConfigError:
            raise
        except Exception as error:  # a model of somebody else's may raise anything
            raise ConfigError(
                f"KerasFeatures.model: {self.model} does not take images: {first_line(error)}"
            ) from error
        self._run = run

    def _loaded(self):
        try:
            if self.model.startswith(_PRESET):
                return _preset(self.model.removeprefix(_PRESET))
            if (Path(self.model) / "saved_model.pb").exists():
                return keras.Sequential([keras.layers.TFSMLayer(self.model, call_endpoint="serving_default")])
            return keras.models.load_model(self.model, compile=False)
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(
                f"KerasFeatures.model: {self.model} cannot be read: {first_line(error)}"
            ) from error

    def _outputs(self, model):
        """The part of a model that gives the features, and the logits if they are asked for."""
        chosen = list(self._named_layers.values())
        if chosen == [None]:
            return lambda inputs: model(inputs, training=False)
        try:
            outputs = [model.output if name is None else model.get_layer(name).output for name in chosen]
            images = [value for value in model.inputs if len(value.shape) == 4]  # CLIP takes a text, too
            part = keras.Model(images if len(images) == 1 else model.inputs, outputs)
        except (ValueError, AttributeError) as error:
            raise ConfigError(f"KerasFeatures.layer: {self.model}: {first_line(error)}") from error
        return lambda inputs: part(inputs, training=False)

    def _rows(self, name, output):
        if name == "spatial":
            return spatial_features.flat(output)
        if self.take == "all" or name == "logits" or len(output.shape) == 2:
            return tf.reshape(output, (tf.shape(output)[0], -1))
        positions = tf.reshape(output, (tf.shape(output)[0], -1, output.shape[-1]))
        return positions[:, 0] if self.take == "first" else tf.reduce_mean(positions, axis=1)

    def fingerprint(self):
        """Hash of the model's files and of all that decides what it sees."""
        rules = repr((self.layer, self.size, self.resize, self.mean.tolist(), self.std.tolist(), self.take))
        digest, path = hashlib.sha256(rules.encode()), Path(self.model.removeprefix(_PRESET))
        digest.update(b"" if path.exists() else self.model.encode())
        readers.hash_files(path, "a part of the features' model", digest)
        return digest.hexdigest()

    def __call__(self, images, spatial=False):
        self.check()
        images = as_images(images)
        if images.shape[-1] not in (1, 3):
            raise ConfigError(f"{self.name} needs images with 1 or 3 channels. Received: {images.shape}")
        outputs = in_batches(self._seen, images, self.batch_size, tuple(self._named_layers))
        return {name: rows for name, rows in outputs.items() if spatial or name != "spatial"}

    def of_pixels(self, images):
        """Features [n, F] of images float32 [n, H, W, C] in about [0, 255] that are not rounded.

        Raises: ConfigError if `resize` is of 8 bits.
        """
        self.check()
        if self.resize not in UNROUNDED:
            raise ConfigError(
                f"{self.name}: KerasFeatures.resize = {self.resize!r} rounds images to 8 bits, path lengths need "
                f"{' or '.join(UNROUNDED)}"
            )
        return in_batches(self._seen, images, self.batch_size, tuple(self._named_layers))["features"]

    def _seen(self, images):
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        pixels = np.asarray(getattr(resizing, self.resize)(images, self.size), np.float32) / 255.0
        return self._run(tf.constant((pixels - self.mean) / self.std))


def _preset(name):
    try:
        import keras_hub
    except ImportError as error:
        raise ConfigError(
            "KerasFeatures.model: keras-hub is not installed: pip install 'tfgans[features]'"
        ) from error
    return keras_hub.models.Backbone.from_preset(expanded(name) if Path(expanded(name)).exists() else name)
