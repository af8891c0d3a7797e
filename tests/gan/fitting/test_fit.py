"""`fit` on every kind of data: which images each step sees, with which labels."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from noted import (
    BATCHES,
    FOUR_STEPS,
    OF_STEPS,
    SIX,
    Endless,
    Noting,
    Sequence,
    dataset,
    generated,
    noting,
    pixels,
    pixels_in,
    sliced,
)

from tfgans.config import ConfigError


def seen(model):
    return [[[i + 32 for i in batch] for batch in step] for step in model.seen]


class Loader:
    """What a DataLoader looks like from outside."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


STEPS = [[[0, 1, 2], [3, 4, 5]], [[6, 7], [8, 9]], [[12, 13], [14, 15]]]
ROUND = STEPS + STEPS[:1]
ARRAY_STEPS = [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]], [[12], [13]]]  # of 15 images, six a step


def stepped(batches):
    """The same images as [discriminator_steps, N, ...]."""
    return [{"images": b[: len(b) // 2 * 2].reshape(2, -1, 8, 8, 1)} for b in batches]


KINDS = {
    "array": (lambda: pixels(15), SIX, ARRAY_STEPS),
    "tensor": (lambda: tf.constant(pixels(15)), {"batch_size": np.int64(6)}, ARRAY_STEPS),
    "tuple": (lambda: (pixels(15),), SIX, ARRAY_STEPS),
    "array smaller than a batch": (lambda: pixels(7), {}, [[[0, 1, 2], [3, 4, 5]]]),
    "steps make the batch": (lambda: pixels(8), {"steps_per_epoch": 2}, [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]),
    "array goes round": (lambda: pixels(15), SIX | FOUR_STEPS, ARRAY_STEPS + ARRAY_STEPS[:1]),
    "dataset": (lambda: dataset(BATCHES), {}, STEPS),
    "dataset of unknown shapes": (lambda: generated(BATCHES), {}, STEPS),
    "dataset, remainder dropped": (lambda: sliced(True), {}, ARRAY_STEPS[:2]),
    "dataset goes round": (lambda: dataset(BATCHES), FOUR_STEPS, ROUND),
    "dataset of steps": (lambda: generated(stepped(BATCHES), **OF_STEPS), {}, STEPS),
    "generator": (lambda: iter(BATCHES), {}, STEPS),
    "generator of tuples": (lambda: ((b,) for b in BATCHES), {}, STEPS),
    "loader": (lambda: Loader(BATCHES), {}, STEPS),
    "list of batches": (lambda: list(BATCHES), {}, STEPS),
    "PyDataset of steps": (lambda: Sequence(stepped(BATCHES)), {}, STEPS),
    "PyDataset with workers": (lambda: Sequence(BATCHES, workers=2), {}, STEPS),
    "PyDataset without end": (lambda: Endless(BATCHES), FOUR_STEPS, ROUND),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_takes_as_much_of_each_batch_as_goes_into_its_discriminator_steps(kind):
    make, options, expected = KINDS[kind]
    model = noting()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the end of the data is no surprise
        model.fit(make(), shuffle=False, verbose=0, **options)
    assert seen(model) == expected


@pytest.mark.parametrize("kind", ["array", "dataset", "PyDataset with workers"])
def test_every_epoch_sees_all_of_it(kind):
    make, options, expected = KINDS[kind]
    model, data = noting(), make()
    model.fit(data, shuffle=False, verbose=0, epochs=5, initial_epoch=3, **options)
    assert seen(model) == 2 * expected
    assert getattr(data, "begun", 2) == 2


def test_a_generator_goes_on_from_epoch_to_epoch_and_loses_no_batch():
    model = noting()
    model.fit((b for b in pixels_in((2,) * 6)), steps_per_epoch=3, epochs=2, verbose=0)
    assert seen(model) == [[[2 * i], [2 * i + 1]] for i in range(6)]


def test_shuffled_arrays_have_a_new_order_each_epoch_which_the_step_decides():
    def orders(steps_done=0, **options):
        model = noting(discriminator_steps=1)
        model.step.assign(steps_done)
        model.fit(pixels(15), batch_size=15, verbose=0, **options)
        return [step[0] for step in seen(model)]

    epochs = orders(epochs=3)
    assert all(sorted(epoch) == list(range(15)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, list(range(15))]}) == 4
    assert orders(steps_done=2) == epochs[2:]
    rounds = orders(steps_per_epoch=2, epochs=2)
    assert len({tuple(epoch) for epoch in rounds}) == 4 and rounds == orders(steps_per_epoch=2, epochs=2)


def test_executions_of_several_steps():
    model = noting(steps_per_execution=2)
    model.fit(Loader(BATCHES), verbose=0)
    assert seen(model) == STEPS


@pytest.mark.slow
def test_labels_stay_with_their_images_in_every_form():
    images, labels, halves = pixels(10), np.arange(10) % 3, (slice(6), slice(6, 10))
    forms = [
        ((images, labels), {}),
        ((images, labels[:, None].astype("float64")), {}),
        (((images, labels),), {}),
        (([images, labels.astype("uint8")],), {}),
        (({"images": images, "labels": labels.tolist()},), {}),
        ((tf.data.Dataset.from_tensor_slices((images, labels[:, None])).batch(6),), {"batch_size": None}),
        (([(images[:6], labels[:6]), (images[6:], labels[6:])],), {"batch_size": None}),
        ((Sequence([{"images": images[s], "labels": labels[s]} for s in halves]),), {"batch_size": None}),
    ]
    for data, options in forms:
        model = noting(num_classes=3)
        model.fit(*data, shuffle=False, verbose=0, **{"batch_size": 6} | options)
        assert seen(model) == [[[0, 1, 2], [3, 4, 5]], [[6, 7], [8, 9]]]
        assert model.labels == [[0, 1, 2], [0, 1]]


def test_labels_of_a_model_without_classes_are_left_out_and_said_to_be():
    model = noting()
    with pytest.warns(UserWarning, match="num_classes is None: the labels of the data are not used"):
        model.fit(pixels(4), np.zeros(4), verbose=0)
    assert model.labels == [None]


def test_distributed_data_of_one_size_trains_as_it_is():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    distribute = strategy.experimental_distribute_dataset
    whole = tf.data.Dataset.from_tensor_slices(pixels(12))
    with strategy.scope():
        model = Noting(*toys.image_networks(batch_norm=False), discriminator_steps=2)
        model.compile("sgd", "sgd", run_eagerly=True)
    model.seen, model.labels = [], []
    model.fit(distribute(whole.batch(4, drop_remainder=True)), verbose=0)
    assert seen(model) == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [10, 11]]]
    for data, message in [
        (whole.batch(4), "batches of one size"),
        (whole.batch(3, drop_remainder=True), "a multiple of a step's real batches"),
        (whole.map(lambda x: x * 300).batch(4, drop_remainder=True), "float images are in"),
    ]:
        with pytest.raises(ConfigError, match=message):
            model.fit(distribute(data), verbose=0)
    assert len(model.seen) == 3


def test_train_on_batch_is_one_step():
    model = noting(num_classes=3)
    assert model.train_on_batch(pixels(5), np.arange(5) % 3) == [1.0]
    batch = {"images": pixels(6).reshape(2, 3, 8, 8, 1), "labels": np.zeros((2, 3))}
    assert model.train_on_batch(batch, return_dict=True) == {"d/adversarial": 1.0}
    assert seen(model) == [[[0, 1], [2, 3]], [[0, 1, 2], [3, 4, 5]]]
    for images, message in [
        (pixels(1), "a batch of 1 has too few"),
        (pixels(4) * 300, "float images are in"),
    ]:
        with pytest.raises(ConfigError, match=message):
            model.train_on_batch(images, np.zeros(len(images)))
    with pytest.raises(ConfigError, match="no sample_weight"):
        model.train_on_batch(pixels(4), np.zeros(4), sample_weight=np.ones(4))


class Placing(Noting):
    """Has something for each place of the batch."""

    def awaited_batch_sizes(self):
        return ("Placing.size",)

    def expect_batch(self, count):
        self.expected.append(count)


def test_methods_learn_the_size_of_the_first_batch():
    model = noting(cls=Placing)
    model.expected = []
    kinds = ["array", "dataset", "dataset of steps", "generator", "PyDataset of steps"]
    for make, options, _ in [KINDS[kind] for kind in kinds]:
        model.fit(make(), verbose=0, **options)
    assert model.expected == [3] * len(kinds)


def test_fakes_follow_the_labels_of_the_data():
    labels = np.array([0, 0, 0, 2])
    model = noting(num_classes=3, discriminator_steps=1)
    model.fit(pixels(4), labels, verbose=0)
    assert model.label_shares == (0.75, 0.0, 0.25)
    batches = [(pixels(2), labels[:2]), (pixels(2), labels[2:])]
    known = []
    keep = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: known.append(model.label_shares))
    for options, expected in [
        ({"epochs": 2}, [None, (0.75, 0.0, 0.25)]),
        ({"epochs": 4, "steps_per_epoch": 1}, [None, None, None, (0.75, 0.0, 0.25)]),
    ]:
        model, known[:] = noting(num_classes=3, discriminator_steps=1), []
        model.fit(list(batches), verbose=0, callbacks=[keep], **options)
        assert known == expected
    model.shares_are_given = True  # by GAN.label_shares
    try:
        model.fit(pixels(4), [1, 1, 2, 2], verbose=0)
    finally:
        model.shares_are_given = False
    assert model.label_shares == (0.75, 0.0, 0.25)
