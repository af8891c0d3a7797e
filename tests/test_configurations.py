"""The gin files: every experiment of docs/configurations.md builds, and parts fit one another."""

import inspect
import re
import subprocess

import gin
import pytest
from configurations import CONFIGS, NOTES, PARTS, ROOT, ROWS, lines, prepare

from tfgans import config
from tfgans.compare import plan
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate.evaluator import Evaluator
from tfgans.run import build

FEATURES = sorted(CONFIGS.glob("features/*.gin"))  # tried in tests/run/test_sets.py
FILES = sorted({*CONFIGS.rglob("*.gin")} - {*FEATURES})
DATA, NETWORKS, LOSSES, _ = ([p for p in FILES if p.parent.name == part] for part in PARTS)
OFFLINE = ("digits", "photos", "ring", "grid")
TINY = {
    "base_channels": 8, "max_channels": 16, "mapping_layers": 1,
    "normal_operations": ("conv_1x1",), "up_operations": ("nearest",),
}  # fmt: skip
TINY_OF = {"alphagan_stylegan2_supernet": {"up_operations": ("deconv",)}}  # what it has other pools of
TINY_RESOLUTION = {
    "stylegan2_generator": 32,
    "alphagan_stylegan2_supernet": 32,
}  # of networks whose other arguments do not depend on it


def tiny(files, bindings=()):
    """The bindings that make the networks of these files small, for each function that `build` is given."""
    build.prepare([str(f) for f in files], bindings)
    small = []
    for part in ("generator", "discriminator"):
        network = gin.query_parameter(f"build.{part}")
        name = network.selector.rsplit(".", 1)[-1]
        parameters = inspect.signature(gin.get_configurable(network.selector)).parameters
        chosen = TINY | TINY_OF.get(name, {})
        small += [f"{name}.{key} = {value}" for key, value in chosen.items() if key in parameters]
        small += [f"resolution = {TINY_RESOLUTION[name]}"] if name in TINY_RESOLUTION else []
        if config.is_bound(name, "block_channels"):
            widths = gin.query_parameter(f"{name}.block_channels")
            small += [f"{name}.block_channels = {(8,) * len(widths)}"]
    return small


PHOTOS = {}  # of `built`: data sets by all that is said of them


def built(files, bindings=(), strictly=True):
    """Builds what a command would, small; returns `(model, dataset or None)`.

    Nothing may be left unused; if not strictly, nothing that the command would refuse.
    """
    build.prepare([str(f) for f in files], [*bindings, *tiny(files, bindings)])
    model, _ = build.build_model()
    if config.is_bound("Evaluator", "features"):
        Evaluator()
    source = gin.query_parameter("Dataset.source")
    dataset, cut_before = None, False
    if source in OFFLINE:
        # Photographs are cut anew for every Dataset: files that say the same of it, macros too, share one.
        asked = tuple(re.findall(r"^(?:Dataset\.|\w+ = ).*", gin.config_str(), re.MULTILINE))
        cut_before = source == "photos" and asked in PHOTOS
        dataset = PHOTOS[asked] if cut_before else Dataset()
        if source == "photos":
            PHOTOS[asked] = dataset
        assert dataset.item_shape == model.sample_shape
        assert model.num_classes in (None, dataset.num_classes)
    later = ("train", "search") + (() if dataset is not None and not cut_before else ("Dataset",))
    if strictly:
        prefixes = tuple(f"{name}." for name in later) + (("batch_size",) if "Dataset" in later else ())
        assert [name for name in config.unused_bindings() if not name.startswith(prefixes)] == []
    else:
        config.refuse_unused(apart_from=later)
    return model, dataset


# Of what is not built of these, the values make no difference to what is.
NOT_BUILT = ("train.", "search.", "Dataset.source", "Dataset.fraction", "Dataset.evaluation_", "Dataset.crop")
KNOWN = {}  # what was built: `(num_classes, label_distribution)` by all that was said of it


def said(files, bindings):
    """The configuration that `built` builds: bindings, and names alone of what makes no difference."""
    build.prepare([str(f) for f in files], [*bindings, *tiny(files, bindings)])
    return frozenset(line.split(" = ")[0] if line.startswith(NOT_BUILT) else line for line in lines())


# A file on its own has use for all it says, but those of these include optimizers that they replace.
REPLACING = ("regan/cifar10_dcgan",)


@pytest.mark.parametrize("name", ROWS)
def test_every_experiment_builds_and_uses_all_it_says(name):
    files, bindings = ROWS[name]
    files = [ROOT / path for path in files]
    alone = len(files) == 1 and not bindings and "updates" not in files[0].read_text()
    strictly = alone and name not in REPLACING
    asked = said(files, bindings)
    ours = gin.query_parameter("Dataset.source") in OFFLINE
    if ours or strictly or asked not in KNOWN:
        model, _ = built(files, bindings, strictly)
        KNOWN[asked] = model.num_classes, model.label_distribution
    num_classes, distribution = KNOWN[asked]
    if num_classes:  # published ones draw labels as their authors do, ours as the data has them
        assert distribution == ("data" if ours else "uniform")


def test_every_file_is_a_part_of_an_experiment_or_tried_with_others():
    named = {ROOT / path for files, _ in ROWS.values() for path in files}
    included = {ROOT / path for file in named for path in includes(file)}
    assert set(FILES) - named - included <= {*DATA, *NETWORKS, *LOSSES}
    assert len(FILES) <= 130


def test_the_readmes_have_the_experiments_of_the_table():
    assert set(NOTES) == {name for name in ROWS if "/" in name}
    folders = {path.parent.name for path in FILES} - {*PARTS, CONFIGS.name}
    assert {name.split("/")[0] for name in NOTES} == folders


GIN_FILE = re.compile(r"[A-Za-z0-9_/]+\.gin\b")
PAGES = [*sorted(CONFIGS.rglob("README.md")), ROOT / "docs/configurations.md"]
TEXTS = [*FILES, *PAGES]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_gin_files_that_are_named_are_there(path):
    """By their path, from gin_configs or from where they are named."""
    for name in GIN_FILE.findall(path.read_text()):
        assert any((place / name).exists() for place in (ROOT, CONFIGS, path.parent)), name


def commands(path):
    """The arguments of each command that a page has in a block of its own, as a shell hands them on."""
    text = path.read_text()
    blocks = [
        *re.findall(r"```sh\n(.+?)```", text, re.DOTALL),
        *re.findall(r"(?:^    .*\n)+", text, re.MULTILINE),
    ]
    script = "\n".join(block for block in blocks if "python launch/" in block)
    script = re.sub(r"(?:\.venv/bin/)?python (?=launch/|benchmarks/)", "python ", script)
    said = "python() { printf '%s\\0' \"$@\"; printf '\\n'; }\n"
    done = subprocess.run(["bash", "-eu", "-c", said + script], capture_output=True, text=True, check=True)
    return [line.split("\0")[:-1] for line in re.split(r"(?<=\0)\n", done.stdout) if line]


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_pages_show_can_be_copied(path):
    shown = commands(path)
    assert shown or "python launch/" not in path.read_text()
    for script, *flags in shown:
        assert (ROOT / script).exists(), script
        given = [flag.partition("=")[::2] for flag in flags]
        texts = [value for name, value in given if name in ("--gin_file", "--configuration")]
        params = [value for name, value in given if name == "--gin_param"]
        if script == "launch/compare.py":
            for files, own in map(plan.parts, texts):
                build.prepare(files, [*own, *params])
        elif texts:
            build.prepare(texts, params)


def test_experiments_that_notes_name_are_in_the_table():
    """Those with a folder, and what is written as a name of this folder's table would be found: see `obama256`."""
    folders = "|".join(sorted({name.split("/")[0] for name in NOTES}))
    named = {(name, found) for name, text in NOTES.items()
             for found in re.findall(rf"(?<![\w/])((?:{folders})/\w+)(?![\w/.])", text)}  # fmt: skip
    assert ("regan/obama256_progan", "progan/obama256") in named
    assert {found for _, found in named} <= set(ROWS)


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


COMMON = ("digits32", "ring", "cifar10")
FLEXIBLE = [n for n in NETWORKS if n.stem not in RESOLUTIONS]
PAIRS = [(n, d) for n in NETWORKS for d in DATA if fits(n, d) and d.stem in COMMON]
PAIRS += [(n, next(d for d in DATA if fits(n, d))) for n in NETWORKS if n not in {n for n, _ in PAIRS}]
PAIRS += [(next(n for n in FLEXIBLE if fits(n, d)), d) for d in DATA if d not in {d for _, d in PAIRS}]


@pytest.mark.parametrize(("networks", "data"), PAIRS, ids=lambda path: path.stem)
def test_every_part_builds_with_one_that_fits_it(networks, data):
    unconditional = re.search(r"num_classes (= |\()None", networks.read_text())  # as its comment says
    built([data, networks], ["num_classes = None"] if unconditional else [])


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


def includes(path):
    return re.findall(r'^include "(.+)"', path.read_text(), re.MULTILINE)


def test_includes_are_at_most_two_deep():
    def depth(path):
        return 1 + max((depth(ROOT / name) for name in includes(path)), default=0)

    assert {path: depth(path) for path in FILES if depth(path) > 2} == {}


def test_the_order_of_the_issues_example_does_not_matter():
    """A few-shot file says nothing that its data do."""
    said = []
    for files in (ROWS["regan/obama256_stylegan2"][0], ROWS["regan/obama256_stylegan2"][0][::-1]):
        build.prepare(files, [])
        said.append(gin.config_str())
    assert said[0] == said[1] and len(ROWS["regan/obama256_stylegan2"][0]) == 2


def test_a_row_says_what_its_flags_say():
    of = prepare("regan/cifar10_tickets46")
    assert (of("TicketGAN.ticket_rounds"), of("train.steps")) == (6, 1_099_000)


def test_an_unknown_name_in_a_gin_file_is_refused(tmp_path):
    (tmp_path / "a.gin").write_text("no_such_network.width = 1\n")
    with pytest.raises(ConfigError, match="no_such_network"):
        build.prepare([str(tmp_path / "a.gin")], [])
