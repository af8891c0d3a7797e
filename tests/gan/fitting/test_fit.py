"""`fit` on every kind of data: which images each step sees, and what is refused before the first."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.fitting.intake import FIRST_BATCHES


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


def seen(model):
    return [[[i + 32 for i in batch] for batch in step] for step in model.seen]


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


class Loader:
    """What a DataLoader looks like from outside."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def dataset(batches, static=False):
    shape = (len(batches[0]) if static else None, *batches[0].shape[1:])
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=tf.TensorSpec(shape))


BATCHES = pixels_in((6, 5, 1, 4))  # two discriminator steps take 3 + 3, 2 + 2, nothing, 2 + 2 of them
STEPS = [[[0, 1, 2], [3, 4, 5]], [[6, 7], [8, 9]], [[12, 13], [14, 15]]]
ROUND = STEPS + STEPS[:1]
ARRAY_STEPS = [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]], [[12], [13]]]  # of 15 images, six a step


def stepped(batches):
    """The same images as [discriminator_steps, N, ...]."""
    return [{"images": b[: len(b) // 2 * 2].reshape(2, -1, 8, 8, 1)} for b in batches]


def generated(batches, **signature):
    signature = signature or {"output_types": tf.float32}
    return tf.data.Dataset.from_generator(lambda: iter(batches), **signature)


def sliced(drop_remainder=False):
    return tf.data.Dataset.from_tensor_slices(pixels(15)).batch(6, drop_remainder=drop_remainder)


OF_STEPS = {"output_signature": {"images": tf.TensorSpec((None, None, 8, 8, 1))}}
SIX, FOUR_STEPS = {"batch_size": 6}, {"steps_per_epoch": 4}
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


NO_STEP, TOO_FEW = "an epoch has no training step", "has too few images"
LABELS = np.zeros(4)
REFUSED = {
    "nothing": (lambda: None, {}, "fit takes arrays, a tf.data set of batches"),
    "text": (lambda: "folder:x", {}, "Received: str"),
    "a number": (lambda: 3, {}, "Received: int"),
    "no image": (lambda: pixels(0), {}, "a batch of 0 has too few images .* 2 x 1 = 2"),
    "one image": (lambda: pixels(1), {}, "a batch of 1 has too few"),
    "small batches": (lambda: pixels(8), {"batch_size": 1}, TOO_FEW),
    "small batches of a dataset": (lambda: dataset(pixels_in((1, 1))), {}, NO_STEP),
    "the same, going round": (lambda: dataset(pixels_in((1, 1))), FOUR_STEPS, NO_STEP),
    "small batches of known size": (lambda: dataset(pixels_in((1, 1)), static=True), {}, TOO_FEW),
    "small batches of steps": (lambda: [{"images": pixels(0).reshape(2, 0, 8, 8, 1)}], {}, NO_STEP),
    "small batches of a sequence": (lambda: Sequence(pixels_in((1, 1))), {}, NO_STEP),
    "an empty dataset": (lambda: sliced().take(0), {}, "the data set is empty"),
    "an empty sequence": (lambda: Sequence([]), {}, "the data has no batch"),
    "an empty generator": (lambda: iter(()), {}, "the data has no batch"),
    "other steps": (
        lambda: [{"images": pixels(6).reshape(3, 2, 8, 8, 1)}],
        {},
        "3 discriminator steps, not 2",
    ),
    "other steps unknown": (
        lambda: generated([{"images": pixels(6).reshape(3, 2, 8, 8, 1)}], **OF_STEPS),
        {},
        "3 discriminator steps, not 2",
    ),
    "an array of steps": (lambda: pixels(8).reshape(2, 4, 8, 8, 1), {}, r"are \[N, \*\[8, 8, 1\]\]"),
    "one item": (lambda: pixels(1)[0], {}, r"Received: \(8, 8, 1\)"),
    "other names": (lambda: {"image": pixels(4)}, {}, "Received the names: image"),
    "four parts": (lambda: (pixels(4), None, None, None), {}, "Received: 4 parts"),
    "weights in the data": (lambda: [(pixels(4), LABELS, LABELS)], {}, "no sample_weight"),
    "a dataset without batches": (lambda: sliced().unbatch(), {}, r"write \.batch\(64\)"),
    "a dataset without end": (lambda: dataset(BATCHES).repeat(), {}, "no end: fit needs steps_per_epoch"),
    "a sequence without end": (lambda: Endless(BATCHES), {}, "no end: fit needs steps_per_epoch"),
    "epochs of a generator": (lambda: iter(BATCHES), {"epochs": 2}, "gone through once: for 2 epochs"),
    "labels twice": (lambda: (pixels(4), LABELS), {"y": LABELS}, "labels were given twice"),
    "labels of a dataset": (lambda: dataset(BATCHES), {"y": LABELS}, r"fit\(y=...\) goes with arrays"),
    "batch_size of a dataset": (lambda: dataset(BATCHES), SIX, r"fit\(batch_size=...\) goes with arrays"),
    "batch_size": (
        lambda: pixels(4),
        {"batch_size": 2.5},
        "batch_size is an integer of at least 1. Received: 2.5",
    ),
    "steps_per_epoch": (
        lambda: pixels(4),
        {"steps_per_epoch": 0},
        "steps_per_epoch is an integer of at least 1",
    ),
    "sample_weight": (lambda: pixels(4), {"sample_weight": np.ones(4)}, "no sample_weight"),
    "class_weight": (lambda: pixels(4), {"class_weight": {0: 1.0}}, "no class_weight"),
    "validation_split": (lambda: pixels(4), {"validation_split": 0.5}, "validation_split.*tfgans.Evaluator"),
    "validation_data": (
        lambda: pixels(4),
        {"validation_data": pixels(4)},
        "validation_data.*tfgans.Evaluator",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_on_is_refused_before_the_first_step(case):
    make, options, message = REFUSED[case]
    model = noting()
    with pytest.raises(ConfigError, match=message) as error:
        model.fit(make(), verbose=0, **options)
    assert model.seen == [] and "\n" not in str(error.value)


def test_steps_of_an_epoch_are_whole_executions():
    with pytest.raises(ConfigError, match="steps_per_epoch = 3 is not a multiple of steps_per_execution = 2"):
        noting(steps_per_execution=2).fit(pixels(8), steps_per_epoch=3, verbose=0)


def test_what_goes_wrong_in_a_users_generator_is_raised_as_it_is():
    def batches():
        yield pixels(4)
        raise FileNotFoundError("shard-2")

    model = noting()
    with pytest.raises(FileNotFoundError, match="shard-2"):
        model.fit(batches(), verbose=0)
    assert len(model.seen) == 1
    later = iter([pixels(4), pixels(4).astype("float64")])
    with pytest.raises(
        ConfigError, match=r"first batch .* float32 \(None, 8, 8, 1\), a later one is float64"
    ):
        model.fit(later, verbose=0)


def test_pixels_are_looked_at_in_the_first_batches_and_labels_in_all():
    late = [pixels(2) for _ in range(FIRST_BATCHES)] + [pixels(2) * 300]
    model = noting()
    model.fit(dataset(late), verbose=0)
    assert len(model.seen) == FIRST_BATCHES + 1
    with pytest.raises(
        ConfigError, match=r"float images are in \[-1, 1\]. Received: float32 in \[-150, -145.3\]"
    ):
        model.fit(dataset(late[1:]), verbose=0)
    model = noting(num_classes=3)
    labels = [np.array([0, 1])] * 6 + [np.array([0, 3])]
    with pytest.raises(ConfigError, match="Received: 3"):
        model.fit([(pixels(2), each) for each in labels], verbose=0)
    assert len(model.seen) == 6


def test_integers_are_looked_at_in_all_batches():
    batches = [np.full((2, 8, 8, 1), 7, "int32")] * 6 + [np.full((2, 8, 8, 1), 256, "int32")]
    with pytest.raises(ConfigError, match=r"pixels in \[0, 255\]. Received: int32 in \[256, 256\]"):
        noting().fit(batches, verbose=0)


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
        (whole.batch(3, drop_remainder=True), "a multiple of discriminator_steps"),
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
