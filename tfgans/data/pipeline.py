"""From stored images to training batches.

Which images a step sees, and how they are flipped and cut, is a pure function of (seed, step, position
in the global batch): a resumed run needs only its step, and any number of replicas sees the same data.
"""

import dataclasses
import functools
import logging

import numpy as np
import tensorflow as tf
from PIL import Image

from tfgans.data import philox
from tfgans.data.ahead import made_ahead
from tfgans.data.decode import from_array, to_array
from tfgans.data.passes import THREADS
from tfgans.data.quiet_exit import guarded
from tfgans.data.scaling import to_float

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How images are changed at every access.

    Args:
        flip: mirror half of the images.
        random_area: (low, high) or None, see `view`.
    """

    flip: bool
    random_area: tuple | None


class Batches:
    """The batches of a run.

    Args:
        store: ImageStore or PointStore. indices: its items to train on, int [n], sorted.
        labels: int32, of every item of the store, or None.
        shape: (discriminator_steps, batch_size): batches of a step, and images of one over all replicas. The n
            images give floor(n / (batch_size * discriminator_steps)) steps an epoch; every epoch has a new order,
            of which the remainder is dropped. Fewer images than a step's batches take are gone through as often as
            that takes, each time in a new order.
        augmentation: an `Augmentation`.
        order: None for every image once an epoch, or a `BalancedOrder`, whose `size` takes the place of n.
    """

    def __init__(self, store, indices, labels, shape, seed, augmentation, order=None):
        self.store, self.indices, self.labels = store, indices, labels
        self.shape = tuple(shape)
        self.seed, self.augmentation = seed, augmentation
        size = len(indices) if order is None else order.size
        taken = shape[0] * shape[1]
        self.steps_per_epoch, self.turns = max(1, size // taken), -(-taken // size)
        self._one_order = order or self._order_of_epoch
        self._order = functools.lru_cache(2)(self._orders)

    def tell_turns(self, title, told):
        """Warns if a step sees images more than once.

        Args:
            title: of the source. told: set of what has been said already, and is not said again.
        """
        (steps, batch_size), count = self.shape, len(self.indices)
        if self.turns > 1 and (self.shape, count) not in told:
            told.add((self.shape, count))
            taken = steps * batch_size
            line = "%s has %d images and a step takes %d (batch_size %d x %d real batches): it sees them %s"
            often = "more than once" if taken < 2 * count else "several times"
            logger.warning(line, title, count, taken, batch_size, steps, often)

    def dataset(self, start_step, first_replica, local_replicas, total_replicas):
        """tf.data.Dataset without end of the elements `Dataset.batches` describes."""
        steps, count = self.shape[0], self.shape[1] // total_replicas
        points = self.store.item_shape == (2,)
        kinds = [tf.float32 if points else tf.uint8, tf.int32]

        def read(number):
            step = start_step + int(number) // local_replicas
            return self.read(step, first_replica + int(number) % local_replicas, total_replicas)

        def empty():
            items = np.zeros((steps, count, *self.store.item_shape), kinds[0].as_numpy_dtype)
            return items, np.zeros((steps, count), np.int32)

        read = guarded(read, empty)

        def element(number):
            images, labels = tf.numpy_function(read, [number], kinds, stateful=False)
            images.set_shape((steps, count, *self.store.item_shape))
            labels.set_shape((steps, count))
            images = {"images": images if points else to_float(images)}
            return images if self.labels is None else images | {"labels": labels}

        data = tf.data.Dataset.counter().map(element, num_parallel_calls=THREADS, deterministic=True)
        options = tf.data.Options()
        options.deterministic = True
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return made_ahead(data.with_options(options))

    def read(self, step, replica=0, total_replicas=1):
        """One replica's part of one step: (items [discriminator_steps, n, ...], labels int32, 0 if none)."""
        count = self.shape[1] // total_replicas
        part = np.s_[:, replica * count : (replica + 1) * count]
        chosen = self.positions(step)[part]
        uniforms = philox.uniform((*self.shape, 4), self.seed, philox.AUGMENTATION, step)[part]
        items, taken = self.store.read(chosen.ravel(), self.indices)
        if self.store.item_shape != (2,):
            size = self.store.item_shape[:2]
            items = augment(
                items, size, uniforms.reshape(-1, 4), self.augmentation.flip, self.augmentation.random_area
            )
        labels = np.zeros(chosen.size, np.int32) if self.labels is None else self.labels[taken]
        items = items.reshape(*chosen.shape, *self.store.item_shape)
        return items, labels.astype(np.int32).reshape(chosen.shape)

    def positions(self, step):
        """Store indices of a step's global batches: int [discriminator_steps, batch_size]."""
        epoch, place = divmod(step, self.steps_per_epoch)
        size = self.shape[0] * self.shape[1]
        return self.indices[self._order(epoch)[place * size : (place + 1) * size]].reshape(self.shape)

    def _orders(self, epoch):
        """Those of an epoch's turns, one where an epoch has a step or more."""
        turns = range(epoch * self.turns, (epoch + 1) * self.turns)
        return np.concatenate([self._one_order(turn) for turn in turns])

    def _order_of_epoch(self, epoch):
        return philox.permutation(len(self.indices), self.seed, philox.ORDER, epoch)


def augment(images, size, uniforms, flip, random_area):
    """Cuts images to `size` and mirrors them.

    Args:
        images: uint8 [n, H, W, C], or a list of [H_i, W_i, C].
        uniforms: float [n, 4] in [0, 1): mirror (below 0.5), top, left, area.
    Returns: uint8 [n, *size, C]
    """
    if isinstance(images, list) or random_area is not None:
        pairs = zip(images, uniforms, strict=True)
        images = np.stack([view(image, size, draws, random_area) for image, draws in pairs])
    if flip:
        mirrored = uniforms[:, 0] < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
    return images


def view(image, size, draws, random_area):
    """A window of an image at a random place: uint8 [H, W, C] -> [*size, C].

    Without `random_area` the window has that size. With it, it has the proportions of `size`, its area is a
    share of the image's drawn uniformly from [low, high], and it is resized to `size` bilinearly. Of an image
    of other proportions only smaller shares may fit: it is drawn from those, and if none fits the window is
    the largest one, in the middle. That is the distribution of the crop libraries' "random resized crop" with
    one aspect ratio, which draw again until a window fits.
    """
    height, width = size
    if random_area is not None:
        height, width, fits = _window(image.shape, size, draws[3], random_area)
        draws = draws if fits else (0.0, 0.5, 0.5)
    top = int(draws[1] * (image.shape[0] - height + 1))
    left = int(draws[2] * (image.shape[1] - width + 1))
    window = image[top : top + height, left : left + width]
    if (height, width) == tuple(size):
        return window
    return to_array(from_array(window).resize(size[::-1], Image.Resampling.BILINEAR))


def _window(shape, size, draw, random_area):
    """(height, width) of a window, and whether any share of `random_area` fits."""
    largest = min(shape[0] / size[0], shape[1] / size[1])  # in units of `size`
    area = shape[0] * shape[1] / (size[0] * size[1])
    low, high = random_area[0], min(random_area[1], largest**2 / area)
    fits = low <= high
    scale = np.sqrt(area * (low + (high - low) * draw)) if fits else largest
    return *(min(max(1, round(side * scale)), limit) for side, limit in zip(size, shape, strict=False)), fits
