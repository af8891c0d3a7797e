"""Streams of latents, truncation, interpolation, and the files a generator is handed over in."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from PIL import Image

from tfgans import pictures
from tfgans.config import ConfigError
from tfgans.data import to_uint8
from tfgans.gan import GAN
from tfgans.gan.walks import _great_circle
from tfgans.run import after, build
from tfgans.run.samples import Moving


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


def test_generate_goes_on_in_its_stream_and_repeats_under_a_seed():
    model = GAN(*toys.image_networks(), seed=3)  # of its own: it begins at the stream's beginning
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
    np.testing.assert_array_equal(path[[0, -1]], ends)
    unit = ends / np.linalg.norm(ends, axis=1, keepdims=True)
    angle = np.arccos(unit[0] @ unit[1])
    halfway = (np.sin(angle / 2) * ends[0] + np.sin(angle / 2) * ends[1]) / np.sin(angle)
    np.testing.assert_allclose(path[2], halfway, atol=1e-5)
    first, last, steps = ends[None, :1], ends[None, 1:], np.linspace(0.0, 1.0, 5, dtype=np.float32)[:, None]
    both = _great_circle(np.repeat(first, 2, 0), np.concatenate([last, 3 * first]), steps)
    np.testing.assert_array_equal(both[0], path)  # whatever other pairs there are
    np.testing.assert_allclose(both[1], (1 + 2 * steps) * first[0], rtol=1e-6)


def test_a_way_in_batches_keeps_the_class_of_its_row():
    model = GAN(*toys.image_networks(num_classes=3), num_classes=3)
    labels = model.labels_at(0, 4, None, 0, seed=2)
    images = model.interpolate(4, 3, seed=2, batch_size=5)
    ends = model.render(model.latents_at(0, 8, seed=2), labels.repeat(2))
    np.testing.assert_array_equal(images[::3], ends[::2])
    np.testing.assert_array_equal(images[2::3], ends[1::2])
    with pytest.raises(ConfigError, match="columns"):
        model.interpolate(1, 0)


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


def test_an_export_takes_the_place_of_a_saved_model_alone(model, tmp_path):
    """It once removed whatever lay there, and the folder `old-export` beside it."""
    for name in ("export", "old-export", "part-export"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="export is no SavedModel"):
        model.export(tmp_path / "export")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="file is no SavedModel"):
        model.export(tmp_path / "file")
    assert len(list(tmp_path.rglob("mine.txt"))) == 3 and (tmp_path / "file").read_text() == "mine"
    (tmp_path / "export" / "mine.txt").unlink()
    model.export(tmp_path / "export")
    assert (tmp_path / "export" / "saved_model.pb").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["export", "file", "old-export", "part-export"]


def test_points_are_given_as_they_are():
    model = GAN(*toys.scalar_networks())
    points = model.generate(3, seed=0)
    assert points.dtype == np.float32 and points.shape == (3, 1)
    np.testing.assert_allclose(points, 2 * model.latents_at(0, 3, seed=0) + 0.5, atol=1e-6)
    none = model.generate(0, seed=0)
    assert none.dtype == np.float32 and none.shape == (0, 1)


def test_an_interpolation_of_points_writes_no_pictures_of_images(monkeypatch, tmp_path):
    model = GAN(*_planes())
    monkeypatch.setattr(build, "load", lambda *_: (model, 0))
    paths = after.interpolate("run", tmp_path, 12, seed=1)
    assert [path.name for path in paths] == ["latents.npz", "points.npy", "points.png"]
    np.testing.assert_array_equal(np.load(paths[1]), model.interpolate(2, 8, seed=1)[:12])


def _planes():
    points = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    return points, keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


@pytest.mark.parametrize("wrong", [dict(frames=1), dict(frames_per_second=0.5), dict(frames_per_second=60)])
def test_pictures_that_move_have_frames_and_a_speed(wrong, tmp_path):
    with pytest.raises(ConfigError, match=f"--{next(iter(wrong))} is .*Received: "):
        after.interpolate("run", tmp_path / "out", 8, moving=Moving(**wrong))
    assert not (tmp_path / "out").exists()


def test_strips_are_rows_that_touch():
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 48, 50, 1), np.uint8)
    page = pictures.strips(images, columns=3)
    assert page.shape == (2 * 50 + 2, 150 + 4, 1)
    for i in range(6):
        top, left = 2 + i // 3 * 50, 2 + i % 3 * 50
        assert (page[top : top + 48, left : left + 50] == i).all()
    assert (page[50:52] == 255).all()
    small = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    page = pictures.strips(small, columns=2)
    np.testing.assert_array_equal(page[2:-2:6, 2:-2:6], np.concatenate(small, 1))
    assert page.shape == (48 + 4, 96 + 4, 3)


@pytest.mark.parametrize(("count", "order"), [(1, [0]), (2, [0, 1]), (5, [0, 1, 2, 3, 4, 3, 2, 1])])
def test_a_gif_goes_there_and_back_for_ever(tmp_path, count, order):
    frames = np.random.default_rng(0).integers(0, 256, (count, 9, 11, 1), np.uint8)
    pictures.save_gif(tmp_path / "a.gif", frames, frames_per_second=30)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.format == "GIF" and image.n_frames == len(order)
        assert image.info["loop"] == 0
        for number, frame in enumerate(order):
            image.seek(number)
            np.testing.assert_array_equal(np.asarray(image.convert("L")), frames[frame, ..., 0])
            assert image.info["duration"] == 30  # 33.3 ms to the nearest 10
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]


def test_a_gif_has_colours_of_its_own_in_every_frame_and_keeps_means(tmp_path):
    """Ramps of 320 x 200 colours, other ones in each frame: right to a few levels, and without bands."""
    x, y = np.meshgrid(np.linspace(0, 255, 320), np.linspace(0, 255, 200))
    ramps = [np.stack([x, y, 0 * x], -1), np.stack([0 * x, x, 255 - y], -1)]
    frames = np.array(ramps).round().astype(np.uint8)
    pictures.save_gif(tmp_path / "a.gif", frames)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["duration"] == 50
        for number, frame in enumerate(frames):
            image.seek(number)
            error = np.asarray(image.convert("RGB")).astype(int) - frame
            # 16 x 16 cells of 16 x 16 levels have 16 / sqrt(18) = 3.8; diffusion about doubles that.
            assert np.sqrt(np.mean(np.square(error))) < 10
            means = error[8:-8, 8:-8].reshape(23, 8, 38, 8, 3).mean((1, 3))
            assert np.sqrt(np.mean(np.square(means))) < 1


def test_a_gif_is_whole_or_not_there(tmp_path, monkeypatch):
    (tmp_path / "a.gif").write_bytes(b"before")

    def full(self, file, *_, **__):
        file.write(b"GIF89a")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="a.gif"):
        pictures.save_gif(tmp_path / "a.gif", np.zeros((3, 4, 4, 3), np.uint8))
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]
    assert (tmp_path / "a.gif").read_bytes() == b"before"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": -1}, "^generate: count is an integer of at least 0. Received: -1"),
        ({"count": 2.5}, "^generate: count is .* Received: 2.5"),
        ({"count": 2, "batch_size": 0}, "^generate: batch_size is an integer of at least 1. Received: 0"),
        ({"count": 2, "start": -3}, "^generate: start is .* Received: -3"),
        ({"count": 2, "seed": "a"}, "^generate: seed is .* Received: 'a'"),
    ],
)
def test_what_is_no_count_is_refused_and_the_stream_stays_where_it_is(model, options, message):
    first = model.generate(2, start=0)
    with pytest.raises(ConfigError, match=message):
        model.generate(**options)
    np.testing.assert_array_equal(model.generate(np.int64(2), start=np.int64(0), seed=np.int64(3)), first)


def test_what_are_no_latents_is_refused(model):
    for shape in ((3, model.latent_dim + 1), (model.latent_dim,), (1, model.latent_dim, 1)):
        told = f"latents of {model.generator.name} are [N, {model.latent_dim}]. Received: {list(shape)}"
        with pytest.raises(ConfigError, match=f"^{re.escape(told)}$"):
            model.render(np.zeros(shape))
    labelled = GAN(*toys.image_networks(num_classes=3), num_classes=3)
    with pytest.raises(ConfigError, match="takes labels .*, and none were given"):
        labelled.render(np.zeros((2, labelled.latent_dim)))
    with pytest.raises(ConfigError, match="^labels were given, but the model has no classes$"):
        model.render(np.zeros((2, model.latent_dim)), [0, 1])


@pytest.mark.parametrize(
    ("latents", "received"),
    [
        ([["a"] * 4] * 2, "string"),
        ([[1.0, 2.0], [3.0]], r"\[\[1.0, 2.0\], \[3.0\]\]"),
        (None, "None"),
        (np.full((2, 4), 1j), "complex128"),
        ([[0.0, np.nan, 1.0, 0.0]], "nan"),
        (np.float64([[0.0, 1e300, 1.0, 0.0]]), r"1e\+300"),
    ],
)
def test_latents_that_are_no_numbers_are_refused(model, latents, received):
    """They gave TensorFlow's lines, or pictures of nothing."""
    with pytest.raises(ConfigError, match=f"^latents of .*Received: {received}$"):
        model.render(latents)


@pytest.mark.parametrize(
    "labels", [[0], [0, 1, 2], 1, [[0], [1]], [[0], [1, 2]], [-1, 0], [0, 3], [0.5, 0], ["a", "b"]]
)
def test_labels_that_are_no_classes_are_refused(labels):
    """-1 was a class of its own on a CPU; the others gave TensorFlow's lines."""
    model = GAN(*toys.image_networks(num_classes=3), num_classes=3)
    with pytest.raises(ConfigError, match="^labels .*Received: "):
        model.render(np.zeros((2, model.latent_dim)), labels)
    assert model.render(np.zeros((0, model.latent_dim)), []).shape == (0, *model.sample_shape)
