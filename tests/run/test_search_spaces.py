"""Searches of StyleGAN2 and BigGAN in their folders: one goes on exactly, and what they find can be built."""

import json
import shutil
import types

import gin
import numpy as np
import pytest
import searches
import short_runs
from short_runs import history, search

from tfgans.data import Dataset
from tfgans.methods.adversarialnas import AdversarialNASGAN
from tfgans.methods.alphagan.spaces.autogan.search_discriminator import alphagan_search_discriminator
from tfgans.methods.alphagan.spaces.biggan.genotype import load_biggan_genotype
from tfgans.methods.alphagan.spaces.stylegan2.published import load_stylegan2_genotype
from tfgans.run import build, searching

COMMON = """
batch_size = 4
Evaluator.features = @DigitsFeatures()
Evaluator.num_samples = 64
train.steps = 2
train.save_every = 1
train.evaluate_every = 1
train.sample_every = 1
train.log_every = 1
"""
SEARCH = """
AlphaGAN.weight_steps = 1
AlphaGAN.test_steps = 1
AlphaGAN.architecture_steps = 1
AlphaGAN.architecture_learning_rate = 0.1
"""
STYLEGAN2 = """
num_classes = None
Dataset.use_labels = False
alphagan_stylegan2_supernet.latent_dim = 4
alphagan_stylegan2_supernet.style_dim = 4
alphagan_stylegan2_supernet.max_channels = 4
R1GAN.r1_interval = 2
discriminator/lazy_adam.interval = 2
"""
SEARCHES = {
    "stylegan2": (
        "alphagan_stylegan2_supernet",
        COMMON + SEARCH + STYLEGAN2 + """
alphagan_stylegan2_supernet.paradigm = "macro_w"
stylegan2_discriminator.max_channels = 4
search.retrain_gin_file = "gin_configs/alphagan_stylegan2/photos64_retrain.gin"
""",
    ),
    "adversarialnas": (
        "alphagan_stylegan2_supernets",
        COMMON + STYLEGAN2 + """
alphagan_stylegan2_supernet.paradigm = "micro_w"
alphagan_stylegan2_search_discriminator.max_channels = 4
AdversarialNASGAN.architecture_rate = 0.1
search.retrain_gin_file = "gin_configs/alphagan_stylegan2/photos64_adversarialnas_retrain.gin"
""",
    ),
    "biggan": (
        "alphagan_biggan_supernet",
        COMMON + SEARCH + """
build.generator_optimizer = @SGD
build.discriminator_optimizer = @SGD
SGD.learning_rate = 0.01
alphagan_biggan_supernet.latent_dim = 8
alphagan_biggan_supernet.base_channels = 4
alphagan_biggan_supernet.embedding_dim = 2
alphagan_biggan_supernet.normal_operations = ("conv_1x1", "conv_3x3")
biggan_discriminator.block_channels = (4, 4)
biggan_discriminator.downsample = (True, False)
search.retrain_gin_file = "gin_configs/alphagan_biggan/photos64_retrain.gin"
""",
    ),
}  # fmt: skip
KERNELS = ("conv_1x1", "conv_3x3", "conv_5x5")
POOLS = {
    ("biggan", "normal"): ("conv_1x1", "conv_3x3"),
    ("biggan", "up"): ("nearest", "bilinear"),
} | {
    (name, group): pool
    for name in ("stylegan2", "adversarialnas")
    for group, pool in {
        "normal": KERNELS,
        "up": ("deconv", "nearest_conv", "bilinear_conv"),
        "latents": tuple(f"W_{number}" for number in range(1, 9)),
        "discriminator": KERNELS,
    }.items()
}
RETRAINED = {
    "stylegan2": ["alphagan_stylegan2_generator.genotype"],
    "adversarialnas": ["alphagan_stylegan2_generator.genotype", "alphagan_stylegan2_discriminator.genotype"],
    "biggan": ["alphagan_biggan_generator.genotype"],
}


pytestmark = pytest.mark.usefixtures("eagerly")


def rebuilt(words):
    """The model that a command line trains, a list of words, with images of 8x8 like the search's."""
    flags = [word.removeprefix("--gin_param=") for word in words if word.startswith("--gin_param=")]
    files = [word.removeprefix("--gin_file=") for word in words if word.startswith("--gin_file=")]
    digits = ["resolution = 8", "channels = 1", "Dataset.source = 'digits'", "Dataset.flip = False"]
    build.prepare(files, [*flags, *digits])
    return [flag.split("=")[0] for flag in flags], {
        "generator": gin.query_parameter("build.generator").scoped_configurable_fn(),
        "discriminator": gin.query_parameter("build.discriminator").selector,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_hands_over_a_genotype(name, tmp_path):
    networks, text = SEARCHES[name]
    head = f'include "gin_configs/data/digits.gin"\ninclude "gin_configs/networks/{networks}.gin"\n'
    gin_file = tmp_path / "search.gin"
    gin_file.write_text(head + text)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command = search(gin_file, whole)
    if name == "stylegan2":
        shutil.copytree(whole, parts)
        (parts / "checkpoints/step_00000002.npz").unlink()
        search(gin_file, parts)
        assert history(parts) == history(whole)
        short_runs.assert_same_run(whole, parts)
    rows = history(whole)
    assert [row["step"] for row in rows] == [0, 1, 2] and rows[1]["mixing"] != rows[2]["mixing"]
    load = load_biggan_genotype if name == "biggan" else load_stylegan2_genotype
    found = load(str(whole / "genotype.json"))
    assert json.loads(found.text()) == rows[2]["genotype"]
    for group, mixing in rows[2]["mixing"].items():
        largest = [POOLS[name, group.split("_")[0]][column] for column in np.argmax(mixing, -1)]
        assert list(found.group(group)[: len(largest)]) == largest  # of micro, all are the first
    pictures = ["genotype.png", "architecture.png", *(["duality_gap.png"] if "AlphaGAN" in text else [])]
    assert all((whole / picture).stat().st_size > 1000 for picture in pictures)
    if name == "biggan":  # conditional: labels follow the half that trains the weights
        half, _ = Dataset("digits").halves()
        kept = json.loads((whole / "classes.json").read_text())
        assert kept["counts"] == half.label_counts.tolist() and kept["names"][3] == "3"
    parameters, model = rebuilt(command)
    assert parameters == RETRAINED[name]
    assert model["generator"].output_shape == (None, 8, 8, 1)
    if name == "adversarialnas":
        assert len(found.discriminator_normal) == 1 and "discriminator_normal" in rows[0]["mixing"]
        assert model["discriminator"].endswith("alphagan_stylegan2_discriminator")


@pytest.mark.slow
def test_a_searched_discriminator_has_names_of_its_own():
    """Those of the conventional one are the generator's."""
    discriminator = alphagan_search_discriminator(resolution=8, channels=1, base_channels=2)
    run = types.SimpleNamespace(model=searches.make(AdversarialNASGAN, discriminator=discriminator))
    own = run.model.generator.architecture_operations
    found = searching.SearchRun._of_networks(run, lambda network: network.architecture_operations)
    assert {name: found[name] for name in own} == own
    others = {name: pool for name, pool in found.items() if name not in own}
    assert others == {f"discriminator_{k}": v for k, v in discriminator.architecture_operations.items()}
