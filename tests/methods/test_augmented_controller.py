"""The probability of ADA and APA, by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.methods.augmented import ADAGAN, APAGAN
from tfgans.methods.augmented.adaptive import Controller


def controller(**options):
    return Controller(keras.Model(), "p", **({"target": 0.5, "interval": 4, "speed": 1.0} | options))


def moved(found, signs, count=10):
    values = []
    for sign in signs:
        found.record(tf.constant(sign), count)
        found.move()
        values.append(float(found.value()))
    return values


def test_every_four_batches_it_goes_up_or_down_or_stays():
    found = controller()  # 40 images at 1000 from 0 to 1: steps of 0.04
    up, stay, down = [1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.5, 0.25]
    values = moved(found, up + up + stay + down + up)
    expected = [0.0] * 3 + [0.04] * 4 + [0.08] * 8 + [0.04] * 4 + [0.08]
    np.testing.assert_allclose(values, expected, atol=1e-7)


def test_it_stays_above_0_and_may_pass_1():
    found = controller(interval=1, speed=0.02)
    np.testing.assert_allclose(moved(found, [-1.0, 1.0, 1.0, 1.0, 0.0]), [0.0, 0.5, 1.0, 1.5, 1.0], atol=1e-6)
    assert moved(found, [-1.0] * 4)[-1] == 0.0


def test_published_speed():
    """A batch of 8 every 4 iterations: 8 * 4 / 500,000."""
    values = moved(controller(target=0.6, speed=500.0), [1.0] * 8, count=8)
    np.testing.assert_allclose(values[-1], 2 * 8 * 4 / 500_000, rtol=1e-6)


def test_an_interval_ends_with_a_step_of_the_generator():
    found = controller(interval=4)
    for _ in range(5):  # 5 discriminator updates
        found.record(tf.constant(1.0), 10)
    found.move()
    assert float(found.value()) == pytest.approx(0.05)
    assert [float(v.value) for v in (found.signs, found.batches, found.images)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "joint", "bias", "sign", "chance"),
    [("ada", True, -100.0, -1.0, 0.0), ("apa", False, 100.0, 1.0, 0.016)],
)
def test_the_logs_have_the_sign_and_the_probability(name, joint, bias, sign, chance):
    cls, options = (ADAGAN, {}) if name == "ada" else (APAGAN, {"pseudo_batch_size": 8})
    options |= {f"{name}_interval": 2, f"{name}_speed": 1.0, "joint_batch": joint}
    generator, discriminator = toys.image_networks(batch_norm=False)
    discriminator.get_layer("logits").bias.assign([bias])
    model = cls(generator, discriminator, **options)
    model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3), run_eagerly=joint)
    model.fit(toys.images(24), batch_size=8, shuffle=False, verbose=0)
    assert model.step_logs["d/real_sign"] == sign
    assert model.step_logs[f"d/{name}_probability"] == pytest.approx(chance)  # in the third step: moved once
    model.fit(toys.images(16), batch_size=8, shuffle=False, verbose=0)
    assert float(model.controllers[0].value()) == pytest.approx(2 * chance)


def test_the_sign_is_that_of_real_images_alone():
    """D(x) = 3 x: two of the four real points are above 0, one is at 0."""
    model = APAGAN(*toys.scalar_networks(), pseudo_batch_size=4)
    real = {"images": tf.constant([[1.0], [2.0], [0.0], [-1.0]]), "labels": None}
    values, _ = model.discriminator_gradients(real, model.sample(4))
    assert float(values["d/real_sign"]) == 0.25
