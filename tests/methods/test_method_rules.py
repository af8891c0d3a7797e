"""Small rules of methods by hand."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import distribute
from tfgans.gan import GAN
from tfgans.methods.augmented.adaptive import Controller
from tfgans.methods.began import BEGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regularized import _first_of_each
from tfgans.methods.style import PathLengthGAN
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator


def test_a_perturbation_within_the_radius_stays_as_it_is():
    options = {"perturbation_radius": 5.0, "perturbation_norm": "l2", "perturbation_step": 1.0}
    model = FastGAN(*toys.image_networks(), **options)
    noise = tf.constant([[3.0, 0.0], [0.3, -0.4], [6.0, 8.0], [0.0, 0.0]])
    np.testing.assert_allclose(
        model.within_bounds(noise), [[3.0, 0.0], [0.3, -0.4], [3.0, 4.0], [0.0, 0.0]], atol=1e-6
    )
    slope = tf.constant([[0.0, 2.0], [3.0, -4.0], [3.0, 4.0], [-0.1, 0.0]])
    moved = model.uphill(noise / 2.0, slope)
    np.testing.assert_allclose(moved, [[1.5, 1.0], [0.75, -1.0], [3.0, 4.0], [-1.0, 0.0]], atol=1e-6)


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
    extras = model.extra_updates(0)
    assert extras == model.extras_of("generator", extras) == ("path_length",)
    assert model.extras_of("discriminator", extras) == ()


def test_a_real_image_meets_the_first_of_its_fakes():
    fakes = tf.reshape(tf.range(6.0), (6, 1))
    np.testing.assert_array_equal(_first_of_each(fakes, 3), [[0.0], [2.0], [4.0]])
    np.testing.assert_array_equal(_first_of_each(fakes, 6), fakes)


def test_the_balance_of_errors_stays_between_0_and_1(monkeypatch):
    model, errors = BEGAN(*toys.scalar_networks(), diversity=0.5, balance_rate=0.1), []
    logs = lambda self, data: dict(zip(("d/real_error", "g/adversarial"), errors.pop(0), strict=True))  # noqa: E731
    monkeypatch.setattr(GAN, "train_step", logs)
    cases = [((1.0, 8.0), 0.0, 8.5), ((4.0, 1.0), 0.1, 5.0), ((40.0, 0.0), 1.0, 60.0), ((0.0, 1.0), 0.9, 1.0)]
    for pair, balance, convergence in cases:
        errors.append(tf.unstack(tf.constant(pair)))
        found = model.train_step(None)
        assert float(model.began_balance.value) == float(found["began/k"]) == pytest.approx(balance)
        assert float(found["began/convergence"]) == pytest.approx(convergence)
