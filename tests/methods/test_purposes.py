"""Whatever methods draw in a step, no two things that they draw share their random numbers."""

import keras
import pytest
import tensorflow as tf
import toys
from searches import SMALL, supernet

from tfgans.gan.driver import Driver
from tfgans.methods import compose
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.random_search import RandomSearchGAN
from tfgans.methods.alphagan.spaces.autogan.search_discriminator import alphagan_search_discriminator
from tfgans.methods.augmented import ADAGAN, APAGAN, DiffAugmentGAN
from tfgans.methods.consistency import ConsistencyGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.latent_consistency import LatentConsistencyGAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.regularized import GradientPenaltyGAN
from tfgans.methods.robgan import RobGAN
from tfgans.methods.self_supervised import SelfSupervisedGAN
from tfgans.methods.style import PathLengthGAN, StyleMixingGAN
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator


def images(*methods, **options):
    networks = toys.image_networks(num_classes=3, batch_norm=False)
    return compose(*methods)(*networks, num_classes=3, discriminator_steps=2, **options)


def styles():
    sizes = dict(channels=1, base_channels=4, max_channels=4)
    generator = stylegan2_generator(8, latent_dim=4, style_dim=4, mapping_layers=1, **sizes)
    return compose(StyleMixingGAN, PathLengthGAN)(generator, stylegan2_discriminator(8, **sizes))


def search():
    discriminator = alphagan_search_discriminator(resolution=8, channels=1, base_channels=2)
    return AlphaGAN(supernet(), discriminator, gumbel=True, **dict.fromkeys(SMALL, 1))


AUGMENTED = (DiffAugmentGAN, ADAGAN, APAGAN, GradientPenaltyGAN, ConsistencyGAN, LatentConsistencyGAN)
REGROWN = dict(warm_up_length=0, sparse_length=1, regrow="initializer", pruned_networks="both")
# What makes a model, and a part of what it draws.
CASES = {
    "augmented": (
        lambda: images(*AUGMENTED, SelfSupervisedGAN, pseudo_batch_size=4, reconstruction_weight=0.0),
        {
            "labels",
            "gradient_penalty",
            "apa/0",
            "apa/1",
            "ada/real 1/color gates",
            "self_supervised/margin real 1",
            "diffaugment/fake/brightness",
            "consistency/real 1/rows",
            "latent_consistency",
        },
    ),
    "adversarial": (
        lambda: images(FastGAN, RobGAN, perturbation_batch_size=4, perturb_fakes=True),
        {"perturbation/real", "perturbation/fake", "attack"},
    ),
    "regrown": (
        lambda: images(ReGAN, **REGROWN),
        {"regan/regrow/generator/0", "regan/regrow/discriminator/1"},
    ),
    "styles": (styles, {"style_mixing", "style_mixing/whether", "style_noise/1", "path_length"}),
    "search": (search, {"generator_noise/1", "fake_discriminator_noise/0", "discriminator_noise/0"}),
    "random search": (
        lambda: RandomSearchGAN(supernet(), toys.image_networks(batch_norm=False)[1]),
        {"random_search/0", "random_search/7"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_two_draws_are_of_one_purpose(case, monkeypatch):
    seen, plain = [], Driver.stream

    def stream(self, purpose):
        seen.append((int(self.draws), purpose))
        return plain(self, purpose)

    monkeypatch.setattr(Driver, "stream", stream)
    make, some = CASES[case]
    model = make()
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    if case == "search":
        for phase in model.phases(0):
            model.choose_phase(*phase)
            model.train_step(batch(model) if model.phase not in ("copy", "end") else ())
    for step in range(0 if case == "search" else 2):
        model.choose_step(step)
        model.train_step(batch(model))
    purposes = {purpose for _, purpose in seen}
    assert some | {"latents"} <= purposes, purposes
    assert len(set(seen)) == len(seen), [each for each in set(seen) if seen.count(each) > 1]


def batch(model):
    steps = model.batches_per_step
    data = {"images": tf.constant(toys.images(4 * steps).reshape(steps, 4, 8, 8, 1))}
    return data | ({"labels": tf.zeros((steps, 4), tf.int32)} if model.num_classes else {})
