"""The batches that a training step takes, and how data of other layouts becomes them.

The remainder rule: each batch of n images makes one step. Of its images, real batches x replicas x accumulation_steps
x k are used, with the largest k for which they are there, and the rest is dropped; a batch too small for k = 1 is
dropped whole. The real batches of a step are `GAN.batches_per_step`: discriminator_steps, and one more where losses
are of pairs.
"""

import contextlib
import math
import warnings

import numpy as np
import tensorflow as tf

from tfgans import distribute
from tfgans.config import ConfigError
from tfgans.data.labels import count_labels
from tfgans.data.quiet_exit import guarded
from tfgans.gan.fitting import guards

FIRST_BATCHES = 4  # whose pixels are looked at


def unpack(data):
    """(images, labels or None) of a batch: images, (images,), (images, labels), or {"images", "labels"}.

    Raises: ConfigError for anything else, and for weights of samples.
    """
    if isinstance(data, dict):
        if "images" not in data or data.keys() - {"images", "labels"}:
            names = ", ".join(sorted(str(name) for name in data))
            raise ConfigError(f'a batch is {{"images", "labels"}}. Received the names: {names}')
        return data["images"], data.get("labels")
    if not isinstance(data, (tuple, list)):
        return data, None
    images, labels, weights = (*data, None, None, None)[:3]
    if not data or len(data) > 3 or isinstance(images, (tuple, list, dict)):
        raise ConfigError(f"a batch is images, or images and labels. Received: {len(data)} parts")
    if weights is not None:
        raise ConfigError("a GAN weighs all samples alike: it takes no sample_weight")
    return images, labels


def narrowed(images, float_type="float32"):
    """Images as uint8 if they are integers, else as `float_type`."""
    if images.dtype.is_integer:
        return images if images.dtype == tf.uint8 else tf.cast(tf.clip_by_value(images, 0, 255), tf.uint8)
    return tf.cast(images, float_type)


class Intake:
    """What the training steps of a model take, and the watch over the data of one `fit`.

    Args:
        sample_shape, num_classes: of the model.
        steps: real batches of one training step.
        strategy: what the model trains under.
        float_type: of images that are floats.
        seed: of the order of arrays. steps_done: function that gives the number of training steps made so far.
    Attributes:
        accumulation_steps: micro-batches that each replica's images are cut into, 1 unless it is set.
        check_batch: function of the images of a discriminator step, over all replicas, that refuses them; or None.
    """

    accumulation_steps, check_batch = 1, None

    def __init__(
        self, sample_shape, num_classes, steps, strategy, float_type="float32", seed=0, steps_done=lambda: 0
    ):
        self.seed, self.steps_done = seed, steps_done
        self.sample_shape, self.num_classes = tuple(sample_shape), num_classes
        self.steps, self.strategy, self.float_type = steps, strategy, float_type
        self.replicas = strategy.num_replicas_in_sync
        self.error = None
        self.label_counts = np.zeros(num_classes or 0, np.int64)  # of the first pass
        self.passes, self.kept = 0, 0  # passes begun; batches of the first that make a step
        self._low, self._high, self._seen, self._kind = math.inf, -math.inf, 0, "float32"
        self._to_see = FIRST_BATCHES  # batches before the range of all is judged

    @property
    def shares(self):
        """How many equal shares a discriminator step's images are cut into."""
        return self.replicas * self.accumulation_steps

    @property
    def least(self):
        """Images of the smallest batch that makes a step."""
        return self.steps * self.shares

    @property
    def told_least(self):
        """What `least` is made of, in words."""
        if self.accumulation_steps == 1:
            return f"real batches x replicas = {self.steps} x {self.replicas}"
        numbers = f"{self.steps} x {self.replicas} x {self.accumulation_steps}"
        return f"real batches x replicas x accumulation_steps = {numbers}"

    def check_size(self, count):
        """Refuses a batch of `count` images that makes no step."""
        if count < self.least:
            raise ConfigError(
                f"a batch of {count} has too few images for a training step, which takes "
                f"{self.told_least} = {self.least}"
            )
        if self.check_batch is not None:
            self.check_batch(count // self.least * self.shares)

    def images_of(self, shape):
        """Images of a discriminator step, over all replicas, that a batch of images of this shape gives."""
        if self.is_stepped(tf.TensorShape(shape)):
            return shape[1] // self.shares * self.shares
        return shape[0] // self.least * self.shares

    # On the host

    def expect(self, batches):
        """Says how many batches the data has, None if that is not known."""
        self._to_see = FIRST_BATCHES if batches is None else min(batches, FIRST_BATCHES)

    def look(self, images):
        """Checks the values of some images, an array [N, ...].

        Raises: ConfigError, which is kept in `error` as well.
        """
        with self.keeping():
            guards.check_kind(images.dtype, images.shape[1:], self.sample_shape)
            low, high = guards.check_pixels(images, self.sample_shape)
            self._low, self._high = min(self._low, low), max(self._high, high)
            self._seen, self._kind = self._seen + 1, images.dtype
            if self._seen == self._to_see:
                self.judge()

    def judge(self):
        """Warns, once, if all that was seen so far has a range that looks wrong."""
        doubt = guards.doubt(self._kind, self._low, self._high, self.sample_shape)
        self._to_see = None
        if doubt:
            warnings.warn(doubt, stacklevel=2)

    def look_at_labels(self, labels, count, index=0):
        """Checks the labels, [N] or [N, 1], of `count` images, batch `index` of a pass; counts those of the first."""
        with self.keeping():
            if len(labels) != count:
                raise ConfigError(f"there are {count} images and {len(labels)} labels")
            labels = labels if labels.dtype.kind in "iuf" else labels.astype(np.float32)  # bool, bfloat16
            counts = count_labels(labels, self.num_classes)
            self.passes += index == 0
            if self.passes == 1:
                self.label_counts += counts
                self.kept += count >= self.least

    @contextlib.contextmanager
    def keeping(self):
        """Keeps an exception in `error`: what tf.data makes of it is hard to read."""
        try:
            yield
        except Exception as error:
            self.error = error
            raise

    @contextlib.contextmanager
    def reporting(self):
        """Raises the exception that was kept in place of what TensorFlow made of it; at the end judges short data."""
        try:
            yield
            if self._to_see is not None:
                self.judge()
        except tf.errors.OpError as error:
            if self.error is None:
                raise
            raise self.error from error

    # What is known before any batch is read

    def check_spec(self, spec):
        """Refuses data whose elements cannot be batches; returns whether they have labels that are used.

        Args: spec: what one element is, of TensorSpecs.
        """
        images, labels = unpack(spec)
        for part in (images, labels):
            if not isinstance(part, (tf.TensorSpec, type(None))):
                raise ConfigError(f"images and labels are dense arrays. Received: {type(part).__name__}")
        self._check_images(images)
        if self.num_classes and labels is None:
            raise ConfigError(f"GAN.num_classes is {self.num_classes}, but the data has no labels")
        if labels is not None and not self.num_classes:
            warnings.warn("GAN.num_classes is None: the labels of the data are not used", stacklevel=2)
        if labels is None or not self.num_classes:
            return False
        shape = labels.shape[1:] if self.is_stepped(images.shape) and labels.shape.rank else labels.shape
        guards.check_label_kind(labels.dtype, shape, self.num_classes)
        return True

    def _check_images(self, spec):
        shape = spec.shape
        if shape.rank == len(self.sample_shape) and shape.is_compatible_with(self.sample_shape):
            raise ConfigError(f"the data comes in single items {self.sample_shape}: write .batch(64)")
        if shape.rank == 0:
            raise ConfigError("the data comes in single numbers")
        stepped = self.is_stepped(shape)
        guards.check_kind(spec.dtype, shape[1 + stepped :] if shape.rank else None, self.sample_shape)
        self.check_steps(shape[: 1 + stepped] if shape.rank else ())
        if shape.rank and None not in shape[: 1 + stepped]:
            self.check_size(math.prod(shape[: 1 + stepped]))

    def check_steps(self, leading):
        """Refuses images whose leading axes are for another number of discriminator steps."""
        if len(leading) == 2 and leading[0] not in (None, self.steps):
            raise ConfigError(
                f"a batch holds real images for {leading[0]} discriminator steps, not {self.steps}"
            )

    def is_stepped(self, shape):
        """Whether images of this shape have an axis of discriminator steps before that of the batch."""
        return shape.rank is not None and shape.rank == len(self.sample_shape) + 2

    # In graphs of tf.data

    def prepared(self, data, seen=False):
        """A data set of batches, looked at unless it was `seen`, laid out, without those that are too small."""
        labelled = self.check_spec(data.element_spec)

        def prepare(index, element):
            images, labels = unpack(element)
            batch = images, labels if labelled else None
            return self.laid_out(*batch) if seen else self.sized(self.laid_out(*self.watched(index, *batch)))

        data = data.enumerate().map(prepare)
        if data.element_spec["images"].shape[1] is None:
            data = data.filter(lambda batch: tf.shape(batch["images"])[1] > 0)
        return data

    def watched(self, index, images, labels):
        """A batch that was looked at: all labels; the images of the first batches, or of an open shape or range."""
        leading = 1 + self.is_stepped(images.shape)
        known = images.shape.rank and images.shape[leading:].is_fully_defined()
        known = known and (leading == 1 or images.shape[0] is not None)
        pixels = images.dtype == tf.uint8 or not images.dtype.is_integer

        def look(images):
            leading = 1 + (images.ndim == len(self.sample_shape) + 2)
            with self.keeping():
                self.check_steps(images.shape[:leading])
            self.look(images.reshape(-1, *images.shape[leading:]))
            return np.int32(0)

        def look_at_labels(labels, count, index):
            self.look_at_labels(labels.reshape(-1, *labels.shape[leading:]), int(np.prod(count)), int(index))
            return np.int32(0)

        due = tf.logical_or(index < FIRST_BATCHES, not (known and pixels))
        done = [tf.cond(due, lambda: _on_host(look, images), lambda: 0)]
        if labels is not None:
            done.append(_on_host(look_at_labels, labels, tf.shape(images)[:leading], index))
        with tf.control_dependencies(done):
            return tf.identity(images), None if labels is None else tf.identity(labels)

    def laid_out(self, images, labels):
        """{"images": [steps, shares * k, ...], "labels"} of as much of a batch as the remainder rule leaves."""
        if self.is_stepped(images.shape):
            images = tf.ensure_shape(images, [self.steps, None, *self.sample_shape])
        else:
            images = tf.ensure_shape(images, [None, *self.sample_shape])
            images = _first(images, 0, _size(images, 0) // self.steps * self.steps)
            images = tf.reshape(images, [self.steps, _size(images, 0) // self.steps, *self.sample_shape])
        each = _size(images, 1) // self.shares * self.shares
        batch = {"images": narrowed(_first(images, 1, each), self.float_type)}
        if labels is None:
            return batch
        labels = _first(tf.reshape(labels, [-1]), 0, self.steps * _size(images, 1))
        labels = tf.reshape(labels, [self.steps, _size(images, 1)])
        return batch | {"labels": tf.cast(_first(labels, 1, each), tf.int32)}

    def sized(self, batch):
        """A batch that is laid out; one whose size is known only now is refused if the model cannot take it."""
        images = batch["images"]
        if self.check_batch is None or images.shape[1] is not None:
            return batch

        def check(count):
            with self.keeping():
                if count:  # others are left out
                    self.check_batch(int(count))
            return np.int32(0)

        with tf.control_dependencies([_on_host(check, tf.shape(images)[1])]):
            return batch | {"images": tf.identity(images)}

    def placed(self, data):
        """Batches that are laid out, in the form in which every replica takes its own part of them."""
        if self.replicas == 1:
            return data
        first, count = distribute.local_replicas(self.strategy)

        def parts(batch):
            each = _size(batch["images"], 1) // self.replicas

            def part(replica):
                start = tf.cast(replica, tf.int32) * each
                return {name: value[:, start : start + each] for name, value in batch.items()}

            return tf.data.Dataset.range(first, first + count).map(part)

        known = data.element_spec["images"].shape[1]
        data = data.flat_map(parts)
        if known is not None:
            data = data.map(lambda batch: _with_size(batch, known // self.replicas))
        return self.strategy.distribute_datasets_from_function(lambda context: data)


def _on_host(function, *tensors):
    return tf.numpy_function(guarded(function, lambda: np.int32(0)), tensors, tf.int32)


def _size(tensor, axis):
    """The length of an axis: an integer where it is known before running."""
    return tensor.shape[axis] if tensor.shape[axis] is not None else tf.shape(tensor)[axis]


def _first(tensor, axis, count):
    """The first `count` along an axis; the tensor itself where that is known to be all."""
    if isinstance(count, int) and count == tensor.shape[axis]:
        return tensor
    return tensor[:count] if axis == 0 else tensor[:, :count]


def _with_size(batch, size):
    return {name: tf.ensure_shape(x, [x.shape[0], size, *x.shape[2:]]) for name, x in batch.items()}
