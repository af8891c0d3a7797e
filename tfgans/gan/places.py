"""State that methods keep for each place in the batch, such as a perturbation, and the size of the batch it needs."""

from tfgans import distribute
from tfgans.config import ConfigError, check_count
from tfgans.gan.hooks import hook


class BatchPlaces:
    """The part of `GAN` that tells methods the size of the batch, before training and before a checkpoint is read."""

    @hook
    def expect_batch(self, count):
        """Says how many real images a discriminator step will have, over all replicas.

        `build_model` says so for a run, and `fit` for its first batch. Methods that keep something for each of them
        extend this; a number that they were given by name stays.
        Raises: ConfigError if it cannot be cut into replicas and micro-batches, or as `check_batch` does.
        """
        self.check_shares(count)
        self.check_batch(count)

    @hook
    def check_batch(self, count):
        """Raises ConfigError if a discriminator step cannot take `count` real images, over all replicas.

        `fit` asks this of every size of a batch: before the first step where it is known then, else when it comes.
        Methods extend it.
        """

    @hook
    def awaited_batch_sizes(self):
        """Names of the parameters that stand for the batch's size and are not known yet; methods extend this."""
        return ()

    @hook
    def images_kept(self):
        """Names of what methods keep between steps that has the images' own shape; methods extend this."""
        return ()

    @hook
    def first_shape(self):
        """The shape of the smallest images that training steps see; methods that change their size extend this."""
        return self.sample_shape

    def require_places(self):
        """Raises ConfigError if a step is made, or weights are loaded, before the batch's size is known."""
        if self.awaited_batch_sizes():
            raise ConfigError(
                f"{self.awaited_batch_sizes()[0]} is not set: it is the images of a discriminator step"
            )


def check_room(name, places, count):
    """Refuses a batch of `count` images where the parameter `name` says that there are fewer `places`, or None."""
    if places is not None and count > places:
        raise ConfigError(
            f"{name} = {places}, but a batch holds {count} images: give the largest, where the first is not"
        )


def of_replica(name, count):
    """How many of the batch's `count` places are this replica's. Raises ConfigError, naming the parameter."""
    check_count(name, count)
    replicas = distribute.num_replicas()
    if count % replicas:
        raise ConfigError(f"{name} = {count} does not divide among {replicas} replicas")
    return count // replicas
