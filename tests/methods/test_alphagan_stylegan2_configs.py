"""The published gin files of AlphaGAN on StyleGAN2 and BigGAN: updates, networks, sizes, what trains next."""

import collections
import math

import gin
import pytest
from configurations import ROWS, prepare, promised
from stylegan2_searches import parameters

from tfgans.layers.modulated import StyledConv2D
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.spaces.stylegan2.operations import SeparableStyledConv2D
from tfgans.methods.alphagan.spaces.stylegan2.published import GENOTYPES
from tfgans.methods.alphagan.spaces.stylegan2.search_discriminator import StyleGAN2DiscriminatorSupernet
from tfgans.methods.alphagan.spaces.stylegan2.supernet import StyleGAN2Supernet
from tfgans.run import build

PARADIGMS = ("micro", "micro_w", "macro", "macro_w")
# layers m, images of training in thousands, and of an evaluation
DATA = {
    "celeba128": (11, 15_000, 50_000),
    "church256": (13, 15_000, 50_000),
    "ffhq1024": (17, 20_000, 50_000),
}
SEARCHES = [(data, paradigm) for data in DATA for paradigm in PARADIGMS]
BASELINES = [(data, paradigm) for data in DATA for paradigm in ("micro_w", "macro")]
SMALL = [
    "alphagan_stylegan2_supernet.max_channels = 1",
    "alphagan_stylegan2_supernet.latent_dim = 2",
    "alphagan_stylegan2_supernet.style_dim = 2",
]
# The paper's sizes of what was found, millions (Tables 5, 7 and 19)
SIZES = {
    ("celeba128", "micro"): 29.33, ("church256", "micro"): 52.32, ("ffhq1024", "micro"): 52.73,
    ("celeba128", "micro_w"): 29.33, ("church256", "micro_w"): 52.32, ("ffhq1024", "micro_w"): 52.73,
    ("celeba128", "macro"): 41.39, ("church256", "macro"): 41.44, ("ffhq1024", "macro"): 31.68,
    ("celeba128", "macro_w"): 35.10, ("church256", "macro_w"): 35.67, ("ffhq1024", "macro_w"): 30.10,
}  # fmt: skip
BASELINE_SIZES = {
    ("celeba128", "micro_w"): 18.32, ("church256", "micro_w"): 18.89, ("ffhq1024", "micro_w"): 52.73,
    ("celeba128", "macro"): 18.32, ("church256", "macro"): 23.09, ("ffhq1024", "macro"): 21.33,
}  # fmt: skip


def stylegan2(name):
    return f"alphagan_stylegan2/{name}"


def check_what_follows(name, genotype):
    """That the command line which a parsed search ends with is a row, but for the genotype that it has found."""
    files, bindings = ROWS[stylegan2(name)]
    follows = gin.query_parameter("search.retrain_gin_file")
    given = gin.query_parameter("search.retrain_gin_params") if name.startswith("ffhq") else ()
    own = [binding for binding in bindings if not binding.startswith(f"{genotype}=")]
    assert (list(follows), list(given), len(bindings) - len(own)) == (files, own, 1)


def test_every_file_is_here():
    expected = {f"{data}_{kind}_{paradigm}" for data, paradigm in SEARCHES for kind in ("search", "retrain")}
    expected |= {
        f"{data}_adversarialnas_{kind}_{paradigm}"
        for data, paradigm in BASELINES
        for kind in ("search", "retrain")
    }
    expected |= {"ffhq1024_search_macro_separable", "ffhq1024_retrain_macro_separable"}
    expected |= {"ffhq1024_retrain_micro_from_celeba"}
    expected |= {f"ffhq1024_retrain_separable_{modulated}" for modulated in ("depthwise", "pointwise")}
    found = {name.split("/")[1] for name in ROWS if name.startswith(stylegan2(""))}
    found = {name for name in found if not name.startswith("photos")}
    assert found == expected


def space(layers, paradigm, discriminator=False, normal=3):
    """By the specification's formulas."""
    layers_of_normal = 1 if paradigm.startswith("micro") else layers // 2 + 1
    size = normal**layers_of_normal * 3 ** max(1, layers_of_normal - 1)
    size *= 8 ** (layers + 1) if paradigm.endswith("_w") else 1
    return size * (3 ** (2 * (layers // 2)) if discriminator else 1)


@pytest.fixture
def without_layers(request, monkeypatch):
    """Supernets that know their size alone; those of the largest images are built in full."""
    if (
        request.node.callspec.params["data"] != "ffhq1024"
        or request.node.callspec.params["paradigm"] != "macro"
    ):
        for network in (StyleGAN2Supernet, StyleGAN2DiscriminatorSupernet):
            monkeypatch.setattr(network, "_build_layers", lambda self, widths: None)


@pytest.mark.parametrize(("data", "paradigm"), SEARCHES)
def test_a_search(data, paradigm, without_layers):
    path = stylegan2(f"{data}_search_{paradigm}")
    of = prepare(path)
    names = ("train.steps", "batch_size/macro.value", "GAN.discriminator_steps", "Dataset.half_order")
    assert [of(name) for name in names] == [500, 2, 1, "random"]
    check_what_follows(f"{data}_retrain_{paradigm}", "alphagan_stylegan2_generator.genotype")
    widths = [of(f"{network}.{name}") for network in SEARCHED for name in WIDTHS]
    assert [8 * width for width in widths] == full_widths()
    prepare(path, *SMALL)
    supernet = gin.get_configurable("alphagan_stylegan2_supernet")()
    assert supernet.search_space_size == space(DATA[data][0], paradigm)
    assert supernet.resolution == int("".join(c for c in data if c.isdigit()))


SEARCHED = ("alphagan_stylegan2_supernet", "stylegan2_discriminator")
TRAINED = ("alphagan_stylegan2_generator", "stylegan2_discriminator")
WIDTHS = ("channel_multiplier", "max_channels")


def full_widths():
    """Config-f's, of the generator and of the discriminator."""
    of = prepare("stylegan2/ffhq1024")
    return [
        of(f"stylegan2_{network}.{name}") for network in ("generator", "discriminator") for name in WIDTHS
    ]


def test_updates_of_an_outer_step():
    """The paper's T = 20, R = 5, S = 20; the learning rates are StyleGAN2's and, of alpha, AlphaGAN's."""
    prepare(stylegan2("celeba128_search_micro"), *SMALL, "resolution = 8", *TINY_DISCRIMINATOR)
    model, _ = build.build_model()
    found = collections.Counter(phase for phase, _ in model.phases(7))
    assert found == {
        "both_players": 20, "copy": 1, "test_discriminator": 5, "test_generator": 5, "architecture": 20, "gap": 1,
        "end": 1,
    }  # fmt: skip
    assert isinstance(model, AlphaGAN) and model.test_generator_updates == "weights"
    rates = {name: float(each.learning_rate) for name, each in model.optimizers().items()}
    lazy = 2e-3 * 16 / 17
    expected = {"generator": 2e-3, "discriminator": lazy, "test_generator": 2e-3, "test_discriminator": lazy}
    assert rates == pytest.approx(expected | {"architecture": 3e-4})


TINY_DISCRIMINATOR = ["stylegan2_discriminator.max_channels = 1"]


def test_separable_space():
    prepare(stylegan2("ffhq1024_search_macro_separable"), *SMALL)
    supernet = gin.get_configurable("alphagan_stylegan2_supernet")()
    assert supernet.search_space_size == 6**9 * 3**8 and supernet.modulated == "depthwise"


@pytest.mark.parametrize(("data", "paradigm"), BASELINES)
def test_adversarial_nas(data, paradigm, without_layers):
    """As many updates of weights as in 500 outer steps, and a space that has the discriminator's."""
    small = [*SMALL, "alphagan_stylegan2_search_discriminator.max_channels = 1"]
    of = prepare(stylegan2(f"{data}_adversarialnas_search_{paradigm}"), *small)
    methods = [method.selector.rsplit(".", 1)[-1] for method in of("build.methods")]
    assert methods == ["AdversarialNASGAN", "R1GAN"]
    assert (of("train.steps"), of("batch_size/macro.value")) == (500 * 20, 2)
    check_what_follows(f"{data}_adversarialnas_retrain_{paradigm}", "genotype")
    networks = ("alphagan_stylegan2_supernet", "alphagan_stylegan2_search_discriminator")
    sizes = [gin.get_configurable(name)().search_space_size for name in networks]
    assert math.prod(sizes) == space(DATA[data][0], paradigm, discriminator=True)


def trained(path):
    """Of a file that trains a genotype: the genotype, methods, number of images in thousands."""
    of = prepare(path)
    methods = [method.selector.rsplit(".", 1)[-1] for method in of("build.methods")]
    images = of("train.steps") * of("batch_size/macro.value") / 1000
    discriminator = of("build.discriminator").selector.rsplit(".", 1)[-1]
    return methods, images, of("Evaluator.num_samples"), discriminator


def millions(genotype):
    return round(parameters(genotype) / 1e6, 2)


@pytest.mark.parametrize(("data", "paradigm"), SEARCHES)
def test_what_was_found_is_trained(data, paradigm):
    path = stylegan2(f"{data}_retrain_{paradigm}")
    _, thousands, samples = DATA[data]
    assert trained(path) == (["StyleMixingGAN", "R1GAN"], thousands, samples, "stylegan2_discriminator")
    name = prepare(path)("alphagan_stylegan2_generator.genotype")
    assert name.startswith(data.rstrip("0123456789")) and paradigm in name
    assert millions(GENOTYPES[name]) == SIZES[data, paradigm]
    assert name.endswith("_w") or set(GENOTYPES[name].latents) == {8}
    of = prepare(path)
    assert [of(f"{network}.{name}") for network in TRAINED for name in WIDTHS] == full_widths()


@pytest.mark.parametrize(("data", "paradigm"), BASELINES)
def test_what_adversarial_nas_found_is_trained(data, paradigm):
    path = stylegan2(f"{data}_adversarialnas_retrain_{paradigm}")
    _, thousands, samples = DATA[data]
    expected = (["StyleMixingGAN", "R1GAN"], thousands, samples, "alphagan_stylegan2_discriminator")
    assert trained(path) == expected
    name = prepare(path)("genotype/macro.value")
    assert (
        GENOTYPES[name].discriminator_normal and millions(GENOTYPES[name]) == BASELINE_SIZES[data, paradigm]
    )


def test_others_that_are_trained():
    of = prepare(stylegan2("ffhq1024_retrain_macro_separable"))
    assert millions(GENOTYPES[of("alphagan_stylegan2_generator.genotype")]) == 21.42
    of = prepare(stylegan2("ffhq1024_retrain_micro_from_celeba"))
    assert millions(GENOTYPES[of("alphagan_stylegan2_generator.genotype")].at(1024)) == 30.37
    assert of("resolution/macro.value") == 1024


@pytest.mark.parametrize("modulated", ["depthwise", "pointwise"])
def test_separable_convolutions_of_table_21(modulated):
    path = stylegan2(f"ffhq1024_retrain_separable_{modulated}")
    assert trained(path) == (["StyleMixingGAN", "R1GAN"], 15_000, 50_000, "stylegan2_discriminator")
    of = prepare(path)
    assert of("alphagan_stylegan2_generator.genotype") == "ffhq_separable"
    assert [of(f"{network}.{name}") for network in TRAINED for name in WIDTHS] == full_widths()
    tiny = ("latent_dim = 2", "style_dim = 2", "max_channels = 1")
    prepare(path, "resolution = 16", *(f"alphagan_stylegan2_generator.{binding}" for binding in tiny))
    synthesis = gin.get_configurable("alphagan_stylegan2_generator")().get_layer("synthesis")
    layers = [each for each in synthesis._flatten_layers() if isinstance(each, StyledConv2D)]
    separable = [each for each in layers if isinstance(each, SeparableStyledConv2D)]
    assert (len(layers), len(separable)) == (5, 3)
    assert {(each.kernel_size, each.convolution.modulated) for each in separable} == {(3, modulated)}


@pytest.mark.slow
def test_biggan_on_cifar10():
    of = prepare("alphagan_biggan/cifar10_search")
    steps = [of(f"AlphaGAN.{name}_steps") for name in ("weight", "test", "architecture")]
    assert steps == [20, 20, 20] and of("train.steps") == 100
    assert of("search.retrain_gin_file") == "gin_configs/alphagan_biggan/cifar10_retrain.gin"
    of = prepare("alphagan_biggan/cifar10_retrain")
    assert of("train.steps") * 4 * 50 / 50_000 == 500  # epochs
    pool = "alphagan_biggan_supernet.normal_operations = ('conv_1x1', 'conv_3x3')"  # of six
    small = ["alphagan_biggan_supernet.base_channels = 2", "biggan_discriminator.base_channels = 1", pool]
    facts, model = build.describe(["gin_configs/alphagan_biggan/cifar10_search.gin"], small)
    assert facts["search_space"] == 2**6 * 2**6 and model.num_classes == 10


FOLDERS = ("alphagan_stylegan2", "alphagan_biggan")
FLAGGED = [name for name in ROWS if name.split("/")[0] in FOLDERS and promised(name)]


@pytest.mark.parametrize("name", FLAGGED)
def test_flags_in_comments_change_something(name):
    prepare(name)
    before = gin.config_str()
    for flag in promised(name):
        prepare(name, flag)
        assert gin.config_str() != before, flag


def test_flags_are_found():
    assert len(FLAGGED) >= 8
    assert promised(stylegan2("photos64_retrain")) == [
        "alphagan_stylegan2_generator.genotype='runs/search/genotype.json'"
    ]
