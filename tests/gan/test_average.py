"""The moving average of the generator: its rules by hand, its statistics, which weights are shown."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from PIL import Image
from searches import SMALL, make, run_phase, supernet

from tfgans import pictures
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.average import clone
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.spectral import SpectralDense
from tfgans.layers.state import copied_state
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.octave.networks import octave_generator
from tfgans.networks.progan import progan_generator
from tfgans.networks.stylegan2 import stylegan2_generator
from tfgans.run.shown import SampleGrid


def averages(values, images=2, **options):
    """The average of one weight, 2 at first, after each of the `values` that updates give it."""
    model = GAN(*toys.scalar_networks(), **options)
    seen = []
    for value in values:
        model.generator.set_weights([np.array([[value]]), np.array([0.5])])
        model.update_average(images)
        seen.append(float(model.ema_generator.get_weights()[0][0, 0]))
        assert model.ema_generator.get_weights()[1] == [0.5]
    return seen


def test_the_ramp_by_updates_by_hand():
    # Decays 1/10, 2/11, 3/12: 4 + (2 - 4) / 10, 8 + (3.8 - 8) 2 / 11, 0 + 7.236363 / 4
    expected = [3.8, 7.2363636, 1.8090909]
    np.testing.assert_allclose(averages([4.0, 8.0, 0.0], ema_decay=0.999), expected, rtol=1e-6)
    # No more than the decay itself: 3/12 becomes 0.2
    expected = [3.8, 7.2363636, 1.4472727]
    np.testing.assert_allclose(averages([4.0, 8.0, 0.0], ema_decay=0.2), expected, rtol=1e-6)


def test_a_constant_decay_and_a_late_start_by_hand():
    constant = {"ema_decay": 0.75, "ema_ramp": "constant"}
    expected = [2.5, 3.875, 2.90625]  # 4 + 0.75 (2 - 4), 8 + 0.75 (2.5 - 8), 0.75 * 3.875
    np.testing.assert_allclose(averages([4.0, 8.0, 0.0], **constant), expected, rtol=1e-6)
    expected = [4.0, 8.0, 6.0]  # two copies
    np.testing.assert_allclose(averages([4.0, 8.0, 0.0], ema_start=2, **constant), expected, rtol=1e-6)
    expected = [4.0, 7.6]  # the ramp counts from the start: 1/10 at the second update
    np.testing.assert_allclose(averages([4.0, 8.0], ema_decay=0.75, ema_start=1), expected, rtol=1e-6)


def test_a_half_life_in_images_by_hand():
    half = {"ema_half_life": 4, "ema_ramp": "constant"}  # of 2 images an update: a decay of 0.5^(1/2)
    expected = [4 - 2 * 0.5**0.5, (4 - 2 * 0.5**0.5) * 0.5**0.5]
    np.testing.assert_allclose(averages([4.0, 0.0], **half), expected, rtol=1e-6)
    # With a ramp of 1/2: nothing seen, a copy; 2 seen, a half-life of 1 and 0.5^(2/1); 4, of 2; 6, of 3; then 4.
    expected = np.cumprod([4.0, 0.25, 0.5, 0.5 ** (2 / 3), 0.5**0.5, 0.5**0.5])
    found = averages([4.0, 0.0, 0.0, 0.0, 0.0, 0.0], ema_half_life=4, ema_ramp=0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_images_are_those_of_the_generators_updates():
    model = GAN(*toys.image_networks(), ema_half_life=1000, generator_batch_ratio=3, discriminator_steps=2)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    model.fit(toys.images(16), batch_size=8, verbose=0)
    assert (int(model.average_updates), int(model.average_images)) == (2, 2 * 3 * 4)
    without = GAN(*toys.image_networks())
    assert without.ema_generator is None and not hasattr(without, "average_updates")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"ema_decay": 0.9, "ema_half_life": 100}, "both say how fast"),
        ({"ema_half_life": 0}, "GAN.ema_half_life is a number above 0 or None. Received: 0"),
        ({"ema_ramp": "linear"}, "GAN.ema_ramp is one of updates, constant or a number above 0"),
        ({"ema_ramp": 0.0}, "GAN.ema_ramp"),
        ({"ema_ramp": True}, "GAN.ema_ramp"),
        ({"ema_statistics": "reset"}, "GAN.ema_statistics is one of own, average, copy. Received: 'reset'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        GAN(*toys.scalar_networks(), **options)


class Odd(keras.layers.Layer):
    """Counts its calls in an integer, and holds a number that it says is no average."""

    copied_state = ("level",)

    def build(self, _):
        self.calls = self.add_weight(name="calls", dtype="int32", initializer="zeros", trainable=False)
        self.level = self.add_weight(name="level", initializer="zeros", trainable=False)

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize("statistics", ["own", "average", "copy"])
def test_statistics_move_as_weights_or_are_copied_and_other_state_is_always_copied(statistics):
    layers = [
        keras.Input((1,)),
        SpectralDense(2),
        BatchNormalization(),
        keras.layers.BatchNormalization(),
        Odd(),
    ]
    generator = keras.Sequential([*layers, keras.layers.Dense(1)], name="generator")
    options = {"ema_decay": 0.75, "ema_ramp": "constant", "ema_statistics": statistics}
    model = GAN(generator, toys.scalar_networks()[1], **options)
    before = {v.path: np.asarray(v, np.float64) for v in generator.weights}
    for weight in generator.weights:
        weight.assign(weight + tf.ones_like(weight))
    model.update_average(2)
    moved = {v.path: np.asarray(v, np.float64) for v in model.ema_generator.weights}
    copied = {"u", "v", "calls", "level"} | (
        {"moving_mean", "moving_variance"} if statistics == "copy" else set()
    )
    kinds = set()
    for path, old in before.items():
        name = path.rsplit("/", 1)[-1]
        step = 1.0 if name in copied else 0.25
        np.testing.assert_allclose(moved[path], old + step, atol=1e-6, err_msg=path)
        kinds.add((name, step))
    assert {("u", 1.0), ("calls", 1.0), ("level", 1.0), ("kernel", 0.25), ("gamma", 0.25)} <= kinds
    assert ("moving_mean", 1.0 if statistics == "copy" else 0.25) in kinds


@pytest.mark.parametrize(
    "network, names",
    [
        (lambda: progan_generator(8, latent_dim=4, max_channels=4, min_channels=4), {"alpha"}),
        (lambda: octave_generator(16, latent_dim=4, base_channels=4), {"betas"}),
        (supernet, {"normal_1", "normal_2", "normal_3", "up_1", "up_2", "up_3", "skip_2", "skip_3"}),
        (lambda: stylegan2_generator(8, latent_dim=4, style_dim=4, mapping_layers=1, max_channels=4), set()),
    ],
)
def test_what_networks_say_is_no_average(network, names):
    """All that they do not train but statistics: the mean of w is one, and moves as weights do."""
    network = network()
    found = {v.name for v in copied_state(network)}
    assert found == names
    rest = {v.name for v in network.non_trainable_variables if v.dtype.startswith("float")} - found
    assert rest <= {"moving_mean", "moving_variance", "mean_w"}


class Watched(AlphaGAN):
    """Averages with a decay of 1/2 beside the model, each time that the generator's optimizer has moved it."""

    def update_generator(self, gradients):
        super().update_generator(gradients)
        if not self.is_played("generator"):
            new = [v.numpy() for v in self.generator.trainable_variables]
            self.expected = [(a + b) / 2 for a, b in zip(self.expected, new, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("level, phase", [(None, "both_players"), (1.0, "architecture")])
def test_in_a_search_the_average_moves_with_each_update_and_has_the_present_alpha(level, phase):
    model = make(Watched, **SMALL, ema_decay=0.5, ema_ramp="constant", single_level_weight=level)
    model.expected = [v.numpy() for v in model.generator.trainable_variables]
    for _ in range(2):
        run_phase(model, phase)
    for alpha in model.generator.architecture_variables:
        alpha.assign_add(tf.ones_like(alpha))
    run_phase(model, "end")
    assert (int(model.optimizer.iterations), int(model.average_updates), int(model.step)) == (2, 2, 1)
    for average, expected in zip(model.ema_generator.trainable_variables, model.expected, strict=True):
        np.testing.assert_allclose(average, expected, atol=1e-6)
    pairs = model.ema_generator.architecture_variables, model.generator.architecture_variables
    for average, alpha in zip(*pairs, strict=True):
        np.testing.assert_array_equal(average, alpha)


def normalized(norm, options):
    """A model of points whose generator is a dense layer, z -> w z + 1, and a batch norm; w is 3 in the average."""
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1), norm()], name="generator")
    model = GAN(generator, toys.scalar_networks()[1], ema_decay=0.9, ema_ramp="constant", seed=5, **options)
    generator.layers[0].set_weights([np.array([[3.0]]), np.array([1.0])])
    model.begin_average()
    return model


@pytest.mark.parametrize("norm", [BatchNormalization, keras.layers.BatchNormalization])
def test_own_statistics_are_those_of_the_averaged_weights(norm, tmp_path):
    model = normalized(norm, {})
    points = model.latents_at(0, 512, seed=5).reshape(8, 64).astype(np.float64)
    np.testing.assert_allclose(
        model.generate(512, seed=5).reshape(8, 64), 3 * points + 1, rtol=2e-3
    )  # a copy
    model.average_updates.assign(1)  # training has begun: statistics of w = 3, which no forward has moved yet
    before = [v.numpy() for v in model.variables]
    mean = 3 * points.mean() + 1
    variance = 9 * points.var(1, ddof=1 if norm is BatchNormalization else 0).mean()
    epsilon = model.ema_generator.layers[1].epsilon
    expected = (3 * points + 1 - mean) / np.sqrt(variance + epsilon)
    np.testing.assert_allclose(model.generate(512, seed=5).reshape(8, 64), expected, atol=1e-5)
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new)  # neither the average's nor anything that trains has moved
    with model.shown() as generator, model.shown():
        found = [
            v.numpy().item() for v in (generator.layers[1].moving_mean, generator.layers[1].moving_variance)
        ]
    np.testing.assert_allclose(found, [mean, variance], rtol=1e-5)
    np.testing.assert_allclose(model.ema_generator.layers[1].moving_mean, [0.0])
    model.save_generator(tmp_path / "own.keras")
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "own.keras").layers[1].moving_mean, [mean], rtol=1e-5
    )
    copy = model.settled(clone(model.ema_generator))
    np.testing.assert_allclose(copy.layers[1].moving_variance, [variance], rtol=1e-5)
    model.ema_generator.layers[0].set_weights(
        [np.array([[6.0]]), np.array([1.0])]
    )  # other weights, other statistics
    expected = 6 * (points - points.mean()) / np.sqrt(4 * variance + epsilon)
    np.testing.assert_allclose(model.generate(512, seed=5).reshape(8, 64), expected, atol=1e-5)
    with pytest.raises(KeyError), model.shown():
        raise KeyError
    np.testing.assert_allclose(model.ema_generator.layers[1].moving_mean, [0.0])


def test_standing_statistics_are_those_of_the_weights_shown():
    model = normalized(BatchNormalization, {"ema_statistics": "copy"})
    model.average_updates.assign(1)
    model.generator.layers[0].set_weights([np.array([[2.0]]), np.array([1.0])])
    points = model.latents_at(0, 512, seed=5).reshape(8, 64).astype(np.float64)
    before = [v.numpy() for v in model.variables]
    model.use_standing_statistics()
    for weights, w in (("average", 3.0), ("raw", 2.0), ("average", 3.0)):
        found = model.generate(512, seed=5, weights=weights).reshape(8, 64)
        deviation = w * np.sqrt(points.var(1, ddof=1).mean())
        np.testing.assert_allclose(found, w * (points - points.mean()) / deviation, atol=2e-3)
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(
        ConfigError, match="standing statistics are those of batch norms, and generator has none"
    ):
        GAN(*toys.scalar_networks()).use_standing_statistics()


def test_statistics_that_are_not_own_are_shown_as_they_are():
    for options in ({"ema_statistics": "average"}, {"ema_statistics": "copy"}):
        model = normalized(BatchNormalization, options)
        model.average_updates.assign(1)
        points = model.latents_at(0, 4, seed=5)
        np.testing.assert_allclose(model.generate(4, seed=5), 3 * points + 1, rtol=1e-4)
    model = normalized(BatchNormalization, {})
    model.average_updates.assign(1)
    np.testing.assert_allclose(model.generate(4, seed=5, weights="raw"), 3 * points + 1, rtol=1e-4)


def test_a_copy_has_the_statistics_of_what_it_copies():
    model = normalized(BatchNormalization, {"ema_start": 2})
    points = model.latents_at(0, 4, seed=5)
    for updates in (0, 2):
        model.average_updates.assign(updates)
        np.testing.assert_allclose(model.generate(4, seed=5), 3 * points + 1, rtol=1e-4)
    model.average_updates.assign(3)  # the third update was averaged
    assert np.abs(model.generate(4, seed=5) - (3 * points + 1)).max() > 0.1


@pytest.fixture(scope="module")
def model():
    """Its average makes other images than its raw weights."""
    model = GAN(*toys.image_networks(), ema_decay=0.9, seed=3)
    model.generator.set_weights([3.0 * w for w in model.generator.get_weights()])
    return model


def test_the_same_weights_are_asked_for_everywhere(model, tmp_path):
    latents = model.latents_at(0, 4, seed=0)
    shown = {
        "average": model.ema_generator(tf.constant(latents), training=False).numpy(),
        "raw": model.generator(tf.constant(latents), training=False).numpy(),
    }
    assert np.abs(shown["average"] - shown["raw"]).mean() > 0.02
    for weights, images in shown.items():
        expected = ((images + 1) * 127.5).round().astype(int)
        kinds = {
            "generate": model.generate(4, seed=0, weights=weights),
            "stream": model.stream_of(0, weights=weights)(4),
            "render": model.render(latents, weights=weights),
            "ends": model.interpolate(2, 2, seed=0, weights=weights),
        }
        for name, found in kinds.items():
            np.testing.assert_allclose(found.astype(int), expected, atol=1, err_msg=name)
        model.save_generator(tmp_path / f"{weights}.keras", weights=weights)
        loaded = keras.models.load_model(tmp_path / f"{weights}.keras")
        np.testing.assert_allclose(loaded(tf.constant(latents), training=False), images, atol=1e-6)
        model.export(tmp_path / weights, weights=weights)
        archive = tf.saved_model.load(str(tmp_path / weights))
        np.testing.assert_allclose(archive.serve(latents).numpy().astype(int), expected, atol=1)
        model.use_weights(weights)
        np.testing.assert_array_equal(model.generate(4, seed=0), kinds["generate"])
        assert model.row_of_weights()["weights"] == weights
    model.use_weights(None)
    np.testing.assert_array_equal(model.generate(4, seed=0), model.generate(4, seed=0, weights="average"))


def test_weights_that_are_not_there_are_refused(model):
    with pytest.raises(ConfigError, match="weights are 'average' or 'raw'. Received: 'ema'"):
        model.generate(2, weights="ema")
    without = GAN(*toys.image_networks())
    with pytest.raises(ConfigError, match="has no average .* Received: 'average'"):
        without.generate(2, weights="average")
    np.testing.assert_array_equal(without.generate(2, seed=0), without.generate(2, seed=0, weights="raw"))
    assert without.average_difference() is None and not without.shows_both()
    assert without.row_of_weights() == {"weights": "raw"}


class Points(GAN):
    """Points that are their latents times the generator's weight: 2 at first, in the average too."""

    def __init__(self, **options):
        super().__init__(*toys.scalar_networks(), ema_decay=0.9, seed=1, **options)


def test_the_difference_by_hand():
    model = Points()
    assert model.average_difference() == 0.0 and not model.shows_both()
    latents = model.latents_at(0, 64, seed=1)
    for weight, both in ((2.5, False), (4.0, True)):
        model.generator.set_weights([np.array([[weight]]), np.array([0.5])])
        expected = ((weight - 2) / weight) ** 2 * np.mean(latents**2) / np.var(latents)  # about 0.04 and 0.25
        assert model.average_difference() == pytest.approx(expected, rel=1e-5)
        assert model.shows_both() is both


def test_the_grid_shows_both_while_they_differ_much(model, tmp_path):
    grid = SampleGrid(model, tmp_path, count=4)
    assert model.average_difference() > 0.1
    grid(7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw_step_00000007.png", "step_00000007.png"]
    for path, weights in ((grid.path(7, "raw_"), "raw"), (grid.path(7), "average")):
        with Image.open(path) as image:
            expected = pictures.page(model.generate(4, seed=3, weights=weights), None, None)
            np.testing.assert_array_equal(np.asarray(image), expected[..., 0])
    assert grid.forget_from(7) and not list(tmp_path.iterdir())
    like = GAN(*toys.image_networks(), ema_decay=0.9)
    SampleGrid(like, tmp_path, count=4)(8)
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000008.png"]


def test_a_row_has_the_distance_of_raw_weights_while_they_differ_much():
    class Measured:
        def distance_of(self, generate, most):
            return float(np.mean(generate(100))), most

    model = Points()
    assert model.row_of_weights(Measured()) == {"weights": "average", "average_difference": 0.0}
    model.generator.set_weights([np.array([[0.0]]), np.array([7.0])])
    calls = []
    row = model.row_of_weights(Measured(), lambda: calls.append(1))
    assert row.pop("average_difference") > 1e6 and calls == [1]  # all of the raw points are one
    assert row == {"weights": "average", "fid_raw": 7.0, "fid_raw_samples": 10_000}
