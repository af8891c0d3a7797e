import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.fir import LARGEST_PRODUCT, separable_upfirdn2d, upfirdn2d
from tfgans.layers.resample import (
    AverageDownsampling2D,
    BilinearUpsampling2D,
    FIRDownsampling2D,
    FIRUpsampling2D,
    GlobalSumPooling2D,
    NearestUpsampling2D,
    average_pool,
    upsample_bilinear,
    upsample_nearest,
)

SQUARE = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")[None, :, :, None]
IMAGES = np.random.default_rng(0).normal(size=(2, 8, 10, 3))


def test_nearest_repeats_pixels():
    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(NearestUpsampling2D()(SQUARE)[0, :, :, 0], expected)
    expected = IMAGES.repeat(3, axis=1).repeat(3, axis=2)
    np.testing.assert_array_equal(NearestUpsampling2D(3, dtype="float64")(IMAGES), expected)


def test_bilinear_by_hand_and_against_tensorflow():
    row = np.array([0.0, 4.0], "float32")[None, None, :, None]
    np.testing.assert_array_equal(BilinearUpsampling2D()(row)[0, :, :, 0], [[0.0, 1.0, 3.0, 4.0]] * 2)
    expected = tf.image.resize(IMAGES.astype("float32"), (16, 20), "bilinear")
    np.testing.assert_allclose(BilinearUpsampling2D()(IMAGES.astype("float32")), expected, atol=1e-6)


def test_average_and_sum_by_hand():
    assert float(AverageDownsampling2D()(SQUARE)[0, 0, 0, 0]) == 2.5
    np.testing.assert_array_equal(GlobalSumPooling2D()(SQUARE), [[10.0]])
    np.testing.assert_allclose(
        average_pool(tf.constant(IMAGES))[1, 1, 2], IMAGES[1, 2:4, 4:6].mean((0, 1)), rtol=1e-12
    )


@pytest.mark.parametrize("resample", [average_pool, upsample_nearest])
@pytest.mark.parametrize("factor", [0, -1, 1.5, "2", None, True])
def test_factors_that_are_none_are_refused(resample, factor):
    told = f"^{resample.__name__}: factor is an integer of at least 1. Received: {factor!r}$"
    with pytest.raises(ConfigError, match=told):
        resample(tf.constant(IMAGES), factor)


def test_sum_is_float32_under_mixed_precision():
    ones = np.ones((1, 32, 32, 1), "float32")  # a running sum in bfloat16 stops at 256
    assert float(GlobalSumPooling2D(dtype="mixed_bfloat16")(ones)[0, 0]) == 1024.0


def test_upfirdn_by_hand():
    kernel = np.array([[1.0, 2.0], [0.0, 0.0]])  # convolved: out[x] = in[x] + 2 in[x - 1], in the upper row
    image = np.array([[1.0, 10.0]])[None, :, :, None]
    outputs = upfirdn2d(tf.constant(image), kernel, padding=(1, 1))[0, :, :, 0]
    np.testing.assert_array_equal(outputs, [[1.0, 12.0, 20.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize("padding", [(3, 3), (2, 1), (0, 2), (-1, 1), (-1, -2)])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_upfirdn_against_scipy(up, down, padding):
    taps = np.random.default_rng(1).normal(size=4)
    outputs = upfirdn2d(tf.constant(IMAGES), np.outer(taps, taps), up, down, padding).numpy()

    def along(signal):
        signal = np.kron(signal, [1.0] + [0.0] * (up - 1))
        signal = np.pad(signal, [max(p, 0) for p in padding])
        signal = signal[max(-padding[0], 0) : len(signal) - max(-padding[1], 0)]
        full = scipy.signal.upfirdn(taps, signal, 1, 1)
        return full[len(taps) - 1 : len(signal)][::down]

    expected = np.apply_along_axis(along, 2, np.apply_along_axis(along, 1, IMAGES))
    assert outputs.shape == expected.shape
    np.testing.assert_allclose(outputs, expected, atol=1e-12)


LINEAR = {
    "nearest": upsample_nearest,
    "nearest by 3": lambda x: upsample_nearest(x, 3),
    "bilinear": upsample_bilinear,
    "means": average_pool,
    "low-pass": lambda x: separable_upfirdn2d(x, (0.5, -1.0, 2.0, 0.25), padding=(1, 2)),
    "low-pass, all around": lambda x: separable_upfirdn2d(x, (0.5, -1.0, 2.0), padding=(2, 2)),
    "low-pass, cropped": lambda x: separable_upfirdn2d(x, (0.5, -1.0, 2.0), padding=(-1, 1)),
    "halved": lambda x: separable_upfirdn2d(x, (0.5, -1.0, 2.0, 0.25), down=2, padding=(1, 2)),
    "thirds": lambda x: separable_upfirdn2d(x, (0.5, -1.0, 2.0), down=3, padding=(0, 1)),
    "doubled": lambda x: separable_upfirdn2d(x, (0.5, -1.0, 2.0, 0.25), up=2, padding=(2, 1)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_gradients_are_the_transpose_and_theirs_the_operation_again(name):
    """Of a linear operation x -> A x: the gradient of <u, A x> is A' u, and that of <v, A' u> by u is A v."""
    operation, shape = LINEAR[name], (4, 6, 2)
    columns = operation(tf.constant(np.eye(48).reshape(48, *shape)))
    matrix = np.reshape(columns, (48, -1)).T
    random = np.random.default_rng(1)
    x, v = (tf.constant(random.normal(size=(1, *shape))) for _ in range(2))
    u = tf.constant(random.normal(size=(1, *columns.shape[1:])))
    with tf.GradientTape() as outer:
        outer.watch(u)
        with tf.GradientTape() as inner:
            inner.watch(x)
            product = tf.reduce_sum(u * operation(x))
        slope = inner.gradient(product, x)
        again = tf.reduce_sum(v * slope)
    np.testing.assert_allclose(np.ravel(slope), matrix.T @ np.ravel(u), atol=1e-12)
    np.testing.assert_allclose(np.ravel(outer.gradient(again, u)), matrix @ np.ravel(v), atol=1e-12)


@pytest.mark.parametrize("sides", [(1, 3), (LARGEST_PRODUCT + 1, 2)])
def test_bilinear_of_any_size(sides):
    images = np.random.default_rng(4).normal(size=(1, *sides, 1)).astype("float32")
    expected = tf.image.resize(images, [2 * side for side in sides], "bilinear")
    np.testing.assert_allclose(upsample_bilinear(tf.constant(images)), expected, atol=1e-6)


def test_xla_is_given_products_in_place_of_depthwise_convolutions():
    """It has no fast kernel for these on CPUs; also in a function that a compiled one calls."""
    images = tf.constant(IMAGES)

    def low_passed(images):
        return separable_upfirdn2d(images, (0.5, -1.0, 2.0, 0.25), padding=(1, 2))

    def kinds(function):
        graph = function.get_concrete_function(images).graph
        nodes = [*graph.as_graph_def().node]
        for inside in graph.as_graph_def().library.function:
            nodes.extend(inside.node_def)
        return {node.op for node in nodes}

    plain, compiled = tf.function(low_passed), tf.function(low_passed, jit_compile=True)
    nested = tf.function(lambda images: plain(images) + 1.0, jit_compile=True)
    assert "DepthwiseConv2dNative" in kinds(tf.function(low_passed)) or tf.config.list_physical_devices("GPU")
    for function in (compiled, nested):
        assert "BatchMatMulV2" in kinds(function) and "DepthwiseConv2dNative" not in kinds(function)
    np.testing.assert_allclose(compiled(images), low_passed(images), atol=1e-12)


def test_fir_layers_keep_constants_inside_and_shapes():
    ones = np.ones((1, 8, 8, 2), "float32")
    up, down = FIRUpsampling2D()(ones), FIRDownsampling2D()(ones)
    assert up.shape == (1, 16, 16, 2) and down.shape == (1, 4, 4, 2)
    np.testing.assert_allclose(up[0, 2:-2, 2:-2], 1.0, atol=1e-6)
    np.testing.assert_allclose(down[0, 1:-1, 1:-1], 1.0, atol=1e-6)


def test_fir_down_is_the_transpose_of_fir_up():
    """With a symmetric filter of gain 4 in one direction: <up(x), y> = 4 <x, down(y)>."""
    random = np.random.default_rng(2)
    small, large = random.normal(size=(1, 3, 5, 2)), random.normal(size=(1, 6, 10, 2))
    left = np.sum(FIRUpsampling2D(dtype="float64")(small) * large)
    right = 4.0 * np.sum(FIRDownsampling2D(dtype="float64")(large) * small)
    assert left == pytest.approx(right, rel=1e-12)


def test_fir_phase_does_not_shift_the_image():
    ramp = np.broadcast_to(np.arange(8.0)[None, None, :, None], (1, 8, 8, 1))
    up = FIRUpsampling2D(dtype="float64")(ramp)[0, 8, 4:-4, 0]
    np.testing.assert_allclose(up, np.arange(4, 12) / 2.0 - 0.25, atol=1e-12)  # half-pixel centres


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: NearestUpsampling2D(0),
            "NearestUpsampling2D: factor is an integer of at least 1. Received: 0",
        ),
        (lambda: NearestUpsampling2D(1.5), "factor is an integer of at least 1. Received: 1.5"),
        (lambda: AverageDownsampling2D("2"), "factor is an integer of at least 1. Received: '2'"),
        (lambda: FIRUpsampling2D(taps=(1,)), "at least 2 taps with a sum other than 0. Received: (1,)"),
        (lambda: FIRDownsampling2D(taps=(1, -1)), "a sum other than 0. Received: (1, -1)"),
        (lambda: average_pool(np.ones((1, 3, 4, 1))), "takes multiples of it. Received: 3 x 4"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ConfigError) as refusal:
        make()
    assert words in str(refusal.value)
