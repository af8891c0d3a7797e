"""Octave layers against the authors' code, and by hand."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.resample import NearestUpsampling2D
from tfgans.methods.octave.conv import OctaveConv2D, OctaveConv2DTranspose, PathUniform, low_channels, on_each
from tfgans.methods.octave.soft import (
    SoftOctaveConv2D,
    SoftOctaveConv2DTranspose,
    SpectralSoftOctaveConv2D,
    set_betas,
)

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "octave_layers.npz")
close = dict(rtol=1e-6, atol=1e-9)


def golden(name):
    """An array; images as [N, H, W, C]."""
    value = GOLDEN[name]
    return value.transpose(0, 2, 3, 1) if value.ndim == 4 and ".w." not in name else value


def maps_of(case, kind="in"):
    if f"{case}.{kind}.h" in GOLDEN:
        return [golden(f"{case}.{kind}.h"), golden(f"{case}.{kind}.l")]
    return golden(f"{case}.{kind}.{'x' if kind == 'in' else 'y'}")


def kernel_of(case, prefix="w.", transposed=False):
    """The four kernels as one, [height, width, in, out] (of a transposed convolution [.., out, in])."""

    def block(path):
        name = f"{case}.{prefix}{path}.weight"
        if name not in GOLDEN:
            return None
        return GOLDEN[name].transpose((2, 3, 1, 0))  # OIHW -> HWIO, IOHW -> HWOI

    into, out = (3, 2) if transposed else (2, 3)
    columns = []
    for target in "hl":
        parts = [part for part in (block(f"{source}2{target}") for source in "hl") if part is not None]
        if parts:
            columns.append(np.concatenate(parts, into))
    return np.concatenate(columns, out)


def assert_maps(outputs, expected):
    outputs, expected = tf.nest.flatten(outputs), tf.nest.flatten(expected)
    for mine, theirs in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, **close)


CONVOLUTIONS = {
    "conv_s1": dict(filters=8),
    "conv_s1_a25": dict(filters=8, alpha=0.25),
    "conv_s1_a75_odd": dict(filters=5, alpha=0.75),
    "conv_s2": dict(filters=8, strides=2),
    "first_s1": dict(filters=8),
    "first_s2": dict(filters=8, strides=2),
    "last_s1": dict(filters=3, alpha=0.0),
    "last_s2": dict(filters=3, alpha=0.0, strides=2),
    "lastlow_s2": dict(filters=1, alpha=0.0, strides=2, low_resolution=True),
}


@pytest.mark.parametrize("layer_class", [OctaveConv2D, SoftOctaveConv2D])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions_are_the_authors(case, layer_class):
    layer = layer_class(kernel_size=3, use_bias=False, dtype="float64", **CONVOLUTIONS[case])
    maps = maps_of(case)
    layer.build(tf.nest.map_structure(lambda x: x.shape, maps))
    layer.kernel.assign(kernel_of(case))
    assert_maps(layer(maps), maps_of(case, "out"))


def test_bias_of_an_output_is_the_sum_of_the_authors_two():
    layer = OctaveConv2D(8, 3, dtype="float64")
    maps = maps_of("conv_s1_bias")
    layer.build([part.shape for part in maps])
    layer.kernel.assign(kernel_of("conv_s1_bias"))
    bias = {path: GOLDEN[f"conv_s1_bias.w.{path}.bias"] for path in ("h2h", "h2l", "l2h", "l2l")}
    layer.bias.assign(np.concatenate([bias["h2h"] + bias["l2h"], bias["h2l"] + bias["l2l"]]))
    assert_maps(layer(maps), maps_of("conv_s1_bias", "out"))


def test_transposed_convolution_pools_before_and_repeats_after():
    layer = OctaveConv2DTranspose(8, 4, strides=2, use_bias=False, dtype="float64")
    maps = maps_of("own_transposed_k4s2p1")
    layer.build([part.shape for part in maps])
    layer.kernel.assign(kernel_of("own_transposed_k4s2p1", transposed=True))
    assert_maps(layer(maps), maps_of("own_transposed_k4s2p1", "out"))


BLOCKS = {
    "upblock_cbr": (True, 8, keras.layers.ReLU),
    "first_upblock_cbr": (True, 8, keras.layers.ReLU),
    "first_cbl_s2": (False, 8, lambda **options: keras.layers.LeakyReLU(0.2, **options)),
    "cbl_s2": (False, 8, lambda **options: keras.layers.LeakyReLU(0.2, **options)),
}


@pytest.mark.parametrize("case", BLOCKS)
def test_blocks_with_norms_are_the_authors(case):
    up, filters, activation = BLOCKS[case]
    maps = maps_of(case)
    norms = []

    def norm():
        norms.append(BatchNormalization(dtype="float64"))
        return norms[-1]

    resizing = {"upsampling": 2} if up else {"strides": 2}
    convolution = SoftOctaveConv2D(filters, 3, use_bias=False, dtype="float64", **resizing)
    inputs = tf.nest.map_structure(lambda x: keras.Input(x.shape[1:], dtype="float64"), maps)
    x = on_each(lambda: activation(dtype="float64"), on_each(norm, convolution(inputs)))
    block = keras.Model(inputs, x)
    convolution.kernel.assign(kernel_of(case, "w.conv."))
    for layer, part in zip(norms, "hl", strict=True):
        layer.gamma.assign(GOLDEN[f"{case}.w.bn_{part}.weight"])
        layer.beta.assign(GOLDEN[f"{case}.w.bn_{part}.bias"])
    assert_maps(block(maps, training=True), maps_of(case, "out_train"))
    for layer, part in zip(norms, "hl", strict=True):
        after = f"{case}.after.bn_{part}.running_"
        np.testing.assert_allclose(layer.moving_mean, GOLDEN[after + "mean"], **close)
        np.testing.assert_allclose(layer.moving_variance, GOLDEN[after + "var"], **close)
    assert_maps(block(maps, training=False), maps_of(case, "out_eval"))


def test_last_convolution_after_doubling():
    maps = maps_of("last_up")
    layer = OctaveConv2D(3, 3, alpha=0.0, upsampling=2, use_bias=False, dtype="float64")
    layer.build([part.shape for part in maps])
    layer.kernel.assign(kernel_of("last_up", "w.conv."))
    assert_maps(layer(maps), maps_of("last_up", "out"))


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_upsampling_repeats_pixels_first(factor, alpha):
    random = np.random.default_rng(0)
    sizes = [(1, 4, 4, 2), (1, 2, 2, 3)]
    pair = [tf.constant(random.normal(size=size)) for size in sizes]
    inside = OctaveConv2D(4, 3, alpha=alpha, upsampling=factor, dtype="float64")
    plain = OctaveConv2D(4, 3, alpha=alpha, dtype="float64")
    repeat = NearestUpsampling2D(factor, dtype="float64")
    for maps in (pair, pair[0]):
        inside, plain = (type(layer).from_config(layer.get_config()) for layer in (inside, plain))
        inside(maps)
        plain(tf.nest.map_structure(repeat, maps))
        plain.set_weights(inside.get_weights())
        outputs = inside(maps)
        assert_maps(outputs, plain(tf.nest.map_structure(repeat, maps)))
        shapes = inside.compute_output_shape(tf.nest.map_structure(lambda x: tuple(x.shape), maps))
        shapes = shapes if isinstance(shapes, list) else [shapes]
        assert shapes == [tuple(x.shape) for x in tf.nest.flatten(outputs)]


@pytest.mark.parametrize(
    "mine, plain, options",
    [
        (OctaveConv2D, keras.layers.Conv2D, {"kernel_size": 3, "padding": "same"}),
        (SoftOctaveConv2D, keras.layers.Conv2D, {"kernel_size": 4, "strides": 2, "activation": "tanh"}),
        (OctaveConv2D, keras.layers.Conv2D, {"kernel_size": 3, "dilation_rate": 2, "use_bias": False}),
        (SoftOctaveConv2DTranspose, keras.layers.Conv2DTranspose, {"kernel_size": 4, "strides": 2}),
    ],
)
def test_without_an_octave_it_is_the_plain_convolution(mine, plain, options):
    images = tf.random.normal((2, 8, 8, 3))
    theirs = plain(5, **{"padding": "same"} | options)
    expected = theirs(images)
    layer = mine(5, alpha=0.0, **options)
    layer.build(images.shape)
    for new, old in zip(layer.trainable_variables, theirs.trainable_variables, strict=True):
        new.assign(old)
    np.testing.assert_array_equal(layer(images), expected)
    assert layer.compute_output_shape(images.shape) == tuple(expected.shape)


def test_betas_scale_the_inputs_and_rows_are_training_and_inference():
    plain, soft = OctaveConv2D(6, 3, dtype="float64"), SoftOctaveConv2D(6, 3, dtype="float64")
    high, low = (
        tf.random.normal((2, 4, 4, 3), dtype="float64"),
        tf.random.normal((2, 2, 2, 2), dtype="float64"),
    )
    plain([high, low])
    soft.build([high.shape, low.shape])
    soft.kernel.assign(plain.kernel)
    soft.betas.assign([[0.3, 0.6], [0.7, 0.2]])
    assert_maps(soft([high, low], training=True), plain([0.3 * high, 0.6 * low]))
    assert_maps(soft([high, low], training=False), plain([0.7 * high, 0.2 * low]))
    assert_maps(soft([high, low]), plain([0.7 * high, 0.2 * low]))


def test_one_tensor_is_not_scaled():
    soft = SoftOctaveConv2D(6, 3)
    images = tf.random.normal((2, 4, 4, 3))
    before = soft(images)
    soft.betas.assign([[0.0, 0.0], [0.0, 0.0]])
    assert_maps(soft(images), before)


def test_set_betas_needs_no_new_trace():
    maps = [keras.Input((4, 4, 2)), keras.Input((2, 2, 2))]
    model = keras.Model(maps, SoftOctaveConv2D(4, 3)(maps))
    traces = []

    @tf.function
    def run(high, low):
        traces.append(1)
        return model([high, low], training=True)

    inputs = [tf.ones((1, 4, 4, 2)), tf.ones((1, 2, 2, 2))]
    first = run(*inputs)
    set_betas(model, 2.0, 2.0)
    for one, two in zip(first, run(*inputs), strict=True):
        np.testing.assert_allclose(two, 2.0 * one, rtol=1e-6)
    set_betas(model, 0.0, 0.0, evaluation=(2.0, 2.0))
    assert not np.any(run(*inputs)[0])
    np.testing.assert_allclose(model(inputs, training=False)[0], 2.0 * first[0], rtol=1e-6)
    assert len(traces) == 1


def test_spectral_layer_divides_the_whole_kernel():
    layer = SpectralSoftOctaveConv2D(6, 3, use_bias=False, dtype="float64")
    maps = [tf.random.normal((1, 4, 4, 3), dtype="float64"), tf.random.normal((1, 2, 2, 2), dtype="float64")]
    for _ in range(200):
        layer(maps, training=True)
    sigma = np.linalg.svd(np.reshape(layer.kernel, (-1, 6)), compute_uv=False)[0]
    plain = OctaveConv2D(6, 3, use_bias=False, dtype="float64")
    plain.build([part.shape for part in maps])
    plain.kernel.assign(layer.kernel / sigma)
    assert_maps(layer(maps), plain(maps))


@pytest.mark.parametrize("alpha, counts", [(0.5, (4, 16, 64)), (0.99, (7, 31, 126)), (0.29, (2, 9, 37))])
def test_channels_are_cut_as_the_authors_cut_them(alpha, counts):
    assert tuple(low_channels(alpha, channels) for channels in (8, 32, 128)) == counts
    assert low_channels(0.29, 100) == 28  # 0.29 * 100 is just below 29 in floating point


def test_initial_kernel_has_each_blocks_own_fan_in():
    keras.utils.set_random_seed(0)
    kernel = np.asarray(PathUniform(low_channels=64)((3, 3, 192, 256)))
    for block, channels in ((kernel[:, :, :128], 128), (kernel[:, :, 128:], 64)):
        bound = (9 * channels) ** -0.5
        assert 0.999 * bound < np.abs(block).max() <= bound
        assert block.std() == pytest.approx(bound / 3**0.5, rel=0.01)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: OctaveConv2D(8, 3, alpha=1.0), "alpha is a number in"),
        (lambda: OctaveConv2D(8, 3, alpha=0.1), "none of 8 filters low"),
        (lambda: OctaveConv2D(8, 3, padding="valid"), "padding 'same'"),
        (lambda: OctaveConv2D(8, 3, groups=2), "one group"),
        (lambda: OctaveConv2D(8, 3, strides=(1, 2)), "both strides"),
        (lambda: OctaveConv2D(8, 3, low_resolution=True), "needs alpha = 0"),
        (lambda: OctaveConv2D(8, 3, upsampling=0), "upsampling is at least 1"),
        (lambda: OctaveConv2D(8, 3, upsampling=2, strides=2), "1 with strides"),
        (lambda: OctaveConv2D(8, 3)([tf.ones((1, 4, 4, 2)), tf.ones((1, 4, 4, 2))]), "half the resolution"),
        (lambda: OctaveConv2D(8, 3)(tf.ones((1, 5, 4, 2))), "multiples"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
