"""Rules of AlphaGAN by hand: the entropy of a mixing, and what a single level descends on."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from searches import BATCH, HINGE, SMALL, critic, run_phase, supernet, weights

from tfgans.gan.forwards import batch_size
from tfgans.methods.alphagan.gap import entropy
from tfgans.methods.alphagan.model import AlphaGAN


def test_the_entropy_is_the_mean_over_all_edges():
    mixing = [tf.constant([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]), tf.constant([[0.25] * 4])]
    third = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    expected = (math.log(2.0) + 0.0 + third + math.log(4.0)) / 4
    assert float(entropy(mixing)) == pytest.approx(expected, rel=1e-6)


def test_a_single_level_descends_on_the_gap_and_lambda_times_the_loss():
    """With SGD at a rate of 1 each player moves by minus its gradients' sum, the loss's times lambda = 1/4."""
    model = AlphaGAN(supernet(), critic(), single_level_weight=0.25, **SMALL, **HINGE)
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0), run_eagerly=True)
    run_phase(model, "copy")
    for network in (model.test_generator, model.test_discriminator):  # else the gap's part is the loss's
        for variable in network.trainable_variables:
            variable.assign(1.5 * variable)
    model.choose_phase("architecture", 0)
    images = np.random.default_rng(0).uniform(-1, 1, (BATCH, 8, 8, 1)).astype("float32")
    real, draws = {"images": tf.constant(images), "labels": None}, int(model.draws)
    latents = model.draw_latents(batch_size(real))
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
    fake = latents | {"images": model.synthesize_training(latents)}
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
