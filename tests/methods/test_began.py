"""BEGAN: sizes by hand, the errors, the two losses' values, and how k moves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.began import BEGAN, mean_error
from tfgans.networks.began import began_discriminator, began_generator


def conv(inputs, outputs):
    return 9 * inputs * outputs + outputs


def test_sizes_by_hand():
    def decoder(latents, sizes, n=64):
        return latents * 64 * n + 64 * n + 2 * sizes * conv(n, n) + conv(n, 3)

    generator, discriminator = began_generator(64), began_discriminator(64)
    assert cost.parameters(generator) == decoder(64, sizes=4)
    encoder = conv(3, 64) + sum(2 * conv(64 * k, 64 * k) for k in (1, 2, 3, 4))
    encoder += sum(conv(64 * k, 64 * (k + 1)) for k in (1, 2, 3)) + 64 * 256 * 64 + 64
    assert cost.parameters(discriminator) == encoder + decoder(64, sizes=4)


def tiny():
    return began_generator(16, 1, 3, 2), began_discriminator(16, 1, 2, 3)


def test_the_error_is_the_mean_absolute_difference_to_the_reproduction():
    _, discriminator = tiny()
    images = np.random.default_rng(0).uniform(-1, 1, (3, 16, 16, 1)).astype("float32")
    copies = keras.Model(discriminator.inputs, discriminator.get_layer("reproduction").output)(images)
    expected = np.abs(images - copies.numpy()).reshape(3, -1).mean(1)
    np.testing.assert_allclose(discriminator(images)["adversarial"][:, 0], expected, rtol=1e-5)


def test_losses_and_balance_by_hand():
    gan = BEGAN(*tiny(), diversity=0.25, balance_rate=0.5)
    gan.began_balance.assign(0.5)
    real, fake = tf.constant([[1.0], [3.0]]), tf.constant([[0.5], [0.5]])
    assert float(gan.discriminator_loss(real, fake)) == 2.0 - 0.5 * 0.5
    assert float(gan.generator_loss(fake)) == 0.5
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    images = np.random.default_rng(1).uniform(-1, 1, (4, 16, 16, 1)).astype("float32")
    k = 0.5
    for _ in range(3):  # weights stand still, so the real error does as well
        logs = gan.train_step({"images": tf.constant(images)[None]})
        real_error = float(
            tf.reduce_mean(gan.discriminate({"images": images, "labels": None})["adversarial"])
        )
        assert float(logs["d/real_error"]) == pytest.approx(real_error, rel=1e-5)
        difference = 0.25 * real_error - float(logs["g/adversarial"])
        k = min(max(k + 0.5 * difference, 0.0), 1.0)
        assert float(gan.began_balance.value) == pytest.approx(k, rel=1e-5)
        assert float(logs["began/k"]) == pytest.approx(k, rel=1e-5)
        assert float(logs["began/convergence"]) == pytest.approx(real_error + abs(difference), rel=1e-5)
    assert 0.0 <= k <= 1.0


def test_without_balance_it_is_the_base_with_the_mean_errors_as_losses():
    def trained(cls, **options):
        keras.utils.set_random_seed(0)
        gan = cls(*tiny(), **options)
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
        images = np.random.default_rng(4).uniform(-1, 1, (4, 16, 16, 1)).astype("float32")
        for _ in range(2):
            gan.train_step({"images": tf.constant(images)[None]})
        return [v.numpy() for v in gan.generator.weights + gan.discriminator.weights]

    base = trained(GAN, discriminator_loss=lambda real, fake: mean_error(real), generator_loss=mean_error)
    for mine, expected in zip(trained(BEGAN, balance_rate=0.0), base, strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_the_measured_error_moves_no_weight():
    gan = BEGAN(*tiny())
    gan.began_balance.assign(0.25)
    images = tf.constant(np.random.default_rng(2).uniform(-1, 1, (2, 2, 16, 16, 1)), tf.float32)
    real, fake = ({"images": x, "labels": None} for x in tf.unstack(images))
    variables = [v.value for v in gan.discriminator.trainable_variables]
    _, found = gan.discriminator_gradients(real, fake)
    with tf.GradientTape() as tape:
        errors = [tf.reduce_mean(gan.discriminator(x["images"])["adversarial"]) for x in (real, fake)]
        loss = errors[0] - 0.25 * errors[1]
    for mine, expected in zip(found, tape.gradient(loss, variables), strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-6)


def test_with_advas_the_gradient_is_that_of_the_balanced_loss():
    gan = compose(AdvAsGAN, BEGAN)(*tiny(), advas_weight=0.1)
    gan.began_balance.assign(0.5)
    batch = tf.constant(np.random.default_rng(3).uniform(-1, 1, (2, 2, 16, 16, 1)), tf.float32)
    real, fake = ({"images": x, "labels": None} for x in tf.unstack(batch))
    _, r = gan.outputs_and_r(real, fake)
    _, gradients = BEGAN.discriminator_gradients(gan, real, fake)
    assert float(r) == pytest.approx(sum(float(tf.reduce_sum(g**2)) for g in gradients), rel=1e-5)


def test_a_loss_is_refused():
    with pytest.raises(ConfigError, match="losses of its own: leave GAN.generator_loss out"):
        BEGAN(*tiny(), generator_loss=tf.reduce_sum)
    with pytest.raises(ConfigError, match="diversity.*Received: 1.5"):
        BEGAN(*tiny(), diversity=1.5)
