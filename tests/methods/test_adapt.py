"""ADAPT: densities, events and the balance rule against the golden files, and runs that go on exactly."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from slow import some

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.layers.kernels import kernel_layers
from tfgans.layers.norms import BatchNormalization
from tfgans.methods import compose
from tfgans.methods.adapt import masks
from tfgans.methods.adapt.balance import DensityRule, balance_ratio
from tfgans.methods.adapt.model import AdaptGAN
from tfgans.methods.regularized import R1GAN
from tfgans.networks.resnet import resnet_discriminator, resnet_generator
from tfgans.optimizers import TorchAdam

KERNELS = ("l1.weight", "c1.weight", "c2.weight")


@pytest.fixture(scope="module")
def arrays():
    return dict(np.load(pathlib.Path(__file__).parents[1] / "golden" / "adapt_step.npz"))


def channels_last(array):
    """A golden weight in Keras's layout."""
    return array.transpose({4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[array.ndim])


def published_shapes(network):
    """SNGAN's kernels, by the authors' names."""
    wide, narrow = (256, 256, 3, 3), (256, 256, 1, 1)
    if network == "G":
        blocks = {
            f"block{b}.{c}": s for b in (2, 3, 4) for c, s in (("c1", wide), ("c2", wide), ("c_sc", narrow))
        }
        return {"l1": (4096, 128), **blocks, "c5": (3, 256, 3, 3)}
    inner = (128, 128, 3, 3)
    first = {"block1.c1": (128, 3, 3, 3), "block1.c2": inner, "block1.c_sc": (128, 3, 1, 1)}
    rest = {f"block{b}.{c}": inner for b in (2, 3, 4) for c in ("c1", "c2")}
    return first | rest | {"block2.c_sc": (128, 128, 1, 1), "l5": (1, 128)}


@pytest.mark.parametrize("network", ["G", "D"])
def test_first_densities(arrays, network):
    shapes = published_shapes(network)
    found = {key.split("/")[2] for key in arrays if key.startswith(f"erk/{network}/")}
    assert found == ({"0.1", "0.2", "0.3", "0.5"} if network == "G" else {"0.1", "0.3", "0.5"})
    for density in found:
        got = masks.erk_densities(list(shapes.values()), float(density))
        for name, value in zip(shapes, got, strict=True):
            expected = float(arrays[f"erk/{network}/{density}/{name}.weight"])
            assert value == pytest.approx(expected, abs=1e-9), name


def test_the_masked_kernels_are_the_published_ones(monkeypatch):
    zeros = lambda self, shape, dtype=None, **_: tf.zeros(shape, dtype or "float32")  # noqa: E731
    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)
    counts = []
    for network in (resnet_generator(), resnet_discriminator(head_bias=False)):
        places = kernel_layers(network)
        counts.append(sum(int(np.prod(network.trainable_variables[i].shape)) for i in places))
    assert counts == [4_266_752, 1_052_544]


def test_the_share_that_is_exchanged(arrays):
    for step in range(7):
        value = float(masks.exchanged_share(step + 1, 12))
        assert value == pytest.approx(float(arrays[f"dst/s{step}/death_rate"]), abs=1e-12)


ADJUSTMENTS = ("increase", "decrease", "keep", "strict_at_cap", "strict_to_cap", "floor", "at_floor")


@pytest.mark.parametrize("compiled", [False, True])
def test_the_balance_rule(arrays, compiled):
    for case in ADJUSTMENTS:
        strict = case.startswith("strict")
        rule = DensityRule(0.45, 0.55, cap=0.5 if strict else 1.0, explores=strict)
        of = lambda kind, case=case: [arrays[f"adj/{case}/{kind}/{name}"] for name in KERNELS]  # noqa: E731
        before = [~mask.astype(bool) for mask in of("mask_before")]
        assert int(masks.present([tf.constant(m) for m in before])) == arrays[f"adj/{case}/nonzero_before"]
        apply = tf.function(rule.apply) if compiled else rule.apply
        found, density = apply(
            tuple([tf.constant(v) for v in part] for part in (of("weight_before"), before, of("grad"))),
            tf.constant(arrays[f"adj/{case}/density_before"]),
            balance_ratio(tf.constant(arrays[f"adj/{case}/queue"])),
            tf.constant(0.5, tf.float64),
        )
        assert float(density) == pytest.approx(float(arrays[f"adj/{case}/density_after"]), abs=1e-12)
        for mask, expected in zip(found, of("mask_after"), strict=True):
            np.testing.assert_array_equal(~mask.numpy(), expected.astype(bool), err_msg=case)


def test_a_gap_that_is_closed_counts_as_a_discriminator_that_is_too_weak():
    dead, half = [3.0, 3.0, 3.0], [1.0, 0.0, 2.0]  # (after, before, real)
    for rows, expected in (([dead], 1.0), ([dead, half], 0.75), ([half], 0.5), ([[4.0, 3.0, 3.0]], 1.0)):
        assert float(balance_ratio(tf.constant(rows, tf.float64))) == expected


def test_a_discriminator_that_tells_nothing_apart_grows_denser():
    """Its units are off: the ratio was 0 / 0, which is what a run ends by."""
    layers = keras.layers
    hidden = layers.Dense(6, activation="relu", bias_initializer=keras.initializers.Constant(-99.0))
    discriminator = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), hidden, layers.Dense(1)])
    model = AdaptGAN(toys.image_networks()[0], discriminator, **OPTIONS)
    model.compile("sgd", "sgd", run_eagerly=True)
    logs = fit(model, 0, 4)
    assert [log["adapt/balance_ratio"] for log in logs] == [1.0] * 4
    assert float(model.adapt_density.numpy()) == pytest.approx(0.55)


def test_a_spectrally_normalised_layer_of_which_all_is_pruned_trains_on():
    model = make(**OPTIONS)
    model.adapt_masks["discriminator"][1].assign(np.ones(model._kernels("discriminator")[1].shape, bool))
    logs = fit(model, 0, 2)
    assert not model._kernels("discriminator")[1].numpy().any()
    assert all(np.isfinite(value) for log in logs for value in log.values())


def test_entries_without_a_gradient_do_not_grow():
    """Three are to grow, and one has a gradient; of several kernels, the greatest gradients of all."""
    found = masks.grown(
        [tf.constant([True, True, True, False]), tf.constant([True])],
        [tf.constant([0.0, -1.0, 0.0, 5.0]), tf.constant([0.0])],
        tf.constant(3, tf.int64),
    )
    assert [each.numpy().tolist() for each in found] == [[True, False, True, False], [True]]
    gradients = [tf.constant([1.0, -3.0, 2.0]), tf.constant([-2.5])]
    found = masks.grown([tf.fill(3, True), tf.fill(1, True)], gradients, tf.constant(2, tf.int64))
    assert [each.numpy().tolist() for each in found] == [[True, False, True], [False]]


def test_a_density_below_what_was_drawn_grows_nothing():
    """Of 10 entries 6 are there; 0.5 + 0.05 wants 5."""
    mask = [tf.constant([True] * 4 + [False] * 6)]
    ones = [tf.ones(10)]
    found, density = DensityRule(0.4, 0.6).apply(
        (ones, mask, ones), tf.constant(0.5, tf.float64), tf.constant(0.9, tf.float64), 0.5
    )
    assert masks.present(found) == 6 and float(density) == pytest.approx(0.55)


def dst_model(arrays):
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(12),
            layers.Reshape((3, 2, 2)),
            layers.Permute((2, 3, 1)),
            layers.Conv2D(4, 3, padding="same"),
            BatchNormalization(epsilon=1e-5),
            layers.ReLU(),
            layers.Conv2D(2, 3, padding="same"),
        ]  # fmt: skip
    )
    critic = keras.Sequential([keras.Input((2, 2, 2)), layers.Flatten(), layers.Dense(1)])
    model = AdaptGAN(
        generator, critic, generator_density=0.5, discriminator_density=1.0, adapt_steps=12, exchange_every=3,
        ema_decay=float(arrays["dst/ema_decay"]), ema_ramp="constant",
    )  # fmt: skip
    adam = TorchAdam(float(arrays["dst/lr"]), beta_1=0.0, beta_2=0.9)
    model.compile(adam, TorchAdam(1e-3), run_eagerly=True)
    names = [f"{layer}.{part}" for layer in ("l1", "c1", "bn", "c2") for part in ("weight", "bias")]
    for network in (generator, model.ema_generator):
        for name, variable in zip(names, network.trainable_variables, strict=True):
            variable.assign(channels_last(arrays[f"dst/init/{name}"]))
    for mask, name in zip(model.adapt_masks["generator"], KERNELS, strict=True):
        mask.assign(channels_last(arrays[f"dst/init_mask/{name}"]) == 0)
    return model, names


def test_exchanges_in_training(arrays):
    model, names = dst_model(arrays)

    def same(values, prefix, names=names):
        for name, value in zip(names, values, strict=True):
            if (
                name == "c1.bias"
            ):  # before a batch norm: its gradient is rounding, and moves it by the learning rate
                continue
            expected = channels_last(arrays[f"{prefix}/{name}"])
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=2e-6, err_msg=f"{prefix} {name}")

    events = []
    for step in range(7):
        model.step.assign(step)
        model.choose_step(step)

        def terms(step=step):
            batch = {"latents": tf.constant(arrays["dst/z"][step]), "labels": None}
            target = arrays["dst/target"][step].transpose(0, 2, 3, 1)
            return {"g/mse": tf.reduce_mean(tf.square(model.synthesize(batch, training=True) - target))}, {}

        _, gradients = model.gradients_of(model.step_variables("generator"), terms)
        model.update_generator(gradients)
        same(model.generator.trainable_variables, f"dst/s{step}/after_step")
        before = masks.present(model._state("generator")[1])
        if model.extras:
            events.append(step)
            same(gradients, f"dst/s{step}/grad")
            assert before == arrays[f"dst/s{step}/baseline_nonzero_before"]
        model.move_masks()
        if events and events[-1] == step:
            for mask, name in zip(model.adapt_masks["generator"], KERNELS, strict=True):
                expected = channels_last(arrays[f"dst/s{step}/mask/{name}"])
                np.testing.assert_array_equal(~mask.numpy(), expected.astype(bool), err_msg=name)
            same(model.generator.trainable_variables, f"dst/s{step}/after_dst")
        model.update_average(6)
    assert events == [2, 5]
    same(model.ema_generator.trainable_variables, "dst/ema_final")


OPTIONS = dict(
    generator_density=0.5, discriminator_density=0.5, adapt_steps=20, exchange_every=2, adjust_every=3,
    balance_every=1, balance_window=2, balance_lower=-1e9, balance_upper=-1e8,
)  # fmt: skip


def make(seed=0, cls=AdaptGAN, run_eagerly=True, **options):
    generator = toys.image_networks(batch_norm=False, seed=seed)[0]
    discriminator = resnet_discriminator(resolution=8, channels=1, base_channels=4)
    model = cls(generator, discriminator, ema_decay=0.9, **options)
    model.compile(*(TorchAdam(1e-2, beta_1=0.0, beta_2=0.9) for _ in range(2)), run_eagerly=run_eagerly)
    return model


def fit(model, first, last):
    return toys.fitted(model, toys.images(4 * last)[4 * first :], batch_size=4)


def assert_masked(model):
    for name, found in model.adapt_masks.items():
        for kernel, mask in zip(model._kernels(name), found, strict=True):
            assert not kernel.numpy()[mask.numpy()].any() and kernel.numpy()[~mask.numpy()].any()


def test_a_run_goes_on_exactly_between_events():
    whole = make(**OPTIONS)
    assert_masked(whole)
    logs = fit(whole, 0, 1)
    saved = checkpoint.read_state(whole)
    logs += fit(whole, 1, 4)
    assert_masked(whole)
    assert float(whole.adapt_density.numpy()) == pytest.approx(0.55)  # every ratio is above the bounds
    density = [log["adapt/discriminator_density"] for log in logs]
    assert density[0] == density[1] < density[2] == density[3]
    assert len({log["adapt/generator_density"] for log in logs}) == 1  # as many are grown as pruned
    assert all(np.isfinite(log["adapt/balance_ratio"]) for log in logs)
    other = make(seed=7, **OPTIONS)
    checkpoint.write_state(other, saved)
    fit(other, 1, 4)
    toys.assert_same(toys.values(whole), toys.values(other))
    report = whole.part_report("sparse", whole.part("sparse"))
    assert 0.3 < report["density"] < 0.8 and len(report["tensors"]) == len(whole.adapt_places["generator"])


def test_the_balance_is_of_means_in_float32(monkeypatch):
    """Of 1 and 1 + 2^-7, neighbours in bfloat16: their mean lies between, and what an update changes may be less."""
    model = make(**OPTIONS)
    outputs = {"adversarial": tf.constant([[1.0], [1.0078125]], tf.bfloat16)}
    assert float(model.generator_measures(None, {"outputs": outputs})["g/fake_logit"]) == 1.00390625
    monkeypatch.setattr(model, "discriminate", lambda *_, **__: outputs)
    batch = {"images": toys.images(2)}
    means = model.mean_logits(model.draw_latents(2), batch)
    assert [float(mean) for mean in means] == [1.00390625] * 2


@pytest.mark.parametrize("discriminator_steps", some([2, 1], every=2))
def test_compiled_is_eager(discriminator_steps):
    """Events, too, that need the gradients of the last of several updates of the discriminator."""
    states = []
    for eager in (True, False):
        model = make(run_eagerly=eager, discriminator_steps=discriminator_steps, **OPTIONS)
        toys.fitted(model, toys.images(12 * discriminator_steps), batch_size=4 * discriminator_steps)
        assert int(model.step.numpy()) == 3
        states.append(toys.values(model))
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, atol=1e-4, err_msg=name)


def test_weights_given_before_the_first_update_are_pruned_before_it():
    """As of a run that begins with another's: the average had masked entries until an event, if ever."""
    options = dict(
        generator_density=0.3, discriminator_density=0.3, exchange_every=0, adjust_every=0, ema_decay=0.5
    )
    model = AdaptGAN(*toys.image_networks(batch_norm=False), **options)
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    networks = {"generator": [model.generator, model.ema_generator], "discriminator": [model.discriminator]}
    for network in sum(networks.values(), []):
        network.set_weights([np.full_like(w, 0.01) for w in network.get_weights()])

    def masked():
        pairs = [
            (network.trainable_variables[place].numpy(), mask.numpy())
            for name, both in networks.items()
            for network in both
            for place, mask in zip(model.adapt_places[name], model.adapt_masks[name], strict=True)
        ]
        assert all(np.all(value[~mask] != 0.0) for value, mask in pairs)
        return np.concatenate([value[mask] for value, mask in pairs])

    assert np.all(masked() == np.float32(0.01))
    seen = []
    look = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: seen.append(masked()))
    model.fit(toys.images(8), batch_size=8, verbose=0, callbacks=[look])
    assert len(seen[0]) > 100 and not seen[0].any() and not masked().any()


@pytest.mark.slow
def test_dense_networks_are_the_base():
    off, base = make(generator_density=1.0, discriminator_density=1.0), make(cls=GAN)
    for model in (off, base):
        fit(model, 0, 2)
    toys.assert_same(toys.values(off), toys.values(base))


def test_gradients_of_a_regularizer_alone_grow_nothing():
    """Lazy R1 comes after the discriminator's update: growth is still by the gradients of its losses."""
    model = make(cls=compose(AdaptGAN, R1GAN), r1_interval=2, **OPTIONS)
    model.choose_step(2)
    assert {"r1/0", "adapt/adjust"} <= set(model.extras)
    ones = [tf.ones(v.shape) for v in model.discriminator.trainable_variables]
    model.update_discriminator(ones)
    before = model.discriminator.get_weights()
    model.r1_step({"images": tf.constant(toys.images(4)), "labels": None})
    assert any((a != b).any() for a, b in zip(before, model.discriminator.get_weights(), strict=True))
    assert all((g.numpy() == 1.0).all() for g in model._state("discriminator")[2])
    model.update_discriminator([2.0 * g for g in ones])
    assert all((g.numpy() == 2.0).all() for g in model._state("discriminator")[2])


def test_events_are_due():
    model = make(**OPTIONS | {"adapt_steps": 7})
    of = {step + 1: {e.split("/")[1] for e in model.extra_updates(step)} for step in range(9)}
    assert [n for n, e in of.items() if "exchange" in e] == [2, 4, 6]
    assert [n for n, e in of.items() if "adjust" in e] == [3, 6]
    assert [n for n, e in of.items() if "measure" in e] == [1, 2, 3, 4, 5, 6]  # nothing moves at the end


def test_bounds_out_of_order():
    with pytest.raises(ConfigError, match="balance_lower is below balance_upper. Received: 0.6 and 0.5"):
        make(balance_lower=0.6, balance_upper=0.5)
