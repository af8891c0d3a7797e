"""What the published experiments' files say of their data: numbers of images, epochs, sample counts, states."""

import re

import gin
import pytest
from configurations import CONFIGS, ROWS, lines, of, prepare, promised

from tfgans.data import Dataset
from tfgans.run import build

OWN = ("folder", "npz", "ring", "grid")  # data files without a number of images: the user's, and points
DATA = {p.stem: p for p in sorted((CONFIGS / "data").glob("*.gin")) if p.stem not in OWN}


def prepare_data(name):
    build.prepare([str(DATA[name])], [])
    return of


def facts(name):
    """(images to train on, images to compare with, steps an epoch, batch) of a data file's comments."""
    text = " ".join(line.lstrip("# ") for line in DATA[name].read_text().splitlines() if line.startswith("#"))
    images = re.search(r"Images: ([\d,]+) to train on, ([\d,]+) to compare with \(", text)
    epoch = re.search(r"Epoch: ([\d,]+) steps of (\d+) images\.", text)
    assert images and epoch, name
    return tuple(int(group.replace(",", "")) for found in (images, epoch) for group in found.groups())


# By the sets' own authors: CelebA 162,770 + 19,867 + 19,962, CIFAR 50,000 + 10,000, STL-10 5,000 + 100,000 ...
COUNTS = {
    "celeba64": (202_599, 202_599), "celeba128": (202_599, 202_599), "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000), "glyphs": (14_400, 3_600), "digits": (1_438, 359), "digits32": (1_438, 359),
    "obama256": (100, 100), "grumpy_cat256": (100, 100),
    "panda256": (100, 100), "animal_cat256": (160, 160), "animal_dog256": (389, 389), "flowers256": (1_000, 1_000),
    "ffhq1024": (70_000, 70_000), "imagenet128": (1_281_167, 1_281_167), "imagenet143": (180_373, 180_373),
    "lsun_church256": (126_227, 126_227), "mnist": (60_000, 10_000),
    "photos64": (4_000, 1_000), "stl10_48": (105_000, 105_000),
    "tiny_imagenet64": (100_000, 10_000),
}  # fmt: skip


@pytest.mark.parametrize("name", DATA)
def test_every_data_file_says_how_many_images_and_how_long_an_epoch_is(name):
    trained, compared, steps, batch = facts(name)
    assert (trained, compared) == COUNTS[name]
    assert batch == prepare_data(name)("%batch_size")
    assert steps == trained // batch


@pytest.mark.parametrize("name", ["digits", "photos"])
def test_the_numbers_of_the_sets_that_are_here(name):
    data = Dataset(source=name, resolution=8)
    trained, compared, *_ = facts("photos64" if name == "photos" else name)
    assert (data.num_examples, data.reference_size()) == (trained, compared)


@pytest.mark.parametrize("name", ["celeba64", "celeba128"])
def test_celeba_is_all_of_its_images(name):
    of = prepare_data(name)
    assert of("Dataset.split") == of("Dataset.evaluation_split") == "train+validation+test"


OCTAVE = [name for name in ROWS if name.startswith("octave/celeba128_")]


@pytest.mark.parametrize("name", OCTAVE)
def test_octave_runs_fifty_epochs_of_all_images(name):
    of = prepare(name)
    steps = of("GAN.discriminator_steps") if "GAN.discriminator_steps" in gin.config_str() else 1
    epoch = facts("celeba128")[0] // (64 * steps)
    assert of("Dataset.batch_size") == 64 and of("Dataset.crop") == "none"
    assert of("train.steps") == 50 * epoch and of("train.evaluate_every") == epoch
    if "OctaveGAN.beta_steps" in gin.config_str():
        assert (of("OctaveGAN.beta_steps"), of("OctaveGAN.beta_epoch")) == (50 * epoch, epoch)


FIFTY_THOUSAND = [
    *(f"stylegan2/{name}" for name in ("celeba128", "lsun_church256", "lsun_church256_official")),
    *(name for name in ROWS if re.match("alphagan_stylegan2/c.*_retrain_", name)),
]


@pytest.mark.parametrize("name", FIFTY_THOUSAND)
def test_what_is_quoted_as_fid50k_has_50_000_samples_and_the_training_images(name):
    of = prepare(name)
    assert of("Evaluator.num_samples") == 50_000
    split = of("Dataset.split") if "Dataset.split" in gin.config_str() else "train"
    assert of("Dataset.evaluation_split") == split


def has_spectral_vectors():
    """Whether the parsed experiment's discriminator is normalised by its spectrum, by its network's options."""
    text = gin.config_str()
    if "build.discriminator = @resnet_discriminator" in text:
        return "resnet_discriminator.spectral_normalization = False" not in text
    return any(f"build.discriminator = @{name}_discriminator" in text for name in ("autogan", "biggan"))


def is_published(name):
    """Whether the parsed experiment is somebody's published training, and no search of an architecture."""
    own = (
        gin.query_parameter("Dataset.source") in ("digits", "photos", "glyphs", "ring", "grid")
        or "folder" in name
    )
    return not own and "search.retrain_gin_file" not in gin.config_str()


@pytest.mark.slow
def test_published_spectral_norms_move_in_the_generators_step():
    """As in the authors' PyTorch and Chainer code, which leaves the discriminator in training mode there.

    A search's second and third parts leave its networks alone in this house, so searches keep the default.
    """
    looked_at = set()
    for name in ROWS:
        of = prepare(name)
        if is_published(name) and has_spectral_vectors():
            assert of("GAN.freeze_discriminator_state") is False, name
            looked_at.add(name.split("/")[0])
    assert looked_at == {"advas", "alphagan", "alphagan_biggan", "base", "fastgan", "regan"}


def test_wgan_gp_on_cifar_has_twice_the_fakes_in_the_generators_step():
    assert prepare("fastgan/wgan_gp_cifar10")("GAN.generator_batch_ratio") == 2


def test_the_ablation_of_cifar100_with_robgans_losses_keeps_the_generators_class_weight():
    name = "fastgan/cifar100"
    given = [flag for flag in promised(name) if "robgan" in flag or "generator_class_weight" in flag]
    assert len(given) == 2
    of = prepare(name, *given)
    assert of("GAN.generator_class_weight") == 0.2 and of("GAN.fake_class_weight") == 0.0


def test_robgans_published_runs():
    for name, steps, attack in (("cifar100", 65_000, (3, 6e-3)), ("imagenet143_128", 60_000, (5, 3e-2))):
        of = prepare(f"fastgan/robgan_{name}")
        assert of("train.steps") == steps
        assert (of("RobGAN.attack_steps"), of("RobGAN.attack_radius")) == attack


def test_advas_on_its_own_and_with_the_penalty_in_r():
    of = prepare("advas/mnist_advas_alone")
    assert of("train.steps") == 100_000 and of("AdvAsGAN.advas_alone") is True
    of = prepare("advas/celeba64_stylegan2")
    assert of("R1GAN.r1_interval") == of("discriminator/lazy_adam.interval") == 1
    lazy = [flag for flag in promised("advas/celeba64_stylegan2") if "interval" in flag]
    of = prepare("advas/celeba64_stylegan2", *lazy)
    assert of("R1GAN.r1_interval") == of("discriminator/lazy_adam.interval") == 16


@pytest.mark.parametrize("share, rounds", [(20, 2), (46, 6)])
def test_tickets_are_trainings_as_long_as_the_baseline(share, rounds):
    length = prepare("regan/cifar10_sngan_baseline")("train.steps")
    of = prepare(f"regan/cifar10_tickets{share}")
    assert (of("TicketGAN.ticket_rounds"), of("TicketGAN.round_length")) == (rounds, length)
    assert of("train.steps") == (rounds + 1) * length
    assert of("TicketGAN.round_sparsity") == 0.1


def test_the_spacing_of_figure_7_is_an_epoch():
    name = "regan/cifar10_sngan_10percent"
    given = [flag for flag in promised(name) if "evaluate_every" in flag or "num_samples" in flag]
    of = prepare(name, *given)
    assert (
        of("train.evaluate_every") == of("ReGAN.length_unit") == 16
    )  # 79 batches, every fifth from the first on


def test_churches_as_nvlabs_trains_them():
    of = prepare("stylegan2/lsun_church256_official")
    assert of("R1GAN.r1_weight") == 100.0 and of("Dataset.flip") is False
    assert of("train.steps") * 32 == 48_000_000


@pytest.mark.parametrize("name", ["celeba128_dcgan", "celeba128_lsgan", "photos"])
def test_the_transposed_arm_differs_from_vanilla_in_its_networks_alone(name):
    def others(kind):
        prepare(f"octave/{name}_{kind}")
        networks = ("octave_", "dcgan_", "build.generator =", "build.discriminator =", "alpha =")
        networks += ("Adam.",)  # of the networks' file, which is replaced
        return {line for line in lines() if not line.startswith(networks)}

    assert others("transposed") == others("vanilla")


def test_the_classic_networks_have_the_parameters_that_the_file_states():
    prepare("octave/celeba128_dcgan_transposed")
    from tfgans.evaluate import cost

    sizes = [
        cost.parameters(build.made(gin.query_parameter(f"build.{part}").scoped_configurable_fn))
        for part in ("generator", "discriminator")
    ]
    # 100 x 8192, norms of 512, 256, 128, 64 and 32 channels, 4x4 kernels, three biases of the last one
    kernels = 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 32)
    assert sizes[0] == 819_200 + 2 * 992 + kernels + 16 * 32 * 3 + 3 == 3_608_003
    # a bias of the first, norms of 64 to 512, and 8,192 weights and a bias to the logit
    assert sizes[1] == kernels + 16 * 32 * 3 + 32 + 2 * 960 + 8_193 == 2_796_961
