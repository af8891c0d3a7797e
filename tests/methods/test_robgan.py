"""The attack of RobGAN by hand and step by step, its neutral settings, and its company."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import losses
from tfgans.config import ConfigError
from tfgans.methods import compose
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regularized import GradientPenaltyGAN
from tfgans.methods.robgan import RobGAN

LOSSES = dict(num_classes=3, discriminator_loss=losses.robgan_discriminator, fake_class_weight=0.0)


def compiled(model, run_eagerly=True, **options):
    """Steps run eagerly, in a fifth of the time that it takes to trace them, unless they are to be compiled."""
    sgd = (keras.optimizers.SGD(0.1, momentum=0.5) for _ in range(2))
    model.compile(*sgd, run_eagerly=run_eagerly, **options)
    return model


def train(model, steps=3):
    random = np.random.default_rng(0)
    count = 8 * steps * model.discriminator_steps
    images = random.uniform(-1, 1, (count, 6, 6, 3)).astype("float32")
    labels = random.integers(0, 3, count).astype("int32")
    model.fit(images, labels, batch_size=count // steps, shuffle=False, verbose=0)
    return model


def test_an_attack_by_hand():
    # D(x) = 3 x on points: the loss on real ones falls with x, so the attack goes down.
    model = RobGAN(*toys.scalar_networks(), attack_steps=2, attack_radius=0.5, attack_step_size=0.125)
    real = {"images": tf.constant([[7.0], [8.0], [9.0]]), "labels": None}
    noise = tf.constant([[0.25], [0.0], [0.875]])  # starts at -0.25, -0.5 and 0.375
    np.testing.assert_allclose(model.attacked(real, noise), [[6.5], [7.5], [9.125]], atol=1e-6)


def test_an_attack_is_projected_gradient_ascent_of_the_real_terms():
    model = compiled(
        RobGAN(
            *toys.classifier_networks(), attack_steps=3, attack_radius=0.3, attack_step_size=0.1,
            real_class_weight=0.5, **LOSSES,
        )
    )  # fmt: skip
    random = np.random.default_rng(1)
    clean = random.uniform(-1, 1, (8, 6, 6, 3)).astype("float32")
    clean[0] = 1.0  # so that the range of images matters
    noise = random.uniform(size=clean.shape).astype("float32")
    labels = random.integers(0, 3, 8)
    before = [v.numpy() for v in model.discriminator.variables]
    attacked = model.attacked({"images": tf.constant(clean), "labels": tf.constant(labels)}, noise)
    images = np.clip(clean + 0.3 * (2 * noise - 1), -1, 1)
    for _ in range(3):
        with tf.GradientTape() as tape:
            x = tf.Variable(images)
            outputs = model.discriminator(x)
            loss = tf.reduce_mean(tf.nn.softplus(-outputs["adversarial"]))
            loss += 0.5 * tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs["class"])
            )
        images = images + 0.1 * np.sign(tape.gradient(loss, x))
        images = np.clip(np.clip(images, clean - 0.3, clean + 0.3), -1, 1)
    np.testing.assert_allclose(attacked, images, atol=1e-6)
    assert np.abs(images - clean).max() > 0.29
    for old, new in zip(before, model.discriminator.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_an_attack_raises_the_loss():
    model = compiled(RobGAN(*toys.classifier_networks(), attack_radius=0.1, attack_step_size=0.05, **LOSSES))
    real = {"images": tf.random.uniform((8, 6, 6, 3), -0.8, 0.8), "labels": tf.zeros(8, tf.int32)}
    fake = model.sample(8)
    noise = tf.random.uniform((8, 6, 6, 3))
    attacked = real | {"images": model.attacked(real, noise)}
    start = real | {"images": real["images"] + 0.1 * (2 * noise - 1)}
    clean, random, worst = (
        model.discriminator_losses(batch, fake)["d/adversarial"] for batch in (real, start, attacked)
    )
    assert worst > clean and worst > random


def test_the_discriminator_is_in_inference_mode_and_its_state_stays():
    generator, _ = toys.image_networks()
    images = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization()(keras.layers.Dropout(0.5)(keras.layers.Flatten()(images)))
    model = RobGAN(generator, keras.Model(images, keras.layers.Dense(1)(x)), attack_radius=0.5)
    real = {"images": tf.constant(toys.images(4)), "labels": None}
    noise = tf.fill((4, 8, 8, 1), 0.5)
    before = [v.numpy() for v in model.discriminator.variables]
    first, second = model.attacked(real, noise), model.attacked(real, noise)
    np.testing.assert_array_equal(first, second)
    assert np.all(
        np.abs(first - real["images"]) > 1e-4
    )  # dropout would leave half of the pixels without slope
    for old, new in zip(before, model.discriminator.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


@pytest.mark.parametrize("options", [{"attack_steps": 0}, {"attack_radius": 0.0}])
@pytest.mark.parametrize("methods", [(), (GradientPenaltyGAN,)], ids=["alone", "with a penalty"])
def test_without_an_attack_it_is_what_it_is_composed_with(options, methods):
    base, neutral = (
        train(compiled(cls(*toys.classifier_networks(), discriminator_steps=2, **LOSSES, **given)))
        for cls, given in ((compose(*methods), {}), (compose(RobGAN, *methods), options))
    )
    toys.assert_same(toys.values(base), toys.values(neutral))


def test_every_update_is_attacked_anew_and_repeats():
    seen = []

    class Watching(RobGAN):
        def discriminator_losses(self, real, fake):
            seen.append(real["images"].numpy())
            return super().discriminator_losses(real, fake)

    for seed in (0, 0, 1):
        model = Watching(
            *toys.classifier_networks(),
            attack_radius=0.5,
            attack_steps=1,
            discriminator_steps=2,
            seed=seed,
            **LOSSES,
        )
        compiled(model)
        images = np.zeros((16, 6, 6, 3), "float32")
        model.fit(images, np.zeros(16, "int32"), batch_size=16, verbose=0)
    changes = np.array(seen).reshape(3, 2, -1)
    np.testing.assert_array_equal(changes[0], changes[1])
    assert (
        np.mean(np.abs(changes[0, 0] - changes[0, 1])) > 0.1
        and np.mean(np.abs(changes[0] - changes[2])) > 0.1
    )
    assert np.abs(changes).max() <= 0.5


@pytest.mark.slow
@pytest.mark.parametrize("cls", [compose(RobGAN, FastGAN), compose(RobGAN, GradientPenaltyGAN)])
def test_xla_gives_the_numbers_of_eager_steps(cls):
    options = {"perturbation_batch_size": 8} if issubclass(cls, FastGAN) else {}
    runs = [
        train(compiled(cls(*toys.classifier_networks(), **LOSSES, **options), **how)).step_logs
        for how in ({}, {"run_eagerly": False, "jit_compile": True})
    ]
    assert runs[0].keys() == runs[1].keys()
    for name, value in runs[0].items():
        assert value == pytest.approx(runs[1][name], rel=1e-3, abs=1e-5), name


def test_published_loss():
    real, fake = tf.constant([[0.5], [-1.0]]), tf.constant([[0.25], [2.0]])
    halves = [
        losses.non_saturating_discriminator(real, fake * 0 - 1e4),
        losses.non_saturating_discriminator(real * 0 + 1e4, fake),
    ]
    assert float(losses.robgan_discriminator(real, fake)) == pytest.approx(
        float(halves[0] + 2.0 * halves[1]), abs=1e-6
    )
    same = losses.robgan_discriminator(real, fake, fake_weight=1.0)
    assert float(same) == pytest.approx(float(losses.non_saturating_discriminator(real, fake)), abs=1e-7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attack_steps": -1}, "RobGAN.attack_steps is an integer of at least 0. Received: -1"),
        ({"attack_steps": 1.5}, "RobGAN.attack_steps"),
        ({"attack_radius": -1.0}, "RobGAN.attack_radius is a number of at least 0. Received: -1.0"),
        (
            {"attack_step_size": float("inf")},
            "RobGAN.attack_step_size is a number of at least 0. Received: inf",
        ),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ConfigError, match=message):
        RobGAN(*toys.image_networks(), **options)


def test_a_discriminators_loss_that_is_no_sum_of_two_parts_is_refused():
    """It was attacked by some other loss, of real images beside fakes' logits of 0."""

    def of_products(real, fake):
        return tf.reduce_mean(real * fake)

    networks = toys.image_networks()
    with pytest.raises(ConfigError, match="a sum of a real and a fake part: GAN.discriminator_loss is none"):
        RobGAN(*networks, discriminator_loss=of_products)
    for off in ("attack_steps", "attack_radius"):
        RobGAN(*networks, discriminator_loss=of_products, **{off: 0})
    RobGAN(*networks, discriminator_loss=losses.hinge_discriminator)
