"""Discriminator-driven latent sampling by hand: a step, and where the chain comes to rest."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.data.scaling import to_uint8
from tfgans.gan import GAN, langevin
from tfgans.gan.codes import Codes
from tfgans.gan.driver import stream_hash
from tfgans.gan.langevin import driven
from tfgans.run.look import Chosen, Look


@pytest.mark.slow
def test_a_step_and_where_it_ends():
    """G(z) = 2 z + 0.5, D(x) = 3 x: E = z^2 / 2 - 6 z - 1.5 is that of a normal distribution around 6."""
    model = GAN(*toys.scalar_networks(), seed=1)
    codes = model.codes_at(np.arange(512), seed=4)
    unmoved, one, two = (driven(model, codes, steps, rate=0.1, seed=4).values for steps in (0, 1, 2))
    np.testing.assert_array_equal(unmoved, codes.values)
    noise = (one - (codes.values - 0.05 * (codes.values - 6.0))) / np.sqrt(0.1)
    second = (two - (one - 0.05 * (one - 6.0))) / np.sqrt(0.1)
    for drawn in (noise, second):
        assert abs(drawn.mean()) < 0.15 and drawn.std() == pytest.approx(1.0, abs=0.1)
    assert abs(np.corrcoef(noise[:, 0], second[:, 0])[0, 1]) < 0.15
    assert abs(np.corrcoef(noise[:, 0], codes.values[:, 0])[0, 1]) < 0.15
    end = driven(model, codes, 100, rate=0.1, seed=4).values
    # z' = 0.95 z + 0.3 + sqrt(0.1) n: mean 6, variance 0.1 / (1 - 0.95^2), after 100 steps but for 0.95^100 * 6
    assert end.mean() == pytest.approx(6.0, abs=0.2)
    assert end.var() == pytest.approx(0.1 / (1.0 - 0.95**2), rel=0.2)


def test_a_picture_is_the_same_alone():
    model = GAN(*toys.image_networks(batch_norm=False, num_classes=3), num_classes=3)
    many = driven(model, model.codes_at(np.arange(70), seed=2), 3, seed=2)
    counted = []
    alone = driven(model, model.codes_at([66], seed=2), 3, seed=2, done=lambda: counted.append(1))
    np.testing.assert_allclose(alone.values[0], many.values[66], rtol=1e-5)
    assert alone.labels[0] == many.labels[66] and len(counted) == 3
    assert many.seeds is None and len(many) == 70


def test_a_stream_has_the_pictures_of_the_codes_however_it_is_asked():
    model = GAN(*toys.image_networks(batch_norm=False, num_classes=3), num_classes=3, seed=5)
    how, counted = dict(steps=2, rate=0.3), []
    codes = driven(model, model.codes_at(np.arange(70), seed=4), seed=4, **how)
    expected = model.show(codes, batch_size=64)
    stream = langevin.stream_of(model, 4, **how, done=lambda: counted.append(1))
    images = np.concatenate([stream(count) for count in (3, 20, 47)])
    np.testing.assert_allclose(images.astype(int), expected, atol=1)
    assert len(counted) == 2 * 2 and np.abs(images[64:].astype(int) - expected[:6]).max() > 1
    assert np.abs(model.generate(70, seed=4).astype(int) - images).max() > 10  # they have moved
    of_class = langevin.streams_of_classes(model, 4, **how)(2)(5)
    alone = langevin.stream_of(model, stream_hash(4, "generate/class 2"), **how, labels=[2])(5)
    np.testing.assert_array_equal(of_class, alone)
    assert langevin.streams_of_classes(GAN(*toys.scalar_networks()), 4, 1) is None


def test_the_logit_goes_up_for_the_chosen_pictures_and_nothing_moves():
    model = GAN(*toys.image_networks())
    before = [v.numpy() for v in model.variables]
    logits = []
    for steps in (0, 40):
        codes = Chosen(32, langevin_steps=steps, langevin_rate=0.05).codes(model, Look(seed=3))
        images = model.synthesize({"latents": tf.constant(codes.values), "labels": None})
        np.testing.assert_array_equal(model.show(codes), to_uint8(images))
        logits.append(float(tf.reduce_mean(model.discriminate({"images": images})["adversarial"])))
    assert logits[1] > logits[0]
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("steps", "rate", "said"),
    [
        (-1, 0.1, "langevin_steps is an integer of at least 0. Received: -1"),
        (1, float("nan"), "langevin_rate is a number above 0. Received: nan"),
    ],
)
def test_steps_and_rates_that_cannot_be(steps, rate, said):
    with pytest.raises(ConfigError, match=said):
        driven(GAN(*toys.scalar_networks()), Codes("z", np.zeros((1, 1), np.float32)), steps, rate)


def test_styles_are_refused():
    codes = Codes("w", np.zeros((1, 2, 3), np.float32))
    with pytest.raises(ConfigError, match="move latents of one class each, and no styles"):
        driven(GAN(*toys.scalar_networks()), codes, 1)
