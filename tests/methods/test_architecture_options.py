"""Options of what moves or draws architectures: each by a formula of its own."""

import numpy as np
import pytest
import tensorflow as tf
from searches import make, run_phase

from tfgans import config
from tfgans.config import ConfigError
from tfgans.methods.adversarialnas import AdversarialNASGAN
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.random_search import RandomSearchGAN
from tfgans.optimizers import TorchAdam

RATE, DECAY = 0.1, 0.5


def adam(alpha, beta_1, beta_2, steps, epsilon):
    """`steps` of Adam from alpha on, where the gradient is DECAY times the weight; float64."""
    mean, square = np.zeros_like(alpha), np.zeros_like(alpha)
    for step in range(1, steps + 1):
        gradient = DECAY * alpha
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        corrected = mean / (1 - beta_1**step)
        alpha = alpha - RATE * corrected / (np.sqrt(square / (1 - beta_2**step)) + epsilon)
    return alpha


def with_random(variables):
    """Gives architecture weights random values, and returns these."""
    draws = np.random.default_rng(0)
    first = [draws.choice([-0.3, 0.2, 0.5], v.shape) for v in variables]
    for variable, value in zip(variables, first, strict=True):
        variable.assign(value)
    return first


@pytest.mark.parametrize("betas", [(0.5, 0.999), (0.8, 0.9)])
def test_alphas_adam_has_the_betas_asked_for(betas):
    """All samples are dead, so only the decay moves alpha: three steps by hand."""
    options = dict(zip(("architecture_beta_1", "architecture_beta_2"), betas, strict=True))
    model = make(architecture_learning_rate=RATE, architecture_weight_decay=DECAY, **options)
    run_phase(model, "copy")
    model.test_discriminator.layers[-1].bias.assign([-1e3])
    first = with_random(model.generator.architecture_variables)
    for _ in range(3):
        run_phase(model, "architecture")
    for start, found in zip(first, model.generator.architecture_variables, strict=True):
        np.testing.assert_allclose(found.numpy(), adam(start, *betas, 3, 1e-8), rtol=1e-4)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_adversarial_nas_has_the_momentum_and_the_decay_asked_for(momentum):
    """No loss moves anything: the architecture follows its decay alone, the weights' gradients come back."""
    options = {"architecture_momentum": momentum, "architecture_decay": DECAY}
    model = make(AdversarialNASGAN, architecture_rate=RATE, **options)
    alpha = model.generator.architecture_variables
    first = with_random(alpha)
    zeros = [tf.zeros(v.shape) for v in (*model.generator.trainable_variables, *alpha)]
    for _ in range(3):
        assert len(model._moved("generator", zeros)) == len(model.generator.trainable_variables)
    for start, found in zip(first, alpha, strict=True):
        np.testing.assert_allclose(found.numpy(), adam(start, momentum, 0.999, 3, 1e-8), rtol=1e-4)


@pytest.mark.slow
def test_candidates_are_those_of_the_seed_and_the_best_is_taken(monkeypatch):
    def candidates(seed):
        model, seen = make(RandomSearchGAN, num_candidates=4, candidate_seed=seed), []
        original = model.generator.mixing_of
        monkeypatch.setattr(model.generator, "mixing_of", lambda c: seen.append(c) or original(c))
        values = iter([3.0, 2.0, 0.5, 1.0])
        found = model.final_genotype(lambda generate: next(values))
        return seen, found[0] if isinstance(found, tuple) else found

    first, best = candidates(5)
    again, _ = candidates(5)
    others, _ = candidates(6)
    assert first == again != others and len(first) == 4
    assert best == first[2]


def test_candidates_without_a_score_are_never_the_best():
    nan, inf = float("nan"), float("inf")
    model = make(RandomSearchGAN, num_candidates=4)
    for values, best in (((nan, 2.0, 1.0, 3.0), 2), ((inf, nan, 2.0, 2.0), 2), ((3.0, inf, nan, -inf), 0)):
        given = iter(values)
        found, scores = model.final_genotype(lambda _, given=given: next(given))
        assert found == model.generator.random_genotype((0, best))
        np.testing.assert_array_equal(scores, values)
    with pytest.raises(ConfigError, match="none of the 4 candidates has a finite score"):
        model.final_genotype(lambda _: nan)
    with pytest.raises(KeyError):
        model.final_genotype(lambda _: {}["score"])
    assert model.shown_mixing is None  # in training none is shown


@pytest.mark.parametrize("method", [AlphaGAN, AdversarialNASGAN])
def test_what_gin_files_say_of_the_weights_adam_is_not_said_of_the_architectures(method, tmp_path):
    settings = {"weight_decay": 0.1, "amsgrad": True, "clipnorm": 0.5, "epsilon": 1e-3}
    (tmp_path / "a.gin").write_text("".join(f"TorchAdam.{name} = {x}\n" for name, x in settings.items()))
    config.parse([str(tmp_path / "a.gin")])
    model = make(method)
    model.compile(TorchAdam(), TorchAdam())
    found = {name: optimizer.get_config() for name, optimizer in model.optimizers().items()}
    assert {name: found["generator"][name] for name in settings} == settings
    searched = [found[name] for name in found if name.endswith("architecture")]
    plain = {"weight_decay": 0.0, "amsgrad": False, "clipnorm": None, "epsilon": 1e-8}
    assert searched and all({name: each[name] for name in settings} == plain for each in searched)
