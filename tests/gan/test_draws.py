"""Random numbers of training: a function of seed, draw and purpose, each of which makes others."""

import itertools

import numpy as np
import toys

from tfgans import distribute
from tfgans.gan import GAN
from tfgans.gan.driver import stream_hash


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


def test_labels_outside_training_have_numbers_of_their_own():
    model = GAN(*toys.image_networks(num_classes=3), num_classes=3)
    labels = model.labels_at(0, 64, None, 0, seed=5)
    key = [stream_hash(5, "generate/labels"), 0]
    np.testing.assert_array_equal(labels, model.labels_from(key, 64))
    assert np.any(labels != model.labels_from([stream_hash(5, "generate/latents"), 0], 64))


def test_given_labels_go_round_whatever_the_batches():
    model = GAN(*toys.image_networks(num_classes=3), num_classes=3)
    expected = model.render(model.latents_at(3, 5, seed=0), np.int32([2, 0, 1, 2, 0]))
    for batch_size in (2, 5):
        found = model.generate(5, labels=[2, 0, 1], seed=0, start=3, batch_size=batch_size)
        np.testing.assert_array_equal(found, expected)
