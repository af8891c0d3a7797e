"""DiffAugment, ADA and APA as methods: neutral settings, what is transformed, in company, resumed, compiled."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import checkpoint
from tfgans.augment import diffaugment
from tfgans.augment.pipe import AugmentPipe
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.augmented import ADAGAN, APAGAN, DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN

ALWAYS = {"ada_target": -1.0, "ada_interval": 1, "ada_speed": 0.016}  # p goes up by 1/2 at each step of 8
SOME = {"apa_target": -1.0, "apa_interval": 1, "apa_speed": 0.016, "pseudo_batch_size": 8}
INFINITE = float("inf")


def make(cls, seed=0, compiled=False, xla=False, **options):
    """Steps run eagerly, in a fifth of the time that it takes to trace them, unless they are to be compiled."""
    networks = toys.image_networks(batch_norm=False)
    if options.pop("conditional", False):
        networks, options = toys.image_networks(3, batch_norm=False), options | {"num_classes": 3}
    model = cls(*networks, seed=seed, **options)
    sgd = (keras.optimizers.SGD(0.1, momentum=0.5) for _ in range(2))
    model.compile(*sgd, run_eagerly=not compiled, jit_compile=xla)
    return model


def train(model, steps=3, seed=0):
    count = 8 * steps * model.batches_per_step
    data = (toys.images(count, seed), np.arange(count, dtype="int32") % 3)
    model.fit(*data[: 2 if model.num_classes else 1], batch_size=count // steps, shuffle=False, verbose=0)
    return model


def weights(model):
    return model.generator.get_weights() + model.discriminator.get_weights()


def assert_equal(first, second, **tolerance):
    for a, b in zip(weights(first), weights(second), strict=True):
        np.testing.assert_allclose(a, b, **({"atol": 0, "rtol": 0} | tolerance))


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
def base_values():
    return toys.values(train(make(GAN)))


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


def batches(model):
    """A real and a fake batch as the discriminator's losses get them."""
    model.split_batch(tf.constant(toys.images(8)))
    return model.split_batch(tf.constant(toys.images(8)))[0], model.sample(8)


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


class Watching(GAN):
    """Keeps what the losses get; it runs eagerly."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.__dict__["seen"] = []

    def discriminator_losses(self, real, fake):
        self.seen.append((real, fake))
        return super().discriminator_losses(real, fake)


def test_pseudo_images_are_the_fakes_of_the_step_before():
    model = compose(APAGAN, Watching)(
        *toys.image_networks(3, batch_norm=False), num_classes=3, discriminator_steps=2, **SOME
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    data, labels = toys.images(48), np.arange(48, dtype="int32") % 3
    chances = []
    for step in range(3):
        chances.append(float(model.apa.value()))
        part = slice(16 * step, 16 * step + 16)
        model.fit(data[part], labels[part], batch_size=16, shuffle=False, verbose=0)
    assert chances == [0.0, 1.0, 2.0]  # 16 images a step at a speed of 16
    for index, (real, _) in enumerate(model.seen):
        part = slice(8 * index, 8 * index + 8)
        before = (
            {"images": data[part], "labels": labels[part]} if index < 2 else model.seen[1 + index // 4 * 2][1]
        )
        for name in ("images", "labels"):
            np.testing.assert_array_equal(real[name], before[name])
    assert len(model.seen) == 6


def test_about_a_share_p_of_real_images_is_replaced():
    model = make(APAGAN, pseudo_batch_size=4000)
    model.apa.probability.assign(0.3)
    model.pseudo["images"].assign(np.full((4000, 8, 8, 1), 7.0))
    (batch,) = model.split_batch(tf.constant(toys.images(4000)))
    replaced = np.all(batch["images"] == 7.0, (1, 2, 3))
    assert replaced.mean() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(batch["images"][~replaced], toys.images(4000)[~replaced])
    (again,) = model.split_batch(tf.constant(toys.images(3)))  # a smaller batch
    assert again["images"].shape == (3, 8, 8, 1)
    kept = model.pseudo["images"].numpy()
    fake = model.sample(3)["images"]
    np.testing.assert_array_equal(model.pseudo["images"].numpy(), np.concatenate([fake, kept[3:]]))


def test_pseudo_images_take_the_batch_size_of_the_data():
    told, model = make(APAGAN, pseudo_batch_size=8), make(APAGAN)
    with pytest.raises(ConfigError, match="APAGAN.pseudo_batch_size is not set: it is the images of"):
        model.split_batch(tf.constant(toys.images(8)))
    model.expect_batch(8)
    toys.assert_same(toys.values(model), toys.values(told))
    assert [v.shape for v in model.per_replica_variables()] == [(8, 8, 8, 1)]
    assert make(APAGAN, apa_speed=float("inf")).awaited_batch_sizes() == ()


def test_mixed_images_are_those_of_penalties_in_any_order():
    for order in ((APAGAN, R1GAN), (R1GAN, APAGAN)):
        model, base = make(compose(*order), pseudo_batch_size=8), make(R1GAN)
        model.apa.probability.assign(0.5)
        model.pseudo["images"].assign(toys.images(8, seed=7))
        real, fake = batches(model)
        assert 0 < np.all(real["images"] == toys.images(8, seed=7), (1, 2, 3)).sum() < 8
        found, expected = model.discriminator_losses(real, fake), base.discriminator_losses(real, fake)
        assert {k: float(v) for k, v in found.items()} == {k: float(v) for k, v in expected.items()}


def test_ada_transforms_a_share_p_of_images():
    model = make(ADAGAN)
    images = tf.constant(toys.images(2000))
    for chance in (0.0, 0.2, 1.0):
        model.ada.probability.assign(chance)
        (batch,) = model.split_batch(images)
        changed = np.any(model.augmented(batch)["images"] != images, (1, 2, 3)).mean()
        # A flip is done with 1/2, a turn and a shift with 3/4 (of 8 pixels: by -1, 0 or 1), and surely: scale,
        # stretch, rotation, fraction, brightness, contrast. Saturation changes no grey image.
        left = (1 - chance / 2) * (1 - chance * 3 / 4) ** 2 * (1 - chance) ** 6
        assert changed == pytest.approx(1 - left, abs=0.04)
        assert np.all(batch["images"] == images)


PIPE = {"ada_pipe": AugmentPipe("blit,geom,color,noise,cutout")}  # the filter wants larger images


def test_the_authors_pipeline_transforms_a_share_p_of_images():
    model = make(ADAGAN, ada_pipe=AugmentPipe("color,noise,cutout"))
    images = tf.constant(toys.images(2000))
    for chance in (0.0, 0.2, 1.0):
        model.ada.probability.assign(chance)
        (batch,) = model.split_batch(images)
        changed = np.any(model.augmented(batch)["images"] != images, (1, 2, 3)).mean()
        left = (1 - chance / 2) * (1 - chance) ** 4  # a luma flip is done with 1/2
        assert changed == pytest.approx(1 - left, abs=0.04)


def test_the_pipelines_draws_are_the_batchs_own_and_those_of_replicas_parts_of_one(monkeypatch):
    model = make(ADAGAN, ada_probability=0.5, **PIPE)
    draws = [model.augmentation_draws(8, which) for which in ("real 0", "fake")]
    for name in ("ada_pipe/maps", "ada_pipe/colors", "ada_pipe/noise", "ada_pipe/hole"):
        assert draws[0][name].shape[0] == 8 and np.any(draws[0][name] != draws[1][name]), name
    monkeypatch.setattr("tfgans.distribute.num_replicas", lambda: 2)
    for replica in range(2):
        monkeypatch.setattr("tfgans.distribute.replica_id", lambda: replica)  # noqa: B023
        for name, value in model.augmentation_draws(4, "fake").items():
            np.testing.assert_array_equal(value, draws[1][name][4 * replica : 4 * replica + 4], name)


@pytest.mark.slow
def test_p_may_be_a_number_or_a_function_of_the_updates():
    for p, expected in ((0.25, 0.25), (lambda step: tf.cast(step, tf.float32) / 4.0, 0.5)):
        model = make(ADAGAN, ada_probability=p, ada_speed=INFINITE)
        train(model, 2)
        assert not model.controllers and float(model.present_ada_probability()) == expected
    logs = model.discriminator_step(model.split_batch(tf.constant(toys.images(8)))[0])
    assert float(logs["d/ada_probability"]) == 0.5
    toys.assert_same(toys.values(train(make(ADAGAN, ada_probability=0.0))), base_values())


@pytest.mark.slow
def test_the_pipeline_trains_and_goes_on_bit_for_bit(tmp_path):
    cls, options = compose(ADAGAN, R1GAN), PIPE | ALWAYS | {"augment_penalties": True}
    whole = train(make(cls, **options), 2)
    checkpoints = checkpoint.Checkpoints(tmp_path)
    checkpoints.save(whole, 2, {})
    train(whole, 2, seed=1)
    fresh = make(cls, **options)
    checkpoints.restore(fresh)
    toys.assert_same(toys.values(train(fresh, 2, seed=1)), toys.values(whole))
    assert float(whole.ada.value()) > 1.0 and all(np.isfinite(w).all() for w in weights(whole))


def test_what_a_pipeline_cannot_take_is_refused():
    with pytest.raises(ConfigError, match=r"22 pixels a side or more. Received: \(8, 8\)"):
        make(ADAGAN, ada_pipe=AugmentPipe("bgcf"))
    with pytest.raises(ConfigError, match="ada_pipe is an object"):
        make(ADAGAN, ada_pipe="bgc")


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
