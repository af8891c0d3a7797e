"""Generators with styles: truncation, style mixing, interpolation between styles."""

import numpy as np
import pytest
import tensorflow as tf
import toys
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import to_uint8
from tfgans.gan import GAN
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator
from tfgans.run import after, build
from tfgans.run.samples import Moving

CENTER = np.random.default_rng(1).normal(size=(2, 8)).astype("float32")
SLOTS = 4


@pytest.fixture(scope="module")
def model():
    """Its averaged generator differs from its own in every weight, and has a mean of w."""
    generator = stylegan2_generator(8, latent_dim=8, style_dim=8, mapping_layers=2, max_channels=8)
    model = GAN(generator, stylegan2_discriminator(8, max_channels=8), ema_decay=0.9, seed=3)
    averaged = model.ema_generator
    averaged.set_weights(
        [w + 0.1 * np.cos(np.arange(w.size)).reshape(w.shape) for w in generator.get_weights()]
    )
    averaged.get_layer("mapping").mean_w.assign(CENTER)
    for layer in averaged.get_layer("mapping").dense:
        layer.bias.assign(np.random.default_rng(2).normal(size=8) * 50)  # a multiplier of 0.01 is on it
    return model


def w_of(model, latents):
    return model.ema_generator.get_layer("mapping").intermediates(tf.constant(latents))[-1].numpy()


def images_of(model, w):
    """What the averaged generator shows for [N, 8], or for [N, slots, 8]."""
    w = np.asarray(w, "float32")
    styles = w if w.ndim == 3 else np.stack([w] * SLOTS, 1)
    return to_uint8(model.ema_generator.get_layer("synthesis")(tf.constant(styles)).numpy())


def assert_close(found, expected):
    """Pixels are the same but where rounding of the last bit of a float turns them."""
    assert found.dtype == np.uint8 and found.shape == expected.shape
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1 and np.mean(difference) < 0.02


def test_the_images_of_this_file_tell_styles_apart(model):
    images = model.generate(4, seed=0).astype(int)
    assert model.style_slots == SLOTS
    assert min(np.abs(images[i] - images[j]).mean() for i in range(4) for j in range(i)) > 3
    assert np.abs(images - model.generate(4, seed=0, weights="raw")).mean() > 3


def test_psi_0_shows_the_mean_whatever_the_latent(model):
    images = model.generate(5, seed=0, truncation=0.0)
    np.testing.assert_array_equal(images, np.stack([images[0]] * 5))
    assert_close(images[:1], images_of(model, CENTER[1:]))


def test_psi_1_changes_no_bit(model):
    plain = model.generate(5, seed=0)
    np.testing.assert_array_equal(model.generate(5, seed=0, truncation=1.0), plain)
    np.testing.assert_array_equal(model.generate(5, seed=0, truncation=1.0, truncated_slots=2), plain)
    options = dict(rows=2, columns=3, seed=0)
    for make in (model.mix, model.interpolate):
        np.testing.assert_array_equal(make(truncation=1.0, **options), make(**options))


def test_psi_moves_w_towards_the_mean_in_the_first_slots(model):
    latents = model.latents_at(0, 3, seed=5)
    w = w_of(model, latents)
    truncated = CENTER[1] + np.float32(0.3) * (w - CENTER[1])
    assert_close(model.generate(3, seed=5, truncation=0.3), images_of(model, truncated))
    mixed = np.stack([truncated, w, w, w], 1)
    assert_close(model.generate(3, seed=5, truncation=0.3, truncated_slots=1), images_of(model, mixed))
    np.testing.assert_allclose(model.styles(latents, truncation=0.3), np.stack([truncated] * 4, 1), atol=1e-5)
    np.testing.assert_array_equal(
        model.generate(3, seed=5, truncation=0.3, batch_size=2), model.generate(3, seed=5, truncation=0.3)
    )


def test_mixtures_take_some_slots_of_the_left_and_the_rest_of_the_top(model):
    figure = model.mix(2, 3, (1, 3), seed=7)
    w = w_of(model, model.latents_at(0, 5, seed=7))
    assert figure.shape == (3, 4, 8, 8, 3)
    assert (figure[0, 0] == 255).all()
    assert_close(figure[1:, 0], images_of(model, w[:2]))
    assert_close(figure[0, 1:], images_of(model, w[2:]))
    for row in range(2):
        for column in range(3):
            left, top = w[row], w[2 + column]
            expected = images_of(model, np.stack([top, left, left, top])[None])
            assert_close(figure[1 + row, 1 + column][None], expected)
    assert len({cell.tobytes() for line in figure for cell in line}) == 12
    np.testing.assert_array_equal(model.mix(2, 3, (1, 3), seed=7, batch_size=4), figure)


def test_no_slots_give_the_top_and_all_slots_the_left(model):
    top, left = model.mix(2, 3, (2, 2), seed=7), model.mix(2, 3, (0, 4), seed=7)
    for row in range(3):
        np.testing.assert_array_equal(top[row, 1:], top[0, 1:])
    for column in range(1, 4):
        np.testing.assert_array_equal(left[1:, column], left[1:, 0])
    assert np.any(top[1:, 0] != top[0, 1]) and np.any(left[0, 1] != left[1:, 0])
    np.testing.assert_array_equal(model.mix(2, 3, seed=7), model.mix(2, 3, (0, 2), seed=7))


def test_coarse_is_the_first_four_slots_where_there_are_eight():
    generator = stylegan2_generator(32, latent_dim=8, style_dim=8, mapping_layers=1, max_channels=4)
    model = GAN(generator, stylegan2_discriminator(32, max_channels=4))
    assert model.style_slots == 8
    np.testing.assert_array_equal(model.mix(1, 1), model.mix(1, 1, (0, 4)))


def test_truncation_of_mixtures(model):
    figure = model.mix(2, 2, (0, 2), seed=7, truncation=0.0, truncated_slots=2)
    w = w_of(model, model.latents_at(0, 4, seed=7))
    center = CENTER[1]
    for column in range(2):  # the mean's coarse styles wherever they come from, the top's fine ones
        expected = images_of(model, np.stack([center, center, w[2 + column], w[2 + column]])[None])
        for row in range(3):
            assert_close(figure[row, 1 + column][None], expected)


def test_interpolation_in_w_is_straight_and_meets_both_ends(model):
    images = model.interpolate(2, 5, seed=4)
    w = w_of(model, model.latents_at(0, 4, seed=4)).reshape(2, 2, 8)
    path = [(1 - t) * w[row, 0] + t * w[row, 1] for row in range(2) for t in (0, 0.25, 0.5, 0.75, 1)]
    assert_close(images, images_of(model, path))
    np.testing.assert_array_equal(model.interpolate(2, 5, seed=4, space="w", batch_size=3), images)
    truncated = model.interpolate(1, 3, seed=4, truncation=0.5)
    assert_close(truncated, images_of(model, CENTER[1] + 0.5 * (np.array(path)[:5:2] - CENTER[1])))


def test_interpolation_in_z_meets_the_images_of_both_latents(model):
    images = model.interpolate(2, 5, seed=4, space="z")
    np.testing.assert_array_equal(images[[0, 4, 5, 9]], model.generate(4, seed=4))
    assert np.any(images != model.interpolate(2, 5, seed=4))
    truncated = model.interpolate(2, 5, seed=4, space="z", truncation=0.5)
    np.testing.assert_array_equal(truncated[[0, 4, 5, 9]], model.generate(4, seed=4, truncation=0.5))


@pytest.mark.parametrize("seed", [0, 5])
def test_in_w_a_row_of_an_interpolation_has_one_class_which_the_seed_draws(seed):
    """Both ends of a row are the styles of its two latents with the row's class."""
    generator = stylegan2_generator(
        8, latent_dim=8, style_dim=8, max_channels=8, mapping_layers=2, num_classes=5
    )
    discriminator = stylegan2_discriminator(8, max_channels=8, num_classes=5, label_layers=2)
    model = GAN(generator, discriminator, num_classes=5)
    rows = 70  # more ends than one block of latents
    labels = np.repeat(model.labels_at(0, rows, None, 0, seed), 2)
    assert len(set(labels)) == 5
    ends = model.styles(model.latents_at(0, 2 * rows, seed), labels=labels).reshape(rows, 2, SLOTS, 8)
    assert ends.std() > 0.1
    found = model.interpolation(rows, 3, seed, space="w").values.reshape(rows, 3, SLOTS, 8)
    expected = np.stack([ends[:, 0], ends.mean(1), ends[:, 1]], 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_same_seed_gives_the_same_and_the_average_is_shown(model):
    for make in (model.mix, model.interpolate):
        np.testing.assert_array_equal(make(2, 3, seed=1), make(2, 3, seed=1))
        assert np.any(make(2, 3, seed=1) != make(2, 3, seed=2))
        assert np.any(make(2, 3, seed=1) != make(2, 3, seed=1, weights="raw"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(truncation=1.01), r"psi, in \[0, 1\].*Received: 1.01"),
        (dict(truncation=-0.1), r"psi, in \[0, 1\].*Received: -0.1"),
        (dict(truncation=float("nan")), r"Received: nan"),
        (dict(truncation=0.5, truncated_slots=5), r"truncated_slots is in \[1, 4\]. Received: 5"),
        (dict(truncation=0.5, truncated_slots=0), r"truncated_slots is in \[1, 4\]. Received: 0"),
        (dict(truncated_slots=2), "give truncation too"),
    ],
)
def test_truncations_that_cannot_be(model, options, message):
    for make in (model.generate, lambda n, **options: model.mix(n, n, **options)):
        with pytest.raises(ConfigError, match=message):
            make(2, **options)
    with pytest.raises(ConfigError, match=message):
        model.interpolate(1, 2, **options)


def test_mixtures_and_ways_that_cannot_be(model):
    for slots in ((3, 2), (0, 5), (-1, 2)):
        with pytest.raises(ConfigError, match=f"0 <= A <= B <= 4. Received: {slots[0]}:{slots[1]}"):
            model.mix(1, 1, slots)
    with pytest.raises(ConfigError, match="rows is an integer of at least 1. Received: 0"):
        model.mix(0, 1)
    with pytest.raises(ConfigError, match="z or w. Received: 'v'"):
        model.interpolate(1, 2, space="v")


def test_a_layer_feeds_all_slots(model):
    """W_1 by hand in float64: pixel norm, dense with multiplier 0.01, leaky ReLU times sqrt(2)."""
    latents = model.latents_at(0, 3, seed=5).astype("float64")
    dense = model.ema_generator.get_layer("mapping").dense[0]
    kernel, bias = (0.01 * w.astype("float64") for w in dense.get_weights())
    normalized = latents / np.sqrt(np.mean(latents**2, 1, keepdims=True) + 1e-8)
    sums = normalized @ kernel / np.sqrt(8) + bias
    first = np.sqrt(2) * np.where(sums > 0, sums, 0.2 * sums)
    assert model.style_layers == 2
    np.testing.assert_allclose(
        model.styles(latents, style_layer=1), np.stack([first] * SLOTS, 1), rtol=1e-4, atol=1e-5
    )
    assert_close(model.generate(3, seed=5, style_layer=1), images_of(model, first))
    truncated = CENTER[0] + 0.3 * (first - CENTER[0])
    assert_close(model.generate(3, seed=5, style_layer=1, truncation=0.3), images_of(model, truncated))
    raw = model.generate(3, seed=5, style_layer=1, weights="raw")
    assert np.abs(raw.astype(int) - model.generate(3, seed=5, style_layer=1)).mean() > 3


def test_the_last_layer_changes_no_bit(model):
    for options in ({}, dict(truncation=0.3), dict(truncation=0.3, truncated_slots=1), dict(weights="raw")):
        plain = model.generate(5, seed=0, **options)
        np.testing.assert_array_equal(model.generate(5, seed=0, style_layer=2, **options), plain)
        figure = model.by_style_layer(5, seed=0, **options)
        assert figure.shape == (2, 5, 8, 8, 3) and figure.dtype == np.uint8
        np.testing.assert_array_equal(figure[1], plain)
        np.testing.assert_array_equal(figure[0], model.generate(5, seed=0, style_layer=1, **options))
        assert np.abs(figure[0].astype(int) - figure[1]).mean() > 3


def test_slots_that_were_trained_with_several_layers():
    """None is each slot's own layer; any number feeds all slots, also the last."""
    layers = (1, 2, 3, 3)
    generator = stylegan2_generator(
        8, latent_dim=8, style_dim=8, mapping_layers=3, max_channels=4, style_layers=layers
    )
    model = GAN(generator, stylegan2_discriminator(8, max_channels=4))
    latents = model.latents_at(0, 2)
    outputs = generator.get_layer("mapping").intermediates(tf.constant(latents))
    of = [np.stack([outputs[i - 1] for i in chosen], 1) for chosen in (layers, (3, 3, 3, 3))]
    np.testing.assert_array_equal(model.styles(latents), of[0])
    np.testing.assert_array_equal(model.styles(latents, style_layer=3), of[1])


@pytest.mark.parametrize("layer", [0, 3, 1.5, True])
def test_layers_that_cannot_be(model, layer):
    with pytest.raises(ConfigError, match=f"style_layer is .*Received: {layer}"):
        model.generate(1, style_layer=layer)


def test_generators_without_styles_refuse_what_needs_them():
    model = GAN(*toys.image_networks())
    assert model.style_slots == 0
    for make in (
        lambda: model.mix(1, 1),
        lambda: model.interpolate(1, 2, space="w"),
        lambda: model.generate(1, truncation=0.5, truncated_slots=1),
        lambda: model.styles(model.latents_at(0, 1)),
        lambda: model.generate(1, style_layer=1),
        lambda: model.by_style_layer(1),
    ):
        with pytest.raises(ConfigError, match="the generator has no styles"):
            make()
    assert np.any(model.generate(2, seed=0, truncation=2.0) != model.generate(2, seed=0))


def test_files_hold_what_the_model_makes(model, monkeypatch, tmp_path):
    """The PNG of a figure, cell by cell, and the GIF of an interpolation, frame by frame."""
    monkeypatch.setattr(build, "load", lambda *_: (model, 0))
    (path,) = after.mix_styles("run", tmp_path / "mixed", 1, 2, (0, 1), seed=3)
    figure = model.mix(1, 2, (0, 1), seed=3)
    with Image.open(path) as image:
        page = np.asarray(image)
    assert page.shape == (2 * 60 + 12, 3 * 60 + 12, 3)
    for row in range(2):
        for column in range(3):
            top, left = 12 + row * 60, 12 + column * 60
            np.testing.assert_array_equal(page[top : top + 48 : 6, left : left + 48 : 6], figure[row, column])

    paths = after.interpolate("run", tmp_path / "between", 3, moving=Moving(4, 10.0, "gif"), seed=3)
    names = ["latents.npz", "grid.png", "interpolation.png", "interpolation.gif"]
    assert [p.name for p in paths[-4:]] == names
    with Image.open(tmp_path / "between" / "interpolation.png") as image:
        strip = np.asarray(image)
    row = model.interpolate(1, 3, seed=3)
    np.testing.assert_array_equal(strip[2:50:6, 2:-2:6], np.concatenate(row, 1))
    expected = model.interpolate(1, 4, seed=3)[[0, 1, 2, 3, 2, 1]]
    with Image.open(tmp_path / "between" / "interpolation.gif") as image:
        assert (image.n_frames, image.info["loop"], image.info["duration"]) == (6, 0, 100)
        for number, wanted in enumerate(expected):
            image.seek(number)
            shown = np.asarray(image.convert("RGB"))[12:-12:6, 12:-12:6].astype(int)
            assert np.abs(shown - wanted).max() < 8 and np.abs(shown - wanted).mean() < 1
    np.testing.assert_array_equal(expected[0], row[0])
    np.testing.assert_array_equal(expected[3], row[-1])


@pytest.mark.parametrize("shape", [(2, SLOTS, 7), (2, SLOTS + 1, 8), (SLOTS, 8), (2, 8, 8, 1)])
def test_styles_of_another_shape_are_refused(model, shape):
    told = rf"^styles of {model.generator.name} are \[N, {SLOTS}, 8\]. Received: \[{', '.join(map(str, shape))}\]$"
    with pytest.raises(ConfigError, match=told):
        model.render_styles(np.zeros(shape, "float32"))
    with pytest.raises(ConfigError, match="^styles of .* are finite in float32. Received: inf$"):
        model.render_styles(np.full((1, SLOTS, 8), np.inf))
    np.testing.assert_array_equal(
        model.render_styles(np.zeros((1, SLOTS, 8))), images_of(model, np.zeros((1, 8)))
    )
