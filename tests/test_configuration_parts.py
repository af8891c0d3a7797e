"""The parts of gin_configs, for data, networks and losses, fit one another."""

import re

import builds
import pytest
from builds import built
from configurations import CONFIGS, ROOT, given_for_auto, used
from slow import some

DATA, NETWORKS, LOSSES = (sorted(CONFIGS.glob(f"{part}/*.gin")) for part in ("data", "networks", "losses"))


@pytest.fixture(scope="module", autouse=True)
def once():
    with builds.once_for_each_network():
        yield


# Networks of one resolution; the others take any.
RESOLUTIONS = {
    "fastgan_cifar": 32, "sngan_cifar": 32, "fastgan_64": 64, "fastgan_128": 128, "fastgan_imagenet": 128,
    "sagan_imagenet": 128, "biggan_128": 128, "mnist_wgan_gp": 28,
}  # fmt: skip


def fits(networks, data):
    """Whether networks go with data: points with `mlp`, images with the others, at the resolution they are for."""
    if networks.stem in RESOLUTIONS:
        return f"resolution = {RESOLUTIONS[networks.stem]}\n" in data.read_text()
    return (networks.stem == "mlp") == (data.stem in ("ring", "grid"))


COMMON = ("digits32", "ring")
OTHERS = ("cifar10",)  # for networks that no experiment tries
FLEXIBLE = [p for p in NETWORKS if p.stem in ("resnet", "mlp")]  # which take whatever data
PAIRS = [
    (n, d)
    for n in NETWORKS
    for d in DATA
    if fits(n, d) and d.stem in (COMMON if n in used() else COMMON + OTHERS)
]
PAIRS += [(n, next(d for d in DATA if fits(n, d))) for n in NETWORKS if n not in {n for n, _ in PAIRS}]
PAIRS += [(next(n for n in FLEXIBLE if fits(n, d)), d) for d in DATA if d not in {d for _, d in PAIRS}]


@pytest.mark.parametrize(("networks", "data"), some(PAIRS, every=3, unpack=True), ids=lambda path: path.stem)
def test_every_part_builds_with_one_that_fits_it(networks, data):
    unconditional = re.search(r"num_classes (= |\()None", networks.read_text())  # as its comment says
    bindings = given_for_auto([data])
    built([data, networks], [*bindings, "num_classes = None"] if unconditional else bindings)


@pytest.mark.parametrize("path", LOSSES, ids=lambda path: path.stem)
def test_losses_can_be_exchanged_by_one_flag(path):
    """`--gin_param='include "..."'`, as the comments of experiments say."""
    flag = f'include "gin_configs/losses/{path.stem}.gin"'
    model, _ = built([ROOT / "gin_configs/fastgan/digits.gin"], [flag])
    kinds = {"fastgan": "hinge", "acgan": "non_saturating", "robgan": "non_saturating"}
    assert model.generator_loss.__name__ == kinds.get(path.stem, path.stem) + "_generator"


def test_parts_are_all_tried():
    assert {n for n, _ in PAIRS} == set(NETWORKS) and {d for _, d in PAIRS} == set(DATA)
    assert NETWORKS and DATA


def test_an_unused_binding_would_be_seen(tmp_path):
    (tmp_path / "a.gin").write_text('include "gin_configs/quickstart.gin"\nR1GAN.r1_weight = 1.0\n')
    with pytest.raises(AssertionError, match="R1GAN.r1_weight"):
        built([tmp_path / "a.gin"])
