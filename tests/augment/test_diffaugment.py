"""DiffAugment against the published code's numbers, finite differences, and its draws' ranges."""

import numpy as np
import pytest
import tensorflow as tf

from tfgans.augment import diffaugment
from tfgans.config import ConfigError

ALL = diffaugment.operations("color,translation,cutout")
SETS = ("even", "odd", "s32")


def last(array):
    return np.transpose(array, (0, 2, 3, 1))


def draws_of(data, size):
    names = {
        "brightness": "brightness_u",
        "saturation": "saturation_u",
        "contrast": "contrast_u",
        "translation_rows": "trans_x",
        "translation_columns": "trans_y",
        "cutout_rows": "cut_x",
        "cutout_columns": "cut_y",
    }
    return {ours: data[f"{size}/all/{theirs}"] for ours, theirs in names.items()}


@pytest.mark.parametrize("size", SETS)
@pytest.mark.parametrize("name", ALL)
def test_each_operation_is_the_published_one(golden, size, name):
    data = golden("regan_e_diffaug")
    key = f"{size}/rand_{name}"
    draws = [data[f"{key}/draw{i}"] for i in range(2) if f"{key}/draw{i}" in data]
    out = getattr(diffaugment, name)(tf.constant(last(data[f"{size}/x"])), *draws)
    np.testing.assert_allclose(out, last(data[f"{key}/out"]), atol=1e-5)
    assert np.any(np.abs(out - last(data[f"{size}/x"])) > 0.1)


@pytest.mark.parametrize("size", SETS)
def test_all_together_are_the_published_ones(golden, size):
    data = golden("regan_e_diffaug")
    out = diffaugment.augment(tf.constant(last(data[f"{size}/x"])), draws_of(data, size), ALL)
    np.testing.assert_allclose(out, last(data[f"{size}/all/out"]), atol=1e-5)


def test_shifts_and_holes_by_hand():
    images = tf.reshape(tf.range(1.0, 17.0), (1, 4, 4, 1))
    moved = diffaugment.translation(images, [1], [-2])[0, :, :, 0]
    np.testing.assert_array_equal(moved, [[0, 0, 5, 6], [0, 0, 9, 10], [0, 0, 13, 14], [0, 0, 0, 0]])
    holed = diffaugment.cutout(images, [0], [3])[0, :, :, 0]  # rows -1 and 0, columns 2 and 3
    np.testing.assert_array_equal(holed, [[1, 2, 0, 0], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]])


def test_a_translation_has_the_gradients_of_a_product_with_a_matrix():
    """By columns of that matrix: of one pixel each. Shifts go beyond the image, and differ in the batch."""
    rows, columns = tf.constant([0, 1, -2, 4, -5]), tf.constant([0, -1, 2, 1, 0])
    pixels = tf.reshape(tf.eye(12), (12, 1, 3, 4, 1)) + tf.zeros((5, 1, 1, 1))
    matrix = tf.stack(
        [diffaugment.translation(each, rows, columns) for each in pixels], -1
    )  # [5, 3, 4, 1, 12]
    weights = tf.random.stateless_normal((5, 3, 4, 1), [0, 1])
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(weights)
        with tf.GradientTape() as tape:
            images = tf.random.stateless_normal((5, 3, 4, 1), [0, 2])
            tape.watch(images)
            moved = diffaugment.translation(images, rows, columns)
        slope = tape.gradient(moved, images, weights)
        total = tf.reduce_sum(slope**2)
    wanted = tf.einsum("nhwcp,nhwc->np", matrix, weights)
    np.testing.assert_array_equal(slope, tf.reshape(wanted, slope.shape))
    again = tf.einsum("nhwcp,np->nhwc", matrix, 2.0 * wanted)
    np.testing.assert_allclose(outer.gradient(total, weights), again, rtol=1e-6)


def test_ranges_are_the_published_ones():
    assert diffaugment.draw_ranges(ALL, 32, 7) == {
        "brightness": (0.0, 1.0),
        "saturation": (0.0, 1.0),
        "contrast": (0.0, 1.0),
        "translation_rows": (-4, 5),
        "translation_columns": (-1, 2),  # 7 / 8 + 1 / 2
        "cutout_rows": (0, 33),  # an even hole of 16
        "cutout_columns": (0, 8),  # an even hole of 4
    }
    assert diffaugment.draw_ranges(("cutout",), 10, 6)["cutout_rows"] == (0, 10)  # an odd hole of 5


def test_policies_keep_their_order():
    assert diffaugment.operations("") == ()
    assert diffaugment.operations("cutout, color") == ("cutout", "brightness", "saturation", "contrast")


@pytest.mark.parametrize("policy", ["colour", "color,color", "color;cutout"])
def test_unknown_policies_are_refused(policy):
    with pytest.raises(ConfigError, match=f"color, translation, cutout .* Received: '{policy}'"):
        diffaugment.operations(policy)


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_those_of_finite_differences(golden, name):
    data = golden("regan_e_diffaug")
    images = tf.constant(last(data["odd/x"]), tf.float64)
    draws = draws_of(data, "odd")
    random = np.random.default_rng(0)
    direction, weights = random.normal(size=(2, *images.shape))

    def loss(x):
        return tf.reduce_sum(weights * tf.sin(diffaugment.augment(x, draws, (name,))))

    with tf.GradientTape() as tape:
        tape.watch(images)
        value = loss(images)
    found = tf.reduce_sum(tape.gradient(value, images) * direction)
    expected = (loss(images + 1e-6 * direction) - loss(images - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_colours_leave_alpha_alone(channels):
    """By hand for gray: brightness adds 0.25, a pixel's mean is itself, contrast takes 1.25 of distances."""
    random = np.random.default_rng(0)
    images, draw = random.uniform(-1, 1, (3, 2, 5, channels)), np.array([0.75, 0.75, 0.75])
    colors = images if channels == 1 else images[..., :-1]
    means = colors.mean((1, 2, 3), keepdims=True)
    own = colors.mean(3, keepdims=True)
    expected = {
        "brightness": colors + 0.25,
        "saturation": own + 1.5 * (colors - own),
        "contrast": means + 1.25 * (colors - means),
    }
    for name, wanted in expected.items():
        found = diffaugment.augment(images, {name: draw}, (name,)).numpy()
        np.testing.assert_allclose(found[..., : colors.shape[3]], wanted, atol=1e-12)
        np.testing.assert_array_equal(found[..., colors.shape[3] :], images[..., colors.shape[3] :])
    if channels <= 2:
        np.testing.assert_allclose(expected["saturation"], colors)


def test_holes_and_shifts_take_alpha_along():
    images = np.ones((1, 4, 8, 4))
    for name in ("translation", "cutout"):
        found = diffaugment.augment(images, {f"{name}_rows": [1], f"{name}_columns": [2]}, (name,)).numpy()
        assert set(np.unique(found)) == {0.0, 1.0} and (found == found[..., :1]).all()


@pytest.mark.parametrize("size", [(12, 20), (7, 3)])
def test_holes_and_shifts_go_by_each_side(size):
    """Shifts of an eighth of each side, holes of half of each."""
    ranges = diffaugment.draw_ranges(("translation", "cutout"), *size)
    for axis, side in zip(("rows", "columns"), size, strict=True):
        shift, hole = int(side / 8 + 0.5), int(side / 2 + 0.5)
        assert ranges[f"translation_{axis}"] == (-shift, shift + 1)
        assert ranges[f"cutout_{axis}"] == (0, side + 1 - hole % 2)
