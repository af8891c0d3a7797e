"""What `fit` cannot train on: refused before the first step, or where it is met."""

import numpy as np
import pytest
import toys
from noted import (
    BATCHES,
    FOUR_STEPS,
    OF_STEPS,
    SIX,
    Endless,
    Sequence,
    dataset,
    generated,
    noting,
    pixels,
    pixels_in,
    sliced,
)

from tfgans import losses
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.fitting.intake import FIRST_BATCHES

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
    "epochs": (lambda: pixels(4), {"epochs": "2"}, "epochs is an integer of at least 0. Received: '2'"),
    "epochs below 0": (lambda: pixels(4), {"epochs": -1}, "epochs is an integer of at least 0. Received: -1"),
    "initial_epoch": (lambda: pixels(4), {"initial_epoch": 0.5}, "initial_epoch is an integer of at least 0"),
    "no callback": (lambda: pixels(4), {"callbacks": [print]}, "callbacks are Keras's, .* Received: builtin"),
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


def test_what_a_step_of_pairs_takes_is_not_told_as_discriminator_steps():
    """It was told as discriminator_steps x replicas = 2 x 1, of a model with one discriminator step."""
    of_pairs = dict(
        discriminator_loss=losses.relativistic_discriminator, generator_loss=losses.relativistic_generator
    )
    model = GAN(*toys.image_networks(), **of_pairs)
    model.compile("sgd", "sgd")
    with pytest.raises(
        ConfigError, match="1 has too few .*, which takes real batches x replicas = 2 x 1 = 2$"
    ):
        model.fit(pixels(1), verbose=0)


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
