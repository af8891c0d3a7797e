"""The published gin files of AlphaGAN: updates counted by hand, learning rates, sizes, and what each file changes."""

import collections
import functools

import configurations
import gin
import numpy as np
import pytest
import toys
from configurations import ROWS, promised

from tfgans.data import Dataset, dataset
from tfgans.data.items import ArrayItems
from tfgans.evaluate import cost
from tfgans.gan import average
from tfgans.methods.alphagan import model as alphagan
from tfgans.methods.alphagan.spaces.autogan import space
from tfgans.methods.alphagan.spaces.autogan.supernet import GeneratorSupernet
from tfgans.run import build

NAMES = [name.split("/")[1] for name in ROWS if name.startswith("alphagan/")]
PUBLISHED = [name for name in NAMES if not name.startswith("digits")]

# outer steps, and in all of them: updates of D, of G, of G-bar and D-bar each, and of alpha
CODE = (
    99,
    99 * 22,
    436,
    99 * 22,
    99 * 20,
)  # G's at every fifth of D's from the first on: 2,178 / 5, rounded up
COUNTS = {
    "cifar10_search_s": CODE,
    "cifar10_search_l": (99, 38_709, 7_742, 38_709, 1_980),
    "cifar10_search_s_paper": (100, 2_000, 2_000, 2_000, 2_000),
    "cifar10_search_l_paper": (100, 39_000, 39_000, 39_000, 2_000),
    "stl10_search_s": CODE,
    "cifar10_search_gumbel": CODE,
    "cifar10_search_warm_up": (99, 2_178, 436, 49 * 22, 49 * 20),
    "cifar10_search_without_deconv": CODE,
    "cifar10_search_learnable": CODE,
    "cifar10_search_discriminator": CODE,
    "cifar10_search_test_architecture": CODE,
    "cifar10_search_test_both": CODE,
    "cifar10_search_single_level": (99, 0, 0, 2_178, 1_980),
    "cifar10_search_channels32": CODE,
    "cifar10_search_channels64": CODE,
    "cifar10_search_channels128": CODE,
}
OTHER_SEARCHES = ("cifar10_random", "cifar10_adversarialnas")
PAPER = [name for name in COUNTS if name.endswith("_paper")]
RELEASED = [name for name in COUNTS if name not in PAPER]


def prepare(name, *flags):
    return configurations.prepare(f"alphagan/{name}", *flags)


@pytest.fixture(scope="module", autouse=True)
def copied_once():
    """Copies of networks are made once, as the networks are; the average is another copy than the test networks."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (average, alphagan):
            patch.setattr(module, "clone", functools.cache(module.clone))
        yield


@functools.cache
def tiny_networks():
    small = dict(resolution=8, base_channels=1, latent_dim=2, channels=1)
    pools = dict(normal_operations=("conv_1x1",), up_operations=("nearest",))
    return GeneratorSupernet(**small, **pools), toys.image_networks()[1]


def small_model():
    """AlphaGAN as configured, of networks that are not."""
    return gin.get_configurable("AlphaGAN")(*tiny_networks())


def compiled_model():
    model = small_model()
    makers = (gin.query_parameter(f"build.{name}_optimizer") for name in ("generator", "discriminator"))
    model.compile(*(maker.scoped_configurable_fn() for maker in makers))
    return model


def lines():
    """The bindings that were parsed, as text, by name; of the two discriminators those of the one that is built."""
    found = dict(line.split(" = ", 1) for line in configurations.lines())
    networks = {"@autogan_discriminator", "@alphagan_search_discriminator"} - {found["build.discriminator"]}
    return {key: value for key, value in found.items() if f"@{key.split('.')[0]}" not in networks}


def test_every_published_file_is_here():
    trained = {name for name in PUBLISHED if "_retrain" in name}
    evolved = {f"cifar10_{name}" for name in ("eagan", "ewsgan", "ewsgan_sampled")}  # see test_evolved.py
    assert set(PUBLISHED) == {*COUNTS, *OTHER_SEARCHES, *RETRAINED, *evolved} and trained == set(RETRAINED)


@pytest.mark.parametrize("name", COUNTS)
def test_updates_of_a_search(name):
    steps, discriminator, generator, test, architecture = COUNTS[name]
    assert prepare(name)("train.steps") == steps
    model = small_model()
    found = collections.Counter(phase for step in range(steps) for phase, _ in model.phases(step))
    assert found["discriminator"] + found["both_players"] == discriminator
    assert found["both_players"] == generator
    assert found["test_generator"] == found["test_discriminator"] == test
    assert found["architecture"] == architecture
    assert found["copy"] == found["gap"] == architecture // 20 and found["end"] == steps


def test_order_of_updates_in_the_code():
    """The generator's are at D's updates number 0, 5, ... of the run: in the second outer step from 25 on."""
    prepare("cifar10_search_s")
    model = small_model()
    for step, generator in enumerate([(0, 5, 10, 15, 20), (3, 8, 13, 18)]):
        parts = [phase for phase, _ in model.phases(step)]
        assert tuple(np.flatnonzero(np.array(parts[:22]) == "both_players")) == generator
        last = ["test_discriminator"] * 22 + ["test_generator"] * 22 + ["architecture"] * 20
        assert parts[22:] == ["copy", *last, "gap", "end"]


# outer steps done; rates of G and of G-bar and D-bar. The code's e counts from 1: 1e-3 - 4e-4 (1 + cos(pi e / 100))
CODE_RATES = [
    (0, 2.00197e-4, 2e-4), (24, 3.17157e-4, 2e-4), (29, 3.64886e-4, 2e-4), (30, 3.75167e-4, 1e-4),
    (49, 6e-4, 1e-4), (98, 9.99803e-4, 1e-4),
]  # fmt: skip


@pytest.mark.parametrize("name", ("cifar10_search_s", "cifar10_search_s_paper"))
def test_learning_rates(name):
    prepare(name)
    model = compiled_model()
    for step, generator, test in CODE_RATES:
        if name in PAPER:
            generator = test = 2e-4
        model.step.assign(step)
        model.set_learning_rates()
        rates = {key: float(each.learning_rate) for key, each in model.optimizers().items()}
        expected = {"generator": generator, "discriminator": 2e-4, "architecture": 3e-4}
        expected |= {"test_generator": test, "test_discriminator": test}
        assert rates == pytest.approx(expected, rel=1e-5), step
    second = 0.999 if name in PAPER else 0.9
    for key, each in model.optimizers().items():
        betas = (0.5, 0.999) if key == "architecture" else (0.0, second)
        assert (each.beta_1, each.beta_2, each.epsilon) == (*betas, 1e-8), key


# What a search changes of cifar10_search_s, besides the file that trains what it finds; None takes a binding away
POOLS = {"without_deconv": space.UP_OPERATIONS_WITHOUT_DECONV, "learnable": space.UP_OPERATIONS_LEARNABLE}
SEARCH_BOTH = {
    "build.discriminator": "@alphagan_search_discriminator",
    **{f"autogan_discriminator.{key}": None for key in ("resolution", "channels", "base_channels")},
    "alphagan_search_discriminator.resolution": "%resolution",
    "alphagan_search_discriminator.channels": "%channels",
    "alphagan_search_discriminator.base_channels": "128",
}
NO_STEPS = {f"AlphaGAN.{part}_steps": None for part in ("weight", "test", "architecture")}
NO_SCHEDULES = {
    **{f"AlphaGAN.{part}_schedule": None for part in ("generator", "test")},
    **{f"CosineAnnealing.{key}": None for key in ("start", "end", "floor")},
    **{f"StepDecay.{key}": None for key in ("boundary", "factor")},
}
AS_IN_THE_PAPER = NO_SCHEDULES | {
    "GAN.discriminator_steps": "1",
    "AlphaGAN.weight_steps": "20",
    "AlphaGAN.test_steps": "20",
    "Dataset.half_order": "'random'",
    "TorchAdam.beta_2": "0.999",
    "train.steps": "100",
}
NO_SEARCH_BY_GAP = NO_STEPS | NO_SCHEDULES | {"Dataset.half_order": None, "train.log_every": None}
CHANGES = {
    "cifar10_search_l": {"AlphaGAN.weight_steps": "391", "AlphaGAN.test_steps": "391"},
    "cifar10_search_s_paper": AS_IN_THE_PAPER,
    "cifar10_search_l_paper": AS_IN_THE_PAPER
    | {"AlphaGAN.weight_steps": "390", "AlphaGAN.test_steps": "390"},
    "stl10_search_s": {
        "resolution": "48",
        "Dataset.source": "'tfds:stl10'",
        "Dataset.split": "'train'",
        "Dataset.evaluation_split": "'train+unlabelled'",
        "Dataset.flip": None,
        "alphagan_supernet.base_channels": "64",
        "autogan_discriminator.base_channels": "64",
    },
    "cifar10_search_gumbel": {"AlphaGAN.gumbel": "True", "AlphaGAN.gumbel_temperature": "0.5"},
    "cifar10_search_warm_up": {"AlphaGAN.warm_up_steps": "50"},
    **{
        f"cifar10_search_{name}": {"alphagan_supernet.up_operations": repr(pool)}
        for name, pool in POOLS.items()
    },
    "cifar10_search_discriminator": SEARCH_BOTH
    | {"alphagan_search_discriminator.first_cell_softmax": "False"},
    "cifar10_search_test_architecture": {"AlphaGAN.test_generator_updates": "'architecture'"},
    "cifar10_search_test_both": {"AlphaGAN.test_generator_updates": "'both'"},
    "cifar10_search_single_level": {"AlphaGAN.single_level_weight": "1.0"},
    **{
        f"cifar10_search_channels{width}": {
            "alphagan_supernet.base_channels": str(width),
            "autogan_discriminator.base_channels": str(width),
        }
        for width in (32, 64)
    },
    "cifar10_search_channels128": {"alphagan_supernet.base_channels": "128"},  # D has as many in any case
    "cifar10_adversarialnas": SEARCH_BOTH
    | NO_SEARCH_BY_GAP
    | {
        "alphagan_search_discriminator.first_cell_softmax": "True",
        "build.methods": "[@AdversarialNASGAN]",
        "GAN.discriminator_steps": None,  # one
        "TorchAdam.beta_2": "0.999",
        "train.steps": "39000",
        "search.note_every": "390",
    },
    "cifar10_random": NO_SEARCH_BY_GAP
    | {
        "build.methods": "[@RandomSearchGAN]",
        "RandomSearchGAN.num_candidates": "200",
        "Dataset.flip": "True",
        "train.steps": "15484",
        "train.best_metric": "'inception_score'",
        "train.best_is_highest": "True",
        "search.note_every": "15484",
        "Evaluator.num_samples": "50000",
        "Evaluator.metrics": "['fid', 'inception_score']",
    },
}
EVERY = ("train.save_every", "train.evaluate_every", "train.sample_every")


def differences(name, base, free):
    values = []
    for each in (name, base):
        prepare(each)
        values.append({key: value for key, value in lines().items() if key not in free})
    changed, unchanged = values
    keys = changed.keys() | unchanged.keys()
    return {key: changed.get(key) for key in keys if changed.get(key) != unchanged.get(key)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_search_changes_what_it_says(name):
    free = (*EVERY, "search.retrain_gin_file", "search.retrain_gin_params")
    assert differences(name, "cifar10_search_s", free) == CHANGES[name]


def test_searches_compared():
    assert CHANGES.keys() | {"cifar10_search_s"} == {*COUNTS, *OTHER_SEARCHES}
    of = prepare("cifar10_search_s")
    sizes = [of(f"{name}.base_channels") for name in ("alphagan_supernet", "autogan_discriminator")]
    assert (sizes, of("batch_size/macro.value"), of("Dataset.half_order")) == ([256, 128], 64, "contiguous")
    assert -(-99 * 782 // 5) == 15_484  # generator updates of 99 epochs of 782 batches, at every fifth


@pytest.mark.parametrize("name", [*COUNTS, *OTHER_SEARCHES])
def test_what_trains_the_genotype(name):
    of = prepare(name)
    path, source, searched = (
        of(key) for key in ("search.retrain_gin_file", "Dataset.source", "alphagan_supernet.base_channels")
    )
    bindings = of("search.retrain_gin_params") if "channels" in name else ()
    expected = "stl10_retrain_s" if name.startswith("stl10") else "cifar10_retrain_s"
    expected = "cifar10_retrain_l" if name in ("cifar10_search_l", "cifar10_search_l_paper") else expected
    expected = name.replace("search", "retrain") if "channels" in name else expected
    found = ["alphagan_generator.genotype='genotype.json'"]  # as in the search's command line
    of = prepare(expected, *found)
    configured = lines()
    build.prepare([path], [*bindings, *found])
    assert lines() == configured
    assert of("build.generator").selector.endswith("alphagan_generator") and of("Dataset.source") == source
    assert of("alphagan_generator.genotype") == "genotype.json"
    same = not name.startswith("stl10")
    assert (of("alphagan_generator.base_channels") == searched) == same


# genotype, channels of G and D, generator updates, Adam's first beta, images of the evaluation
CIFAR, STL = (50_000, 0.0, "train"), (80_000, 0.5, "train+unlabelled")
RETRAINED = {
    "cifar10_retrain_s": ("alphaGAN_s", (256, 128), *CIFAR),
    "cifar10_retrain_l": ("alphaGAN_l", (256, 128), *CIFAR),
    "stl10_retrain_s": ("alphaGAN_s", (256, 128), *STL),
    "stl10_retrain_l": ("alphaGAN_l", (256, 128), *STL),
    **{f"cifar10_retrain_channels{n}": ("alphaGAN_s", (n, n), *CIFAR) for n in (32, 64, 128)},
}


@pytest.mark.parametrize("name", RETRAINED)
def test_training_of_a_genotype(name):
    of = prepare(name)
    names = "alphagan_generator.genotype", "train.steps", "TorchAdam.beta_1", "Dataset.evaluation_split"
    networks = ("alphagan_generator", "autogan_discriminator")
    channels = tuple(of(f"{network}.base_channels") for network in networks)
    genotype, steps, beta, split = (of(key) for key in names)
    assert (genotype, channels, steps, beta, split) == RETRAINED[name]
    numbers = {
        "batch_size/macro.value": 64, "GAN.generator_batch_ratio": 2, "GAN.discriminator_steps": 5,
        "GAN.ema_decay": 0.999, "TorchAdam.learning_rate": 2e-4, "TorchAdam.beta_2": 0.9,
        "Evaluator.num_samples": 50_000,
    }  # fmt: skip
    assert {key: of(key) for key in numbers} == numbers
    assert steps % of("train.evaluate_every") == 0 and of("train.save_every") == of("train.evaluate_every")


def test_size_of_the_smallest():
    prepare("cifar10_retrain_channels32")
    generator = gin.get_configurable("alphagan_generator")()
    assert cost.parameters(generator) == 111_043 and generator.output_shape == (None, 32, 32, 3)


@pytest.mark.slow
def test_describe_has_the_papers_flops_and_the_size_of_the_space():
    facts, _ = build.describe(*ROWS["alphagan/cifar10_retrain_channels32"])
    assert facts["generator"]["parameters"] == 111_043
    assert round(facts["generator"]["thop_flops"], -5) == 25_100_000  # the table of sizes: 25.1M
    assert facts["generator"]["macs"] < facts["generator"]["thop_flops"] and "search_space" not in facts
    pool = "alphagan_supernet.normal_operations = ('conv_1x1', 'conv_3x3')"  # of six: the others take as long again
    small = ["alphagan_supernet.base_channels = 1", "autogan_discriminator.base_channels = 2", pool]
    files, bindings = ROWS["alphagan/cifar10_search_without_deconv"]
    facts, _ = build.describe(files, [*bindings, *small])
    assert facts["search_space"] == (2**3 * 2**2) ** 3 * 2**3 and "thop_flops" not in facts["generator"]


class Stl10:
    """A hundredth of STL-10: labels of the images without are -1."""

    splits, takes_slices = ("train", "test", "unlabelled"), True

    def open(self, split):
        counts = {"train": 50, "train+unlabelled": 1050}
        labels = np.where(np.arange(counts[split]) < 50, np.arange(counts[split]) % 10, -1)
        return ArrayItems(np.zeros((counts[split], 96, 96, 3), np.uint8), labels, list("abcdefghij"))


@pytest.mark.parametrize("name, count", [("stl10_search_s", 50), ("stl10_retrain_s", 1050)])
def test_images_of_stl10(monkeypatch, name, count):
    monkeypatch.setattr(dataset, "find_source", lambda *_, **__: Stl10())
    prepare(name)
    data = Dataset()
    assert (data.num_examples, data.item_shape, data.labels) == (count, (48, 48, 3), None)
    assert data.reference_size() == 1050
    assert [half.num_examples for half in data.halves()] == [count // 2] * 2


FLAGGED = [(name, flag) for name in PUBLISHED for flag in promised(f"alphagan/{name}")]


@pytest.mark.parametrize("name", sorted({name for name, _ in FLAGGED}))
def test_flags_in_comments_change_something(name):
    prepare(name)
    before = lines()
    for flag in [flag for owner, flag in FLAGGED if owner == name]:
        prepare(name, flag)
        assert lines().keys() == before.keys() | {flag.split("=")[0]} and lines() != before, flag
