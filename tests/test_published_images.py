"""What the published experiments' files say of images: whether they are mirrored, and how FIDs resize them."""

import gin
import pytest
from configurations import ROWS, prepare

FEW_SHOT = ("obama256", "grumpy_cat256", "panda256", "animal_cat256", "animal_dog256", "flowers256")


def bound(name, parameter, otherwise):
    """What an experiment binds to a parameter."""
    prepare(name)
    configurable, _, option = parameter.partition(".")
    return gin.get_bindings(configurable).get(option, otherwise)


# Re-GAN's StyleGAN2 folder has the package pytorch-fid; its AutoGAN folder TTUR's code, the others none.
OF_STYLEGAN2 = [
    name
    for name in ROWS
    if name.startswith(("regan/ffhq1024", *(f"stylegan2/{data}" for data in (*FEW_SHOT, "cifar10", "tiny"))))
    or (name.startswith("regan/") and "_stylegan2" in name)
]


@pytest.mark.parametrize("name", OF_STYLEGAN2)
def test_re_gans_stylegan2_and_what_it_is_compared_with_are_measured_by_pytorch_fid(name):
    assert bound(name, "InceptionFeatures.resize", "legacy_tensorflow") == "legacy_pytorch"


def test_those_are_all_of_them():
    assert len(OF_STYLEGAN2) == 4 + 6 * 3 + 2 + 6 * 3 + 3 + 2
    for name in (
        "regan/cifar10_autogan_a",
        "regan/cifar10_sngan",
        "regan/cifar10_progan",
        "stylegan2/ffhq1024",
    ):
        assert bound(name, "InceptionFeatures.resize", "legacy_tensorflow") == "legacy_tensorflow"


@pytest.mark.parametrize("data", ["cifar10", "tiny_imagenet"])
def test_re_stylegan2_is_evaluated_as_often_as_its_baseline(data):
    """Every 10,000 iterations (Saxena et al. 2023, section 4), of which the best counts."""
    for name in (f"regan/{data}_stylegan2", f"stylegan2/{data}"):
        assert bound(name, "train.evaluate_every", None) == bound(name, "train.save_every", None) == 10_000


# By the loaders of the authors' codes.
MIRRORED = {
    "alphagan/cifar10_retrain_s": False,
    "alphagan/cifar10_search_s": False,
    "alphagan/stl10_retrain_s": False,
    "alphagan/cifar10_random": True,
    "alphagan_biggan/cifar10_retrain": False,
    "alphagan_biggan/cifar10_search": False,  # as alphaGAN's other searches
    "advas/cifar10_autogan": False,
    "fastgan/cifar10": True,
    "fastgan/robgan_cifar100": True,
    "fastgan/imagenet_bs64": True,
    "fastgan/sngan_imagenet": False,
    "fastgan/sagan_imagenet": False,
    "fastgan/robgan_imagenet143_128": False,
    "octave/celeba128_dcgan_combi": False,
    "progan/cifar10": False,
    "progan/tiny_imagenet": False,
    "regan/cifar10_progan": False,
    "regan/tiny_imagenet_progan": False,
    "regan/cifar10_sngan": False,
    "regan/cifar10_autogan_a": False,
    "regan/cifar10_stylegan2": True,
    "regan/obama256_stylegan2": True,
    "regan/cifar10_rggan": False,
    "regan/cifar10_adapt_relax": True,
    "r3gan/cifar10": True,
    "r3gan/stacked_mnist": False,
}


@pytest.mark.parametrize("name", MIRRORED)
def test_images_are_mirrored_where_the_authors_mirror_them(name):
    assert bound(name, "Dataset.flip", False) is MIRRORED[name]
