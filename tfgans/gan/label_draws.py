"""Which classes generated images are of: labels in the shares of the training set's, or of all classes alike."""

import numpy as np
import tensorflow as tf

from tfgans import philox
from tfgans.config import ConfigError
from tfgans.data.labels import chosen_classes


class LabelDraws:
    """The part of `GAN` that draws labels and knows what classes are called.

    A label is a pure function of (seed, draw, place in the global batch), found from one uniform number by the
    inverse of the shares' distribution. Where all shares are equal, labels are the same bits as with `uniform`.
    """

    label_distribution, label_shares, class_names = "data", None, None
    shares_are_given, _label_bounds = False, None

    def choose_labels(self, label_distribution, label_shares):
        """Takes the options of the constructor. Raises ConfigError if they contradict each other."""
        self.label_distribution = label_distribution
        if label_shares is None:
            return
        if label_distribution == "uniform":
            raise ConfigError("GAN.label_shares is for GAN.label_distribution = 'data', not for 'uniform'")
        self.set_label_shares(label_shares)

    def set_label_shares(self, shares):
        """Sets how often each class is drawn with `label_distribution` "data"; "uniform" draws all alike as before.

        They stay whatever the model is trained on. They are constants of what is compiled: if they change after
        training has begun, the training step is compiled anew. All replicas and workers must have the same.

        Args:
            shares: [num_classes], at least 0, not all 0; counts will do, they are divided by their sum. None takes
                those of what the model is trained on from here on, and until then all alike.
        Raises: ConfigError, one line, for other values, or if the model has no classes.
        """
        self._set_shares(shares)
        self.shares_are_given = shares is not None

    def follow_labels(self, counts):
        """Draws labels in the shares of what is trained on; without effect where `set_label_shares` gave some.

        Args: counts: as `set_label_shares` takes them; None is all alike.
        """
        if not self.shares_are_given:
            self._set_shares(counts)

    def _set_shares(self, shares):
        numbers = None if shares is None else checked_shares(shares, self.num_classes)
        bounds = None
        if numbers is not None and self.label_distribution == "data" and np.any(numbers != numbers[0]):
            bounds = np.cumsum(numbers)
            bounds = tuple((bounds / bounds[-1])[:-1].tolist())
        if bounds != self._label_bounds:
            self.train_function = None
        self.label_shares = None if numbers is None else tuple((numbers / numbers.sum()).tolist())
        self._label_bounds = bounds

    def stated_labels(self):
        """The entry of a row of metrics about labels, {"label_distribution": ...}; {} for an unconditional model.

        `data`: the training set's shares; `given`: those of `set_label_shares`; `uniform`: all classes alike, because
        it was asked for or no shares are known.
        """
        if not self.num_classes:
            return {}
        known = self.label_distribution == "data" and self.label_shares is not None
        return {"label_distribution": ("given" if self.shares_are_given else "data") if known else "uniform"}

    def draw_labels(self, count):
        """This replica's labels of the present draw, int32 [count]; None for an unconditional model."""
        if not self.num_classes:
            return None
        if self._label_bounds is None:
            return self.random_uniform(count, (), "labels", self.num_classes, tf.int32)
        return self._labels_of(self.random_uniform(count, (), "labels", dtype=tf.float64))

    def labels_from(self, key, count):
        """Labels int32 [count] of a key [2] of their own, for images outside training."""
        if self._label_bounds is None:
            return philox.uniform([count], key, self.num_classes, tf.int32)
        return self._labels_of(philox.uniform([count], key, dtype=tf.float64))

    def _labels_of(self, uniform):
        """The number of bounds at or below each number in [0, 1): a class without a share is never met."""
        return tf.searchsorted(tf.constant(self._label_bounds, tf.float64), uniform, side="right")

    def class_indices(self, labels):
        """Labels that a user gives, by index or name, as int32 [n].

        Raises: ConfigError for what is neither, or if the model has no classes.
        """
        if not self.num_classes:
            raise ConfigError("labels were given, but the model has no classes")
        return chosen_classes(labels, self.class_names, self.num_classes)


def checked_shares(shares, num_classes):
    """Shares as float64 [num_classes], not yet divided by their sum."""
    if not num_classes:
        raise ConfigError("label shares were given, but GAN.num_classes is None: the model has no classes")
    try:
        numbers = np.asarray(shares, np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"label shares are numbers, one a class. Received: {shares!r:.80}") from error
    if numbers.shape != (num_classes,):
        raise ConfigError(f"label shares are [{num_classes}], one a class. Received: {list(numbers.shape)}")
    if not (np.all(np.isfinite(numbers)) and np.all(numbers >= 0) and 0 < numbers.sum() < np.inf):
        raise ConfigError(f"label shares are at least 0, and not all 0. Received: {numbers.tolist()!s:.80}")
    return numbers


def takes_labels(network, num_classes):
    """Whether a network is called with [images or latents, labels]."""
    inputs = getattr(network, "inputs", None)
    if inputs is None:
        return bool(getattr(network, "conditional", num_classes))
    return len(inputs) > 1
