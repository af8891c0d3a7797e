"""Variants of AlphaGAN's search and its baselines: what each of them moves and draws."""

import numpy as np
import pytest
import toys
from searches import BATCH, SMALL, changed, data, fit, make, run_phase, weights

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan.accounting import planned_cost
from tfgans.methods import compose
from tfgans.methods.adversarialnas import AdversarialNASGAN
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.random_search import RandomSearchGAN
from tfgans.methods.alphagan.spaces.autogan.search_discriminator import alphagan_search_discriminator
from tfgans.methods.regularized import R1GAN


def test_test_generators_updates():
    for updates in ("architecture", "both"):
        model = make(test_generator_updates=updates)
        run_phase(model, "copy")
        before = weights(model.test_generator)
        run_phase(model, "test_generator")
        trainable = {id(v) for v in model.test_generator.trainable_variables}
        alpha = {id(v) for v in model.test_generator.architecture_variables}
        moved = {
            id(v)
            for v, c in zip(model.test_generator.weights, changed(before, model.test_generator), strict=True)
            if c
        }
        assert alpha <= moved and bool(trainable & moved) == (updates == "both")
        run_phase(model, "copy")
        assert int(model.optimizers()["test_architecture"].iterations.numpy()) == 0


@pytest.mark.slow
def test_single_level_moves_everything_on_the_validation_half():
    model = make(single_level_weight=1.0)
    assert model.batches_of(0) == (0, 7)
    before = {name: weights(getattr(model, name)) for name in ("generator", "discriminator")}
    fit(model, 0, 1)
    counts = {name: int(o.iterations.numpy()) for name, o in model.optimizers().items()}
    assert counts["generator"] == counts["discriminator"] == counts["architecture"] == 2
    for name, old in before.items():
        weights_now = getattr(model, name).weights
        moved = [v.path for v, w in zip(weights_now, old, strict=True) if np.any(v.numpy() != w)]
        # biases in front of a batch norm, or of a hinge loss where no sample is beyond it, need not
        kernels = [v.path for v in weights_now if v.trainable and v.path.endswith("kernel")]
        assert set(kernels) <= set(moved) and len(kernels) == (29 if name == "generator" else 2)


def test_what_is_compiled_for_one_player_is_not_called_with_another(monkeypatch):
    """At a single level G-bar's images are made in the same phase as G's, and compiled where updates are in parts."""
    model = make(single_level_weight=1.0, compiled={"run_eagerly": False, "accumulation_steps": 2}, **SMALL)
    run_phase(model, "copy")
    for weight in model.test_generator.trainable_variables:
        weight.assign(0.5 * weight)
    seen, inner = [], model.in_micro_batches

    def in_micro_batches(function, *given, **options):
        if function == model.discriminator_gradients:
            seen.append(given[1])
        return inner(function, *given, **options)

    monkeypatch.setattr(model, "in_micro_batches", in_micro_batches)
    monkeypatch.setattr(model, "update_generator", lambda gradients: None)
    monkeypatch.setattr(model, "move_architecture", lambda *given: None)
    run_phase(model, "architecture")
    players = model.test_generator, model.generator
    for fake, generator in zip(seen, players, strict=True):
        halves = [generator(fake["latents"][i : i + 2], training=True) for i in (0, 2)]
        np.testing.assert_allclose(fake["images"], np.concatenate(halves), atol=1e-5)
    assert np.abs(seen[0]["images"] - players[1](seen[0]["latents"], training=True)).max() > 1e-3


def test_a_step_before_the_data_end_counts_though_an_execution_makes_two():
    model = make(compiled={"steps_per_execution": 2}, **SMALL)
    model.fit(data(model, 0, 1), shuffle=False, verbose=0)
    assert int(model.step.numpy()) == 1 and "search/duality_gap" in model.step_logs
    with pytest.raises(ConfigError, match="an epoch has no training step"):
        make(**SMALL).fit(data(model, 0, 1).take(2), shuffle=False, verbose=0)


def test_a_single_level_has_nothing_lazy():
    with pytest.raises(ConfigError, match="R1GAN.r1_interval must be 1. Received: r1/0 is due in some"):
        make(compose(AlphaGAN, R1GAN), single_level_weight=1.0, r1_interval=4, **SMALL)
    assert make(compose(AlphaGAN, R1GAN), single_level_weight=1.0, r1_interval=1, **SMALL)


def test_gumbel_noise_is_for_g_and_not_for_the_test_networks():
    model = make(gumbel=True)
    model.variant = (("phase", "discriminator"),)
    latents = model.draw_latents(3)
    assert sum(name.startswith("generator_noise") for name in latents) == 8
    plain = model.generator(latents["latents"], training=True)
    assert np.abs(model.synthesize(latents, training=True) - plain).max() > 1e-6
    noise = [latents[f"generator_noise/{i}"] for i in range(8)]
    mixed = model.generator(latents["latents"], training=True, mixing=model.generator.mixing(noise, 0.5))
    np.testing.assert_allclose(model.synthesize(latents, training=True), mixed, rtol=1e-6)
    with model.playing(**model.test_players("generator")):
        assert not any("noise" in name for name in model.draw_latents(3))
    other = model.draw_latents(3)
    assert np.any(other["generator_noise/0"] != latents["generator_noise/0"])
    np.testing.assert_array_equal(model.generate(2, seed=0), model.generate(2, seed=0))


@pytest.mark.slow
def test_gumbel_reaches_a_searched_discriminator():
    discriminator = alphagan_search_discriminator(resolution=8, channels=1, base_channels=2)
    model = make(gumbel=True, discriminator=discriminator, weight_steps=1, test_steps=1)
    logs = fit(model, 0, 1)
    assert np.isfinite(list(logs[0].values())).all()
    counts = {name: int(o.iterations.numpy()) for name, o in model.optimizers().items()}
    assert counts["discriminator_architecture"] == counts["architecture"] == 2


def test_random_search_draws_architectures_and_keeps_the_best():
    model = make(RandomSearchGAN, num_candidates=3)
    latents = model.draw_latents(2)
    rows = np.concatenate([latents[f"random_architecture/{i}"] for i in range(8)][:3])
    assert set(np.unique(rows)) == {0.0, 1.0} and (rows.sum(1) == 1).all()
    expected = model.generator(
        latents["latents"], mixing=[latents[f"random_architecture/{i}"] for i in range(8)]
    )
    np.testing.assert_array_equal(model.synthesize(latents), expected)
    seen = []

    def score(generate):
        seen.append(generate(2))
        return [3.0, 1.0, 2.0][len(seen) - 1]

    found, scores = model.final_genotype(score)
    candidates = [model.generator.random_genotype((0, i)) for i in range(3)]
    assert found == candidates[1] and scores == [3.0, 1.0, 2.0]
    assert np.any(seen[0] != seen[1])
    for candidate in candidates:
        for name, mixing in zip(
            model.generator.architecture_names, model.generator.mixing_of(candidate), strict=True
        ):
            operations = model.generator.architecture_operations[name]
            assert tuple(operations[i] for i in np.argmax(mixing, -1)) == candidate.group(name)
    assert model.shown_mixing is None


@pytest.mark.slow
def test_adversarial_nas_moves_both_architectures_by_their_own_losses():
    discriminator = alphagan_search_discriminator(resolution=8, channels=1, base_channels=2)
    model = make(AdversarialNASGAN, discriminator=discriminator, discriminator_steps=2)
    before = [[v.numpy() for v in n.architecture_variables] for n in (model.generator, model.discriminator)]
    model.fit(toys.images(4 * BATCH), batch_size=2 * BATCH, shuffle=False, verbose=0)
    counts = {name: int(o.iterations.numpy()) for name, o in model.optimizers().items()}
    assert counts == {
        "generator": 2,
        "discriminator": 4,
        "generator_architecture": 2,
        "discriminator_architecture": 4,
    }
    for old, network in zip(before, (model.generator, model.discriminator), strict=True):
        assert all(np.all(v.numpy() != o) for v, o in zip(network.architecture_variables, old, strict=True))
    base = make(AdversarialNASGAN, architecture_rate=0.0)
    with pytest.raises(ConfigError, match="needs a supernet"):
        AdversarialNASGAN(*toys.image_networks())
    assert set(base.optimizers()) == {"generator", "discriminator"}


@pytest.mark.slow
@pytest.mark.parametrize("discriminator_steps", [1, 2])
def test_lazy_r1_is_due_in_the_updates_of_d_and_of_its_copy(discriminator_steps):
    """Every third update of D counted through the run from 0, and of D-bar: 3 and 2 of them an outer step."""
    method = compose(AlphaGAN, R1GAN)
    small = SMALL | {"architecture_steps": 1}
    model = make(method, **small, discriminator_steps=discriminator_steps, r1_interval=3)
    done = []
    step, taken = model.r1_step, model.discriminator_step
    model.r1_step = lambda real: done.append((model.phase, "r1")) or step(real)
    model.discriminator_step = lambda real: done.append((model.phase, "adversarial")) or taken(real)
    for name in ("generator_step", "architecture_phase", "gap_phase"):  # which take most of the time
        setattr(model, name, lambda real: {})
    logs = fit(model, 0, 2)
    own, copy = [[kind for phase, kind in done if ("test" in phase) == test] for test in (False, True)]
    for kinds, count in ((own, 2 * 3), (copy, 2 * 2)):
        assert kinds.count("adversarial") == count
        due = [i for i in range(count) if i % 3 == 0]
        expected = [kind for i in range(count) for kind in ("adversarial",) + ("r1",) * (i in due)]
        assert kinds == expected
    assert all(log[name] > 0.0 for log in logs for name in ("d/r1", "test/d/r1"))
    if discriminator_steps == 1:
        plain = planned_cost(make(method, r1_weight=0.0, **small), BATCH, 6)["training_flops"]
        extra = 2 * BATCH * (6 * (6 + 4)) * cost.macs(model.discriminator)
        assert planned_cost(model, BATCH, 6)["training_flops"] - plain == extra


def test_what_is_lazy_in_one_network_compiles_the_other_s_phase_once():
    model = make(compose(AlphaGAN, R1GAN), **SMALL, r1_interval=3)
    kinds = {}
    for step in range(6):
        for phase, number in model.phases(step):
            kinds.setdefault(phase, set()).add(model.kind_of_phase(phase, number))
    assert {phase: len(found) for phase, found in kinds.items()} == {
        "both_players": 2, "copy": 1, "test_discriminator": 2, "test_generator": 1, "architecture": 1, "gap": 1,
        "end": 1,
    }  # fmt: skip


def test_lazy_updates_concern_one_network():
    model = make(compose(AlphaGAN, R1GAN), **SMALL, r1_interval=2)
    assert model.extras_of("generator", ("r1/0", "other")) == ("other",)
    assert model.extras_of("discriminator", ("r1/0", "other")) == ("r1/0", "other")


def test_gumbel_noise_is_in_every_forward_of_a_searched_discriminator():
    """As in the authors' code: against G-bar, and on the gap's real images, too; never in D-bar's."""
    pool = ("conv_1x1", "conv_3x3")
    discriminator = alphagan_search_discriminator(8, base_channels=2, channels=1, normal_operations=pool)
    model, seen = make(gumbel=True, discriminator=discriminator), []
    call_options = model.call_options

    def options_of(network, batch):
        seen.append((network, "mixing" in call_options(network, batch)))
        return call_options(network, batch)

    model.call_options = options_of
    for single_level, joint, phases in (
        (None, False, ("discriminator", "test_generator", "architecture")),
        (1.0, False, ("both_players", "test_discriminator", "gap")),
        (None, True, ("discriminator", "test_discriminator")),
    ):  # one model for all: its networks take most of the time
        model.single_level_weight, model.joint_batch = single_level, joint
        for phase in phases:
            seen.clear()
            run_phase(model, phase)
            own = [mixed for network, mixed in seen if network is model.own_discriminator]
            copies = [mixed for network, mixed in seen if network is model.test_discriminator]
            assert all(own) and not any(copies), phase
            assert bool(own) == (phase != "test_discriminator"), phase
