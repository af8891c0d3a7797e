"""StyleGAN2's regularizers of the generator: path lengths, style mixing, fresh noise."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from stylegan2_weights import channels_last, golden_discriminator, golden_generator, golden_noise

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.augmented import DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.lazy import lazy_adam
from tfgans.methods.regularized import R1GAN
from tfgans.methods.style import PathLengthGAN, StyleMixingGAN
from tfgans.networks.stylegan2 import stylegan2_generator
from tfgans.networks.stylegan2_parts import StyleMapping, mix_styles

SIZES = {"resolution": 8, "base_channels": 4, "max_channels": 8, "latent_dim": 6, "style_dim": 5}


def networks(resolution=8, seed=0):
    """A StyleGAN2 generator, with noise that counts, and a discriminator that does not mix its samples."""
    keras.utils.set_random_seed(seed)
    generator = stylegan2_generator(**SIZES | {"resolution": resolution, "mapping_layers": 2})
    for layer in generator.get_layer("synthesis").convolutions:
        layer.noise.strength.assign(0.3)
    images = keras.Input((resolution, resolution, 3))
    features = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, 2, activation="softplus")(images))
    return generator, keras.Model(images, {"adversarial": keras.layers.Dense(1)(features)})


def sgd(_):
    return keras.optimizers.SGD(1e-3, momentum=0.5)


def make(*methods, compiled=(), optimizer=sgd, resolution=8, **options):
    """Steps run eagerly, in a fifth of the time that it takes to trace them, unless `compiled` says otherwise."""
    model = compose(*methods)(*networks(resolution), ema_decay=0.9, **options)
    model.compile(optimizer(4), optimizer(16), **{"run_eagerly": True} | dict(compiled))
    return model


def train(model, steps, first=0):
    images = np.random.default_rng(0).uniform(-1, 1, (4 * steps, *model.sample_shape)).astype("float32")
    return toys.fitted(model, images[4 * first :], batch_size=4)


def weights(model):
    return [v.numpy() for v in model.generator.variables + model.discriminator.variables]


# Path lengths


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_path_lengths_against_golden(golden, jit_compile):
    """Three rounds of the authors' code, and the gradient of every weight in the last."""
    arrays = golden("regan_d_pl_r1")
    model = PathLengthGAN(golden_generator(arrays), golden_discriminator(arrays))
    model.compile(jit_compile=jit_compile)
    latents = {f"noise/{i}": noise for i, noise in enumerate(golden_noise(arrays))}
    latents |= {"latents": tf.constant(arrays["z1"]), "labels": None}
    directions = tf.constant(channels_last(arrays["pl_y_unscaled"])) / 8.0
    np.testing.assert_allclose(model.path_lengths(latents, directions), arrays["pl_lengths_0"], rtol=1e-5)
    mean = tf.constant(0.0)
    for number in range(3):
        penalty, mean, gradients = model.xla(model.path_length_gradients)(latents, directions, mean)
        assert float(mean) == pytest.approx(float(arrays[f"pl_mean_{number}"]), rel=1e-5)
        assert float(penalty) == pytest.approx(float(arrays[f"pl_penalty_{number}"]), rel=1e-5)
    slopes = {f"G/{name.removeprefix('pl_grad2/')}": v for name, v in arrays.items() if "pl_grad2/" in name}
    expected = golden_generator(
        slopes
    ).trainable_variables  # where each weight's gradient stands in its place
    assert len(expected) == len(gradients) == 28
    for variable, gradient in zip(expected, gradients, strict=True):
        value = 2.0 * 4.0 * variable.numpy()  # weight times interval
        np.testing.assert_allclose(
            gradient, value, rtol=1e-4, atol=2e-5 * np.abs(value).max() + 1e-7, err_msg=variable.path
        )


def assert_slope_of_path_lengths(model, weight):
    """The gradient of weight and interval times the penalty along a random direction; what it was taken at."""
    random = np.random.default_rng(1)
    latents = {"latents": tf.constant(random.normal(size=(3, 6)))}
    directions, mean = tf.constant(random.normal(size=(3, 4, 4, 3))), tf.constant(0.2, tf.float64)
    variables = model.generator.trainable_variables
    along = [random.normal(size=v.shape) for v in variables]
    start = [v.numpy() for v in variables]

    def penalty(distance):
        for variable, value, direction in zip(variables, start, along, strict=True):
            variable.assign(value + distance * direction)
        return float(model.path_length_gradients(latents, directions, mean)[0])

    expected = weight * 4 * (penalty(1e-5) - penalty(-1e-5)) / 2e-5
    penalty(0.0)
    _, _, gradients = model.path_length_gradients(latents, directions, mean)
    found = sum(np.sum(g * d) for g, d in zip(gradients, along, strict=True))
    assert abs(expected) > 1e-2 and found == pytest.approx(expected, rel=1e-6)
    return (latents, directions, mean), gradients


def test_gradient_of_path_lengths_by_finite_differences():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    model = PathLengthGAN(*networks(resolution=4), path_length_weight=1.5, path_length_decay=0.3)
    given, gradients = assert_slope_of_path_lengths(model, 1.5)
    model.compile(accumulation_steps=6, run_eagerly=True)  # of three images, three micro-batches
    penalty, moved, in_parts = model.accumulated_path_length_gradients(*given)
    value, whole, _ = model.path_length_gradients(*given)
    assert float(penalty) == pytest.approx(float(value)) and float(moved) == pytest.approx(float(whole))
    model.extras = ("path_length",)
    assert model.training_passes()["generator"] == 4 + 8 / 2  # of half a batch, the lengths twice
    for one, other in zip(gradients, in_parts, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


class OwnSynthesis(keras.layers.Layer):
    """A user's: two style slots, no noise, and a norm of Keras's."""

    num_slots, noise_shapes, adds = 2, (), False

    def build(self, shape):
        self.first, self.norm, self.last = (
            keras.layers.Dense(6),
            keras.layers.LayerNormalization(),
            keras.layers.Dense(48),
        )
        for layer, size in ((self.first, shape[-1]), (self.norm, 6), (self.last, 6)):
            layer.build((None, size))

    def call(self, styles, noise=None):
        x = self.norm(self.first(styles[:, 0] + 0.3 * styles[:, 1] ** 2))
        if self.adds:
            self.add_loss(keras.ops.mean(x))
        return keras.ops.reshape(self.last(keras.ops.tanh(x)), (-1, 4, 4, 3))


def own_generator():
    keras.utils.set_random_seed(0)
    latents = keras.Input((6,))
    mapping = StyleMapping(5, 2, (2, 2), name="mapping")
    return keras.Model(latents, OwnSynthesis(name="synthesis")(mapping(latents)), name="own")


def test_gradient_of_path_lengths_through_a_norm_of_keras():
    """Keras takes moments that stop a gradient of a gradient: it was off by half a per cent."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    assert_slope_of_path_lengths(PathLengthGAN(own_generator(), networks(4)[1], path_length_decay=0.3), 2.0)


def test_a_synthesis_that_adds_a_loss_is_refused():
    generator, discriminator = own_generator(), networks(4)[1]
    model = StyleMixingGAN(generator, discriminator)
    generator.get_layer("synthesis").adds = True
    with pytest.raises(ConfigError, match="synthesis of own adds a loss in its call"):
        model.synthesize(model.draw_latents(2), training=True)


@pytest.mark.slow
def test_updates_of_each_optimizer_over_16_steps():
    model = make(PathLengthGAN, StyleMixingGAN, R1GAN, r1_interval=16, resolution=4)
    logs = train(model, 16)
    assert int(model.optimizer.iterations.numpy()) == 16 + 4
    assert int(model.discriminator_optimizer.iterations.numpy()) == 16 + 1
    assert [i for i, log in enumerate(logs) if "g/path_length" in log] == [0, 4, 8, 12]
    assert [i for i, log in enumerate(logs) if "d/r1" in log] == [0]
    assert np.isfinite([list(log.values())[0] for log in logs]).all()
    means = [log["g/path_length_mean"] for log in logs if "g/path_length" in log]
    assert 0 < means[0] < means[1] < means[2] < means[3]  # a starts at 0 and follows the lengths slowly
    assert float(model.path_length_mean.numpy()) == pytest.approx(means[-1])


@pytest.mark.slow
def test_nothing_changes_where_no_update_is_due():
    models = [make(*methods, resolution=4) for methods in ((), (PathLengthGAN,))]
    for model in models:
        model.step.assign(1)
        train(model, 3)  # steps 1, 2, 3
    for mine, base in zip(*(weights(model) for model in models), strict=True):
        np.testing.assert_array_equal(mine, base)
    first, second = (
        [v.numpy() for o in model.optimizers().values() for v in o.variables] for model in models
    )
    for mine, base in zip(first, second, strict=True):
        np.testing.assert_array_equal(mine, base)
    assert float(models[1].path_length_mean.numpy()) == 0.0
    for model in models:
        train(model, 1)
    assert any(np.any(a != b) for a, b in zip(*(weights(model) for model in models), strict=True))


def test_path_length_batch(monkeypatch):
    counts = []
    monkeypatch.setattr(PathLengthGAN, "path_length_step", lambda self, count: counts.append(count) or {})
    real = {"images": tf.zeros((5, 4, 4, 3)), "labels": None}
    for options in ({}, {"path_length_batch_shrink": 8}, {"generator_batch_ratio": 2}):
        model = make(PathLengthGAN, resolution=4, **options)
        model.choose_step(0)
        model.generator_step(real)
        model.choose_step(1)
        model.generator_step(real)
    assert counts == [2, 1, 5]


def test_resume_inside_an_interval():
    """The model that went on takes up what it was, and goes on again: its steps are traced already."""
    options = {"compiled": {"run_eagerly": False, "steps_per_execution": 2}, "resolution": 4}
    options |= {"optimizer": lambda interval: lazy_adam(interval=interval)}
    methods = (PathLengthGAN, StyleMixingGAN, R1GAN)
    model, ends = make(*methods, path_length_interval=3, r1_interval=3, **options), []
    train(model, 2)
    state = checkpoint.read_state(model)
    for _ in range(2):
        checkpoint.write_state(model, state)
        assert float(model.path_length_mean.numpy()) > 0
        train(model, 4, first=2)
        ends.append(toys.values(model))
    toys.assert_same(*ends)
    assert any(np.any(value != state[name]) for name, value in ends[0].items())
    for optimizer in model.optimizers().values():
        assert int(optimizer.iterations.numpy()) == 4 + 2


@pytest.mark.slow
def test_xla_trains_alike():
    states = []
    for compiled in ({}, {"run_eagerly": False, "jit_compile": True}):
        options = {"compiled": compiled, "resolution": 4, "r1_interval": 2, "path_length_interval": 2}
        model = make(PathLengthGAN, StyleMixingGAN, R1GAN, **options)
        train(model, 3)
        states.append(toys.values(model))
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, rtol=1e-3, atol=1e-5, err_msg=name)


# Mixing and noise


@pytest.mark.slow
def test_mixing_is_decided_once_a_batch():
    model = make(StyleMixingGAN, fresh_noise=False)
    slots = model.style_slots
    assert slots == 4
    found = []
    for _ in range(600):
        latents = model.draw_latents(2)
        first, second = latents["crossover"].numpy()
        assert first == second
        found.append(first)
    counts = np.bincount(found, minlength=5)
    # 600 batches: 180 for each of 1, 2, 3, and 60 unmixed; five standard deviations are 56 and 37.
    assert counts[0] == 0 and abs(counts[4] - 60) < 37
    assert all(abs(counts[slot] - 180) < 56 for slot in (1, 2, 3))
    assert set(latents) == {"latents", "labels", "mixing_latents", "crossover"}
    assert np.abs(latents["mixing_latents"] - latents["latents"]).min() > 0


def test_images_are_of_mixed_styles_and_drawn_noise():
    model = make(StyleMixingGAN, mixing_probability=1.0)
    mapping, synthesis = (model.generator.get_layer(name) for name in ("mapping", "synthesis"))
    latents = model.draw_latents(3)
    styles = mix_styles(
        mapping(latents["latents"]), mapping(latents["mixing_latents"]), int(latents["crossover"][0])
    )
    noise = [latents[f"noise/{i}"] for i in range(3)]
    assert [tuple(n.shape) for n in noise] == [(3, 4, 4, 1), (3, 8, 8, 1), (3, 8, 8, 1)]
    values = np.concatenate([n.numpy().ravel() for n in noise])
    assert abs(values.mean()) < 0.2 and 0.85 < values.std() < 1.15
    assert len({n.numpy().ravel()[0] for n in (*noise, noise[0][1:], noise[0][2:])}) == 5
    np.testing.assert_array_equal(model.synthesize(latents), synthesis(styles, noise))
    again = model.draw_latents(3)
    assert np.abs(again["noise/0"] - latents["noise/0"]).min() > 0
    plain = {"latents": latents["latents"], "labels": None}  # as images outside training are made
    np.testing.assert_array_equal(model.synthesize(plain), model.generator(latents["latents"]))
    assert np.abs(model.synthesize(plain) - model.synthesize(latents)).max() > 1e-3


def test_the_mean_of_w_follows_the_first_latents():
    model = make(StyleMixingGAN, mixing_probability=1.0)
    mapping, latents = model.generator.get_layer("mapping"), model.draw_latents(3)
    model.synthesize(latents, training=True)
    means = [w.numpy().mean(0) for w in mapping.intermediates(latents["latents"])]
    np.testing.assert_allclose(mapping.mean_w, 0.005 * np.stack(means), rtol=1e-4)


@pytest.mark.parametrize("options", [{"fresh_noise": False}, {"mixing_probability": 0.0}], ids=str)
def test_each_part_alone_changes_training(options):
    base, other = make(resolution=4), make(StyleMixingGAN, resolution=4, **options)
    for model in (base, other):
        train(model, 1)
    assert any(np.any(a != b) for a, b in zip(weights(base), weights(other), strict=True))


def test_path_lengths_are_those_of_mixed_styles(monkeypatch):
    model = make(PathLengthGAN, StyleMixingGAN, mixing_probability=1.0)
    seen = []
    plain = model.style_codes
    model.style_codes = lambda latents, **options: seen.append(set(latents)) or plain(latents, **options)
    model.path_length_step(2)
    assert len(seen) == 1 and {"mixing_latents", "crossover", "noise/0"} <= seen[0]


# In company


@pytest.mark.slow
def test_all_together_and_what_advas_weighs():
    """Path lengths and lazy R1 come after the losses, so that the first step's lambda is the same without them."""
    common = {"perturbation_batch_size": 4, "adversarial_steps": 1, "resolution": 4}
    company = (AdvAsGAN, FastGAN, DiffAugmentGAN, StyleMixingGAN)
    plain = train(make(*company, **common), 1)[0]
    full = train(make(*company, PathLengthGAN, R1GAN, r1_interval=2, **common), 3)
    assert set(full[0]) - set(plain) == {"g/path_length", "g/path_length_mean", "d/r1"}
    assert [sorted(set(log) - set(plain)) for log in full[1:]] == [[], ["d/r1"]]
    assert all(np.isfinite(list(log.values())).all() for log in full)
    assert full[0]["d/adversarial"] == plain["d/adversarial"]
    in_losses = train(make(*company, R1GAN, **common), 1)[0]
    assert in_losses["g/advas_r"] != pytest.approx(plain["g/advas_r"], rel=1e-3)


@pytest.mark.parametrize(
    ("cls", "options", "words"),
    [
        (
            PathLengthGAN,
            {"path_length_weight": -1.0},
            "path_length_weight is a number of at least 0. Received: -1.0",
        ),
        (PathLengthGAN, {"path_length_interval": 0}, "PathLengthGAN.path_length_interval"),
        (
            PathLengthGAN,
            {"path_length_decay": 0.0},
            r"path_length_decay is a number in \(0, 1\]. Received: 0.0",
        ),
        (PathLengthGAN, {"path_length_batch_shrink": 1.5}, "PathLengthGAN.path_length_batch_shrink"),
        (
            StyleMixingGAN,
            {"mixing_probability": 1.1},
            r"mixing_probability is a number in \[0, 1\]. Received: 1.1",
        ),
        (PathLengthGAN, {}, "PathLengthGAN: the generator has no styles"),
        (StyleMixingGAN, {"mixing_probability": 0.0}, "StyleMixingGAN: the generator has no styles"),
        (StyleMixingGAN, {"fresh_noise": False}, "StyleMixingGAN: the generator has no styles"),
    ],
)
def test_refusals(cls, options, words):
    with pytest.raises(ConfigError, match=words):
        cls(*toys.image_networks(), **options)
    assert issubclass(cls, GAN)
