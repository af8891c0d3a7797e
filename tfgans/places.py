"""What methods keep for each place in the batch, such as a perturbation, and how they learn how large it is."""

import keras
import tensorflow as tf

from tfgans import distribute
from tfgans.config import ConfigError, check_count

_KERAS_BATCH_SIZE = 32  # of arrays for which `fit` is given none


class BatchPlaces:
    """The part of `GAN` that tells methods the size of the batch, before training and before a checkpoint is read."""

    def expect_batch(self, count):
        """Says how many real images a discriminator step will have, over all replicas.

        `build_model` says so for a run, and `fit` for its first batch. Methods that keep something for each of them
        extend this; a number that they were given by name stays.
        """

    def awaited_batch_sizes(self):
        """Names of the parameters that stand for the batch's size and are not known yet; methods extend this."""
        return ()

    def images_kept(self):
        """Names of what methods keep between steps that has the images' own shape; methods extend this."""
        return ()

    def require_places(self):
        """Raises ConfigError if a step is made before the batch's size is known."""
        if self.awaited_batch_sizes():
            raise ConfigError(
                f"{self.awaited_batch_sizes()[0]} is not set: it is the images of a discriminator step"
            )

    def fit(self, x=None, y=None, batch_size=None, *args, **options):
        awaited = self.awaited_batch_sizes()
        if awaited:
            count = _first_batch(x, batch_size, options.get("steps_per_epoch"), self)
            if count is None:
                raise ConfigError(
                    f"{awaited[0]} is not set, and these data do not say how large their batches are: set it to the "
                    "images of a discriminator step"
                )
            self.expect_batch(count)
        return super().fit(x, y, batch_size, *args, **options)


def of_replica(name, count):
    """How many of the batch's `count` places are this replica's. Raises ConfigError, naming the parameter."""
    check_count(name, count)
    replicas = distribute.num_replicas()
    if count % replicas:
        raise ConfigError(f"{name} = {count} does not divide among {replicas} replicas")
    return count // replicas


def _first_batch(x, batch_size, steps_per_epoch, model):
    """Images of a discriminator step in the first batch of what `fit` was given; None if that cannot be seen."""
    stepped = False  # whether batches are [discriminator_steps, N, ...]
    if isinstance(x, tf.data.Dataset):
        shape = _images(next(iter(x))).shape
        stepped = len(shape) == len(model.sample_shape) + 2
        count = shape[1] if stepped else shape[0]
    elif isinstance(x, keras.utils.PyDataset):
        count = len(_images(x[0]))
    elif hasattr(_images(x), "shape"):
        total = len(_images(x))
        each = -(-total // steps_per_epoch) if steps_per_epoch else _KERAS_BATCH_SIZE
        count = min(total, batch_size or each)
    else:
        return None
    count = count if stepped else count // model.batches_per_step
    return count - count % model.distribute_strategy.num_replicas_in_sync


def _images(data):
    """The images of data, or of a batch, in one of the forms that `fit` takes."""
    while isinstance(data, (dict, tuple)) and len(data):
        data = data["images"] if isinstance(data, dict) else data[0]
    return data
