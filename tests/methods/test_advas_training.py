"""AdvAs in training: what it leaves alone, its company, its logs, its passes, and the same on two replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from test_advas import smooth_networks
from test_passes import needed

from tfgans import checkpoint, losses
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN, untruncated
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN

EAGERLY = {"run_eagerly": True}  # takes a fifth of the time that a step takes to trace


def make(*methods, networks=None, seed=0, compiled=EAGERLY, **options):
    networks = networks or smooth_networks(spectral=True)
    model = compose(*methods)(*networks, num_classes=3, seed=seed, **options)
    model.compile(*(keras.optimizers.SGD(1e-3, momentum=0.5) for _ in range(2)), **compiled)
    return model


def train(model, steps, seed=0):
    random, count = np.random.default_rng(seed), 8 * steps * model.batches_per_step
    images = random.uniform(-1, 1, (count, 8, 8, 1)).astype("float32")
    labels, size = random.integers(0, 3, count), 8 * model.batches_per_step
    model.fit(images, labels, batch_size=size, shuffle=False, verbose=0)
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    ("methods", "estimator", "mode"),
    [
        ((AdvAsGAN, GradientPenaltyGAN), "biased", EAGERLY),
        ((AdvAsGAN,), "unbiased", {}),
        ((AdvAsGAN, GradientPenaltyGAN), "split_half", EAGERLY),
    ],
    ids=["biased-eager", "unbiased-graph", "split_half-eager"],
)
def test_a_generator_step_leaves_the_discriminator_alone_bit_for_bit(methods, estimator, mode):
    model = make(*methods, advas_estimator=estimator, compiled=mode)
    real = {"images": tf.constant(toys.images(4)), "labels": tf.constant([0, 1, 2, 0])}
    model.discriminator_step(real)  # so that the optimizer has a past
    kept = [*model.discriminator.variables, *model.discriminator_optimizer.variables]
    assert {v.name for v in kept} >= {"u", "v", "kernel", "bias", "gamma", "iteration"} and len(kept) > 20
    before = [v.numpy() for v in kept]
    generator = [v.numpy() for v in model.generator.trainable_variables]
    step = (
        model.generator_step if "run_eagerly" in mode else tf.function(model.generator_step, autograph=False)
    )
    step(real)
    for variable, value in zip(kept, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
    assert any(
        np.any(v.numpy() != w) for v, w in zip(model.generator.trainable_variables, generator, strict=True)
    )


def test_with_batch_norm_statistics_stay_too_unless_asked_for():
    moved = []
    for cls, options in ((AdvAsGAN, {}), (AdvAsGAN, {"freeze_discriminator_state": False}), (GAN, {})):
        options = options or {"freeze_discriminator_state": cls is AdvAsGAN}
        model = cls(*toys.image_networks(), **options)
        model.compile()
        before = [v.numpy() for v in model.discriminator.non_trainable_variables]
        model.generator_step({"images": tf.constant(toys.images(4)), "labels": None})
        after = [v.numpy() for v in model.discriminator.non_trainable_variables]
        moved.append([a - b for a, b in zip(after, before, strict=True)])
    assert len(moved[0]) == 2 and not any(np.any(m) for m in moved[0])
    for mine, base in zip(*moved[1:], strict=True):  # moved once, as the base's step moves them
        np.testing.assert_array_equal(mine, base)
        assert np.any(base)


@pytest.mark.slow
def test_xla_trains_as_eager_steps_do():
    """The discriminator's u, v and optimizer too, which a generator step must leave alone."""
    states = [toys.values(train(make(AdvAsGAN, compiled=m), 2)) for m in (EAGERLY, {"jit_compile": True})]
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, atol=2e-6, rtol=0, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("methods", [(), (GradientPenaltyGAN, R1GAN), (FastGAN,)])
def test_weight_0_is_what_it_is_composed_with_bit_for_bit(methods):
    options = {"perturbation_batch_size": 8} if FastGAN in methods else {}
    base = make(*methods, **options)
    neutral = make(AdvAsGAN, *methods, advas_weight=0.0, fresh_real_batch=True, **options)
    toys.assert_same(toys.values(train(base, 2)), toys.values(train(neutral, 2)))
    other = toys.values(train(make(AdvAsGAN, *methods, **options), 2))
    assert any(np.any(value != other[name]) for name, value in toys.values(base).items())


def test_with_fastgan_and_a_penalty_it_goes_on_bit_for_bit(tmp_path):
    methods, options = (AdvAsGAN, FastGAN, R1GAN), {"perturbation_batch_size": 8, "ema_decay": 0.9}
    whole = train(make(*methods, **options), 2)
    assert {"g/advas_r", "g/advas_lambda", "d/r1", "d/gradient_norm"} <= set(whole.step_logs)
    checkpoints = checkpoint.Checkpoints(tmp_path)
    checkpoints.save(whole, 2, {})
    train(whole, 2, seed=1)
    fresh = make(*methods, networks=smooth_networks(spectral=True, seed=5), **options)
    checkpoints.restore(fresh)
    train(fresh, 2, seed=1)
    toys.assert_same(toys.values(fresh), toys.values(whole))


@pytest.mark.slow
def test_order_of_company_does_not_matter():
    options = {"perturbation_batch_size": 8}
    orders = [(AdvAsGAN, FastGAN, R1GAN), (R1GAN, FastGAN, AdvAsGAN)]
    first, second = (toys.values(train(make(*order, **options), 2)) for order in orders)
    for name, value in first.items():
        np.testing.assert_allclose(second[name], value, atol=1e-5, err_msg=name)


def test_logs_name_r_lambda_and_both_norms():
    model = train(make(AdvAsGAN), 2)
    logs = model.step_logs
    expected = min(1.0, logs["g/adversarial_gradient_norm"] / logs["g/advas_gradient_norm"])
    assert logs["g/advas_lambda"] == pytest.approx(expected, rel=1e-5)
    assert 0.0 < logs["g/advas_lambda"] <= 1.0 and logs["g/advas_r"] > 0.0
    limit = 2.0 * logs["g/adversarial_gradient_norm"]
    assert 0.0 < logs["g/gradient_norm"] <= limit * (1 + 1e-5)  # |lambda g_r| is at most |g_loss|


def test_the_last_batch_of_the_discriminator_or_one_of_its_own():
    seen = {}

    class Watching(AdvAsGAN):
        def discriminator_step(self, real):
            seen.setdefault("d", []).append(real["images"].numpy())
            return super().discriminator_step(real)

        def generator_step(self, real):
            seen["g"] = real["images"].numpy()
            return super().generator_step(real)

    for fresh in (False, True):
        seen.clear()
        model = make(Watching, discriminator_steps=2, fresh_real_batch=fresh)
        assert model.batches_per_step == 2 + fresh
        train(model, 1)
        assert len(seen["d"]) == 2
        assert np.array_equal(seen["g"], seen["d"][1]) == (not fresh)
        assert not np.array_equal(seen["g"], seen["d"][0])


# Of a generator step, with a discriminator of one softplus: its forwards, and those of its tanh generator.
FORWARDS = [
    ((GAN,), {}, (1, 1)),
    ((AdvAsGAN,), {}, (2, 1)),
    ((AdvAsGAN,), {"advas_weight": 0.1, "advas_norms": False}, (2, 1)),
    ((AdvAsGAN,), {"advas_estimator": "split_half"}, (4, 1)),  # of half a batch each
    ((AdvAsGAN, GradientPenaltyGAN), {}, (2, 1)),  # a penalty needs the slope of its softplus alone
]


@pytest.mark.parametrize(("methods", "options", "forwards"), FORWARDS)
def test_one_forward_on_the_fakes_serves_both_losses(methods, options, forwards):
    model = compose(*methods)(
        *toys.classifier_networks(), num_classes=3, discriminator_loss=losses.wasserstein_discriminator,
        generator_loss=losses.wasserstein_generator, **options,
    )  # fmt: skip
    model.compile()
    real = {"images": tf.TensorSpec((8, 6, 6, 3)), "labels": tf.TensorSpec((8,), tf.int32)}
    graph = tf.function(model.generator_step, autograph=False).get_concrete_function(real).graph
    kinds = [operation.type for operation in needed(graph)]
    assert (kinds.count("Softplus"), kinds.count("Tanh")) == forwards


def test_only_the_hinge_loss_is_untruncated():
    assert untruncated(losses.hinge_discriminator) is losses.untruncated_hinge_discriminator
    assert untruncated(losses.wasserstein_discriminator) is losses.wasserstein_discriminator
    real, fake = tf.constant([[3.0], [-1.0]]), tf.constant([[-5.0], [1.0]])
    # means of 1 - 3, 1 + 1 and of 1 - 5, 1 + 1
    assert float(losses.untruncated_hinge_discriminator(real, fake)) == pytest.approx(0.0 - 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"advas_weight": -1.0}, "AdvAsGAN.advas_weight is a number of at least 0 or None. Received: -1.0"),
        ({"advas_weight": float("nan")}, "AdvAsGAN.advas_weight"),
        ({"advas_weight": 0, "advas_alone": True}, "AdvAsGAN.advas_alone needs an advas_weight other than 0"),
        (
            {"advas_estimator": "exact"},
            "advas_estimator is one of biased, unbiased, split_half. Received: 'exact'",
        ),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ConfigError, match=message):
        make(AdvAsGAN, **options)


@pytest.mark.parametrize("estimator", ["unbiased", "split_half"])
def test_estimators_from_pairs_refuse_batch_norms_and_what_has_no_pairs(estimator):
    with pytest.raises(
        ConfigError, match=f"{estimator}' needs a discriminator that does not mix its samples"
    ):
        AdvAsGAN(*toys.image_networks(batch_norm=True), advas_estimator=estimator)
    model = AdvAsGAN(*toys.image_networks(batch_norm=False), advas_estimator=estimator)
    model.compile()
    count = {"unbiased": 1, "split_half": 3}[estimator]
    with pytest.raises(ConfigError, match=f"{estimator}' takes .* Received: {count}"):
        model.generator_step({"images": tf.constant(toys.images(count)), "labels": None})


@pytest.mark.parametrize(
    ("estimator", "count", "micro_batches", "told"),
    [
        ("split_half", 5, 1, "an even number of images of each replica and micro-batch. Received: 5"),
        ("split_half", 6, 2, "an even number of images of each replica and micro-batch. Received: 3"),
        ("split_half", 8, 2, None),
        ("unbiased", 1, 1, "2 images or more. Received: 1"),
        ("unbiased", 3, 1, None),
        ("biased", 1, 1, None),
    ],
)
def test_batches_without_pairs_are_refused_before_training(estimator, count, micro_batches, told):
    model = AdvAsGAN(*toys.image_networks(batch_norm=False), advas_estimator=estimator)
    model.compile(accumulation_steps=micro_batches)
    if told is None:
        model.expect_batch(count)
        return
    with pytest.raises(ConfigError, match=f"^AdvAsGAN.advas_estimator = '{estimator}' takes {told}$"):
        model.expect_batch(count)
