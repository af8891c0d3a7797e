"""Affine transforms against numpy's, by hand and by finite differences; the choices of ADA in distribution."""

import numpy as np
import pytest
import tensorflow as tf
from slopes import assert_derivatives_of

from tfgans.augment import geometric

IMAGE = np.random.default_rng(0).normal(size=(5, 5, 2)).astype("float32")
WIDE = np.random.default_rng(1).normal(size=(4, 7, 3)).astype("float32")


def seen(image, transform):
    return geometric.resample(tf.constant(image[None]), transform)[0].numpy()


@pytest.mark.parametrize("image", [IMAGE, WIDE])
def test_flips_and_whole_shifts_move_pixels_bit_for_bit(image):
    np.testing.assert_array_equal(seen(image, geometric.flip(tf.constant([0.0]))), image)
    np.testing.assert_array_equal(seen(image, geometric.flip(tf.constant([1.0]))), image[:, ::-1])
    moved = seen(image, geometric.translation(tf.constant([1.0]), tf.constant([-2.0])))
    np.testing.assert_array_equal(moved[1:, :-2], image[:-1, 2:])
    np.testing.assert_array_equal(
        moved[0, :-2], image[1, 2:]
    )  # mirrored at the middle of the border's pixels
    np.testing.assert_array_equal(moved[1:, -1], image[:-1, -3])


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("side", [4, 5])
def test_turns_are_numpys_bit_for_bit(quarters, side):
    image = IMAGE[:side, :side]
    expected = np.rot90(image, quarters)
    np.testing.assert_array_equal(seen(image, geometric.turn(tf.constant([float(quarters)]))), expected)
    angle = tf.constant([quarters * np.pi / 2], tf.float32)
    np.testing.assert_allclose(seen(image, geometric.rotation(angle)), expected, atol=1e-5)


def test_scales_and_fractions_of_a_ramp_by_hand():
    rows = np.repeat(np.arange(5.0, dtype="float32")[:, None, None], 5, 1)  # each pixel is its row's number
    doubled = seen(rows, geometric.scale(tf.constant([2.0]), tf.constant([1.0])))[:, 0, 0]
    np.testing.assert_allclose(doubled, [1.0, 1.5, 2.0, 2.5, 3.0], atol=1e-6)
    halved = seen(rows, geometric.scale(tf.constant([0.5]), tf.constant([1.0])))[:, 0, 0]
    np.testing.assert_allclose(halved, [2.0, 0.0, 2.0, 4.0, 2.0], atol=1e-6)  # mirrored beyond 0 and 4
    moved = seen(rows, geometric.translation(tf.constant([0.25]), tf.constant([0.0])))[:, 0, 0]
    np.testing.assert_allclose(moved, [0.25, 0.75, 1.75, 2.75, 3.75], atol=1e-6)


def test_a_product_does_the_first_first():
    flip, turn = geometric.flip(tf.constant([1.0])), geometric.turn(tf.constant([1.0]))
    both = geometric.product(flip, turn)
    np.testing.assert_array_equal(seen(IMAGE, both), np.rot90(IMAGE[:, ::-1]))
    assert np.any(seen(IMAGE, both) != seen(IMAGE, geometric.product(turn, flip)))


ONE = [tf.constant([number], tf.float64) for number in (0.3, -0.7)]
MAPS = {
    "flip": geometric.flip(tf.ones((1,), tf.float64)),
    "turn": geometric.turn(tf.ones((1,), tf.float64)),
    "translation": geometric.translation(*ONE),
    "scale": geometric.scale(ONE[0] + 1.0, ONE[1] + 1.5),
    "rotation": geometric.rotation(ONE[0]),
    "all": geometric.product(geometric.rotation(ONE[0]), geometric.scale(*[ONE[0] + 0.5] * 2)),
}


@pytest.mark.parametrize("name", MAPS)
def test_derivatives_to_third_order_are_those_of_finite_differences(name):
    random = np.random.default_rng(0)
    images = tf.constant(random.normal(size=(1, 4, 6, 2)))
    assert_derivatives_of(lambda x: geometric.resample(x, MAPS[name]), images, random)


def maps(probability, count=4000, gates=None, height=16):
    random = np.random.default_rng(0)
    gates = random.uniform(size=(count, 8)) if gates is None else gates
    numbers = gates, random.uniform(size=(count, 6)), random.normal(size=(count, 4))
    return geometric.random_map(
        *(tf.constant(n, tf.float32) for n in numbers), probability, height, 32
    ).numpy()


def only(name, count=4000, height=16):
    """Gates that are open for one transform alone, at a probability of 1/2."""
    gates = np.ones((count, 8))
    gates[:, geometric.GATES.index(name)] = 0.0
    return maps(0.5, count, gates, height)


def test_without_probability_nothing_is_done():
    np.testing.assert_array_equal(maps(0.0), np.broadcast_to(np.eye(3), (4000, 3, 3)))


def test_each_transform_has_its_own_range():
    linear = lambda m: m[:, :2, :2]  # noqa: E731
    flips = only("flip")
    np.testing.assert_array_equal(np.unique(flips[:, 1, 1]), [-1, 1])
    assert np.mean(flips[:, 1, 1] < 0) == pytest.approx(0.5, abs=0.03)
    turns = linear(only("turn", height=32)).reshape(-1, 4)
    kinds, counts = np.unique(turns, axis=0, return_counts=True)
    assert len(kinds) == 4
    np.testing.assert_allclose(counts / 4000, 0.25, atol=0.03)
    shifts = only("translation")[:, :2, 2]
    assert set(np.unique(shifts[:, 0])) == set(range(-2, 3)) and set(np.unique(shifts[:, 1])) == set(
        range(-4, 5)
    )
    fractions = only("fraction")[:, :2, 2] / [16, 32]
    np.testing.assert_allclose(np.std(fractions, 0), 0.125, rtol=0.05)
    factors = np.log2(only("scale")[:, [0, 1], [0, 1]])
    np.testing.assert_array_equal(factors[:, 0], factors[:, 1])
    assert np.std(factors[:, 0]) == pytest.approx(0.2, rel=0.05)
    factors = np.log2(only("stretch")[:, [0, 1], [0, 1]])
    np.testing.assert_allclose(factors[:, 0], -factors[:, 1], atol=1e-6)
    assert np.std(factors[:, 0]) == pytest.approx(0.2, rel=0.05)
    for name in ("rotation", "second_rotation"):
        turned = only(name)
        angles = np.arctan2(turned[:, 0, 1], turned[:, 0, 0])
        np.testing.assert_allclose(np.linalg.det(linear(turned)), 1.0, atol=1e-5)
        np.testing.assert_allclose(np.histogram(angles, 4, (-np.pi, np.pi))[0] / 4000, 0.25, atol=0.03)


@pytest.mark.parametrize("probability", [0.3, 0.8, 1.7])
def test_each_transform_is_done_with_the_probability_given(probability):
    below = min(probability, 1.0)
    for name in geometric.GATES:
        gates = np.ones((4000, 8)) * 2.0  # closed
        gates[:, geometric.GATES.index(name)] = (np.arange(4000) + 0.5) / 4000
        done = np.any(maps(probability, gates=gates) != np.eye(3), (1, 2)).mean()
        share = {"flip": 0.5, "turn": 0.5, "translation": 1 - 1 / 4 / 8}.get(name, 1.0)
        expected = 1 - np.sqrt(1 - below) if "rotation" in name else below * share
        assert done == pytest.approx(expected, abs=0.03), name


def test_what_is_no_square_is_turned_by_halves_alone():
    found = only("turn")
    halves = found[:, 0, 0] == -1.0
    assert abs(halves.mean() - 0.5) < 0.04
    np.testing.assert_array_equal(found[halves], [np.diag([-1.0, -1.0, 1.0])] * halves.sum())
    np.testing.assert_array_equal(found[~halves], [np.eye(3)] * (~halves).sum())
    np.testing.assert_array_equal(seen(WIDE, found[halves][:1]), WIDE[::-1, ::-1])
