"""The gin files of FastGAN and its baselines: the settings of the papers, and each ablation by one flag."""

import inspect

import builds
import configurations
import gin
import pytest

from tfgans import losses


def prepare(name, *flags):
    return configurations.prepare(f"fastgan/{name}", *flags)


# radius, batch, updates, halved every, class weights on fakes and in the generator, Adam's second beta
PUBLISHED = {
    "cifar10": (6e-3, 64, 240_000, 80_000, 1.0, 1.0, 0.9),
    "cifar100": (6e-3, 64, 240_000, 80_000, 1.0, 0.2, 0.9),
    "imagenet143_64": (3e-2, 64, 120_000, 30_000, 1.0, 1.0, 0.9),
    "imagenet143_128": (3e-2, 64, 120_000, 30_000, 1.0, 1.0, 0.9),
    "imagenet_bs64": (1e-2, 64, 1_200_000, 500_000, 0.05, 0.2, 0.99),
    "imagenet_bs256": (1e-2, 256, 650_000, 250_000, 0.05, 0.2, 0.99),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_table_5(name):
    of = prepare(name)
    names = (
        "FastGAN.perturbation_radius", "batch_size/macro.value", "train.steps", "ExponentialDecay.decay_steps",
        "GAN.fake_class_weight", "GAN.generator_class_weight", "TorchAdam.beta_2",
    )  # fmt: skip
    assert tuple(of(n) for n in names) == PUBLISHED[name]
    assert of("Dataset.random_area") == (0.8, 1.0) and of("Dataset.flip")
    assert (of("TorchAdam.learning_rate"), of("TorchAdam.beta_1"), of("TorchAdam.epsilon")) == (
        2e-4,
        0.0,
        1e-8,
    )
    assert of("FastGAN.adversarial_steps") == 2


# discriminator steps, updates, batch, (start, end) of the linear decay, (rates of G, D), augmentation
BASELINES = {
    "sngan_cifar10": (5, 100_000, 64, None, (2e-4, 2e-4), True),
    "sngan_cifar100": (5, 100_000, 64, None, (2e-4, 2e-4), True),
    "sngan_imagenet143_64": (5, 300_000, 64, (200_000, 300_000), (2e-4, 2e-4), False),
    "sngan_imagenet143_128": (5, 450_000, 64, (400_000, 450_000), (2e-4, 2e-4), False),
    "sngan_imagenet": (5, 850_000, 64, (400_000, 850_000), (2e-4, 2e-4), False),
    "sagan_imagenet": (1, 1_000_000, 256, None, (1e-4, 4e-4), False),
    "robgan_cifar10": (5, 65_000, 64, None, (2e-4, 2e-4), True),
    "robgan_imagenet143_64": (5, 120_000, 64, None, (2e-4, 2e-4), False),
    "acgan_cifar10": (5, 100_000, 64, None, (2e-4, 2e-4), True),
}


@pytest.mark.parametrize("name", BASELINES)
def test_baselines(name):
    steps, updates, batch, decay, rates, augmented = BASELINES[name]
    of = prepare(name)
    assert of("GAN.discriminator_steps") == steps and of("train.steps") == updates
    assert of("batch_size/macro.value") == batch
    bindings = gin.config_str()
    assert ("LinearDecay" in bindings) == (decay is not None)
    if decay:
        assert (of("LinearDecay.start"), of("LinearDecay.end")) == decay
    if rates[0] == rates[1]:
        assert of("TorchAdam.learning_rate") == rates[0]
    else:
        assert (of("generator/TorchAdam.learning_rate"), of("discriminator/TorchAdam.learning_rate")) == rates
    assert of("Dataset.random_area") == ((0.8, 1.0) if augmented else None)
    assert of("Dataset.flip") == augmented


def test_robgan_attacks_as_published():
    names = ("RobGAN.attack_steps", "RobGAN.attack_radius", "RobGAN.attack_step_size")
    of = prepare("robgan_cifar10")
    assert tuple(of(n) for n in names) == (3, 6e-3, 2e-3)
    assert of("GAN.discriminator_loss").selector.endswith("robgan_discriminator")
    of = prepare("robgan_imagenet143_64")
    assert tuple(of(n) for n in names) == (5, 3e-2, 7.8e-3)
    assert of("GAN.discriminator_loss").selector.endswith("robgan_discriminator")


SMALL = ("resnet_generator.base_channels = 8", "resnet_discriminator.base_channels = 8")


def ablations(name):
    """Table 2's, in its order; RobGAN's losses may have a second flag, the generator's weight, beside them."""
    found = [
        flag for flag in configurations.promised(f"fastgan/{name}") if "generator_class_weight" not in flag
    ]
    return found[:4]


def model_with(name, *flags):
    prepare(name, *SMALL, *flags)
    return builds.model_of_bindings()[0]


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_every_ablation_is_one_flag_away(name):
    with builds.once_for_each_network():
        loss, adversarial, rate, divergence = (model_with(name, flag) for flag in ablations(name))
        whole = model_with(name)
    assert inspect.unwrap(loss.generator_loss) is inspect.unwrap(losses.non_saturating_generator)
    assert loss.fake_class_weight == 0.0
    real, fake = [[0.3], [2.0]], [[0.1], [-1.0]]
    for model, published in (
        (loss, losses.non_saturating_discriminator),
        (whole, losses.hinge_discriminator),
    ):
        assert float(model.discriminator_loss(real, fake)) == pytest.approx(
            float(published(real, fake)), abs=1e-6
        )
    assert list(whole.perturbations) == ["real"] and not adversarial.perturbations
    assert adversarial.adversarial_steps == whole.adversarial_steps == 2
    assert float(whole.learning_rate_schedule(160_000)) == pytest.approx(0.25)
    assert float(rate.learning_rate_schedule(160_000)) == 1.0
    assert (divergence.fake_class_weight, whole.fake_class_weight) == (0.0, 1.0)
