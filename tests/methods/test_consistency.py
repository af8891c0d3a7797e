"""Consistency regularization by hand: how images are transformed, the terms and their slopes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.consistency import ConsistencyGAN, squared_difference, transformed
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.latent_consistency import LatentConsistencyGAN

ICR = compose(ConsistencyGAN, LatentConsistencyGAN)
OFF = {"real_consistency_weight": 0.0, "fake_consistency_weight": 0.0}
OFF |= {"latent_discriminator_weight": 0.0, "latent_generator_weight": 0.0}


def compiled(model):
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    return model


def test_images_are_mirrored_then_shifted():
    image = np.arange(12.0, dtype="float32").reshape(1, 3, 4, 1)
    for mirrored, rows, columns in ((0, 0, 0), (1, 0, 0), (0, 1, -1), (1, -2, 2)):
        plain = image[0, :, ::-1, 0] if mirrored else image[0, :, :, 0]
        padded = np.pad(plain, 2, mode="reflect")
        expected = padded[2 + rows : 5 + rows, 2 + columns : 6 + columns]
        draws = (tf.constant([number]) for number in (mirrored, rows, columns))
        np.testing.assert_array_equal(transformed(tf.constant(image), *draws)[0, :, :, 0], expected)


def test_draws_reach_every_case_up_to_an_eighth_of_the_side():
    model = ConsistencyGAN(*toys.image_networks(batch_norm=False))
    fake = model.draw_latents(256)
    (real,) = model.split_batch({"images": tf.constant(toys.images(256)[None])})
    for batch in (real, fake):
        assert set(batch["consistency/mirrored"].numpy()) == {0, 1}
        assert (
            set(batch["consistency/rows"].numpy()) == set(batch["consistency/columns"].numpy()) == {-1, 0, 1}
        )
    assert any(np.any(real[name] != fake[name]) for name in real if "consistency" in name)


def corner_critic():
    """D(x) = a times the upper left pixel, with a = 2."""
    images = keras.Input((8, 8, 1))
    dense = keras.layers.Dense(1, use_bias=False)
    critic = keras.Model(images, dense(keras.layers.Flatten()(images)))
    dense.kernel.assign(np.eye(64, 1, dtype="float32") * 2.0)
    return critic


def batch(images, mirrored, rows):
    draws = {"mirrored": mirrored, "rows": rows, "columns": [0, 0]}
    return {"images": tf.constant(images), "labels": None} | {
        f"consistency/{name}": tf.constant(value) for name, value in draws.items()
    }


def test_terms_and_their_slope():
    """Image n is n everywhere but for its corners: mirrored, the left one gets the right one's pixel."""
    images = np.zeros((2, 8, 8, 1), "float32")
    images[:, 0, 0, 0], images[:, 0, 7, 0], images[:, 1, 0, 0] = (1.0, 4.0), (3.0, 9.0), (0.0, 6.0)
    real, fake = batch(images, [1, 0], [0, 1]), batch(images, [0, 0], [0, 1])
    generator = toys.image_networks(batch_norm=False)[0]
    model = ConsistencyGAN(
        generator, corner_critic(), real_consistency_weight=3.0, fake_consistency_weight=5.0
    )
    kernel = model.discriminator.trainable_variables[0].value
    real_squares, fake_squares = ((1 - 3) ** 2 + (4 - 6) ** 2) / 2, (0 + (4 - 6) ** 2) / 2
    with tf.GradientTape(persistent=True) as tape:
        terms = model.discriminator_losses(real, fake)
    for name, value in (("real", 3.0 * real_squares), ("fake", 5.0 * fake_squares)):
        term = terms[f"d/consistency_{name}"]
        assert float(term) == pytest.approx(2.0**2 * value)
        # a is the kernel's entry 0, and the term is a^2 times the value
        assert float(tape.gradient(term, kernel)[0, 0]) == pytest.approx(2.0 * 2.0 * value)


def test_a_weight_of_0_leaves_its_term_out():
    model = compiled(ConsistencyGAN(*toys.image_networks(batch_norm=False), fake_consistency_weight=0.0))
    logs = model.train_step(tf.constant(toys.images(4)))
    assert "d/consistency_real" in logs and "d/consistency_fake" not in logs


def test_latent_terms_and_slopes():
    """G(z) = w z + c, w = 2, D(x) = a x, a = 3; noise 0.1 (1, -2): w dz is 0.2 and -0.4, its mean square 0.1."""
    options = dict(latent_discriminator_weight=20.0, latent_generator_weight=0.5, latent_noise=0.1)
    model = LatentConsistencyGAN(*toys.scalar_networks(), **options)
    latents = {"latents": tf.constant([[1.0], [2.0]]), "labels": None}
    latents |= {"latent_consistency_noise": tf.constant([[1.0], [-2.0]])}
    networks = [network.trainable_variables[0].value for network in (model.generator, model.discriminator)]
    with tf.GradientTape(persistent=True) as tape:
        fake = latents | {"images": model.synthesize(latents, training=True)}
        of_d = model.discriminator_losses({"images": fake["images"], "labels": None}, fake)
        of_g = model.generator_losses(None, fake)
    (d_term, g_term) = of_d["d/latent_consistency"], of_g["g/latent_consistency"]
    assert float(d_term) == pytest.approx(20.0 * 9.0 * 0.1, rel=1e-5)
    assert float(g_term) == pytest.approx(-0.5 * 0.1, rel=1e-5)
    w, a = networks
    assert tape.gradient(d_term, a).numpy().item() == pytest.approx(20.0 * 2.0 * 3.0 * 0.1, rel=1e-5)
    assert tape.gradient(g_term, w).numpy().item() == pytest.approx(-0.5 * 2.0 * 2.0 * 0.025, rel=1e-5)


def test_class_logits_count_too():
    model = compiled(ICR(*toys.classifier_networks(), num_classes=3))
    images = np.random.default_rng(0).uniform(-1, 1, (4, 6, 6, 3)).astype("float32")
    logs = model.train_step((tf.constant(images), tf.constant([0, 1, 2, 0])))
    assert float(logs["d/latent_consistency_class"]) > 0.0 > float(logs["g/latent_consistency"])


def test_embeddings_count_too():
    one = {"adversarial": tf.constant([[1.0], [2.0]]), "embedding": tf.constant([[1.0, 2.0], [3.0, 4.0]])}
    other = {name: value - 3.0 for name, value in one.items()} | {"proxy": tf.constant([[5.0], [5.0]])}
    assert float(squared_difference(one, other)) == pytest.approx(9.0 + 9.0)


def test_what_fastgan_holds_fixed_gives_no_gradient():
    made = compose(ConsistencyGAN, LatentConsistencyGAN, FastGAN)(
        *toys.image_networks(batch_norm=False), perturbation_batch_size=4, separate_updates=True
    )
    real, fake = made.split_batch(tf.constant(toys.images(4)))[0], made.sample(4)
    kernel = made.discriminator.trainable_variables[0].value
    own = {"real": {"d/consistency_real"}, "fake": {"d/consistency_fake", "d/latent_consistency"}}
    for fixed, kinds in own.items():
        batches = {"real": real, "fake": fake}
        batches[fixed] = batches[fixed] | {"fixed": True}
        with tf.GradientTape(persistent=True) as tape:
            terms = made.discriminator_losses(*batches.values())
        terms = {name: term for name, term in terms.items() if "consistency" in name}
        assert len(terms) == 3 and all(float(term) > 0.0 for term in terms.values())
        assert {name for name, term in terms.items() if tape.gradient(term, kernel) is None} == kinds


def test_second_forwards_move_nothing_and_without_weights_it_is_the_base():
    states = []
    for options in ({}, OFF):
        model = compiled((ICR if options else GAN)(*toys.image_networks(), **options))
        model.train_step(tf.constant(toys.images(4)))
        states.append(toys.values(model))
    toys.assert_same(*states)
    model = compiled(ICR(*toys.image_networks()))
    fake = model.sample(4)
    (real,) = model.split_batch({"images": tf.constant(toys.images(4)[None])})
    real, fake = model.with_outputs(real, fake)
    before = toys.values(model)
    model.discriminator_losses(real, fake)
    toys.assert_same(before, toys.values(model))


def test_points_are_refused():
    with pytest.raises(ConfigError, match=r"ConsistencyGAN transforms images .* not items of shape \(1,\)"):
        ConsistencyGAN(*toys.scalar_networks())
