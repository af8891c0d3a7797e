"""Re-GAN in training: resumed runs, replicas, XLA, mixed precision, and with other methods and networks."""

import json
import math

import keras
import numpy as np
import pytest
import replicas
import short_runs
import tensorflow as tf
import toys

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.octave.model import OctaveGAN
from tfgans.methods.octave.networks import octave_discriminator, octave_generator
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.style import PathLengthGAN
from tfgans.networks.autogan import autogan_generator
from tfgans.networks.progan import progan_discriminator, progan_generator
from tfgans.networks.resnet import resnet_discriminator
from tfgans.networks.stylegan2 import stylegan2_generator
from tfgans.run import after


def make(methods=(ReGAN,), networks=None, compiled=(), **options):
    options = {"sparsity": 0.3, "warm_up_length": 1, "sparse_length": 2} | options
    networks = networks or toys.image_networks(batch_norm=False)
    model = compose(*methods)(*networks, **options)
    adam = lambda: keras.optimizers.Adam(1e-2, beta_1=0.0)  # noqa: E731
    usual = {"optimizer": adam(), "discriminator_optimizer": adam(), "run_eagerly": True}
    model.compile(**usual | dict(compiled))
    return model


def fit(model, first, last):
    """Trains from step `first` to `last`, and returns the logs of every step."""
    images = np.random.default_rng(0).uniform(-1, 1, (64, *model.sample_shape)).astype("float32")
    images = np.concatenate([images[8 * (step % 8) :][:8] for step in range(first, last)])
    return toys.fitted(model, images, batch_size=8)


def masked_values(model, name="generator", average=False):
    pairs = zip(model.pruned_weights(name, average), model.masks[name], strict=True)
    return np.concatenate([weight.numpy()[mask.numpy()] for weight, mask in pairs])


@pytest.mark.slow
@pytest.mark.parametrize("regrow", ["zero", "initializer"])
def test_a_run_resumed_within_a_sparse_phase_goes_on_exactly(regrow):
    # Momentum and masks that are found once: what they are depends on more than the weights.
    momentum = {"optimizer": keras.optimizers.Adam(1e-2, beta_1=0.5)}
    options = dict(rederive_masks=False, ema_decay=0.9, sparse_length=3, regrow=regrow)
    whole = make(compiled=momentum, **options)
    fit(whole, 0, 3)
    saved = checkpoint.read_state(whole)
    assert any(value.dtype == bool and value.any() for value in saved.values())
    logs = fit(whole, 3, 8)
    assert [step["regan/phase"] for step in logs] == [1, 2, 2, 2, 1]

    momentum = {"optimizer": keras.optimizers.Adam(1e-2, beta_1=0.5)}
    other = make(compiled=momentum, networks=toys.image_networks(batch_norm=False, seed=7), **options)
    checkpoint.write_state(other, saved)
    fit(other, 3, 8)
    toys.assert_same(toys.values(whole), toys.values(other))


@pytest.mark.slow
def test_phases_of_a_compiled_run():
    model = make(compiled={"jit_compile": True, "run_eagerly": False}, dense_length=1)
    logs = fit(model, 0, 3)
    assert not masked_values(model).any() and len(masked_values(model)) > 100
    logs += fit(model, 3, 6)
    assert [step["regan/phase"] for step in logs] == [0, 1, 1, 2, 1, 1]
    np.testing.assert_allclose(
        [step["regan/learning_rate_factor"] for step in logs], [1, 1, 1, 0.1, 1, 1], rtol=1e-6
    )
    sizes = [math.prod(v.shape) for v in model.generator.trainable_variables]
    kept = 1 - sum(math.ceil(np.float32(0.3) * np.float32(n - 1)) for n in sizes) / sum(sizes)
    density = [step["regan/density"] for step in logs]
    np.testing.assert_allclose(density[-2:], kept, atol=1e-6)  # of the second phase: nothing is constant now
    assert density[0] == density[3] == 1.0
    assert float(model.optimizer.learning_rate) == np.float32(1e-2)


@pytest.mark.slow
def test_compiled_is_eager():
    states = []
    for compiled in ({}, {"run_eagerly": False}):
        model = make(compiled=compiled, warm_up_length=0, sparse_length=1, regrow="initializer")
        fit(model, 0, 3)
        states.append(toys.values(model))
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, atol=1e-5, err_msg=name)


def test_a_pruned_discriminator_masks_raw_weights():
    generator = toys.image_networks()[0]
    discriminator = resnet_discriminator(resolution=8, channels=1, base_channels=4)
    model = make(
        networks=(generator, discriminator),
        pruned_networks="both",
        warm_up_length=0,
        discriminator_steps=2,
    )
    logs = fit(model, 0, 2)
    assert set(model.masks) == {"generator", "discriminator"}
    values = masked_values(model, "discriminator")
    kernels = [v for v in model.discriminator.trainable_variables if v.path.endswith("kernel")]
    counts = [math.ceil(np.float32(0.3) * np.float32(math.prod(v.shape) - 1)) for v in kernels]
    assert not values.any() and len(values) >= sum(counts)
    norms = [np.linalg.norm(v.numpy().reshape(-1, v.shape[-1]), 2) for v in kernels]
    assert max(abs(norm - 1) for norm in norms) > 0.05  # raw: the layers' own are divided by these
    assert 0.69 < logs[-1]["regan/density"] < 0.8
    only = make(pruned_networks="discriminator", warm_up_length=0)
    before = [v.numpy() for v in only.generator.trainable_variables]
    fit(only, 0, 1)
    assert set(only.masks) == {"discriminator"} and not masked_values(only, "discriminator").any()
    assert all(np.all(v.numpy()[b != 0] != 0) for v, b in zip(only.generator.trainable_variables, before))  # noqa: B905


@pytest.mark.parametrize("order", [(ReGAN, PathLengthGAN), (PathLengthGAN, ReGAN)])
@pytest.mark.parametrize("masked", [False, True])
def test_a_regularizers_step_is_masked_if_asked_for(order, masked):
    generator = stylegan2_generator(
        resolution=8, base_channels=4, max_channels=8, latent_dim=6, style_dim=5, mapping_layers=1
    )
    images = keras.Input((8, 8, 3))
    features = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, 2, activation="softplus")(images))
    model = make(
        order,
        (generator, keras.Model(images, keras.layers.Dense(1)(features))),
        path_length_interval=2,
        warm_up_length=0,
        mask_regularizer_steps=masked,
        exclude_tensors="to_rgb|noise",
    )
    fit(model, 0, 1)  # step 0 has a path length step after its own
    values = masked_values(model)
    assert len(values) > 300
    assert not values.any() if masked else np.mean(values != 0) > 0.5
    fit(model, 1, 2)  # step 1 has none
    assert not masked_values(model).any()


def test_with_advas():
    model = make((ReGAN, AdvAsGAN), warm_up_length=0, ema_decay=0.9, sparse_length=1)
    logs = fit(model, 0, 3)
    assert [step["regan/phase"] for step in logs] == [1, 2, 1]
    assert all(np.isfinite(list(step.values())).all() and step["g/advas_r"] > 0 for step in logs)
    assert not masked_values(model).any() and not masked_values(model, average=True).any()


def test_with_fastgan_a_run_goes_on_exactly():
    states = []
    for seed, last in ((0, 5), (7, 3)):
        networks = toys.image_networks(batch_norm=False, seed=seed)
        options = dict(perturbation_batch_size=8, perturbation_radius=0.1, warm_up_length=1, sparse_length=3)
        model = make((ReGAN, FastGAN), networks, **options)
        states.append((model, last))
    whole, other = states[0][0], states[1][0]
    fit(whole, 0, 3)
    checkpoint.write_state(other, checkpoint.read_state(whole))
    logs = fit(whole, 3, 5)
    fit(other, 3, 5)
    assert [step["regan/phase"] for step in logs] == [1, 2]
    toys.assert_same(toys.values(whole), toys.values(other))
    assert int(whole.discriminator_optimizer.iterations) == 2 * int(whole.optimizer.iterations) == 10


@pytest.mark.slow
def test_with_autogans_generator():
    generator = autogan_generator(architecture="A", resolution=32, channels=1, base_channels=4, latent_dim=4)
    discriminator = resnet_discriminator(resolution=32, channels=1, base_channels=4)
    model = make((ReGAN,), (generator, discriminator), warm_up_length=0, ema_decay=0.9)
    logs = fit(model, 0, 2)
    assert not masked_values(model).any() and not masked_values(model, average=True).any()
    assert 0.69 < logs[1]["regan/density"] < 0.8


def test_with_octave_networks():
    sizes = {"resolution": 16, "channels": 1, "base_channels": 8}
    keras.utils.set_random_seed(0)
    generator = octave_generator(latent_dim=4, **sizes)
    model = make(
        (OctaveGAN, ReGAN),
        (generator, octave_discriminator(**sizes)),
        warm_up_length=0,
    )
    logs = fit(model, 0, 2)
    assert logs[1]["regan/phase"] == 1 and np.isfinite(list(logs[1].values())).all()
    assert not masked_values(model).any() and 0.6 < logs[1]["regan/density"] < 0.9


def test_with_growing_networks():
    keras.utils.set_random_seed(0)
    sizes = {"resolution": 8, "channels": 1, "max_channels": 8}
    networks = progan_generator(latent_dim=4, **sizes), progan_discriminator(**sizes)
    model = make(
        (ReGAN, ProgressiveGAN),
        networks,
        stage_steps=1,
        sparse_length=1,
        fade_share=0.0,
    )
    logs = fit(model, 0, 2)
    assert [step["regan/phase"] for step in logs] == [0, 1] and not masked_values(model).any()
    before = [v.numpy() for v in model.generator.trainable_variables]
    (dense,) = fit(model, 2, 3)
    assert dense["regan/learning_rate_factor"] == np.float32(0.1)
    moved = max(np.abs(v.numpy() - b).max() for v, b in zip(model.generator.trainable_variables, before))  # noqa: B905
    assert (
        1e-4 < moved < 0.4e-2
    )  # a first update of a regrown weight is 0.1 * rate / sqrt(1 - beta_2) = 3.2e-2 * 0.1


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = make(warm_up_length=0)
    logs = fit(model, 0, 2)
    assert np.isfinite(list(logs[1].values())).all() and not masked_values(model).any()
    assert {w.dtype for w in model.pruned_weights("generator")} == {"float32"}


def weights_of(network):
    return [v.numpy() for v in network.weights]


@pytest.mark.parametrize("ema_decay", [0.0, 0.5])
def test_the_pair_is_of_the_last_step_of_either_phase(ema_decay):
    momentum = {"optimizer": keras.optimizers.Adam(1e-2, beta_1=0.5)}
    model = make(compiled=momentum, ema_decay=ema_decay, ema_statistics="average", warm_up_length=2)
    shown = model.ema_generator if ema_decay else model.generator
    fit(model, 0, 2)
    assert model.part_names() == ()
    warm = weights_of(shown)
    fit(model, 2, 4)  # the sparse phase
    assert model.part_names() == ("sparse", "dense")
    masks = dict(
        zip(
            [id(v) for v in model.pruned_weights("generator", bool(ema_decay))],
            model.masks["generator"],
            strict=True,
        )
    )
    sparse = [
        np.where(masks[id(v)].numpy(), 0.0, v.numpy()) if id(v) in masks else v.numpy() for v in shown.weights
    ]
    if not ema_decay:  # momentum has moved them, the pair's are 0 all the same
        assert any(np.any(a != b) for a, b in zip(sparse, weights_of(shown), strict=True))
    assert_pair(model, sparse, warm)
    fit(model, 4, 5)
    assert_pair(model, sparse, weights_of(shown))
    fit(model, 5, 6)
    dense = weights_of(shown)
    fit(model, 6, 7)  # sparse again
    assert model.part_names() == ("sparse", "dense")
    for value, expected in zip(weights_of(model.part("dense")), dense, strict=True):
        np.testing.assert_array_equal(value, expected)


def assert_pair(model, sparse, dense):
    for name, expected in (("sparse", sparse), ("dense", dense)):
        for value, weight in zip(weights_of(model.part(name)), expected, strict=True):
            np.testing.assert_array_equal(value, weight, err_msg=name)


@pytest.mark.parametrize("dense_length, expected", [(1, ("sparse", "dense")), (0, ("sparse",))])
def test_there_is_no_dense_generator_before_the_first_dense_step(dense_length, expected):
    """Without a warm-up: it was a generator of zeros, which runs handed over and images were made with."""
    model = make(warm_up_length=0, sparse_length=2, dense_length=dense_length)
    for step in range(2):
        fit(model, step, step + 1)
        assert model.part_names() == ("sparse",)
    with pytest.raises(ConfigError, match="has the generators sparse. Received: --generator=dense"):
        model.use_part("dense")
    fit(model, 2, 3)
    assert model.part_names() == expected
    if dense_length:
        assert_pair(model, [v.numpy() for v in model.kept_weights], weights_of(model.generator))


def test_a_pruned_discriminator_alone_makes_no_pair():
    model = make(pruned_networks="discriminator", warm_up_length=0)
    fit(model, 0, 1)
    assert model.part_names() == ()
    with pytest.raises(ConfigError, match="one generator alone. Received: --generator=sparse"):
        model.use_part("sparse")


@pytest.fixture
def eagerly():
    """Tracing takes longer than a few steps do."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
def test_a_run_hands_over_the_pair(tmp_path, eagerly):
    gin_file, run = tmp_path / "run.gin", tmp_path / "run"
    gin_file.write_text(
        short_runs.CONFIG
        + "build.methods = [@ReGAN]\nReGAN.warm_up_length = 1\nReGAN.sparse_length = 2\nReGAN.sparsity = 0.5\n"
        + "ReGAN.mask_after_update = True\n"  # so that the sparse generator is the present one bit for bit
    )
    every = [f"train.{what}_every = 6" for what in ("save", "evaluate", "sample")]
    short_runs.run(
        str(gin_file), run, "train.steps = 6", *every
    )  # warm-up, sparse 1, 2, dense 3, 4, sparse 5
    usual, sparse, dense = (
        keras.saving.load_model(run / f"generator{name}.keras") for name in ("", "_sparse", "_dense")
    )
    report = json.loads((run / "generator_sparse.json").read_text())
    weights = sparse.trainable_variables
    zeros = sum(int((v.numpy() == 0).sum()) for v in weights)
    total = sum(v.numpy().size for v in weights)
    assert report["parameters"] == total and report["nonzero"] == total - zeros < 0.52 * total
    assert report["density"] == pytest.approx(1 - zeros / total)
    assert set(report["tensors"]) == {v.path for v in weights}
    assert not any((v.numpy() == 0).mean() > 0.3 for v in dense.trainable_variables if len(v.shape) > 1)
    images = {}
    for part in (None, "sparse", "dense"):
        keras.backend.clear_session()
        row = after.evaluate(run, part=part)
        assert row.get("generator") == part and row["step"] == 6
        images[part] = row["fid"]
        after.generate(run, tmp_path / str(part), 2, part=part)
    assert images["sparse"] == pytest.approx(images[None], rel=1e-6) and images["dense"] != images[None]
    pictures = [(tmp_path / str(part) / "grid.png").read_bytes() for part in images]
    assert pictures[0] == pictures[1] != pictures[2]
    with pytest.raises(ConfigError, match="has the generators sparse, dense. Received: --generator=small"):
        after.evaluate(run, part="small")


SCRIPT = """
import keras, numpy as np, tensorflow as tf
device = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
import toys
from tfgans import checkpoint
from tfgans.methods.regan.model import ReGAN

mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
random = np.random.default_rng(0)
images, labels = random.uniform(-1, 1, (24, 6, 6, 3)).astype("float32"), random.integers(0, 3, 24).astype("int32")


def trained(strategy):
    with strategy.scope():
        model = ReGAN(
            *toys.classifier_networks(), num_classes=3, sparsity=0.3, warm_up_length=0, sparse_length=1,
            regrow="initializer", ema_decay=0.9, pruned_networks="both", mask_after_update=True,
        )
        eagerly = strategy is not mirrored  # for that which is compiled, one is enough
        model.compile(keras.optimizers.SGD(0.1, momentum=0.5), keras.optimizers.SGD(0.1), run_eagerly=eagerly)
    states = []
    for part in (slice(0, 16), slice(16, 24)):  # a sparse and a dense step, then a sparse one
        model.fit(images[part], labels[part], batch_size=8, shuffle=False, verbose=0)
        with strategy.scope():
            states.append(checkpoint.read_state(model))
    return model, states


one, two = trained(tf.distribute.get_strategy()), trained(mirrored)
masks = 0
for single, replicated in zip(one[1], two[1], strict=True):
    for name, value in single.items():
        masks += value.dtype == bool and value.any()
        np.testing.assert_allclose(replicated[name], value, atol=1e-5, rtol=0, err_msg=name)
assert masks > 10, masks
for variable in two[0].variables:
    parts = getattr(variable.value, "values", [variable.value])
    assert len(parts) == 2
    np.testing.assert_array_equal(parts[0].numpy(), parts[1].numpy(), err_msg=variable.path)
print("replicas agree")
"""


@pytest.mark.slow
def test_replicas_have_the_same_masks():
    replicas.assert_replicas_agree(SCRIPT)
