"""The heuristic by which ADA and APA choose how often they act: the discriminator's sign on real images."""

import tensorflow as tf

from tfgans import distribute
from tfgans.gan import batch_size

OFF = float("inf")  # the speed at which a probability stays 0


class Adaptive:
    """Lets controllers follow the mean sign of the discriminator's logits for real images; a part of methods.

    A method appends its controller to `controllers`. The logs of a discriminator step then have `d/real_sign`, that
    mean over the global batch (1 where the discriminator finds all real), and each controller's probability. Where
    losses are of pairs only the difference of a pair's logits means something, and the sign is that one's.
    """

    def __init__(self, generator, discriminator, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.controllers = []

    def discriminator_step(self, real):
        logs = super().discriminator_step(real)
        if not self.controllers:
            return logs
        (sign,) = distribute.mean([logs["d/real_sign"]])
        logs["d/real_sign"] = sign
        for controller in self.controllers:
            controller.record(sign, batch_size(real))
            logs[f"d/{controller.name}_probability"] = controller.value()
        return logs

    def discriminator_measures(self, real, fake):
        measures = super().discriminator_measures(real, fake)
        if not self.controllers:
            return measures
        logits = tf.cast(real["outputs"]["adversarial"], tf.float32)
        if self.of_pairs:
            logits -= tf.cast(fake["outputs"]["adversarial"], tf.float32)
        return measures | {"d/real_sign": tf.reduce_mean(tf.sign(logits))}

    def finish_step(self):
        super().finish_step()
        for controller in self.controllers:
            controller.move()


class Controller:
    """Moves a probability so that the discriminator's mean sign on real images comes to a target (ADA, APA).

    After `interval` real batches the probability goes up by images / (1000 * speed) if their mean sign is above
    the target, down if below, and stays if equal. It is at least 0 and may pass 1, as published. All of it is
    weights of the model, equal on all replicas.

    Args:
        model, name: whose weights, and the first part of their names and of the options'.
        target: mean sign aimed at, in [-1, 1].
        interval: real batches between two moves.
        speed: thousands of real images in which the probability can go from 0 to 1.
    """

    def __init__(self, model, name, target, interval, speed):
        self.name, self.target, self.interval, self.speed = name, target, interval, speed
        parts = ("probability", "signs", "batches", "images")
        self.probability, self.signs, self.batches, self.images = (
            model.add_weight(
                name=f"{name}_{part}",
                shape=(),
                dtype="float32",
                initializer="zeros",
                trainable=False,
                autocast=False,
            )
            for part in parts
        )

    def value(self):
        """The probability, a scalar of at least 0."""
        return tf.convert_to_tensor(self.probability.value)

    def record(self, sign, count):
        """Takes note of a real batch: its mean sign, and this replica's number of images."""
        self.signs.assign_add(sign)
        self.batches.assign_add(1.0)
        self.images.assign_add(tf.cast(count * distribute.num_replicas(), tf.float32))

    def move(self):
        """Moves the probability if enough batches were recorded since the last time."""
        signs, batches, images = (
            tf.convert_to_tensor(v.value) for v in (self.signs, self.batches, self.images)
        )
        due = tf.cast(batches >= self.interval, tf.float32)
        direction = tf.sign(signs / tf.maximum(batches, 1.0) - self.target)
        step = due * direction * images / (1000.0 * self.speed)
        self.probability.assign(tf.maximum(self.value() + step, 0.0))
        for variable, value in ((self.signs, signs), (self.batches, batches), (self.images, images)):
            variable.assign((1.0 - due) * value)
