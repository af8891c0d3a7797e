"""The library path: `fit` on any data, what its steps take, and what Keras's users expect of a model."""

import contextlib
import warnings

import tensorflow as tf

from tfgans.config import ConfigError, check_count
from tfgans.data.scaling import to_float
from tfgans.gan.fitting import compatibility, sources
from tfgans.gan.fitting.callbacks import FollowLabels, prepared
from tfgans.gan.fitting.intake import Intake, narrowed, unpack
from tfgans.gan.hooks import hook


class Fitting:
    """The part of `GAN` that takes the data of a training."""

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Trains on any data. One batch of it makes one training step, that is one generator update.

        Each batch holds the real images of all discriminator steps and replicas, and where losses are of pairs those
        of the generator's. The remainder rule: of a batch, real batches x replicas x accumulation_steps x k images
        are used, with the largest k for which they are there, and the rest is dropped; a batch too small for k = 1 is
        dropped whole. An epoch without any step is an error.

        Images are [N, H, W, C]: floats in [-1, 1], or pixels in [0, 255] of any integer type, which are scaled by
        `images / 127.5 - 1`. Points [N, D] are floats of any range. Labels are [N] or [N, 1], integers in
        [0, num_classes) of any type; a model without classes leaves them out, and says so. Arrays are looked at whole
        before the first step; other data by its types and shapes before it, then all labels and the first images.
        Fakes have labels in the shares of the data's (`label_distribution`): of arrays from the start, of other data
        from the end of the first epoch on that has seen all of it, in which the step is compiled anew.

        Args:
            x: images, as an array, tensor, or list; or (images, labels), or {"images", "labels"}, of them. Or a
                tf.data set, a PyDataset, or an iterable (a generator, a torch DataLoader) whose elements are batches
                of these forms; in a dictionary images may be [discriminator_steps, N, H, W, C] and labels
                [discriminator_steps, N]. Or distributed data, of batches of one size.
            y: labels, beside an array `x`.
            batch_size: of arrays: images of a training step, for all its discriminator steps; 32 if not given, or
                what `steps_per_epoch` makes of the array.
            epochs, initial_epoch, verbose: as in Keras.
            callbacks: as in Keras; `LearningRateScheduler` and `ReduceLROnPlateau` act on both optimizers, each on
                its own rate.
            shuffle: whether arrays, and batches of a PyDataset, come in a new order every epoch; that of arrays is a
                function of the model's seed and step.
            steps_per_epoch: training steps of an epoch; finite data then goes round as often as that takes. Data
                without an end needs it, and so do several epochs of a generator, which is gone through once.
            validation_split, validation_data, class_weight, sample_weight, and the others: not for GANs, refused.
        Returns: Keras's `History`.
        Raises: ConfigError, before the first step, if something cannot be trained on.
        """
        _refuse_unready(self, "fit")
        _refuse_validation(
            validation_split=validation_split,
            validation_data=validation_data,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
        )
        _refuse_weights(class_weight, sample_weight)
        check_count("fit: epochs", epochs, least=0)
        check_count("fit: initial_epoch", initial_epoch, least=0)
        _check_counts(batch_size, steps_per_epoch, self.steps_per_execution)
        intake = self.intake()
        callbacks = prepared(self, callbacks, FollowLabels(intake, steps_per_epoch))
        data, first = sources.batches(
            intake, x, y, batch_size, steps_per_epoch, shuffle, epochs - initial_epoch
        )
        if self.awaited_batch_sizes():
            self.expect_batch(intake.images_of(first()))
        if intake.label_counts.any():  # of arrays: other labels are counted as they come
            self.follow_labels(intake.label_counts)
        with intake.reporting(), _ends_quietly(steps_per_epoch):
            return self.fit_batches(
                data,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
            )

    def fit_batches(self, batches, **options):
        """Keras's `fit` on batches that are as `train_step` takes them; nothing is looked at or changed."""
        return super().fit(batches, shuffle=False, **options)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One training step on one batch, of the forms and by the rules of `fit`.

        Returns: the step's logs, their values in the order of their names, or a dictionary.
        """
        _refuse_unready(self, "train_on_batch")
        _refuse_weights(class_weight, sample_weight)
        intake = self.intake()
        batch = tuple(part for part in sources.arrays(intake, x, y) if part is not None)
        data = sources.Batches(intake, tf.data.Dataset.from_tensors(batch), 1).get_tf_dataset()
        if self.awaited_batch_sizes():
            self.expect_batch(intake.images_of(batch[0].shape))
        self.make_train_function()
        self.reset_metrics()
        with intake.reporting():
            logs = self.train_function(iter(data))
        return logs if return_dict else list(logs.values())

    def intake(self):
        """What this model's steps take, for the data of one `fit`."""
        float64 = self.discriminator.compute_dtype == "float64"
        intake = Intake(
            self.sample_shape,
            self.num_classes,
            self.batches_per_step,
            self.distribute_strategy,
            float_type="float64" if float64 else "float32",
            seed=self.seed,
            steps_done=lambda: int(self.step.numpy()),
        )
        intake.accumulation_steps, intake.check_batch = self.accumulation_steps, self.check_batch
        return intake

    @hook
    def split_batch(self, data):
        """The real batches of one training step, `batches_per_step` of {"images", "labels"}."""
        images, labels = unpack(data)
        if self.num_classes and labels is None:
            raise ConfigError(f"GAN.num_classes is {self.num_classes}, but the data has no labels")
        intake = self.intake()
        images = narrowed(images, intake.float_type)
        images = tf.cast(to_float(images), intake.float_type) if images.dtype == tf.uint8 else images
        steps, flat = self.batches_per_step, images.shape.rank == len(self.sample_shape) + 1
        if flat:
            images = tf.reshape(images, [steps, -1, *images.shape[1:]])
        if images.shape[0] != steps:
            raise ConfigError(
                f"a batch holds real images for {images.shape[0]} discriminator steps, not {steps}"
            )
        if tuple(images.shape[2:]) != self.sample_shape:
            raise ConfigError(
                f"the data's items are {tuple(images.shape[2:])}, the generator makes {self.sample_shape}"
            )
        if self.num_classes:
            labels = tf.cast(labels, tf.int32)
            labels = tf.reshape(labels, [steps, -1]) if flat or labels.shape.rank != 2 else labels
        else:
            labels = [None] * steps
        return [{"images": images[i], "labels": labels[i]} for i in range(steps)]


def _refuse_unready(model, name):
    if not model.compiled:
        raise ConfigError(
            f"{name}: a GAN is compiled first, with compile(optimizer, discriminator_optimizer)"
        )
    compatibility.check_unchanged(
        (model.optimizer, model.discriminator_optimizer),
        (model.generator, model.discriminator),
        (model.moved_by_own("generator"), model.moved_by_own("discriminator")),
    )


def _refuse_validation(**given):
    for name, value in given.items():
        if value is not None and not (name == "validation_split" and value == 0.0):
            raise ConfigError(
                f"fit({name}=...): a GAN has no loss that says how good its images are. Train on all data, and "
                "measure images with tfgans.Evaluator"
            )


def _refuse_weights(class_weight, sample_weight):
    for name, value in dict(class_weight=class_weight, sample_weight=sample_weight).items():
        if value is not None:
            raise ConfigError(f"a GAN weighs all samples alike: it takes no {name}")


def _check_counts(batch_size, steps_per_epoch, steps_per_execution):
    for name, count in (("batch_size", batch_size), ("steps_per_epoch", steps_per_epoch)):
        if count is not None:
            check_count(f"fit: {name}", count)
    if steps_per_epoch and steps_per_epoch % steps_per_execution:
        raise ConfigError(
            f"fit: steps_per_epoch = {steps_per_epoch} is not a multiple of steps_per_execution = "
            f"{steps_per_execution}"
        )


@contextlib.contextmanager
def _ends_quietly(steps_per_epoch):
    """Without Keras's warning that the data has ended, where that is what ends an epoch."""
    with warnings.catch_warnings():
        if steps_per_epoch is None:
            warnings.filterwarnings("ignore", message="Your input ran out of data")
        yield
