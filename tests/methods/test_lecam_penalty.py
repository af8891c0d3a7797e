"""LeCam regularization by hand: its value and slope, and the averages it takes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods.lecam_penalty import LeCamPenaltyGAN


def model(method=LeCamPenaltyGAN, **options):
    made = method(*toys.scalar_networks(), **options)  # D(x) = 3 x
    made.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    return made


# Logits 3, 6 and 0, 3, averages 1 of real and 4 of fakes: squares of (-1, 2) and (1, -2), by x = 1, 2 and 0, 1.
@pytest.mark.parametrize(("one_sided", "value", "slope"), [(True, 2.5, 4.0), (False, 5.0, 5.0)])
def test_value_and_slope(one_sided, value, slope):
    options = dict(lecam_penalty_weight=0.5, lecam_penalty_start=3, lecam_penalty_one_sided=one_sided)
    made = model(**options)
    real, fake = ({"images": tf.constant([[a], [a + 1.0]]), "labels": None} for a in (1.0, 0.0))
    for average, number in zip(made.lecam_penalty_averages, (1.0, 4.0), strict=True):
        average.assign(number)
    kernel = made.discriminator.trainable_variables[0].value
    for step, share in ((2, 0.0), (3, 0.5)):
        made.step.assign(step)
        with tf.GradientTape() as tape:
            term = made.discriminator_losses(*made.with_outputs(real, fake))["d/lecam_penalty"]
        assert float(term) == pytest.approx(share * value)
        assert tape.gradient(term, kernel).numpy().item() == pytest.approx(share * slope)


def test_averages_are_copies_until_they_begin():
    made = model(lecam_penalty_start=2, lecam_penalty_decay=0.75)
    expected = [0.0, 0.0]
    for step in range(4):
        logs = made.train_step({"images": tf.constant([[[1.0], [2.0]]])})
        means = [float(logs[f"d/lecam_penalty_{name}"]) for name in ("real", "fake")]
        kept = 0.75 if step >= 2 else 0.0
        expected = [kept * old + (1.0 - kept) * new for old, new in zip(expected, means, strict=True)]
        found = [float(average.value) for average in made.lecam_penalty_averages]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert (float(logs["d/lecam_penalty"]) != 0.0) == (step >= 2)
    assert means[0] == pytest.approx(float(logs["d/lecam_penalty_real"])) and means[0] != expected[0]


def test_without_a_weight_it_is_the_base():
    states = []
    for made in (model(GAN), model(lecam_penalty_weight=0.0)):
        logs = made.train_step({"images": tf.constant([[[1.0], [2.0]]])})
        assert not any("lecam" in name for name in logs)
        states.append(toys.values(made))
    toys.assert_same(*states)


def test_options_are_checked():
    with pytest.raises(ConfigError, match=r"LeCamPenaltyGAN.lecam_penalty_decay is a number in \[0, 1\)"):
        LeCamPenaltyGAN(*toys.scalar_networks(), lecam_penalty_decay=1.0)
