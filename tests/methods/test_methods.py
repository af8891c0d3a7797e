"""Composition of methods, neutral settings, and the penalties as methods."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

import tfgans.methods
from tfgans import config
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.hooks import hooks_of
from tfgans.methods import check_hooks, compose, hands_on, parts
from tfgans.methods.adapt.model import AdaptGAN
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.adversarialnas import AdversarialNASGAN
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.random_search import RandomSearchGAN
from tfgans.methods.augmented import ADAGAN, APAGAN, DiffAugmentGAN
from tfgans.methods.began import BEGAN
from tfgans.methods.consistency import ConsistencyGAN
from tfgans.methods.contrastive import ContrastiveGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.freezed import FreezeDGAN
from tfgans.methods.latent_consistency import LatentConsistencyGAN
from tfgans.methods.lecam_penalty import LeCamPenaltyGAN
from tfgans.methods.multi_hinge import MultiHingeGAN
from tfgans.methods.octave.model import OctaveGAN
from tfgans.methods.orthogonal import OrthogonalGAN
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.r3gan.model import R3GAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN, WeightClippedGAN
from tfgans.methods.rggan.model import RGGAN
from tfgans.methods.robgan import RobGAN
from tfgans.methods.self_supervised import SelfSupervisedGAN
from tfgans.methods.style import PathLengthGAN, StyleMixingGAN
from tfgans.methods.tickets import TicketGAN
from tfgans.methods.top_k import TopKGAN

NEUTRAL = [
    (AdvAsGAN, {"advas_weight": 0.0}),
    (FastGAN, {"perturbation_radius": 0.0, "adversarial_steps": 1}),
    (RobGAN, {"attack_steps": 0}),
    (GradientPenaltyGAN, {"gradient_penalty_weight": 0.0}),
    (R1GAN, {"r1_weight": 0.0}),
    (R1GAN, {"r1_weight": 0.0, "r1_interval": 2}),
    (PathLengthGAN, {"path_length_weight": 0.0}),
    (StyleMixingGAN, {"mixing_probability": 0.0, "fresh_noise": False}),
    (WeightClippedGAN, {"clip_limit": float("inf")}),
    (OrthogonalGAN, {"orthogonal_weight": 0.0}),
    (FreezeDGAN, {"frozen_layers": 0}),
    (LeCamPenaltyGAN, {"lecam_penalty_weight": 0.0}),
    (ConsistencyGAN, {"real_consistency_weight": 0.0, "fake_consistency_weight": 0.0}),
    (LatentConsistencyGAN, {"latent_discriminator_weight": 0.0, "latent_generator_weight": 0.0}),
    (ContrastiveGAN, {"contrastive_weight": 0.0}),
    (TopKGAN, {"top_k_decay": 1.0}),
    (DiffAugmentGAN, {"diffaugment_policy": ""}),
    (ADAGAN, {"ada_speed": float("inf")}),
    (APAGAN, {"apa_speed": float("inf")}),
    (SelfSupervisedGAN, {"reconstruction_weight": 0.0, "margin_noise": 0.0}),
    (ReGAN, {"sparsity": 0.0}),
    (TicketGAN, {"ticket_rounds": 0}),
    (AdversarialNASGAN, {"architecture_rate": 0.0}),
]


class Loud(GAN):
    replaces = ("discriminator_step",)

    def discriminator_step(self, real):
        return {"d/adversarial": tf.constant(1.0)}


class Louder(GAN):
    replaces = ("discriminator_step", "generator_step")

    def discriminator_step(self, real):
        return {"d/adversarial": tf.constant(2.0)}


class Doubling(GAN):
    def __init__(self, generator, discriminator, factor=2.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.factor = factor

    def factor_of(self):
        return self.factor

    def discriminator_step(self, real):
        return {name: self.factor * value for name, value in super().discriminator_step(real).items()}


class Silent(GAN):
    def sample(self, count):
        return {}


class Hiding(GAN):
    def generate(self, count):
        return super().generate(count)


class Part:
    def factor_of(self):
        return 1.0


class Namesake(Part, GAN):
    pass


class First(GAN):
    replaces = ("draw_latents",)

    def draw_latents(self, count, again=False):
        return {}

    def sample(self, count):
        return super().sample(count)


class Second(GAN):
    replaces = ("sample",)

    def draw_latents(self, count, again=False):
        return super().draw_latents(count, again)

    def sample(self, count):
        return {}


def fitted(cls, **options):
    model = cls(*toys.image_networks(batch_norm=False), **options)
    sgd = (keras.optimizers.SGD(0.1, momentum=0.5) for _ in range(2))  # its state has every gradient
    model.compile(*sgd, run_eagerly=True)
    model.fit(toys.images(24), batch_size=8, shuffle=False, verbose=0)
    return model


def trained(cls, **options):
    return toys.values(fitted(cls, **options))


@functools.cache
def base():
    return trained(GAN)


@pytest.mark.parametrize("method, options", NEUTRAL)
def test_neutral_is_the_base_bit_for_bit(method, options):
    toys.assert_same(base(), trained(method, **options))


@pytest.mark.parametrize("method", [GradientPenaltyGAN, R1GAN, WeightClippedGAN, OrthogonalGAN])
def test_default_is_not_the_base(method):
    other = trained(method)
    assert any(np.any(value != other[name]) for name, value in base().items())


def test_every_method_has_a_neutral_case():
    config.import_rooms(["tfgans.methods"])
    ours = {m for m in _subclasses(GAN) if m.__module__.startswith("tfgans.methods.")}
    # tests/methods/test_octave.py, test_progressive.py, test_alphagan_search.py, test_began.py,
    # test_r3gan_training.py, test_rggan.py and test_adapt.py have their cases
    elsewhere = {
        OctaveGAN,
        ProgressiveGAN,
        AlphaGAN,
        RandomSearchGAN,
        BEGAN,
        R3GAN,
        RGGAN,
        AdaptGAN,
        MultiHingeGAN,
    }
    assert ours == {method for method, _ in NEUTRAL} | elsewhere


def test_private_names_of_methods_do_not_meet():
    """Of two methods composed, one's helper would silently take the place of the other's of the same name."""
    config.import_rooms(["tfgans.methods"])
    owners, checked = {}, 0
    for method in _subclasses(GAN):
        for part in (c for c in method.__mro__ if c.__module__.startswith("tfgans.methods.")):
            for name in vars(part):
                if name.startswith("_") and not name.startswith("__"):
                    assert owners.setdefault(name, part) is part, f"{name}: {owners[name]}, {part}"
                    checked += 1
    assert checked >= 5


def _subclasses(cls):
    return {s for c in cls.__subclasses__() for s in {c} | _subclasses(c)}


SHIPPED = sorted(tfgans.__all__)
SHIPPED = [getattr(tfgans, name) for name in SHIPPED if isinstance(getattr(tfgans, name), type)]
SHIPPED = [method for method in SHIPPED if issubclass(method, GAN) and method is not GAN]


@pytest.mark.parametrize("method", SHIPPED)
def test_a_method_overrides_hooks_alone_and_declares_what_it_replaces(method):
    check_hooks(method)
    for part in parts(method):
        for hook in vars(part).get("replaces", ()):
            assert hook in hooks_of(GAN) and hook in vars(part) and not hands_on(vars(part)[hook]), hook


def test_every_hook_is_of_the_base():
    hooks = hooks_of(GAN)
    assert {"train_step", "discriminator_losses", "with_outputs", "batches_per_step", "part", "xla"} <= hooks
    assert not hooks & {"step", "generate", "gradients_of", "fit"}
    overridden = {name for method in SHIPPED for part in parts(method) for name in vars(part)}
    assert len(hooks & overridden) > 40


def test_compose_joins_in_order_with_replacements_last():
    assert compose() is GAN and compose(GAN) is GAN and compose(Loud) is Loud
    joined = compose(Loud, Doubling)
    assert joined.__name__ == "LoudDoublingGAN" or joined.__name__ == "DoublingLoudGAN"
    model = joined(*toys.image_networks(), factor=3.0)
    logs = model.discriminator_step({"images": tf.constant(toys.images(4)), "labels": None})
    assert float(logs["d/adversarial"]) == 3.0  # the extending method runs although it was named last


def test_compose_refuses_what_cannot_be_combined():
    with pytest.raises(ConfigError, match="Loud and Louder both replace discriminator_step"):
        compose(Loud, Louder)
    with pytest.raises(ConfigError, match=r"Silent.sample does not call super\(\): call it, or list it"):
        compose(Silent)
    with pytest.raises(ConfigError, match="Hiding.generate hides GAN.generate, which is no hook: rename it"):
        compose(Doubling, Hiding)
    with pytest.raises(
        ConfigError, match="Doubling and Namesake both define factor_of: they cannot be combined"
    ):
        compose(Doubling, Namesake)
    with pytest.raises(
        ConfigError, match="First replaces draw_latents, which Second extends, and the other way"
    ):
        compose(First, Second)
    with pytest.raises(ConfigError, match="a method is a subclass of GAN"):
        compose(dict)
    with pytest.raises(ConfigError, match="named twice"):
        compose(Doubling, Doubling)


def test_order_does_not_matter_where_methods_do_not_meet():
    orders = [(GradientPenaltyGAN, R1GAN, WeightClippedGAN), (WeightClippedGAN, R1GAN, GradientPenaltyGAN)]
    first, second = (trained(compose(*order)) for order in orders)
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=1e-5, err_msg=name)


def test_penalties_of_a_linear_discriminator_by_hand():
    batch = {"images": tf.constant([[1.0], [2.0]]), "labels": None}
    fake = {"images": tf.constant([[0.0], [5.0]]), "labels": None}
    # D(x) = 3 x: the slope is 3 everywhere; (3 - 1)^2 = 4 and 3^2 = 9.
    penalised = GradientPenaltyGAN(*toys.scalar_networks(), gradient_penalty_weight=10.0)
    terms = penalised.discriminator_losses(
        batch, fake | {"gradient_penalty_mix": tf.constant([[0.2], [0.9]])}
    )
    assert float(terms["d/gradient_penalty"]) == pytest.approx(40.0, abs=1e-4)
    regularized = R1GAN(*toys.scalar_networks(), r1_weight=2.0, r2_weight=4.0)
    terms = regularized.discriminator_losses(batch, fake)
    assert float(terms["d/r1"]) == pytest.approx(9.0, abs=1e-4)
    assert float(terms["d/r2"]) == pytest.approx(18.0, abs=1e-4)


def test_penalties_leave_statistics_to_the_losses():
    real = {"images": tf.constant(toys.images(4)), "labels": None}
    fake = {"images": tf.constant(toys.images(4, seed=1)), "labels": None}
    moved = []
    for cls, options in ((GAN, {}), (GradientPenaltyGAN, {}), (R1GAN, {"r2_weight": 1.0})):
        model = cls(*toys.image_networks(), **options)
        mix = {"gradient_penalty_mix": tf.fill((4, 1, 1, 1), 0.3)}
        model.discriminator_losses(real, fake | mix)
        moved.append([v.numpy() for v in model.discriminator.non_trainable_variables])
    for other in moved[1:]:
        for a, b in zip(moved[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_clipping_follows_every_discriminator_update():
    model = WeightClippedGAN(*toys.image_networks(), clip_limit=0.02, discriminator_steps=2)
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0))
    generator_before = [w.numpy() for w in model.generator.trainable_variables]
    model.fit(toys.images(16), batch_size=16, verbose=0)
    assert max(np.abs(w.numpy()).max() for w in model.discriminator.trainable_variables) <= np.float32(0.02)
    assert max(np.abs(w).max() for w in generator_before) > 0.02


@pytest.mark.parametrize(
    "cls, options",
    [
        (GradientPenaltyGAN, {"gradient_penalty_weight": -1.0}),
        (R1GAN, {"r1_weight": -1.0}),
        (WeightClippedGAN, {"clip_limit": 0.0}),
        (OrthogonalGAN, {"orthogonal_weight": -1.0}),
    ],
)
def test_bad_weights_are_refused_by_name(cls, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        cls(*toys.image_networks(), **options)
