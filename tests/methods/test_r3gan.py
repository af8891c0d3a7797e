"""R3GAN: losses of pairs and penalties against golden files and by hand, and what makes a pair."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from r3gan_models import PAIRS, make
from r3gan_weights import channels_last, golden_discriminator

from tfgans import losses
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.augmented import ADAGAN, DiffAugmentGAN
from tfgans.methods.r3gan.model import R3GAN


def assert_close(found, expected, dtype="float32"):
    # the files hold float32
    tolerance = 1e-5 if dtype == "float32" else 2e-7
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * max(scale, 1e-6))


# The losses and the penalties


def test_losses_of_pairs(golden):
    arrays = {name.split("/")[1]: a for name, a in golden("r3gan_loss").items() if name.startswith("pair/")}
    real, fake = (tf.constant(arrays[f"{kind}_logits"][:, None]) for kind in ("real", "fake"))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((real, fake))
        d_loss = losses.relativistic_discriminator(real, fake)
        g_loss = losses.relativistic_generator(real, fake)
    assert_close(d_loss, arrays["d_loss"])
    assert_close(g_loss, arrays["g_loss"])
    for found, name in (
        (tape.gradient(d_loss, real), "d_grad_real"),
        (tape.gradient(d_loss, fake), "d_grad_fake"),
        (tape.gradient(g_loss, fake), "g_grad_fake"),
    ):
        np.testing.assert_allclose(found[:, 0], arrays[name], rtol=1e-5, atol=1e-9)


def golden_model(golden, tag, dtype="float32", **options):
    """A model with a golden discriminator, and its real and fake batch."""
    arrays = golden("r3gan_loss")
    classes = 4 if tag == "dc" else None
    keras.config.set_dtype_policy(dtype)
    try:
        discriminator = golden_discriminator(arrays, tag)
        latents, labels = keras.Input((2,)), keras.Input((), dtype="int32")
        images = keras.layers.Reshape((8, 8, 3))(keras.layers.Dense(192)(latents))
        generator = keras.Model([latents, labels] if classes else latents, images)
    finally:
        keras.config.set_dtype_policy("float32")
    model = R3GAN(generator, discriminator, num_classes=classes, **PAIRS | options)
    labels = tf.constant(np.argmax(arrays["dc/y"], 1)) if classes else None
    batches = [
        {"images": tf.constant(channels_last(arrays[f"{tag}/x_{kind}"]), dtype), "labels": labels}
        for kind in ("real", "fake")
    ]
    return model, arrays, batches


def expected_gradients(arrays, tag, name):
    return [v.numpy() for v in golden_discriminator(arrays, tag, name).trainable_variables]


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tag", ["du", "dc"])
def test_golden_discriminator_losses(tag, dtype, joint, golden):
    gamma = float(golden("r3gan_loss")[f"{tag}/gamma"])
    model, arrays, batches = golden_model(golden, tag, dtype, gamma=gamma, joint_batch=joint)
    values, gradients = model.discriminator_gradients(*batches)
    for name, kind in (("d/real_slope", "r1"), ("d/fake_slope", "r2")):
        assert_close(values[name], 0.5 * gamma * arrays[f"{tag}/{kind}"].mean(), dtype)
    assert_close(values["d/adversarial"], arrays[f"{tag}/d_adv"].mean(), dtype)
    assert_close(sum(values.values()), arrays[f"{tag}/d_loss"], dtype)
    for found, expected in zip(gradients, expected_gradients(arrays, tag, "d_grad"), strict=True):
        assert_close(found, expected, dtype)


def test_golden_slopes_and_the_loss_alone(golden):
    tag = "dc"
    model, arrays, batches = golden_model(golden, tag, gamma=2.0)
    for batch, seen, kind in zip(batches, model.with_outputs(*batches), ("r1", "r2"), strict=True):
        assert_close(seen["r3gan_slope"], arrays[f"{tag}/{kind}"])
        assert_close(model.squared_slopes(batch), arrays[f"{tag}/{kind}"])
        variables = [v.value for v in model.discriminator.trainable_variables]
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(model.squared_slopes(batch))
        gradients = tape.gradient(mean, variables, unconnected_gradients="zero")
        for found, expected in zip(
            gradients, expected_gradients(arrays, tag, f"grad_mean_{kind}"), strict=True
        ):
            assert_close(found, expected)
    off, _, _ = golden_model(golden, tag, gamma=0.0)
    values, gradients = off.discriminator_gradients(*batches)
    assert list(values) == ["d/adversarial"]
    for found, expected in zip(gradients, expected_gradients(arrays, tag, "d_grad_adv_only"), strict=True):
        assert_close(found, expected)


@pytest.mark.parametrize("tag", ["du", "dc"])
def test_golden_generator_loss(tag, golden):
    model, arrays, (real, fake) = golden_model(golden, tag)
    with tf.GradientTape() as tape:
        tape.watch(fake["images"])
        terms = model.generator_losses(real, fake)
    assert list(terms) == ["g/adversarial"]
    assert_close(terms["g/adversarial"], arrays[f"{tag}/g_loss"])
    by_images = channels_last(arrays[f"{tag}/g_grad_fake"])
    assert_close(tape.gradient(terms["g/adversarial"], fake["images"]), by_images)


def test_a_penalty_goes_through_the_augmentation():
    """D(x) = <w, T(x)>: the slope is T's transpose of w, with draws of each image's own."""
    model = make(compose(R3GAN, DiffAugmentGAN), gamma=2.0)
    model.split_batch(tf.constant(toys.images(8)))
    real, fake = model.split_batch(tf.constant(toys.images(8)))[0], model.sample(8)
    terms = model.discriminator_losses(real, fake)
    for name, batch in (("d/real_slope", real), ("d/fake_slope", fake)):
        images = tf.convert_to_tensor(batch["images"])
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = tf.reduce_sum(model.discriminate(batch | {"images": images}, True)["adversarial"])
        expected = np.mean(np.sum(np.square(tape.gradient(logits, images)), (1, 2, 3)))
        assert float(terms[name]) == pytest.approx(expected, rel=1e-5)
        plain = {name: x for name, x in batch.items() if not name.startswith("augment/")}
        slopes = [model.squared_slopes(x).numpy() for x in (batch, plain)]
        assert np.mean(slopes[0]) == pytest.approx(expected, rel=1e-5)
        assert not np.allclose(*slopes, rtol=0.02)


# Pairs


def test_both_of_a_pair_are_of_one_class_and_the_generator_has_a_real_batch_of_its_own():
    model, seen = make(GAN, num_classes=3, **PAIRS), []
    data = {"images": tf.constant(toys.images(16)), "labels": tf.constant(np.arange(16) * 7 % 3)}
    plain = model.discriminate_both, model.with_fake_outputs
    model.discriminate_both = lambda *given: seen.append(given) or plain[0](*given)
    model.with_fake_outputs = lambda given: seen.append(given) or plain[1](given)
    assert model.batches_per_step == 2
    model.train_step(data)
    (real, fake), generated, first, again = seen[0], seen[1], *seen[2:]
    np.testing.assert_array_equal(real["images"], data["images"][:8])
    for batch in (real, fake):
        np.testing.assert_array_equal(batch["labels"], data["labels"][:8])
    for batch in (generated, first, again):
        np.testing.assert_array_equal(batch["labels"], data["labels"][8:])
    np.testing.assert_array_equal(again["images"], data["images"][8:])


def test_a_step_by_hand():
    """D(x) = a x + b and G(z) = w z + c: both updates of SGD, with R1 = R2 = a^2, and the new D in the second."""
    model = R3GAN(*toys.scalar_networks(), gamma=0.4, **PAIRS)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    latents, plain = [], model.draw_latents
    model.draw_latents = lambda count, again=False: latents.append(plain(count)) or latents[-1]
    real = np.array([[0.5], [-1.0], [2.0], [0.25]], "float32")
    logs = model.train_step(tf.constant(real))
    z = [batch["latents"].numpy().astype("float64") for batch in latents]
    a, b, w, c = 3.0, 0.0, 2.0, 0.5
    sigmoid = lambda x: 1.0 / (1.0 + np.exp(-x))  # noqa: E731
    gap = (w * z[0] + c) - real[:2]
    assert float(logs["d/adversarial"]) == pytest.approx(np.mean(np.log1p(np.exp(a * gap))), rel=1e-5)
    assert float(logs["d/real_slope"]) == float(logs["d/fake_slope"]) == pytest.approx(0.2 * a**2)
    a -= 0.1 * (np.mean(sigmoid(a * gap) * gap) + 0.4 * 2 * a)
    gap = real[2:] - (w * z[1] + c)
    assert float(logs["g/adversarial"]) == pytest.approx(np.mean(np.log1p(np.exp(a * gap))), rel=1e-5)
    w, c = w + 0.1 * np.mean(sigmoid(a * gap) * a * z[1]), c + 0.1 * np.mean(sigmoid(a * gap) * a)
    found = [v.numpy().item() for v in model.discriminator.weights + model.generator.weights]
    assert found == pytest.approx([a, b, w, c], rel=1e-5, abs=1e-7)


def test_which_losses_are_of_pairs():
    assert losses.of_pairs(losses.relativistic_generator)
    for name in ("hinge", "non_saturating", "minimax", "wasserstein", "least_squares"):
        assert not losses.of_pairs(getattr(losses, f"{name}_generator"))
    assert not losses.of_pairs(losses.relativistic_discriminator) and not losses.of_pairs(None)
    with pytest.raises(ConfigError, match="GAN.generator_loss cannot be called .*fake_logits"):
        make(
            GAN, generator_loss=losses.relativistic_discriminator
        )  # a mistake that must not become a pair's loss


def test_the_sign_that_augmentations_follow_is_of_pairs():
    real, fake = (
        {"outputs": {"adversarial": tf.constant(x)}} for x in ([[3.0], [3.0], [3.0]], [[1.0], [4.0], [5.0]])
    )
    for options, expected in ((PAIRS, -1 / 3), ({}, 1.0)):
        model = make(ADAGAN, **options)
        assert float(model.discriminator_measures(real, fake)["d/real_sign"]) == pytest.approx(expected)
