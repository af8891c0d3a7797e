"""RG-GAN: thresholds and masks against the golden files, the switch, and runs that go on exactly."""

import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import test_style
import toys

from tfgans import checkpoint, pruning
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.layers.blocks import ResidualDownBlock
from tfgans.layers.gates import gated
from tfgans.layers.spectral import SpectralConv2D
from tfgans.methods import compose
from tfgans.methods.regularized import R1GAN
from tfgans.methods.rggan import thresholds as masks
from tfgans.methods.rggan.model import RGGAN
from tfgans.methods.rggan.switch import Switch, sparse_next
from tfgans.methods.style import PathLengthGAN, StyleMixingGAN
from tfgans.networks.resnet import resnet_discriminator, resnet_generator
from tfgans.optimizers import TorchAdam


@pytest.fixture(scope="module")
def arrays():
    return dict(np.load(pathlib.Path(__file__).parents[1] / "golden" / "rggan_step.npz"))


def channels_last(array):
    """A golden weight in Keras's layout."""
    return array.transpose({4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[array.ndim])


def maps(array):
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def close(value, expected, atol=1e-6):
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=atol)


def test_the_derivative_of_a_step(arrays):
    x = tf.constant(arrays["binstep/x"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = masks.soft_step(x)
    np.testing.assert_array_equal(y, arrays["binstep/y"])
    close(tape.gradient(y, x), arrays["binstep/grad"])


@pytest.mark.parametrize("name", ["conv", "fc"])
def test_a_masked_layer(arrays, name):
    case = {key.split("/")[1]: a for key, a in arrays.items() if key.startswith(f"{name}/")}
    layer = keras.layers.Conv2D(3, 3, padding="same") if name == "conv" else keras.layers.Dense(4)
    network = keras.Sequential([keras.Input(maps(case["x"]).shape[1:]), layer])
    layer.set_weights([channels_last(case["weight"]), case["bias"]])
    x, t = tf.constant(maps(case["x"])), tf.constant(case["threshold"])
    close(network(x), maps(case["y_dense"]))
    kernel = network.trainable_variables[0]
    with tf.GradientTape() as tape:
        with gated(network, {0: lambda k: masks.masked(k, t)}):
            y = network(x)
        loss = tf.reduce_sum(y * maps(case["coef"]))
    close(y, maps(case["y_sparse"]))
    kept = masks.kept(kernel.value, t)
    np.testing.assert_array_equal(kept, channels_last(case["mask"]))
    assert float(np.mean(kept)) == pytest.approx(float(case["keep_ratio"]))
    gradient = tape.gradient(loss, kernel.value)
    close(gradient, channels_last(case["grad_weight"]), atol=1e-5)
    close(pruning.zeroed(gradient, ~kept), channels_last(case["grad_weight_masked"]), atol=1e-5)
    with tf.GradientTape() as tape:
        tape.watch(t)
        value = float(case["lambda"]) * masks.penalty([t])
    assert float(value) == pytest.approx(float(case["reg"]), rel=1e-6)
    close(tape.gradient(value, t), case["grad_threshold"], atol=1e-9)


def test_the_guard(arrays):
    kernel, t = channels_last(arrays["reset/weight"]), tf.constant(arrays["reset/threshold_before"])
    after = masks.guarded(kernel, t, 0.01)
    np.testing.assert_array_equal(after, arrays["reset/threshold_after"])
    np.testing.assert_array_equal(masks.kept(kernel, after), channels_last(arrays["reset/mask"]))
    y = arrays["reset/x"] @ masks.masked(tf.constant(kernel), after).numpy() + arrays["reset/bias"]
    close(y, arrays["reset/y"])
    for above in (1, 2):  # of 100 entries
        kernel = np.full((10, 10), 0.1, np.float32)
        kernel.flat[:above] = 1.0
        after = masks.guarded(kernel, tf.fill([10], 0.5), 0.01).numpy()
        assert np.all(after == (0.0 if above == 1 else 0.5))
        assert np.all(arrays[f"reset/kept{above}_of_100_threshold_after"] == 0) == (above == 1)


def test_a_spectral_kernel_is_masked_after_sigma(arrays):
    layer = SpectralConv2D(4, 3, padding="same")
    network = keras.Sequential([keras.Input((4, 4, 2)), layer])
    order = lambda v: v.reshape(2, 3, 3).transpose(1, 2, 0).ravel()  # noqa: E731
    layer.kernel.assign(channels_last(arrays["sn/before/weight_orig"]))
    layer.bias.assign(arrays["sn/before/bias"])
    layer.u.assign(arrays["sn/before/weight_u"])
    layer.v.assign(order(arrays["sn/before/weight_v"]))
    t = tf.constant(arrays["sn/before/threshold"])
    with tf.GradientTape() as tape:
        with gated(network, {0: lambda k: masks.masked(k, t)}):
            y = network(maps(arrays["sn/x"]), training=True)
        loss = tf.reduce_sum(y * maps(arrays["sn/coef"]))
    close(y, maps(arrays["sn/y"]), atol=1e-5)
    close(layer.u, arrays["sn/after/weight_u"])
    close(layer.v, order(arrays["sn/after/weight_v"]))
    kept = masks.kept(layer.normalized_kernel(training=False), t)
    np.testing.assert_array_equal(kept, channels_last(arrays["sn/mask"]))
    gradient = tape.gradient(loss, layer.kernel.value)
    close(gradient, channels_last(arrays["sn/grad_weight_orig"]), atol=1e-5)
    close(pruning.zeroed(gradient, ~kept), channels_last(arrays["sn/grad_weight_orig_masked"]), atol=1e-5)


def cycle_model(arrays):
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(18, activation="relu"),
            layers.Reshape((2, 3, 3)),
            layers.Permute((2, 3, 1)),
            layers.Conv2D(2, 3, padding="same"),
        ]  # fmt: skip
    )
    critic = keras.Sequential([keras.Input((3, 3, 2)), layers.Flatten(), layers.Dense(1)])
    model = RGGAN(
        generator,
        critic,
        threshold_weight=float(arrays["cycle/lambda"]),
        ema_decay=0.999,
        ema_ramp="constant",
    )
    adam = TorchAdam(float(arrays["cycle/lr"]), beta_1=0.0, beta_2=0.9)
    model.compile(adam, TorchAdam(1e-3), run_eagerly=True)
    names = [f"{layer}.{part}" for layer in ("fc", "conv") for part in ("weight", "bias")]
    for network in (generator, model.ema_generator):
        network.set_weights([channels_last(arrays[f"cycle/init/{name}"]) for name in names])
    for values in (model.thresholds["generator"].values, model.average_thresholds):
        for value, layer in zip(values, ("fc", "conv"), strict=True):
            value.assign(arrays[f"cycle/init/{layer}.threshold"])
    return model, names


def test_a_cycle_of_sparse_and_dense_steps(arrays):
    model, names = cycle_model(arrays)
    for step, sparse in enumerate(arrays["cycle/sparse_mode"]):
        model.variant = () if sparse else ("rggan/dense",)
        z, target = arrays["cycle/z"][step], maps(arrays["cycle/target"][step])
        if sparse:
            for layer, pruned in zip(("fc", "conv"), model.thresholds["generator"].pruned(), strict=True):
                mask = channels_last(arrays[f"cycle/s{step}/mask/{layer}"])
                np.testing.assert_array_equal(~pruned.numpy(), mask)

        def terms(z=z, target=target):
            images = model.synthesize({"latents": tf.constant(z), "labels": None}, training=True)
            loss = {"g/mse": tf.reduce_mean(tf.square(images - target))}
            return loss | model._regularizer("generator"), {}

        values, gradients = model.gradients_of(model.step_variables("generator"), terms)
        close(sum(values.values()), arrays[f"cycle/s{step}/loss"])
        model.update_generator(gradients)
        model.update_average(5)
        for name, value in zip(names, model.generator.trainable_variables, strict=True):
            close(value, channels_last(arrays[f"cycle/s{step}/after/{name}"]), atol=5e-6)
        for layer, value in zip(("fc", "conv"), model.thresholds["generator"].values, strict=True):
            close(value, arrays[f"cycle/s{step}/after/{layer}.threshold"])
    for name, value in zip(names, model.ema_generator.trainable_variables, strict=True):
        close(value, channels_last(arrays[f"cycle/ema_final/{name}"]))
    for layer, value in zip(("fc", "conv"), model.average_thresholds, strict=True):
        close(value, arrays[f"cycle/ema_final/{layer}.threshold"])


def test_the_switch(arrays):
    distances, expected = arrays["switch/fid"], arrays["switch/sparse_next"]
    assert [sparse_next(distances[: n + 1]) for n in range(len(distances))] == expected.tolist()
    switch, seen = Switch(GAN(*toys.scalar_networks()), "test"), []
    for step, distance in enumerate(distances, 1):
        switch.record(step, distance)
        switch.record(step, 1e9)  # told again
        seen.append(switch.is_sparse())
    assert seen == expected.tolist()


def test_published_counts(monkeypatch):
    """SNGAN with its thresholds: 4,283,142 and 1,055,105."""
    zeros = lambda self, shape, dtype=None, **_: tf.zeros(shape, dtype or "float32")  # noqa: E731
    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)
    model = RGGAN(resnet_generator(), resnet_discriminator(head_bias=False))
    own = {n: sum(int(np.prod(v.shape)) for v in t.values) for n, t in model.thresholds.items()}
    assert own == {"generator": 6403, "discriminator": 1281}
    for name, count in (("generator", 4_283_142), ("discriminator", 1_055_105)):
        trainable = sum(int(np.prod(v.shape)) for v in getattr(model, name).trainable_variables)
        assert trainable + own[name] == count


def make(seed=0, cls=RGGAN, **options):
    generator = toys.image_networks(batch_norm=False, seed=seed)[0]
    discriminator = resnet_discriminator(resolution=8, channels=1, base_channels=4)
    eager = options.pop("run_eagerly", True)
    return compiled(cls(generator, discriminator, ema_decay=0.9, **options), eager)


def compiled(model, eager=True):
    model.compile(*(TorchAdam(1e-2, beta_1=0.0, beta_2=0.9) for _ in range(2)), run_eagerly=eager)
    return model


def fit(model, first, last):
    return toys.fitted(model, toys.images(4 * last)[4 * first :], batch_size=4)


@pytest.mark.slow
def test_a_run_goes_on_exactly_through_a_dense_phase():
    options = {"threshold_weight": 1e-6}  # thresholds rise by nearly the learning rate
    whole = make(**options)
    logs = fit(whole, 0, 2)
    saved = None
    for index, distance in enumerate([5, 4, 3, 2, 9]):
        whole.evaluated(index + 1, {"fid": float(distance)})
    saved = checkpoint.read_state(whole)
    logs += fit(whole, 2, 4)
    whole.evaluated(6, {"fid": 1.0})
    logs += fit(whole, 4, 5)
    assert [log["rggan/dense"] for log in logs] == [0, 0, 1, 1, 0]
    density = [log["rggan/generator_density"] for log in logs]
    assert density[1] < density[0] < 1 and density[2] == 1 and density[4] < 1
    assert 0 < logs[1]["rggan/discriminator_density"] < 1
    other = make(seed=7, **options)
    checkpoint.write_state(other, saved)
    fit(other, 2, 4)
    other.evaluated(6, {"fid": 1.0})
    fit(other, 4, 5)
    toys.assert_same(toys.values(whole), toys.values(other))


@pytest.mark.slow
def test_compiled_is_eager():
    states = []
    for eager in (True, False):
        model = make(threshold_weight=1e-6, run_eagerly=eager)
        fit(model, 0, 3)
        states.append(toys.values(model))
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_what_is_shown_and_handed_over(tmp_path):
    model = make(threshold_weight=1e-6)
    fit(model, 0, 4)
    places, before = model.thresholds["generator"].places, model.ema_generator.get_weights()
    with model.shown() as generator:
        shown = [generator.trainable_variables[i].numpy() for i in places]
    for a, b in zip(model.ema_generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)  # they are as they were
    sparse, dense = model.part("sparse"), model.part("dense")
    for place, value, threshold in zip(places, shown, model.average_thresholds, strict=True):
        full = dense.trainable_variables[place].numpy()
        expected = full * (np.abs(full) > threshold.numpy())
        np.testing.assert_array_equal(value, expected)
        np.testing.assert_array_equal(sparse.trainable_variables[place], expected)
    assert any(not np.all(value) for value in shown)
    report = model.part_report("sparse", sparse)
    assert report["nonzero"] < report["parameters"] and len(report["tensors"]) == len(places)
    assert json.dumps(report) and model.part_report("dense", dense) is None
    zeros = sum(int(np.sum(value == 0)) for value in shown)
    others = sum(
        int(np.sum(v.numpy() == 0)) for i, v in enumerate(sparse.trainable_variables) if i not in places
    )
    assert report["parameters"] - report["nonzero"] == zeros + others


@pytest.mark.slow
def test_straight_through_the_losses_move_thresholds():
    plain, through = make(), make(straight_through=True)
    for model in (plain, through):
        for t in model.thresholds["generator"].values:
            t.assign(tf.fill(t.shape, 0.05))
        fit(model, 0, 1)
    moved = [
        max(float(np.ptp(t.numpy())) for t in m.thresholds["generator"].values) for m in (plain, through)
    ]
    assert moved[0] == 0.0 and moved[1] > 1e-3  # all alike, or each by its own gradient


@pytest.mark.slow
def test_without_a_weight_it_is_the_base():
    off, base = make(threshold_weight=0.0), make(cls=GAN)
    for model in (off, base):
        fit(model, 0, 2)
    toys.assert_same(toys.values(off), toys.values(base))


def test_thresholds_rise_once_a_step_where_r1_has_an_update_of_its_own():
    """From 0 by the rate times the weight, exp(-0) being 1, in steps with lazy R1 and in others."""
    model = make(cls=compose(RGGAN, R1GAN), threshold_weight=0.1, r1_interval=2)
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    assert model.extra_updates(0) == ("r1/0",)
    fit(model, 0, 1)
    for name in ("generator", "discriminator"):
        for t in model.thresholds[name].values:
            np.testing.assert_allclose(t.numpy(), 0.001, rtol=1e-5, err_msg=name)


def test_a_spectral_generator_is_refused():
    generator = resnet_generator(resolution=8, channels=1, base_channels=4, spectral_normalization=True)
    with pytest.raises(ConfigError, match="RGGAN: the generator has spectral normalisation, in"):
        RGGAN(generator, toys.image_networks()[1])


@pytest.mark.parametrize("spectral", [True, False])
def test_a_spectral_discriminator_that_recomputes_is_refused_when_built(spectral):
    images = keras.Input((8, 8, 1))
    block = ResidualDownBlock(2, spectral_normalization=spectral, recompute=True, name="block")
    logits = keras.layers.Dense(1)(keras.layers.Flatten()(block(images)))
    networks = toys.image_networks(batch_norm=False)[0], keras.Model(images, logits)
    if not spectral:
        assert np.isfinite(fit(compiled(RGGAN(*networks)), 0, 1)[0]["d/adversarial"])
        return
    with pytest.raises(ConfigError, match="^RGGAN: a .* without recompute, which it has in block$"):
        RGGAN(*networks)
    RGGAN(*networks, threshold_weight=0.0)


@pytest.mark.parametrize("first", [True, False])
def test_what_methods_of_styles_make_is_masked(first):
    """In whatever order they are named: mixed styles hid masks of a method named after, path lengths all masks."""
    methods = (PathLengthGAN, StyleMixingGAN)
    methods = (RGGAN, *methods) if first else (*methods, RGGAN)
    model = compose(*methods)(*test_style.networks(4), threshold_weight=1e-6, mixing_probability=1.0)
    latents, kernels = model.draw_latents(2), model.thresholds["generator"].kernels()
    directions = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32"))

    def made():
        return model.path_lengths(latents, directions).numpy(), model.synthesize(latents, True).numpy()

    dense = made()
    for kernel, threshold in zip(kernels, model.thresholds["generator"].values, strict=True):
        threshold.assign(tf.ones_like(threshold) * np.median(np.abs(kernel)))
    sparse = made()
    for layer, pruned in zip(
        model.thresholds["generator"].layers, model.thresholds["generator"].pruned(), strict=True
    ):
        layer.kernel.assign(tf.where(pruned, 0.0, tf.convert_to_tensor(layer.kernel.value)))
    for threshold in model.thresholds["generator"].values:
        threshold.assign(tf.zeros_like(threshold))
    for mine, theirs, without in zip(sparse, made(), dense, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
        assert np.abs(mine - without).max() > 1e-2
