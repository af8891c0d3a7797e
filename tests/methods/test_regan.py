"""Re-GAN's masks and phases, its cycle against the golden files, and its options."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.methods.regan.mask import magnitude_threshold, pruned_entries
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.regan.schedule import PhaseSchedule
from tfgans.networks.stylegan2 import stylegan2_generator
from tfgans.optimizers import TorchAdam

CASES = ["rand11", "rand72", "rand512", "ones10", "zeros10", "ties", "neg_mix", "scalar", "already_sparse"]


@pytest.mark.parametrize("jit", [False, True])
def test_masks_are_the_golden_ones(golden, jit):
    arrays = golden("regan_a_quantile")
    assert {name.split("/")[0] for name in arrays} == set(CASES)
    shares = (0.1, 0.3, 0.5)

    @tf.function(jit_compile=jit)
    def find(weights):  # of all cases at once: what takes time is compiling
        return [[(magnitude_threshold(w, s), pruned_entries(w, s)) for s in shares] for w in weights]

    found = find([tf.constant(arrays[f"{case}/w"]) for case in CASES])
    for case, of_case in zip(CASES, found, strict=True):
        for sparsity, (threshold, pruned) in zip(shares, of_case, strict=True):
            np.testing.assert_allclose(threshold, arrays[f"{case}/thr_q{sparsity}"], rtol=3e-7, atol=0)
            np.testing.assert_array_equal(pruned, arrays[f"{case}/pruned_q{sparsity}"], err_msg=case)


@pytest.mark.parametrize("size, sparsity, count", [(72, 0.1, 8), (256, 0.1, 26), (3, 0.1, 1), (2, 0.1, 1)])
def test_published_counts(size, sparsity, count):
    weights = np.random.default_rng(size).normal(size=size).astype("float32")
    assert int(tf.math.count_nonzero(pruned_entries(weights, sparsity))) == count
    assert int(tf.math.count_nonzero(pruned_entries(weights[:1], sparsity))) == 0


def test_the_count_without_ties_is_the_quantiles():
    for size in (5, 64, 301, 4096):
        weights = np.random.default_rng(size).permutation(size).astype("float32") + 1.0
        weights[::2] *= -1.0
        for sparsity in (0.1, 0.25, 0.46, 0.9):
            pruned = pruned_entries(weights.reshape(-1, 1), sparsity).numpy()
            count = math.ceil(sparsity * (size - 1))
            assert pruned.shape == (size, 1)
            np.testing.assert_array_equal(pruned[:, 0], np.abs(weights) <= count)  # the least, not others


def test_a_tensor_too_large_for_float32_ranks():
    size = 2**24 + 101
    bits = np.arange(size, dtype=np.int32)[::-1] * 8 + 2**29  # numbers that differ, falling
    pruned = pruned_entries(tf.constant(bits.view(np.float32)), 0.3).numpy()
    count = math.ceil(0.3 * (size - 1))
    assert pruned.sum() == count and pruned[-count:].all()


def test_scalars_and_narrow_tensors():
    assert not pruned_entries(tf.constant(0.7), 0.5).numpy()
    half = tf.constant([0.5, -0.25, 1.0, 2.0, -4.0], tf.float16)
    np.testing.assert_array_equal(pruned_entries(half, 0.3), [True, True, False, False, False])


def timeline(schedule, steps):
    """One letter for each iteration: the phase's, and one for the rate's where it is another's."""
    return [
        schedule.phase(s)[0]
        + (schedule.rate_phase(s)[0] if schedule.rate_phase(s) != schedule.phase(s) else "")
        for s in range(steps)
    ]


def test_phases_by_hand():
    assert timeline(PhaseSchedule(2, 2, 2), 9) == list("wwssddssd")
    assert timeline(PhaseSchedule(0, 1, 3), 9) == list("sdddsddds")
    assert timeline(PhaseSchedule(1, 1, 1, unit=3), 11) == list("wwwsssdddss")
    assert timeline(PhaseSchedule(1, 2, 0), 5) == list("wssss")
    assert timeline(PhaseSchedule(2, 2, 2, late_start=True), 10) == list("ww") + ["sw"] + list("ssddssd")
    lengths = (1, 2, 0), (0, 1, 3), (0, 2, 1, 3, True), (0, 5, 0)
    assert [PhaseSchedule(*each).first_dense for each in lengths] == [0, 1, 9, None]
    begins = PhaseSchedule(1, 1, 1, unit=3)
    assert [s for s in range(12) if begins.begins(s)] == [0, 3, 6, 9]
    assert [s for s in range(12) if PhaseSchedule(1, 2, 0).begins(s)] == [0, 1]


def test_the_published_stylegan2_timeline():
    schedule = PhaseSchedule(10000, 5000, 5000, late_start=True)
    spans = [("warm_up", 1, 10000), ("sparse", 10001, 15001), ("dense", 15002, 20001)]
    spans += [("sparse", 20002, 25001), ("dense", 25002, 30001)]
    for phase, first, last in spans:  # iterations are counted from 1
        assert schedule.begins(first - 1) and not schedule.begins(last - 1)
        assert schedule.phase(first - 1) == schedule.phase(last - 1) == phase
    assert [schedule.rate_phase(i - 1) for i in (10000, 10001, 10002)] == ["warm_up", "warm_up", "sparse"]
    for phase, first, last in spans[2:]:
        assert schedule.rate_phase(first - 1) == schedule.rate_phase(last - 1) == phase


class Gain(keras.layers.Layer):
    """The golden network's last two weights: a factor for each unit, and one number added to all."""

    def build(self, inputs_shape):
        self.gain = self.add_weight(name="gain", shape=(inputs_shape[-1],), initializer="ones")
        self.scalar = self.add_weight(name="scalar", shape=(1,), initializer="zeros")

    def call(self, inputs):
        return inputs * self.gain + self.scalar


NAMES = [f"{layer}.{part}" for layer in ("conv1", "conv2", "fc") for part in ("weight", "bias")]
NAMES += ["gain", "scalar"]


def channels_last(array):
    """A golden weight in Keras's layout."""
    order = {4: (2, 3, 1, 0), 2: (1, 0)}
    return np.transpose(array, order[array.ndim]) if array.ndim in order else array


def golden_network(arrays):
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Reshape((4, 4, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.Conv2D(2, 3, padding="same", activation="relu"),
            layers.Permute((3, 1, 2)),
            layers.Flatten(),
            layers.Dense(3),
            Gain(),
        ]
    )
    network.set_weights([channels_last(arrays[f"w_init/{name}"]) for name in NAMES])
    return network


class Regression(ReGAN):
    """Trains its generator on given inputs and targets, as the golden files do."""

    def draw_latents(self, count):
        return {"latents": self.given, "labels": None}

    def generator_losses(self, real, fake):
        return {"g/error": tf.reduce_mean(tf.square(fake["images"] - real["images"]))}


def assert_close(values, arrays, prefix, tolerance=1e-6):
    for name, value in zip(NAMES, values, strict=True):
        expected = channels_last(arrays[f"{prefix}/{name}"])
        np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance, err_msg=f"{prefix}/{name}")


@pytest.mark.parametrize("file", ["sgd", "adam_b0"])
def test_a_cycle_is_the_golden_one(golden, file):
    arrays = golden(f"regan_a_cycle_{file}")
    assert sorted(arrays["param_names"]) == sorted(NAMES)
    rate = float(arrays["lr_sparse"])
    optimizer = keras.optimizers.SGD(rate) if file == "sgd" else TorchAdam(rate, 0.0, 0.9)
    discriminator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model = Regression(golden_network(arrays), discriminator, sparsity=0.3, warm_up_length=3, sparse_length=3)
    model.compile(optimizer, keras.optimizers.SGD(0.0), run_eagerly=True)
    factors = {"warm": 1.0, "sparse": 1.0, "grow": float(arrays["lr_dense"]) / rate}
    for step in range(9):
        phase, index = ("warm", "sparse", "grow")[step // 3], step % 3
        model.given = tf.reshape(arrays["x"][step], (5, 16))
        model.choose_step(step)
        logs = model.train_step(tf.constant(arrays["y"][step]))
        assert float(logs["g/error"]) == pytest.approx(float(arrays[f"loss_{phase}{index}"]), abs=1e-6)
        assert_close(model.generator.get_weights(), arrays, f"w_{phase}{index}")
        assert float(logs["regan/phase"]) == step // 3
        assert float(logs["regan/learning_rate_factor"]) == pytest.approx(factors[phase], rel=1e-6)
        assert float(optimizer.learning_rate) == pytest.approx(rate)  # the factor does not stay
        if phase == "sparse":
            masks = [mask.numpy() for mask in model.masks["generator"]]
            assert_close(masks, arrays, f"mask_pruned_sparse{index}", 0)
            kept = 1 - sum(mask.sum() for mask in masks) / sum(mask.size for mask in masks)
            assert float(logs["regan/density"]) == pytest.approx(kept, abs=1e-6) and kept < 0.72
            for mask, value in zip(masks, model.generator.get_weights(), strict=True):
                assert not value[mask].any()
        else:
            assert float(logs["regan/density"]) == 1.0


def make(steps=0, compiled=(), networks=None, **options):
    """A model at training step `steps` that prunes at once, run eagerly."""
    options = {"warm_up_length": 0, "sparse_length": 2, "sparsity": 0.3} | options
    model = ReGAN(*(networks or toys.image_networks(batch_norm=False)), **options)
    model.compile(
        **{
            "optimizer": keras.optimizers.Adam(1e-2, beta_1=0.0),
            "discriminator_optimizer": keras.optimizers.Adam(1e-2, beta_1=0.0),
            "run_eagerly": True,
        }
        | dict(compiled)
    )
    run(model, 0, steps)
    return model


def run(model, first, last):
    for step in range(first, last):
        model.choose_step(step)
        logs = model.train_step(tf.constant(toys.images(8 * model.discriminator_steps, seed=step)))
    return logs if last > first else None


def zeros_within(model, name="generator", average=False):
    """The number of masked entries of a network that are 0, and of all that are masked."""
    pairs = list(zip(model.pruned_weights(name, average), model.masks[name], strict=True))
    masked = [weight.numpy()[mask.numpy()] for weight, mask in pairs]
    return sum(int(np.sum(m == 0)) for m in masked), sum(m.size for m in masked)


def test_every_tensor_has_the_quantiles_share_masked():
    model = make(1, networks=toys.image_networks(batch_norm=False))
    expected = {}
    for variable in model.generator.trainable_variables:
        size = math.prod(variable.shape)
        constant = variable.path.endswith(("bias", "beta", "gamma"))  # at the start: ties, which are kept
        pruned = 0 if constant else math.ceil(np.float32(0.3) * np.float32(size - 1))
        expected[f"generator/{variable.path}"] = 1.0 - pruned / size
    assert model.densities() == pytest.approx(expected)
    assert sorted(set(expected.values()))[0] < 0.71


def test_kernels_and_filters_choose_the_tensors():
    networks = toys.image_networks()
    every = [v.path for v in networks[0].trainable_variables]
    paths = lambda **options: [v.path for v in ReGAN(*networks, **options).pruned_weights("generator")]  # noqa: E731
    assert paths() == every and len(every) == 6
    kernels = paths(pruned_tensors="kernels")
    assert len(kernels) == 2 and all(path.endswith("/kernel") for path in kernels)
    assert paths(include_tensors="gamma|beta") == [p for p in every if p.endswith(("gamma", "beta"))]
    assert paths(exclude_tensors="conv", pruned_tensors="kernels") == [p for p in kernels if "dense" in p]


def test_stylegan2_without_its_rgb_layers():
    generator = stylegan2_generator(
        resolution=8, base_channels=4, max_channels=8, latent_dim=6, style_dim=5, mapping_layers=1
    )
    images = keras.Input((8, 8, 3))
    discriminator = keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(images)))
    model = ReGAN(generator, discriminator, sparsity=0.1, exclude_tensors="to_rgb")
    left = {v.path for v in generator.trainable_variables} - {
        v.path for v in model.pruned_weights("generator")
    }
    layers = {path.rsplit("to_rgb", 1)[1] for path in left}
    parts = ("kernel", "bias", "modulation/kernel", "modulation/bias")
    assert layers == {f"{side}/{part}" for side in (4, 8) for part in parts} and len(left) == 8
    model.derive_masks()
    densities = model.densities()
    # 200 weights lose ceil(19.9), a modulation bias, all ones, and a noise strength nothing.
    assert densities["generator/synthesis/convolution4/convolution/modulation/kernel"] == pytest.approx(0.9)
    assert densities["generator/synthesis/convolution4/convolution/modulation/bias"] == 1.0
    assert densities["generator/synthesis/convolution4/noise/strength"] == 1.0


def test_the_average_is_masked_and_grows_slowly():
    constant = {"ema_decay": 0.9, "ema_ramp": "constant"}
    model = make(2, **constant)
    zero, masked = zeros_within(model, average=True)
    assert zero == masked > 100
    run(model, 2, 3)  # the first dense step
    pairs = zip(
        model.pruned_weights("generator"), model.pruned_weights("generator", average=True),
        model.masks["generator"], strict=True,
    )  # fmt: skip
    for weight, average, mask in pairs:
        mask = mask.numpy()
        np.testing.assert_allclose(average.numpy()[mask], 0.1 * weight.numpy()[mask], rtol=1e-4)
    unmasked = make(2, **constant, mask_average=False)
    assert zeros_within(unmasked, average=True)[0] < 0.1 * masked


def test_momentum_moves_pruned_weights_unless_masked_after():
    momentum = {"optimizer": keras.optimizers.Adam(1e-2, beta_1=0.9)}
    moved, masked = zeros_within(make(3, momentum, warm_up_length=2))
    assert moved < 0.5 * masked
    momentum = {"optimizer": keras.optimizers.Adam(1e-2, beta_1=0.9)}
    still, masked = zeros_within(make(3, momentum, warm_up_length=2, mask_after_update=True))
    assert still == masked


@pytest.mark.parametrize("rederive, same", [(True, False), (False, True)])
def test_masks_are_found_again_or_not(rederive, same):
    model = make(1, rederive_masks=rederive, sparse_length=3)
    before = [mask.numpy() for mask in model.masks["generator"]]
    for weight in model.pruned_weights("generator"):
        weight.assign(weight.value[::-1])  # other entries are the least now
    run(model, 1, 2)
    after = [mask.numpy() for mask in model.masks["generator"]]
    assert same == all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_rates_are_those_of_schedules_times_the_phases():
    seen = []

    class Noting(keras.optimizers.SGD):
        def apply(self, gradients, variables=None):
            seen.append(float(self.learning_rate))
            return super().apply(gradients, variables)

    halving = {"learning_rate_schedule": lambda step: 0.5 ** tf.cast(step, tf.float32)}
    compiled = {"optimizer": Noting(0.8)} | halving
    options = {"warm_up_length": 1, "sparse_length": 1, "sparse_rate": 1.25, "dense_rate": 0.125}
    make(5, compiled, **options)
    phases = [1.0, 1.25, 0.125, 1.25, 0.125]
    np.testing.assert_allclose(seen, [0.8 * 0.5**i * phase for i, phase in enumerate(phases)], rtol=1e-6)
    seen.clear()
    make(2, {"discriminator_optimizer": Noting(0.8)}, sparse_rate=0.5)
    assert seen == pytest.approx([0.8, 0.8])  # it is not pruned


def test_regrown_entries_come_from_the_initializer():
    model = make(2, regrow="initializer")
    weights, masks = model.pruned_weights("generator"), model.masks["generator"]
    before = [weight.numpy() for weight in weights]
    first = [entries.numpy() for entries in model.first_entries["generator"]]
    model.regrow_entries()
    grown = 0
    for weight, mask, old, entries in zip(weights, masks, before, first, strict=True):
        mask, new = mask.numpy(), weight.numpy()
        np.testing.assert_array_equal(new[~mask], old[~mask])
        assert np.isin(new[mask], entries).all()
        grown += np.sum(new[mask] != 0)
        if mask.size == 256:  # of Dense(64): the values are spread as glorot_uniform's are
            assert mask.sum() == 77
            assert np.std(new[mask]) == pytest.approx(math.sqrt(6 / 68) / math.sqrt(3), rel=0.2)
    assert grown > 80
    model.step.assign(2)
    regrows = lambda model, step: model.choose_step(step) and model.present.regrows  # noqa: E731
    assert regrows(model, 2) and not regrows(model, 3) and not regrows(make(), 2)


def test_gradients_that_are_missing_count_as_zero():
    model = make()
    given = [None] * len(model.generator.trainable_variables)
    given[0] = tf.ones(model.generator.trainable_variables[0].shape)
    model.derive_masks()
    masked = model.masked_gradients("generator", given)
    np.testing.assert_array_equal(masked[0], 1.0 - model.masks["generator"][0].numpy())
    assert all(not gradient.numpy().any() for gradient in masked[1:])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"sparsity": 1.0}, r"sparsity is a number in \[0, 1\)"),
        ({"sparsity": -0.1}, r"sparsity is a number in \[0, 1\)"),
        ({"sparse_length": 0}, "sparse_length"),
        ({"warm_up_length": -1}, "warm_up_length"),
        ({"dense_length": 1.5}, "dense_length"),
        ({"length_unit": 0}, "length_unit"),
        ({"dense_rate": -1.0}, "dense_rate"),
        ({"pruned_networks": "none"}, "generator, discriminator, both"),
        ({"pruned_tensors": "biases"}, "all, kernels"),
        ({"regrow": "random"}, "zero, initializer"),
        ({"include_tensors": "nothing of the kind"}, "nothing to prune"),
        ({"exclude_tensors": "("}, "exclude_tensors is a regular expression"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ConfigError, match=message):
        make(**options)


def test_an_optimizer_with_a_schedule_of_its_own_is_refused():
    scheduled = lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5))  # noqa: E731
    with pytest.raises(ConfigError, match="generator's optimizer has a schedule of its own"):
        make(0, {"optimizer": scheduled()})
    make(1, {"optimizer": scheduled()}, dense_rate=1.0)  # nothing to change
    make(1, {"discriminator_optimizer": scheduled()})
