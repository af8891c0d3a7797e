"""The published gin files of Re-GAN: phases at steps counted by hand, learning rates, and what else they change."""

import gin
import pytest
import toys
from configurations import ROWS, lines, prepare, promised

from tfgans.run import build

FEW_SHOT = [f"{name}256" for name in ("obama", "grumpy_cat", "panda", "animal_cat", "animal_dog", "flowers")]
AUGMENTED = ("", "_apa", "_diffaugment")
SNGAN = ("cifar10_sngan", "cifar10_sngan_ri", "cifar10_sngan_lr")
AUTOGAN = [f"cifar10_autogan_{letter}" for letter in "abc"]
FFHQ = [f"ffhq1024_{size}" for size in ("1k", "5k", "10k", "70k")]

# first generator updates of the sparse and dense phases that follow the warm-up, and the whole run's number
EPOCHS = (
    [31_400, 47_100, 62_800, 78_500, 94_200, 109_900, 125_600, 141_300],
    157_000,
)  # 157 times 200, 300, ...
TENTH = ([3_200, 4_800, 6_400, 8_000, 9_600, 11_200, 12_800, 14_400], 16_000)  # 16 times
AUTOGAN_EPOCHS = ([15_600, 16_380, 17_160, 17_940], 49_920)  # 156 times 100, 105, 110, 115
DCGAN = (
    [31_280, 46_920, 62_560, 78_200, 93_840, 109_480, 125_120, 140_760],
    156_400,
)  # 782 times 40, 60, ...
LAST_STAGE_32 = ([3_128, 4_692, 6_256, 7_820], 8_602)  # 2,346 + 782, then every 2 x 782
LAST_STAGE_64 = ([7_038, 8_602, 10_166, 11_730], 12_512)  # 6,256 + 782, then every 2 x 782
LAST_STAGE_256 = ([19_000, 25_000, 31_000, 37_000], 40_000)
ITERATIONS = [10_000, 15_001, 20_001, 25_001, 30_001, 35_001]  # the code's 10,001, 15,002, ... count from 1

TIMELINES = (
    {name: EPOCHS for name in SNGAN}
    | {"cifar10_sngan_10percent": TENTH, "cifar10_dcgan": DCGAN}
    | {name: AUTOGAN_EPOCHS for name in AUTOGAN}
    | {"cifar10_progan": LAST_STAGE_32, "tiny_imagenet_progan": LAST_STAGE_64}
    | {f"{name}_progan": LAST_STAGE_256 for name in FEW_SHOT}
    | {f"{name}_stylegan2{kind}": (ITERATIONS, 40_000) for name in FEW_SHOT for kind in AUGMENTED}
    | {f"{name}_stylegan2": (ITERATIONS, 600_000) for name in ("cifar10", "tiny_imagenet")}
    | {name: (ITERATIONS, 625_000) for name in FFHQ}
)

# the generator's learning rates in the warm-up, in sparse and in dense phases, by the code
RATES = {
    "sngan": (2e-4, 2e-4, 2e-5),
    "dcgan": (2e-4, 2e-4, 2e-5),
    "autogan": (2e-4, 2e-4, 2e-5),
    "progan": (1e-3, 1e-3, 1e-4),
}
LAZY, NOT_LAZY = (0.0016, 0.002, 0.0002), (0.002, 0.002, 0.0002)
BASELINES = ("cifar10_sngan_baseline", "cifar10_sngan_10percent_baseline")


def rates(name):
    if name == "cifar10_sngan_lr":
        return 2e-4, 2e-4, 2e-4
    for network, published in RATES.items():
        if network in name:
            return published
    return NOT_LAZY if name in ("cifar10_stylegan2", "tiny_imagenet_stylegan2") else LAZY


def small_model():
    """ReGAN as configured, of networks that are not, and the generator's optimizer."""
    model = gin.get_configurable("ReGAN")(*toys.image_networks(), num_classes=None)
    return model, gin.query_parameter("build.generator_optimizer").scoped_configurable_fn()


def test_every_published_file_is_here():
    local = ("digits", "ring", "grid", "photos")
    names = {name.split("/")[1] for name in ROWS if name.startswith("regan/")}
    names = {name for name in names if not name.startswith(local)}
    methods = {name: str(prepare(f"regan/{name}")("build.methods")) for name in names}
    assert {name for name in names if "@ReGAN" in methods[name]} == set(TIMELINES)
    assert set(BASELINES) <= {name for name in names if methods[name] == "()"}


@pytest.mark.parametrize("name", TIMELINES)
def test_the_cycle(name):
    of = prepare(f"regan/{name}")
    starts, steps = TIMELINES[name]
    model, optimizer = small_model()
    assert of("train.steps") == steps
    assert model.sparsity == (0.3 if name in FFHQ else 0.1)
    phase = model.pruning_schedule.phase
    assert phase(0) == phase(starts[0] - 1) == "warm_up"
    for index, start in enumerate(starts):
        before, now = ("dense", "sparse") if index % 2 == 0 else ("sparse", "dense")
        assert phase(start) == now and model.pruning_schedule.begins(start), start
        assert phase(start - 1) == (before if index else "warm_up"), start
    last = "sparse" if name in FFHQ else "dense"  # where a run ends; 625,000 is half a cycle beyond 620,000
    assert phase(steps - 1) == last
    rate = float(optimizer.learning_rate)
    effective = tuple(rate * model.rates[of_phase] for of_phase in ("warm_up", "sparse", "dense"))
    assert effective == pytest.approx(rates(name), rel=1e-6)
    assert float(optimizer.beta_1) == 0.0  # pruned weights stay 0
    late = "_stylegan2" in name or name in FFHQ
    assert model.pruning_schedule.rate_phase(starts[0]) == ("warm_up" if late else "sparse")
    assert model.pruning_schedule.rate_phase(starts[0] + 1) == "sparse"
    assert ("ReGAN.exclude_tensors = 'to_rgb'" in lines()) == late
    assert model.regrow == ("initializer" if name == "cifar10_sngan_ri" else "zero")
    assert model.pruned_networks == ("generator",) and model.mask_average and model.rederive_masks
    assert not model.mask_after_update and not model.mask_regularizer_steps


def test_to_rgb_is_a_name_in_stylegan2():
    small = [f"stylegan2_{part}.max_channels = 8" for part in ("generator", "discriminator")]
    prepare("regan/cifar10_stylegan2", *small, "stylegan2_generator.mapping_layers = 1")
    model, _ = build.build_model()
    pruned = {weight.path for weight in model.pruned_weights("generator")}
    left = {v.path for v in model.generator.trainable_variables} - pruned
    assert len(left) == 4 * 4  # at 4, 8, 16 and 32 pixels: kernel and bias, and both of the modulation
    assert all("to_rgb" in path for path in left) and not any("to_rgb" in path for path in pruned)


PAIRS = (
    {f"{name}_stylegan2{kind}": f"stylegan2/{name}{kind}" for name in FEW_SHOT for kind in AUGMENTED}
    | {f"{name}_progan": f"progan/{name}" for name in (*FEW_SHOT, "cifar10", "tiny_imagenet")}
    | {f"{name}_stylegan2": f"stylegan2/{name}" for name in ("cifar10", "tiny_imagenet")}
    | {name: "stylegan2/ffhq1024" for name in FFHQ}
    | {name: f"regan/{BASELINES[0]}" for name in SNGAN}
    | {"cifar10_sngan_10percent": f"regan/{BASELINES[1]}"}
)
EVERY = ("train.save_every", "train.evaluate_every", "train.sample_every")


@pytest.mark.parametrize("name", PAIRS)
def test_nothing_else_differs_from_the_baseline(name):
    """What it is compared with is the same run: data, networks, losses, optimizers, length, evaluation."""
    values = []
    for path in (f"regan/{name}", PAIRS[name]):
        prepare(path)
        values.append(dict(line.split(" = ", 1) for line in lines()))
    pruned, base = values
    base = {
        key: value for key, value in base.items() if not key.startswith("ReGAN.")
    }  # which it does not use
    methods = base.pop("build.methods")
    expected = "[@ReGAN]" if methods == "()" else methods.replace("[", "[@ReGAN, ")
    assert pruned.pop("build.methods") == expected
    free = ("ReGAN.", "Dataset.fraction", *EVERY)
    if PAIRS[name] == "stylegan2/ffhq1024":  # the original, which is measured by its own authors' rule
        assert pruned.pop("InceptionFeatures.resize") == "'legacy_pytorch'"
        assert "InceptionFeatures.resize" not in base
    changed = {key for key in pruned.keys() | base.keys() if pruned.get(key) != base.get(key)}
    assert {key for key in changed if not key.startswith(free)} == set()
    assert any(key.startswith("ReGAN.") for key in changed)


@pytest.mark.parametrize("name, count", [("1k", 1_000), ("5k", 5_000), ("10k", 10_000), ("70k", 70_000)])
def test_images_of_ffhq(name, count):
    of = prepare(f"regan/ffhq1024_{name}")
    fraction = 1.0 if name == "70k" else of("Dataset.fraction")
    assert int(fraction * 70_000) == count
    assert name == "70k" or of("Dataset.fraction_order") == "first"


FLAGGED = [(name, flag) for name in (*TIMELINES, *BASELINES) for flag in promised(f"regan/{name}")]


@pytest.mark.parametrize("name", sorted({name for name, _ in FLAGGED}))
def test_flags_in_comments_change_something(name):
    prepare(f"regan/{name}")
    before = lines()
    for flag in [flag for owner, flag in FLAGGED if owner == name]:
        prepare(f"regan/{name}", flag)
        assert lines() != before, flag
        model, _ = small_model()
        assert model.sparsity in (0.0, 0.1, 0.3)


# share of the data, generator updates of an epoch: at every fifth batch of 64 from the first on
@pytest.mark.parametrize(
    "share, batches, updates", [(0.2, 157, 32), (0.4, 313, 63), (0.5, 391, 79), (0.8, 625, 125)]
)
def test_epochs_of_other_shares(share, batches, updates):
    assert len(range(0, batches, 5)) == updates and 64 * (batches - 1) < share * 50_000 <= 64 * batches
    asked = (f"Dataset.fraction={share}", f"ReGAN.length_unit={updates}", f"train.steps={1000 * updates}")
    assert set(asked) <= {flag for name, flag in FLAGGED if name == "cifar10_sngan_10percent"}
    of = prepare("regan/cifar10_sngan_10percent", *asked)
    phases = small_model()[0].pruning_schedule
    assert phases.phase(200 * updates - 1) == "warm_up" and phases.phase(200 * updates) == "sparse"
    assert phases.phase(of("train.steps") - 1) == "dense" and of("Dataset.fraction") == share
