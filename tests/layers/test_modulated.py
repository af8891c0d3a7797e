import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.fir import separable_upfirdn2d, upfirdn2d
from tfgans.layers.modulated import ModulatedConv2D, NoiseInjection, StyledConv2D, ToRGB
from tfgans.layers.resample import FIRDownsampling2D, FIRUpsampling2D

RANDOM = np.random.default_rng(0)
MAPS = RANDOM.normal(size=(3, 4, 4, 2)).astype("float32")
STYLES = RANDOM.normal(size=(3, 5)).astype("float32")


def channels_last(images):
    return np.transpose(images, (0, 2, 3, 1))


# name in the golden file: the layer's arguments
GOLDEN = {
    "plain": {"demodulate": False},
    "demod": {},
    "up": {"resample": "up"},
    "up_nodemod": {"resample": "up", "demodulate": False},
    "down": {"resample": "down"},
    "rgb1x1": {"kernel_size": 1, "demodulate": False},
}


@pytest.mark.parametrize("name", GOLDEN)
def test_modulated_convolution_against_golden(golden, name):
    arrays = golden("regan_b_modconv")
    maps = tf.constant(channels_last(arrays["x8" if name == "down" else "x"]))
    style = tf.constant(arrays["style"])
    layer = ModulatedConv2D(4, **GOLDEN[name])
    layer(maps, style)
    last = (0, 1) if name.startswith("up") else (1, 0)  # [h, w, out, in] or [h, w, in, out]
    layer.kernel.assign(arrays[f"{name}/weight"][0].transpose(2, 3, *last))
    layer.modulation.set_weights([arrays[f"{name}/mod_weight"].T, arrays[f"{name}/mod_bias"]])
    np.testing.assert_allclose(layer.modulation(style), arrays[f"{name}/style_scales"], rtol=1e-5, atol=1e-6)
    expected = channels_last(arrays[f"{name}/out"])
    np.testing.assert_allclose(layer(maps, style), expected, rtol=1e-5, atol=2e-6)


def test_resampling_against_golden(golden):
    arrays = golden("regan_b_modconv")
    small, large = (tf.constant(channels_last(arrays[key])) for key in ("x", "x8"))
    taps = np.array([1, 3, 3, 1]) / 8
    np.testing.assert_allclose(np.outer(taps, taps), arrays["fir_kernel"], rtol=1e-6)
    asymmetric = arrays["upfirdn/asym_kernel"]
    found = {
        "upsample_out": FIRUpsampling2D()(small),
        "downsample_out": FIRDownsampling2D()(large),
        "blur_pad2_1_out": separable_upfirdn2d(small, taps, padding=(2, 1)),
        "blur_pad2_2_out": separable_upfirdn2d(small, taps, padding=(2, 2)),
        "blur_up_gain4_pad1_1_out": separable_upfirdn2d(small, 2 * taps, padding=(1, 1)),
        "asym_up2_down1_pad_2_1": upfirdn2d(small, asymmetric, 2, 1, (2, 1)),
        "asym_up1_down2_pad_1_2": upfirdn2d(large, asymmetric, 1, 2, (1, 2)),
        "asym_negpad": upfirdn2d(large, asymmetric, 1, 1, (-1, -2)),
    }
    assert {f"upfirdn/{name}" for name in found} | {"upfirdn/asym_kernel"} == {
        name for name in arrays if name.startswith("upfirdn/")
    }
    for name, images in found.items():
        expected = channels_last(arrays[f"upfirdn/{name}"])
        np.testing.assert_allclose(images, expected, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("sides", [(6, 9), (170, 4)])  # by matrices, and above their largest side by a filter
@pytest.mark.parametrize(
    ("up", "down", "padding"), [(1, 1, (2, 1)), (2, 1, (1, 2)), (1, 2, (-1, 3)), (3, 2, (0, -2))]
)
def test_separable_resampling_is_that_with_the_outer_product(sides, up, down, padding):
    images = tf.constant(np.random.default_rng(1).normal(size=(2, *sides, 3)))
    taps = (0.5, -1.0, 2.0)
    expected = upfirdn2d(images, np.outer(taps, taps), up, down, padding)
    found = separable_upfirdn2d(images, taps, up, down, padding)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("resample", [None, "up", "down"])
def test_sides_means_and_demodulation_by_hand(kernel_size, resample):
    """One channel, a kernel of ones: a constant comes out as its mean response, k^2 / k / sqrt(sum of squares)."""
    maps, styles = np.full((2, 16, 16, 1), 3.0, "float32"), np.array([[1.0], [-2.0]], "float32")
    layer = ModulatedConv2D(1, kernel_size, resample=resample, demodulate=False)
    layer(maps, styles)
    layer.kernel.assign(tf.ones_like(layer.kernel))
    layer.modulation.set_weights([np.ones((1, 1)), np.zeros(1)])  # scales 1 and -2
    sides = {None: 16, "up": 32, "down": 8}[resample]
    outputs = layer(maps, styles).numpy()
    assert outputs.shape == (2, sides, sides, 1) == (2, *layer.compute_output_shape(maps.shape)[1:])
    middle = outputs[:, sides // 2 - 1 : sides // 2 + 1, sides // 2 - 1 : sides // 2 + 1, 0]
    # a stride-2 transposed convolution shares k^2 taps among four output pixels, the gain of 4 makes up
    means = 3.0 * np.array([1.0, -2.0]) * kernel_size
    np.testing.assert_allclose(middle.mean((1, 2)), means, rtol=1e-5)
    layer.demodulate = True
    outputs = layer(maps, styles).numpy()[
        :, sides // 2 - 1 : sides // 2 + 1, sides // 2 - 1 : sides // 2 + 1, 0
    ]
    np.testing.assert_allclose(outputs.mean((1, 2)), means / np.array([1.0, 2.0]), rtol=1e-5)


def test_a_sample_has_the_kernel_of_its_own_style():
    """The unfused form equals a convolution a sample with W'[i, o] = d_o s_i W[i, o]."""
    layer = ModulatedConv2D(3, dtype="float64")
    maps, styles = MAPS.astype("float64"), STYLES.astype("float64")
    outputs = layer(maps, styles).numpy()
    scales = layer.modulation(styles).numpy()
    for sample in range(3):
        kernel = layer.kernel.numpy() / np.sqrt(9 * 2) * scales[sample][:, None]
        kernel = kernel / np.sqrt((kernel**2).sum((0, 1, 2)) + 1e-8)
        expected = tf.nn.conv2d(maps[sample : sample + 1], kernel, 1, "SAME")
        np.testing.assert_allclose(outputs[sample], expected[0], rtol=1e-10, atol=1e-12)


def test_to_rgb_by_hand():
    layer = ToRGB()
    layer(MAPS, STYLES)
    layer.bias.assign([0.5, 0.0, -1.0])
    scales = layer.modulation(STYLES).numpy()
    kernel = layer.kernel.numpy()[0, 0] / np.sqrt(2)
    expected = np.einsum("nhwi,ni,io->nhwo", MAPS, scales, kernel) + [0.5, 0.0, -1.0]
    np.testing.assert_allclose(layer(MAPS, STYLES), expected, rtol=1e-5, atol=1e-5)
    assert layer.count_params() == 2 * 3 + 3 + 5 * 2 + 2


def test_noise_is_added_with_one_strength():
    layer = NoiseInjection(seed=4)
    noise = RANDOM.normal(size=(3, 4, 4, 1)).astype("float32")
    np.testing.assert_array_equal(layer(MAPS, noise), MAPS)  # the strength starts at 0
    layer.strength.assign(0.5)
    np.testing.assert_allclose(layer(MAPS, noise), MAPS + 0.5 * noise, rtol=1e-6)
    np.testing.assert_allclose(layer(MAPS, noise[:1]), MAPS + 0.5 * noise[:1], rtol=1e-6)
    own = (layer(MAPS) - MAPS).numpy()
    assert np.ptp(own, axis=0).max() < 1e-6 and np.ptp(own, axis=3).max() < 1e-6  # samples, channels share it
    assert np.abs(own).max() > 0.1


def test_own_noise_is_a_function_of_seed_and_sides():
    def own(seed, sides=(64, 64)):
        layer = NoiseInjection(seed)
        layer.build((None, *sides, 1))
        return layer.own_noise[0, :, :, 0]

    assert own(0).mean() == pytest.approx(0.0, abs=0.06) and own(0).std() == pytest.approx(1.0, abs=0.06)
    np.testing.assert_array_equal(own(0), own(0))
    assert abs(np.corrcoef(own(0).ravel(), own(1).ravel())[0, 1]) < 0.06
    traced = NoiseInjection(0)
    tf.function(traced)(np.zeros((1, 64, 64, 1), "float32"))  # built inside a graph
    np.testing.assert_array_equal(traced.own_noise[0, :, :, 0], own(0))


def test_styled_convolution_is_its_parts():
    layer = StyledConv2D(3, up=True)
    noise = RANDOM.normal(size=(3, 8, 8, 1)).astype("float32")
    layer(MAPS, STYLES)
    layer.noise.strength.assign(0.7)
    layer.bias.assign([0.1, -0.2, 0.3])
    x = layer.convolution(MAPS, STYLES) + 0.7 * noise + np.array([0.1, -0.2, 0.3], "float32")
    expected = 2**0.5 * np.where(x > 0, x, 0.2 * x)
    np.testing.assert_allclose(layer(MAPS, STYLES, noise), expected, rtol=1e-5, atol=1e-6)
    assert layer.count_params() == 9 * 2 * 3 + 3 + 1 + 5 * 2 + 2  # kernel, bias, noise, affine
    assert not np.allclose(layer(MAPS, STYLES), expected)


def test_half_precision_keeps_scales_and_demodulation_wide():
    styles = 300.0 * STYLES  # the squares of the scales overflow float16
    exact = ModulatedConv2D(3)
    outputs = exact(MAPS, styles)
    half = ModulatedConv2D(3, dtype="mixed_float16")
    half(MAPS, styles)
    half.set_weights(exact.get_weights())
    found = half(MAPS, styles)
    assert found.dtype == tf.float16 and {w.dtype for w in half.weights} == {"float32"}
    np.testing.assert_allclose(found, outputs, atol=0.01 * np.abs(outputs).max())


def test_fixed_noise_and_names_survive_a_config():
    layer = StyledConv2D(3, 5, up=False, seed=7)
    copy = StyledConv2D.from_config(layer.get_config())
    layer(MAPS, STYLES)
    copy(MAPS, STYLES)
    np.testing.assert_array_equal(layer.noise.own_noise, copy.noise.own_noise)
    assert [tuple(w.shape) for w in copy.weights] == [tuple(w.shape) for w in layer.weights]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ModulatedConv2D(0), "ModulatedConv2D: filters is above 0. Received: 0"),
        (lambda: ModulatedConv2D(1, resample="nearest"), "resample is None, up or down. Received: nearest"),
        (lambda: ModulatedConv2D(1, 7, resample="up"), "at most 5 where it doubles. Received: 7"),
        (lambda: NoiseInjection().build((None, None, 4, 1)), "must know the map's sides"),
        (
            lambda: ModulatedConv2D(1, resample="down").build((1, 5, 4, 1), (1, 2)),
            "even sides. Received: (5, 4)",
        ),
    ],
)
def test_refusals(make, words):
    keras.utils.set_random_seed(0)
    with pytest.raises(ConfigError) as refusal:
        make()
    assert words in str(refusal.value)
