"""AlphaGAN's search: what each part moves and what not, its gradient, counts of updates, resume, variants."""

import keras
import numpy as np
import pytest
import replicas
import searches
import supernets
import tensorflow as tf
import toys
from searches import BATCH, changed, data, fit, make, run_phase, weights

from tfgans import checkpoint, losses
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.spaces.autogan.search_discriminator import alphagan_search_discriminator
from tfgans.schedules import CosineAnnealing, StepDecay


@pytest.mark.slow
def test_counts_of_updates_and_the_counter_that_goes_on():
    model = make(discriminator_steps=2, warm_up_steps=1)
    phases = [[name for name, _ in model.phases(step)] for step in range(3)]
    assert phases[0] == ["both_players", "discriminator", "both_players", "end"]
    test = ["copy", *["test_discriminator"] * 2, *["test_generator"] * 2, *["architecture"] * 2, "gap", "end"]
    assert phases[1] == ["discriminator", "both_players", "discriminator", *test]
    assert phases[2] == ["both_players", "discriminator", "both_players", *test]
    assert [model.batches_of(step) for step in range(2)] == [(3, 0), (3, 7)]
    first = [v.numpy() for v in model.generator.architecture_variables]
    logs = fit(model, 0, 1)
    for a, v in zip(first, model.generator.architecture_variables, strict=True):
        np.testing.assert_array_equal(a, v)  # the warm-up
    assert "search/duality_gap" not in logs[0]
    logs = fit(model, 1, 3)
    counts = {name: int(o.iterations.numpy()) for name, o in model.optimizers().items()}
    assert counts == {
        "generator": 5, "discriminator": 9, "test_generator": 2, "test_discriminator": 2, "architecture": 4,
    }  # those of the copies begin again in every step  # fmt: skip
    for row in logs:
        gap = row["search/minmax"] - row["search/maxmin"]
        assert row["search/duality_gap"] == pytest.approx(gap, abs=1e-5)


@pytest.mark.slow
def test_warm_up_alone_is_the_base_bit_for_bit():
    search = make(weight_steps=1, warm_up_steps=9)
    fit(search, 0, 3)
    base = make(GAN)
    images = np.concatenate([b["images"][0].numpy() for b in data(search, 0, 3)])
    base.fit(images, batch_size=BATCH, shuffle=False, verbose=0)
    for name in ("generator", "discriminator"):
        for a, b in zip(weights(getattr(search, name)), weights(getattr(base, name)), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("spectral", [False, True])
def test_what_the_test_and_architecture_parts_leave_alone(spectral):
    discriminator = (
        alphagan_search_discriminator(resolution=8, channels=1, base_channels=2) if spectral else None
    )
    model = make(discriminator=discriminator)
    run_phase(model, "both_players")
    run_phase(model, "copy")
    for own, copy in (
        (model.generator, model.test_generator),
        (model.discriminator, model.test_discriminator),
    ):
        assert not any(changed(weights(own), copy))
    networks = {
        n: getattr(model, n) for n in ("generator", "discriminator", "test_generator", "test_discriminator")
    }
    states = [v.numpy() for n in ("generator", "discriminator") for v in model.optimizers()[n].variables]
    moves = {"test_discriminator": "test_discriminator", "test_generator": "test_generator", "gap": None}
    for phase, moved in moves.items():
        before = {name: weights(network) for name, network in networks.items()}
        run_phase(model, phase)
        for name, network in networks.items():
            assert any(changed(before[name], network)) == (name == moved), (phase, name)
    before = {name: weights(network) for name, network in networks.items()}
    run_phase(model, "architecture")
    alpha = [
        [v.path for v in n.architecture_variables]
        for n in networks.values()
        if hasattr(n, "architecture_variables")
    ]
    moved = [
        v.path
        for v, c in zip(model.generator.weights, changed(before["generator"], model.generator), strict=True)
        if c
    ]
    assert moved == alpha[0]
    assert not any(changed(before["test_generator"], model.test_generator))
    moved = changed(before["discriminator"], model.discriminator)
    searched = model.discriminator.architecture_variables if spectral else []
    assert [v.path for v, c in zip(model.discriminator.weights, moved, strict=True) if c] == [
        v.path for v in searched
    ]
    after = [v.numpy() for n in ("generator", "discriminator") for v in model.optimizers()[n].variables]
    for a, b in zip(states, after, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_alphas_gradient_is_that_of_the_fakes_term_and_of_nothing_else():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    model = make()
    model.choose_step(0)
    model.variant = (("phase", "architecture"),)
    random = np.random.default_rng(0)
    for network in (model.test_discriminator, model.test_generator, model.discriminator):  # all four differ
        network.set_weights([w + 0.1 * random.normal(size=w.shape) for w in network.get_weights()])
    latents = {"latents": tf.constant(random.normal(size=(6, 4))), "labels": None}

    def term():
        images = model.generator(latents["latents"], training=True)
        logits = model.test_discriminator(images)
        return -tf.reduce_mean(tf.nn.relu(1.0 + logits)), logits

    value, logits = term()
    assert np.abs(np.asarray(logits) + 1.0).min() > 1e-3  # no kink near
    model.test_discriminator.layers[-1].bias.assign([float(-1.0 - np.median(logits))])  # some are dead
    _, gradients = model.architecture_gradients(None, latents)
    flat = np.concatenate([np.ravel(g) for g in gradients])
    supernets.assert_slopes(model.generator, flat, lambda: term()[0], step=1e-6, directions=3)
    assert max(np.abs(g).max() for g in gradients) > 1e-6
    model.test_discriminator.layers[-1].bias.assign([-1e3])  # every sample is dead
    _, gradients = model.architecture_gradients(None, latents)
    assert all(not np.any(g) for g in gradients)


def test_alphas_update_is_adam_with_coupled_decay():
    model = make(architecture_learning_rate=0.1, architecture_weight_decay=0.5)
    run_phase(model, "copy")
    model.test_discriminator.layers[-1].bias.assign([-1e3])  # dead: only the decay moves alpha
    first = []
    for variable in model.generator.architecture_variables:
        first.append(np.random.default_rng(0).choice([-0.3, 0.3], variable.shape))
        variable.assign(first[-1])
    run_phase(model, "architecture")
    for a, v in zip(first, model.generator.architecture_variables, strict=True):
        np.testing.assert_allclose(v.numpy() - a, -0.1 * np.sign(a), rtol=1e-5)  # Adam's first step


@pytest.mark.slow
def test_the_gradient_costs_one_generator_and_one_discriminator_pass():
    model = make()
    model.variant = (("phase", "architecture"),)
    latents = {"latents": tf.zeros((4, 4)), "labels": None}
    graph = tf.function(lambda: model.architecture_gradients(None, latents)).get_concrete_function().graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("Tanh") == 1  # the generator's end
    assert kinds.count("Softplus") == 1  # D-bar's


def test_a_resumed_search_goes_on_exactly():
    options = dict(gumbel=True, discriminator_steps=2, weight_steps=3, test_steps=1, architecture_steps=1)
    whole = make(**options)
    fit(whole, 0, 1)
    saved = checkpoint.read_state(whole)
    fit(whole, 1, 2)
    other = make(seed=5, **options)
    checkpoint.write_state(other, saved)
    fit(other, 1, 2)
    toys.assert_same(toys.values(whole), toys.values(other))
    assert any("architecture" in v.path or "normal_1" in v.path for v in whole.generator.weights)


def test_rates_follow_their_schedules():
    options = {"generator_schedule": CosineAnnealing(100, 5.0, 1), "test_schedule": StepDecay(30)}
    model = make(**options)
    rates = []
    for step in (0, 24, 29, 30, 49, 98):
        model.step.assign(step)
        model.set_learning_rates()
        names = "generator", "discriminator", "test_generator", "test_discriminator", "architecture"
        rates.append([float(model.optimizers()[name].learning_rate.numpy()) for name in names])
    rates = np.array(rates) / [1e-2, 1e-2, 1e-2, 1e-2, 3e-4]
    expected = [(1e-3 - 4e-4 * (1 + np.cos(np.pi * (s + 1) / 100))) / 2e-4 for s in (0, 24, 29, 30, 49, 98)]
    np.testing.assert_allclose(rates[:, 0], expected, rtol=1e-5)  # the specification's formula
    np.testing.assert_allclose(rates[:, 1], 1.0, rtol=1e-5)
    np.testing.assert_allclose(rates[:, 2], [1, 1, 1, 0.5, 0.5, 0.5], rtol=1e-5)
    np.testing.assert_allclose(rates[:, 3:], [[b, 1] for b in (1, 1, 1, 0.5, 0.5, 0.5)], rtol=1e-5)


def test_schedules_of_a_users_own_may_be_float64():
    model = make(generator_schedule=lambda step: 1 - step / 10)
    model.learning_rate_schedule = StepDecay(2)
    model.step.assign(2)
    factors = {name: float(factor) for name, factor in model.learning_rate_factors().items()}
    assert factors["generator"] == pytest.approx(0.8 * 0.5) and factors["test_generator"] == pytest.approx(
        0.5
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"weight_steps": 0}, "AlphaGAN.weight_steps"),
        ({"warm_up_steps": -1}, "AlphaGAN.warm_up_steps"),
        ({"test_generator_updates": "none"}, "one of weights, architecture, both. Received: 'none'"),
        (
            {"single_level_weight": -1.0},
            "single_level_weight is a number of at least 0 or None. Received: -1.0",
        ),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        make(**options)


def test_a_generator_that_is_no_supernet_is_refused():
    with pytest.raises(ConfigError, match="a generator that is a supernet"):
        AlphaGAN(*toys.image_networks())


@pytest.mark.parametrize(
    "loss",
    [
        lambda real, fake: tf.reduce_mean(tf.nn.softplus(fake - real)),
        lambda real, fake: tf.reduce_mean(real * fake),
    ],
)
def test_a_discriminators_loss_that_is_no_sum_of_two_parts_is_refused(loss):
    """Alpha's gradient was that of some other loss, of fakes beside real logits of 0."""
    with pytest.raises(
        ConfigError, match="sums of a real and a fake part, .*: GAN.discriminator_loss is none"
    ):
        AlphaGAN(searches.supernet(), searches.critic(), discriminator_loss=loss)


def test_all_losses_of_ours_but_that_of_pairs_are_sums():
    found = [getattr(losses, name) for name in vars(losses) if name.endswith("_discriminator")]
    assert [loss.__name__ for loss in found if not losses.is_sum(loss)] == ["relativistic_discriminator"]
    assert len(found) > 6
    assert losses.is_sum(lambda real, fake: 1e4 * losses.hinge_discriminator(real, fake))


def test_data_too_short_for_an_outer_step_are_told_in_batches():
    """It said that no batch had the one image that a step takes."""
    model = make(discriminator_steps=2)
    with pytest.raises(ConfigError, match="no training step: one takes 10 batches, and the data has fewer"):
        model.fit(data(model, 0, 1).take(1), shuffle=False, verbose=0)


def test_a_generator_without_shares_of_its_operations_is_refused_before_it_is_searched():
    """The gap's logs have the entropy of `mixing`: it was missed at the end of the first outer step."""
    generator, discriminator = toys.image_networks()
    generator.architecture_variables = []
    with pytest.raises(ConfigError, match="a supernet"):
        AlphaGAN(generator, discriminator)


@pytest.mark.slow
def test_replicas_search_alike():
    replicas.assert_replicas_agree(SCRIPT)


SCRIPT = """
import keras
import numpy as np
import tensorflow as tf
import searches as search

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    keras.utils.set_random_seed(0)
    generator = search.alphagan_supernet(
        resolution=8, channels=1, latent_dim=4, base_channels=2, normal_operations=("conv_1x1",),
        up_operations=("nearest", "bilinear"),
    )
    search.supernet = lambda seed: generator
    model = search.make(weight_steps=1, test_steps=1, architecture_steps=1, compiled={"run_eagerly": False})
    first = [v.numpy() for v in model.generator.architecture_variables]
split = lambda batch: tf.data.Dataset.from_tensor_slices(
    {"images": tf.stack([batch["images"][:, i * 2 : i * 2 + 2] for i in range(2)])}
)
batches = strategy.distribute_datasets_from_function(lambda context: search.data(model, 0, 1).flat_map(split))
model.fit(batches, steps_per_epoch=1, shuffle=False, verbose=0)
checked = 0
for variable in [*model.variables, *[v for o in model.optimizers().values() for v in o.variables]]:
    one, two = variable.value.values
    np.testing.assert_array_equal(one.numpy(), two.numpy(), err_msg=variable.path)
    checked += 1
assert checked > 150, checked
assert all(np.all(v.numpy() != a) for v, a in zip(model.generator.architecture_variables, first))
print("replicas agree")
"""
