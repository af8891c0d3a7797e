"""A model that notes which images its steps have, and data of numbered images in every form."""

import keras
import numpy as np
import tensorflow as tf
import toys

from tfgans.gan import GAN


class Noting(GAN):
    """Notes which images each discriminator step has, in place of training on them."""

    def train_step(self, data):
        batches = self.split_batch(data)
        self.seen.append(
            [np.round(b["images"].numpy()[:, 0, 0, 0] * 64).astype(int).tolist() for b in batches]
        )
        self.labels.append(None if batches[0]["labels"] is None else batches[0]["labels"].numpy().tolist())
        self.step.assign_add(1)
        return {"d/adversarial": tf.constant(1.0)}


MODELS = {}


def noting(num_classes=None, discriminator_steps=2, cls=Noting, **options):
    """A model that has seen nothing; those of the same options share their networks."""
    key = num_classes, discriminator_steps, cls
    if key not in MODELS:
        networks = toys.image_networks(num_classes=num_classes, batch_norm=False)
        MODELS[key] = cls(*networks, num_classes=num_classes, discriminator_steps=discriminator_steps)
    model = MODELS[key]
    model.compile("sgd", "sgd", run_eagerly=True, **options)
    model.set_label_shares(None)
    model.step.assign(0)
    model.train_function, model.seen, model.labels = None, [], []
    return model


def pixels(count, first=0):
    """Images number `first` to `first + count - 1`, [count, 8, 8, 1]."""
    values = np.arange(first, first + count, dtype="float32") / 64 - 0.5
    return np.broadcast_to(values[:, None, None, None], (count, 8, 8, 1)).copy()


def pixels_in(sizes):
    """Batches of these sizes, numbered on."""
    return [pixels(size, sum(sizes[:i])) for i, size in enumerate(sizes)]


class Sequence(keras.utils.PyDataset):
    def __init__(self, batches, **options):
        super().__init__(**options)
        self.batches, self.begun = batches, 0

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]

    def on_epoch_begin(self):
        self.begun += 1


class Endless(Sequence):
    num_batches = None

    def __getitem__(self, index):
        return self.batches[index % len(self.batches)]


def dataset(batches, static=False):
    shape = (len(batches[0]) if static else None, *batches[0].shape[1:])
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=tf.TensorSpec(shape))


BATCHES = pixels_in((6, 5, 1, 4))  # two discriminator steps take 3 + 3, 2 + 2, nothing, 2 + 2 of them


def generated(batches, **signature):
    signature = signature or {"output_types": tf.float32}
    return tf.data.Dataset.from_generator(lambda: iter(batches), **signature)


def sliced(drop_remainder=False):
    return tf.data.Dataset.from_tensor_slices(pixels(15)).batch(6, drop_remainder=drop_remainder)


OF_STEPS = {"output_signature": {"images": tf.TensorSpec((None, None, 8, 8, 1))}}
SIX, FOUR_STEPS = {"batch_size": 6}, {"steps_per_epoch": 4}
