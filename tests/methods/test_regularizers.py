"""Lazy regularization of the discriminator: when R1 is due, what its step does, and the optimizer for it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from stylegan2_weights import channels_last, golden_discriminator, golden_generator

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.lazy import lazy_adam
from tfgans.methods.regularized import R1GAN, WeightClippedGAN


def make(cls=R1GAN, compiled=(), optimizer=lambda _: keras.optimizers.SGD(0.01, momentum=0.5), **options):
    """Steps run eagerly, in a fifth of the time that it takes to trace them, unless `compiled` says otherwise."""
    model = cls(*toys.image_networks(batch_norm=False), **options)
    model.compile(optimizer(4), optimizer(16), **{"run_eagerly": True} | dict(compiled))
    return model


def train(model, steps, first=0):
    size = 4 * model.discriminator_steps
    return toys.fitted(model, toys.images(size * steps)[size * first :], batch_size=size)


def test_squared_slope_and_its_gradients_against_golden(golden):
    arrays = golden("regan_d_pl_r1")
    model = R1GAN(golden_generator(arrays), golden_discriminator(arrays), r1_weight=3.0, r1_interval=16)
    value, gradients = model.r1_gradients(
        {"images": tf.constant(channels_last(arrays["r1_x"])), "labels": None}
    )
    assert float(value) == pytest.approx(1.5 * float(arrays["r1_penalty"]), rel=1e-5)
    slopes = {f"D/{name.removeprefix('r1_grad/')}": v for name, v in arrays.items() if "r1_grad/" in name}
    expected = golden_discriminator(slopes).trainable_variables  # each weight's gradient in its place
    assert len(expected) == len(gradients) == 13
    for variable, gradient in zip(expected, gradients, strict=True):
        value = 1.5 * 16 * variable.numpy()
        np.testing.assert_allclose(
            gradient, value, rtol=1e-4, atol=1e-5 * np.abs(value).max() + 1e-6, err_msg=variable.path
        )


def test_a_lazy_step_by_hand():
    """D(x) = 3 x: the term is gamma / 2 * 9, its slope by the weight gamma * 3, times the interval."""
    model = R1GAN(*toys.scalar_networks(), r1_weight=2.0, r1_interval=4)
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.01))
    logs = model.r1_step({"images": tf.constant([[1.0], [2.0]]), "labels": None})
    assert float(logs["d/r1"]) == pytest.approx(9.0)
    kernel, bias = model.discriminator.get_weights()
    assert kernel[0, 0] == pytest.approx(3.0 - 0.01 * 4 * 2.0 * 3.0) and bias[0] == 0.0


@pytest.mark.parametrize(
    ("steps", "options", "updates", "due"),
    [
        (16, {"r1_interval": 16}, 17, [0]),
        (7, {"r1_interval": 3}, 10, [0, 3, 6]),
        # of updates 0 .. 9: 0, 3, 6, 9, of which 0 and 1 are step 0's
        (5, {"r1_interval": 3, "discriminator_steps": 2}, 14, [0, 1, 3, 4]),
        (4, {"r1_interval": 1}, 4, [0, 1, 2, 3]),
        (4, {"r1_interval": 2, "r1_weight": 0.0}, 4, []),
    ],
)
def test_when_it_is_due(steps, options, updates, due):
    model = make(**options)
    logs = train(model, steps)
    assert int(model.discriminator_optimizer.iterations.numpy()) == updates
    assert int(model.optimizer.iterations.numpy()) == steps
    assert [i for i, log in enumerate(logs) if "d/r1" in log] == due


def test_nothing_changes_where_it_is_not_due():
    base, lazy = make(GAN), make(r1_interval=4)
    for model in (base, lazy):
        model.step.assign(1)
        train(model, 3)
    toys.assert_same(toys.values(base), toys.values(lazy))
    for model in (base, lazy):
        train(model, 1)
    assert any(np.any(a != b) for a, b in zip(base.get_weights(), lazy.get_weights(), strict=True))


def test_a_step_without_it_has_no_more_operations():
    def size(model, step):
        model.choose_step(step)
        data = {"images": tf.TensorSpec((1, 4, 8, 8, 1))}
        function = tf.function(lambda data: model.train_step(data), autograph=False)
        return len(function.get_concrete_function(data).graph.get_operations())

    base, lazy = make(GAN), make(r1_interval=4)
    assert size(lazy, 1) == size(base, 1) == size(base, 0) < size(lazy, 4)


def test_resume_inside_an_interval():
    """The model that went on takes up what it was, and goes on again: its steps are traced already."""
    compiled = {"run_eagerly": False, "steps_per_execution": 2}
    options = {"r1_interval": 3, "compiled": compiled, "optimizer": lambda n: lazy_adam(1e-3, interval=n)}
    model, ends = make(**options), []
    train(model, 2)
    state = checkpoint.read_state(model)
    for _ in range(2):
        checkpoint.write_state(model, state)
        train(model, 4, first=2)
        ends.append(toys.values(model))
    toys.assert_same(*ends)
    assert any(np.any(value != state[name]) for name, value in ends[0].items())
    assert int(model.discriminator_optimizer.iterations.numpy()) == 4 + 2


@pytest.mark.slow
def test_xla_and_eager_train_alike():
    states = []
    for compiled in ({}, {"run_eagerly": False, "jit_compile": True}):
        model = make(r1_interval=2, compiled=compiled)
        train(model, 3)
        states.append(toys.values(model))
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, rtol=1e-3, atol=1e-5, err_msg=name)


def test_other_methods_follow_its_update_too():
    model = make(compose(R1GAN, WeightClippedGAN), r1_interval=2, clip_limit=0.02, r1_weight=100.0)
    for variable in model.discriminator.trainable_variables:
        variable.assign(tf.ones_like(variable))
    model.r1_step({"images": tf.constant(toys.images(4)), "labels": None})
    assert max(np.abs(w).max() for w in model.discriminator.get_weights()) <= np.float32(0.02)


def test_the_optimizer_of_lazy_regularization():
    """c = 4/5 and 16/17 of StyleGAN2's Adam, as published."""
    cases = {4: (0.0016, 0.991992), 16: (0.00188235, 0.990585), 1: (0.002, 0.99)}
    for interval, (rate, beta) in cases.items():
        optimizer = lazy_adam(interval=interval)
        assert float(optimizer.learning_rate) == pytest.approx(rate, rel=1e-5)
        assert (optimizer.beta_1, optimizer.epsilon) == (0.0, 1e-8)
        assert optimizer.beta_2 == pytest.approx(beta, abs=1e-6)
    assert lazy_adam(beta_1=0.5, interval=4).beta_1 == pytest.approx(0.5**0.8)
    assert lazy_adam().beta_2 == 0.99
    with pytest.raises(ConfigError, match="lazy_adam.interval"):
        lazy_adam(interval=0)


def test_bad_intervals_are_refused_by_name():
    with pytest.raises(ConfigError, match="R1GAN.r1_interval"):
        R1GAN(*toys.image_networks(), r1_interval=0)
