"""Random numbers of training: a function of seed, draw and purpose, each of which makes others."""

import itertools

import numpy as np
import toys

from tfgans import distribute
from tfgans.gan import GAN


def numbers(seed=0, draws=0, purpose="latents", kind="random_normal"):
    model = GAN(*toys.scalar_networks(), seed=seed)
    model.draws.assign(draws)
    return getattr(model, kind)(50, (2,), purpose).numpy()


def test_seeds_draws_and_purposes_have_numbers_of_their_own():
    others = [
        numbers(),
        numbers(purpose="labels"),
        numbers(purpose="latent"),
        numbers(draws=1),
        numbers(seed=1),
        numbers(seed=2**31),
    ]
    for first, second in itertools.combinations(others, 2):
        assert not np.isin(first, second).any()
    np.testing.assert_array_equal(numbers(), others[0])
    uniform = numbers(kind="random_uniform")
    assert 0.0 <= uniform.min() < 0.1 and 0.9 < uniform.max() < 1.0


def test_latents_are_drawn_anew_unless_asked_for_again():
    model = GAN(*toys.scalar_networks())
    first, again, second = (model.draw_latents(4, again)["latents"].numpy() for again in (False, True, False))
    np.testing.assert_array_equal(first, again)
    assert not np.isin(first, second).any() and int(model.draws) == 2


def test_the_average_counts_the_images_of_all_replicas(monkeypatch):
    """Two replicas of 2 images each: with a half-life of 4 images, an update halves the average's share."""
    monkeypatch.setattr(distribute, "num_replicas", lambda: 2)
    model = GAN(*toys.scalar_networks(), ema_half_life=4, ema_ramp="constant")
    model.generator.set_weights([np.array([[4.0]]), np.array([0.5])])  # it began at 2
    model.update_average(2)
    assert float(model.ema_generator.get_weights()[0][0, 0]) == 3.0
    assert (int(model.average_updates), int(model.average_images)) == (1, 4)
