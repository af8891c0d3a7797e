"""GAN tickets: what is pruned, what is rewound, and that runs go on exactly."""

import keras
import numpy as np
import pytest
import replicas
import toys

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.methods import compose
from tfgans.methods.octave.model import OctaveGAN
from tfgans.methods.octave.networks import octave_discriminator, octave_generator
from tfgans.methods.octave.schedule import ramp
from tfgans.methods.octave.soft import soft_layers
from tfgans.methods.tickets import TicketGAN
from tfgans.schedules import LinearDecay


def make(seed=0, compiled=(), **options):
    options = {"ticket_rounds": 2, "round_length": 2, "round_sparsity": 0.25} | options
    model = TicketGAN(*toys.image_networks(batch_norm=False, seed=seed), **options)
    adam = lambda: keras.optimizers.Adam(1e-2, beta_1=0.5)  # noqa: E731
    usual = {"optimizer": adam(), "discriminator_optimizer": adam(), "run_eagerly": True}
    model.compile(**usual | dict(compiled))
    return model


def fit(model, first, last):
    """Trains from step `first` to `last`; the logs of every step."""
    return toys.fitted(model, toys.images(8 * last)[8 * first :], batch_size=8)


def two_convolutions():
    """A generator whose convolutions have 4 and 9 weights, with a dense layer before them."""
    latents = keras.Input((2,))
    x = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(latents))
    x = keras.layers.Conv2D(1, 2, padding="same", name="first")(x)
    x = keras.layers.Conv2D(1, 3, padding="same", name="second", activation="tanh")(x)
    return keras.Model(latents, x)


def test_the_least_of_all_convolutions_are_pruned_and_what_is_pruned_stays():
    discriminator = toys.image_networks(batch_norm=False)[1]
    model = TicketGAN(two_convolutions(), discriminator, ticket_rounds=2, round_sparsity=0.25)
    kernels = [model.generator.get_layer(name).kernel for name in ("first", "second")]
    kernels[0].assign(np.array([0.1, -0.2, 7.0, -8.0]).reshape(2, 2, 1, 1))
    kernels[1].assign(np.array([-0.05, 0.15, 0.3, 1, 2, 3, 4, 5, 6]).reshape(3, 3, 1, 1))
    model.find_ticket()  # round(0.25 * 13) = 3
    masks = [m.numpy().ravel() for m in model.ticket_masks]
    np.testing.assert_array_equal(np.flatnonzero(masks[0]), [0])
    np.testing.assert_array_equal(np.flatnonzero(masks[1]), [0, 1])
    assert model.densities() == {"generator/first/kernel": 0.75, "generator/second/kernel": 1 - 2 / 9}
    report = model.part_report("sparse", model.generator)
    assert report["tensors"] == {"first/kernel": 0.75, "second/kernel": 1 - 2 / 9}
    assert model.part_report("dense", model.generator) is None
    kernels[0].assign(
        np.array([9.0, 9.0, 9.0, 0.001]).reshape(2, 2, 1, 1)
    )  # the pruned first one grew: no matter
    model.find_ticket()  # 3 + round(0.25 * 10), which is 2: half to even
    masks = [m.numpy().ravel() for m in model.ticket_masks]
    np.testing.assert_array_equal(np.flatnonzero(masks[0]), [0, 3])
    np.testing.assert_array_equal(np.flatnonzero(masks[1]), [0, 1, 2])


@pytest.mark.parametrize("keep", [False, True])
def test_rewinding(keep):
    model = make(keep_discriminator=keep, ema_decay=0.5)
    first = {
        name: [v.numpy() for v in getattr(model, name).weights] for name in ("generator", "discriminator")
    }
    fresh = {name: [v.numpy() for v in o.variables] for name, o in model.optimizers().items()}
    fit(model, 0, 2)
    trained = {name: [v.numpy() for v in getattr(model, name).weights] for name in first}
    model.choose_step(2)
    model.find_ticket()
    model.rewind()
    masks = {
        model.generator.trainable_variables[i].path: m
        for i, m in zip(model.convolutions, model.ticket_masks, strict=True)
    }
    pruned = 0
    for weight, average, value in zip(
        model.generator.weights, model.ema_generator.weights, first["generator"], strict=True
    ):
        mask = masks[weight.path].numpy() if weight.path in masks else np.zeros(value.shape, bool)
        np.testing.assert_array_equal(weight, np.where(mask, 0.0, value))
        np.testing.assert_array_equal(average, weight)
        pruned += mask.sum()
    assert pruned == 9  # of 36 convolution weights
    assert (int(model.average_updates), int(model.average_images)) == (0, 0)  # its ramp begins anew
    for weight, value in zip(
        model.discriminator.weights, (trained if keep else first)["discriminator"], strict=True
    ):
        np.testing.assert_array_equal(weight, value)
    for name, optimizer in model.optimizers().items():
        for variable, value in zip(optimizer.variables, fresh[name], strict=True):
            np.testing.assert_array_equal(variable, value)


def test_weights_given_before_the_first_update_are_those_to_go_back_to():
    """As of a run that begins with another's; they were lost to those drawn at first."""
    model = make(ticket_rounds=1, round_length=1)
    other = toys.image_networks(batch_norm=False, seed=7)
    given = [network.get_weights() for network in other]
    model.generator.set_weights(given[0])
    model.discriminator.set_weights(given[1])
    fit(model, 0, 1)
    model.choose_step(1)
    model.find_ticket()
    model.rewind()
    for weights, expected in zip((model.generator, model.discriminator), given, strict=True):
        left = [(np.array(w), value) for w, value in zip(weights.weights, expected, strict=True)]
        assert all(np.all((w == value) | (w == 0)) and np.any(w == value) for w, value in left)
    pruned = sum(np.sum(mask) for mask in model.ticket_masks)
    assert pruned == 9 == sum(np.sum((w == 0) & (v != 0)) for w, v in zip(
        model.generator.get_weights(), given[0], strict=True))  # fmt: skip


@pytest.mark.parametrize("order", [(OctaveGAN, TicketGAN), (TicketGAN, OctaveGAN)])
def test_what_another_method_sets_by_its_schedule_is_not_rewound(order):
    """Step 1, which begins the second round, has betas of 0.2 and 0.8: in one order it had 1 and 1."""
    sizes = dict(resolution=16, channels=1, base_channels=2)
    networks = octave_generator(latent_dim=2, **sizes), octave_discriminator(**sizes)
    schedules = dict(beta_schedule=ramp, beta_steps=10, ticket_rounds=1, round_length=1, ema_decay=0.9)
    model = compose(*order)(*networks, **schedules)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    for high in (0.1, 0.2, 0.3):
        model.fit(np.zeros((2, 16, 16, 1), "float32"), batch_size=2, verbose=0)
        for network in (model.generator, model.discriminator, model.ema_generator):
            for layer in soft_layers(network):
                np.testing.assert_allclose(layer.betas, [[high, 1 - high]] * 2, rtol=1e-6)


@pytest.mark.slow
def test_a_run_of_three_trainings():
    model = make(ema_decay=0.5, compiled={"jit_compile": True, "run_eagerly": False})
    logs = fit(model, 0, 7)
    assert [log["tickets/round"] for log in logs] == [0, 0, 1, 1, 2, 2, 2]
    total = sum(int(np.prod(v.shape)) for v in model.generator.trainable_variables)
    left = [1.0] * 2 + [1 - 9 / total] * 2 + [1 - 16 / total] * 3  # 36 -> 27 -> 20, round(0.25 * 27) = 7
    np.testing.assert_allclose([log["tickets/density"] for log in logs], left, rtol=1e-6)
    for network in (model.generator, model.ema_generator):
        kernels = [network.trainable_variables[i] for i in model.convolutions]
        for kernel, mask in zip(kernels, model.ticket_masks, strict=True):
            assert not kernel.numpy()[mask.numpy()].any()  # exactly 0, momentum or not
            assert kernel.numpy()[~mask.numpy()].all()
    assert int(model.optimizer.iterations) == int(model.discriminator_optimizer.iterations) == 3


def test_the_first_training_is_the_base_and_a_later_one_begins_like_it():
    base = TicketGAN(*toys.image_networks(batch_norm=False), ticket_rounds=0)
    base.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2), run_eagerly=True)
    fit(base, 0, 2)
    model = TicketGAN(
        *toys.image_networks(batch_norm=False), ticket_rounds=1, round_length=2, round_sparsity=0.01
    )
    model.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2), run_eagerly=True)
    fit(model, 0, 2)
    after = [v.numpy() for v in model.generator.weights]
    for weight, value in zip(base.generator.weights, after, strict=True):
        np.testing.assert_array_equal(weight, value)
    model.draws.assign(0)  # the same latents again; 1 % of 36 weights is none
    model.fit(toys.images(16), batch_size=8, shuffle=False, verbose=0)
    for weight, value in zip(model.generator.weights, after, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_resumed_round_goes_on_exactly():
    whole = make()
    fit(whole, 0, 3)
    saved = checkpoint.read_state(whole)
    fit(whole, 3, 6)
    other = make(seed=5)
    checkpoint.write_state(other, saved)
    fit(other, 3, 6)
    toys.assert_same(toys.values(whole), toys.values(other))


def test_the_schedule_starts_anew_with_each_round():
    model = make(compiled={"learning_rate_schedule": LinearDecay(4)}, round_length=3, ticket_rounds=1)
    rates = []
    for step in range(6):
        model.step.assign(step)
        model.set_learning_rates()
        rates.append(float(model.optimizer.learning_rate))
    np.testing.assert_allclose(rates, [1e-2, 7.5e-3, 5e-3] * 2, rtol=1e-6)


def test_expected_and_measured_shares():
    model = make(round_sparsity=0.5)
    macs = model.macs_of("generator")
    share = sum(macs[i] for i in model.convolutions) / sum(macs)
    kept = [model.kept_share("generator", step) for step in (0, 1, 2, 4, 9)]
    np.testing.assert_allclose(kept, [1, 1, 1 - share / 2, 1 - share * 0.75, 1 - share * 0.75])
    assert model.kept_share("discriminator", 4) == 1.0
    logs = fit(model, 0, 3)
    np.testing.assert_allclose(
        [model.kept_share("generator", step, log) for step, log in enumerate(logs)], kept[:3], rtol=1e-6
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"ticket_rounds": -1}, "ticket_rounds"),
        ({"round_length": 0}, "round_length"),
        ({"round_sparsity": 1.0}, r"round_sparsity is a number in \(0, 1\). Received: 1.0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        make(**options)


def test_a_generator_without_convolutions_is_refused():
    with pytest.raises(ConfigError, match="no convolution kernels"):
        TicketGAN(*toys.classifier_networks(), num_classes=3)


@pytest.mark.slow
def test_replicas_have_the_same_ticket():
    replicas.assert_replicas_agree(SCRIPT)


SCRIPT = """
import keras
import numpy as np
import tensorflow as tf
import test_tickets
import toys

from tfgans.methods.tickets import TicketGAN

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
states = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        networks = test_tickets.two_convolutions(), toys.image_networks(batch_norm=False)[1]
        model = TicketGAN(*networks, ticket_rounds=2, round_length=2, round_sparsity=0.25, ema_decay=0.5)
        eagerly = strategy.num_replicas_in_sync == 1  # for that which is compiled, one is enough
        model.compile(keras.optimizers.SGD(0.1, momentum=0.5), keras.optimizers.SGD(0.1), run_eagerly=eagerly)
    test_tickets.fit(model, 0, 5)
    with strategy.scope():
        states.append(toys.values(model))
pruned = 0
for name, value in states[0].items():
    np.testing.assert_allclose(states[1][name], value, atol=1e-5, rtol=0, err_msg=name)
    pruned += value.dtype == bool and value.sum()
assert pruned == 5, pruned  # 3 of 13, then 2 of 10
print("replicas agree")
"""
