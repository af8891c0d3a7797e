"""The lightweight GAN's training: its losses by hand, what learns, what others do to its images, a resume."""

import configurations
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import checkpoint, losses
from tfgans.config import ConfigError
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.augmented import ADAGAN, DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.regularized import R1GAN
from tfgans.methods.self_supervised import SelfSupervisedGAN
from tfgans.networks.lightweight import lightweight_discriminator, lightweight_generator
from tfgans.optimizers import TorchAdam

HINGE = {"discriminator_loss": losses.hinge_discriminator, "generator_loss": losses.hinge_generator}
SIZE = dict(resolution=32, channels=1, base_channels=8)


def make(*methods, **options):
    networks = lightweight_generator(latent_dim=4, **SIZE), lightweight_discriminator(**SIZE)
    model = compose(SelfSupervisedGAN, *methods)(*networks, **HINGE | options)
    model.compile(TorchAdam(1e-3, 0.5, 0.999), TorchAdam(1e-3, 0.5, 0.999), run_eagerly=True)
    return model


def batch(step, count=2):
    images = np.random.default_rng(step).uniform(-1, 1, (1, count, 32, 32, 1))
    return {"images": tf.constant(images, tf.float32)}


def judged(patches, margins=None, **more):
    patches = tf.constant(patches)
    found = {
        "outputs": {"patches": patches, "adversarial": tf.reduce_mean(patches, 1, keepdims=True), **more}
    }
    return found | ({} if margins is None else {"self_supervised_margin": tf.constant(margins)})


@pytest.fixture(scope="module")
def model():
    return make()


def test_losses_of_patches_by_hand(model):
    """relu(m - D(x)) and relu(m + D(G(z))) with margins m = 1 - 0.1, 1 - 0.2 and 1 - 0.1 twice."""
    real, fake = judged([[2.0, 0.5]], [[0.1, 0.2]]), judged([[-2.0, 0.0]], [[0.1, 0.1]])
    terms = model.discriminator_losses(real, fake)
    assert terms.keys() == {"d/adversarial"}
    assert float(terms["d/adversarial"]) == pytest.approx((0.0 + 0.3) / 2 + (0.0 + 0.9) / 2)
    assert float(model.generator_losses(real, fake)["g/adversarial"]) == pytest.approx(1.0)


def test_losses_of_pairs_take_the_patches_of_a_pair():
    """softplus of the difference of two logits each, softplus(x) - softplus(-x) = x."""
    pairs = losses.relativistic_discriminator, losses.relativistic_generator
    model = make(discriminator_loss=pairs[0], generator_loss=pairs[1])
    real, fake = judged([[2.0, 0.5]]), judged([[-2.0, 0.0]])
    d = float(model.discriminator_losses(real, fake)["d/adversarial"])
    g = float(model.generator_losses(real, fake)["g/adversarial"])
    assert d == pytest.approx((np.log1p(np.exp(-4.0)) + np.log1p(np.exp(-0.5))) / 2, rel=1e-5)
    assert g - d == pytest.approx((4.0 + 0.5) / 2, rel=1e-5)


def test_reconstruction_by_hand(model):
    """8 times the mean over images of the sum of three mean differences."""
    pairs = {}
    for name, differences in (("whole", (0.1, 0.3)), ("small", (0.0, 0.2)), ("part", (0.5, 0.1))):
        pairs[f"{name}_image"] = tf.zeros((2, 4, 4, 1))
        pairs[f"{name}_copy"] = tf.reshape(differences, (2, 1, 1, 1)) * tf.constant(
            [1.0, -1.0] * 8, shape=(4, 4, 1)
        )
    terms = model.discriminator_losses(judged([[0.0]] * 2, **pairs), judged([[0.0]] * 2))
    assert float(terms["d/reconstruction"]) == pytest.approx(8 * (0.6 + 0.6) / 2)


def test_another_distance_takes_the_place_of_pixels():
    seen = []

    def ones(images, copies):
        seen.append((images.shape, copies.shape))
        return tf.ones(images.shape[0])

    model = make(reconstruction_distance=ones, reconstruction_weight=0.5)
    real = model.split_batch(batch(0))[0]
    terms = model.discriminator_losses(*model.with_outputs(real, model.sample_beside(real)))
    assert float(terms["d/reconstruction"]) == 1.5 and seen == [((2, 16, 16, 1),) * 2] * 3


def test_every_weight_learns_and_the_logs_say_so():
    model = make()
    before = [[v.numpy() for v in n.trainable_variables] for n in (model.generator, model.discriminator)]
    logs = model.train_step(batch(0))
    assert {"d/adversarial", "d/reconstruction", "g/adversarial"} <= logs.keys()
    assert 0.0 < float(logs["d/reconstruction"]) < 3 * 8 * 2
    for network, values in zip((model.generator, model.discriminator), before, strict=True):
        for variable, value in zip(network.trainable_variables, values, strict=True):
            assert np.any(variable.numpy() != value), variable.path


def test_without_their_weight_decoders_stay_and_margins_are_none():
    model = make(reconstruction_weight=0.0, margin_noise=0.0)
    decoders = model.discriminator.get_layer("decoders")
    before = [v.numpy() for v in decoders.variables]
    logs = model.train_step(batch(0))
    assert "d/reconstruction" not in logs
    for value, variable in zip(before, decoders.variables, strict=True):
        np.testing.assert_array_equal(value, variable.numpy())
    assert not any(key.startswith("self_supervised_m") for key in model.draw_latents(2))


def test_margins_and_parts_are_drawn(model):
    model.draws.assign_add(1)
    margins = model.split_batch(batch(0, 64))[0]["self_supervised_margin"].numpy()
    assert margins.shape == (64, 50) and 0.0 <= margins.min() < 0.01 and 0.19 < margins.max() < 0.2
    assert margins.mean() == pytest.approx(0.1, abs=0.005)
    parts = set()
    for _ in range(24):
        model.draws.assign_add(1)
        found = model.split_batch(batch(0))[0]["self_supervised_part"].numpy()
        assert found.shape == (2,) and found[0] == found[1]
        parts.add(int(found[0]))
    assert parts == {0, 1, 2, 3}


def test_fakes_bring_their_small_images_and_transforms_do_the_same_to_both():
    model = make(DiffAugmentGAN)
    fake = model.sample(2)
    small = fake["images/small"]
    assert small.shape == fake["images"].shape
    np.testing.assert_array_equal(small[:, ::2, ::2], small[:, 1::2, 1::2])  # enlarged from 16x16
    seen = model.augmented(fake | {"images/small": fake["images"]})
    np.testing.assert_array_equal(seen["images"], seen["images/small"])
    assert np.abs(seen["images"] - fake["images"]).max() > 0.01
    real = model.split_batch(batch(0))[0]
    outputs = model.discriminate(real, training=True)
    np.testing.assert_array_equal(outputs["whole_image"], model.augmented(real)["images"][:, ::2, ::2])
    assert "whole_copy" not in model.discriminate(fake, training=True)
    assert "whole_copy" not in model.discriminate(real | {"for_penalty": True}, training=True)


COMPANY = {
    "few shot": ((DiffAugmentGAN,), {"ema_decay": 0.9, "ema_ramp": "constant"}),
    "pruned": ((ReGAN, ADAGAN), {"warm_up_length": 0, "sparse_length": 1, "sparsity": 0.3}),
    "adversarial": (
        (FastGAN, AdvAsGAN, R1GAN),
        {
            "perturbation_batch_size": 2,
            "perturbation_radius": 0.01,
            "advas_norms": False,
            "advas_weight": 0.1,
        },
    ),
}


@pytest.mark.parametrize("name", COMPANY)
def test_two_steps_and_a_resume_in_company(name):
    methods, options = COMPANY[name]
    model = make(*methods, **options)

    def step(number):
        model.choose_step(number)
        model.train_step(batch(number))

    step(0)
    middle = toys.values(model)
    step(1)
    end = toys.values(model)
    checkpoint.write_state(model, middle)
    step(1)
    toys.assert_same(toys.values(model), end)
    assert all(np.all(np.isfinite(value)) for value in end.values() if value.dtype.kind == "f")


def test_what_is_refused():
    with pytest.raises(ConfigError, match="SelfSupervisedGAN: .* has no decoders"):
        SelfSupervisedGAN(*toys.image_networks())
    with pytest.raises(ConfigError, match="leave GAN.joint_batch out"):
        make(joint_batch=True)


@pytest.mark.parametrize(("name", "resolution"), [("obama256", 256), ("ffhq1024", 1024)])
def test_experiments_have_the_published_settings(name, resolution):
    of = configurations.prepare(f"lightweight/{name}")
    settings = {
        "%resolution": resolution, "Dataset.batch_size": 8, "train.steps": 50000, "GAN.ema_decay": 0.999,
        "GAN.ema_ramp": "constant", "TorchAdam.learning_rate": 2e-4, "TorchAdam.beta_1": 0.5,
        "TorchAdam.beta_2": 0.999, "DiffAugmentGAN.diffaugment_policy": "color,translation",
        "lightweight_generator.latent_dim": 256, "lightweight_generator.base_channels": 64,
        "SelfSupervisedGAN.reconstruction_weight": 8.0, "SelfSupervisedGAN.margin_noise": 0.2,
    }  # fmt: skip
    assert {key: of(key) for key in settings} == settings
