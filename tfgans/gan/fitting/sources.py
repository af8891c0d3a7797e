"""Every kind of data that `GAN.fit` is given, as `Batches`."""

import copy
import math

import keras
import numpy as np
import tensorflow as tf

from tfgans import distribute, keras_internals
from tfgans.config import ConfigError, first_line
from tfgans.data import philox
from tfgans.data.ahead import made_ahead
from tfgans.gan.fitting.intake import unpack

_BATCH_SIZE = 32  # Keras's


class Batches(keras_internals.data_adapter()):
    """Data in the form in which Keras's `fit` hands it on to the training step.

    Args:
        intake: `Intake` of the model.
        data: a tf.data set of batches, of any of the forms that `unpack` takes.
        steps: batches of one pass, None if that is not known.
        steps_per_epoch: what `fit` was given; the data then goes round as often as that takes.
        again: whether the data has an end and can be gone through again.
        told: something that is told of an epoch's beginning and end.
        seen: whether all of it has been looked at.
    """

    def __init__(self, intake, data, steps, steps_per_epoch=None, again=True, told=None, seen=False):
        data = intake.prepared(data, seen)
        if not seen:
            intake.expect(steps)
        if steps_per_epoch and again:
            data, steps = data.repeat(), None
        self.data, self.steps, self.told = intake.placed(data), steps, told

    def get_tf_dataset(self):
        return self.data

    @property
    def num_batches(self):
        return self.steps

    def on_epoch_begin(self):
        if self.told is not None:
            self.told.on_epoch_begin()

    def on_epoch_end(self):
        if self.told is not None:
            self.told.on_epoch_end()


def batches(intake, x, y=None, batch_size=None, steps_per_epoch=None, shuffle=True, epochs=1):
    """What Keras's `fit` is to be given for `x` and `y`: `Batches`, or distributed data as it is.

    Returns: that, and a function that gives the shape of the first batch's images, of all replicas.
    Raises: ConfigError if the data cannot be trained on.
    """
    streams = (tf.data.Dataset, tf.distribute.DistributedDataset, keras.utils.PyDataset)
    if not (isinstance(x, streams) or _is_iterable_of_batches(x, len(intake.sample_shape))):
        return _of_arrays(intake, *arrays(intake, x, y), batch_size, steps_per_epoch, shuffle)
    if y is not None:
        raise ConfigError("fit(y=...) goes with arrays: a data set's labels come with its images")
    if batch_size is not None:
        raise ConfigError("fit(batch_size=...) goes with arrays: a data set comes in batches")
    if isinstance(x, tf.distribute.DistributedDataset):
        return distributed(intake, x)
    if isinstance(x, tf.data.Dataset):
        return _of_dataset(intake, x, steps_per_epoch)
    return _of_stream(intake, x, steps_per_epoch, shuffle, epochs)


def _is_iterable_of_batches(x, item_rank):
    if isinstance(x, list) and x:
        batches = [np.ndim(part) > item_rank for part in x[:2] if hasattr(part, "shape")]
        return isinstance(x[0], (tuple, dict)) or batches == [True, True]
    if isinstance(x, (dict, tuple, list, str, bytes)) or hasattr(x, "shape"):
        return False
    return hasattr(x, "__iter__")


def arrays(intake, x, y=None):
    """(images, labels or None) as NumPy arrays.

    Raises: ConfigError if they are none.
    """
    if isinstance(x, list) and x and np.ndim(x[0]) == len(intake.sample_shape):
        x = (_array("images", x),)  # a list of single images
    images, labels = unpack(x)
    if y is not None and labels is not None:
        raise ConfigError("labels were given twice, in x and as y")
    images, labels = _array("images", images), _array("labels", labels if y is None else y)
    if labels is not None and labels.ndim == 0:
        raise ConfigError("labels are an array [N]. Received: a number")
    if images is None or images.ndim == 0:
        raise ConfigError(
            "fit takes arrays, a tf.data set of batches, a PyDataset, or an iterable of batches. "
            f"Received: {type(x).__name__}"
        )
    return images, labels


def _array(name, values):
    if values is None or isinstance(values, (str, bytes)):
        return None
    if isinstance(values, (tf.RaggedTensor, tf.SparseTensor)):
        raise ConfigError(f"the {name} are a dense array. Received: {type(values).__name__}")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(f"the {name} are no array: {first_line(error)}") from error
    if array.dtype != object:
        return array
    if array.ndim == 0:
        return None
    raise ConfigError(f"the {name} are no array of numbers. Received: an array of objects")


def _specs(arrays, leading=1):
    """TensorSpecs of arrays, their first axes left open."""
    return tuple(
        tf.TensorSpec((None,) * leading + a.shape[leading:], tf.as_dtype(a.dtype))
        for a in arrays
        if a is not None
    )


def _of_arrays(intake, images, labels, batch_size, steps_per_epoch, shuffle):
    if images.ndim != len(intake.sample_shape) + 1 and images.shape[-1:] == intake.sample_shape[-1:]:
        raise ConfigError(f"arrays of images are [N, *{list(intake.sample_shape)}]. Received: {images.shape}")
    labels = labels if intake.check_spec(_specs((images, labels))) else None
    if labels is not None:
        intake.look_at_labels(labels, len(images))
    if batch_size is None:
        batch_size = math.ceil(len(images) / steps_per_epoch) if steps_per_epoch else _BATCH_SIZE
    intake.check_size(min(batch_size, len(images)))
    intake.expect(1)
    intake.look(images)
    full, rest = divmod(len(images), batch_size)
    if full and rest >= intake.least:
        intake.check_size(rest)
    given, order = [a for a in (images, labels) if a is not None], Order(len(images), intake, shuffle)

    def generate():
        chosen = order.of_next_pass()
        for first in range(0, len(images), batch_size):
            yield tuple(array[chosen[first : first + batch_size]] for array in given)

    size = min(batch_size, len(images)) if not (full and rest) else None
    spec = tuple(tf.TensorSpec((size, *s.shape[1:]), s.dtype) for s in _specs(given))
    data = made_ahead(tf.data.Dataset.from_generator(generate, output_signature=spec))
    order.goes_round = bool(steps_per_epoch)
    data = Batches(intake, data, full + (rest >= intake.least), steps_per_epoch, told=order, seen=True)
    return data, lambda: (min(batch_size, len(images)), *images.shape[1:])


class Order:
    """The order of an array's items in each pass: a function of the model's seed and how far it has trained.

    Args:
        count: items. intake: of the model. shuffle: whether passes have orders of their own.
    """

    def __init__(self, count, intake, shuffle):
        self.count, self.intake, self.shuffle = count, intake, shuffle
        self.goes_round, self._number = False, None

    def of_next_pass(self):
        """The places of all items in their order, int [count]."""
        self._number += self.goes_round  # what begins within an epoch cannot ask how far training is
        if not self.shuffle:
            return np.arange(self.count)
        return philox.permutation(self.count, self.intake.seed, philox.ORDER, self._number)

    def on_epoch_begin(self):
        if self._number is None or not self.goes_round:
            self._number = self.intake.steps_done()

    def on_epoch_end(self):
        """Nothing: Keras says so before the first epoch, too."""


def _of_dataset(intake, data, steps_per_epoch):
    cardinality = int(data.cardinality())
    endless = cardinality == tf.data.INFINITE_CARDINALITY
    if cardinality == 0:
        raise ConfigError("the data set is empty")
    if endless and not steps_per_epoch:
        raise ConfigError("the data set has no end: fit needs steps_per_epoch")
    steps = cardinality if cardinality > 0 else None
    batches = Batches(intake, data, steps, steps_per_epoch, again=not endless)
    return batches, lambda: unpack(next(iter(data)))[0].shape


def _of_stream(intake, x, steps_per_epoch, shuffle, epochs):
    """Batches that Python makes: a PyDataset, or an iterable; one that is its own iterator is gone through once."""
    adapter, again, pending = None, True, []
    if isinstance(x, keras.utils.PyDataset):
        steps, adapter = x.num_batches, keras_internals.py_dataset_adapter()(x, shuffle=shuffle)
        if steps is None and not steps_per_epoch:
            raise ConfigError("the PyDataset has no end: fit needs steps_per_epoch")
        first, again = None if steps == 0 else x[0], steps is not None
        passes = adapter.get_numpy_iterator
    else:
        iterator = iter(x)
        steps, again = len(x) if hasattr(x, "__len__") else None, iterator is not x
        if not again and epochs > 1 and not steps_per_epoch:
            raise ConfigError(f"the data is gone through once: for {epochs} epochs fit needs steps_per_epoch")
        first = next(iterator, None)
        pending = [] if again else [first]
        passes = (lambda: x) if again else (lambda: iterator)
    if first is None:
        raise ConfigError("the data has no batch")
    parts = arrays(intake, first)
    spec = _specs(parts, 1 + (parts[0].ndim == len(intake.sample_shape) + 2))

    def generate():
        with intake.keeping():
            while pending:
                yield _like(spec, pending.pop())
            for batch in passes():
                yield _like(spec, batch)

    data = made_ahead(tf.data.Dataset.from_generator(generate, output_signature=spec))
    return Batches(intake, data, steps, steps_per_epoch, again, told=adapter), lambda: parts[0].shape


def _like(spec, batch):
    """A batch as arrays of these specs."""
    parts = tuple(_array(name, part) for name, part in zip(("images", "labels"), unpack(batch), strict=True))
    parts = tuple(part for part in parts if part is not None)
    fits = len(parts) == len(spec) and all(
        tf.as_dtype(a.dtype) == s.dtype and s.shape.is_compatible_with(a.shape)
        for a, s in zip(parts, spec, strict=True)
    )
    if not fits:
        one, other = (
            ", ".join(f"{tf.as_dtype(p.dtype).name} {tuple(p.shape)}" for p in each) for each in (spec, parts)
        )
        raise ConfigError(f"the first batch of the data is {one}, a later one is {other}")
    return parts


def distributed(intake, data):
    """Data that the user has distributed, as it is: every replica's batches must be of one known size that fits.

    Its first batch is looked at, in a pass of its own.
    """
    specs, total = _specs_of_replicas(data.element_spec), 0
    if len(specs) != distribute.local_replicas(intake.strategy)[1]:
        raise ConfigError(f"the data is distributed among {len(specs)} replicas, the model is not")
    one = copy.copy(intake)
    one.replicas, one.check_batch = 1, None  # what one of them takes
    for spec in specs:
        labelled = one.check_spec(spec)
        shape = unpack(spec)[0].shape
        count = shape[: 1 + one.is_stepped(shape)] if shape.rank else [None]
        if None in count or math.prod(count) % one.least:
            several = " x accumulation_steps" if one.accumulation_steps > 1 else ""
            raise ConfigError(
                f"distributed data comes in batches of one size, a multiple of a step's real batches{several}: "
                "write .batch(n, drop_remainder=True), or give fit the data before it is distributed"
            )
        total += math.prod(count)
    total = total * intake.replicas // len(specs)  # of other workers' replicas, too
    intake.check_size(total)
    images, labels = unpack(next(iter(data)))
    for value in intake.strategy.experimental_local_results(images):
        intake.look(value.numpy().reshape(-1, *intake.sample_shape))
    if labelled:
        for value in intake.strategy.experimental_local_results(labels):
            intake.look_at_labels(value.numpy().reshape(-1), value.shape.num_elements())
    return data, lambda: (total, *intake.sample_shape)


def _specs_of_replicas(element_spec):
    """What each local replica has of an element of distributed data, of TensorSpecs."""
    parts = [keras_internals.specs_of_replicas(spec) for spec in tf.nest.flatten(element_spec)]
    count = max(map(len, parts))
    replicas = zip(*(part * count if len(part) == 1 else part for part in parts), strict=True)
    return [tf.nest.pack_sequence_as(element_spec, list(specs)) for specs in replicas]
