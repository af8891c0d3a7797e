"""Streams of latents, truncation, interpolation, and the files a generator is handed over in."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.data import to_uint8
from tfgans.gan import GAN


@pytest.fixture(scope="module")
def model():
    return GAN(*toys.image_networks(), seed=3)


def test_a_stream_does_not_depend_on_how_it_is_cut(model):
    whole = model.latents_at(0, 200, seed=1)
    parts = [
        model.latents_at(0, 7, seed=1),
        model.latents_at(7, 100, seed=1),
        model.latents_at(107, 93, seed=1),
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert np.any(whole != model.latents_at(0, 200, seed=2))
    assert abs(whole.mean()) < 0.15 and abs(whole.std() - 1) < 0.1


def test_generate_goes_on_in_its_stream_and_repeats_under_a_seed(model):
    first, second = model.generate(4), model.generate(4)
    assert np.any(first != second)
    both = model.generate(8, start=0)
    np.testing.assert_array_equal(both, np.concatenate([first, second]))
    np.testing.assert_array_equal(model.generate(6, seed=5), model.generate(6, seed=5, batch_size=4))
    stream = model.stream_of(5)
    np.testing.assert_array_equal(np.concatenate([stream(2), stream(4)]), model.generate(6, seed=5))


def test_generate_is_the_generator_scaled_to_uint8(model):
    latents = model.latents_at(0, 3, seed=0)
    expected = to_uint8(model.generator(tf.constant(latents), training=False).numpy())
    images = model.generate(3, seed=0)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, expected)
    assert model.generate(0).shape == (0, 8, 8, 1)


def test_truncation_bounds_latents_with_the_normal_density_inside(model):
    latents = model.latents_at(0, 4000, seed=0, truncation=0.5)
    assert np.abs(latents).max() <= 0.5
    # The standard deviation of a standard normal within +-0.5: 1 - 2 * 0.5 * phi(0.5) / P(|z| < 0.5)
    variance = 1 - 0.5 * 2 * 0.3520653 / 0.3829249
    assert latents.std() == pytest.approx(np.sqrt(variance), abs=0.006)
    with pytest.raises(ConfigError, match="truncation"):
        model.generate(2, truncation=0.0)


def test_interpolation_keeps_ends_and_length():
    class Identity(GAN):
        pass

    points = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    points.set_weights([np.eye(2), np.zeros(2)])
    discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model = Identity(points, discriminator)
    path = model.interpolate(1, 5, seed=0)
    ends = model.latents_at(0, 2, seed=0)
    np.testing.assert_allclose(path[[0, -1]], ends, atol=1e-5)
    unit = ends / np.linalg.norm(ends, axis=1, keepdims=True)
    angle = np.arccos(unit[0] @ unit[1])
    halfway = (np.sin(angle / 2) * ends[0] + np.sin(angle / 2) * ends[1]) / np.sin(angle)
    np.testing.assert_allclose(path[2], halfway, atol=1e-5)


def test_labels_without_classes_are_refused(model):
    with pytest.raises(ConfigError, match="no classes"):
        model.generate(2, labels=[0])


def test_saved_generator_and_export_give_the_same_images(tmp_path):
    model = GAN(*toys.image_networks(num_classes=3), num_classes=3, ema_decay=0.9)
    model.ema_generator.set_weights([w + 0.1 for w in model.ema_generator.get_weights()])
    latents, labels = model.latents_at(0, 4, seed=0), np.array([0, 1, 2, 0], "int32")
    expected = model.render(latents, labels)
    model.save_generator(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    np.testing.assert_array_equal(to_uint8(loaded.predict([latents, labels], verbose=0)), expected)
    for _ in range(2):  # a second export replaces the first
        model.export(tmp_path / "export")
    archive = tf.saved_model.load(str(tmp_path / "export"))
    served = archive.serve(tf.constant(latents), tf.constant(labels))
    np.testing.assert_array_equal(served.numpy(), expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["export", "generator.keras"]


def test_points_are_given_as_they_are():
    model = GAN(*toys.scalar_networks())
    points = model.generate(3, seed=0)
    assert points.dtype == np.float32 and points.shape == (3, 1)
    np.testing.assert_allclose(points, 2 * model.latents_at(0, 3, seed=0) + 0.5, atol=1e-6)
