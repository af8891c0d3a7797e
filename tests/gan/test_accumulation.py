"""Updates in micro-batches are those of the whole batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from graphs import needed

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.spectral import SpectralConv2D, SpectralDense
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.regularized import R1GAN
from tfgans.optimizers import TorchAdam

BATCH = 8
METHODS = (AdvAsGAN, R1GAN)
OPTIONS = dict(r1_interval=2, r1_weight=1.0, r2_weight=1.0, generator_batch_ratio=2, ema_decay=0.9)


def spectral_networks():
    """Both with spectral normalisation, smooth, in the precision that Keras is set to."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    latents, labels = keras.Input((4,)), keras.Input((), dtype="int32")
    x = layers.Concatenate()([latents, layers.Embedding(3, 2)(labels)])
    x = layers.Reshape((6, 6, 1))(SpectralDense(36, activation="tanh")(x))
    images = keras.Input((6, 6, 1))
    features = layers.Flatten()(SpectralConv2D(3, 3, 2, activation="softplus")(images))
    outputs = {"adversarial": SpectralDense(1)(features), "class": SpectralDense(3)(features)}
    return keras.Model([latents, labels], x), keras.Model(images, outputs)


def model_of(
    methods=(), networks=spectral_networks, optimizer=None, num_classes=3, compiling=None, **options
):
    model = compose(*methods)(*networks(), num_classes=num_classes, discriminator_steps=2, **options)
    make = optimizer or (lambda: keras.optimizers.SGD(0.1))
    model.compile(make(), make(), **({"run_eagerly": True} | (compiling or {})))
    return model


def batch(model):
    random, shape = np.random.default_rng(1), (model.batches_per_step, BATCH)
    data = {"images": random.uniform(-1, 1, (*shape, *model.sample_shape))}
    return data | ({"labels": random.integers(0, 3, shape)} if model.num_classes else {})


def trained(model, steps=2):
    """The logs of each step, and all that training holds."""
    logs, data = [], {name: tf.constant(value) for name, value in batch(model).items()}
    for step in range(steps):
        model.choose_step(step)
        logs.append({name: float(value) for name, value in model.train_step(data).items()})
    return logs, toys.values(model)


def assert_alike(one, other, **tolerance):
    for mine, theirs in zip(one[0], other[0], strict=True):
        assert mine.keys() == theirs.keys()
        np.testing.assert_allclose(
            list(theirs.values()), list(mine.values()), err_msg=str(list(mine)), **tolerance
        )
    assert one[1].keys() == other[1].keys()
    for name, value in one[1].items():
        np.testing.assert_allclose(other[1][name], value, err_msg=name, **tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, 8])
@pytest.mark.parametrize("optimizer", [lambda: keras.optimizers.SGD(0.1, 0.5), lambda: TorchAdam(0.01)])
def test_updates_are_those_of_the_whole_batch(optimizer, steps):
    """In float64, AdvAs's r with a penalty in it, and a lazy one: logs, weights, optimizers and averages."""
    keras.config.set_dtype_policy("float64")
    made = [
        model_of(METHODS, optimizer=optimizer, compiling={"accumulation_steps": k}, **OPTIONS)
        for k in (1, steps)
    ]
    whole, cut = (trained(model) for model in made)
    assert {"d/r1", "d/r2", "g/advas_r", "g/advas_lambda"} <= whole[0][0].keys()
    assert_alike(whole, cut, rtol=1e-8, atol=1e-10)
    passes = [
        model.training_passes() for model in made
    ]  # r's gradients once more, of two fakes for each real image
    assert passes[1] == {
        "generator": passes[0]["generator"] + 2,
        "discriminator": passes[0]["discriminator"] + 2 * 12,
    }
    moved = np.abs(whole[1]["model/0002"] - toys.values(model_of(METHODS, **OPTIONS))["model/0002"])
    assert moved.max() > 1e-4


def test_means_that_are_found_before_are_of_the_same_dropout():
    """AdvAs's r of the whole batch and its gradients, which come after it, are of the same images."""
    generator, discriminator = toys.image_networks(batch_norm=False)
    images = keras.layers.Dropout(0.5, seed=1)(generator.output)
    model = AdvAsGAN(keras.Model(generator.input, images), discriminator, advas_weight=1.0)
    model.compile(accumulation_steps=2, run_eagerly=True)
    seen, inner = [], model.discriminate
    model.discriminate = lambda batch, training: (
        seen.append(batch["images"].numpy()) or inner(batch, training)
    )
    latents = model.draw_latents(4)
    model.batch_generator_gradients({"images": tf.constant(toys.images(4)), "labels": None}, latents)
    fakes = seen[::2]  # a real half after each
    assert len(fakes) == 4 and (fakes[0] == 0.0).any() and (fakes[0] != fakes[1]).any()
    np.testing.assert_array_equal(fakes[:2], fakes[2:])


@pytest.mark.slow
@pytest.mark.parametrize("mode", [{"run_eagerly": False}, {"jit_compile": True}])
def test_compiled_updates_are_those_of_the_whole_batch(mode):
    data = batch(model_of())
    results = []
    for steps in (1, 4):
        model = model_of(
            compiling=mode | {"run_eagerly": False, "accumulation_steps": steps, "steps_per_execution": 2}
        )
        given = tf.data.Dataset.from_tensors({k: v.astype("float32") for k, v in data.items()}).repeat(2)
        logs = model.fit(given, verbose=0).history
        results.append(([{name: values[0] for name, values in logs.items()}], toys.values(model)))
        assert bool(model._xla_functions) == (steps > 1 or "jit_compile" in mode)
    assert_alike(*results, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_mixed_precision_sums_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    made = [model_of(METHODS, compiling={"accumulation_steps": k}, **OPTIONS) for k in (1, 4)]
    assert_alike(*(trained(model, 1) for model in made), rtol=0.05, atol=0.01)
    gradients = made[1].in_micro_batches(made[1].r_statistics, *halves_of(made[1]), moves=False)
    assert {gradient.dtype for gradient in gradients} == {tf.float32}


def halves_of(model):
    """A real batch and latents, of which micro-batches are cut."""
    real = model.split_batch({name: tf.constant(value) for name, value in batch(model).items()})[0]
    return real, model.draw_latents(BATCH)


def test_spectral_vectors_move_once_for_all_micro_batches():
    """The discriminator's twice, for real and fake images, in one update: the same bits."""
    found = []
    for steps in (1, 4):
        model = model_of(compiling={"accumulation_steps": steps}, freeze_discriminator_state=False)
        real = {"images": tf.constant(toys.images(BATCH)[:, :6, :6]), "labels": tf.zeros(BATCH, tf.int32)}
        variables = model.discriminator.non_trainable_variables + model.generator.non_trainable_variables
        before = [v.numpy() for v in variables]
        model.discriminator_step(real)
        found.append([v.numpy() for v in variables])
    assert sum(np.any(a != b) for a, b in zip(found[0], before, strict=True)) >= 4
    for whole, cut in zip(*found, strict=True):
        np.testing.assert_array_equal(cut, whole)


def points_and_norm():
    """G(z) = z, by a batch norm without scale, and D(x) = x."""
    latents, images = keras.Input((1,)), keras.Input((1,))
    normalized = BatchNormalization(momentum=0.5, center=False, scale=False)(latents)
    discriminator = keras.Model(images, keras.layers.Dense(1)(images))
    return keras.Model(latents, keras.layers.Dense(1)(normalized)), discriminator


def test_statistics_move_by_the_mean_of_the_micro_batches_moves():
    """Micro-batches (0, 2) and (4, 10): means 1 and 7, unbiased variances 2 and 18; from 0 and 1, by a half."""
    model = model_of(networks=points_and_norm, num_classes=None, compiling={"accumulation_steps": 2})
    latents = {"latents": tf.constant([[0.0], [2.0], [4.0], [10.0]]), "labels": None}
    images = model.in_micro_batches(model.fake_images, latents, rows=1)["images"]
    moved = [v.numpy().item() for v in model.generator.non_trainable_variables]
    np.testing.assert_allclose(moved, [0.5 * 0 + 0.5 * 4, 0.5 * 1 + 0.5 * 10], rtol=1e-6)
    kernel = model.generator.trainable_variables[0].numpy().item()
    np.testing.assert_allclose(images / kernel, [[-1.0], [1.0], [-1.0], [1.0]], rtol=1e-4)
    before = [v.numpy().item() for v in model.generator.non_trainable_variables]
    model.in_micro_batches(model.fake_images, latents, rows=1, moves=False)
    assert [v.numpy().item() for v in model.generator.non_trainable_variables] == before


def test_micro_batches_are_computed_one_after_the_other():
    """Each, a call of one function that was traced once, waits for the one before."""
    model = model_of(compiling={"run_eagerly": False, "accumulation_steps": 4})
    data = {name: tf.constant(value) for name, value in batch(model).items()}
    graph = tf.function(model.train_step, autograph=False).get_concrete_function(data).graph
    calls = {}
    for operation in needed(graph):
        if operation.type == "StatefulPartitionedCall":
            calls.setdefault(operation.get_attr("f").name, []).append(operation)
    parts = [found for name, found in calls.items() if "discriminator_step" not in name]
    assert sorted(map(len, parts)) == [4, 8, 8]  # G's step; fakes and D's step, twice
    for found in parts:
        for index, call in enumerate(found):
            kind = "Identity" if index % 4 else "StridedSlice"
            cuts = [tensor.op for tensor in call.inputs if tensor.op.type == kind]
            assert len(cuts) > 1 and all(bool(cut.control_inputs) == bool(index % 4) for cut in cuts)


def test_nothing_is_drawn_in_a_micro_batch():
    class Drawing(GAN):
        def discriminator_losses(self, real, fake):
            self.random_uniform(4, (1,), "mix")
            return super().discriminator_losses(real, fake)

    model = Drawing(*toys.scalar_networks())
    model.compile("sgd", "sgd", accumulation_steps=2, run_eagerly=True)
    with pytest.raises(RuntimeError, match="'mix' is drawn inside"):
        model.train_step(tf.ones((4, 1)))


def test_what_cannot_be_cut_is_refused():
    model = model_of(compiling={"accumulation_steps": 4})
    model.expect_batch(12)
    with pytest.raises(ConfigError, match="batch of 10 images cannot be cut into .* = 1 x 4 micro-batches"):
        model.expect_batch(10)
    with pytest.raises(ConfigError, match="10 images cannot be cut into accumulation_steps = 4"):
        model.train_step({"images": tf.zeros((2, 10, 6, 6, 1)), "labels": tf.zeros((2, 10), tf.int32)})
    for steps in (0, True, 1.5):
        with pytest.raises(ConfigError, match="^compile: accumulation_steps"):
            model.compile("sgd", "sgd", accumulation_steps=steps)


def test_fit_takes_as_many_images_as_can_be_cut():
    seen = []

    class Noting(GAN):
        def train_step(self, data):
            seen.append(data["images"].shape)
            self.step.assign_add(1)
            return {"d/adversarial": tf.constant(1.0)}

    model = Noting(*toys.scalar_networks(), discriminator_steps=2)
    model.compile("sgd", "sgd", accumulation_steps=3, run_eagerly=True)
    model.fit(np.ones((29, 1), "float32"), batch_size=16, verbose=0)
    assert seen == [(2, 6, 1), (2, 6, 1)]
    with pytest.raises(ConfigError, match="too few .* replicas x accumulation_steps = 2 x 1 x 3 = 6$"):
        model.fit(np.ones((5, 1), "float32"), verbose=0)
