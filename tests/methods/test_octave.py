"""The octave networks, schedules and model."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import losses
from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.octave import schedule
from tfgans.methods.octave.model import OctaveGAN
from tfgans.methods.octave.networks import octave_discriminator, octave_generator
from tfgans.methods.octave.soft import soft_layers


def parameters(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.mark.parametrize(
    "alpha, generator_macs, discriminator_macs",
    [(0.5, 155_942_912, 35_253_504), (0.0, 316_964_864, 79_054_848)],
)
def test_published_networks(alpha, generator_macs, discriminator_macs):
    generator, discriminator = octave_generator(alpha=alpha), octave_discriminator(alpha=alpha)
    assert parameters(generator) == 2_404_128
    assert parameters(discriminator) == 1_574_176
    assert cost.parameters(generator) == 2_404_128
    assert cost.parameters(discriminator) == 1_574_176
    assert cost.macs(generator) == generator_macs
    assert cost.macs(discriminator) == discriminator_macs
    assert generator.output.shape == (None, 128, 128, 3)
    assert discriminator.output["adversarial"].shape == (None, 1)


def test_low_network_keeps_a_high_channel_in_every_pair():
    for network in (octave_generator(alpha=0.99), octave_discriminator(alpha=0.99)):
        pairs = [layer.output for layer in soft_layers(network) if isinstance(layer.output, list)]
        assert len(pairs) == 4 + (network.name == "octave_discriminator")
        assert all(min(part.shape[-1] for part in pair) >= 1 for pair in pairs)
        assert min(pair[0].shape[-1] for pair in pairs) == 1


@pytest.mark.parametrize("alpha", [0.0, 0.125, 0.25, 0.5, 0.75])
def test_inner_layer_costs_what_the_model_says(alpha):
    from tfgans.methods.octave.conv import OctaveConv2D

    maps = [keras.Input((16, 16, 64 - int(alpha * 64)))]
    if alpha:
        maps.append(keras.Input((8, 8, int(alpha * 64))))
    layer = OctaveConv2D(64, 3, alpha=alpha, use_bias=False)
    network = keras.Model(maps, layer(maps if alpha else maps[0]))
    plain = 9 * 64 * 64 * 16 * 16
    assert cost.macs(network) == round(plain * (1 - 0.75 * alpha * (2 - alpha)))


@pytest.mark.parametrize(
    "make, expected",
    [
        (schedule.constant, {0.02: (1.0, 1.0), 1.0: (1.0, 1.0)}),
        (schedule.combi, {0.02: (0.22, 0.78), 0.3: (0.5, 0.5), 0.5: (0.7, 0.3), 1.0: (0.7, 0.3)}),
        (schedule.ramp, {0.02: (0.02, 0.98), 0.5: (0.5, 0.5), 1.0: (1.0, 0.0)}),
        (lambda t: schedule.ramp(t, start=0.2), {0.1: (0.0, 1.0), 0.6: (0.5, 0.5), 1.0: (1.0, 0.0)}),
        (
            lambda t: schedule.piecewise_linear(t, (0.1, 0.2, 0.6), (0.0, 1.0, 0.5), (2.0, 2.0, 0.0)),
            {0.05: (0.0, 2.0), 0.15: (0.5, 2.0), 0.4: (0.75, 1.0), 0.9: (0.5, 0.0)},
        ),
        (lambda t: schedule.piecewise_linear(t, (0.5,), (0.25,)), {0.1: (0.25, 0.75), 0.9: (0.25, 0.75)}),
    ],
)
def test_schedules(make, expected):
    for t, betas in expected.items():
        np.testing.assert_allclose(make(tf.constant(t)), betas, atol=1e-6)


@pytest.mark.parametrize(
    "times, high, low",
    [
        ((0.5, 0.2), (0.0, 1.0), None),
        ((), (), None),
        ((0.0, 1.0), (1.0,), None),
        ((0.0,), (1.0,), (1.0, 2.0)),
    ],
)
def test_points_that_make_no_curve_are_refused(times, high, low):
    with pytest.raises(ConfigError, match="piecewise_linear"):
        schedule.piecewise_linear(0.5, times, high, low)


def networks(alpha=0.5, seed=0):
    keras.utils.set_random_seed(seed)
    sizes = dict(resolution=16, channels=1, base_channels=4, alpha=alpha)
    return octave_generator(latent_dim=4, **sizes), octave_discriminator(**sizes)


def model(gan_class=OctaveGAN, networks=networks, compiled=False, jit_compile=False, **options):
    """Steps run eagerly, in a fifth of the time that it takes to trace them, unless they are to be compiled."""
    gan = gan_class(*networks(), **options)
    sgd = (keras.optimizers.SGD(0.1, momentum=0.5) for _ in range(2))
    gan.compile(*sgd, run_eagerly=not (compiled or jit_compile), jit_compile=jit_compile)
    return gan


def train(gan, steps=2, callbacks=()):
    images = np.random.default_rng(0).uniform(-1, 1, (4 * steps, 16, 16, 1)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices(images).batch(4)
    gan.fit(data, verbose=0, callbacks=list(callbacks))
    return gan


def betas(network):
    values = np.stack([layer.betas.numpy() for layer in soft_layers(network)])
    assert np.all(values == values[0])
    return values[0]


@pytest.mark.slow
def test_betas_follow_the_schedule_in_every_network_before_each_step():
    gan = model(beta_schedule=schedule.combi, beta_steps=10, ema_decay=0.9, compiled=True)
    np.testing.assert_allclose(betas(gan.generator), [[0.3, 0.7]] * 2, rtol=1e-6)  # before any training
    seen = []

    def look(batch, logs):
        networks = (gan.generator, gan.discriminator, gan.ema_generator)
        logged = [gan.step_logs["octave/beta_high"], gan.step_logs["octave/beta_low"]]
        seen.append([*(betas(network) for network in networks), [logged] * 2])

    train(gan, 6, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=look)])
    high = np.minimum(np.arange(1, 7) / 10, 0.5) + 0.2
    expected = np.stack([high, 1 - high], 1)[:, None, None]  # [steps, networks, rows, 2]
    np.testing.assert_allclose(seen, np.broadcast_to(expected, (6, 4, 2, 2)), rtol=1e-5)


def test_betas_stay_within_an_epoch():
    gan = model(beta_schedule=schedule.ramp, beta_steps=6, beta_epoch=3)
    seen = []
    for step in range(8):
        gan.step.assign(step)
        seen.append(float(gan.betas()[0]))
    assert seen == [0.5] * 3 + [1.0] * 5


def test_evaluation_betas_are_the_given_ones():
    gan = model(beta_schedule=schedule.ramp, beta_steps=2, evaluation_betas=(0.7, 0.3))
    np.testing.assert_allclose(betas(gan.generator), [[0.5, 0.5], [0.7, 0.3]], rtol=1e-6)
    plain = model(beta_schedule=lambda t: schedule.constant(t, 0.7, 0.3))
    np.testing.assert_array_equal(gan.generate(2, seed=0), plain.generate(2, seed=0))


def test_with_betas_of_one_it_is_the_base_bit_for_bit():
    octave, base = train(model()), train(model(GAN))
    toys.assert_same(toys.values(base), toys.values(octave))


def test_networks_without_octave_layers_are_refused():
    with pytest.raises(
        ConfigError,
        match="octave layers: include 'gin_configs/networks/octave_dcgan.gin', or .*tfgans.to_octave",
    ):
        OctaveGAN(*toys.image_networks())


@pytest.mark.parametrize(
    "options", [{"beta_steps": 0}, {"beta_epoch": 0}, {"beta_steps": 1.5}, {"evaluation_betas": (1.0,)}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        OctaveGAN(*networks(), **options)


@pytest.mark.slow
def test_xla_trains_as_eager_steps_do():
    options = dict(beta_schedule=schedule.combi, beta_steps=4)
    real = {"images": tf.constant(toys.images(4 * 4).reshape(4, 16, 16, 1)), "labels": None}
    logs, weights = [], []
    for jit in (False, True):
        gan = model(jit_compile=jit, **options)
        logs.append(gan.generator_step(real))  # compiled, it goes through both networks
        weights.append(gan.generator.get_weights())
        assert bool(gan._xla_functions) == jit
    for mine, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5)
    for name, value in logs[0].items():
        assert float(logs[1][name]) == pytest.approx(float(value), rel=1e-3), name


def test_composes_with_advas_and_its_second_derivatives():
    gan = train(
        model(
            compose(AdvAsGAN, OctaveGAN),
            beta_schedule=schedule.combi,
            beta_steps=4,
            discriminator_loss=losses.least_squares_discriminator,
            generator_loss=losses.least_squares_generator,
        )
    )
    assert gan.step_logs["g/advas_r"] > 0
    assert gan.step_logs["octave/beta_high"] == pytest.approx(0.7)  # t = 2 / 4


def test_saved_generator_keeps_its_betas(tmp_path):
    gan = model(beta_schedule=schedule.ramp, beta_steps=2)
    gan.save_generator(tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    latents = tf.random.normal((3, 4))
    np.testing.assert_allclose(betas(loaded), [[0.5, 0.5]] * 2)
    np.testing.assert_array_equal(loaded(latents), gan.generator(latents, training=False))


@pytest.mark.parametrize("make", [octave_generator, octave_discriminator])
@pytest.mark.parametrize(
    "options", [{"resolution": 20}, {"resolution": 8}, {"base_channels": 0}, {"alpha": 1.0}]
)
def test_sizes_that_cannot_be_built_are_refused(make, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        make(**options)
