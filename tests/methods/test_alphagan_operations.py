"""AlphaGAN's operations against the authors' code, and by hand."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.state import frozen_state
from tfgans.methods.alphagan.spaces.autogan import convolutions, operations
from tfgans.methods.alphagan.spaces.autogan.operations import NORMAL, UP, make_operation

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "alphagan_ops.npz")
CASES = sorted(name.removesuffix("/y_eval") for name in GOLDEN if name.endswith("/y_eval"))
close = dict(rtol=1e-5, atol=2e-6)


def channels_last(array):
    return array.transpose(0, 2, 3, 1)


def sublayers(layer):
    """The layers with weights, by the authors' name of each."""
    if isinstance(layer, operations.ActivatedSeparableConvolution):
        stages = zip(layer.depthwise, layer.pointwise, layer.normalizations, strict=True)
        return {f"op.{4 * i + j}": part for i, stage in enumerate(stages) for j, part in enumerate(stage, 1)}
    if isinstance(layer, operations.ActivatedConvolution):
        return (
            {"2": layer.convolution, "1": layer.normalization}
            if layer.normalization
            else {"1": layer.convolution}
        )
    if isinstance(layer, operations.Deconvolution):
        return (
            {"0._func": layer.convolution, "1": layer.normalization}
            if layer.normalization
            else {"_func": layer.convolution}
        )
    return {"_conv": layer.convolution} if isinstance(layer, operations.LearnableInterpolation) else {}


VARIABLES = {
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
    "weight_u": "u",
    "weight_v": "v",
}


def variable(layer, parameter):
    if hasattr(layer, "moving_mean"):
        return getattr(layer, {"weight": "gamma", "bias": "beta"}.get(parameter) or VARIABLES[parameter])
    return layer.bias if parameter == "bias" else getattr(layer, VARIABLES.get(parameter, "kernel"))


def as_ours(array, layer):
    """Kernels [out, in, h, w], and [in, out, h, w] of a transposed one, become ours; of one column, `v` too."""
    if array.ndim == 4:
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        return array.transpose(2, 3, 0, 1) if depthwise else array.transpose(2, 3, 1, 0)
    if array.ndim == 1 and array.size > 4:  # v of a spectral kernel, [in, h, w]
        side = layer.kernel_size[0]
        return array.reshape(-1, side, side).transpose(1, 2, 0).reshape(-1)
    return array


def assigned(case, folder):
    """(our variable, the authors' value) of everything in a folder of a golden case."""
    layer, pairs = make(case), []
    layer.build((None, 5, 6, 4))
    parts = sublayers(layer)
    for name in GOLDEN:
        if name.startswith(f"{case}/{folder}/"):
            part, _, parameter = name.removeprefix(f"{case}/{folder}/").rpartition(".")
            pairs.append((variable(parts[part], parameter), as_ours(GOLDEN[name], parts[part])))
    return layer, pairs


def make(case):
    name, stride, *affine = case.split("/")
    stride = int(stride.removeprefix("stride"))
    return make_operation(name, 4, affine=affine == ["affine1"], stride=stride)


def test_every_operation_has_a_golden_case_of_its_kind():
    found = {case.split("/")[0] for case in CASES}
    assert found == {name for name in {**NORMAL, **UP} if name not in ("conv_1x1_bn", "conv_5x5_bn")}


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    layer, pairs = assigned(case, "w")
    assert len(pairs) == len({id(v) for v, _ in pairs}) == len(layer.weights)
    for mine, theirs in pairs:
        mine.assign(theirs)
    images = channels_last(GOLDEN["x"])
    np.testing.assert_allclose(layer(images), channels_last(GOLDEN[f"{case}/y_eval"]), **close)
    if f"{case}/y_train" not in GOLDEN:
        np.testing.assert_array_equal(run(layer, images, training=True), layer(images))
        return
    after = [name for name in GOLDEN if name.startswith(f"{case}/w_after_train/")]
    np.testing.assert_allclose(
        layer(images, training=True), channels_last(GOLDEN[f"{case}/y_train"]), **close
    )
    parts = sublayers(layer)
    for name in after:
        part, _, parameter = name.removeprefix(f"{case}/w_after_train/").rpartition(".")
        value = as_ours(GOLDEN[name], parts[part])
        np.testing.assert_allclose(variable(parts[part], parameter), value, err_msg=name, **close)
    assert after


def run(layer, inputs, training):
    return layer(inputs, training=training) if layer._call_has_training_arg else layer(inputs)


# Trainable parameters with 256 channels and affine norms.
SIZES = {
    "conv_1x1": 65_792, "conv_3x3": 590_080, "conv_5x5": 1_638_656, "sep_conv_3x3": 136_704,
    "sep_conv_5x5": 144_896, "sep_conv_7x7": 157_184, "deconv": 262_400, "nearest": 0, "bilinear": 0,
    "nearest_conv": 65_536, "sep_conv_3x3_single": 68_352, "deconv_norm": 262_912, "conv_3x3_bn": 590_592,
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_parameters(name):
    layer = make_operation(name, 256, stride=1 if name in NORMAL else 2)
    layer.build((None, 4, 4, 256))
    assert (
        layer.count_params() - sum(int(np.prod(v.shape)) for v in layer.non_trainable_variables)
        == SIZES[name]
    )


@pytest.mark.parametrize("name", [*NORMAL, *UP])
def test_saves_and_loads(name, tmp_path):
    inputs = keras.Input((4, 4, 3))
    layer = make_operation(name, 3, affine=False, initialization="search", stride=1 if name in NORMAL else 4)
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_array_equal(loaded(images), model(images))
    assert loaded.layers[1].get_config() == layer.get_config()


@pytest.mark.parametrize("name", UP)
def test_four_is_two_twice_with_the_same_weights(name):
    """But for the 1x1 convolution and the norm, which come once."""
    twice, once = make_operation(name, 2, stride=4), make_operation(name, 2, stride=2)
    images = np.random.default_rng(0).normal(size=(1, 3, 3, 2)).astype("float32")
    first = once(images)
    twice.build(images.shape)
    assert [v.shape for v in twice.weights] == [v.shape for v in once.weights]
    twice.set_weights(once.get_weights())
    if name.startswith("deconv"):
        expected = once.convolution(once.convolution(images))
        expected = once.normalization(expected) if name == "deconv_norm" else expected
        expected = tf.nn.relu(expected) if name == "deconv_norm" else expected
    else:
        expected = operations.Interpolation(name.removesuffix("_conv"))(first)
    np.testing.assert_allclose(twice(images), expected, rtol=1e-6, atol=1e-6)


def limits(layer):
    """The largest value of every weight, by the last part of its path."""
    return {re.sub(".*/", "", v.path): np.abs(v.numpy()).max() for v in layer.trainable_variables}


@pytest.mark.parametrize("initialization", convolutions.INITIALIZATIONS)
def test_starting_values(initialization):
    def made(name, stride=1):
        layer = make_operation(name, 64, initialization=initialization, stride=stride)
        layer.build((None, 4, 4, 64))
        return layer

    retraining = initialization == "retraining"
    convolution, separable, deconvolution = made("conv_3x3"), made("sep_conv_5x5"), made("deconv", 2)
    bound = (9 * 64) ** -0.5
    expected = [
        (convolution.convolution.kernel, (6 / (2 * 9 * 64)) ** 0.5 if retraining else bound),
        (convolution.convolution.bias, bound),
        (separable.depthwise[1].kernel, (6 / (25 * 65)) ** 0.5 if retraining else 0.2),
        (separable.pointwise[0].kernel, (6 / 128) ** 0.5 if retraining else 0.125),
        (deconvolution.convolution.kernel, 256**-0.5),
        (deconvolution.convolution.bias, 256**-0.5),
    ]
    for weight, limit in expected:
        assert 0.93 * limit < np.abs(weight.numpy()).max() <= limit, weight.path
    for norm in separable.normalizations:
        gamma = norm.gamma.numpy()
        assert gamma.std() == (pytest.approx(0.02, abs=0.006) if retraining else 0.0)
        assert gamma.mean() == pytest.approx(1.0, abs=0.01)


def test_a_given_activation_is_not_repeated():
    images = np.array([-2.0, 3.0], "float32").reshape(1, 1, 2, 1)
    layer = make_operation("conv_1x1", 1)
    layer.build(images.shape)
    layer.convolution.kernel.assign([[[[2.0]]]])
    layer.convolution.bias.assign([1.0])
    assert np.ravel(layer(images)).tolist() == [1.0, 7.0]
    assert np.ravel(layer(images, activated=True)).tolist() == [-3.0, 7.0]


def test_frozen_state_keeps_instance_statistics():
    layer = make_operation("deconv_norm", 2, stride=2)
    images = np.random.default_rng(0).normal(size=(2, 3, 3, 2)).astype("float32")
    layer.build(images.shape)
    before = layer.normalization.moving_mean.numpy()
    with frozen_state():
        frozen = layer(images, training=True)
    np.testing.assert_array_equal(layer.normalization.moving_mean, before)
    np.testing.assert_array_equal(layer(images, training=True), frozen)
    assert np.abs(layer.normalization.moving_mean - before).max() > 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("conv_9x9", 4), "normal operations are different ones of none, .*. Received: .'conv_9x9'"),
        (("deconv", 4), "normal operations are"),
        (("conv_1x1", 4, True, "retraining", 2), "up operations are"),
        (("deconv", 4, True, "retraining", 3), "stride is 2 or 4. Received: 3"),
        (("conv_1x1", 4, True, "zeros"), "initialization is retraining or search. Received: zeros"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        make_operation(*arguments)


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(ConfigError, match="nearest or bilinear. Received: cubic"):
        operations.Interpolation("cubic")
