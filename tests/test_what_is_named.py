"""What pages, messages, docstrings and comments name is there: parameters, attributes, flags, files."""

import ast
import functools
import importlib.util
import re
import sys
import tomllib

import pytest
from configurations import ROOT, commands
from defined_flags import defined

from tfgans import config
from tfgans.commands.actions import COMMANDS
from tfgans.config import names
from tfgans.evaluate import metrics

PAGES = sorted(
    {*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("gin_configs/**/*.md")} - {ROOT / "CHANGELOG.md"}
)
SOURCES = sorted([*ROOT.glob("tfgans/**/*.py"), *ROOT.glob("benchmarks/*.py")])
# What is no name of ours: endings of files, flags of other programs, and what examples call theirs.
ENDINGS = ("gin", "json", "jsonl", "lock", "py")
OTHERS = {
    "cfg", "dist", "distribution", "flag", "gpus", "input_format", "kill", "logdir", "name", "no", "nodes", "noise",
    "ntasks", "output_format", "pty", "requeue", "signal", "tf_xla_persistent_cache_device_types",
    "tf_xla_persistent_cache_directory", "time",
}  # fmt: skip
EXAMPLES = {
    "LeCamGAN", "MyGAN", "PrintTracker", "RowMeans", "Stripes", "brightness_gap", "configurable", "hook", "my_images",
    "my_metric", "my_source", "name", "property", "small_discriminator", "small_generator", "squared_hinge",
    "tensorflow", "tfjs",
}  # fmt: skip
OWN_FILES = {"A.gin", "B.gin", "F.gin", "operative.gin", "own.gin"}


def said(path):
    """The text of a page; of a gin file its comments; of a source its texts and comments."""
    text = path.read_text()
    if path.suffix == ".md":
        return text
    comments = "\n".join(re.findall(r"#.*", text))
    if path.suffix == ".gin":
        return comments
    parts = [
        n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant) and type(n.value) is str
    ]
    return "\n".join([*parts, comments])


@functools.cache
def texts():
    """`{name: text}`: each page, the comments of each folder of gin files, and each source."""
    paths = [*PAGES, *SOURCES, *sorted((ROOT / "gin_configs").glob("**/*.gin"))]
    return {path.relative_to(ROOT).as_posix(): said(path) for path in paths}


@functools.cache
def flags_of(command):
    """The names of a command's flags, each `--no` among them."""
    with defined(command) as own:
        return {*own, "help"} | {f"no{name}" for name, flag in own.items() if flag.boolean}


@functools.cache
def flags_of_benchmarks():
    """All that a benchmark defines, by the name of its file."""
    places = ROOT.glob("benchmarks/*.py")
    return {p.name: set(re.findall(r'"--(\w+)"|DEFINE_\w+\(\s*"(\w+)"', p.read_text())) for p in places}


def known_flags():
    return (
        set().union(*(flags_of(command) for command in COMMANDS))
        | {one or other for found in flags_of_benchmarks().values() for one, other in found}
        | OTHERS
    )


def is_there(name, thing):
    """Whether a configurable has a parameter or an attribute, or all that begin so; None of another name."""
    if name not in names.configurables():
        return None
    target = names.target_of(name)
    parameters, _ = names.parameters_of(target)
    module = f"tfgans.run.{name}"
    if thing.endswith("_"):
        return any(parameter.startswith(thing) for parameter in parameters)
    if thing in parameters or (isinstance(target, type) and hasattr(target, thing)):
        return True
    return bool(importlib.util.find_spec(module)) and hasattr(sys.modules.get(module), thing)


def wrong_parameters(text):
    config.import_rooms()
    found = re.findall(r"(?<![\w./@-])@?([A-Za-z]\w*)\.([a-z]\w*)\b", text)
    wrong = {f"{n}.{t}" for n, t in found if t not in ENDINGS and is_there(n, t) is False}
    methods = {n for n, _ in found if n.endswith("GAN") and n not in names.configurables()}
    used = set(re.findall(r"(?<![\w./-])@(?:\w+/)?([A-Za-z]\w*)", text)) - set(names.configurables())
    used = {each for each in used if not each.endswith("_")}
    return wrong | ((methods | used) - EXAMPLES)


def wrong_flags(text):
    return set(re.findall(r"(?<![\w-])--([a-z]\w+)", text)) - known_flags()


def wrong_files(text):
    """Files of this repository that are named and are not there, and gin files of no such name in any folder."""
    place = r"(?<![\w/.])(?:gin_configs|launch|benchmarks|tests|docs|tfgans)/[\w./-]*\w\.(?:gin|json|md|npz|png|py)\b"
    wrong = {path for path in re.findall(place, text) if not (ROOT / path).exists()}
    there = [path.as_posix() for path in ROOT.glob("gin_configs/**/*.gin")]
    named = set(re.findall(r"(?<![\w/.*-])((?:\w+/)*\w+\.gin)\b", text))
    named = {each for each in named if each.rpartition("/")[2] not in OWN_FILES}
    return wrong | {each for each in named if not any(path.endswith(f"/{each}") for path in there)}


def wrong_extras(text):
    """Extras of this package, as in `pip install 'tfgans[export]'`, that it does not have."""
    there = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return set(re.findall(r"(?:\btfgans|'\.)\[(\w+)\]", text)) - set(there)


def wrong_calls(path):
    """`command --flag` of a page's commands, in blocks and within lines, that the command does not have."""
    inline = re.findall(r"`[^`\n]*?(?:launch/(\w+)\.py|tfgans (\w+))( [^`\n]*)`", path.read_text())
    calls = [(one or other, rest.split()) for one, other, rest in inline]
    calls += [(words[0][7:-3], words[1:]) for words in commands(path) if words[0].startswith("launch/")]
    found = [
        (call, flag) for call, rest in calls for flag in re.findall(r"(?:^| |\[)--(\w+)", " ".join(rest))
    ]
    return {f"{call} --{flag}" for call, flag in found if call in COMMANDS and flag not in flags_of(call)}


LOOKS = [wrong_parameters, wrong_flags, wrong_files, wrong_extras]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.__name__)
def test_what_is_named_is_there(look):
    found = {name: look(text) for name, text in texts().items()}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_commands_of_pages_have_their_flags():
    found = {page.name: wrong_calls(page) for page in PAGES}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_is_on_a_page(command):
    """Beside what `--help` says of it: on what occasion one wants it."""
    text = "".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"(?<![\w-])--(\w+)", text))
    own = {flag for flag in flags_of(command) if not {flag, f"no{flag}", flag.removeprefix("no")} & named}
    assert own == set()


def test_pages_have_every_metric_and_every_network():
    text = (ROOT / "docs/evaluation.md").read_text()
    assert {name for name in metrics.NAMES if f"`{name}`" not in text} == set()
    default = re.search(r"by default (.*?), of ([\d,]+) images", text, re.DOTALL)
    assert tuple(re.findall(r"`(\w+)`", default[1])) == metrics.DEFAULT
    assert int(default[2].replace(",", "")) == names.default_of("Evaluator", "num_samples")
    own = [
        p.stem for p in (ROOT / "tfgans/networks").glob("*.py") if f"def {p.stem}_generator(" in p.read_text()
    ]
    told = re.search(
        r"^Networks here: .*?\n\n", (ROOT / "docs/methods.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert {name for name in own if f"`{name}`" not in told[0]} == set() and len(own) > 9


@pytest.mark.parametrize("name", ["train", "search", "build", "strategy", "numerics"])
def test_every_option_of_a_run_is_on_a_page(name):
    config.import_rooms()
    text = "".join(page.read_text() for page in PAGES)
    options = set(names.parameters_of(names.target_of(name))[0]) - {"generator", "discriminator"}
    ways = {option: (f"{name}.{option}", f"--{option}", f"`{option}`") for option in options}
    assert {option for option, found in ways.items() if not any(way in text for way in found)} == set()


def test_what_is_wrong_would_be_seen(tmp_path):
    text = "`Dataset.batchsize`, @AdvasGAN, AdvasGAN.advas_weight, GAN.ema_decay; Dataset.evaluation_, Dataset.no_"
    assert wrong_parameters(text) == {"Dataset.batchsize", "Dataset.no_", "AdvasGAN"}
    assert wrong_flags("--steps=1 --seps --nolabels --nosteps") == {"seps", "nosteps"}
    text = "docs/runs.md docs/run.md gin_configs/quickstart.gin alphagan/digits.gin networks/resnet.gin"
    assert wrong_files(text) == {"docs/run.md", "alphagan/digits.gin"}
    assert wrong_extras("pip install 'tfgans[export]' 'tfgans[exports]' '.[gpus]'") == {"exports", "gpus"}
    page = tmp_path / "page.md"
    page.write_text("`launch/fid.py A B --steps=1 --metrics=fid`, `tfgans train --quantize=int8`\n")
    assert wrong_calls(page) == {"fid --steps", "train --quantize"}
