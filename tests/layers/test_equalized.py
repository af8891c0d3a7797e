import keras
import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.layers.equalized import (
    EqualizedConv2D,
    EqualizedDense,
    EqualizedResidualBlock,
    scaled_leaky_relu,
)
from tfgans.layers.norms import PixelNormalization


def channels_last(images):
    return np.transpose(images, (0, 2, 3, 1))


def kernel(weight):
    """[out, in, height, width] -> [height, width, in, out]."""
    return np.transpose(weight, (2, 3, 1, 0))


def outputs_of(layer, inputs, *weights):
    """The outputs of a layer that is given these weights."""
    layer(inputs)
    layer.set_weights([np.asarray(w) for w in weights])
    return layer(inputs).numpy()


def assert_maps(maps, expected):
    np.testing.assert_allclose(maps, channels_last(expected), rtol=1e-5, atol=2e-6)


def test_scaled_leaky_relu_by_hand():
    np.testing.assert_allclose(
        scaled_leaky_relu(np.array([-1.0, 0.0, 2.0])), [-0.2 * 2**0.5, 0.0, 2 * 2**0.5]
    )


@pytest.mark.parametrize("name", ["map", "affine", "lin_lrelu"])
def test_dense_against_golden(golden, name):
    arrays = golden("regan_c_layers")
    weight, bias, multiplier, expected = (
        arrays[f"eqlin_{name}/{part}"] for part in ("weight", "bias", "lr_mul", "out")
    )
    activation = None if name == "affine" else scaled_leaky_relu
    layer = EqualizedDense(5, learning_rate_multiplier=float(multiplier), activation=activation)
    outputs = outputs_of(layer, arrays["pixelnorm/z"], weight.T, bias)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


def test_convolutions_against_golden(golden):
    arrays = golden("regan_c_layers")
    inputs = channels_last(arrays["mbstd/x"])
    plain = outputs_of(EqualizedConv2D(3), inputs, kernel(arrays["eqconv/weight"]), arrays["eqconv/bias"])
    assert_maps(plain, arrays["eqconv/out"])
    down = EqualizedConv2D(3, downsample=True, activation=scaled_leaky_relu)
    weights = kernel(arrays["convlayer_down/weight"]), arrays["convlayer_down/act_bias"]
    assert_maps(outputs_of(down, inputs, *weights), arrays["convlayer_down/out"])
    shortcut = EqualizedConv2D(3, 1, downsample=True, use_bias=False)
    assert_maps(
        outputs_of(shortcut, inputs, kernel(arrays["convlayer_skip/weight"])), arrays["convlayer_skip/out"]
    )


def test_residual_block_against_golden(golden):
    arrays = golden("regan_c_layers")
    layer = EqualizedResidualBlock(3)
    inputs = channels_last(arrays["mbstd/x"])
    layer(inputs)
    layer.convolution1.set_weights(
        [kernel(arrays["resblock/conv1.0.weight"]), arrays["resblock/conv1.1.bias"]]
    )
    layer.convolution2.set_weights(
        [kernel(arrays["resblock/conv2.1.weight"]), arrays["resblock/conv2.2.bias"]]
    )
    layer.shortcut.set_weights([kernel(arrays["resblock/skip.1.weight"])])
    assert_maps(layer(inputs), arrays["resblock/out"])


def test_progan_layers_against_golden(golden):
    """Gain 2; the first, transposed convolution is a dense layer whose fan-in counts its outputs."""
    arrays = golden("regan_c_layers")
    maps, latents = channels_last(arrays["mbstd/x"]), arrays["pixelnorm/z"]
    weights = kernel(arrays["progan_eq_conv/weight_orig"]), arrays["progan_eq_conv/bias"]
    assert_maps(outputs_of(EqualizedConv2D(3, gain=2.0), maps, *weights), arrays["progan_eq_conv/out"])
    linear = EqualizedDense(5, gain=2.0)
    weights = arrays["progan_eq_linear/weight_orig"].T, arrays["progan_eq_linear/bias"]
    np.testing.assert_allclose(
        outputs_of(linear, latents, *weights), arrays["progan_eq_linear/out"], rtol=1e-5, atol=1e-6
    )
    weight, bias = arrays["progan_eq_convT/weight_orig"], arrays["progan_eq_convT/bias"]  # [7, 3, 4, 4]
    transposed = EqualizedDense(4 * 4 * 3, gain=2.0 * 7 / (3 * 16))
    weights = weight.transpose(0, 2, 3, 1).reshape(7, 48), np.tile(bias, 16)
    assert_maps(outputs_of(transposed, latents, *weights).reshape(4, 4, 4, 3), arrays["progan_eq_convT/out"])


def test_pixel_norm_against_golden(golden):
    arrays = golden("regan_c_layers")
    np.testing.assert_allclose(
        PixelNormalization()(arrays["pixelnorm/z"]), arrays["pixelnorm/z_out"], rtol=1e-5
    )
    assert_maps(PixelNormalization()(channels_last(arrays["mbstd/x"])), arrays["pixelnorm/x_out"])


def test_valid_padding_and_five_by_five_by_hand():
    ones = np.ones((1, 4, 4, 1), "float32")
    valid = outputs_of(EqualizedConv2D(1, 4, padding="valid"), ones, np.ones((4, 4, 1, 1)), [0.0])
    np.testing.assert_allclose(valid, [[[[4.0]]]], rtol=1e-6)  # 16 / sqrt(16)
    wide = np.ones((1, 16, 16, 1), "float32")
    for size in (1, 3, 5):
        weights = np.ones((size, size, 1, 1)), [0.0]
        down = outputs_of(EqualizedConv2D(1, size, downsample=True), wide, *weights)
        assert down.shape == (1, 8, 8, 1)
        np.testing.assert_allclose(down[0, 2:-2, 2:-2], size, rtol=1e-5)  # k^2 / sqrt(k^2), the mean is kept


def test_initial_scales():
    keras.utils.set_random_seed(0)
    dense = EqualizedDense(200, learning_rate_multiplier=0.01, bias_initializer="ones")
    outputs = dense(np.random.default_rng(0).normal(size=(500, 300)).astype("float32")).numpy()
    assert np.std(dense.kernel) == pytest.approx(100.0, rel=0.02)
    assert outputs.mean() == pytest.approx(0.01, abs=0.01)  # the raw bias is 1
    assert outputs.std() == pytest.approx(1.0, rel=0.03)
    convolution = EqualizedConv2D(100, gain=2.0, padding="valid")
    outputs = convolution(np.random.default_rng(1).normal(size=(4, 12, 12, 50)).astype("float32")).numpy()
    assert outputs.std() == pytest.approx(2.0**0.5, rel=0.03)


def test_learning_rate_multiplier_is_a_reparametrisation():
    inputs = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    matrix, bias = np.random.default_rng(1).normal(size=(4, 2)), np.array([0.5, -1.0])
    one = outputs_of(EqualizedDense(2), inputs, matrix, bias)
    slow = outputs_of(EqualizedDense(2, learning_rate_multiplier=0.01), inputs, 100 * matrix, 100 * bias)
    np.testing.assert_allclose(slow, one, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EqualizedDense(0), "EqualizedDense: units is above 0. Received: 0"),
        (lambda: EqualizedDense(1, gain=0.0), "gain is above 0. Received: 0.0"),
        (
            lambda: EqualizedConv2D(1, learning_rate_multiplier=-1.0),
            "learning_rate_multiplier is above 0. Received: -1.0",
        ),
        (lambda: EqualizedConv2D(1, 0), "kernel_size is above 0. Received: 0"),
        (
            lambda: EqualizedConv2D(1, padding="full"),
            "same or valid, and same where maps are resampled. Received: full",
        ),
        (
            lambda: EqualizedConv2D(1, 4, upsampling=2),
            "without downsample. Received: 2, kernel_size 4",
        ),
        (lambda: EqualizedConv2D(1, downsample=True, upsampling=2), "downsample True"),
        (lambda: EqualizedConv2D(1, padding="valid", downsample=True), "Received: valid"),
        (
            lambda: EqualizedConv2D(1, downsample=True)(np.ones((1, 4, 5, 1))),
            "halves maps of even sides. Received: (4, 5)",
        ),
        (lambda: EqualizedResidualBlock(0), "filters is at least 1. Received: 0"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ConfigError) as refusal:
        make()
    assert words in str(refusal.value)
