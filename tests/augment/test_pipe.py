"""ADA's whole pipeline against the authors' numbers, by finite differences, and its options by hand."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import erfinv
from slopes import assert_derivatives_of

from tfgans.augment import filtered, geometric, wavelets
from tfgans.augment.pipe import AugmentPipe
from tfgans.config import ConfigError

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
ADA, R3GAN = (np.load(GOLDEN / f"{name}.npz") for name in ("ada_ops", "r3gan_augment"))
INPUTS = {"draws": "draws/input", "single": "debug/input"}
CASES = sorted(
    k.removesuffix("/out") for k in ADA if k.endswith("/out") and not k.startswith(("debug", "p0"))
)
EXACT = {"cutout": 0.0, "color": 2e-6, "filter": 2e-6, "noise": 2e-6}
NAMES = {  # of the R3GAN golden's draws: ours
    "xflip/i": "xflip_u", "rotate90/i": "rotate90_u", "xint/t": "xint_u", "rot_pre/u": "rotate_u",
    "rot_post/u": "rotate2_u", "rot_pre/gate": "rotate_gate", "rot_post/gate": "rotate2_gate",
    "lumaflip/i": "lumaflip_u", "cutout/center": "cutout_u",
}  # fmt: skip


def nhwc(images):
    return tf.constant(np.ascontiguousarray(images.transpose(0, 2, 3, 1)))


def through(pipe, images, draws, probability):
    shape = tuple(images.shape[1:])
    assert set(draws) == set(pipe.draw_shapes(shape))
    for name, value in draws.items():
        assert value.shape[1:] == pipe.draw_shapes(shape)[name], name
    transforms = pipe.transforms({n: tf.constant(v) for n, v in draws.items()}, probability, shape)
    return transforms, pipe(images, transforms)


def case(name):
    """Of a golden case: the pipe, its images, draws and probability."""
    kind, which = name.split("/")
    images = nhwc(ADA[f"{name}/input"] if f"{name}/input" in ADA else ADA[INPUTS[kind]])
    draws = {k.split("/draw/")[1]: ADA[k] for k in ADA if k.startswith(f"{name}/draw/")}
    if "noise_n" in draws:
        draws["noise_n"] = nhwc(draws["noise_n"]).numpy()
    pipe = AugmentPipe("", **{which: 1.0}) if kind == "single" else AugmentPipe(which)
    return pipe, images, draws, float(ADA[f"{name}/p"])


def swapped(maps):
    """From (row, column, 1) to (x, y, 1)."""
    order = [1, 0, 2]
    return maps.numpy()[:, order][:, :, order]


def test_the_filters_are_the_authors():
    np.testing.assert_allclose(wavelets.low_pass(), ADA["Hz_geom"], atol=1e-7)
    np.testing.assert_allclose(wavelets.band_filters(), ADA["Hz_fbank"], atol=1e-12)
    np.testing.assert_allclose(wavelets.band_filters().sum(0), np.eye(43)[21], atol=1e-12)  # the identity


@pytest.mark.parametrize("name", CASES)
def test_the_authors_images_from_their_draws(name):
    transforms, images = through(*case(name))
    tolerance = EXACT.get(name.removeprefix("draws/"), 1e-5)
    np.testing.assert_allclose(images, nhwc(ADA[f"{name}/out"]), rtol=0, atol=tolerance)
    if "maps" in transforms:
        np.testing.assert_allclose(swapped(transforms["maps"]), ADA[f"{name}/G_inv"], rtol=1e-6, atol=1e-6)
        top, bottom, left, right = transforms["margins"][0]
        assert np.all(np.abs(ADA[f"{name}/pad"] - [left, right, top, bottom]) <= 1)  # 1 is theirs to rounding
    if "colors" in transforms:
        np.testing.assert_allclose(transforms["colors"][:, :3], ADA[f"{name}/C"][:, :3], atol=1e-6)
    if "gains" in transforms:
        np.testing.assert_allclose(transforms["gains"], ADA[f"{name}/gains"], rtol=1e-6)


def test_the_authors_images_at_a_percentile():
    """Where all is done, uniform numbers are 0.8 and normal ones erfinv(0.6)."""
    pipe, images, q = AugmentPipe("bgc"), nhwc(ADA["debug/input"]), 0.8
    draws = {}
    for draw, shape in pipe.draw_shapes(tuple(images.shape[1:])).items():
        number = 0.0 if draw.endswith("gate") else q if draw.endswith("_u") else erfinv(2 * q - 1)
        draws[draw] = np.full((2, *shape), 0.5 if draw == "rotate2_u" else number, np.float32)
    _, found = through(pipe, images, draws, 1.0)
    np.testing.assert_allclose(found, nhwc(ADA["debug/bgc/0.8/out"]), rtol=0, atol=1e-5)


def test_without_probability_images_stay_as_they_are_to_rounding():
    pipe, images, draws, _ = case("draws/bgc")
    _, found = through(pipe, images, draws, 0.0)
    np.testing.assert_allclose(found, images, rtol=0, atol=2e-6)
    assert np.any(found != images)


def test_the_gradient_is_the_authors():
    pipe, images, draws, probability = case("draws/bgc")
    with tf.GradientTape() as tape:
        tape.watch(images)
        _, found = through(pipe, images, draws, probability)
        total = tf.reduce_sum(found * nhwc(ADA["draws/bgc/coef"]))
    np.testing.assert_allclose(tape.gradient(total, images), nhwc(ADA["draws/bgc/grad"]), rtol=0, atol=2e-5)


@pytest.mark.parametrize("tag", sorted(k.removesuffix("/out") for k in R3GAN if k.endswith("/out")))
def test_the_pipeline_of_r3gan(tag):
    draws = {}
    for key in (k for k in R3GAN if k.startswith(f"{tag}/draw/")):
        name = key.removeprefix(f"{tag}/draw/")
        value = R3GAN[key]
        draws[NAMES.get(name, name.replace("/", "_"))] = value.reshape(len(value), -1)
    images = nhwc(R3GAN["x_rect" if tag.endswith("rect") else "x"])
    pipe = AugmentPipe("r3gan")
    if tag.startswith("one_"):
        pipe = AugmentPipe("", **{(name := tag.removeprefix("one_")): pipe.multipliers[name]})
    _, found = through(pipe, images, draws, float(R3GAN[f"{tag}/p"]))
    np.testing.assert_allclose(found, nhwc(R3GAN[f"{tag}/out"]), rtol=0, atol=1e-5)


def drawn(pipe, shape, count, dtype="float32", seed=0):
    random = np.random.default_rng(seed)
    draw = lambda name, s: random.normal(size=s) if name.endswith("_n") else random.uniform(size=s)  # noqa: E731
    return {n: draw(n, (count, *s)).astype(dtype) for n, s in pipe.draw_shapes(shape).items()}


def test_derivatives_to_third_order_are_those_of_finite_differences():
    pipe, random = AugmentPipe("bgcfnc"), np.random.default_rng(0)
    images = tf.constant(random.normal(size=(2, 22, 23, 3)))
    draws = {n: tf.constant(v) for n, v in drawn(pipe, (22, 23, 3), 2, "float64").items()}
    transforms = pipe.transforms(draws, 1.0, (22, 23, 3))
    assert_derivatives_of(lambda x: pipe(x, transforms), images, random)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_any_channels_and_the_last_of_two_or_four_keeps_its_value(channels):
    pipe, shape = AugmentPipe("color"), (3, 5, channels)
    draws = drawn(pipe, shape, 6)
    assert ("hue_u" in draws) == (channels > 2)
    images = tf.random.stateless_normal([6, *shape], [0, 0])
    _, found = through(pipe, images, draws, 1.0)
    alpha = slice(channels, None) if channels in (1, 3) else slice(channels - 1, None)
    np.testing.assert_array_equal(found[..., alpha], images[..., alpha])
    assert np.all(np.any(found != images, (1, 2, 3)))
    if channels == 4:
        _, colors = through(pipe, images[..., :3], draws, 1.0)
        np.testing.assert_allclose(found[..., :3], colors, atol=1e-6)


def test_large_images_are_the_same_by_filters_as_by_products(monkeypatch):
    pipe, shape = AugmentPipe("bg"), (12, 20, 2)
    images, draws = tf.random.stateless_normal([3, *shape], [0, 0]), drawn(pipe, (12, 20, 2), 3)
    _, expected = through(pipe, images, draws, 1.0)
    monkeypatch.setattr(filtered, "_LARGEST_PRODUCT", 8)
    _, found = through(pipe, images, draws, 1.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("largest", [512, 8])
def test_places_of_large_images_are_counted_exactly_whatever_the_images_dtype(largest, monkeypatch):
    """Mirrored, rows go from -139 to 278, and bfloat16 has no 257; of values up to 1 it keeps eight digits."""
    monkeypatch.setattr(filtered, "_LARGEST_PRODUCT", largest)
    images = tf.random.stateless_uniform([1, 140, 6, 1], [0, 0], -1.0, 1.0)
    maps = geometric.translation(tf.constant([30.0]), tf.constant([0.0]))
    given = maps, filtered.margins(maps, 140, 6)
    found = filtered.resample(tf.cast(images, tf.bfloat16), *given)
    assert found.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(found, tf.float32), filtered.resample(images, *given), rtol=0, atol=0.05
    )


@pytest.mark.parametrize("compiled", [False, True])
def test_graphs_and_xla_give_the_same_for_batches_of_any_size(compiled):
    pipe, shape = AugmentPipe("bgcfnc"), (24, 22, 3)
    function = tf.function(lambda images, transforms: pipe(images, transforms), jit_compile=compiled)
    for count in (1, 5):
        images, draws = tf.random.stateless_normal([count, *shape], [0, 0]), drawn(pipe, shape, count)
        transforms, expected = through(pipe, images, draws, 0.7)
        np.testing.assert_allclose(function(images, transforms), expected, rtol=0, atol=1e-4)


def test_each_operation_is_done_as_often_as_its_multiplier_says():
    pipe = AugmentPipe("", cutout=0.25, imgfilter=0.5, imgfilter_bands=(1.0, 1.0, 0.0, 1.0), rotate=0.5)
    draws = drawn(pipe, (22, 22, 1), 4000)
    found = pipe.transforms({n: tf.constant(v) for n, v in draws.items()}, 0.8, (22, 22, 1))
    assert np.mean(found["hole_size"] > 0) == pytest.approx(0.2, abs=0.02)
    changed = np.any(found["gains"].numpy() != 1.0, 1)
    assert changed.mean() == pytest.approx(1 - 0.6**3, abs=0.03)
    turned = np.any(found["maps"].numpy() != np.eye(3, dtype="float32"), (1, 2))
    assert turned.mean() == pytest.approx(0.4, abs=0.03)  # by either of two rotations


def test_strengths_by_hand():
    strengths = dict(
        xint_max=0.5, scale_std=1.0, rotate_max=0.5, xfrac_std=0.25, brightness_std=0.5, contrast_std=1.0,
        hue_max=0.0, saturation_std=2.0, noise_std=0.5, cutout_size=0.25, aniso_std=0.4,
    )  # fmt: skip
    pipe = AugmentPipe("bgc", **strengths)
    shape = (8, 8, 3)
    still = {n: np.zeros((1, *s), np.float32) for n, s in pipe.draw_shapes(shape).items()}
    still |= {n: np.full_like(still[n], 0.5) for n in ("xint_u", "rotate_u", "rotate2_u")}

    def of(**draws):
        draws = {n: np.asarray([v], np.float32).reshape(1, -1) for n, v in draws.items()}
        found = pipe.transforms({n: tf.constant(v) for n, v in (still | draws).items()}, 1.0, shape)
        return {name: value[0].numpy() for name, value in found.items()}

    np.testing.assert_allclose(of()["maps"], np.eye(3), atol=1e-6)
    np.testing.assert_allclose(of(xint_u=(1.0, 0.25))["maps"][:2, 2], [2, -4])  # 4 to the right, 2 up
    np.testing.assert_allclose(of(scale_n=1.0)["maps"], np.diag([0.5, 0.5, 1]), atol=1e-6)
    np.testing.assert_allclose(of(aniso_n=2.5)["maps"], np.diag([2, 0.5, 1]), atol=1e-6)  # wider, and lower
    np.testing.assert_allclose(of(rotate_u=1.0)["maps"], [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(of(xfrac_n=(1.0, 0.5))["maps"][:2, 2], [-1, -2])
    np.testing.assert_allclose(of(brightness_n=1.0)["colors"][:3, 3], [0.5] * 3)
    np.testing.assert_allclose(of(contrast_n=1.0)["colors"][:3, :3], 2 * np.eye(3), atol=1e-6)
    np.testing.assert_allclose(of(hue_u=1.0)["colors"][:3, :3], np.eye(3), atol=1e-6)
    expected = 4 * np.eye(3) - 1.0  # grays stay, the rest four times
    np.testing.assert_allclose(of(saturation_n=1.0)["colors"][:3, :3], expected, atol=1e-6)


def test_what_is_refused():
    for operations in ("bgx", "blit,bg", "geom,geom"):
        with pytest.raises(ConfigError, match="AugmentPipe.operations joins blit, .*Received"):
            AugmentPipe(operations)
    with pytest.raises(ConfigError, match=r"takes images of 22 pixels a side or more. Received: \(21, 30\)"):
        AugmentPipe("filter").operations((21, 30, 3))
    with pytest.raises(ConfigError, match="colours of 1 to 4 channels. Received: 5"):
        AugmentPipe("color").operations((8, 8, 5))
    with pytest.raises(ConfigError, match="hue is a number of at least 0 or None. Received: -1"):
        AugmentPipe(hue=-1)


@pytest.mark.parametrize("probability", [0, 1, np.float64(0.25), tf.constant(0.25, tf.float64)])
def test_a_probability_is_any_number(probability):
    """0 and 1 are whole numbers, and a function of the step is float64: each is as the float32 number."""
    pipe, random = AugmentPipe("bgc"), np.random.default_rng(0)
    draws = {
        name: tf.constant(random.random((5, *shape)), tf.float32)
        for name, shape in pipe.draw_shapes((8, 8, 3)).items()
    }
    found, expected = (pipe.transforms(draws, p, (8, 8, 3)) for p in (probability, float(probability)))
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name)
    gates, uniform, normal = (tf.constant(random.random((5, n)), tf.float32) for n in (8, 6, 4))
    found, expected = (
        geometric.random_map(gates, uniform, normal, p, 8, 8) for p in (probability, float(probability))
    )
    np.testing.assert_array_equal(found, expected)
    moved = np.any(expected != np.eye(3, dtype="float32"), (1, 2))
    assert np.all(moved) if probability == 1 else not np.all(moved)


@pytest.mark.parametrize("side, equal", [(1, False), (2, False), (3, False), (4, True), (5, True)])
def test_what_a_probability_of_0_leaves_of_small_images(side, equal):
    """An image of ones is mirrored by at most a side less one pixel, and 0 beyond, where the filters read 6."""
    pipe, images = AugmentPipe("geom"), np.ones((2, side, side, 1))
    draws = {
        n: tf.fill([2, *s], tf.constant(0.5, tf.float64))
        for n, s in pipe.draw_shapes((side, side, 1)).items()
    }
    seen = pipe(tf.constant(images), pipe.transforms(draws, 0, (side, side, 1)))
    error = np.abs(seen - images).max()
    assert error < 1e-6 if equal else 0.01 < error < 1.0
