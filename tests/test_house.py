"""The rules of the house: imports run one way, nothing is unfinished, and every gin file and README line works."""

import ast
import inspect
import os
import pathlib
import re
import subprocess
import sys

import pytest

import tfgans
from tfgans import config
from tfgans.config import ConfigError
from tfgans.run import build

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "tfgans"
MODULES = sorted(PACKAGE.rglob("*.py"))

# What each room may import of the house, besides itself; a leaf's name allows only what stands here.
PARTS = {"losses", "penalties", "layers", "augment", "schedules", "keras_internals"}
LEAVES = {
    "config", "data", "evaluate", "checkpoint", "distribute", "files", "inputs", "pictures", "progress", "readers",
}  # fmt: skip
ALLOWED = {
    "errors": set(),
    "environment": {"errors"},
    "readers": {"errors"},
    "files": {"readers"},
    "inputs": {"files"},
    "private_names": {"errors"},
    "keras_internals": {"private_names"},
    "config": {"errors", "files", "private_names"},
    "progress": set(),
    "keras_lookup": {"config", "keras_internals"},
    "pictures": {"files"},
    "cluster": {"errors"},
    "distribute": {"config", "cluster", "keras_internals"},
    "data": {"config", "files", "readers", "progress"},
    "evaluate": {"config", "files", "readers", "data", "progress", "keras_internals", "layers"},
    "checkpoint": {"config", "files", "readers", "distribute"},
    "losses": {"config"},
    "penalties": {"config", "losses"},
    "schedules": {"config", "keras_internals"},
    "layers": {"config", "distribute", "keras_internals"},
    "augment": {"config", "distribute", "layers", "losses"},
    "networks": PARTS | {"config"},
    "pruning": set(),
    "optimizers": {"config", "keras_internals"},
    "gan": PARTS
    | {
        "config",
        "data",
        "distribute",
        "environment",
        "errors",
        "evaluate",
        "files",
        "keras_lookup",
        "readers",
    },
    "methods": PARTS | LEAVES | {"networks", "gan", "optimizers", "pruning"},
    "run": PARTS | LEAVES | {"errors", "networks", "gan", "methods", "optimizers"},
    "compare": PARTS | LEAVES | {"networks", "gan", "methods", "run"},
    "commands": LEAVES | {"environment", "errors", "methods", "run", "compare"},
    "__main__": {"commands"},
    "__init__": {"environment", "keras_lookup"},
}


def room(path):
    """The room of a module: its file at the top of the package, or the folder there."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path):
    """`(line, dotted name)` of everything of the house that a module imports, at its top or anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return [(line, name) for line, name in found if name.split(".")[0] == "tfgans"]


def wrong_imports(path):
    """Imports that run the wrong way, and those from one method's room to another's."""
    own, wrong = room(path), []
    for line, name in imported(path):
        parts = name.split(".")
        target = parts[1] if len(parts) > 1 else "__init__"
        if target != own and target not in ALLOWED.get(own, set()):
            wrong.append(f"{path.relative_to(ROOT)}:{line}: {own} imports {name}")
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    assert room(path) in ALLOWED, f"{room(path)} has no place in the order of imports"
    assert wrong_imports(path) == []


def test_the_order_has_no_circle():
    done = set()
    while len(done) < len(ALLOWED):
        ready = {
            name for name, needs in ALLOWED.items() if name not in done and needs & ALLOWED.keys() <= done
        }
        assert ready, f"circle among {sorted(ALLOWED.keys() - done)}"
        done |= ready


def test_a_wrong_import_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "tfgans")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "tfgans").mkdir()
    path = tmp_path / "tfgans" / "losses.py"
    path.write_text("import keras\ndef f():\n    from tfgans import gan\nimport tfgans.networks.dcgan\n")
    assert wrong_imports(path) == [
        "tfgans/losses.py:4: losses imports tfgans.networks.dcgan",
        "tfgans/losses.py:3: losses imports tfgans.gan",
    ]


METHOD_ROOMS = sorted({p for p in (PACKAGE / "methods").iterdir() if p.name[0] != "_"})


@pytest.mark.parametrize("place", METHOD_ROOMS, ids=lambda place: place.name)
def test_no_method_imports_another(place):
    own = place.name.removesuffix(".py")
    for path in [place] if place.is_file() else place.rglob("*.py"):
        others = [name for _, name in imported(path) if name.startswith("tfgans.methods.")]
        assert [name for name in others if name.split(".")[2] != own] == []


# Commands about one method's architectures; all else outside the methods' rooms knows them by hooks alone.
ABOUT_ONE_METHOD = ("run/searching.py", "commands/architectures.py")


def test_general_rooms_import_no_particular_method():
    general = [p for p in MODULES if room(p) != "methods" and not p.as_posix().endswith(ABOUT_ONE_METHOD)]
    found = {
        str(path.relative_to(PACKAGE)): name
        for path in general
        for _, name in imported(path)
        if name.startswith("tfgans.methods.") and name != "tfgans.methods.compose"
    }
    assert found == {}


SOURCES = [
    p for part in ("tfgans", "launch", "tests", "benchmarks") for p in sorted((ROOT / part).rglob("*.py"))
]


def test_files_of_tests_have_names_of_their_own():
    """pytest imports them by their last name alone, and stops at the second of two."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))


UNFINISHED = re.compile(
    "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "pytest[.]mark[.]sk" + "ip", "x" + "fail"))
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unfinished(path):
    text = path.read_text()
    assert not UNFINISHED.search(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            assert "NotImplemented" not in ast.unparse(node.exc), f"line {node.lineno}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if path.name != "browser.py":  # Chromium is the one thing that `make venv` does not install
                assert called not in ("pytest.sk" + "ip", "pytest.importorsk" + "ip"), f"line {node.lineno}"


def test_files_and_functions_are_short():
    for path in MODULES:
        text = path.read_text()
        assert len(text.splitlines()) <= 350, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None
                first = node.body[1 if documented and len(node.body) > 1 else 0].lineno
                assert node.end_lineno - first < 45, f"{path}: {node.name}"


# Functions of more arguments than seven that are neither gin's nor constructors of what gin files name.
LONG_SIGNATURES = {
    "gan/fitting/__init__.py: fit",  # Keras's own
    "networks/parts.py: discriminator_model",  # factories of parts of networks
    "networks/resnet.py: residual_features",
    "networks/resnet.py: residual_generator",
}


def long_signatures(node, configurable=False):
    """Names of the functions inside a node that have more than seven arguments, without those that gin calls."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            yield from long_signatures(child, configurable)
            continue
        decorated = any("configurable" in ast.unparse(decorator) for decorator in child.decorator_list)
        if isinstance(child, ast.FunctionDef):
            given = child.args
            names = [a.arg for a in given.posonlyargs + given.args + given.kwonlyargs]
            called_by_gin = decorated or (configurable and child.name == "__init__")
            if len([name for name in names if name not in ("self", "cls")]) > 7 and not called_by_gin:
                yield child.name
        yield from long_signatures(child, decorated and isinstance(child, ast.ClassDef))


def test_functions_take_few_arguments():
    found = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in MODULES
        for name in long_signatures(ast.parse(path.read_text()))
    }
    assert found == LONG_SIGNATURES


def test_a_long_signature_would_be_seen():
    eight = "a, b, c, d, e, f, *, g, h=1"
    text = f"""
@configurable(name="x")
class A:
    def __init__(self, {eight}): pass
    def method(self, {eight}): pass
class B:
    def __init__(self, {eight}): pass
    def short(self, a, b, c, d, e, f, g): pass
@configurable
def made({eight}):
    def inner({eight}): pass
"""
    assert list(long_signatures(ast.parse(text))) == ["method", "__init__", "inner"]


def test_importing_the_package_does_not_import_tensorflow():
    script = (
        "import sys, tfgans, tfgans.config; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("name", tfgans.__all__)
def test_every_public_name_is_there(name):
    assert getattr(tfgans, name) is not None
    assert name in dir(tfgans)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tfgans.nothing  # noqa: B018


# gin files: those of data/, networks/ and losses/ are parts, every other is an experiment of its own.
CONFIGS = sorted((ROOT / "gin_configs").rglob("*.gin"))
DATA = [p for p in CONFIGS if p.parent.name == "data"]
NETWORKS = [p for p in CONFIGS if p.parent.name == "networks"]
LOSSES = [p for p in CONFIGS if p.parent.name == "losses"]
PRESETS = [p for p in CONFIGS if p.parent.name == "presets"]  # parts of experiments that are built with them
EXPERIMENTS = [p for p in CONFIGS if p not in (*DATA, *NETWORKS, *LOSSES, *PRESETS)]
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
    import gin

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


def built(files, bindings=()):
    """Builds what a command would, small; returns `(model, dataset or None)`. Nothing may be left unused."""
    import gin

    from tfgans.data import Dataset
    from tfgans.evaluate.evaluator import Evaluator

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
    later = ("train.", "search.")
    later += () if dataset is not None and not cut_before else ("Dataset.", "batch_size")
    unused = [name for name in config.unused_bindings() if not name.startswith(later)]
    assert unused == []
    return model, dataset


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: str(path.relative_to(ROOT / "gin_configs")))
def test_every_experiment_builds_and_uses_all_it_says(path):
    import gin

    model, _ = built([path])
    if model.num_classes:  # published ones draw labels as their authors do, ours as the data has them
        ours = gin.query_parameter("Dataset.source") in OFFLINE
        assert model.label_distribution == ("data" if ours else "uniform")


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
    assert EXPERIMENTS and NETWORKS and DATA


def test_an_unused_binding_would_be_seen(tmp_path):
    (tmp_path / "a.gin").write_text('include "gin_configs/quickstart.gin"\nR1GAN.r1_weight = 1.0\n')
    with pytest.raises(AssertionError, match="R1GAN.r1_weight"):
        built([tmp_path / "a.gin"])


def test_includes_are_at_most_two_deep():
    def depth(path):
        inner = re.findall(r'^include "(.+)"', path.read_text(), re.MULTILINE)
        return 1 + max((depth(ROOT / name) for name in inner), default=0)

    assert {path: depth(path) for path in CONFIGS if depth(path) > 2} == {}


README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_readme_python_runs(tmp_path):
    """The blocks are one program, as a reader runs them one after the other."""
    assert BLOCKS, "README.md has no ```python example"
    (tmp_path / "example.py").write_text("\n".join(BLOCKS))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_readme_names_files_that_are_there():
    files = set(re.findall(r"(?:gin_configs|launch|benchmarks|tests|docs)/[\w/]+\.\w+", README))
    assert "launch/describe.py" in files  # the pattern finds names at all
    assert {file for file in files if not (ROOT / file).exists()} == set()


def test_an_unknown_name_in_a_gin_file_is_refused(tmp_path):
    (tmp_path / "a.gin").write_text("no_such_network.width = 1\n")
    with pytest.raises(ConfigError, match="no_such_network"):
        build.prepare([str(tmp_path / "a.gin")], [])
