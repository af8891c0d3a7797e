"""Random numbers of methods: each batch and each network has its own, and all replicas count."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import distribute
from tfgans.methods.augmented import APAGAN
from tfgans.methods.augmented.adaptive import Controller
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regularized import _first_of_each
from tfgans.methods.style import PathLengthGAN
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator


def test_perturbations_of_real_and_fake_images_start_differently():
    model = FastGAN(*toys.image_networks(), perturbation_batch_size=4, perturb_fakes=True)
    real, fake = (model.perturbations[name].numpy() for name in ("real", "fake"))
    assert np.mean(real != fake) == pytest.approx(0.5, abs=0.1)  # nearly all are at one bound or the other


def test_each_batch_of_a_step_is_mixed_by_draws_of_its_own():
    model = APAGAN(*toys.image_networks(), pseudo_batch_size=400, discriminator_steps=2)
    model.apa.probability.assign(0.5)
    model.pseudo["images"].assign(np.full((400, 8, 8, 1), 7.0))
    found = []
    for _ in range(2):
        for batch in model.split_batch(tf.zeros((800, 8, 8, 1))):
            found.append(batch["images"].numpy()[:, 0, 0, 0] == 7.0)
        model.sample(1)  # the next draw
    for i, first in enumerate(found):
        assert first.mean() == pytest.approx(0.5, abs=0.1)
        for second in found[:i]:
            assert np.mean(first == second) == pytest.approx(0.5, abs=0.1)


def test_a_probability_moves_by_the_images_of_all_replicas(monkeypatch):
    controller = Controller(toys.image_networks()[0], "p", target=0.5, interval=1, speed=1.0)
    monkeypatch.setattr(distribute, "num_replicas", lambda: 2)
    controller.record(tf.constant(1.0), 10)
    controller.move()
    assert float(controller.value()) == pytest.approx(2 * 10 / 1000)


def test_directions_of_path_lengths_have_a_deviation_of_one_over_the_side():
    sizes = dict(base_channels=4, max_channels=4)
    generator = stylegan2_generator(8, latent_dim=4, style_dim=4, mapping_layers=1, **sizes)
    model = PathLengthGAN(generator, stylegan2_discriminator(8, **sizes))
    model.compile("sgd", "sgd", run_eagerly=True)
    seen = []
    plain = model.path_length_gradients
    model.path_length_gradients = lambda *given: seen.append(given[1].numpy()) or plain(*given)
    model.path_length_step(64)
    assert seen[0].shape == (64, 8, 8, 3)
    assert seen[0].std() == pytest.approx(1 / 8, rel=0.03) and abs(seen[0].mean()) < 0.01


def test_a_real_image_meets_the_first_of_its_fakes():
    fakes = tf.reshape(tf.range(6.0), (6, 1))
    np.testing.assert_array_equal(_first_of_each(fakes, 3), [[0.0], [2.0], [4.0]])
    np.testing.assert_array_equal(_first_of_each(fakes, 6), fakes)
