"""APA: fakes among the real images, with a probability that follows how far the discriminator overfits."""

import tensorflow as tf

from tfgans import distribute
from tfgans.config import Count, Within, configurable
from tfgans.gan import GAN, batch_size
from tfgans.gan.places import check_room, of_replica
from tfgans.methods.augmented.adaptive import OFF, Adaptive, Controller


@configurable
class APAGAN(Adaptive, GAN):
    """Adaptive pseudo augmentation (APA; Jiang et al. 2021): some fakes are presented to D as real.

    Each real image is replaced with probability p by the fake (and its label) that was made for the same place in
    the batch in the discriminator step before; everything done to real images is done to the mixed ones. p starts
    at 0 and follows the discriminator's mean sign on them. The step's logs have p, `d/apa_probability`, and the
    mean sign, `d/real_sign`. It costs no pass through a network, and memory for one batch of images.

    Departure from the published code, whose pseudo images are those of the last generator step: here both networks
    take turns in another order, so that those of the last discriminator step come from the same weights.

    Args:
        apa_target: mean sign aimed at, in [-1, 1].
        apa_interval: discriminator updates between two changes of p.
        apa_speed: thousands of real images in which p can go from 0 to 1; infinity is the base.
        pseudo_batch_size: images of a discriminator step, over all replicas; None takes the data's: in a run
            `Dataset.batch_size`, in `fit` the size of the first batch. A smaller batch, such as the last of an
            epoch, uses the first rows of each replica.
    Raises: ConfigError if a value leaves its range or the batch does not divide among the replicas.
    """

    def __init__(
        self,
        generator,
        discriminator,
        apa_target: Within("[-1, 1]") = 0.6,
        apa_interval: Count = 4,
        apa_speed: Within("(0, inf]") = 500.0,
        pseudo_batch_size: Count | None = None,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.apa, self.pseudo_batch_size, self.pseudo = None, pseudo_batch_size, {}
        if apa_speed == OFF:
            return
        self.apa = Controller(self, "apa", apa_target, apa_interval, apa_speed)
        self.controllers.append(self.apa)
        if pseudo_batch_size is not None:
            self._add_pseudo()

    def awaited_batch_sizes(self):
        awaits = self.apa is not None and self.pseudo_batch_size is None
        return super().awaited_batch_sizes() + (("APAGAN.pseudo_batch_size",) if awaits else ())

    def images_kept(self):
        return super().images_kept() + (("pseudo_images",) if self.apa is not None else ())

    def expect_batch(self, count):
        super().expect_batch(count)
        if self.pseudo_batch_size is None:
            self.pseudo_batch_size = count
            self._add_pseudo()

    def check_batch(self, count):
        super().check_batch(count)
        if self.apa is not None:
            check_room("APAGAN.pseudo_batch_size", self.pseudo_batch_size, count)

    def _add_pseudo(self):
        """The weights that hold the pseudo images, and their labels, if any are mixed in."""
        if self.apa is None:
            return
        kinds = {"images": (self.sample_shape, "float32")} | (
            {"labels": ((), "int32")} if self.num_classes else {}
        )
        with self.distribute_strategy.scope():
            count = of_replica("APAGAN.pseudo_batch_size", self.pseudo_batch_size)
            self.pseudo = {
                name: self.add_weight(
                    name=f"pseudo_{name}",
                    shape=(count, *shape),
                    dtype=dtype,
                    initializer="zeros",
                    trainable=False,
                    autocast=False,
                )
                for name, (shape, dtype) in kinds.items()
            }

    def per_replica_variables(self):
        return [*super().per_replica_variables(), *self.pseudo.values()]

    def split_batch(self, data):
        batches = super().split_batch(data)
        return batches if self.apa is None else [self._mixed(i, batch) for i, batch in enumerate(batches)]

    def _mixed(self, index, batch):
        """A real batch with pseudo images in it."""
        self.require_places()
        count = batch_size(batch)
        if isinstance(count, int):
            self.check_batch(count * distribute.num_replicas())
        chosen = self.random_uniform(count, (), f"apa/{index}") < self.apa.value()
        mixed = {}
        for name, variable in self.pseudo.items():
            pseudo, given = tf.convert_to_tensor(variable.value)[:count], batch[name]
            flags = tf.reshape(chosen, [-1] + [1] * (given.shape.rank - 1))
            mixed[name] = tf.where(flags, tf.cast(pseudo, given.dtype), given)
        return batch | mixed

    def sample(self, count, given=None):
        fake = super().sample(count, given)
        for name, variable in self.pseudo.items():
            kept = tf.convert_to_tensor(variable.value)
            new = tf.cast(fake[name], kept.dtype)[: kept.shape[0]]
            variable.assign(tf.ensure_shape(tf.concat([new, kept[tf.shape(new)[0] :]], 0), variable.shape))
        return fake
