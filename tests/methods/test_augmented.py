"""DiffAugment, ADA and APA as methods: neutral settings, what is transformed, in company, resumed, compiled."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from augmenting import ALWAYS, INFINITE, PIPE, SOME, assert_equal, base_values, batches, make, train, weights

from tfgans import checkpoint
from tfgans.augment import diffaugment
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.augmented import ADAGAN, APAGAN, DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (DiffAugmentGAN, {"diffaugment_policy": ""}),
        (DiffAugmentGAN, {"diffaugment_policy": "", "augment_penalties": True}),
        (ADAGAN, {"ada_speed": INFINITE}),
        (APAGAN, {"apa_speed": INFINITE}),
    ],
)
def test_off_is_the_base_bit_for_bit(method, options):
    toys.assert_same(toys.values(train(make(method, **options))), base_values())


@functools.cache
def base_weights():
    return weights(train(make(GAN, ema_decay=0.5), 6))


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (ADAGAN, {"ada_target": 1.0}),
        (APAGAN, {"apa_target": 1.0, "pseudo_batch_size": 8}),
    ],
)
def test_a_probability_of_0_is_the_base_bit_for_bit(method, options):
    model = train(make(method, ema_decay=0.5, **options), 6)
    for a, b in zip(weights(model), base_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.controllers[0].value() == 0.0 and float(model.controllers[0].batches.value) == 2.0


def test_each_batch_has_draws_of_its_own():
    model = make(DiffAugmentGAN, discriminator_steps=2, generator_batch_ratio=2)
    one, two = model.split_batch(tf.constant(toys.images(16)))
    fakes = [model.sample(8), model.sample(8), model.draw_latents(16)]
    later = model.split_batch(tf.constant(toys.images(16)))[0]
    ranges = diffaugment.draw_ranges(diffaugment.operations("color,translation,cutout"), 8, 8)
    assert len(ranges) == 7
    for name, (low, high) in ranges.items():
        drawn = [batch[f"augment/{name}"].numpy() for batch in (one, two, *fakes, later)]
        assert [len(x) for x in drawn] == [8, 8, 8, 8, 16, 8]
        assert all(low <= x.min() and x.max() < high for x in drawn)
        if isinstance(low, float):
            for a, b in itertools.combinations(drawn, 2):
                assert not np.isin(a, b).any()
    np.testing.assert_array_equal(one["images"], toys.images(16)[:8])


def test_draws_fill_their_ranges():
    drawn = make(DiffAugmentGAN).augmentation_draws(4000, "fake")
    for name, values in (("translation_rows", range(-1, 2)), ("cutout_columns", range(0, 9))):
        found, counts = np.unique(drawn[name], return_counts=True)
        assert list(found) == list(values)
        np.testing.assert_allclose(counts / 4000, 1 / len(values), atol=0.03)
    for name in ("brightness", "saturation", "contrast"):
        np.testing.assert_allclose(np.histogram(drawn[name], 4, (0, 1))[0] / 4000, 0.25, atol=0.03)


def by_hand(batch):
    draws = {name.removeprefix("augment/"): x for name, x in batch.items() if name.startswith("augment/")}
    names = diffaugment.operations("color,translation,cutout")
    images = diffaugment.augment(tf.convert_to_tensor(batch["images"]), draws, names)
    return bare(batch) | {"images": images}


def bare(batch):
    return {name: x for name, x in batch.items() if not name.startswith("augment/")}


@pytest.mark.parametrize("joint", [True, False])
def test_the_discriminator_sees_transformed_images_alone(joint):
    model, base = make(DiffAugmentGAN, joint_batch=joint), make(GAN, joint_batch=joint)
    real, fake = batches(model)
    found = model.discriminator_losses(real, fake) | model.generator_losses(real, fake)
    expected = base.discriminator_losses(by_hand(real), by_hand(fake)) | base.generator_losses(
        None, by_hand(fake)
    )
    plain = base.discriminator_losses(real, fake) | base.generator_losses(None, fake)
    for name in ("d/adversarial", "g/adversarial"):
        assert float(found[name]) == pytest.approx(float(expected[name]), abs=1e-6)
        assert abs(float(found[name]) - float(plain[name])) > 1e-3


def test_the_generators_gradient_goes_through_the_transform():
    model = make(DiffAugmentGAN)
    latents = model.draw_latents(8)
    _, found = model.generator_gradients(None, latents)
    variables = model.generator.trainable_variables
    with tf.GradientTape() as tape:
        images = model.generator(latents["latents"], training=True)
        transformed = by_hand(latents | {"images": images})["images"]
        loss = model.generator_loss(model.discriminator(transformed, training=True))
    expected = tape.gradient(loss, [v.value for v in variables])
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert float(tf.linalg.global_norm(found)) > 1e-3


@pytest.mark.parametrize("penalties", [False, True])
@pytest.mark.parametrize(
    "order",
    [
        (R1GAN, DiffAugmentGAN),
        (GradientPenaltyGAN, DiffAugmentGAN),
        *list(itertools.permutations((DiffAugmentGAN, R1GAN, GradientPenaltyGAN)))[:3],
    ],
    ids=lambda order: "-".join(method.__name__ for method in order),
)
def test_penalties_see_what_they_should_in_any_order(order, penalties):
    weighted = {"r1_weight": 3.0, "r2_weight": 2.0} if R1GAN in order else {}
    model = make(compose(*order), augment_penalties=penalties, **weighted)
    base = make(compose(*(m for m in order if m is not DiffAugmentGAN)), **weighted)
    real, fake = batches(model)
    plain = base.discriminator_losses(bare(real), bare(fake))
    expected = dict(plain)
    expected["d/adversarial"] = base.discriminator_losses(by_hand(real), by_hand(fake))["d/adversarial"]
    if penalties:
        seen = lambda batch: by_hand(batch) if "for_penalty" in batch else batch  # noqa: E731
        base.discriminate = lambda batch, training: GAN.discriminate(base, seen(batch), training)
        through = base.discriminator_losses(real, fake)  # slopes by the images as they were
        expected |= {name: value for name, value in through.items() if name != "d/adversarial"}
    found = model.discriminator_losses(real, fake)
    assert found.keys() == plain.keys() and len(found) >= 2
    for name in found:
        assert float(found[name]) == pytest.approx(float(expected[name]), abs=1e-5), name
        changed = penalties or name == "d/adversarial"
        assert (abs(float(found[name]) - float(plain[name])) > 1e-5) == changed, name


@pytest.mark.parametrize(
    ("other", "penalties"),
    [(compose(R1GAN, GradientPenaltyGAN), True), (FastGAN, False), (AdvAsGAN, False)],
)
def test_it_trains_in_company_the_same_in_any_order(other, penalties):
    options = {"perturbation_batch_size": 8} if other is FastGAN else {}
    options |= {"generator_batch_ratio": 2, "augment_penalties": penalties}
    orders = ((DiffAugmentGAN, other), (other, DiffAugmentGAN))
    first, second = (train(make(compose(*order), **options), 2) for order in orders)
    assert all(np.isfinite(w).all() for w in weights(first))
    assert all(np.any(a != b) for a, b in zip(weights(first), weights(make(GAN)), strict=True))
    assert_equal(first, second, atol=1e-5)


@pytest.mark.parametrize("estimator", ["unbiased", "split_half"])
def test_advas_groups_have_their_own_draws(estimator):
    """Of one pair of images, any estimator of r is that of the pair's transformed images."""
    advas = {"advas_estimator": estimator, "advas_weight": 1.0}
    model = make(compose(AdvAsGAN, DiffAugmentGAN), **advas)
    base = make(AdvAsGAN, **advas)
    real, fake = batches(model)
    _, found = model.outputs_and_r(real, fake)
    _, expected = base.outputs_and_r(
        *({name: x for name, x in by_hand(batch).items()} for batch in (real, fake))
    )
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


def test_generated_images_are_not_transformed():
    model = make(DiffAugmentGAN, augment_penalties=True)
    base = make(GAN)
    base.generator.set_weights(model.generator.get_weights())
    np.testing.assert_array_equal(model.generate(8, seed=1), base.generate(8, seed=1))


@pytest.mark.parametrize("options", [{}, PIPE], ids=["plain", "pipe"])
def test_xla_gives_the_same_numbers(options):
    """Of the generator's step, whose gradient goes through all transforms."""
    cls, logs = compose(DiffAugmentGAN, ADAGAN), []
    options = ALWAYS | options
    eager, compiled = make(cls, **options), make(cls, compiled=True, xla=True, **options)
    for model in (eager, compiled):
        model.ada.probability.assign(0.7)
        logs.append(model.generator_step({"images": tf.constant(toys.images(8)), "labels": None}))
    assert compiled._xla_functions and not eager._xla_functions
    assert_equal(eager, compiled, atol=2e-5)
    for name, value in logs[0].items():
        assert float(logs[1][name]) == pytest.approx(float(value), rel=1e-4), name


def test_half_precision_trains():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = make(compose(ADAGAN, APAGAN), joint_batch=False, **ALWAYS, **SOME)
    train(model, 4)
    assert all(np.isfinite(w).all() for w in weights(model))
    assert min(float(c.value()) for c in model.controllers) >= 1.0
    assert {v.dtype for c in model.controllers for v in (c.probability, c.signs)} == {"float32"}


@pytest.mark.slow
def test_state_goes_on_bit_for_bit(tmp_path):
    cls = compose(APAGAN, ADAGAN)
    options = SOME | ALWAYS | {"conditional": True}
    options |= {"ada_interval": 2, "apa_speed": 0.05}
    whole = train(make(cls, **options), 3)
    checkpoints = checkpoint.Checkpoints(tmp_path)
    checkpoints.save(whole, 3, {})
    saved = toys.values(whole)
    train(whole, 3, seed=1)
    fresh = make(cls, seed=5, **options)
    fresh.seed = 0  # of the random streams
    checkpoints.restore(fresh)
    toys.assert_same(toys.values(fresh), saved)
    assert float(fresh.ada.value()) == 1.0 and float(fresh.ada.batches.value) == 1.0
    assert float(fresh.apa.value()) == pytest.approx(0.48) and np.any(fresh.pseudo["images"].numpy() != 0)
    train(fresh, 3, seed=1)
    toys.assert_same(toys.values(fresh), toys.values(whole))
    ends = ("/ada_probability", "/apa_probability", "/pseudo_images", "/pseudo_labels")
    names = [n for n, v in checkpoint.variables_of(whole).items() if v.path.endswith(ends)]
    assert len(names) == 4 and all(np.any(saved[n] != toys.values(whole)[n]) for n in names)


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (DiffAugmentGAN, {"diffaugment_policy": "crop"}, "Received: 'crop'"),
        (ADAGAN, {"ada_target": 1.5}, r"ada_target is a number in \[-1, 1\]. Received: 1.5"),
        (ADAGAN, {"ada_interval": 0}, "ada_interval is an integer of at least 1. Received: 0"),
        (
            APAGAN,
            {"apa_speed": 0.0, "pseudo_batch_size": 8},
            r"apa_speed is a number in \(0, inf\]. Received: 0.0",
        ),
    ],
)
def test_bad_options_are_refused_by_name(cls, options, message):
    with pytest.raises(ConfigError, match=message):
        make(cls, **options)


def test_points_and_large_batches_are_refused():
    for cls in (DiffAugmentGAN, ADAGAN):
        with pytest.raises(ConfigError, match=rf"{cls.__name__} augments images .* shape \(1,\)"):
            cls(*toys.scalar_networks())
    model = make(APAGAN, pseudo_batch_size=4)
    with pytest.raises(ConfigError, match="pseudo_batch_size = 4, but a batch holds 8 images"):
        train(model)
