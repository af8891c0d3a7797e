"""Classification accuracy score: what a classifier learns about real images from generated ones alone."""

import contextlib
import logging
import random

import keras
import numpy as np
import tensorflow as tf

from tfgans import progress
from tfgans.config import ConfigError, Count, Seed, configurable
from tfgans.data.ahead import made_ahead
from tfgans.data.labels import count_labels
from tfgans.data.scaling import to_float
from tfgans.evaluate import classifier, resizing
from tfgans.evaluate.statistics import batches_of

logger = logging.getLogger(__name__)


@configurable
class ClassificationScore:
    """The share of real images that a classifier gets right, in [0, 1], which saw generated ones of each class alone.

    CAS (Ravuri and Vinyals 2019): the higher, the more of the real classes is in the generated ones. There it is a
    ResNet-50 and as many images as ImageNet has; here the small network of `classifier.network`, so that the score
    is to be compared with scores of the same settings, and with the accuracy that `launch/classifier.py` reports
    for real training images. The real images are those to compare with, with their labels.

    Args:
        samples: generated images in all, equally many of each class.
        resolution: larger images are squashed to this, Pillow's bicubic on 8 bits, generated and real ones alike.
        epochs, batch_size: of the classifier's training. seed: of all that is drawn in it.
    """

    def __init__(
        self,
        samples: Count = 10000,
        resolution: Count = 32,
        epochs: Count = 10,
        batch_size: Count = 64,
        seed: Seed = 0,
    ):
        self.samples, self.resolution, self.epochs = samples, resolution, epochs
        self.batch_size, self.seed = batch_size, seed
        self._told = False

    def check(self, dataset, model=None):
        """Raises ConfigError, before any training, for one class, labels out of range, a `GAN` on several devices."""
        if model is not None and model.distribute_strategy.num_replicas_in_sync > 1:
            raise ConfigError(
                "classification_accuracy_score trains a classifier, on one device: measure it after training, with "
                "launch/evaluate.py"
            )
        if dataset.num_classes < 2:
            raise ConfigError(
                f"classification_accuracy_score needs two classes. Received: {dataset.num_classes}"
            )
        labels = dataset.reference_labels()
        if labels is not None:
            count_labels(labels, dataset.num_classes)

    def __call__(self, of_class, dataset, batch_size):
        """Measures.

        Args:
            of_class, dataset: as `IntraClass` takes them. batch_size: images made at a time.
        Returns: {"classification_accuracy_score", "classification_samples"}; {} without classes or labels, and a line
            in the log says so, once.
        Raises: ConfigError as `check` does.
        """
        labels = None if of_class is None else dataset.reference_labels()
        if labels is None:
            self._tell("the model has no classes" if of_class is None else "the real images have no labels")
            return {}
        self.check(dataset)
        generated = self._generated(of_class, dataset.num_classes, batch_size)
        with _apart(self.seed):
            model = classifier.fit(generated, self.epochs, self.seed)
            real = _labelled(dataset, labels, generated.side)
            _, accuracy = classifier.accuracies(model, real, dataset.num_classes)
        return {
            "classification_accuracy_score": accuracy,
            "classification_samples": generated.num_examples,
        }

    def _generated(self, of_class, num_classes, batch_size):
        count, images, side = -(-self.samples // num_classes), [], None
        with progress.Bar("images of each class", num_classes, "class", leave=False) as bar:
            for label in range(num_classes):
                for batch in batches_of(of_class(label), count, batch_size):
                    side = min(self.resolution, *batch.shape[1:3])
                    images.append(_squashed(batch, side))
                bar.update()
        return _Labelled(
            np.concatenate(images), np.repeat(np.arange(num_classes), count), self.batch_size, side
        )

    def _tell(self, why):
        if not self._told:
            logger.warning("there is no classification_accuracy_score: %s", why)
        self._told = True


class _Labelled:
    """Generated images, uint8 [n, side, side, C], and their labels, as `classifier.fit` takes data."""

    def __init__(self, images, labels, batch_size, side):
        self.images, self.labels, self.side = images, labels.astype(np.int32), side
        self.item_shape, self.num_classes = images.shape[1:], int(labels[-1]) + 1
        self.num_examples, self.batch_size = len(images), min(batch_size, len(images))

    def batches(self, discriminator_steps, seed):
        """As of `Dataset`: all in an order of each epoch's own, without end."""
        order = tf.data.Dataset.range(self.num_examples).shuffle(self.num_examples, seed).repeat()
        order = order.batch(self.batch_size).batch(discriminator_steps)

        def batch(chosen):
            def read(chosen):
                return to_float(self.images[chosen]), self.labels[chosen]

            images, labels = tf.numpy_function(read, [chosen], (tf.float32, tf.int32), stateful=False)
            shape = (discriminator_steps, self.batch_size)
            return {
                "images": tf.ensure_shape(images, (*shape, *self.item_shape)),
                "labels": tf.ensure_shape(labels, shape),
            }

        return made_ahead(order.map(batch))


def _labelled(dataset, labels, side):
    start = 0
    for images, _ in dataset.reference():
        yield _squashed(images, side), labels[start : start + len(images)]
        start += len(images)


def _squashed(images, side):
    return images if images.shape[1:3] == (side, side) else resizing.bicubic_uint8(images, side)


@contextlib.contextmanager
def _apart(seed):
    """Inside, Keras draws from `seed`, in float32; then it goes on as if nothing had been drawn."""
    state, policy = random.getstate(), keras.config.dtype_policy()
    random.seed(seed)
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        random.setstate(state)
        keras.config.set_dtype_policy(policy)
