"""Feature extractors: callables from images to features and, where there is a classifier, logits.

Each has a `name` that goes into every result, a `check()` that loads what it needs before training
starts, and a `fingerprint()` of its weights, so that cached statistics of one are not used for another.
It may have `unsuited(dataset)`: why its numbers would say nothing about a run's data, or None; and `has_logits`,
False if its outputs have none.
"""

import functools
import hashlib
import re
import socket
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfgans import readers
from tfgans.config import ConfigError, Count, FilePath, OneOf, configurable, first_line
from tfgans.evaluate import digits_network, resizing, spatial_features, tensorflow_gan
from tfgans.files import expanded
from tfgans.pictures import opaque

INCEPTION_RESIZES = ("legacy_tensorflow", "legacy_pytorch", "clean")
_TIMEOUT_SECONDS = 20
_DIGITS = frozenset("0123456789")


@configurable
class DigitsFeatures:
    """The embedded digits classifier (64 features, 10 logits): works offline, for any image size.

    Call: uint8 [n, H, W, C] -> {"features": float32 [n, 64], "logits": float32 [n, 10]}. Alpha is put on
    white, channels are averaged and images resized to 16x16. Frechet distances in these features compare runs on
    digits with each other; they are not FIDs in Inception's features.

    Args:
        batch_size: images a pass.
        any_images: measure whatever the data show. Otherwise a run on data that are not known to be digits has no
            metrics of these features: they would be numbers that say nothing.
    """

    name = "digits_classifier"
    path = Path(__file__).with_name("digits_classifier.npz")

    def __init__(self, batch_size: Count = 512, any_images: bool = False):
        self.batch_size, self.any_images = batch_size, any_images
        self._run = None

    def unsuited(self, dataset):
        """Why these features do not suit a data set, or None.

        They do if its classes are called 0 to 9 or some of those, or, where they have no names, if its own name has
        "digits" in it or begins with "mnist".
        """
        names = dataset.class_names
        known = set(names) <= _DIGITS if names else re.match(r".*digits|mnist", dataset.name, re.IGNORECASE)
        if known or self.any_images:
            return None
        return f"the features of a digits classifier say nothing about {dataset.source}"

    def check(self):
        """Loads the weights. Raises ConfigError if the installed package has lost them."""
        if self._run is not None:
            return
        if not self.path.exists():
            raise ConfigError(f"the package lacks {self.path.name}: install tfgans again")
        stored = readers.read_npz(self.path, "the digits classifier")
        with readers.reading(self.path, "the digits classifier"):
            weights = {name: tf.constant(stored[name], tf.float32) for name in digits_network.SHAPES}
            if any(weights[name].shape != shape for name, shape in digits_network.SHAPES.items()):
                raise ValueError("it is of another network")

        @tf.function(reduce_retracing=True)
        def run(images):
            return digits_network.forward(weights, digits_network.prepare(images))

        self._run = run

    def fingerprint(self):
        with readers.reading(self.path, "the digits classifier"):
            return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def __call__(self, images):
        self.check()
        return in_batches(self._run, as_images(images), self.batch_size)

    def of_pixels(self, images):
        """Features [n, 64] of images float32 [n, H, W, C] in [0, 255] that are not rounded."""
        self.check()
        return in_batches(self._run, images, self.batch_size)["features"]


@configurable
class InceptionFeatures:
    """Inception of 2015 (2048 pooled features, 1008 logits), as TF-GAN has it: the features of published FIDs.

    Call: uint8 [n, H, W, C] with C 1 (repeated) or 3, or 2 or 4 with alpha, which is put on white -> {"features":
    float32 [n, 2048], "logits": float32 [n, 1008]}, and with `spatial=True` besides "spatial": float32 [n, 2023],
    see `spatial_features`.

    Args:
        resize: the published preprocessing, a function of `tfgans.evaluate.resizing`: `legacy_tensorflow` is the
            original graph's, `legacy_pytorch` pytorch-fid's, `clean` clean-fid's. FIDs of two of them do not compare.
        path: folder of a SavedModel of that network (as TensorFlow Hub stores it); None uses `handle`.
        handle: TensorFlow Hub address; None is TF-GAN's own. TFHUB_CACHE_DIR is honoured.
        batch_size: images a pass.
        spatial: the end of the name of the operation that gives the spatial features: of the original graph the
            first branch of its seventh block, 17x17 positions. Its first 7 channels count.
    `name` is "inception_" and the preprocessing.
    """

    def __init__(
        self,
        resize: OneOf(*INCEPTION_RESIZES) = "legacy_tensorflow",
        path: FilePath | None = None,
        handle: str | None = None,
        batch_size: Count = 64,
        spatial: str = "mixed_6/conv",
    ):
        self.path, self.handle = (value and expanded(value) for value in (path, handle))
        self.batch_size, self.resize, self.spatial = batch_size, resize, spatial
        self.name = f"inception_{resize}"
        self._network = self._with_spatial = None

    def check(self):
        """Loads the network and passes one image.

        Raises: ConfigError, in one line, if it cannot be reached, read, or is another kind of network.
            Unreachable hosts are given up after 20 s without an answer; there are no retries.
        """
        if self._network is not None:
            return
        source = str(self.path) if self.path else self.handle or _default_handle()
        if self.path and not (Path(self.path) / "saved_model.pb").exists():
            raise ConfigError(f"InceptionFeatures.path: no saved_model.pb in '{self.path}'")
        try:
            with _socket_timeout(_TIMEOUT_SECONDS):
                loaded = tensorflow_gan.load_inception(source)
            self._network = _as_function(loaded)
            self._run(np.zeros((1, 32, 32, 3), np.uint8))
        except Exception as error:
            self._network = None
            raise ConfigError(
                f"Inception cannot be loaded from '{source}': {first_line(error)}. Set "
                "InceptionFeatures.path to a local SavedModel, or use @DigitsFeatures()"
            ) from error

    def fingerprint(self):
        if not self.path:
            return self.handle or _default_handle()
        digest = hashlib.sha256()
        readers.hash_files(self.path, "a part of Inception", digest)
        return digest.hexdigest()

    def __call__(self, images, spatial=False):
        self.check()
        images = as_images(images)
        if images.shape[-1] not in (1, 3):
            raise ConfigError(f"Inception needs images with 1 or 3 channels. Received: {images.shape}")
        if not spatial:
            return in_batches(self._run, images, self.batch_size)
        if self._with_spatial is None:
            self._with_spatial = self._spatial_network()
        run = functools.partial(self._run, network=self._with_spatial)
        return in_batches(run, images, self.batch_size, ("features", "logits", "spatial"))

    def of_pixels(self, images):
        """Features [n, 2048] of images float32 [n, H, W, C] in about [0, 255] that are not rounded."""
        self.check()
        return in_batches(self._run, images, self.batch_size)["features"]

    def _run(self, images, network=None):
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        inputs = tf.convert_to_tensor(getattr(resizing, self.resize)(images))
        return (network or self._outputs)(inputs)

    def _outputs(self, inputs):
        return tensorflow_gan.run_inception(inputs, self._network)

    def _spatial_network(self):
        shape = (None, resizing.INCEPTION_SIZE, resizing.INCEPTION_SIZE, 3)
        return spatial_features.with_operation(self._outputs, shape, self.spatial)


@configurable
class PointFeatures:
    """Points as they are, for 2-D mixtures: float [n, d] -> {"features": float32 [n, d]}; no logits."""

    name, has_logits = "points", False

    def check(self):
        """Nothing to load."""

    def fingerprint(self):
        return self.name

    def __call__(self, points):
        points = np.asarray(points, np.float32)
        if points.ndim != 2:
            raise ConfigError(f"PointFeatures needs points [n, d]. Received shape: {points.shape}")
        return {"features": points}


@configurable
class NoFeatures:
    """No features, for data that no network at hand suits: an `Evaluator` then has the metrics of images alone."""

    name = "none"

    def check(self):
        """Nothing to load."""

    def fingerprint(self):
        return self.name

    def __call__(self, images):
        return {"features": np.zeros((len(images), 1), np.float32)}


def _default_handle():
    try:
        return tensorflow_gan.inception_handle()
    except ImportError as error:
        raise ConfigError(first_line(error)) from error


def as_images(images):
    """Images as an array without alpha (2 and 4 channels become 1 and 3, on white).

    Raises: ConfigError unless they are uint8 [n, H, W, C].
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ConfigError(
            f"feature extractors need uint8 images [n, H, W, C]. Received: {images.dtype} {images.shape}"
        )
    return opaque(images)


def in_batches(run, images, batch_size, names=("features", "logits")):
    """{name: outputs of the network}; the last batch is filled up with repeats, so that one shape is compiled."""
    found = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        count = len(batch)
        if count < batch_size and start:
            batch = np.resize(batch, (batch_size, *batch.shape[1:]))
        found.append([np.asarray(output, np.float32)[:count] for output in run(batch)])
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*found, strict=True), strict=True)}


def _as_function(loaded):
    """A callable of a SavedModel: itself, or its serving signature. Kept referenced by the closure."""
    if callable(loaded):
        return lambda images: loaded(images)
    signature = loaded.signatures["serving_default"]
    name = next(iter(signature.structured_input_signature[1]))
    return lambda images: signature(**{name: images})


@contextmanager
def _socket_timeout(seconds):
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
