"""Rules of AlphaGAN by hand: the measured gap, what D's architecture and a single level descend on, the entropy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from searches import BATCH, HINGE, SMALL, critic, run_phase, supernet, weights

from tfgans.layers.state import frozen_state
from tfgans.methods.alphagan.gap import entropy
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.spaces.autogan.search_discriminator import alphagan_search_discriminator


def test_the_entropy_is_the_mean_over_all_edges():
    mixing = [tf.constant([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]), tf.constant([[0.25] * 4])]
    third = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    expected = (math.log(2.0) + 0.0 + third + math.log(4.0)) / 4
    assert float(entropy(mixing)) == pytest.approx(expected, rel=1e-6)


def four_networks(discriminator, **options):
    """A model whose G, D, G-bar and D-bar all differ, and batches: real images, latents and others."""
    model = AlphaGAN(supernet(), discriminator, **SMALL, **HINGE, **options)
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0), run_eagerly=True)
    run_phase(model, "copy")
    for network in (model.test_generator, model.test_discriminator):
        for variable in network.trainable_variables:
            variable.assign(1.5 * variable)
    images = np.random.default_rng(0).uniform(-1, 1, (BATCH, 8, 8, 1)).astype("float32")
    return (
        model,
        {"images": tf.constant(images), "labels": None},
        model.draw_latents(BATCH),
        model.draw_latents(BATCH),
    )


def adversarial(discriminator, real, fake):
    """Adv, minus the hinge loss, of images."""
    with frozen_state():
        real, fake = (logits_of(discriminator(images, training=True)) for images in (real, fake))
    return -tf.reduce_mean(tf.nn.relu(1.0 - real)) - tf.reduce_mean(tf.nn.relu(1.0 + fake))


def logits_of(outputs):
    return outputs["adversarial"] if isinstance(outputs, dict) else outputs


def images_of(generator, latents):
    with frozen_state():
        return generator(latents["latents"], training=True)


def test_the_measured_gap_is_of_g_with_d_bar_and_of_g_bar_with_d():
    keras.utils.set_random_seed(3)  # of whose fakes the hinge loss is not flat
    model, real, latents, others = four_networks(critic())
    model.choose_phase("gap", 0)
    found = {name: float(value) for name, value in model.measured_gap(real, latents, others).items()}
    terms = [
        adversarial(model.test_discriminator, real["images"], images_of(model.generator, latents)),
        adversarial(model.discriminator, real["images"], images_of(model.test_generator, others)),
    ]
    minmax, maxmin = map(float, terms)
    same_latents = adversarial(model.discriminator, real["images"], images_of(model.test_generator, latents))
    assert abs(minmax - maxmin) > 1e-2 and abs(float(same_latents) - maxmin) > 1e-3
    expected = {"search/minmax": minmax, "search/maxmin": maxmin, "search/duality_gap": minmax - maxmin}
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_the_architecture_of_d_descends_on_its_loss_against_g_bar():
    discriminator = alphagan_search_discriminator(resolution=8, channels=1, base_channels=2)
    model, real, latents, _ = four_networks(discriminator)
    model.choose_phase("architecture", 0)
    value, found = model.discriminator_architecture_gradients(real, latents)
    images, alpha = (
        images_of(model.test_generator, latents),
        [v.value for v in discriminator.architecture_variables],
    )
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(alpha)
        loss = -adversarial(discriminator, real["images"], images)
    assert float(value) == pytest.approx(float(loss), rel=1e-5)
    for mine, expected in zip(found, tape.gradient(loss, alpha), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-3, atol=1e-7)
    assert max(np.abs(gradient).max() for gradient in found) > 1e-5


@pytest.mark.slow
def test_a_single_level_descends_on_the_gap_and_lambda_times_the_loss():
    """With SGD at a rate of 1 each player moves by minus its gradients' sum, the loss's times lambda = 1/4."""
    model, real, _, _ = four_networks(critic(), single_level_weight=0.25)
    model.choose_phase("architecture", 0)
    draws = int(model.draws)
    latents = model.draw_latents(BATCH)
    _, by_gap = model.architecture_gradients(real, latents)
    _, weights_by_gap, weights_by_loss, by_loss = model.single_level_gradients(real, latents)
    model.draws.assign(draws)
    first = {name: weights(getattr(model, name)) for name in ("generator", "discriminator")}
    moved = {}
    model.move_architecture = lambda name, gradients: moved.update({name: gradients})
    model.architecture_phase(real)
    for found, gap, loss in zip(moved["architecture"], by_gap, by_loss, strict=True):
        np.testing.assert_allclose(found, gap + 0.25 * loss, rtol=1e-4, atol=1e-7)
    steps = [a + 0.25 * b for a, b in zip(weights_by_gap, weights_by_loss, strict=True)]
    assert_moved(model.generator, first["generator"], steps)
    second = weights(model.discriminator)
    model.discriminator.set_weights(first["discriminator"])
    model.draws.assign(draws + 1)
    with model.playing(**model.test_players("generator")):
        other = model.sample(BATCH)
    fake = latents | model.fake_images(latents)
    pair = [model.discriminator_gradients(real, batch)[1] for batch in (other, fake)]
    model.discriminator.set_weights(second)
    steps = [a + 0.25 * b for a, b in zip(*pair, strict=True)]
    assert_moved(model.discriminator, first["discriminator"], steps)


def assert_moved(network, first, steps):
    places = {v.path: place for place, v in enumerate(network.weights)}
    assert max(float(tf.reduce_max(tf.abs(step))) for step in steps) > 1e-2
    for variable, step in zip(network.trainable_variables, steps, strict=True):
        expected = first[places[variable.path]] - step
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-5, err_msg=variable.path)
